"""What is learned of a hop that records each packet several times, and what that says of packets that may repeat."""

from __future__ import annotations

from random import Random

import pytest
from engine import B4, DATA, MAC_A, MAC_B, TCP, Row, brief, ethernet, ipv4, ipv6, play, runtimes, tcp, udp

STEP = 2e-6
MAC_D = bytes([2, 0, 0, 0, 0, 0xD])
GROUP = b"\xff" * 6


def shown(time: float, frame: bytes, times: int) -> list[Row]:
    """A frame, so many times, as a trace of one component after the other writes it."""
    return [("A", time + STEP * number, frame) for number in range(times)]


def numbered(ident: int, mac: bytes) -> bytes:
    return ethernet(ipv4(udp(), ident=ident), src=mac)


@runtimes
@pytest.mark.parametrize("taught", [MAC_B, GROUP], ids=["unicast", "group"])
@pytest.mark.parametrize("asked", [MAC_B, GROUP], ids=["unicast", "group"])
def test_group_and_unicast_frames_are_learned_apart(runtime: str, taught: bytes, asked: bytes) -> None:
    """A hop that shows a host's frames to one receiver twice may show those to a group once, and the other way."""

    def sent(ident: int, dst: bytes) -> bytes:
        return ethernet(ipv4(udp(), ident=ident, dst=b"\xff" * 4 if dst == GROUP else B4), dst=dst)

    rows = [row for ident in range(1, 31) for row in shown(ident * 0.01, sent(ident, taught), 2)]
    expected = "61 duplicate learned" if taught == asked else "62 original"
    assert brief(play(runtime, rows + shown(9.0, sent(0, asked), 2))[-1]) == expected


@runtimes
def test_a_sender_that_is_shown_now_once_now_twice_teaches_nothing(runtime: str) -> None:
    rows = [row for ident in range(1, 201) for row in shown(ident * 0.01, numbered(ident, MAC_A), 1 + ident % 2)]
    assert brief(play(runtime, rows + shown(9.0, numbered(0, MAC_A), 2))[-1]).endswith("original")


@runtimes
def test_a_bridge_writes_its_own_address(runtime: str) -> None:
    """What has an IP ID shows where the address changes; what has none is judged by that."""

    def bridged(time: float, ident: int) -> list[Row]:
        return shown(time, numbered(ident, MAC_A), 2) + shown(time + 2 * STEP, numbered(ident, MAC_D), 2)

    rows = [row for ident in range(1, 11) for row in bridged(ident * 0.01, ident)]
    assert [brief(frame) for frame in play(runtime, rows + bridged(1.0, 0))[-3:]] == [
        "41 duplicate learned",
        "41 duplicate learned mac",
        "41 duplicate learned",
    ]


LOT = bytes.fromhex(  # drawn by lot
    "4f3c17e2a9540bd66e91f8207b4dc5330ea86f12d9574c83fb2065b9de01943a7cc8561fe4b24907"
    "6d98f12b0c35a7de4186ba59e0731d48fc92"
)
TEXT = b"The quick brown fox jumps over the lazy dog, then back once more into its deep old den"
ASCENDING = bytes(range(3, 80))
ON_THE_WIRE = 1250


@runtimes
@pytest.mark.parametrize("earlier", [2, 3])
@pytest.mark.parametrize(
    ("payload", "packets"),
    [(LOT[:40], [1, 1]), (LOT, [1, 1]), (LOT[:20], [1, 2]), (TEXT, [1, 2]), (ASCENDING, [1, 2])],
    ids=["40 bytes", "58 bytes", "too few bytes", "text", "a pattern"],
)
def test_a_datagram_that_looks_drawn_by_lot(runtime: str, payload: bytes, packets: list[int], earlier: int) -> None:
    """As QUIC over IPv6 in a trace that ends at 128 bytes of a frame: no IP ID; whatever came before in its flow."""
    sent = [bytes(byte ^ turn for byte in payload) for turn in range(earlier, -1, -1)]
    cut = [ethernet(ipv6(udp(data.ljust(ON_THE_WIRE, b"\0"))))[: 62 + len(data)] for data in sent]
    rows: list[Row] = [("A", at * 0.01, frame, 62 + ON_THE_WIRE) for at, frame in enumerate(cut)]
    said = play(runtime, [*rows, ("A", earlier * 0.01 + STEP, cut[-1], 62 + ON_THE_WIRE)])
    assert [frame.packet - earlier for frame in said[-2:]] == packets


