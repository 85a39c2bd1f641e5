"""What is learned of a hop that records each packet several times, and what that says of packets that may repeat."""

from __future__ import annotations

import pytest
from engine import ARP, DATA, MAC_A, MAC_B, TCP, Row, brief, ethernet, ipv4, ipv6, play, runtimes, tcp, udp

STEP = 2e-6
MAC_D = bytes([2, 0, 0, 0, 0, 0xD])
GROUP = b"\xff" * 6
ASKS = ethernet(b"\0\1\x08\0\6\4\0\1" + MAC_D + bytes(14), ARP, dst=GROUP, src=MAC_D)


def shown(time: float, frame: bytes, times: int) -> list[Row]:
    """A frame, so many times, as a trace of one component after the other writes it."""
    return [("A", time + STEP * number, frame) for number in range(times)]


def numbered(ident: int, mac: bytes) -> bytes:
    return ethernet(ipv4(udp(), ident=ident), src=mac)


@runtimes
@pytest.mark.parametrize("packets", [20, 200, 500])
@pytest.mark.parametrize("missing", [0, 1])
def test_a_hop_speaks_for_a_sender_that_is_new(runtime: str, packets: int, missing: int) -> None:
    """However much has been learned, and though the tool has lost a frame once."""
    rows: list[Row] = []
    for ident in range(1, packets + 1):
        lost = missing if ident == 10 else 0
        rows += shown(ident * 0.01, numbered(ident, (MAC_A, MAC_B)[ident % 2]), 2 - lost)
    said = play(runtime, rows + shown(9.0, ASKS, 2))
    assert brief(said[-1]) == f"{len(rows) + 1} duplicate learned"


@runtimes
def test_a_hop_that_shows_some_senders_once_does_not(runtime: str) -> None:
    rows: list[Row] = []
    for ident in range(1, 201):
        rows += shown(ident * 0.01, numbered(ident, (MAC_A, MAC_B)[ident % 2]), 1 + ident % 2)
    assert brief(play(runtime, rows + shown(9.0, ASKS, 2))[-1]).endswith("original")


@runtimes
def test_a_bridge_writes_its_own_address(runtime: str) -> None:
    """What cannot repeat shows where the address changes; what may repeat is judged by that."""
    rows: list[Row] = []
    for ident in range(1, 11):
        before, after = numbered(ident, MAC_A), numbered(ident, MAC_D)
        rows += [("A", ident * 0.01 + STEP * at, frame) for at, frame in enumerate((before, before, after, after))]
    before, after = numbered(0, MAC_A), numbered(0, MAC_D)
    rows += [("A", 1 + STEP * at, frame) for at, frame in enumerate((before, before, after, after))]
    said = play(runtime, rows)
    assert [brief(frame) for frame in said[-3:]] == [
        "41 duplicate learned",
        "41 duplicate learned mac",
        "41 duplicate learned",
    ]
    # Where only other places were seen to change it, it is another packet: two bridges sent one each.
    other = play(runtime, [*rows[:-4], ("A", 1, before), ("A", 1 + STEP, after)])
    assert [frame.packet for frame in other[-2:]] == [41, 42]


LOT = bytes.fromhex(  # drawn by lot
    "8f3c17e2a9540bd66e91f8207b4dc5330ea86f12d9574c83fb2065b9de01943a7cc8561fe4b24907"
    "6d98f12b0c35a7de4186ba59e0731d48fc92"
)
TEXT = b"The quick brown fox jumps over the lazy dog, then back once more into its deep old den"
ASCENDING = bytes(range(3, 80))
ON_THE_WIRE = 1250


