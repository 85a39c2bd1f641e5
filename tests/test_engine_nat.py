"""A packet before and behind a network address translation, and what only looks so."""

from __future__ import annotations

import pytest
from engine import (
    B4,
    DATA,
    ICMP,
    ICMPV6,
    MAC_A,
    MAC_B,
    MAC_C,
    RUNTIMES,
    TCP,
    UDP,
    Row,
    echo,
    ethernet,
    ipv4,
    ipv6,
    put,
    sll,
    tcp,
    udp,
)
from test_engine_evidence import C4, PURE_ACK, US, framed, last


def translated(packet: bytes, source: bytes = C4) -> bytes:
    """Behind a NAT: another source address, another port, a TTL that fell."""
    return put(put(put(packet, 12, source), 20, 61000), 8, b"\x3f")


# the frames, and whether they are one packet: at another hop and, behind another MAC, at the same
NAT = {
    "UDP": (ipv4(udp()), translated(ipv4(udp())), True),
    "TCP": (ipv4(tcp(DATA), TCP), translated(ipv4(tcp(DATA), TCP)), True),
    "pure ACK": (ipv4(tcp(), TCP), translated(ipv4(tcp(), TCP)), True),
    "ping": (ipv4(echo(), ICMP), put(put(ipv4(echo(), ICMP, ttl=63), 12, C4), 24, 99), True),
    "to another address": (ipv4(udp()), put(ipv4(udp(), ttl=63), 16, C4), True),
    "to another port": (ipv4(udp()), put(ipv4(udp(), ttl=63), 22, 99), True),
    "TCP, no IP ID": (ipv4(tcp(DATA), TCP, ident=0), translated(ipv4(tcp(DATA), TCP, ident=0)), True),
    "TCP to another address, no IP ID": (
        ipv4(tcp(DATA), TCP, ident=0),
        put(put(ipv4(tcp(DATA), TCP, ident=0), 16, C4), 8, b"\x3f"),
        True,
    ),
    "pure ACK, no IP ID": (PURE_ACK, translated(PURE_ACK), True),
    "other acknowledgement, no IP ID": (PURE_ACK, translated(put(PURE_ACK, 30, 9)), False),
    "no IP ID": (ipv4(udp(), ident=0), translated(ipv4(udp(), ident=0)), False),
    "other data": (ipv4(udp()), translated(put(ipv4(udp()), -1, b"x")), False),
    "other sequence number": (ipv4(tcp(DATA), TCP), translated(put(ipv4(tcp(DATA), TCP), 24, 9)), False),
    "source, and to another port": (ipv4(udp()), put(translated(ipv4(udp())), 22, 99), False),
    "both ends": (ipv4(udp()), put(translated(ipv4(udp())), 16, C4), False),
    "no data": (ipv4(udp(b"")), translated(ipv4(udp(b""))), False),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("inside", "outside", "same"), NAT.values(), ids=NAT)
def test_nat(runtime: str, inside: bytes, outside: bytes, same: bool) -> None:
    between = framed(outside, src=MAC_B, dst=MAC_C)
    for hop in "BA":
        words = last(runtime, [("A", 1.0, framed(inside)), (hop, 1 + 30 * US, between)], 2)[1]
        assert (words.startswith("1 duplicate rewritten") and words.endswith("nat")) == same
        late = last(runtime, [("A", 1.0, framed(inside)), (hop, 1.15, between)], 2)[1]
        assert late.startswith("1 " if same else "2 ")
    on = last(runtime, [("A", 1.0, framed(inside)), ("B", 1 + 30 * US, between), ("C", 1 + 40 * US, between)], 3)[2]
    assert on.split()[0] == ("1" if same else "2")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", "AS")
