"""I have a folder full of captures: which of them has drops or retransmissions?"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pywnv

FOLDER = Path(__file__).parent.parent / "tests" / "captures" / "deep-dive"
ENDINGS = (".pcapng", ".pcapng.gz", ".pcap", ".pcap.gz", ".etl")  # .etl needs the extra: pip install '.[etl]'


def main(folder: str | Path) -> None:
    """Prints a line for each capture; one that cannot be read does not stop the others."""
    print(f"{'frames':>8} {'duplicates':>10} {'retransmitted':>13} {'dropped':>8}  capture")
    for capture in sorted(Path(folder).iterdir()):
        if not capture.name.endswith(ENDINGS):
            continue
        counts: Counter[str] = Counter()
        try:
            for frame in pywnv.annotate(capture):
                counts["frames"] += 1
                counts["duplicates"] += frame.verdict == "duplicate"
                counts["retransmitted"] += frame.verdict == "retransmission"
                counts["dropped"] += bool(frame.drop)
        except pywnv.WnvError as error:
            print(error)
            continue
        numbers = f"{counts['frames']:>8} {counts['duplicates']:>10} {counts['retransmitted']:>13}"
        print(f"{numbers} {counts['dropped']:>8}  {capture.name}")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [FOLDER])
