"""Shows the main job on a real capture, in the words of the README."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parent.parent
CAPTURE = Path("tests/captures/lbfo-tcp-loss.pcapng.gz")
PLUGIN = Path("lua/wnv.lua")
PYWNV = Path(sys.executable).with_name("pywnv")
ALARM = "tcp.analysis.flags && !tcp.analysis.window_update"
SHOWN = 11  # lines


def output_of(*command: str | Path) -> str:
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout


def main() -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"A host with a NIC team and a vmSwitch was captured at every NIC at once: [bold]{CAPTURE}[/]\n")

    console.print(f"[bold]$ pywnv annotate {CAPTURE}[/]")
    lines = output_of(PYWNV, "annotate", CAPTURE, "--format", "table").splitlines()
    for line in lines[:SHOWN]:
        console.print(line, markup=False)
    columns = output_of(PYWNV, "annotate", CAPTURE, "--columns", "packet,verdict")
    rows = list(csv.DictReader(io.StringIO(columns)))
    verdicts = Counter(row["verdict"] for row in rows)
    count = len({row["packet"] for row in rows})
    console.print(f"... {len(rows)} frames are {count} packets; {verdicts['duplicate']} frames are duplicates.\n")

    plain, load = ("tshark", "-n", "-r", CAPTURE), ("-X", f"lua_script:{PLUGIN}")
    before = len(output_of(*plain, "-Y", ALARM).splitlines())
    after = len(output_of(*plain, *load, "-Y", f"{ALARM} && !wnv.duplicate").splitlines())
    console.print(f"[bold]$ tshark -r CAPTURE -Y '{ALARM}'[/]")
    console.print(f"{before} alarms: the duplicates look like retransmissions.\n")
    console.print(f"[bold]$ tshark -X lua_script:{PLUGIN} -r CAPTURE -Y '{ALARM} && !wnv.duplicate'[/]")
    console.print(f"{after} alarms: what really went wrong on the wire.")


if __name__ == "__main__":
    main()
