"""Where the engine finds the network header, behind every link header that it reads."""

from __future__ import annotations

import pytest
from engine import (
    ARP,
    DATA,
    FRAGMENT,
    HOP_BY_HOP,
    ICMP,
    ICMPV6,
    IPV4,
    IPV6,
    KINDS,
    LLDP,
    RUNTIMES,
    SCTP,
    TCP,
    arp,
    bundle,
    echo,
    ethernet,
    ieee8023,
    ipv4,
    ipv4_fragments,
    ipv6,
    ipv6_fragments,
    lldp,
    null,
    radiotap,
    read_frame,
    sctp,
    sll,
    sll2,
    snap,
    stp,
    tcp,
    udp,
    wifi,
)

LLC = 0
TAG, SERVICE_TAG, OLD_TAG = 0x8100, 0x88A8, 0x9100
PPPOE, MPLS = 0x8864, 0x8847
LABEL, BOTTOM = b"\0\x06\x40\x40", b"\0\x06\x41\x40"  # label 100, TTL 64
V4, V6 = ipv4(udp(DATA[:20])), ipv6(udp(DATA[:20]))
EXTENSION = (HOP_BY_HOP, bytes([0, 1, 4, 0, 0, 0, 0]))

# name: (link header, frame, where the network header starts and its EtherType; None where it is not found)
CASES = {
    "ethernet, IPv4 UDP": ("ethernet", ethernet(V4), (14, IPV4)),
    "ethernet, IPv4 TCP": ("ethernet", ethernet(ipv4(tcp(DATA[:20]), TCP)), (14, IPV4)),
    "ethernet, IPv4 TCP with options": ("ethernet", ethernet(ipv4(tcp(options=b"\2\4\5\xb4"), TCP)), (14, IPV4)),
    "ethernet, IPv4 with options": ("ethernet", ethernet(ipv4(udp(DATA[:9]), options=b"\x94\4\0\0")), (14, IPV4)),
    "ethernet, IPv4 first fragment": ("ethernet", ethernet(ipv4_fragments(V4, 16)[0]), (14, IPV4)),
    "ethernet, IPv4 later fragment": ("ethernet", ethernet(ipv4_fragments(V4, 16)[1]), (14, IPV4)),
    "ethernet, IPv4 ICMP": ("ethernet", ethernet(ipv4(echo(DATA[:8]), ICMP)), (14, IPV4)),
    "ethernet, IPv4 SCTP": ("ethernet", ethernet(ipv4(sctp(DATA[:8]), SCTP)), (14, IPV4)),
    "ethernet, IPv6 UDP": ("ethernet", ethernet(V6), (14, IPV6)),
    "ethernet, IPv6 ICMPv6": ("ethernet", ethernet(ipv6(echo(DATA[:8], kind=128), ICMPV6)), (14, IPV6)),
    "ethernet, IPv6 hop-by-hop": ("ethernet", ethernet(ipv6(udp(DATA[:8]), extensions=(EXTENSION,))), (14, IPV6)),
    "ethernet, IPv6 later fragment": ("ethernet", ethernet(ipv6_fragments(udp(DATA), 17, 64)[1]), (14, IPV6)),
    "ethernet, padded": ("ethernet", ethernet(ipv4(udp(b"x")), least=60), (14, IPV4)),
    "ethernet, ARP": ("ethernet", ethernet(arp(), ARP), (14, ARP)),
    "ethernet, LLDP": ("ethernet", ethernet(lldp(), LLDP), (14, LLDP)),
    "ethernet, PPPoE": ("ethernet", ethernet(b"\x11\0\0\1\0\x2a\0\x21" + V4, PPPOE), (22, IPV4)),
    "ethernet, PPPoE in a VLAN": (
        "ethernet",
        ethernet(b"\x11\0\0\1\0\x2a\0\x57" + V6, PPPOE, tags=((TAG, 5),)),
        (26, IPV6),
    ),
    "ethernet, PPPoE control": ("ethernet", ethernet(b"\x11\0\0\1\0\x2a\xc0\x21" + DATA, PPPOE), (14, PPPOE)),
    "ethernet, MPLS": ("ethernet", ethernet(LABEL + BOTTOM + V4, MPLS), (22, IPV4)),
    "ethernet, MPLS, IPv6": ("ethernet", ethernet(BOTTOM + V6, MPLS), (18, IPV6)),
    "ethernet, MPLS, eight labels": ("ethernet", ethernet(LABEL * 7 + BOTTOM + V4, MPLS), (46, IPV4)),
    "ethernet, MPLS, nine labels": ("ethernet", ethernet(LABEL * 8 + BOTTOM + V4, MPLS), (14, MPLS)),
    "ethernet, MPLS, no bottom": ("ethernet", ethernet(LABEL * 3, MPLS), (14, MPLS)),
    "ethernet, MPLS, Ethernet": ("ethernet", ethernet(BOTTOM + ethernet(V4), MPLS), (32, IPV4)),
    "ethernet, MPLS, Ethernet, control": (
        "ethernet",
        ethernet(BOTTOM + bytes(4) + ethernet(arp(), ARP), MPLS),
        (36, ARP),
    ),
    "ethernet, MPLS, unknown": ("ethernet", ethernet(BOTTOM + bytes(4) + ethernet(DATA, LLDP), MPLS), (14, MPLS)),
    "ethernet, VLAN": ("ethernet", ethernet(V4, tags=((TAG, 5),)), (18, IPV4)),
    "ethernet, VLAN with priority": ("ethernet", ethernet(V6, tags=((TAG, 0xE005),)), (18, IPV6)),
    "ethernet, QinQ": ("ethernet", ethernet(V4, tags=((SERVICE_TAG, 9), (TAG, 5))), (22, IPV4)),
    "ethernet, old QinQ": ("ethernet", ethernet(V4, tags=((OLD_TAG, 9), (TAG, 5))), (22, IPV4)),
    "ethernet, six tags": ("ethernet", ethernet(V4, tags=((TAG, 5),) * 6), (38, IPV4)),
    "ethernet, nothing but tags": ("ethernet", ethernet(b"", TAG, tags=((TAG, 5),) * 6), None),
    "ethernet, a tag cut short": ("ethernet", ethernet(b"\0\5\x08", TAG), (14, TAG)),
    "ethernet, VLAN and ARP": ("ethernet", ethernet(arp(), ARP, tags=((TAG, 5),)), (18, ARP)),
    "ethernet, no payload": ("ethernet", ethernet(b"", IPV4), None),
    "ethernet, header cut": ("ethernet", ethernet(V4)[:13], None),
    "ethernet, empty": ("ethernet", b"", None),
    "ethernet, 802.3 STP": ("ethernet", ieee8023(stp()), (14, LLC)),
    "ethernet, 802.3 STP in a VLAN": ("ethernet", ieee8023(stp(), tags=((TAG, 5),)), (18, LLC)),
    "ethernet, 802.3 SNAP": ("ethernet", ieee8023(snap(V4)), (22, IPV4)),
    "ethernet, 802.3 SNAP and VLAN": ("ethernet", ieee8023(snap(b"\0\5\x08\0" + V4, TAG)), (26, IPV4)),
    "ethernet, SNAP of a vendor": ("ethernet", ieee8023(b"\xaa\xaa\3\0\0\x0c\x20\0" + DATA), (14, LLC)),
    "ethernet, largest 802.3 length": ("ethernet", ethernet(stp(), 0x05FF), (14, LLC)),
    "ethernet, smallest EtherType": ("ethernet", ethernet(DATA, 0x0600), (14, 0x0600)),
    "sll, IPv4": ("sll", sll(V4), (16, IPV4)),
    "sll, IPv6": ("sll", sll(V6), (16, IPV6)),
    "sll, ARP": ("sll", sll(arp(), ARP), (16, ARP)),
    "sll, VLAN": ("sll", sll(b"\0\5\x08\0" + V4, TAG), (20, IPV4)),
    "sll, 802.2": ("sll", sll(stp(), 4), (16, 4)),
    "sll2, IPv4": ("sll2", sll2(V4), (20, IPV4)),
    "sll2, IPv6": ("sll2", sll2(V6), (20, IPV6)),
    "sll2, VLAN": ("sll2", sll2(b"\0\5\x86\xdd" + V6, TAG), (24, IPV6)),
    "raw, IPv4": ("raw", V4, (0, IPV4)),
    "raw, IPv6": ("raw", V6, (0, IPV6)),
    "raw, neither": ("raw", b"\x50" + V4, None),
    "null, IPv4": ("null", null(V4), (4, IPV4)),
    "null, IPv4, network order": ("null", null(V4, family=b"\0\0\0\2"), (4, IPV4)),
    "null, IPv6 of macOS": ("null", null(V6, family=b"\x1e\0\0\0"), (4, IPV6)),
    "null, IPv6 of Windows": ("null", null(V6, family=b"\x17\0\0\0"), (4, IPV6)),
    "null, neither": ("null", null(b"\0" + V4), None),
    "wifi, to the access point": ("wifi", wifi(snap(V4)), (32, IPV4)),
    "wifi, from the access point": ("wifi", wifi(snap(V6), flags=2), (32, IPV6)),
    "wifi, QoS": ("wifi", wifi(snap(V4), qos=True), (34, IPV4)),
    "wifi, QoS and HT control": ("wifi", wifi(snap(V4), qos=True, flags=0x81), (38, IPV4)),
    "wifi, order bit without QoS": ("wifi", wifi(snap(V4), flags=0x81), (32, IPV4)),
    "wifi, four addresses": ("wifi", wifi(snap(V4), flags=3), (38, IPV4)),
    "wifi, four addresses, QoS": ("wifi", wifi(snap(V4), flags=3, qos=True), (40, IPV4)),
    "wifi, ARP": ("wifi", wifi(snap(arp(), ARP), qos=True), (34, ARP)),
    "wifi, VLAN": ("wifi", wifi(snap(b"\0\5\x08\0" + V4, TAG)), (36, IPV4)),
    "wifi, encrypted": ("wifi", wifi(b"\x39\0\0\x20" + bytes(4) + DATA, flags=0x41), None),
    "wifi, decrypted, as Windows shows it": ("wifi", wifi(snap(V4), flags=0x41), (32, IPV4)),
    "wifi, null data": ("wifi", wifi(snap(V4), subtype=4), None),
    "wifi, QoS null data": ("wifi", wifi(snap(V4), subtype=4, qos=True), None),
    "wifi, A-MSDU": ("wifi", wifi(bytes(12) + b"\0\x40" + snap(V4), qos=True), None),
    "wifi, beacon": ("wifi", wifi(snap(V4), kind=0, subtype=8), None),
    "wifi, acknowledgement": ("wifi", wifi(b"", kind=1, subtype=13)[:10], None),
    "radiotap, data": ("radiotap", radiotap(wifi(snap(V4))), (41, IPV4)),
    "radiotap, QoS": ("radiotap", radiotap(wifi(snap(V6), qos=True), extra=bytes(16)), (58, IPV6)),
    "radiotap, beacon": ("radiotap", radiotap(wifi(snap(V4), kind=0, subtype=8)), None),
    "radiotap, longer than the frame": ("radiotap", b"\0\0\xff\xff" + wifi(snap(V4)), None),
    "unknown": ("unknown", ethernet(V4), None),
}

