"""Shows the main job on a real capture, in the words of the README."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
CAPTURE = Path("tests/captures/lbfo-tcp-loss.pcapng.gz")
PLUGIN = Path("lua/wnv.lua")
PYWNV = Path(sys.executable).with_name("pywnv")
ALARM = "tcp.analysis.flags && !tcp.analysis.window_update"
SHOWN = 3  # packets


def output_of(*command: str | Path) -> str:
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout


def main() -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"A host with a NIC team and a vmSwitch was captured at every NIC at once: [bold]{CAPTURE}[/]\n")

    console.print(f"[bold]$ pywnv annotate {CAPTURE}[/]")
    rows = list(csv.DictReader(io.StringIO(output_of(PYWNV, "annotate", CAPTURE))))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("frame", "packet", "verdict", "hop", "hop_delta", "path"):
        table.add_column(name, no_wrap=True)
    packets = groupby(sorted(rows, key=lambda row: int(row["packet"])), key=lambda row: row["packet"])
    for number, (_, frames) in enumerate(packets):
        if number == SHOWN:
            break
        for row in frames:
            table.add_row(*(row[str(column.header)] for column in table.columns))
    console.print(table)
    verdicts = Counter(row["verdict"] for row in rows)
    count = len({row["packet"] for row in rows})
    console.print(f"... {len(rows)} frames are {count} packets; {verdicts['duplicate']} frames are copies.\n")

    plain, load = ("tshark", "-n", "-r", CAPTURE), ("-X", f"lua_script:{PLUGIN}")
    before = len(output_of(*plain, "-Y", ALARM).splitlines())
    after = len(output_of(*plain, *load, "-Y", f"{ALARM} && !wnv.duplicate").splitlines())
    console.print(f"[bold]$ tshark -r CAPTURE -Y '{ALARM}'[/]")
    console.print(f"{before} alarms: the copies look like retransmissions.\n")
    console.print(f"[bold]$ tshark -X lua_script:{PLUGIN} -r CAPTURE -Y '{ALARM} && !wnv.duplicate'[/]")
    console.print(f"{after} alarms: what really went wrong on the wire.")


if __name__ == "__main__":
    main()
