"""What shows that frames are one packet: at the same hop, behind a router, a NAT, a tunnel, and packet ids."""

from __future__ import annotations

import struct
from random import Random

import pytest
from engine import (
    A4,
    ARP,
    B4,
    DATA,
    ICMP,
    MAC_A,
    MAC_B,
    MAC_C,
    RUNTIMES,
    TCP,
    Engine,
    Row,
    Said,
    arp,
    brief,
    echo,
    ethernet,
    ipv4,
    ipv6,
    play,
    put,
    snap,
    tcp,
    udp,
    wifi,
)

US = 1e-6
C4 = bytes([203, 0, 113, 9])
BRIDGED, IPIP, GRE = 0x6558, 4, 47
RST, PURE_ACK = (ipv4(put(tcp(seq=9), 13, flags), TCP, ident=0) for flags in (b"\x04", b"\x10"))


def query(ident: int, port: int) -> bytes:
    """A DNS query."""
    return ipv6(udp(struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + b"\7example\0\0\1\0\1", sport=port))


def rtp(number: int) -> bytes:
    """A voice that is silent: only what RTP counts differs."""
    header = struct.pack(">BBHII", 0x80, 0, number, 160 * number, 99)
    return ipv6(udp(header + b"\xd5" * 160, sport=5004, dport=5004))


