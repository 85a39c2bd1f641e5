"""A Windows trace to measure with: packets of pktmon, each seen at four places, on four processors."""

from __future__ import annotations

import sys
from pathlib import Path

from inputs import Capture

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import etl_writer
import pcapng_blocks

IN_A_BUFFER = 400  # events, so that it has the 64 KB of Windows' default


def trace(folder: Path, events: int) -> Capture:
    """A trace of so many packet events, not compressed; made anew where it is not there."""
    path = folder / f"pktmon-{events}.etl"
    if not path.exists():
        frame = pcapng_blocks.ethernet(pcapng_blocks.udp(bytes(80)))
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(etl_writer.head())
            for start in range(0, events, IN_A_BUFFER):
                numbers = range(start, min(start + IN_A_BUFFER, events))
                records = (
                    etl_writer.packet(at * 10, at % 4, frame, group=at // 4 + 1, appearance=at % 4 + 1).bytes()
                    for at in numbers
                )
                file.write(etl_writer.buffer(b"".join(records), cpu=start // IN_A_BUFFER % 4))
        part.rename(path)
    return Capture("pktmon trace", events, path)
