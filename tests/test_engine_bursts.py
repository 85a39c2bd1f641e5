"""Packets with the same bytes, sent in a burst: each keeps its own path, in every order that a file may have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random

import pytest
from engine import RUNTIMES, Engine, Row, Said, brief, ethernet, ipv4, play, udp

SAME = ethernet(ipv4(udp(), ident=0))
DELAY = {"A": 0.0, "B": 20e-6, "C": 50e-6}

Sighting = tuple[float, str, int]  # time, hop, and which packet it shows


def other(ident: int) -> bytes:
    return ethernet(ipv4(udp(), ident=ident))


def shuffled(sightings: list[Sighting], seed: int) -> list[Sighting]:
    """Each hop's sightings in order, the hops interleaved anyhow."""
    queues = {hop: [s for s in sorted(sightings) if s[1] == hop] for hop in DELAY}
    turns = [hop for hop, queue in queues.items() for _ in queue]
    Random(seed).shuffle(turns)
    return [queues[hop].pop(0) for hop in turns]


ORDERS: dict[str, Callable[[list[Sighting]], list[Sighting]]] = {
    "by time": sorted,
    "packet by packet": lambda sightings: sorted(sightings, key=lambda s: (s[2], s[1])),
    "packet by packet, last hop first": lambda sightings: sorted(sightings, key=lambda s: (s[2], -ord(s[1]))),
    "hop by hop": lambda sightings: sorted(sightings, key=lambda s: s[1]),
    "hop by hop, last hop first": lambda sightings: sorted(sightings, key=lambda s: -ord(s[1])),
    "hop by hop, middle hop first": lambda sightings: sorted(sightings, key=lambda s: "BAC".index(s[1])),
    **{f"interleaved {seed}": lambda sightings, seed=seed: shuffled(sightings, seed) for seed in range(5)},
}


def groups(sightings: list[Sighting], said: list[Said]) -> dict[int, list[int]]:
    """For each packet that the engine found: which packets its frames show in truth."""
    found = defaultdict(list)
    for (_, _, packet), one in zip(sightings, said, strict=True):
        found[one.packet].append(packet)
    return found


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("order", "gap"),
    # Interleaved anyhow, packets closer than their steps are long are not told apart by their times.
    [
        pytest.param(order, gap, id=f"{name}-{gap}")
        for name, order in ORDERS.items()
        for gap in ([1e-3] if name.startswith("interleaved") else [0.0, 1e-6, 30e-6, 1e-3])
    ],
)
def test_a_burst_is_never_merged(runtime: str, gap: float, order: Callable[[list[Sighting]], list[Sighting]]) -> None:
    truth = [(packet * gap + delay, hop, packet) for packet in range(20) for hop, delay in DELAY.items()]
    sightings = order(truth)
    said = play(runtime, [(hop, time, SAME) for time, hop, _ in sightings])
    found = groups(sightings, said)
    assert sorted(found.values()) == [[packet] * 3 for packet in range(20)]
    for one in said:
        hops = one.path.split(" > ")
        assert (hops[-1], len(hops), len(set(hops))) == (one.hop, one.appearance, one.appearance)
        assert one.verdict in (("original", "repeat") if one.appearance == 1 else ("duplicate",))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("dropped", [{1}, {2}, {5}, {2, 3}, {0, 4, 5}])