def test_a_server_tells_its_clients_the_same(runtime: str, kind: str) -> None:
    """At once, and its IP ID is always the same: what translates would send with its own address."""

    def to(client: int) -> bytes:
        packet = ipv4(udp(), dst=bytes([192, 0, 2, client]), ident=7)
        return sll(packet) if kind == "S" else framed(packet, dst=bytes([2, 0, 0, 0, 1, client]))

    rows: list[Row] = [(kind, 1 + at * 5 * US, to(10 + at)) for at in range(4)]
    assert [words.split()[0] for words in last(runtime, rows, 4)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("order", ["AABB", "ABAB"])
def test_two_equal_acks_behind_a_nat_keep_their_order(runtime: str, order: str) -> None:
    frames = {"A": framed(PURE_ACK), "B": framed(translated(PURE_ACK), src=MAC_B, dst=MAC_C)}
    said = last(runtime, [(hop, 1 + at * 30 * US, frames[hop]) for at, hop in enumerate(order)], 4)
    assert [[words.split()[0] for words, at in zip(said, order, strict=True) if at == hop] for hop in "AB"] == [
        [str(order.index("A") + 1), str(order.rindex("A") + 1)]
    ] * 2


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("ident", [0, 9])
@pytest.mark.parametrize(("hop", "fell", "same"), [("A", 1, True), ("A", 0, False), ("B", 0, None)])
def test_at_one_interface_a_ttl_tells(runtime: str, hop: str, ident: int, fell: int, *, same: bool | None) -> None:
    """Else two may say the same to one server. At another interface an IP ID tells as well."""
    inside = ipv4(tcp(DATA), TCP, ident=ident)
    outside = put(put(inside, 12, C4), 8, bytes([64 - fell]))
    rows: list[Row] = [("A", 1.0, framed(inside)), (hop, 1 + 30 * US, framed(outside, src=MAC_B, dst=MAC_C))]
    same = ident > 0 if same is None else same
    assert last(runtime, rows, 2)[1].split()[0] == ("1" if same else "2")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("ident", [0, 9])
def test_two_translations_one_after_the_other(runtime: str, ident: int) -> None:
    """Of the source, then of the target."""
    inside = ipv4(tcp(DATA), TCP, ident=ident)
    between = put(put(inside, 12, C4), 8, b"\x3f")
    outside = put(put(between, 16, bytes([203, 0, 113, 99])), 8, b"\x3e")
    rows: list[Row] = [
        (hop, 1 + at * 30 * US, framed(packet))
        for at, (hop, packet) in enumerate(zip("ABC", (inside, between, outside), strict=True))
    ]
    assert [words.split()[0] for words in last(runtime, rows, 3)] == ["1", "1", "1"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_without_a_link_header_nothing_tells_who_translates(runtime: str) -> None:
    rows: list[Row] = [("R", 1.0, ipv4(udp())), ("R", 1 + 30 * US, translated(ipv4(udp())))]
    assert last(runtime, rows, 2) == ["1 original", "2 original"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("gap", "vlan", "src", "same"), [(30, 6, MAC_B, True), (-30, 6, MAC_B, False), (30, 6, MAC_A, False)]
)
def test_at_one_interface_what_translates_sends_after_that_as_itself(
    runtime: str, gap: int, vlan: int, src: bytes, *, same: bool
) -> None:
    """A switch that changes a VLAN translates no address."""
    inside = ethernet(ipv4(udp(), ident=9), tags=((0x8100, 5),))
    outside = ethernet(put(ipv4(udp(), ident=9, ttl=63), 12, C4), tags=((0x8100, vlan),), src=src)
    rows: list[Row] = [("A", 1.0, inside), ("A", 1 + gap * US, outside)]
    assert last(runtime, rows, 2)[1].split()[0] == ("1" if same else "2")


def unreachable(quoted: bytes, size: int = 28, **given: int) -> bytes:
    """An ICMP error that quotes the start of a packet, from who did not take it to its sender."""
    return ipv4(b"\3\3\0\0\0\0\0\0" + quoted[:size], ICMP, src=quoted[16:20], dst=quoted[12:16], **given)


DATAGRAM, SEGMENT, PING = ipv4(udp(), ident=7), ipv4(tcp(DATA, seq=9), TCP, ident=7), ipv4(echo(), ICMP, ident=7)
SUMS = {UDP: 26, TCP: 36, ICMP: 22}

# what went out, and the packet that the error behind the NAT quotes: from the same sender, but where that is the point
QUOTED = {
    "UDP": (DATAGRAM, DATAGRAM, True),
    "TCP": (SEGMENT, SEGMENT, True),
    "ping": (PING, PING, True),
    "to another port": (DATAGRAM, put(DATAGRAM, 22, 99), False),
    "from another port": (DATAGRAM, put(DATAGRAM, 20, 99), False),
    "other IP ID": (DATAGRAM, put(DATAGRAM, 4, 8), False),
    "other sequence number": (SEGMENT, put(SEGMENT, 24, 10), False),
    "other ping": (PING, put(PING, 26, 2), False),
    "a fragment": (DATAGRAM, put(DATAGRAM, 6, 0x2001), False),
}


def nat_of(packet: bytes) -> bytes:
    """Behind a NAT, with other checksums in the IP header and behind it."""
    at, port = SUMS[packet[9]], 24 if packet[9] == ICMP else 20
    return put(put(put(put(put(packet, 12, C4), port, 61000), 8, b"\x3f"), 10, 4), at, 5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("size", [28, 60])
@pytest.mark.parametrize("ident", [0, 9])
@pytest.mark.parametrize(("sent", "quoted", "same"), QUOTED.values(), ids=QUOTED)
def test_what_an_error_quotes_is_translated_too(
    runtime: str, size: int, ident: int, sent: bytes, quoted: bytes, *, same: bool
) -> None:
    """A NAT puts the ends and the checksums back that the quoted packet had inside (RFC 5508 4.2)."""
    rows: list[Row] = [
        ("A", 1.0, framed(sent)),
        ("B", 1 + 30 * US, framed(nat_of(sent), src=MAC_B, dst=MAC_C)),
        ("B", 1 + 400 * US, framed(unreachable(nat_of(sent), size, ident=ident), src=MAC_C, dst=MAC_B)),
        ("A", 1 + 430 * US, framed(unreachable(put(quoted, 8, b"\x3f"), size, ident=ident, ttl=63), dst=MAC_A)),
    ]
    said = last(runtime, rows, 4)
    assert said[1].startswith("1 duplicate")
    assert said[2] == "3 original"
    assert said[3] == ("3 duplicate rewritten mac,ttl,checksum,nat" if same else "4 original")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_an_error_from_inside_quotes_is_translated_too(runtime: str) -> None:
    outside = ipv4(udp(), dst=C4, ident=7)
    inside = put(put(put(outside, 16, B4), 22, 8053), 8, b"\x3f")
    rows: list[Row] = [
        ("B", 1.0, framed(outside)),
        ("A", 1 + 30 * US, framed(inside, src=MAC_B, dst=MAC_C)),
        ("A", 1 + 400 * US, framed(unreachable(inside, ident=9), src=MAC_C, dst=MAC_B)),
        ("B", 1 + 430 * US, framed(unreachable(put(outside, 8, b"\x3f"), ident=9, ttl=63), dst=MAC_A)),
    ]
    assert [words.split()[0] for words in last(runtime, rows, 4)] == ["1", "1", "3", "3"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_an_error_of_ipv6_quotes_is_translated_too(runtime: str) -> None:
    inside, address = ipv6(tcp(DATA), TCP), bytes([32, 1, 13, 184]) + bytes(11) + b"\x09"
    outside = put(put(put(inside, 8, address), 40, 61000), 7, b"\x3f")

    def too_big(quoted: bytes, hops: int) -> bytes:
        error = ipv6(b"\2\0\0\0\0\0\5\0" + quoted, ICMPV6, hops=hops)
        return put(put(error, 8, quoted[24:40]), 24, quoted[8:24])

    rows: list[Row] = [
        ("A", 1.0, framed(inside)),
        ("B", 1 + 30 * US, framed(outside)),
        ("B", 1 + 400 * US, framed(too_big(outside, 64))),
        ("A", 1 + 430 * US, framed(too_big(put(inside, 7, b"\x3f"), 63))),
    ]
    assert [words.split()[0] for words in last(runtime, rows, 4)] == ["1", "1", "3", "3"]


def out_of_order(inside: list[bytes], outside: list[bytes], first: str) -> list[Row]:
    """Both sides of a NAT, each as it was written to the file: one after the other, though their times mix."""
    other = ipv4(tcp(DATA, sport=9), TCP, ident=3)
    known: list[Row] = [("A", 0.9, framed(other)), ("B", 0.9 + 30 * US, framed(nat_of(other)))]
    sides = {"A": inside, "B": outside}
    return known + [
        (hop, 1 + at * 0.04 + (30 * US if hop == "B" else 0), framed(packet))
        for hop in (first, "B" if first == "A" else "A")
        for at, packet in enumerate(sides[hop])
    ]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("first", "AB")
def test_an_error_before_the_binding_of_what_it_quotes_is_known(runtime: str, first: str) -> None:
    sent = ipv4(udp(sport=8), ident=7)
    outside = put(nat_of(sent), 20, 61001)
    inside = [sent, unreachable(put(sent, 8, b"\x3f"), ident=9, ttl=63)]
    rows = out_of_order(inside, [outside, unreachable(outside, ident=9)], first)
    rows[-1 if first == "B" else 3] = ("A", 1.04 + 60 * US, rows[-1 if first == "B" else 3][2])
    assert [words.split()[0] for words in last(runtime, rows, 4)] == ["1", "2", "1", "2"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("first", "AB")
def test_data_sent_again_where_the_other_side_of_a_nat_is_first_in_the_file(runtime: str, first: str) -> None:
    sent = ipv4(tcp(DATA, seq=5), TCP, ident=7)
    again = put(sent, 4, 8)
    rows = out_of_order([sent], [nat_of(sent)], first)
    rows += [("A", 1.06, framed(again)), ("B", 1.06 + 30 * US, framed(nat_of(again)))]
    assert [words.split()[1] for words in last(runtime, rows, 2)] == ["retransmission", "duplicate"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_error_may_quote_less_than_a_header(runtime: str) -> None:
    for size in range(40):
        error = unreachable(nat_of(DATAGRAM), size, ident=9)
        outside, inside = framed(error, dst=MAC_B), framed(put(error, 8, b"\x3f"), src=MAC_B)
        rows = out_of_order([], [], "A")
        rows += [("B", 1.0, outside), ("A", 1 + 30 * US, inside)]
        assert [words.split()[0] for words in last(runtime, rows, 2)] == ["1", "1"]
