"""Rules of learning that no other test held: what tells how often a hop records a packet, and of whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engine import (
    A4,
    B4,
    DATA,
    MAC_C,
    RUNTIMES,
    TCP,
    Engine,
    Row,
    ipv4,
    ipv6,
    put,
    sll,
    sll2,
    tcp,
    udp,
)
from test_engine_evidence import PURE_ACK, US, framed, last, lesson
from test_engine_rules import packets, unique

runtimes = pytest.mark.parametrize("runtime", RUNTIMES)


@runtimes
@pytest.mark.parametrize(
    ("taught", "learned"),
    [
        ([(2, 2), (2, 2)], True),
        ([(4, 2)], False),  # one sender speaks for itself only
        ([(2, 2), (1, 2)], False),  # too few
        ([(2, 2), (2, 2), (1, 1)], False),  # not all
    ],
)
def test_what_a_hop_does_with_all_senders_it_does_with_a_new_one(
    runtime: str, taught: list[tuple[int, int]], *, learned: bool
) -> None:
    rows: list[Row] = []
    for sender, (number, times) in enumerate(taught):
        rows += lesson(times, 0.1 + sender / 10, number, src=MAC_C[:5] + bytes([100 + sender]))
    rows += [("A", 1 + at * 4 * US, framed(PURE_ACK)) for at in range(2)]
    assert last(runtime, rows, 2)[1].startswith("1 duplicate learned" if learned else "2 ")


@runtimes
@pytest.mark.parametrize(("step", "gap", "same"), [(3, 90, True), (3, 110, False), (10, 150, True), (10, 180, False)])
def test_a_sender_of_which_a_hop_shows_some_twice(runtime: str, step: int, gap: int, *, same: bool) -> None:
    """What cannot repeat is shown twice as soon as usual; what comes later, the network doubled."""
    rows: list[Row] = []
    for number in range(13):
        rows += [("A", 0.1 + number * 5e-3 + at * step * US, unique(100 + number)) for at in range(1 + number % 3 // 2)]
    rows += [("A", 1.0, unique(7)), ("A", 1 + gap * US, unique(7))]
    assert last(runtime, rows, 2)[1].split()[0] == ("1" if same else "2")


@runtimes
def test_a_storm_teaches_nothing(runtime: str) -> None:
    rows: list[Row] = [("A", 1 + at * 4 * US, unique(77)) for at in range(2000)]
    rows += [("A", 1.05, unique(78)), ("A", 1.1, framed(PURE_ACK)), ("A", 1.1 + 5 * US, framed(PURE_ACK))]
    assert last(runtime, rows, 2) == ["1 original", "2 original"]


@runtimes
@pytest.mark.parametrize(("twice", "learned"), [(1, True), (0, False)])
def test_as_often_as_not_is_enough(runtime: str, twice: int, *, learned: bool) -> None:
    rows: list[Row] = [("A", 0.1, unique(1))]
    rows += [("A", 0.2 + at * 3 * US, unique(2)) for at in range(1 + twice)]
    rows += [("A", 1 + at * 4 * US, framed(PURE_ACK)) for at in range(2)]
    assert last(runtime, rows, 2)[1].startswith("1 duplicate learned" if learned else "2 ")


@runtimes
def test_without_macs_senders_are_known_by_their_addresses(runtime: str) -> None:
    rows: list[Row] = []
    for number in range(12):
        for src, times in ((A4, 2), (B4, 1)):
            packet = ipv4(udp(), ident=100 + number, src=src, dst=bytes([203, 0, 113, src[3]]))
            rows += [("R", 0.1 + number * 5e-3 + at * 3 * US, packet) for at in range(times)]
    for src, same in ((A4, True), (B4, False)):
        ack = put(put(PURE_ACK, 12, src), 16, bytes([203, 0, 113, src[3]]))
        said = last(runtime, rows + [("R", 1 + at * 4 * US, ack) for at in range(2)], 2)[1]
        assert said.startswith("1 duplicate learned" if same else "2 ")


@runtimes
@pytest.mark.parametrize("version", [4, 6])
def test_two_hops_that_show_each_packet_twice_by_turns(runtime: str, version: int) -> None:
    """It is learned of the first ones, which look like two each: neither of these tells that it was not seen again."""
    rows: list[Row] = [
        (
            hop,
            0.1 + number * 5e-3 + at * 5 * US,
            unique(100 + number) if version == 4 else framed(ipv6(tcp(DATA, seq=1000 * number), TCP)),
        )
        for number in range(10)
        for at, hop in enumerate("ABAB")
    ]
    assert packets(runtime, rows)[20:] == [21 + at // 4 * 4 for at in range(20)]


@runtimes
def test_what_was_rejected_has_not_used_its_ip_id(runtime: str) -> None:
    """A sender that gives several packets one IP ID says nothing with it; one whose packets come again to us does."""
    engine = Engine(runtime)
    hop = engine.hop(name="A")
    said = []
    for number in range(1, 4):
        for rejected in (True, False):
            engine.frame(1 + number * 0.1, hop, unique(number))
            if rejected:
                engine.undo()
        said.append(engine.frame(1 + number * 0.1 + 20 * US, hop, unique(number)).packet)
    assert said == [1, 3, 5]


@runtimes
@pytest.mark.parametrize("once", [0, 1, 3])
def test_what_is_known_of_a_sender_holds_for_others_that_it_talks_to(runtime: str, once: int) -> None:
    """Unless it is not as good as sure."""
    rows = lesson(2, 0.1, 3) + [("A", 0.2 + at * 5e-3, unique(100 + at)) for at in range(once)]
    rows += [("A", 1 + at * 4 * US, framed(PURE_ACK, dst=MAC_C)) for at in range(2)]
    assert last(runtime, rows, 2)[1].startswith("2 " if once else "1 duplicate learned")


@runtimes
@pytest.mark.parametrize(("hop", "cooked"), [("S", sll), ("L", sll2)])
def test_a_cooked_capture_that_records_each_packet_twice(
    runtime: str, hop: str, cooked: Callable[[bytes], bytes]
) -> None:
    rows: list[Row] = [
        (hop, 0.1 + number * 5e-3 + at * 3 * US, cooked(ipv4(udp(), ident=100 + number)))
        for number in range(5)
        for at in range(2)
    ]
    rows += [(hop, 1 + at * 4 * US, cooked(PURE_ACK)) for at in range(2)]
    assert last(runtime, rows, 2)[1] == "1 duplicate learned"
