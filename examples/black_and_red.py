"""Wireshark shows the whole capture in black and red: how many packets are there really?

A Windows host with a NIC team was captured at every NIC at once, so that each packet is in the file several times.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pywnv

CAPTURE = Path(__file__).parent.parent / "tests" / "captures" / "lbfo-tcp.pcapng.gz"


def main(capture: str | Path) -> None:
    """Counts frames by what they are."""
    verdicts: Counter[str | None] = Counter()
    packets = set()
    for frame in pywnv.annotate(capture, warn=print):
        verdicts[frame.verdict] += 1
        if frame.packet is not None:  # an event of the vmSwitch belongs to no packet
            packets.add(frame.packet)
    print(f"{verdicts.total()} frames show {len(packets)} packets:")
    for verdict, count in verdicts.most_common():
        print(f"{count:>8} {verdict}")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [CAPTURE])