@pytest.mark.parametrize("hops", ["AB", "ABC"])
def test_a_drop_in_a_burst(runtime: str, hops: str, dropped: set[int]) -> None:
    # Packets that cannot be mistaken show first how long a step takes.
    sightings = [(packet * 1e-3 + DELAY[hop], hop, packet) for packet in range(-9, 0) for hop in hops]
    for packet in range(8):
        passed = "A" if packet in dropped else hops
        sightings += [(packet * 1e-3 + DELAY[hop], hop, packet) for hop in passed]
    sightings.sort()
    frames = [(hop, time + 1, SAME if packet >= 0 else other(-packet)) for time, hop, packet in sightings]
    found = groups(sightings, play(runtime, frames))
    assert sorted(found.values()) == [[packet] * (1 if packet in dropped else len(hops)) for packet in range(-9, 8)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("same", [False, True], ids=["different packets", "same bytes"])
@pytest.mark.parametrize("hops", ["AB", "BA"])
def test_interfaces_in_batches(runtime: str, same: bool, hops: str) -> None:
    """dumpcap writes hundreds of milliseconds of one interface, then those of the next."""
    rows: list[Row] = []
    for batch in range(2):
        for hop in hops:
            for packet in range(500):
                time = batch * 0.3 + packet * 0.6e-3 + DELAY[hop]
                rows.append((hop, time, SAME if same else other(batch * 500 + packet + 1)))
    for at, said in enumerate(play(runtime, rows)):
        if at % 1000 < 500:
            assert (said.packet, said.appearance) == (at + 1, 1)
        else:
            assert (said.packet, said.appearance, said.verdict) == (at - 499, 2, "duplicate")
            assert abs(said.delta) == pytest.approx(DELAY["B"])


# name: frames before the one that is undone, that one, and frames after it
UNDONE: dict[str, tuple[list[Row], Row, list[Row]]] = {
    "first sighting": ([], ("A", 0.0, SAME), [("B", 20e-6, SAME), ("C", 50e-6, SAME)]),
    "join": ([("A", 0.0, SAME)], ("B", 20e-6, SAME), [("C", 50e-6, SAME), ("B", 60e-6, SAME)]),
    "second of a burst": (
        [("A", 0.0, SAME)],
        ("A", 1e-3, SAME),
        [("B", 20e-6, SAME), ("B", 1e-3 + 20e-6, SAME), ("B", 2e-3, SAME)],
    ),
    "third of a burst": (
        [("A", 0.0, SAME), ("A", 1e-6, SAME)],
        ("A", 2e-6, SAME),
        [("B", 20e-6, SAME), ("B", 21e-6, SAME), ("B", 22e-6, SAME)],
    ),
    "join in a burst": (
        [("A", 0.0, SAME), ("A", 1e-6, SAME), ("A", 2e-6, SAME)],
        ("B", 20e-6, SAME),
        [("B", 21e-6, SAME), ("B", 22e-6, SAME), ("C", 50e-6, SAME), ("B", 23e-6, SAME)],
    ),
    "a long step": (
        [("A", 0.0, other(1)), ("B", 20e-6, other(1)), ("A", 1e-3, other(2))],
        ("B", 40e-3, other(2)),
        [("A", 0.1, SAME), ("A", 0.11, SAME), ("B", 0.11002, SAME)],
    ),
    "no time": ([("A", 0.0, SAME)], ("B", None, SAME), [("B", 20e-6, SAME)]),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("before", "undone", "after"), UNDONE.values(), ids=UNDONE)
def test_undo(runtime: str, before: list[Row], undone: Row, after: list[Row]) -> None:
    # Wireshark's read filter dissects a frame once more if it passes, and else gives its number to the next one.
    for again in (True, False):
        engine = Engine(runtime)
        hops = {name: engine.hop(name=name) for name in "ABC"}
        said = [engine.frame(time, hops[hop], frame) for hop, time, frame in before]
        hop, time, frame = undone
        rejected = engine.frame(time, hops[hop], frame)
        engine.undo()
        if again:
            said.append(engine.frame(time, hops[hop], frame))
            assert said[-1] == rejected
        said += [engine.frame(time, hops[hop], frame) for hop, time, frame in after]
        assert said == play(runtime, [*before, *([undone] if again else []), *after])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_undo_of_every_frame(runtime: str) -> None:
    truth = [(packet * 1e-6 + delay, hop, packet) for packet in range(20) for hop, delay in DELAY.items()]
    for order in ORDERS.values():
        rows = [(hop, time, SAME) for time, hop, _ in order(truth)]
        engine = Engine(runtime)
        hops = {name: engine.hop(name=name) for name in DELAY}
        said = []
        for hop, time, frame in rows:
            for stranger in DELAY:
                engine.frame(time + 1e-6, hops[stranger], frame)
                engine.undo()
            said.append(engine.frame(time, hops[hop], frame))
        assert list(map(brief, said)) == list(map(brief, play(runtime, rows)))
