"""TCP without IP IDs and timestamps at one hop: what comes again soon is one packet, unless it was asked for."""

from __future__ import annotations

import struct

import pytest
from engine import A4, B4, MAC_A, MAC_B, MAC_C, TCP, Row, ethernet, ipv4, play, put, runtimes, tcp

US = 1e-6
TRIP = 60 * US
SIZE = 500
SYN, ACK, SYN_ACK = b"\x02", b"\x10", b"\x12"
START = 9000  # sequence number of the data


def segment(number: int) -> bytes:
    return ethernet(ipv4(put(tcp(bytes([number]) * SIZE, seq=START + number * SIZE), 13, ACK), TCP, ident=0))


def answer(number: int, selective: int = 0, *, flags: bytes = ACK) -> bytes:
    """The ACK of all before a segment; what is known behind it tells duplicates apart."""
    edges = struct.pack(">II", START + (number + 1) * SIZE, START + (number + 1) * SIZE + selective)
    options = b"\1\1\5\x0a" + edges if selective else b""
    header = put(put(tcp(sport=443, dport=50000, seq=2000, options=options), 13, flags), 8, START + number * SIZE >> 16)
    header = put(header, 10, START + number * SIZE & 0xFFFF)
    return ethernet(ipv4(header, TCP, src=B4, dst=A4, ident=0), src=MAC_B, dst=MAC_A)


HANDSHAKE: list[Row] = [
    ("A", 0.0, ethernet(ipv4(put(tcp(seq=START - 1), 13, SYN), TCP, ident=0))),
    ("A", TRIP - 5 * US, answer(0, flags=SYN_ACK)),
    ("A", TRIP, ethernet(ipv4(put(tcp(seq=START), 13, ACK), TCP, ident=0))),
]
BURST: list[Row] = [("A", 0.01 + number * US, segment(number)) for number in range(6)]


def packets(runtime: str, rows: list[Row]) -> list[tuple[int, str]]:
    return [(said.packet, said.verdict) for said in play(runtime, rows)]


# what comes before; when which segment is sent again
ASKED: dict[str, tuple[list[Row], dict[int, float]]] = {
    "by duplicate ACKs": (
        [*BURST, *(("A", 0.01 + TRIP + number * US, answer(1, number * SIZE)) for number in range(3))],
        {1: 0.01 + TRIP + 5 * US, 3: 0.01 + TRIP + 6 * US},
    ),
    "by one selective ACK": (
        [*HANDSHAKE, *BURST, ("A", 0.01 + TRIP, answer(1, 1))],
        {1: 0.01 + TRIP + US},
    ),
    "by the ACK of what filled the first hole": (
        [*BURST, ("A", 0.01 + TRIP, answer(1, 9)), ("A", 0.01 + 2 * TRIP, answer(3, 8))],
        {3: 0.01 + 2 * TRIP + US},
    ),
}


@runtimes
@pytest.mark.parametrize(("before", "again"), ASKED.values(), ids=ASKED)
def test_what_was_asked_for_a_round_trip_later_is_no_duplicate(
    runtime: str, before: list[Row], again: dict[int, float]
) -> None:
    """In a LAN that takes less than a millisecond: fast retransmit waits for no timer."""
    said = packets(runtime, [*before, *(("A", time, segment(number)) for number, time in again.items())])
    assert {verdict for _, verdict in said[len(before) :]} <= {"original", "retransmission"}


@runtimes
def test_within_a_round_trip_nothing_is_sent_again(runtime: str) -> None:
    """A duplicate ACK between a segment and its next sighting, some microseconds later, cannot ask for that."""
    rows = [*HANDSHAKE, *BURST, ("A", 0.02, answer(1, 1)), ("A", 0.02 + US, answer(1, 2))]
    rows += [("A", 0.02 + 2 * US, segment(7)), ("A", 0.02 + 3 * US, answer(1, 3)), ("A", 0.02 + 5 * US, segment(7))]
    assert packets(runtime, rows)[-1][1] != "retransmission"


