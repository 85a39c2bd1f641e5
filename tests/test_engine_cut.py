"""Sightings that were cut at different lengths: what both have is compared."""

from __future__ import annotations

import pytest
from engine import (
    DATA,
    HOP_BY_HOP,
    ICMP,
    ICMPV6,
    RUNTIMES,
    SCTP,
    TCP,
    Row,
    brief,
    echo,
    ethernet,
    ieee8023,
    ipv4,
    ipv4_fragments,
    ipv6,
    play,
    put,
    sctp,
    snap,
    stp,
    tcp,
    udp,
    wifi,
)

STEP = 20e-6
VLAN = (0x8100, 5)
LONG = DATA * 2
OPTION = bytes([0, 1, 4, 0, 0, 0, 0])
UDP_FRAME = ethernet(ipv4(udp(LONG)))
TCP_FRAME = ethernet(ipv4(tcp(LONG), TCP))

# name: (frame, the bytes that two hops keep of it; None: all)
CUTS = {
    "128 and 96": (UDP_FRAME, 128, 96),
    "128 and all": (UDP_FRAME, 128, None),
    "96 and all": (UDP_FRAME, 96, None),
    "60 and all": (UDP_FRAME, 60, None),
    "UDP, 8 bytes of data": (UDP_FRAME, 50, None),
    "UDP, 8 and 5 bytes of data": (UDP_FRAME, 50, 47),
    "UDP, no data": (UDP_FRAME, 42, None),
    "TCP, 128 and 96": (TCP_FRAME, 128, 96),
    "TCP, 60 and all": (TCP_FRAME, 60, None),
    "TCP, no data": (TCP_FRAME, 54, None),
    "TCP with options": (ethernet(ipv4(tcp(LONG, options=b"\2\4\5\xb4"), TCP)), 60, None),
    "VLAN, 60 and 128": (ethernet(ipv4(udp(LONG)), tags=(VLAN,)), 60, 128),
    "IPv4 options": (ethernet(ipv4(udp(LONG), options=b"\1\1\1\0")), 60, None),
    "ICMP": (ethernet(ipv4(echo(LONG), ICMP)), 60, None),
    "ICMP, no data": (ethernet(ipv4(echo(LONG), ICMP)), 42, None),
    "SCTP": (ethernet(ipv4(sctp(LONG), SCTP)), 60, None),
    "GRE": (ethernet(ipv4(LONG, 47)), 60, 40),
    "later fragment": (ethernet(ipv4_fragments(ipv4(udp(LONG)), 104)[1]), 60, None),
    "IPv6 UDP": (ethernet(ipv6(udp(LONG))), 96, None),
    "IPv6 UDP, no data": (ethernet(ipv6(udp(LONG))), 62, None),
    "IPv6 TCP": (ethernet(ipv6(tcp(LONG), TCP)), 96, 128),
    "IPv6 ICMPv6": (ethernet(ipv6(echo(LONG, kind=128), ICMPV6)), 60, None),
    "IPv6 extension header": (ethernet(ipv6(udp(LONG), extensions=((HOP_BY_HOP, OPTION),))), 96, 128),
    "unknown EtherType": (ethernet(LONG, 0x88B5), 60, 128),
    "802.3": (ieee8023(stp() + LONG), 60, None),
}


def cut(frame: bytes, size: int | None) -> tuple[bytes, int]:
    return frame[:size], len(frame)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("frame", "one", "two"), CUTS.values(), ids=CUTS)
def test_sightings_cut_at_different_lengths_are_one_packet(
    runtime: str, frame: bytes, one: int | None, two: int | None
) -> None:
    for sizes in ((one, two), (two, one)):
        rows: list[Row] = [("AB"[at], at * STEP, *cut(frame, size)) for at, size in enumerate(sizes)]
        assert list(map(brief, play(runtime, rows))) == ["1 original", "1 duplicate bytes"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_known_is_found_once_a_shorter_sighting_comes(runtime: str) -> None:
    frames = [ethernet(ipv4(udp(DATA[at:]), ident=at)) for at in range(40)]
    frames += [ethernet(ipv4(tcp(DATA, seq=at), TCP, ident=at)) for at in range(40)]
    rows: list[Row] = [("A", at * 1e-6, frame) for at, frame in enumerate(frames)]
    # Each sighting is cut shorter than the one before it.
    rows += [("B", (at + 9) * 1e-6, *cut(frame, 82 - at)) for at, frame in enumerate(frames[:40])]
    rows += [("B", (at + 49) * 1e-6, *cut(frame, 54)) for at, frame in enumerate(frames[40:])]
    said = play(runtime, rows)
    assert [one.packet for one in said] == [*range(1, 81)] * 2
    assert {one.evidence for one in said[80:]} == {"bytes"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_frame_cut_very_short_makes_no_retransmission_of_others(runtime: str) -> None:
    rows: list[Row] = [("A", 0.0, TCP_FRAME), ("B", STEP, *cut(UDP_FRAME, 50)), ("B", 2 * STEP, TCP_FRAME)]
    assert brief(play(runtime, rows)[2]) == "1 duplicate bytes"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_wifi_and_ethernet_cut_at_128(runtime: str) -> None:
    """A Wi-Fi sighting has a longer link header, so less of the packet is left."""
    for packet in (ipv4(udp(LONG)), ipv6(tcp(LONG), TCP)):
        shown = [("A", ethernet(packet)), ("W", wifi(snap(packet), qos=True))]
        for order in (shown, shown[::-1]):
            rows: list[Row] = [(hop, at * STEP, *cut(frame, 128)) for at, (hop, frame) in enumerate(order)]
            assert list(map(brief, play(runtime, rows))) == ["1 original", "1 duplicate bytes link"]


OTHER = ethernet(ipv4(udp(put(LONG, 40, b"x")), payload_sum=0))
SAME_SUM = ethernet(ipv4(udp(LONG), payload_sum=0))

# name: frames of different packets
APART = {
    "what both have differs": (cut(SAME_SUM, 96), cut(OTHER, 128)),
    "what both have differs, full first": (cut(SAME_SUM, None), cut(OTHER, 96)),
    "shorter, but not cut": ((ethernet(LONG, 0x88B5), 214), (ethernet(LONG[:150], 0x88B5), 164)),
    "cut inside the ports": (cut(UDP_FRAME, 36), cut(UDP_FRAME, None)),
    "cut inside the addresses": (cut(UDP_FRAME, 30), cut(UDP_FRAME, None)),
    "cut inside the TCP header": (cut(TCP_FRAME, 48), cut(TCP_FRAME, None)),
    "cut inside the IPv6 TCP header": (
        cut(ethernet(ipv6(tcp(LONG), TCP)), 60),
        cut(ethernet(ipv6(tcp(LONG), TCP)), 96),
    ),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("frames", APART.values(), ids=APART)
def test_cut_frames_that_prove_nothing(runtime: str, frames: tuple[tuple[bytes, int], tuple[bytes, int]]) -> None:
    rows: list[Row] = [("AB"[at], at * STEP, *frame) for at, frame in enumerate(frames)]
    assert list(map(brief, play(runtime, rows))) == ["1 original", "2 original"]
