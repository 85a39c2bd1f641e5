"""A packet before and behind a network address translation, and what only looks so."""

from __future__ import annotations

import pytest
from engine import DATA, ICMP, MAC_A, MAC_B, MAC_C, RUNTIMES, TCP, Row, echo, ethernet, ipv4, put, sll, tcp, udp
from test_engine_evidence import C4, PURE_ACK, US, framed, last


def translated(packet: bytes, source: bytes = C4) -> bytes:
    """Behind a NAT: another source address, another port, a TTL that fell."""
    return put(put(put(packet, 12, source), 20, 61000), 8, b"\x3f")


# the frames, and what is said of the second at another hop and, between other neighbours, at the same
NAT = {
    "UDP": (ipv4(udp()), translated(ipv4(udp())), True),
    "TCP": (ipv4(tcp(DATA), TCP), translated(ipv4(tcp(DATA), TCP)), True),
    "pure ACK": (ipv4(tcp(), TCP), translated(ipv4(tcp(), TCP)), True),
    "ping": (ipv4(echo(), ICMP), put(put(ipv4(echo(), ICMP), 12, C4), 24, 99), True),
    "to another address": (ipv4(udp()), put(ipv4(udp()), 16, C4), True),
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
    "to another port": (ipv4(udp()), put(ipv4(udp()), 22, 99), True),
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
    late = last(runtime, [("A", 1.0, framed(inside)), ("B", 1.001, between)], 2)[1]
    assert late.startswith("2 ")
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
def test_two_equal_acks_behind_a_nat_are_not_told_apart(runtime: str) -> None:
    between = framed(translated(PURE_ACK), src=MAC_B, dst=MAC_C)
    rows: list[Row] = [("A", 1.0, framed(PURE_ACK)), ("A", 1 + 5 * US, framed(PURE_ACK))]
    rows += [("B", 1 + 30 * US, between), ("B", 1 + 35 * US, between)]
    assert [words.split()[0] for words in last(runtime, rows, 4)] == ["1", "2", "3", "4"]
    rows = [rows[0], rows[2], ("A", 1 + 60 * US, framed(PURE_ACK)), ("B", 1 + 90 * US, between)]
    assert [words.split()[0] for words in last(runtime, rows, 4)] == ["1", "1", "3", "3"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("ident", "fell", "same"), [(0, 1, True), (0, 0, False), (9, 1, True), (9, 0, True)])
def test_at_one_interface_an_ip_id_or_a_ttl_tells(runtime: str, ident: int, fell: int, *, same: bool) -> None:
    """Else two may say the same to one server."""
    inside = ipv4(tcp(DATA), TCP, ident=ident)
    outside = put(put(inside, 12, C4), 8, bytes([64 - fell]))
    rows: list[Row] = [("A", 1.0, framed(inside)), ("A", 1 + 30 * US, framed(outside, src=MAC_B, dst=MAC_C))]
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
    outside = ethernet(put(ipv4(udp(), ident=9), 12, C4), tags=((0x8100, vlan),), src=src)
    rows: list[Row] = [("A", 1.0, inside), ("A", 1 + gap * US, outside)]
    assert last(runtime, rows, 2)[1].split()[0] == ("1" if same else "2")
