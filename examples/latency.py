"""How long does each step between two hops take?

Writes the annotations of a capture to Parquet and queries them with duckdb. You can keep Parquet files, and query many
at once: 'rows/*.parquet'. Needs duckdb and pyarrow.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow.parquet

import pywnv

CAPTURE = Path(__file__).parent.parent / "tests" / "captures" / "lbfo-tcp-loss.pcapng.gz"

QUESTION = """
with steps as (
    select lag(hop) over (partition by packet order by appearance) as "from", hop as "to", 1e6 * hop_delta as us
    from read_parquet(?)
)
select "from", "to", count(*) as packets, median(us) as median_us, quantile_cont(us, 0.99) as p99_us
from steps
where us is not null
group by all
order by packets desc, median_us desc
"""


def main(capture: str | Path) -> None:
    """Prints a line for each step: from where to where, how many packets, how many microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        pyarrow.parquet.write_table(pywnv.annotate_table(capture, warn=print), rows)
        answer = duckdb.execute(QUESTION, [str(rows)]).fetchall()
    print(f"{'from':12} {'to':12} {'packets':>8} {'median µs':>10} {'99 % µs':>10}")
    for before, after, packets, median, most in answer:
        print(f"{before:12} {after:12} {packets:>8} {median:>10.1f} {most:>10.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [CAPTURE])
