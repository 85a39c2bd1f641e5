"""What asks for data again, and when, where there are no IP IDs: rules that no other test held."""

from __future__ import annotations

import struct

import pytest
from engine import A6, B6, MAC_A, MAC_B, TCP, Row, ipv6, play, put, runtimes, tcp
from test_engine_evidence import US, framed

SIZE = 100


def data(number: int) -> bytes:
    return framed(ipv6(tcp(bytes([number]) * SIZE, seq=1000 + SIZE * number), TCP))


def answer(number: int, *blocks: tuple[int, int]) -> bytes:
    """The ACK of all before the n-th segment; and of blocks behind it, or of some that came twice."""
    options = b""
    if blocks:
        edges = [1000 + SIZE * edge for block in blocks for edge in block]
        options = bytes([1, 1, 5, 2 + 4 * len(edges)]) + struct.pack(f">{len(edges)}I", *edges)
    header = put(tcp(options=options, sport=443, dport=50000, seq=2000), 13, b"\x10")
    packet = ipv6(put(header, 8, struct.pack(">I", 1000 + SIZE * number)), TCP)
    return framed(packet[:8] + B6 + A6 + packet[40:], src=MAC_B, dst=MAC_A)


def is_sent_again(
    runtime: str, number: int, between: list[bytes], before: list[Row] | None = None, after: float = 100 * US
) -> bool:
    """Whether a segment that comes again, with others in between, is a new packet."""
    rows: list[Row] = [*(before or []), ("A", 1.0, data(number))]
    rows += [("A", 1 + (at + 1) * after / 9, frame) for at, frame in enumerate(between)]
    rows += [("A", 1 + after, data(number))]
    return play(runtime, rows)[-1].packet == len(rows)


@runtimes
@pytest.mark.parametrize(
    ("blocks", "asks"),
    [((), False), (((2, 3),), True), (((0, 1),), False), (((0, 1), (2, 3)), True), (((0, 1), (2, 3), (4, 5)), True)],
    ids=["none", "behind a hole", "came twice", "came twice, behind a hole", "behind two"],
)
def test_a_selective_ack_asks_for_the_hole(runtime: str, blocks: tuple[tuple[int, int], ...], *, asks: bool) -> None:
    """One is enough; what came twice, which stands first, asks for nothing."""
    assert is_sent_again(runtime, 1, [answer(1, *blocks)]) == asks


@runtimes
@pytest.mark.parametrize(
    "options",
    [
        b"\1\1\1\5",
        b"\5\0\1\1",
        b"\0\5\x0a\1",
        b"\0\2\5\x0a" + struct.pack(">II", 1200, 1300),
        b"\2\4\5\xb4" + b"\1\1\5\2",
    ],
)
def test_options_that_are_broken_ask_for_nothing(runtime: str, options: bytes) -> None:
    header = put(tcp(options=options + bytes(8), sport=443, dport=50000, seq=2000), 13, b"\x10")
    packet = ipv6(put(header, 8, struct.pack(">I", 1100)), TCP)
    assert not is_sent_again(runtime, 1, [framed(packet[:8] + B6 + A6 + packet[40:], src=MAC_B, dst=MAC_A)])


@runtimes
def test_a_selective_ack_that_was_cut(runtime: str) -> None:
    """It asks for what it is known to ask for."""
    whole = answer(1, (2, 3))
    for size in range(54, len(whole) + 1):
        rows: list[Row] = [
            ("A", 1.0, data(1)),
            ("A", 1 + 9 * US, whole[:size], len(whole)),
            ("A", 1 + 99 * US, data(1)),
        ]
        assert play(runtime, rows)[2].packet == (3 if size >= len(whole) - 4 else 1)


@runtimes
@pytest.mark.parametrize(("answers", "again"), [((50, 1000), True), ((1000, 50), True), ((1000, 1000), False)])
def test_the_fastest_answer_tells_how_far_the_other_end_is(
    runtime: str, answers: tuple[int, int], *, again: bool
) -> None:
    """Within much less, what was asked for cannot have been sent again."""
    before: list[Row] = []
    for number, took in enumerate(answers, 1):
        before += [("A", 0.1 * number, data(number)), ("A", 0.1 * number + took * US, answer(number + 1))]
    assert is_sent_again(runtime, 3, [answer(3), answer(3, (4, 5))], before, 100 * US) == again


@runtimes
@pytest.mark.parametrize(
    ("after", "between", "again"),
    [(90, [], False), (200, [], False), (200, [answer(3)], True), (200, [answer(2)], False), (500, [], True)],
    ids=["at once", "within a round trip", "all before it has come", "not all before it", "after a round trip"],
)
def test_a_round_trip_of_400_us(runtime: str, after: int, between: list[bytes], *, again: bool) -> None:
    """Within a quarter of it nothing can be sent again; then until it is over, only what the other end has come to."""
    ends = [tcp(seq=1000), tcp(sport=443, dport=50000, seq=2000), tcp(seq=1000)]
    syn, syn_ack, ack = (
        framed(packet[:8] + (B6 + A6 if at == 1 else A6 + B6) + packet[40:])
        for at, packet in enumerate(
            ipv6(put(end, 13, flags), TCP) for end, flags in zip(ends, (b"\x02", b"\x12", b"\x10"), strict=True)
        )
    )
    before: list[Row] = [("A", 0.1, syn), ("A", 0.1 + 399 * US, syn_ack), ("A", 0.1 + 400 * US, ack)]
    assert is_sent_again(runtime, 3, between, before, after * US) == again


@runtimes
@pytest.mark.parametrize("lost", [False, True])
def test_what_was_sent_again_does_not_tell_how_far_the_other_end_is(runtime: str, *, lost: bool) -> None:
    """Nobody knows which of the two was answered (RFC 6298)."""
    before: list[Row] = [("A", 0.1, data(1)), ("A", 0.13, data(1)), ("A", 0.13 + 30 * US, answer(2))]
    if not lost:
        before = [before[0], before[2]]
    assert is_sent_again(runtime, 3, [answer(3), answer(3, (4, 5))], before) == lost
