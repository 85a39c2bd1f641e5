"""Hard cases made of the real traffic in tests/captures: one tap of it, alone or doubled, and its taps run together."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hard_capture import CASES, Case, Frame, renumber
from pcapng_blocks import packets

CAPTURES = Path(__file__).parent / "captures"
TAPS = {
    "lbfo-tcp": ("team0", "vport1"),
    "lbfo-tcp-loss": ("pnic0", "vport1"),
    "lbfo-tcp-wiredup": ("pnic0",),
    "mix-loss": ("team0", "vport2"),
    "snap-tcp-loss": ("pnic0", "vport1"),
    "v6-loss": ("pnic0", "vport1"),
    "vlan": ("pnic0", "vport1"),
}


def tap(name: str, hop: str | None = None) -> list[Frame]:
    """The frames of one tap, or of all, as if one interface had shown them."""
    with (CAPTURES / f"{name}.truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    capture, frames = gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes()), []
    for row, (time, data, length) in zip(rows, packets(capture), strict=True):
        if hop in (None, row["hop"]):
            frames.append(Frame(0, time % 10**15, data, length, int(row["packet"]), b"", row["hop"], row["part"]))
    return renumber(frames)


def of_network(name: str, usual: float, doubled: float) -> float:
    """A bar; another one where the network doubles frames, IP ID and all: at one hop nothing tells these apart."""
    return doubled if name == "lbfo-tcp-wiredup" else usual


def alone(name: str, hop: str) -> Case:
    """A real tap has no copies, but retransmissions, repeated ACKs and repeated ARP."""
    found = [frame._replace(packet=number) for number, frame in enumerate(tap(name, hop), 1)]
    return Case(found, no_marks=True, most_marks=of_network(name, 0.005, 0.02))


def doubled(name: str, hop: str, which: Callable[[Frame], bool]) -> Case:
    """A real tap where each frame that is wanted shows again 3 us later."""
    frames = []
    for number, frame in enumerate(tap(name, hop)):
        copies = (0, 3_000) if which(frame) else (0,)
        frames += [frame._replace(packet=number, time=frame.time + later) for later in copies]
    frames.sort(key=lambda f: f.time)
    # What may repeat, such as ARP, is not marked before others have taught.
    return Case(renumber(frames), least_precision=of_network(name, 0.995, 0.95), least_recall=0.94)


def merged(name: str) -> Case:
    """All the taps of a host as one interface without a name: checksums and tags differ from copy to copy."""
    return Case(tap(name), least_precision=of_network(name, 0.99, 0.96), least_recall=0.88)


def from_vm(frame: Frame) -> bool:
    return frame.data[6:9] == b"\x00\x15\x5d"


for _name, _hops in TAPS.items():
    for _hop in _hops:
        CASES[f"real_alone_{_name}_{_hop}"] = partial(alone, _name, _hop)
    CASES[f"real_doubled_{_name}"] = partial(doubled, _name, _hops[0], lambda _: True)
    CASES[f"real_outbound_doubled_{_name}"] = partial(doubled, _name, _hops[0], from_vm)
    CASES[f"real_merged_{_name}"] = partial(merged, _name)
