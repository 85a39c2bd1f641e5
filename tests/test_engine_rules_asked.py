"""TCP data that the other end asks for, where neither IP IDs nor timestamps tell a packet from the next.

Between two sightings of one packet, nothing tells the sender that it was lost: what comes again after the other end has
asked for it may be a new packet, however soon it comes.
"""

from __future__ import annotations

import struct

import pytest
from engine import A6, B6, MAC_A, MAC_B, TCP, Row, ipv6, play, put, runtimes, tcp
from test_engine_evidence import US, framed

SIZE = 100
DATA = framed(ipv6(tcp(b"x" * SIZE, seq=1000), TCP))


def answer(options: bytes = b"") -> bytes:
    """An ACK of all before the data."""
    header = put(tcp(options=options, sport=443, dport=50000, seq=2000), 13, b"\x10")
    packet = ipv6(put(header, 8, struct.pack(">I", 1000)), TCP)
    return framed(packet[:8] + B6 + A6 + packet[40:], src=MAC_B, dst=MAC_A)


def selective(*blocks: tuple[int, int]) -> bytes:
    """The same, and of blocks of segments behind it, or of some that came twice."""
    edges = [1000 + SIZE * edge for block in blocks for edge in block]
    return answer(bytes([1, 1, 5, 2 + 4 * len(edges)]) + struct.pack(f">{len(edges)}I", *edges))


def is_one(runtime: str, asks: bytes, length: int | None = None) -> bool:
    """Whether data that comes again at its hop, an ACK before and one in between, is said to be one packet."""
    ack = (asks, length or len(asks))
    rows: list[Row] = [("A", 0.5, *ack), ("A", 1.0, DATA), ("A", 1 + 9 * US, *ack), ("A", 1 + 100 * US, DATA)]
    return play(runtime, rows)[3].packet == 2


@runtimes
@pytest.mark.parametrize(
    ("blocks", "asks"),
    [([(1, 2)], True), ([(-1, 0)], False), ([(-1, 0), (1, 2)], True), ([(-1, 0), (1, 2), (3, 4)], True)],
    ids=["behind a hole", "came twice", "came twice, behind a hole", "behind two"],
)
def test_a_selective_ack_asks_for_the_hole(runtime: str, blocks: list[tuple[int, int]], *, asks: bool) -> None:
    """RFC 2018; what came twice, which stands first, asks for nothing (RFC 2883)."""
    assert is_one(runtime, selective(*blocks)) != asks


BROKEN = [
    b"\1\1\1\5",
    b"\5\0\1\1",
    b"\0\5\x0a\1",
    b"\0\2\5\x0a" + struct.pack(">II", 1100, 1200),
    b"\2\4\5\xb4\1\1\5\2",
]


@runtimes
@pytest.mark.parametrize("options", [b"", *BROKEN])
def test_options_that_are_broken_ask_for_nothing(runtime: str, options: bytes) -> None:
    assert is_one(runtime, answer(options and options + bytes(8)))


@runtimes
def test_a_selective_ack_that_was_cut(runtime: str) -> None:
    """It asks for what it is known to ask for."""
    whole = selective((1, 2))
    for size in range(54, len(whole) + 1):
        assert is_one(runtime, whole[:size], len(whole)) == (size < len(whole) - 4)
