"""Rules of the engine that no other test held: mistakes planted in it went unseen."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from random import Random

import pytest
from engine import (
    DATA,
    ICMP,
    MAC_A,
    MAC_B,
    MAC_C,
    TCP,
    UDP,
    Engine,
    Row,
    brief,
    checksum,
    echo,
    ethernet,
    ipv4,
    ipv4_fragments,
    ipv6,
    ipv6_fragments,
    play,
    put,
    radiotap,
    runtimes,
    sll,
    sll2,
    snap,
    tcp,
    udp,
    wifi,
)
from test_engine_evidence import PURE_ACK, RST, US, framed, last

SAME = ethernet(ipv4(udp(), ident=0))  # any number of these may be sent


def packets(runtime: str, rows: list[Row]) -> list[int]:
    return [said.packet for said in play(runtime, rows)]


def unique(number: int) -> bytes:
    return framed(ipv4(udp(), ident=number))


@runtimes
def test_of_equal_packets_a_hop_shows_the_first_that_was_not_overtaken(runtime: str) -> None:
    """What a later packet of its flow has passed on the way from hop to hop was lost there."""
    first, second, shown = ("A", 1.0, SAME), ("A", 1 + 50 * US, SAME), ("B", 1 + 90 * US, SAME)
    assert packets(runtime, [first, second, shown]) == [1, 2, 1]
    passed: list[Row] = [(hop, 1 + at * US, unique(9)) for hop, at in (("A", 10), ("B", 20))]
    assert packets(runtime, [first, *passed, second, shown]) == [1, 2, 2, 4, 4]
    passed = [(hop, 1 + at * US, unique(9)) for hop, at in (("A", 60), ("B", 70))]
    assert packets(runtime, [first, second, *passed, shown]) == [1, 2, 3, 3, 5]


@runtimes
@pytest.mark.parametrize(
    ("step", "gap", "same"), [(None, 1e-3, True), (None, 50e-3, False), (15e-3, 50e-3, True), (15e-3, 150e-3, False)]
)
def test_what_has_no_identity_comes_about_as_soon_as_what_has(
    runtime: str, step: float | None, gap: float, *, same: bool
) -> None:
    """Between two hops; where no step is known, soon."""
    rows: list[Row] = [("A", 0.5, unique(9)), ("B", 0.5 + step, unique(9))] if step else []
    rows += [("A", 1.0, SAME), ("B", 1 + gap, SAME)]
    assert packets(runtime, rows)[-1] == len(rows) - same


@runtimes
def test_fragments_of_tcp(runtime: str) -> None:
    for part in ipv4_fragments(ipv4(tcp(DATA * 3), TCP), 128):
        assert packets(runtime, [("A", 1.0, part_frame := framed(part)), ("B", 1 + 20 * US, part_frame)]) == [1, 1]


@runtimes
@pytest.mark.parametrize("hop", "WT")
def test_80211_frames_that_hold_no_packet(runtime: str, hop: str) -> None:
    """Beacons and acknowledgements: nothing tells one from the next."""
    beacon = wifi(DATA, kind=0, subtype=8)
    frame = beacon if hop == "W" else radiotap(beacon)
    assert packets(runtime, [(hop, 1 + at * 100 * US, frame) for at in range(3)]) == [1, 2, 3]


@runtimes
@pytest.mark.parametrize(
    ("packet", "gap", "same"),
    [(ipv4(udp(), ident=9), 0.15, True), (ipv4(udp(), ident=9), 0.25, False), (PURE_ACK, 20 * US, True)],
    ids=["late", "too late", "no identity"],
)
def test_routed_into_a_tunnel(runtime: str, packet: bytes, gap: float, *, same: bool) -> None:
    """What has no identity has lost a TTL, as a router takes it."""
    tunnel = ethernet(ipv4(put(packet, 8, bytes([packet[8] - 1])), 4, ident=5), src=MAC_B, dst=MAC_C)
    said = last(runtime, [("A", 1.0, framed(packet)), ("A", 1 + gap, tunnel)], 2)[1]
    assert said == "1 duplicate rewritten ttl,link" if same else said.startswith("2 ")


@runtimes
def test_what_a_router_took_into_a_tunnel_was_not_sent_back(runtime: str) -> None:
    """The file shows what left the router before what came to it."""
    inside = ipv4(udp(), ident=9)
    tunnel = ethernet(ipv4(inside, 4, ident=5), src=MAC_B, dst=MAC_C)
    rows: list[Row] = [("A", 1 + 20 * US, tunnel), ("A", 1.0, framed(inside, src=MAC_A, dst=MAC_B))]
    assert last(runtime, rows, 2)[1].startswith("1 duplicate")


@runtimes
@pytest.mark.parametrize("size", [40, 41, 42, 60])
@pytest.mark.parametrize("turned", [False, True])
def test_a_sighting_that_was_cut_before_or_in_its_payload(runtime: str, size: int, *, turned: bool) -> None:
    """The first that is so short tells how much of a frame there is to compare: what came before it is forgotten."""
    rows: list[Row] = []
    for number in (1, 2):
        whole = framed(ipv4(udp(b"state=1" * 9, dport=number), ident=0))
        shown = [(whole[:size], len(whole)), (whole, len(whole))]
        rows += [(hop, number + at * 20 * US, *shown[at == turned]) for at, hop in enumerate("AB")]
    assert brief(play(runtime, rows)[3]) == "3 duplicate bytes"


@runtimes
@pytest.mark.parametrize(
    ("packet", "lost", "said"),
    [
        (ipv4(udp(), ident=9), 0, "1 duplicate bytes"),
        (ipv4(udp(), ident=9), 1, "1 duplicate rewritten ttl"),
        (RST, 0, "2 original"),
        (RST, 1, "1 duplicate rewritten ttl"),
    ],
    ids=["bridged", "routed", "bridged, no identity", "routed, no identity"],
)
@pytest.mark.parametrize("hop", "LS")
def test_cooked_in_and_out(runtime: str, hop: str, packet: bytes, lost: int, said: str) -> None:
    """A forwarding host, captured on `any`: what comes in goes out, bridged, or routed and with a lower TTL."""
    cooked, out = sll2 if hop == "L" else sll, put(packet, 8, bytes([packet[8] - lost]))
    changed = put(put(sll2(out), 4, b"\0\0\0\4"), 10, b"\4") if hop == "L" else put(sll(out), 0, b"\0\4")
    rows: list[Row] = [(hop, 1.0, cooked(packet)), (hop, 1 + 9 * US, changed)]
    assert last(runtime, rows, 2)[1].startswith(said)


def dns(*, ident: int = 0xA11C, flags: int = 0x0100, questions: int = 1, port: int = 53) -> bytes:
    data = struct.pack(">6H", ident, flags, questions, 0, 0, 0) + b"\7example\0\0\1\0\1"
    return framed(ipv4(udp(data, dport=port), ident=0))


# whether two within a moment are one
DNS = {
    "query": (dns(), True),
    "response": (dns(flags=0x8180), True),
    "without an identifier": (dns(ident=0), False),
    "notify": (dns(flags=0x2000), False),
    "update": (dns(flags=0x2800), False),
    "inverse query": (dns(flags=0x0800), False),
    "from a low port": (put(dns(), 34, 123), True),
    "no question": (dns(questions=0), False),
    "two questions": (dns(questions=2), False),
    "many questions": (dns(questions=0x101), False),
    "at another port": (dns(port=54), False),
    "at a port that ends alike": (dns(port=0x135), False),
}


@runtimes
@pytest.mark.parametrize(("frame", "same"), DNS.values(), ids=DNS)
def test_what_a_dns_message_proves(runtime: str, frame: bytes, *, same: bool) -> None:
    assert packets(runtime, [("A", 1.0, frame), ("A", 1 + 200 * US, frame)]) == [1, 1 if same else 2]


@runtimes
def test_a_loopback_whose_addresses_are_all_zero(runtime: str) -> None:
    """What goes to where it came from was not sent back for that."""
    frame = framed(ipv4(udp(), ident=9), src=bytes(6), dst=bytes(6))
    assert packets(runtime, [("A", 1.0, frame), ("A", 1 + 20 * US, frame)]) == [1, 1]


@runtimes
@pytest.mark.parametrize(
    ("hop", "first", "second", "same"),
    [
        ("A", 1, 1, True),
        ("A", 1, 9, False),
        ("A", 9, 9, True),  # pktmon shows 802.11 so, and a later try with its bit at each place
        ("W", 1, 1, True),
        ("W", 1, 9, False),
    ],
)
def test_what_goes_over_the_air_again(runtime: str, hop: str, first: int, second: int, *, same: bool) -> None:
    frames = [wifi(snap(ipv4(udp(), ident=9)), flags=flags, qos=True) for flags in (first, second)]
    rows: list[Row] = [(hop, 1 + at * 200 * US, frame) for at, frame in enumerate(frames)]
    assert packets(runtime, rows) == [1, 1 if same else 2]


@runtimes
@pytest.mark.parametrize("size", [40, 142], ids=["cut before its checksum", "whole"])
def test_a_ttl_may_differ_either_way_between_hops(runtime: str, size: int) -> None:
    """The file need not show what came to a router before what left it."""
    frames = [framed(ipv4(udp(), ident=9, ttl=ttl)) for ttl in (64, 63)]
    for first, second in (frames, frames[::-1]):
        rows: list[Row] = [("A", 1.0, first[:size], 142), ("B", 1 + 20 * US, second[:size], 142)]
        assert packets(runtime, rows) == [1, 1]


@runtimes
def test_packets_with_ids_of_their_own_are_not_one(runtime: str) -> None:
    """Once ids have proved right, at another hop too."""
    engine = Engine(runtime)
    hops = [engine.hop(name=name, id=at) for at, name in enumerate("AB")]
    frames = [(unique(number), (str(number),) * 2) for number in range(1, 6)] + [(framed(PURE_ACK), ("x", "y"))]
    said = [
        engine.frame(1 + at * 1e-3, hop, frame, tag=tag)
        for at, (frame, tags) in enumerate(frames)
        for hop, tag in zip(hops, tags, strict=True)
    ]
    assert [one.packet for one in said] == [1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 12]


@runtimes
def test_equal_as_far_as_captured(runtime: str) -> None:
    long = framed(ipv4(udp(bytes(range(200)), dport=9), ident=0))
    assert packets(runtime, [("A", 1.0, long[:120], len(long)), ("B", 1 + 20 * US, long)]) == [1, 1]
    assert packets(runtime, [("A", 1.0, long), ("B", 1 + 20 * US, long[:120], len(long))]) == [1, 1]


@runtimes
@pytest.mark.parametrize("turned", [False, True])
def test_a_short_frame_that_goes_on_is_another_one(runtime: str, *, turned: bool) -> None:
    """Both are whole, and no length in them tells how long they are."""
    frames = [ethernet(bytes(range(1, 20 + more)), 0x88B5) for more in (0, 3)]
    first, second = frames[::-1] if turned else frames
    assert packets(runtime, [("A", 1.0, first), ("B", 1 + 20 * US, second)]) == [1, 2]


@runtimes
def test_a_hop_is_shown_the_packet_that_it_has_not_shown(runtime: str) -> None:
    """Of datagrams that begin alike, the one whose bytes are the same."""
    waiting, shown = (framed(ipv4(udp(b"all begin so alike " + end, dport=9), ident=0)) for end in (b"one", b"two"))
    rows: list[Row] = [("A", 1.0, waiting), ("B", 1 + 5 * US, shown), ("B", 1 + 10 * US, shown)]
    assert packets(runtime, [*rows, ("A", 1 + 20 * US, shown)]) == [1, 2, 3, 2]


RANDOM = Random(1).randbytes(200)
# payloads: whether they are known to be drawn by lot
DATAGRAMS = {
    "encrypted": (RANDOM, True),
    "too short to tell": (RANDOM[:20], False),
    "in base 64": (b64encode(RANDOM), False),
    "a table": (bytes(range(60)) * 4, False),
}


@runtimes
@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize(("payload", "is_random"), DATAGRAMS.values(), ids=DATAGRAMS)
def test_what_a_datagram_proves(runtime: str, payload: bytes, others: int, *, is_random: bool) -> None:
    """A payload drawn by lot tells it from others, once others of its flow are known to differ."""
    drawn = [Random(at).randbytes(200) for at in range(others)] + [payload] * 2
    frames = [framed(ipv4(udp(data, dport=443), ident=0)) for data in drawn]
    said = last(runtime, [("A", 1 + 0.1 * at, frame) for at, frame in enumerate(frames)], 2)
    assert said[1] == ("1 duplicate bytes" if is_random and others else "2 original")


@runtimes
@pytest.mark.parametrize(("gap", "same"), [(0.15, True), (-0.15, True), (0.25, False), (-0.25, False)])
def test_a_packet_is_no_longer_on_its_way_through_a_nat_than_elsewhere(runtime: str, gap: float, *, same: bool) -> None:
    inside = ipv4(udp(), ident=9)
    outside = put(put(inside, 12, bytes([203, 0, 113, 9])), 8, bytes([63 if gap > 0 else 65]))
    assert packets(runtime, [("A", 1.0, framed(inside)), ("B", 1 + gap, framed(outside))]) == [1, 1 if same else 2]


@runtimes
@pytest.mark.parametrize(("gap", "same"), [(0.004, True), (0.15, False)])
def test_a_nat_that_leaves_the_ttl_is_in_the_host(runtime: str, gap: float, *, same: bool) -> None:
    """Later, it may be another sender that gives one IP ID to all its datagrams."""
    inside = ipv4(udp(), ident=9)
    outside = put(inside, 12, bytes([203, 0, 113, 9]))
    assert packets(runtime, [("A", 1.0, framed(inside)), ("B", 1 + gap, framed(outside))]) == [1, 1 if same else 2]


RETRIED = [("W", 0x01, 0x09), ("W", 0x41, 0x49), ("T", 0x11, 0x19), ("T", 0x02, 0x4A)]


@runtimes
@pytest.mark.parametrize(("hop", "flags", "later"), RETRIED)
def test_the_retry_bit_tells_whatever_else_is_set(runtime: str, hop: str, flags: int, later: int) -> None:
    beside = [wifi(snap(ipv4(udp(), ident=9)), flags=value & ~0x40) for value in (flags, later)]
    if hop == "T":
        beside = [radiotap(frame) for frame in beside]
    assert packets(runtime, [(hop, 1 + at * 100 * US, frame) for at, frame in enumerate(beside)]) == [1, 2]
    assert packets(runtime, [(hop, 1 + at * 100 * US, frame) for at, frame in enumerate(beside[::-1])]) == [1, 1]


PING = ipv4(echo(), ICMP, ident=9)
OTHER = bytes([203, 0, 113, 9])

# a ping and what may be its translation
PINGS = {
    "source": (put(put(PING, 12, OTHER), 24, 99), True),
    "target": (put(PING, 16, OTHER), True),
    "both": (put(put(PING, 12, OTHER), 16, OTHER), False),
    "neither": (put(PING, 24, 99), False),
    "answer": (put(put(PING, 12, OTHER), 20, b"\0"), False),
    "sequence number": (put(put(PING, 12, OTHER), 26, 99), False),
}


@runtimes
@pytest.mark.parametrize(("outside", "same"), PINGS.values(), ids=PINGS)
def test_a_ping_behind_a_nat(runtime: str, outside: bytes, *, same: bool) -> None:
    assert packets(runtime, [("A", 1.0, framed(PING)), ("B", 1 + 30 * US, framed(outside))]) == [1, 1 if same else 2]


def pseudo_sum(packet: bytes, *, length: bool | None) -> int:
    """What stands in the checksum of a UDP packet until the NIC fills it in."""
    if length is None:
        return 0
    addresses = packet[12:20] if packet[0] == 0x45 else packet[8:40]
    size = packet[24:26] if packet[0] == 0x45 else packet[44:46]
    return checksum(addresses + bytes([0, 17]) + (size if length else b"")) ^ 0xFFFF


@runtimes
@pytest.mark.parametrize("length", [True, False, None])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "make",
    [lambda data, **sums: ipv4(udp(data), ident=0, **sums), lambda data, **sums: ipv6(udp(data), **sums)],
    ids=["IPv4", "IPv6"],
)
def test_a_checksum_that_is_not_filled_in_tells_nothing(
    runtime: str, make: Callable[..., bytes], *, turned: bool, length: bool | None
) -> None:
    """In frames that were cut. The NIC has it still to do; the length is left out where that cuts segments."""
    done = make(DATA * 3)
    bare = framed(make(DATA * 3, payload_sum=pseudo_sum(done, length=length)))
    rows: list[Row] = [("A", 1.0, bare[:142], len(bare)), ("B", 1 + 20 * US, framed(done)[:142], len(bare))]
    if turned:
        rows = [("A", 1.0, *rows[1][2:]), ("B", 1 + 20 * US, *rows[0][2:])]
    assert packets(runtime, rows) == [1, 1]


@runtimes
@pytest.mark.parametrize("flags", [0x80, 0x81, 0x83, 0x03, 0x00])
def test_80211_headers_of_each_length(runtime: str, flags: int) -> None:
    frame = wifi(snap(ipv4(udp())), flags=flags, qos=True)
    assert packets(runtime, [("W", 1.0, frame), ("A", 1 + 20 * US, framed(ipv4(udp())))]) == [1, 1]


@runtimes
@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("version", [4, 6])
def test_fragments_at_one_hop(runtime: str, version: int, protocol: int) -> None:
    """The sender gives each packet that it fragments an identification of its own (RFC 791, RFC 8200 4.5)."""
    payload = tcp(DATA * 3) if protocol == TCP else udp(DATA * 3)
    whole = ipv4(payload, protocol, ident=9)
    for part in ipv4_fragments(whole, 128) if version == 4 else ipv6_fragments(payload, protocol, 128):
        assert packets(runtime, [("A", 1 + at * 20 * US, framed(part)) for at in range(2)]) == [1, 1]
        other = put(part, 4, 10) if version == 4 else put(part, 44, bytes([0, 0, 0, 10]))
        assert packets(runtime, [("A", 1.0, framed(part)), ("B", 1 + 20 * US, framed(other))]) == [1, 2]


@runtimes
def test_what_tcpip_sys_drops_first_belongs_to_its_packet(runtime: str) -> None:
    """It is the first frame without a link header, with a rebuilt IP header."""
    data, rebuilt = tcp(DATA), ipv4(tcp(DATA), TCP, ident=0, ttl=1, header_sum=0)
    rows: list[Row] = [("A", 1.0, framed(ipv4(data, TCP, ident=7))), ("B", 1 + US, framed(ipv4(data, TCP, ident=7)))]
    said = play(runtime, [*rows, ("R", 1 + 5 * US, rebuilt), ("R2", 1 + 9 * US, rebuilt)])
    assert [one.packet for one in said] == [1, 1, 1, 1]
