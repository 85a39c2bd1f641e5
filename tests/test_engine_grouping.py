"""Which frames the engine takes for the same packet, and what it says that a hop rewrote."""

from __future__ import annotations

import pytest
from engine import (
    ARP,
    DATA,
    DESTINATION,
    HOP_BY_HOP,
    ICMP,
    ICMPV6,
    LLDP,
    MAC_B,
    MAC_C,
    ROUTING,
    RUNTIMES,
    SCTP,
    TCP,
    UDP,
    Row,
    Said,
    arp,
    brief,
    echo,
    ethernet,
    ieee8023,
    ipv4,
    ipv4_fragments,
    ipv6,
    ipv6_fragments,
    lldp,
    null,
    play,
    put,
    radiotap,
    sctp,
    sll,
    sll2,
    snap,
    stp,
    tcp,
    udp,
    wifi,
)

STEP = 20e-6
VLAN, OTHER_VLAN, OUTER = (0x8100, 5), (0x8100, 6), (0x88A8, 9)
PACKET = ipv4(udp())
FRAME = ethernet(PACKET)
SHORT = ipv4(udp(b"ab"))
BURST = ethernet(ipv4(udp(), ident=0))  # any number of these may be sent
MULTICAST = bytes.fromhex("0180c200000e")
EXTENSION, SEGMENTS_LEFT = bytes([0, 1, 4, 0, 0, 0, 0]), bytes([0, 4, 0, 0, 0, 0, 0])
EXTENSIONS = ((HOP_BY_HOP, EXTENSION), (ROUTING, SEGMENTS_LEFT), (DESTINATION, EXTENSION))


def at_two_hops(*frames: bytes) -> list[Row]:
    return [(name, at * STEP, frame) for at, (name, frame) in enumerate(zip("AB", frames, strict=True))]


