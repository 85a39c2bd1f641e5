"""What is learned of a hop that records each packet several times, and what that says of packets that may repeat."""

from __future__ import annotations

import pytest
from engine import ARP, MAC_A, MAC_B, RUNTIMES, Row, brief, ethernet, ipv4, play, udp

STEP = 2e-6
MAC_D = bytes([2, 0, 0, 0, 0, 0xD])
GROUP = b"\xff" * 6
ASKS = ethernet(b"\0\1\x08\0\6\4\0\1" + MAC_D + bytes(14), ARP, dst=GROUP, src=MAC_D)

runtimes = pytest.mark.parametrize("runtime", RUNTIMES)


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