@runtimes
def test_a_slow_mirror_has_shown_the_handshake_twice(runtime: str) -> None:
    """Its copies come later than a round trip takes; that they do is known from the SYN on."""
    rows = [(hop, time + late, frame) for hop, time, frame in [*HANDSHAKE, *BURST] for late in (0, 90 * US)]
    rows.sort(key=lambda row: row[1])
    said = packets(runtime, rows)
    assert [verdict for _, verdict in said[-12:]].count("duplicate") == 6


@runtimes
def test_routed_while_asked_for(runtime: str) -> None:
    """The other side of a router is no retransmission, whatever was asked for meanwhile."""
    sent = segment(7)
    packet = sent[14:]
    routed = ethernet(put(put(packet, 8, b"\x3f"), 10, b"\0\0"), src=MAC_B, dst=MAC_C)
    rows = [*HANDSHAKE, *BURST, ("A", 0.02, answer(1, 1)), ("A", 0.02 + US, answer(1, 2)), ("A", 0.02 + 2 * US, sent)]
    rows += [("A", 0.02 + 3 * US, answer(1, 3)), ("A", 0.02 + 12 * US, routed)]
    said = packets(runtime, rows)
    assert said[-1] == (len(said) - 2, "duplicate")


@runtimes
def test_what_came_twice_is_no_hole(runtime: str) -> None:
    """A duplicate selective ACK (RFC 2883) lies behind what is acknowledged."""
    twice = answer(4, 9)
    twice = put(twice, twice.index(struct.pack(">I", START + 5 * SIZE)), struct.pack(">I", START + 2 * SIZE))
    said = packets(runtime, [*BURST, ("A", 0.01 + TRIP, twice), ("A", 0.01 + TRIP + US, segment(5))])
    assert said[-1] == (6, "duplicate")


@runtimes
def test_a_mirror_without_a_handshake(runtime: str) -> None:
    """How soon data was answered tells what a duplicate ACK cannot ask for yet."""
    rows = [*BURST[:2], ("A", 0.01 + TRIP, answer(2)), ("A", 0.02, answer(2)), ("A", 0.02 + US, answer(2))]
    rows += [("A", 0.02 + 2 * US, segment(7)), ("A", 0.02 + 3 * US, answer(2)), ("A", 0.02 + 5 * US, segment(7))]
    said = packets(runtime, rows)
    assert said[-1] == (len(said) - 2, "duplicate")


VM, WIRE = "vNIC:Synthetic:one:12:0", "eth:7"


def through(first: str, then: str, again: float) -> str:
    """What the last of many segments is called that shows at the first of two hops again, so many seconds later."""
    rows = [
        (hop, 0.01 + number * 2e-3 + late, segment(number))
        for number in range(40)
        for hop, late in ((first, 0.0), (then, 20 * US))
    ]
    return packets("luajit21", [*rows, (first, rows[-1][1] + again, segment(39))])[-1][1]


def test_what_a_machine_sends_again_is_a_retransmission() -> None:
    """A tail loss probe, say (RFC 8985): nothing has asked for it, but no network lies before its NIC."""
    assert through(VM, WIRE, 0.05) == "retransmission"
    assert through(VM, WIRE, 0.005) == "repeat"
    assert through(WIRE, VM, 0.05) == "repeat"


@runtimes
def test_a_fin_behind_a_large_frame_is_no_part_of_it(runtime: str) -> None:
    large = ethernet(ipv4(put(tcp(bytes(4000), seq=START), 13, ACK), TCP, ident=7))
    fins = [ethernet(ipv4(put(tcp(seq=START + 4000), 13, b"\x11"), TCP, ident=ident)) for ident in (10, 11)]
    rows = [(hop, 1.0 + at * US, frame) for at, frame in enumerate([large, fins[0]]) for hop in ("A", "B")]
    said = packets(runtime, [*rows, ("A", 1.06, fins[1]), ("B", 1.06 + US, fins[1])])
    assert said[-2:] == [(5, "retransmission"), (5, "duplicate")]
