"""Packets with the same bytes, sent in a burst: each keeps its own path, in every order that a file may have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random

import pytest
from engine import RUNTIMES, Engine, Row, Said, ethernet, ipv4, play, udp

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
    # Interleaved anyhow, packets closer than their steps are long are not told apart by their times. Hop by hop, a long
    # burst looks as if it ended at the first hop.
    [
        pytest.param(order, gap, id=f"{name}-{gap}")
        for name, order in ORDERS.items()
        for gap in ([1e-3] if name.startswith("interleaved") else [0.0, 1e-6, 30e-6, 300e-6])
    ],
)
def test_a_burst_is_never_merged(runtime: str, gap: float, order: Callable[[list[Sighting]], list[Sighting]]) -> None:
    truth = [(packet * gap + delay, hop, packet) for packet in range(20) for hop, delay in DELAY.items()]
    sightings = order(truth)
    said = play(runtime, [(hop, time, SAME) for time, hop, _ in sightings])
    assert sorted(groups(sightings, said).values()) == [[packet] * 3 for packet in range(20)]
    for one in said:
        hops = one.path.split(" > ")
        assert (hops[-1], len(hops), len(set(hops))) == (one.hop, one.appearance, one.appearance)
        assert one.verdict in (("original", "repeat") if one.appearance == 1 else ("duplicate",))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("every", [2, 3, 5])
@pytest.mark.parametrize("hops", ["AB", "ABC"])
def test_a_lost_datagram_shifts_no_more_than_what_comes_before_the_next_unique_one(
    runtime: str, hops: str, every: int
) -> None:
    """Each of so many packets is unique; of the equal ones between, every seventh is lost behind the first hop."""
    sightings = []
    for packet in range(70):
        is_lost = packet > 9 and packet % every > 0 and packet % 7 == 3
        sightings += [(packet * 1e-3 + DELAY[hop], hop, packet) for hop in ("A" if is_lost else hops)]
    sightings.sort()
    rows = [(hop, time, SAME if packet % every else other(packet + 1)) for time, hop, packet in sightings]
    found = groups(sightings, play(runtime, rows))
    assert {len({packet // every for packet in shown}) for shown in found.values()} == {1}
    whole = [shown for shown in found.values() if shown[0] % every == 0]
    assert whole == [[packet] * len(hops) for packet in range(0, 70, every)]
    if every == 2:
        assert all(len(set(shown)) == 1 for shown in found.values())


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "every", [1, 2, 10, 1000], ids=["all unique", "every second", "every tenth", "equal ones only"]
)
@pytest.mark.parametrize("hops", ["AB", "BA"])
def test_interfaces_in_batches(runtime: str, hops: str, every: int) -> None:
    """dumpcap writes hundreds of milliseconds of one interface, then those of the next. One in so many is unique."""
    sightings = [
        (batch * 0.3 + packet * 0.6e-3 + DELAY[hop], hop, batch * 500 + packet)
        for batch in range(3)
        for hop in hops
        for packet in range(500)
    ]
    rows = [(hop, time, SAME if packet % every else other(packet + 1)) for time, hop, packet in sightings]
    said = play(runtime, rows)
    found = groups(sightings, said)
    whole = {shown[0] for shown in found.values() if len(shown) == 2 and len(set(shown)) == 1}
    assert whole >= set(range(0, 1500, every))  # what is unique


# name: frames before the one that the read filter rejects, that one, and frames after it
REJECTED: dict[str, tuple[list[Row], Row, list[Row]]] = {
    "first sighting": ([], ("A", 0.0, SAME), [("B", 20e-6, SAME), ("C", 50e-6, SAME)]),
    "second sighting": ([("A", 0.0, SAME)], ("B", 20e-6, SAME), [("C", 50e-6, SAME), ("B", 60e-6, SAME)]),
    "second of a burst": (
        [("A", 0.0, SAME)],
        ("A", 1e-3, SAME),
        [("B", 20e-6, SAME), ("B", 1e-3 + 20e-6, SAME), ("B", 2e-3, SAME)],
    ),
    "second sighting in a burst": (
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
@pytest.mark.parametrize(("before", "rejected", "after"), REJECTED.values(), ids=REJECTED)
def test_what_a_read_filter_rejects_never_was(runtime: str, before: list[Row], rejected: Row, after: list[Row]) -> None:
    # Wireshark's read filter dissects a frame once more if it passes, and else gives its number to the next one.
    for passes in (True, False):
        engine = Engine(runtime)
        hops = {name: engine.hop(name=name) for name in "ABC"}
        said = [engine.frame(time, hops[hop], frame) for hop, time, frame in before]
        hop, time, frame = rejected
        first = engine.frame(time, hops[hop], frame)
        engine.discard()
        if passes:
            said.append(engine.frame(time, hops[hop], frame))
            assert said[-1] == first
        said += [engine.frame(time, hops[hop], frame) for hop, time, frame in after]
        assert said == play(runtime, [*before, *([rejected] if passes else []), *after])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_frames_rejected_between_all_others(runtime: str) -> None:
    truth = [(packet * 1e-6 + delay, hop, packet) for packet in range(20) for hop, delay in DELAY.items()]
    for order in ORDERS.values():
        rows = [(hop, time, SAME) for time, hop, _ in order(truth)]
        engine = Engine(runtime)
        hops = {name: engine.hop(name=name) for name in DELAY}
        said = []
        for hop, time, frame in rows:
            for stranger in DELAY:
                engine.frame(time + 1e-6, hops[stranger], frame)
                engine.discard()
            said.append(engine.frame(time, hops[hop], frame))
        assert said == play(runtime, rows)
