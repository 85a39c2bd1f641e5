"""What the engine has learned is as old as an epoch, and what it learned in warming up for it."""

from __future__ import annotations

import pytest
from engine import MAC_B, Engine, Row, brief, ethernet, ipv4, play, runtimes, udp

EPOCH = (40, 16)
GAP, STEP = 0.01, 2e-6  # seconds from packet to packet; from one sighting to the next
MAY_REPEAT = ethernet(ipv4(udp(b"state"), ident=0))


def twice(packets: int, first: int = 1) -> list[Row]:
    """Packets that a hop records twice, as their IP IDs tell."""
    rows: list[Row] = []
    for ident in range(first, first + packets):
        frame = ethernet(ipv4(udp(), ident=ident))
        rows += [("A", ident * GAP + STEP * at, frame) for at in range(2)]
    return rows


def once(packets: int, first: int) -> list[Row]:
    """Packets that another hop records once."""
    return [
        ("B", ident * GAP, ethernet(ipv4(udp(), ident=ident), src=MAC_B)) for ident in range(first, first + packets)
    ]


SHOWN: list[Row] = [("A", 9.0, MAY_REPEAT), ("A", 9.0 + STEP, MAY_REPEAT)]


@runtimes
def test_what_was_learned_in_warming_up_counts(runtime: str) -> None:
    rows = twice(EPOCH[0] // 2) + SHOWN
    said = play(runtime, rows, epoch=EPOCH)
    assert brief(said[-1]) == f"{EPOCH[0] + 1} duplicate learned"
    assert said == play(runtime, rows)


@runtimes
def test_what_was_learned_before_does_not(runtime: str) -> None:
    learned = (EPOCH[0] - EPOCH[1]) // 2
    rows = twice(learned) + once(EPOCH[1], learned + 1) + SHOWN
    assert brief(play(runtime, rows)[-1]) == f"{EPOCH[0] + 1} duplicate learned"
    assert brief(play(runtime, rows, epoch=EPOCH)[-1]).endswith("original")


@runtimes
def test_a_packet_goes_on_in_the_next_epoch(runtime: str) -> None:
    frame = ethernet(ipv4(udp(), ident=999))
    rows: list[Row] = [*once(EPOCH[0] - 1, 1), ("A", 5.0, frame), ("B", 5.0 + STEP, frame)]
    said = play(runtime, rows, epoch=EPOCH)
    assert brief(said[-1]) == f"{EPOCH[0]} duplicate bytes"
    assert said[-1].path == "A > B"


@runtimes
@pytest.mark.parametrize("passes", [True, False])
def test_what_a_read_filter_rejects_teaches_nothing(runtime: str, *, passes: bool) -> None:
    """A read filter dissects each frame once before it counts; one that it rejects gives its number to the next."""
    rows = twice(30) + once(40, 31) + twice(30, 71)
    stranger = ethernet(ipv4(udp(b"rejected"), ident=7))
    engine = Engine(runtime, None, EPOCH)
    hops = {name: engine.hop(name=name) for name in "AB"}
    said = []
    for hop, time, frame in rows:
        engine.frame(time, hops[hop if passes else "A"], frame if passes else stranger)
        engine.discard()
        said.append(engine.frame(time, hops[hop], frame))
    assert said == play(runtime, rows, epoch=EPOCH)


@runtimes
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_an_epoch_without_packets(runtime: str, epochs: int) -> None:
    """Frames that are events take numbers, and nothing is learned of them."""
    engine = Engine(runtime, None, EPOCH)
    hop = engine.hop(name="A")
    for _, time, frame in twice(EPOCH[0] // 2):
        engine.frame(time, hop, frame)
    engine._number += epochs * EPOCH[0]
    (_, first, frame), (_, second, _) = SHOWN
    assert brief(engine.frame(first, hop, frame)) == f"{(epochs + 1) * EPOCH[0] + 1} original"
    assert brief(engine.frame(second, hop, frame)).endswith("original")
