"""Rules of learning that no other test held: what tells how often a hop records a packet, and of whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engine import (
    A4,
    ARP,
    B4,
    DATA,
    MAC_A,
    MAC_B,
    MAC_C,
    TCP,
    Engine,
    Row,
    arp,
    ethernet,
    ipv4,
    ipv6,
    put,
    runtimes,
    sll,
    sll2,
    snap,
    tcp,
    udp,
    wifi,
)
from test_engine_evidence import PURE_ACK, US, framed, last, lesson
from test_engine_learned import GROUP, acks, in_batch
from test_engine_rules import packets, unique


def last_packets(runtime: str, rows: list[Row], number: int) -> list[int]:
    """The packets of the last frames, counted from the first of these."""
    start = len(rows) - number
    return [packet - start for packet in packets(runtime, rows)[start:]]


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
    rows += [("A", 1.05 + at * 5e-3, unique(200 + at)) for at in range(16)]
    rows += [("A", 2 + at * 5 * US, framed(PURE_ACK)) for at in range(2)]
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


@runtimes
@pytest.mark.parametrize("times", [1, 2])
def test_of_80211_addresses_tell_the_sender(runtime: str, times: int) -> None:
    """Not the sequence numbers, by which each frame differs."""
    frames = [wifi(snap(ipv4(udp(), ident=100 + number))) for number in range(5)] + [wifi(snap(PURE_ACK))]
    rows: list[Row] = [
        ("A", 0.1 + number * 5e-3 + at * 3 * US, put(frame, 22, 0x1000 + 16 * number))
        for number, frame in enumerate(frames)
        for at in range(times if number < 5 else 2)
    ]
    assert last(runtime, rows, 2)[1].startswith("1 duplicate learned" if times == 2 else "2 ")


def in_batches_at_two_edges() -> list[Row]:
    """Batches of four that a NIC shows each once, then the filter above it twice."""
    batches = [[acks(at, at + 1) for at in range(10 * number, 10 * number + 4)] for number in range(10)]
    shown = [row for number, batch in enumerate(batches) for row in in_batch(number * 0.01, batch)]
    rows: list[Row] = [("A" if at % 12 < 4 else "B", time, frame) for at, (_, time, frame, *_) in enumerate(shown)]
    return rows


@runtimes
def test_equal_packets_of_two_batches(runtime: str) -> None:
    """The first goes its whole way before the other comes: that is none of its batch."""
    rows = in_batches_at_two_edges()
    times = {"A": (0, 50), "B": (60, 62, 110, 112)}
    rows += [(hop, 1 + at * US, acks(2000)) for hop, gaps in times.items() for at in gaps]
    assert last_packets(runtime, rows, 6) == [1, 2, 1, 1, 2, 2]


@runtimes
@pytest.mark.parametrize("different", [1, 2, 3])
def test_equal_acks_behind_several_different_ones(runtime: str, different: int) -> None:
    """All of one batch: each is shown once before the first is shown again."""
    rows: list[Row] = []
    for number in range(10):
        rows += in_batch(number * 0.01, [acks(10 * number + at, 10 * number + at + 1) for at in range(4)])
    batch = [acks(1000 + number) for number in range(different)] + [acks(2000)] * 3
    rows += in_batch(1.0, batch)
    assert last_packets(runtime, rows, 3 * len(batch)) == list(range(1, len(batch) + 1)) * 3


@runtimes
@pytest.mark.parametrize(
    ("number", "late", "same"), [(3, 3e-3, False), (5, 3e-3, True), (5, 7e-3, True), (5, 9e-3, False)]
)
def test_what_a_hop_always_shows_may_come_late(runtime: str, number: int, late: float, *, same: bool) -> None:
    """By milliseconds, where that has been seen several times."""
    rows = [*lesson(2, 0.1, number), ("A", 1.0, unique(7)), ("A", 1 + late, unique(7))]
    assert last_packets(runtime, rows, 2) == [1, 1 if same else 2]


@runtimes
@pytest.mark.parametrize(("shared", "before", "same"), [(4, 0.0, True), (12, 0.0, False), (12, 500 * US, True)])
def test_a_clock_that_stands_still(runtime: str, shared: int, before: float, *, same: bool) -> None:
    """A dozen different frames share a timestamp: then no moment is known to lie between two that are equal."""
    segment = framed(ipv6(tcp(DATA), TCP))
    rows: list[Row] = [("A", 1 - before, segment), *(("A", 1.0, unique(10 + at)) for at in range(shared))]
    assert last_packets(runtime, [*rows, ("A", 1.0, segment)], len(rows) + 1)[-1] == (1 if same else len(rows) + 1)


@runtimes
@pytest.mark.parametrize("size", [0, 1, 6, 12, 13, 14, 15])
def test_a_frame_cut_in_its_link_header_proves_nothing(runtime: str, size: int) -> None:
    rows: list[Row] = [("A", 1 + at * 9 * US, unique(7)[:size], 200) for at in range(2)]
    assert packets(runtime, rows) == [1, 2]


@runtimes
@pytest.mark.parametrize(("times", "same"), [(0, False), (1, False), (2, True)])
def test_a_flood_in_another_vlan(runtime: str, times: int, *, same: bool) -> None:
    """A host at home in several VLANs asks in each; where all that it sends is shown twice, it was tagged anew."""
    asks = [ethernet(arp(), ARP, tags=((0x8100, vlan),), dst=GROUP) for vlan in (5, 6)]
    rows = lesson(times, 0.1) + [("A", 1 + at * 9 * US, frame) for at, frame in enumerate(asks)]
    assert last_packets(runtime, rows, 2) == [1, 1 if same else 2]


@runtimes
@pytest.mark.parametrize("redundant", [False, True])
def test_redundant_ways_are_vlans_of_their_own(runtime: str, *, redundant: bool) -> None:
    """IEEE 802.1CB numbers what it sends on both: the same number is a copy."""
    tag = bytes.fromhex("f1c100000001") if redundant else b""
    packet = ipv4(udp(b"state=1", dport=9), ident=0)
    frames = [GROUP + MAC_A + b"\x81\0\0" + bytes([vlan]) + tag + b"\x08\0" + packet for vlan in (5, 6)]
    rows: list[Row] = [("A", 1 + at * 9 * US, frame) for at, frame in enumerate(frames)]
    assert packets(runtime, rows) == [1, 1 if redundant else 2]


@runtimes
def test_a_router_whose_neighbours_have_any_address(runtime: str) -> None:
    """Bits of a MAC are no flags of 802.11."""
    packet = ipv4(udp(), ident=9)
    routed = framed(put(packet, 8, b"\x3f"), src=MAC_B, dst=b"\x02\x08\0\0\0\1")
    assert packets(runtime, [("A", 1.0, framed(packet)), ("A", 1 + 30 * US, routed)]) == [1, 1]


@runtimes
def test_equal_packets_that_do_not_come_in_batches(runtime: str) -> None:
    """Where each goes its whole way before the next one does, so do two that are equal."""
    ways = (("A", 0), ("B", 60), ("B", 62))
    rows: list[Row] = [(hop, 0.1 + at * 5e-3 + gap * US, acks(at, 9 + at)) for at in range(10) for hop, gap in ways]
    rows += [("A", 1.0, acks(2000)), ("A", 1 + 2 * US, acks(2000))]
    rows += [("B", 1 + gap * US, acks(2000)) for gap in (60, 62, 64, 66)]
    assert last_packets(runtime, rows, 6) == [1, 2, 1, 1, 2, 2]