@runtimes
@pytest.mark.parametrize(
    ("payload", "size", "packets"),
    [
        (LOT[:40], ON_THE_WIRE, [1, 1]),
        (LOT, ON_THE_WIRE, [1, 1]),
        (LOT[:39], ON_THE_WIRE, [1, 2]),
        (LOT, 100, [1, 2]),
        (TEXT[:58], ON_THE_WIRE, [1, 2]),
        (TEXT, ON_THE_WIRE, [1, 2]),
        (ASCENDING, ON_THE_WIRE, [1, 2]),
    ],
    ids=["40 bytes", "58 bytes", "too few", "a short datagram", "text", "more text", "a pattern"],
)
def test_a_cut_datagram_that_looks_drawn_by_lot(runtime: str, payload: bytes, size: int, packets: list[int]) -> None:
    """As QUIC over IPv6 in a trace of pktmon, which ends at 128 bytes of a frame: no IP ID, and no 160 bytes."""
    cut = ethernet(ipv6(udp(payload.ljust(size, b"\0"))))[: 14 + 40 + 8 + len(payload)]
    said = play(runtime, [("A", 0.0, cut, 62 + size), ("A", STEP, cut, 62 + size)])
    assert [frame.packet for frame in said] == packets


def acks(number: int, ident: int = 0) -> bytes:
    """A pure ACK."""
    return ethernet(ipv4(tcp(seq=7)[:8] + number.to_bytes(4) + b"\x50\x10" + tcp()[14:], TCP, ident=ident))


def in_batch(time: float, frames: list[bytes], times: int = 3) -> list[Row]:
    """Frames that a driver hands on together: each place shows all of them before the next one does."""
    return [
        ("A", time + 1e-6 * (turn * len(frames) + at), frame)
        for turn in range(times)
        for at, frame in enumerate(frames)
    ]


@runtimes
def test_equal_acks_in_a_batch(runtime: str) -> None:
    """Three ACKs that ask for the same, behind one that does not: each is a packet, seen three times."""
    rows: list[Row] = []
    for number in range(10):
        rows += in_batch(number * 0.01, [acks(10 * number + at, 10 * number + at + 1) for at in range(4)])
    start = len(rows)
    rows += in_batch(1.0, [acks(1000), acks(2000), acks(2000), acks(2000)])
    packets = [said.packet - start for said in play(runtime, rows)[start:]]
    assert packets == [1, 2, 3, 4] * 3


@runtimes
def test_a_lost_frame_makes_no_batch(runtime: str) -> None:
    """Where packets come one by one, one whose copy was lost does not keep the next one's from being marked."""
    rows: list[Row] = []
    for number in range(40):
        rows += shown(number * 0.01, acks(number, number + 1), 2)
    start = len(rows)
    rows += [("A", 1.0, acks(1000)), *shown(1.0 + STEP, acks(2000), 2)]
    assert [said.packet - start for said in play(runtime, rows)[start:]] == [1, 2, 2]


SLOW = (0.0, 2e-6, 150e-6, 152e-6)  # a switch hands packets to another processor


@runtimes
def test_a_step_that_takes_long_is_known(runtime: str) -> None:
    rows: list[Row] = []
    for ident in range(1, 51):
        rows += [("A", ident * 0.01 + gap, numbered(ident, MAC_A)) for gap in SLOW]
    start = len(rows)
    rows += [("A", 1.0 + 3 * gap, numbered(0, MAC_A)) for gap in SLOW]
    assert [said.packet - start for said in play(runtime, rows)[start:]] == [1, 1, 1, 1]


@runtimes
@pytest.mark.parametrize(("seen", "stall", "packets"), [(2, 3e-3, 1), (2, 9e-3, 2), (4, 3e-3, 2)])
@pytest.mark.parametrize("data", [b"", DATA], ids=["an IP ID", "TCP data"])
def test_a_packet_waits_for_its_thread(runtime: str, data: bytes, seen: int, stall: float, packets: int) -> None:
    """One that lacks what all others show may be late by milliseconds; one that is complete was sent again."""
    rows: list[Row] = []
    for ident in range(1, 31):
        rows += shown(ident * 0.01, numbered(ident, MAC_A), 4)
    late = ethernet(ipv6(tcp(data), TCP)) if data else numbered(99, MAC_A)
    if data:
        rows += [
            row
            for at in range(10)
            for row in shown(0.4 + at * 0.01, ethernet(ipv6(tcp(data, seq=9000 + 100 * at), TCP)), 4)
        ]
    start = len(rows)
    rows += shown(1.0, late, seen) + shown(1.0 + stall, late, 4 - seen or 1)
    assert {said.packet for said in play(runtime, rows)[start:]} == {start + 1, start + 1 + (packets - 1) * seen}