# name: (first hop, frame, second hop, frame, what is said of the second sighting)
SAME = {
    "same bytes": ("A", FRAME, "B", FRAME, "bytes"),
    "VLAN tag removed": ("A", ethernet(PACKET, tags=(VLAN,)), "B", FRAME, "bytes vlan"),
    "VLAN tag added": ("A", FRAME, "B", ethernet(PACKET, tags=(VLAN,)), "bytes vlan"),
    "VLAN changed": ("A", ethernet(PACKET, tags=(VLAN,)), "B", ethernet(PACKET, tags=(OTHER_VLAN,)), "bytes vlan"),
    "outer tag added": ("A", ethernet(PACKET, tags=(VLAN,)), "B", ethernet(PACKET, tags=(OUTER, VLAN)), "bytes vlan"),
    "source MAC": ("A", FRAME, "B", ethernet(PACKET, src=MAC_C), "bytes mac"),
    "both MACs, VLAN": ("A", FRAME, "B", ethernet(PACKET, src=MAC_B, dst=MAC_C, tags=(VLAN,)), "bytes vlan,mac"),
    "TTL": ("A", FRAME, "B", ethernet(ipv4(udp(), ttl=63)), "rewritten ttl"),
    "TTL, by several": ("A", FRAME, "B", ethernet(ipv4(udp(), ttl=60)), "rewritten ttl"),
    "routed": ("A", FRAME, "B", ethernet(ipv4(udp(), ttl=63), src=MAC_B, dst=MAC_C), "rewritten mac,ttl"),
    "UDP checksum": ("A", ethernet(ipv4(udp(), payload_sum=0x1234)), "B", FRAME, "rewritten checksum"),
    "IP checksum": ("A", ethernet(ipv4(udp(), header_sum=0)), "B", FRAME, "rewritten checksum"),
    "both checksums": ("A", ethernet(ipv4(udp(), header_sum=0, payload_sum=7)), "B", FRAME, "rewritten checksum"),
    "TTL and UDP checksum": (
        "A",
        FRAME,
        "B",
        ethernet(ipv4(udp(), ttl=63, payload_sum=0)),
        "rewritten ttl,checksum",
    ),
    "everything": (
        "A",
        ethernet(ipv4(udp(), payload_sum=7)),
        "B",
        ethernet(ipv4(udp(), ttl=63), dst=MAC_C, tags=(VLAN,)),
        "rewritten vlan,mac,ttl,checksum",
    ),
    "TTL, in a file that is not in order": ("A", ethernet(ipv4(udp(), ttl=63)), "B", FRAME, "rewritten ttl"),
    "ToS": ("A", FRAME, "B", ethernet(ipv4(udp(), tos=0x2E)), "rewritten checksum"),
    "IPv6 traffic class": ("A", ethernet(ipv6(udp())), "B", ethernet(put(ipv6(udp()), 0, b"\x6e")), "bytes"),
    "hop limit": ("A", ethernet(ipv6(udp())), "B", ethernet(ipv6(udp(), hops=63)), "rewritten ttl"),
    "IPv6 and VLAN": ("A", ethernet(ipv6(udp())), "B", ethernet(ipv6(udp()), tags=(VLAN,)), "bytes vlan"),
    "TCP checksum": (
        "A",
        ethernet(ipv4(tcp(DATA), TCP, payload_sum=1)),
        "B",
        ethernet(ipv4(tcp(DATA), TCP)),
        "rewritten checksum",
    ),
    "ICMPv6 checksum": (
        "A",
        ethernet(ipv6(echo(kind=128), ICMPV6, payload_sum=1)),
        "B",
        ethernet(ipv6(echo(kind=128), ICMPV6)),
        "rewritten checksum",
    ),
    "SCTP checksum": (
        "A",
        ethernet(ipv4(put(sctp(), 8, bytes(4)), SCTP)),
        "B",
        ethernet(ipv4(sctp(), SCTP)),
        "rewritten checksum",
    ),
    "wifi": ("W", wifi(snap(PACKET), qos=True), "A", FRAME, "bytes link"),
    "to wifi, routed": ("A", FRAME, "W", wifi(snap(ipv4(udp(), ttl=63))), "rewritten ttl,link"),
    "radiotap": ("T", radiotap(wifi(snap(PACKET))), "W", wifi(snap(PACKET)), "bytes link"),
    "sll": ("S", sll(PACKET), "A", FRAME, "bytes link"),
    "sll2": ("L", sll2(PACKET), "S", sll(PACKET), "bytes link"),
    "raw": ("R", PACKET, "A", FRAME, "bytes link"),
    "raw at both": ("R", PACKET, "R2", PACKET, "bytes"),
    "null": ("N", null(PACKET), "R", PACKET, "bytes link"),
    "802.3 SNAP on wifi": ("A", ieee8023(snap(PACKET)), "W", wifi(snap(PACKET)), "bytes link"),
    "padding removed": ("A", ethernet(SHORT, least=60), "B", ethernet(SHORT), "bytes"),
    "padding added": ("A", ethernet(SHORT), "B", ethernet(SHORT, least=60), "bytes"),
    "padding that is not zero": ("A", ethernet(SHORT), "B", ethernet(SHORT) + b"leftover of RAM", "bytes"),
    "ARP": ("A", ethernet(arp(), ARP), "B", ethernet(arp(), ARP), "bytes"),
    "ARP padded": ("A", ethernet(arp(), ARP), "B", ethernet(arp(), ARP, least=60), "bytes"),
    "ARP unpadded, tagged": (
        "A",
        ethernet(arp(), ARP, least=60),
        "B",
        ethernet(arp(), ARP, tags=(VLAN,)),
        "bytes vlan",
    ),
    "LLDP": ("A", ethernet(lldp(), LLDP), "B", ethernet(lldp(), LLDP), "bytes"),
    "LLDP padded": ("A", ethernet(lldp(), LLDP), "B", ethernet(lldp(), LLDP, least=60), "bytes"),
    "STP padded": ("A", ieee8023(stp(), least=0), "B", ieee8023(stp()), "bytes"),
    "STP tagged": ("A", ieee8023(stp()), "B", ieee8023(stp(), tags=(VLAN,)), "bytes vlan"),
    "unknown EtherType": ("A", ethernet(DATA, 0x88B5), "B", ethernet(DATA, 0x88B5), "bytes"),
    "unknown link": ("U", DATA, "U2", DATA, "bytes"),
    "TCP with options": (
        "A",
        ethernet(ipv4(tcp(options=b"\2\4\5\xb4"), TCP)),
        "B",
        ethernet(ipv4(tcp(options=b"\2\4\5\xb4"), TCP)),
        "bytes",
    ),
    "IPv4 options": (
        "A",
        ethernet(ipv4(udp(), options=b"\x94\4\0\0")),
        "B",
        ethernet(ipv4(udp(), options=b"\x94\4\0\0", ttl=63)),
        "rewritten ttl",
    ),
    "ICMP": ("A", ethernet(ipv4(echo(), ICMP)), "B", ethernet(ipv4(echo(), ICMP)), "bytes"),
    "GRE": ("A", ethernet(ipv4(DATA, 47)), "B", ethernet(ipv4(DATA, 47, ttl=63)), "rewritten ttl"),
    "no payload": ("A", ethernet(ipv4(udp(b""))), "B", ethernet(ipv4(udp(b""))), "bytes"),
    "LSO leaves the length 0": (
        "A",
        ethernet(put(ipv4(tcp(DATA * 30), TCP), 2, 0)),
        "B",
        ethernet(put(ipv4(tcp(DATA * 30), TCP), 2, 0)),
        "bytes",
    ),
    **{
        f"IPv4 fragment {at}": ("A", ethernet(part), "B", ethernet(part, tags=(VLAN,)), "bytes vlan")
        for at, part in enumerate(ipv4_fragments(ipv4(udp(DATA * 3)), 128))
    },
    **{
        f"IPv6 fragment {at}": ("A", ethernet(part), "B", ethernet(part, src=MAC_C), "bytes mac")
        for at, part in enumerate(ipv6_fragments(udp(DATA * 3), UDP, 128))
    },
    **{
        f"IPv6 extension header {number}": (
            "A",
            ethernet(ipv6(udp(), extensions=((number, rest),), payload_sum=7)),
            "B",
            ethernet(ipv6(udp(), extensions=((number, rest),), hops=63)),
            "rewritten ttl,checksum",
        )
        for number, rest in EXTENSIONS
    },
    "three IPv6 extension headers": (
        "A",
        ethernet(ipv6(tcp(DATA), TCP, extensions=EXTENSIONS, payload_sum=7)),
        "B",
        ethernet(ipv6(tcp(DATA), TCP, extensions=EXTENSIONS)),
        "rewritten checksum",
    ),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("hop", "frame", "other_hop", "other", "expected"), SAME.values(), ids=SAME)
