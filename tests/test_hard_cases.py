"""The hard cases: what is marked is right, and little is missed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hard_cases import CASES, to_pcapng, truth
from scoring import score

from pywnv.annotate.rows import Engine, rows


def packets_of(rows: list[dict[str, str]], frames: int) -> list[int]:
    """The packet of each frame, as is said; a segment is of the larger frame's."""
    said = {int(row["frame"]): int(row["packet"] or row["frame"]) for row in rows}
    wholes = {int(row["frame"]): int(row["segment_of"]) for row in rows if row["verdict"] == "segment"}
    for part, whole in wholes.items():
        said[part] = said.get(whole, whole)
    return [said.get(frame, frame) for frame in range(1, frames + 1)]


def seen_again(truth: list[int], rows: list[dict[str, str]]) -> list[int]:
    """The frames that are called another packet, though they show one that was seen before."""
    others = ("repeat", "retransmission")
    return [
        frame
        for frame, (packet, row) in enumerate(zip(truth, rows, strict=True), 1)
        if packet != frame and row["verdict"] in others
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_hard_case(name: str, tmp_path: Path) -> None:
    made = CASES[name]()
    capture = tmp_path / f"{name}.pcapng"
    capture.write_bytes(to_pcapng(made))
    text = b"".join(rows(capture, engine=Engine.LUPA)).decode()
    table = list(csv.DictReader(text.splitlines()))
    assert len(table) == len(made.frames)
    again = seen_again([packet for _, packet, _, _ in truth(made)], table)
    assert len(again) <= made.most_again, f"{len(again)} sightings are called another packet: {again[:20]}"
    if made.no_marks:
        marked = [row["frame"] for row in table if row["duplicate"] == "true" or row["segment_of"]]
        assert len(marked) <= made.most_marks * len(table), (
            f"{len(marked)} of {len(table)} frames marked: {marked[:20]}"
        )
        return
    precision, recall = score([packet for _, packet, _, _ in truth(made)], packets_of(table, len(made.frames)))
    assert precision >= made.least_precision, f"precision {precision:.4f} recall {recall:.4f}"
    assert recall >= made.least_recall, f"precision {precision:.4f} recall {recall:.4f}"
