"""Marks on the second lab: real traffic behind NATs, with receive coalescing, in tunnels, through deep queues.

Each capture is also asked as `pktmon etl2pcap` would leave it: one interface, in the order of time, microseconds.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from pcapng_blocks import interface, packet, packets, section
from scoring import score

from pywnv.annotate.rows import Engine, rows

LAB = Path(__file__).parent / "captures" / "lab2"
Real = list[dict[str, str]]

# capture: least precision and recall of pairs; the same of one interface. Of `rsc`, large frames and what they were
# built of count as one packet.
BARS = {
    "nat": ((0.998, 0.98), (0.99, 0.90)),
    "nat-loss": ((0.998, 0.98), (0.99, 0.90)),
    "rsc": ((0.998, 0.98), (0.995, 0.94)),
    "vxlan": ((0.998, 0.98), (0.985, 0.95)),
    "team2": ((0.998, 0.98), (0.98, 0.90)),
    "tcp-same": ((0.998, 0.98), (0.98, 0.90)),
    "vm2vm": ((0.998, 0.98), (0.995, 0.78)),
    "busy": ((0.998, 0.98), (0.97, 0.60)),
    "tenants": ((0.98, 0.96), (0.995, 0.5)),
    "busy-drop-fifo": ((0.985, 0.97), (0.97, 0.75)),
}


def real(name: str) -> Real:
    with gzip.open(LAB / f"{name}.truth.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def one_interface(name: str) -> tuple[bytes, Real]:
    """A capture of the lab as one interface has it, and its truth."""
    frames = list(packets(gzip.decompress((LAB / f"{name}.pcapng.gz").read_bytes())))
    order = sorted(range(len(frames)), key=lambda at: frames[at][0])
    sightings = [packet(0, frames[at][0] // 1000, frames[at][1], length=frames[at][2]) for at in order]
    truth = real(name)
    return section() + interface(None) + b"".join(sightings), [truth[at] for at in order]


def judged(capture: Path, truth: Real) -> tuple[float, float, int]:
    """Precision and recall over pairs of frames, and how many frames are called a retransmission that are none."""
    table = list(csv.DictReader(b"".join(rows(capture, engine=Engine.LUPA)).decode().splitlines()))
    assert len(table) == len(truth)
    said = [row["packet"] or row["frame"] for row in table]
    for at, row in enumerate(table):
        if row["segment_of"]:
            said[at] = said[int(row["segment_of"]) - 1]
    shown = [row["strict" if capture.name.startswith("rsc") else "packet"] for row in truth]
    alarms = zip(table, truth, strict=True)
    false = sum(row["verdict"] == "retransmission" and one["retrans"] != "1" for row, one in alarms)
    return *score(shown, said), false


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_every_hop(name: str) -> None:
    precision, recall, false = judged(LAB / f"{name}.pcapng.gz", real(name))
    least_precision, least_recall = BARS[name][0]
    assert (precision >= least_precision, recall >= least_recall, false) == (True, True, 0), (precision, recall)


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_one_interface(name: str, tmp_path: Path) -> None:
    capture, truth = one_interface(name)
    path = tmp_path / f"{name}.pcapng"
    path.write_bytes(capture)
    precision, recall, false = judged(path, truth)
    least_precision, least_recall = BARS[name][1]
    assert (precision >= least_precision, recall >= least_recall, false) == (True, True, 0), (precision, recall)
