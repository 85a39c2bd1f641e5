"""What is learned of a hop that records each packet several times, and what that says of packets that may repeat."""

from __future__ import annotations

import pytest
from engine import ARP, MAC_A, MAC_B, RUNTIMES, Row, brief, ethernet, ipv4, ipv6, play, udp

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