# name: what a sender sends; the last cannot be sent again as it is
UNIQUE = {
    "IP ID": [ipv4(put(tcp(), 13, b"\x10"), TCP, ident=ident) for ident in (6, 7)],
    "TCP data with timestamps": [ipv6(tcp(DATA, options=b"\1\1\x08\x0a\0\0\0\7\0\0\0\5"), TCP)],
    "ESP": [ipv4(DATA, 50, ident=0)],
    "echo": [ipv4(echo(seq=at), ICMP, ident=0) for at in range(5)],
    "echo reply, IPv6": [ipv6(echo(kind=129, seq=at), 58) for at in range(5)],
    "DNS": [query(0xA11C + 77 * at, 50000 + at) for at in range(5)],
    "RTP": [rtp(at) for at in range(5)],
    "random payload": [ipv6(udp(Random(at).randbytes(200), dport=443)) for at in range(5)],
}
# What is not sent again within a moment.
NOT_AT_ONCE = {
    "TCP data": ipv4(tcp(DATA), TCP, ident=0),
    "SYN": ipv4(put(tcp(), 13, b"\x02"), TCP, ident=0),
    "FIN": ipv6(put(tcp(), 13, b"\x11"), TCP),
    "ARP": arp(),
    "multicast DNS": ipv6(udp(struct.pack(">6H", 0, 0, 1, 0, 0, 0) + b"\5local\0\0\1\0\1", sport=5353, dport=5353)),
}
MAY_REPEAT = {
    "RST": RST,
    "pure ACK": PURE_ACK,
    "a short datagram": ipv4(udp(b"state=1", dport=9), ident=0),
    "a long text": ipv4(udp(b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n" * 5, dport=1900), ident=0),
    "RST of FIN": ipv4(put(tcp(), 13, b"\x05"), TCP, ident=0),
    "a probe of a window": ipv4(tcp(b"x"), TCP, ident=0),
}


def framed(packet: bytes, **addresses: bytes) -> bytes:
    return ethernet(packet, ARP if packet[:2] == b"\0\1" else None, **addresses)


def lesson(times: int, start: float, number: int = 20, **addresses: bytes) -> list[Row]:
    """Packets that cannot repeat, each recorded so many times; with MACs given, those of the other end."""
    ends = {"src": B4, "dst": A4} if addresses else {}
    return [
        ("A", start + at * 5e-3 + sighting * 3 * US, framed(ipv4(udp(), ident=1000 + at, **ends), **addresses))
        for at in range(number)
        for sighting in range(times)
    ]


def last(runtime: str, rows: list[Row], number: int) -> list[str]:
    """What is said of the last frames, counting packets from the first of these."""
    said = play(runtime, rows)
    start = len(said) - number
    return [brief(one._replace(packet=one.packet - start)) for one in said[start:]]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("hops", ["AA", "AB"])
@pytest.mark.parametrize("packets", UNIQUE.values(), ids=UNIQUE)
def test_an_identity_holds_as_long_as_no_sender_waits(runtime: str, packets: list[bytes], hops: str) -> None:
    before: list[Row] = [("A", at * 20e-3, framed(packet)) for at, packet in enumerate(packets[:-1])]
    for gap, shown in ((200 * US, 1), (0.15, 1), (0.25, 2)):
        rows: list[Row] = [(hop, 1 + at * gap, framed(packets[-1])) for at, hop in enumerate(hops)]
        assert [words.split()[0] for words in last(runtime, before + rows, 2)] == ["1", str(shown)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("packet", NOT_AT_ONCE.values(), ids=NOT_AT_ONCE)
def test_what_no_sender_sends_twice_at_once(runtime: str, packet: bytes) -> None:
    rows: list[Row] = [("A", 1 + at, framed(packet)) for at in (0, 60 * US, 0.1)]
    assert last(runtime, rows, 3) == ["1 original", "1 duplicate bytes", "3 original"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("ident", [0, 7])
def test_data_that_is_sent_again_after_a_timeout_is_a_retransmission(runtime: str, ident: int) -> None:
    """RFC 1122 4.2.2.15 allows the same IP ID."""
    for packet in (tcp(DATA), put(tcp(), 13, b"\x02"), put(tcp(), 13, b"\x11")):
        rows: list[Row] = [("A", 1 + at * 0.25, framed(ipv4(packet, TCP, ident=ident))) for at in range(2)]
        assert last(runtime, rows, 2) == ["1 original", "2 retransmission"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("packet", MAY_REPEAT.values(), ids=MAY_REPEAT)
def test_what_may_repeat_is_judged_by_what_others_taught(runtime: str, packet: bytes) -> None:
    rows: list[Row] = [("A", 1 + at * 5 * US, framed(packet)) for at in range(4)]
    assert last(runtime, rows, 4) == [f"{at} original" for at in range(1, 5)]
    once, twice, three = (last(runtime, lesson(times, 0.1) + rows, 4) for times in (1, 2, 3))
    assert once[0] == "1 original"
    assert [words.split()[1] for words in once[1:]] == ["repeat"] * 3
    assert [words.split()[0] for words in once] == ["1", "2", "3", "4"]
    assert [words.split()[0] for words in twice] == ["1", "1", "3", "3"]
    assert [words.split()[0] for words in three] == ["1", "1", "1", "4"]
    assert twice[1] == "1 duplicate learned"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_learned_of_a_sender_holds_for_it_alone(runtime: str) -> None:
    """Outbound frames are recorded twice: what comes in may repeat."""
    rows = lesson(2, 0.1) + lesson(1, 0.2, src=MAC_B, dst=MAC_A)
    answer = framed(ipv4(put(tcp(seq=9), 13, b"\x10"), TCP, ident=0, src=B4, dst=A4), src=MAC_B, dst=MAC_A)
    rows += [("A", 1.0, framed(PURE_ACK)), ("A", 1 + 4 * US, framed(PURE_ACK))]
    rows += [("A", 1.1, answer), ("A", 1.1 + 4 * US, answer)]
    assert last(runtime, rows, 4) == ["1 original", "1 duplicate learned", "3 original", "4 repeat"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_sighting_much_later_than_usual_is_not_told(runtime: str) -> None:
    rows = [*lesson(2, 0.1), ("A", 1.0, framed(PURE_ACK)), ("A", 1.03, framed(PURE_ACK))]
    assert last(runtime, rows, 2) == ["1 original", "2 original"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_the_network_doubles(runtime: str) -> None:
    """The double has the identity of the packet: only that it takes the way once more tells."""
    way = [
        (hop, time + delay, frame) for _, time, frame in lesson(1, 0.1, 60) for hop, delay in (("A", 0), ("B", 9e-6))
    ]
    doubled = framed(ipv4(udp(), ident=77))
    rows: list[Row] = [("AB"[at % 2], 1 + at * 20 * US, doubled) for at in range(4)]
    assert last(runtime, way + rows, 4) == ["1 original", "1 duplicate bytes", "3 repeat", "3 duplicate bytes"]
    # On one interface nothing tells, and what was learned of others does not outweigh the identity.
    rows = [("A", 1 + at * 20 * US, doubled) for at in range(2)]
    assert last(runtime, lesson(1, 0.1, 60) + rows, 2) == ["1 original", "1 duplicate bytes"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_ip_id_that_never_changes_tells_and_teaches_nothing(runtime: str) -> None:
    """A scanner that sends each probe twice."""
    probes = [framed(ipv4(udp(b"probe", dport=port), ident=54321)) for port in range(20, 40)]
    rows: list[Row] = [("A", 1 + at * 0.01 + gap, probe) for at, probe in enumerate(probes) for gap in (0, 9 * US)]
    said = play(runtime, rows)
    assert sum(one.verdict == "duplicate" for one in said) <= 1  # the first, when nothing was known yet


DATA_ONCE = NOT_AT_ONCE["TCP data"]
ROUTED = framed(ipv4(udp(), ttl=63), src=MAC_B, dst=MAC_C)

# frames at one interface, 100 us apart; what is said of the second
AT_ONE_HOP = {
    "routed": (framed(ipv4(udp())), ROUTED, "1 duplicate rewritten mac,ttl"),
    "routed, may repeat": (
        framed(RST),
        framed(put(RST, 8, b"\x3f"), src=MAC_B, dst=MAC_C),
        "1 duplicate rewritten mac,ttl",
    ),
    "goes in a circle": (
        framed(ipv4(udp())),
        framed(ipv4(udp(), ttl=63), src=MAC_B, dst=MAC_A),
        "1 duplicate rewritten mac,ttl",
    ),
    "reflected": (framed(ipv4(udp())), framed(ipv4(udp()), src=MAC_B, dst=MAC_A), "2 original"),
    "routed, MACs as before": (framed(ipv4(udp())), framed(ipv4(udp(), ttl=63)), "1 duplicate rewritten ttl"),
    "mirrored behind the router first": (ROUTED, framed(ipv4(udp())), "1 duplicate rewritten mac,ttl"),
    "bridged": (framed(ipv4(udp())), framed(ipv4(udp()), src=MAC_C), "1 duplicate bytes mac"),
    "bridged, may repeat": (framed(RST), framed(RST, src=MAC_C), "2 original"),
    "wifi inside Ethernet": (framed(DATA_ONCE), wifi(snap(DATA_ONCE), qos=True), "1 duplicate bytes link"),
    "wifi inside Ethernet, may repeat": (framed(PURE_ACK), wifi(snap(PURE_ACK), qos=True), "2 original"),
    "from wifi inside Ethernet": (wifi(snap(DATA_ONCE)), framed(DATA_ONCE), "1 duplicate bytes link"),
    "tagged": (framed(DATA_ONCE), ethernet(DATA_ONCE, tags=((0x8100, 7),)), "1 duplicate bytes vlan"),
    "tagged, may repeat": (framed(RST), ethernet(RST, tags=((0x8100, 7),)), "2 original"),
    "tag changed": (
        ethernet(DATA_ONCE, tags=((0x8100, 7),)),
        ethernet(DATA_ONCE, tags=((0x88A8, 9), (0x8100, 7))),
        "1 duplicate bytes vlan",
    ),
    "offload": (framed(ipv4(udp(), payload_sum=7)), framed(ipv4(udp())), "1 duplicate rewritten checksum"),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("first", "second", "expected"), AT_ONE_HOP.values(), ids=AT_ONE_HOP)
def test_two_frames_at_one_hop(runtime: str, first: bytes, second: bytes, expected: str) -> None:
    rows: list[Row] = [("A", 1.0, first), ("A", 1 + 100 * US, second)]
    assert last(runtime, rows, 2) == ["1 original", expected]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_datagrams_that_differ_behind_the_cut(runtime: str) -> None:
    """Both checksums are filled in, and tell."""
    packets = [ipv4(udp(b"x" * 200 + tail, dport=9), ident=0) for tail in (b"a", b"b", b"a")]
    rows: list[Row] = [(hop, 1.0, framed(packet)[:142], 243) for hop, packet in zip("ABC", packets, strict=True)]
    assert [words.split()[0] for words in last(runtime, rows, 3)] == ["1", "2", "1"]


def vxlan(frame: bytes, *, dst: bytes = B4, ident: int = 5) -> bytes:
    return ethernet(ipv4(udp(b"\x08\0\0\0\0\0\x2a\0" + frame, dport=4789), dst=dst, ident=ident))


def gtpu(inside: bytes, *, flags: int = 0x30) -> bytes:
    return ethernet(ipv4(udp(struct.pack(">BBHI", flags, 255, len(inside), 77) + inside, dport=2152)))


INNER = ipv4(udp(b"inside"), src=C4, ident=9)
TUNNELS = {
    "VXLAN": vxlan(ethernet(INNER)),
    "VXLAN, tagged inside": vxlan(ethernet(INNER, tags=((0x8100, 5),))),
    "Geneve": ethernet(ipv4(udp(struct.pack(">BBHI", 1, 0, BRIDGED, 0) + bytes(4) + ethernet(INNER), dport=6081))),
    "NVGRE": ethernet(ipv4(struct.pack(">HHI", 0x2000, BRIDGED, 77) + ethernet(INNER), GRE)),
    "GRE": ethernet(ipv4(struct.pack(">HH", 0, 0x0800) + INNER, GRE)),
    "GRE, IPv6": ethernet(ipv6(struct.pack(">HHII", 0x3000, 0x0800, 1, 2) + INNER, GRE)),
    "IP in IP": ethernet(ipv4(INNER, IPIP)),
    "IPv4 in IPv6": ethernet(ipv6(INNER, IPIP)),
    "GTP-U": gtpu(INNER),
    "GTP-U, numbered": gtpu(b"\0\7\0\0" + INNER, flags=0x32),
    "GTP-U, extended": gtpu(b"\0\0\0\x85" + b"\1\x10\1\0" + INNER, flags=0x34),
    "GTP-U, extended twice": gtpu(b"\0\0\0\xc0" + b"\2" + bytes(6) + b"\x85" + b"\1\x10\1\0" + INNER, flags=0x34),
    "ERSPAN I": ethernet(ipv4(struct.pack(">HH", 0, 0x88BE) + ethernet(INNER), GRE)),
    "ERSPAN II": ethernet(ipv4(struct.pack(">HHI", 0x1000, 0x88BE, 3) + bytes(8) + ethernet(INNER), GRE)),
    "ERSPAN III": ethernet(ipv4(struct.pack(">HHI", 0x1000, 0x22EB, 3) + bytes(12) + ethernet(INNER), GRE)),
    "ERSPAN III, longer": ethernet(
        ipv4(struct.pack(">HHI", 0x1000, 0x22EB, 3) + b"\1".rjust(12, b"\0") + bytes(8) + ethernet(INNER), GRE)
    ),
    "two tunnels": vxlan(ethernet(ipv4(INNER, IPIP))),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("outer", TUNNELS.values(), ids=TUNNELS)
def test_tunnels(runtime: str, outer: bytes) -> None:
    for first, second in ((outer, framed(INNER)), (framed(INNER), outer)):
        for hop in "AB":
            said = last(runtime, [("A", 1.0, first), (hop, 1 + 20 * US, second)], 2)
            assert said == ["1 original", "1 duplicate bytes link"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("outer", TUNNELS.values(), ids=TUNNELS)
def test_a_tunnel_that_was_cut_is_compared_as_it_is(runtime: str, outer: bytes) -> None:
    for size in range(14, len(outer)):
        said = play(runtime, [("A", 1.0, outer[:size], len(outer)), ("B", 1 + 20 * US, outer[:size], len(outer))])
        assert brief(said[1]) == "1 duplicate bytes"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_one_frame_flooded_into_three_tunnels(runtime: str) -> None:
    rows: list[Row] = [
        ("A", 1 + at * US, vxlan(framed(RST), dst=bytes([10, 0, 0, at]), ident=at)) for at in range(1, 4)
    ]
    assert [words.split()[0] for words in last(runtime, rows, 3)] == ["1", "2", "3"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_ipv6_in_gtpu(runtime: str) -> None:
    inside = ipv6(tcp(DATA), TCP)
    said = last(runtime, [("A", 1.0, framed(inside)), ("B", 1 + 20 * US, gtpu(inside))], 2)
    assert said[1] == "1 duplicate bytes link"
    reply = gtpu(inside).replace(b"\x30\xff", b"\x30\xfe")  # no packet is inside other messages
    assert last(runtime, [("A", 1.0, framed(inside)), ("B", 1 + 20 * US, reply)], 2)[1] == "2 original"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_two_tunnels_between_the_same_ends_hold_is_judged_as_without_them(runtime: str) -> None:
    """ERSPAN: a switch mirrors two ports to one collector. What cannot repeat was mirrored twice."""

    def mirrored(packet: bytes, number: int) -> bytes:
        header = struct.pack(">HHI", 0x1000, 0x88BE, number) + bytes(8)
        return ethernet(ipv4(header + ethernet(packet), GRE, ident=number))

    for packet, expected in ((INNER, "1"), (RST, "2")):
        rows: list[Row] = [("A", 1 + at * 3 * US, mirrored(packet, 50 + at)) for at in range(2)]
        assert last(runtime, rows, 2)[1].split()[0] == expected


GROUP = b"\x33\x33\0\0\0\xfb"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_host_in_three_vlans_speaks_in_each(runtime: str) -> None:
    """Its VLAN interfaces share MAC and link-local address: what it says to a group is the same in all."""
    said = ipv6(udp(b"_http._tcp.local", sport=5353, dport=5353), hops=255)

    def in_vlans(packet: bytes, *tags: tuple[int, ...]) -> list[str]:
        frames = [ethernet(packet, tags=tuple((0x8100, tag) for tag in each), dst=GROUP) for each in tags]
        rows: list[Row] = [("A", 1 + at * 5 * US, frame) for at, frame in enumerate(frames)]
        return [words.split()[0] for words in last(runtime, rows, len(rows))]

    assert in_vlans(said, (10,), (20,), (30,)) == ["1", "2", "3"]
    assert in_vlans(said, (), (20,)) == ["1", "1"]  # an access port and a trunk
    assert in_vlans(said, (10,), (7, 10)) == ["1", "1"]
    assert in_vlans(ipv4(udp(b"state"), ident=7), (10,), (20,)) == ["1", "1"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_checksum_of_a_frame_without_ethertype(runtime: str) -> None:
    """One tap keeps the FCS: an 802.3 frame says where it ends."""
    frame = ethernet(b"\x42\x42\3" + DATA, 3 + len(DATA))
    said = last(runtime, [("A", 1.0, frame), ("B", 1 + 20 * US, frame + b"\x12\x34\x56\x78")], 2)
    assert said[1] == "1 duplicate bytes"


def tagged(runtime: str, frames: list[tuple[bytes, str | None]]) -> list[Said]:
    engine = Engine(runtime)
    hop = engine.hop(name="A", id=0)
    return [engine.frame(1 + at * 300 * US, hop, frame, tag=tag) for at, (frame, tag) in enumerate(frames)]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_packet_ids_decide_where_they_repeat(runtime: str) -> None:
    ack = framed(PURE_ACK)
    said = tagged(runtime, [(ack, "1"), (ack, "1"), (ack, "2"), (ack, "1"), (ack, "2"), (ack, None)])
    assert [one.packet for one in said] == [1, 1, 3, 1, 3, 6]
    assert [one.evidence for one in said[:2]] == ["none", "packet-id"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_packet_ids_that_never_repeat_say_nothing(runtime: str) -> None:
    frame = framed(ipv4(udp()))
    said = tagged(runtime, [(frame, "1"), (frame, "2"), (frame, "3")])
    assert [(one.packet, one.evidence) for one in said] == [(1, "none"), (1, "bytes"), (1, "bytes")]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_packet_ids_see_through_what_bytes_do_not(runtime: str) -> None:
    """Once ids have proved right, they hold for a frame that was rewritten beyond recognition."""
    frames = [(framed(ipv4(udp(), ident=at)), str(at)) for at in range(1, 9) for _ in range(2)]
    strange = framed(ipv4(tcp(DATA), TCP, ident=77, src=C4))
    said = tagged(runtime, [*frames, (framed(PURE_ACK), "x"), (strange, "x"), (strange, "x")])
    assert [(one.packet, one.verdict) for one in said[-2:]] == [(17, "duplicate"), (17, "duplicate")]