def test_a_duplicate_at_another_hop(
    runtime: str, hop: str, frame: bytes, other_hop: str, other: bytes, expected: str
) -> None:
    first, second = play(runtime, [(hop, 0.0, frame), (other_hop, STEP, other)])
    assert (brief(first), brief(second)) == ("1 original", f"1 duplicate {expected}")


def bare(packet: bytes) -> bytes:
    """A frame whose checksums, not filled in yet, tell nothing of what they are over."""
    return ethernet(put(packet, 10, 0))


FIRST = ipv4(udp(), payload_sum=0)
SEGMENT = ipv4(tcp(DATA), TCP, payload_sum=0)
PING = ipv4(echo(), ICMP, payload_sum=0)
SIX = ipv6(udp(), payload_sum=0)
FRAGMENTS = ipv4_fragments(ipv4(udp(DATA * 3)), 128)

# name: frames that share almost everything
APART = {
    "last byte of the payload": (bare(FIRST), bare(put(FIRST, -1, b"x"))),
    "first byte of the payload": (bare(FIRST), bare(put(FIRST, 28, b"x"))),
    "last byte of a short payload": (ethernet(SHORT), ethernet(put(SHORT, -1, b"x"))),
    "last byte of TCP data": (bare(SEGMENT), bare(put(SEGMENT, -1, b"x"))),
    "TCP sequence number": (bare(SEGMENT), bare(put(SEGMENT, 26, 9))),
    "TCP acknowledgement": (bare(SEGMENT), bare(put(SEGMENT, 30, 9))),
    "TCP flags": (bare(SEGMENT), bare(put(SEGMENT, 33, b"\x19"))),
    "TCP window": (bare(SEGMENT), bare(put(SEGMENT, 34, 9))),
    "IP ID": (bare(FIRST), bare(put(FIRST, 4, 9))),
    "protocol": (bare(FIRST), bare(put(FIRST, 9, b"\x88"))),
    "ICMP type": (bare(PING), bare(put(PING, 20, b"\0"))),
    "ICMP sequence number": (bare(PING), bare(put(PING, 26, 9))),
    "fragment offset": (ethernet(FRAGMENTS[1]), bare(put(FRAGMENTS[1], 6, 0x2020))),
    "IPv6 source address": (ethernet(SIX), ethernet(put(SIX, 22, 9))),
    "IPv6 payload": (ethernet(SIX), ethernet(put(SIX, -1, b"x"))),
    "ARP request and reply": (ethernet(arp(), ARP), ethernet(arp(kind=2), ARP)),
    "ARP target": (ethernet(arp(), ARP), ethernet(put(arp(), -1, b"\3"), ARP)),
    "LLDP time to live": (ethernet(lldp(), LLDP), ethernet(lldp(ttl=121), LLDP)),
    "LLDP neighbour": (ethernet(lldp(), LLDP, dst=MULTICAST), ethernet(lldp(), LLDP, src=MAC_C, dst=MULTICAST)),
    "STP cost": (ieee8023(stp()), ieee8023(stp(cost=5))),
    "EtherType": (ethernet(DATA, 0x88B5), ethernet(DATA, 0x88B6)),
    "longer by a zero": (ethernet(DATA, 0x88B5), ethernet(DATA + b"\0", 0x88B5)),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("frames", APART.values(), ids=APART)
def test_another_packet_at_another_hop(runtime: str, frames: tuple[bytes, bytes]) -> None:
    assert frames[0] != frames[1]
    assert list(map(brief, play(runtime, at_two_hops(*frames)))) == ["1 original", "2 original"]


LOWER = ethernet(ipv4(udp(), ttl=63))

# name: rows of hop, time, frame, and what is said
SCENARIOS = {
    "same hop, at once": (("A", 0, FRAME, "1 original"), ("A", 0, FRAME, "1 duplicate bytes")),
    # Nothing is known of how often a hop shows a packet: that proves neither a duplicate nor a repeat.
    "same hop, at once, but may repeat": (("A", 0, BURST, "1 original"), ("A", 0, BURST, "2 original")),
    "same hop, within the window, and the sender counts": (
        ("A", 0, ethernet(ipv4(udp(), ident=6)), "1 original"),
        ("A", 0.01, FRAME, "2 original"),
        ("A", 0.2, FRAME, "2 duplicate bytes"),
    ),
    "same hop, within the window, but the sender may have one IP ID only": (
        ("A", 0, FRAME, "1 original"),
        ("A", 0.19, FRAME, "2 original"),
    ),
    "same hop, later": (("A", 0, FRAME, "1 original"), ("A", 0.21, FRAME, "2 original")),
    "same hop, TTL lower": (("A", 0, FRAME, "1 original"), ("A", 0.19, LOWER, "1 duplicate rewritten ttl")),
    "other hop, within the window": (("A", 0, FRAME, "1 original"), ("B", 0.19, FRAME, "1 duplicate bytes")),
    "other hop, later": (("A", 0, FRAME, "1 original"), ("B", 0.21, FRAME, "2 original")),
    "window counts from the previous appearance": (
        ("A", 0, FRAME, "1 original"),
        ("B", 0.15, FRAME, "1 duplicate bytes"),
        ("C", 0.3, FRAME, "1 duplicate bytes"),
        ("D", 0.51, FRAME, "4 original"),
    ),
    "time runs back": (("A", 0.19, FRAME, "1 original"), ("B", 0, FRAME, "1 duplicate bytes")),
    "time runs back too far": (("A", 0.21, FRAME, "1 original"), ("B", 0, FRAME, "2 original")),
    "time runs back, TTL too": (("A", STEP, LOWER, "1 original"), ("B", 0, FRAME, "1 duplicate rewritten ttl")),
    "time runs back, TTL not": (("A", STEP, FRAME, "1 original"), ("B", 0, LOWER, "1 duplicate rewritten ttl")),
    "two packets, two hops": (
        ("A", 0, BURST, "1 original"),
        ("A", 1e-3, BURST, "2 original"),
        ("B", STEP, BURST, "1 duplicate bytes"),
        ("B", 1e-3 + STEP, BURST, "2 duplicate bytes"),
    ),
    "first hop repeats": (
        ("A", 0, BURST, "1 original"),
        ("B", STEP, BURST, "1 duplicate bytes"),
        ("A", 1e-3, BURST, "3 original"),
        ("B", 1e-3 + STEP, BURST, "3 duplicate bytes"),
        ("A", 0.06, BURST, "5 original"),
    ),
    "second hop repeats": (
        ("A", 0, BURST, "1 original"),
        ("B", STEP, BURST, "1 duplicate bytes"),
        ("B", 2 * STEP, BURST, "3 original"),
    ),
    "no time, no group": (
        ("A", None, FRAME, "1 original"),
        ("B", None, FRAME, "2 original"),
        ("B", 0, FRAME, "3 original"),
        ("A", None, FRAME, "4 original"),
        ("A", STEP, FRAME, "3 duplicate bytes"),
    ),
    "other packets between": (
        ("A", 0, FRAME, "1 original"),
        ("A", 1e-6, ethernet(SIX), "2 original"),
        ("A", 2e-6, ethernet(arp(), ARP), "3 original"),
        ("B", 3e-6, ethernet(arp(), ARP), "3 duplicate bytes"),
        ("B", 4e-6, FRAME, "1 duplicate bytes"),
        ("B", 5e-6, ethernet(SIX), "2 duplicate bytes"),
    ),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("rows", SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(runtime: str, rows: tuple[tuple[str, float | None, bytes, str], ...]) -> None:
    assert [brief(said) for said in play(runtime, [row[:3] for row in rows])] == [row[3] for row in rows]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_window_is_the_callers(runtime: str) -> None:
    rows: list[Row] = [("A", 0.0, FRAME), ("B", 0.09, FRAME), ("C", 0.2, FRAME)]
    assert [brief(said) for said in play(runtime, rows, 0.1)] == ["1 original", "1 duplicate bytes", "3 original"]
    assert [said.packet for said in play(runtime, rows, 0.0)] == [1, 2, 3]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_path_and_times(runtime: str) -> None:
    rows: list[Row] = [("A", 1.0, FRAME), ("B", 1.00002, FRAME), ("C", 1.0001, LOWER), ("D", 1.0005, LOWER)]
    said = [one._replace(rule=None) for one in play(runtime, rows)]
    assert said == [
        Said(1, 1, None, "original", "none", None, "A", "A", None, None, None),
        Said(1, 2, 1, "duplicate", "bytes", None, "B", "A > B", None, 20e-6, 20e-6),
        Said(1, 3, 2, "duplicate", "rewritten", "ttl", "C", "A > B > C", None, 80e-6, 100e-6),
        Said(1, 4, 3, "duplicate", "bytes", None, "D", "A > B > C > D", None, 400e-6, 500e-6),
    ]
