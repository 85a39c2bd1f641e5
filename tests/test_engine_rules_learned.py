"""Rules of learning that no other test held: what tells how often a hop records a packet, and of whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engine import (
    A4,
    ARP,
    B4,
    MAC_B,
    MAC_C,
    Row,
    arp,
    ethernet,
    ipv4,
    play,
    put,
    runtimes,
    sll,
    sll2,
    snap,
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
@pytest.mark.parametrize(("times", "said"), [(0, "2 original"), (1, "2 repeat"), (2, "1 duplicate learned")])
def test_a_flood_of_one_packet_teaches_nothing(runtime: str, times: int, said: str) -> None:
    """Of its sender there is known what others of its packets have taught, as if there had been no flood."""
    rows: list[Row] = [("A", 0.01 + at * 4 * US, unique(77)) for at in range(2000)]
    rows += lesson(times, 0.1) + [("A", 1 + at * 3 * US, framed(PURE_ACK)) for at in range(2)]
    assert last(runtime, rows, 2) == ["1 original", said]


@runtimes
@pytest.mark.parametrize(("twice", "learned"), [(10, True), (9, True), (5, False), (1, False)])
def test_what_a_hop_mostly_shows_twice(runtime: str, twice: int, *, learned: bool) -> None:
    """Of ten packets; what it shows twice as often as not tells nothing of the next one."""
    rows: list[Row] = []
    for number in range(10):
        times = 2 if number * twice % 10 < twice else 1
        rows += [("A", 0.1 + number * 20e-3 + at * 3 * US, unique(100 + number)) for at in range(times)]
    assert len(rows) == 10 + twice
    rows += [("A", 1 + at * 3 * US, framed(PURE_ACK)) for at in range(2)]
    assert (last(runtime, rows, 2)[1] == "1 duplicate learned") == learned


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
@pytest.mark.parametrize(
    ("target", "mac", "learned"), [(bytes([203, 0, 113, 9]), MAC_B, True), (bytes([224, 0, 0, 9]), GROUP, False)]
)
def test_what_is_known_of_a_sender_holds_for_all_but_groups(
    runtime: str, target: bytes, mac: bytes, *, learned: bool
) -> None:
    """Whoever it sends to; but what goes to a group takes other ways."""
    frame = framed(put(PURE_ACK, 16, target), dst=mac)
    said = last(runtime, [*lesson(2, 0.1), *(("A", 1 + at * 3 * US, frame) for at in range(2))], 2)[1]
    assert said == ("1 duplicate learned" if learned else "2 original")


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
@pytest.mark.parametrize("different", [1, 2, 3])
def test_equal_acks_behind_several_different_ones(runtime: str, different: int) -> None:
    """Each is shown once before the first is shown again; of the equal ones, a mark must be right or absent."""
    rows: list[Row] = []
    for number in range(10):
        rows += in_batch(number * 0.01, [acks(10 * number + at, 10 * number + at + 1) for at in range(4)])
    batch = [acks(1000 + number) for number in range(different)] + [acks(2000)] * 3
    said, truth = last_packets(runtime, rows + in_batch(1.0, batch), 3 * len(batch)), list(range(1, len(batch) + 1)) * 3
    assert [packet % len(batch) for packet in said] == [first % len(batch) for first in truth]
    assert [packet for packet, first in zip(said, truth, strict=True) if first <= different] == truth[:different] * 3


@runtimes
@pytest.mark.parametrize("size", [0, 1, 6, 12, 13, 14, 15])
def test_a_frame_cut_in_its_link_header_proves_nothing(runtime: str, size: int) -> None:
    rows: list[Row] = [("A", 1 + at * 9 * US, unique(7)[:size], 200) for at in range(2)]
    assert packets(runtime, rows) == [1, 2]


@runtimes
@pytest.mark.parametrize("times", [0, 2])
def test_what_goes_to_a_group_in_another_vlan_is_another_packet(runtime: str, times: int) -> None:
    """A host that is at home in several VLANs asks in each, however often all else that it sends is shown."""
    asks = [ethernet(arp(), ARP, tags=((0x8100, vlan),), dst=GROUP) for vlan in (5, 6)]
    rows = lesson(times, 0.1) + [("A", 1 + at * 9 * US, frame) for at, frame in enumerate(asks)]
    assert last_packets(runtime, rows, 2) == [1, 2]


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


@runtimes
@pytest.mark.parametrize(
    ("starts", "said"),
    [([0], [1]), ([0, 0.0125], [1, 4]), ([0, 0.002], [None, None])],
    ids=["one", "the other has not gone on", "two on their way"],
)
def test_what_a_host_sends_on_late_comes_back_with_a_lower_ttl(
    runtime: str, starts: list[float], said: list[int | None]
) -> None:
    """So late that its first hop seems to show packets once. Where two could be meant, there is no mark."""

    def way(start: float, ident: int) -> list[Row]:
        packet = ipv4(udp(), ident=ident)
        inside, outside = framed(packet), framed(put(packet, 8, b"\x3f"), src=MAC_B, dst=MAC_C)
        return [
            ("A", start, inside),
            ("B", start + 0.012, inside),
            ("B", start + 0.0121, outside),
            ("A", start + 0.024, outside),
        ]

    rows = [row for number in range(40) for row in way(1 + number * 0.005, 1000 + number)]
    tail = [row for start in starts for row in way(2 + start, 0)]
    for part in rows, tail:
        part.sort(key=lambda row: row[1] or 0)
    found = zip(play(runtime, rows + tail)[len(rows) :], tail, strict=True)
    back = [one for one, (hop, _, frame, *_) in found if hop == "A" and frame[22] == 63]
    assert [one.previous and one.packet - len(rows) for one in back] == said