@runtimes
def test_what_is_cut_on_its_way_does_not_teach(runtime: str) -> None:
    """Large sends are shown at two places, then as segments; what is no larger than the wire takes, at four."""
    rows: list[Row] = []
    small = [ethernet(ipv6(tcp(DATA, seq=100 * at, sport=60000), TCP)) for at in range(20)]
    for at in range(200):
        large = ethernet(ipv6(tcp(DATA * 90, seq=9000 * at), TCP))
        rows += shown(at * 0.01, large, 2) + (shown(at * 0.01 + 5e-3, small[at // 10], 4) if at % 10 == 0 else [])
    start = len(rows)
    rows += shown(9.0, ethernet(ipv6(tcp(), TCP)), 4)
    assert [said.packet - start for said in play(runtime, rows)[start:]] == [1, 1, 1, 1]


@runtimes
def test_a_flood_has_steps_of_its_own(runtime: str) -> None:
    """What a host sends to everybody is shown less often than the rest, and soon sent again: that is no late step."""
    steps = (0.0, 2e-6, 4e-6, 104e-6, 106e-6, 108e-6, 110e-6, 112e-6)
    rows: list[Row] = []
    for ident in range(1, 51):
        rows += [("A", ident * 0.01 + gap, numbered(ident, MAC_A)) for gap in steps]
    start = len(rows)
    flood = ethernet(ipv4(udp(), ident=0), src=MAC_A, dst=GROUP)
    rows += shown(1.0, flood, 3) + shown(1.0 + 200e-6, flood, 3)
    assert [said.packet - start for said in play(runtime, rows)[start:]] == [1, 1, 1, 4, 4, 4]


@runtimes
def test_a_late_sighting_with_another_tag(runtime: str) -> None:
    """The first in another shape is not counted; those after it are."""
    rows: list[Row] = []
    for ident in range(1, 32):
        bare, wait = numbered(ident, MAC_A), 3e-3 * (ident == 31)
        tagged = bare[:12] + b"\x81\0\0\5" + bare[12:]
        rows += shown(ident * 0.02, tagged, 2) + shown(ident * 0.02 + wait + 2 * STEP, bare, 2)
    assert [frame.packet for frame in play(runtime, rows)[-4:]] == [121] * 4


@runtimes
def test_equal_acks_of_a_batch_at_a_filter_with_two_edges(runtime: str) -> None:
    """A NIC shows each of the batch once, then the filter above it each at its lower, then each at its upper edge."""
    rows: list[Row] = []
    for number in range(10):
        for _, time, frame in in_batch(
            number * 0.01, [acks(10 * number + at, 10 * number + at + 1) for at in range(4)]
        ):
            rows.append(("A" if len(rows) % 12 < 4 else "B", time, frame))
    start = len(rows)
    for _, time, frame in in_batch(1.0, [acks(2000)] * 3):
        rows.append(("A" if len(rows) - start < 3 else "B", time, frame))
    assert [said.packet - start for said in play(runtime, rows)[start:]] == [1, 2, 3] * 3


@runtimes
def test_a_dropped_packet_is_no_batch_with_a_later_one(runtime: str) -> None:
    """One that was dropped at the first place does not keep those from being marked that come long after it."""
    rows: list[Row] = []
    for number in range(10):
        rows += in_batch(number * 0.01, [acks(10 * number + at, 10 * number + at + 1) for at in range(4)])
    start = len(rows)
    rows += [("A", 1.0, acks(1000)), *shown(1.0 + 50e-6, acks(2000), 3)]
    assert [said.packet - start for said in play(runtime, rows)[start:]] == [1, 2, 2, 2]