@runtimes
def test_a_hop_that_shows_every_datagram_twice(runtime: str) -> None:
    """As QUIC over IPv6: each payload looks drawn by lot, and nothing else is in the capture."""
    drawn = Random(5)
    frames = [ethernet(ipv6(udp(drawn.randbytes(1200), dport=443))) for _ in range(100)]
    said = play(runtime, [row for at, frame in enumerate(frames) for row in shown(at * 1e-3, frame, 2)])
    assert [frame.appearance for frame in said[4:]] == [1, 2] * 98


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
@pytest.mark.parametrize("hops", ["AAA", "ABB"], ids=["one hop", "a NIC, and a filter with two edges"])
def test_equal_acks_of_a_batch_are_not_mixed_up(runtime: str, hops: str) -> None:
    """Each place shows all of the batch before the next one does: no ACK is taken for an equal one."""

    def at_hops(rows: list[Row], size: int) -> list[Row]:
        return [(hops[at // size], *row[1:]) for at, row in enumerate(rows)]

    rows: list[Row] = []
    for number in range(10):
        rows += at_hops(in_batch(number * 0.01, [acks(10 * number + at, 10 * number + at + 1) for at in range(4)]), 4)
    start = len(rows)
    rows += at_hops(in_batch(1.0, [acks(1000), acks(2000), acks(2000), acks(2000)]), 4)
    packet_of: dict[int, int] = {}  # what is said to be a packet, and which it is
    for at, frame in enumerate(play(runtime, rows)[start:]):
        assert packet_of.setdefault(frame.packet - start - 1, at % 4) == at % 4


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
@pytest.mark.parametrize(
    ("seen", "stall", "data", "packets"),
    [
        (2, 9e-3, b"", 1),
        (4, 3e-3, b"", 1),
        (2, 0.19, b"", 1),
        (2, 3e-3, DATA, 1),
        (2, 9e-3, DATA, 2),
        (4, 3e-3, DATA, 2),
    ],
)
def test_a_packet_waits_for_its_thread(runtime: str, seen: int, stall: float, data: bytes, packets: int) -> None:
    """With an IP ID it may be late by any time; TCP data without one by milliseconds, where a sighting is missing."""
    rows = [row for ident in range(1, 31) for row in shown(ident * 0.01, numbered(ident, MAC_A), 4)]
    for at in range(10):
        rows += shown(0.4 + at * 0.01, ethernet(ipv6(tcp(DATA, seq=9000 + 100 * at), TCP)), 4)
    late = ethernet(ipv6(tcp(data), TCP)) if data else numbered(99, MAC_A)
    start = len(rows)
    rows += shown(1.0, late, seen) + shown(1.0 + stall, late, 4 - seen or 1)
    assert {said.packet for said in play(runtime, rows)[start:]} == {start + 1, start + 1 + (packets - 1) * seen}


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
def test_a_branch_of_a_flood_is_no_way_on(runtime: str) -> None:
    """One driver logs both of its edges, and between them other branches show the frame: nobody has doubled it."""
    flood = [
        (hop, number * 0.3 + step * 1e-6, ethernet(ipv4(udp(DATA), ident=number)))
        for number in range(1, 41)
        for step, hop in enumerate(("vm", "filter", "other vm", "filter"))
    ]
    said = play(runtime, flood)
    assert {one.verdict for one in said[3::4]} <= {"original", "duplicate"}
    assert {one.verdict for one in said[2::4]} == {"duplicate"}