# Cut within its SNAP header, an 802.3 frame still takes what follows it in the buffer for the rest.
CUTTABLE = {name: case for name, case in CASES.items() if not (case[0] == "ethernet" and "SNAP" in name)}

# What follows a frame in a file, at its worst: VLAN tags without end, in both alignments; an IP header.
SURROUNDINGS = (b"\x81\0" * 40, b"\0\x81" * 40, V4, b"")


def network(runtime: str, kind: str, buf: bytes, at: int, stop: int) -> tuple[int, int] | None:
    """Offset from `at` (an index from 1, as Lua counts) and EtherType."""
    found = bundle(runtime)[1][b"network"](kind.encode(), buf, at, stop)
    return None if found is None else (int(found[0]) - at, int(found[1]))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("kind", "frame", "expected"), CASES.values(), ids=CASES)
def test_finds_the_network_header(runtime: str, kind: str, frame: bytes, expected: tuple[int, int] | None) -> None:
    assert network(runtime, kind, frame, 1, len(frame)) == expected


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("kind", "frame", "expected"), CUTTABLE.values(), ids=CUTTABLE)
def test_a_cut_frame_is_read_no_further_than_it_goes(
    runtime: str, kind: str, frame: bytes, expected: tuple[int, int] | None
) -> None:
    for size in range(len(frame) + 1):
        part = frame[:size]
        alone = network(runtime, kind, part, 1, size)
        # What is left of the header is found; a cut before it leaves a tag at most.
        if expected and size > expected[0]:
            assert alone == expected
        elif alone:
            assert alone[0] < size
        key = read_frame(runtime, kind, part, 1, size, len(frame))
        for around in SURROUNDINGS:
            at = len(around) + 1
            buf, stop = around + part + around, len(around) + size
            assert network(runtime, kind, buf, at, stop) == alone, f"{size} bytes, then {around[:4]}"
            assert read_frame(runtime, kind, buf, at, stop, len(frame)) == key, f"{size} bytes, then {around[:4]}"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_frame_as_every_kind_is_no_error(runtime: str) -> None:
    for _, frame, _ in CASES.values():
        for kind in KINDS:
            found = network(runtime, kind, frame, 1, len(frame))
            assert found is None or found[0] < len(frame)
            read_frame(runtime, kind, frame, 1, len(frame), len(frame))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("lengths", [(0, 0), (0, 19), (0, 65535), (15, 0), (15, 65535)])
def test_lengths_that_lie_are_no_error(runtime: str, lengths: tuple[int, int]) -> None:
    header, total = lengths
    for packet in (V4, V6, ipv4(tcp(DATA), TCP), ipv6(udp(DATA), extensions=((FRAGMENT, bytes(7)),))):
        lying = bytearray(packet)
        at = 2 if packet[0] < 0x60 else 4
        lying[at : at + 2] = total.to_bytes(2, "big")
        if packet[0] < 0x60:
            lying[0] = 0x40 + header
        else:
            lying[41] = header * 17  # the length of an extension header
        for size in range(len(lying) + 1):
            around = SURROUNDINGS[0]
            buf, at = around + bytes(lying[:size]) + around, len(around) + 1
            alone = read_frame(runtime, "raw", bytes(lying[:size]), 1, size, len(packet))
            assert read_frame(runtime, "raw", buf, at, at - 1 + size, len(packet)) == alone
