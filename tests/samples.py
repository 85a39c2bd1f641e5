"""The hard cases among the samples that come with the package: those of tests/hard_cases*.py, 128 bytes a frame.

    .venv/bin/python tests/samples.py

writes them to tests/captures/hard, always the same bytes, packed by gzip.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from hard_cases import CASES, Case, to_pcapng, truth
from hard_cases_hops import lso

FOLDER = Path(__file__).parent / "captures" / "hard"
SNAP = 128  # bytes a frame: pktmon's default, and so small files
NAMES = (
    "nat_between_hops",
    "pktmon_ids",
    "tunnel_vxlan",
    "cut_same_start",
    "same_headers",
    "acks_repeat",
    "arp_repeats",
    "bfd_echo",
    "datagrams_repeat",
    "traceroute_up",
    "unique_ids",
)
MAKERS: dict[str, Callable[[], Case]] = {name: CASES[name] for name in NAMES} | {
    # Without loss: whether a part that is sent again counts for the packet of before is a matter of taste.
    "lso": partial(lso, 20, six=False, loss=0),
}


def built() -> Iterator[tuple[str, bytes, str]]:
    """Each sample: its name, its capture, its truth."""
    for name, make in MAKERS.items():
        made = make()
        made = replace(made, frames=[frame._replace(data=frame.data[:SNAP]) for frame in made.frames])
        rows = [(frame, packet) for frame, packet, _, _ in truth(made)]
        yield name, to_pcapng(made), "frame,packet\n" + "".join(f"{frame},{packet}\n" for frame, packet in rows)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, capture, rows in built():
        packed = FOLDER / f"{name}.pcapng.gz"
        # Another zlib packs otherwise: only other captures are written anew.
        if not packed.exists() or gzip.decompress(packed.read_bytes()) != capture:
            packed.write_bytes(gzip.compress(capture, 9, mtime=0))
        (FOLDER / f"{name}.truth.csv").write_text(rows, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
