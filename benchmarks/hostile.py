"""Measures what captures made to defeat us cost, beside an ordinary capture of the same size: CPU and peak memory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import inputs
from attacks import ATTACKS, attack
from inputs import Capture
from measure import Job
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from run import OUT, PLUGIN, environment, fields, tsharks

MB = 1e6


def annotate(capture: Capture) -> Job:
    program = str(Path(sys.executable).with_name("pywnv"))
    out = str(OUT / "hostile.csv")
    return Job("annotate", capture, [program, "annotate", str(capture.path), "-o", out, "--force", "--format", "csv"])


def plugin(capture: Capture, tshark: str) -> Job:
    base = [tshark, "-n", "-r", str(capture.path), "-X", f"lua_script:{PLUGIN}"]
    return Job("plugin", capture, base + fields("wnv.packet", "wnv.hop", "wnv.path"))


def plain(capture: Capture, tshark: str) -> Job:
    return Job("plain", capture, [tshark, "-n", "-r", str(capture.path), *fields("frame.number")])


def ordinary(size: int) -> Capture:
    """A capture of mixed traffic of about so many bytes; of some few sizes, so that few must be made."""
    frames = 2 ** max(10, (size // 400).bit_length())
    return inputs.capture(OUT, frames)


def figures(job: Job) -> list[str]:
    if not job.measured:
        return ["failed", job.problem[:20], ""]
    size = job.capture.path.stat().st_size
    return [f"{job.cpu:.1f}", f"{job.cpu / size * 1e9:.0f}", f"{job.peak / MB:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tshark", action="store_true", help="the plugin too, on the tshark in PATH; takes far longer")
    parser.add_argument("--only", help="attacks whose name holds this")
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    env = environment()
    names = [name for name in ATTACKS if not arguments.only or arguments.only in name]
    version, tshark = next(iter(tsharks().items()), ("", "")) if arguments.tshark else ("", "")
    captures = [attack(OUT, name) for name in names]
    beside = {capture: ordinary(capture.path.stat().st_size) for capture in captures}
    captures += sorted(set(beside.values()), key=lambda capture: capture.frames)
    jobs = {capture: [annotate(capture)] for capture in captures}
    if tshark:
        for capture, made in jobs.items():
            made += [plain(capture, tshark), plugin(capture, tshark)]
    for job in track([job for made in jobs.values() for job in made], "Measuring", console=Console(stderr=True)):
        job.run(env)
    (OUT / "hostile.csv").unlink(missing_ok=True)

    table = Table("capture", title="CPU seconds, ns a byte, peak MB", title_justify="left", box=SIMPLE_HEAD)
    titles = ["frames", "MB", "annotate s", "ns/B", "MB peak"]
    if tshark:
        titles += [part for name in (f"tshark {version}", "+ plugin") for part in (f"{name} s", "ns/B", "MB peak")]
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for capture, made in jobs.items():
        cells = [cell for job in made for cell in figures(job)]
        size = f"{capture.path.stat().st_size / MB:.0f}"
        table.add_row(capture.name, f"{capture.frames:,}", size, *cells)
    Console(width=None if sys.stdout.isatty() else 170, highlight=False).print(table)


if __name__ == "__main__":
    main()
