"""Rebuilds the headers of a packet from the line that pktmon prints for it, in tcpdump's format.

Header fields that the line does not give are zero, and are listed. The frame ends where unknown bytes begin, such as
the payload.
Sources: outputs of `pktmon etl2txt` as documented by Microsoft and its users; print-ip.c, print-tcp.c of tcpdump.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from functools import lru_cache
from typing import NamedTuple

from pywnv.capture.pktmon_events import ETHERNET, IP, WIFI

MAC = r"([0-9A-Fa-f]{2}(?:[-:][0-9A-Fa-f]{2}){5})"
MACS = re.compile(rf"{MAC} > {MAC}")
ETHERTYPE = re.compile(r",? ?[^(,]{0,40}\(0x([0-9A-Fa-f]{4})\)(?:, [^\d,:]{1,20}\d{1,7})?[:,]? ?")
TAG = re.compile(r"vlan (\d{1,4}), p (\d)(, DEI)?, [^(,]{0,40}\(0x([0-9A-Fa-f]{4})\)[:,]? ?")
VERBOSE_4 = re.compile(
    r"\(tos (0x[0-9a-f]{1,2})(?:,[A-Z()0-3]{1,7})?, ttl (\d{1,3}), id (\d{1,5}), offset (\d{1,5}), "
    r"flags \[([^\]]{0,20})\], proto [^(]{0,30}\((\d{1,3})\), length (\d{1,5})(, options)?"
)
VERBOSE_6 = re.compile(
    r"\((?:class (0x[0-9a-f]{1,2}), )?(?:flowlabel (0x[0-9a-f]{1,5}), )?hlim (\d{1,3}), "
    r"next-header [^(]{0,30}\((\d{1,3})\),? payload length:? (\d{1,5})\)"
)
ENDPOINTS = re.compile(r"(?<![0-9A-Fa-f.:])([0-9A-Fa-f.:]{2,52}) > ([0-9A-Fa-f.:]{2,52})(?:,? |$)")
TCP_FLAGS = re.compile(r"Flags \[([^\]]{0,12})\]")
DATAGRAM = re.compile(r"udp(?:, length)? (\d{1,5})", re.IGNORECASE)
VXLAN = re.compile(r"VXLAN, flags \[[^\]]{0,8}\] \(0x([0-9a-f]{2})\), vni (\d{1,8})")
NAME_ID = re.compile(r"(\d{1,5})[-+*|%$]{0,4} ")
ECHO = re.compile(r"(?:ICMP|ICMP6,) echo (request|reply), (?:id (\d{1,5}), )?seq (\d{1,5})")
SOLICITATION = re.compile(r"ICMP6, neighbor solicitation, who has ([0-9A-Fa-f.:]{2,45})")
ICMP_ERRORS = {  # how each begins to be told, and its type and code
    re.compile(r"ICMP [\d.]{7,15} (?:udp|tcp) port [\w-]{1,20} unreachable"): (3, 3),
    re.compile(r"ICMP [\d.]{7,15} protocol \d{1,3} unreachable"): (3, 2),
    re.compile(r"ICMP [\d.]{7,15} unreachable - need to frag"): (3, 4),
    re.compile(r"ICMP host [\d.]{7,15} unreachable,"): (3, 1),
    re.compile(r"ICMP net [\d.]{7,15} unreachable,"): (3, 0),
    re.compile(r"ICMP time exceeded in-transit"): (11, 0),
}
ESP = re.compile(r"ESP ?\(spi=0x([0-9a-f]{1,8}),seq=0x([0-9a-f]{1,8})\)")
LENGTH = re.compile(r", length:? (\d{1,5})")
ASKS = re.compile(r"Request who-has ([\d.]{7,15})(?: \([^)]{1,20}\))?,? tell ([\d.]{7,15})")
ANSWERS = re.compile(rf"Reply ([\d.]{{7,15}}) is-at {MAC}")
OTHER_PROTOCOL = re.compile(r"ip-proto-(\d{1,3})\b")

HEAD = 700  # characters in which addresses stand
NAMED = {
    "ICMP6": 58,
    "ICMP": 1,
    "igmp": 2,
    "GRE": 47,
    "ESP": 50,
    "AH": 51,
    "OSPF": 89,
    "PIM": 103,
    "VRRP": 112,
    "sctp": 132,
    "udp": 17,
    "tcp": 6,
}
TCP, UDP, ICMP, ICMPV6, NOT_TOLD = 6, 17, 1, 58, 255
DNS = (53, 5353, 5355)
VXLAN_AT_MOST = 2  # tunnels within tunnels
FLAG_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128}


class Rebuilt(NamedTuple):
    """What could be rebuilt of a packet.

    Attributes:
        kind: pktmon's packet type: ETHERNET, WIFI, IP or another.
        data: its first bytes; b"" if the line tells of none.
        length: of the whole packet, in bytes.
        untold: fields that are zero because the line does not give them.
    """

    kind: int
    data: bytes
    length: int
    untold: tuple[str, ...] = ()


class _Layer(NamedTuple):
    """A header and what follows it: its bytes as far as they are told, and its length on the wire (-1: not given)."""

    data: bytes
    length: int
    protocol: int
    untold: tuple[str, ...]


@lru_cache(1024)  # a packet is printed alike at every place that it passes
def rebuilt(body: str, kind: int, length: int) -> Rebuilt:
    """A packet of which pktmon printed `body`, in one line; `kind` and `length` are what else it says of it."""
    return _frame(body, kind, length, 0)


def _frame(body: str, kind: int, length: int, depth: int) -> Rebuilt:
    macs = MACS.search(body, 0, HEAD)
    ends = ENDPOINTS.search(body, 0, HEAD)
    if macs is None or (ends and ends.start() < macs.start()):
        found = _ip(body, length if kind == IP else max(length - 14, 0), depth) if ends else None
        if found is None:
            return Rebuilt(kind, b"", length)
        # Whoever asked for no Ethernet headers gets none; the length is then that of the packet in it.
        length = length if kind == IP or length < 14 else length - 14
        return Rebuilt(IP, found.data[:length], length, found.untold)
    data = _mac(macs[2]) + _mac(macs[1])
    found_type = ETHERTYPE.match(body, macs.end())
    if found_type is None:
        return Rebuilt(kind or ETHERNET, data, length)
    ethertype, at = int(found_type[1], 16), found_type.end()
    data += ethertype.to_bytes(2, "big")
    while ethertype in (0x8100, 0x88A8) and len(data) < 30 and (tag := TAG.match(body, at)):
        ethertype, at = int(tag[4], 16), tag.end()
        data += struct.pack(">HH", int(tag[2]) % 8 << 13 | bool(tag[3]) << 12 | int(tag[1]) & 4095, ethertype)
    rest, inside = body[at:], max(length - len(data), 0)
    layer = _arp(rest, data) if ethertype == 0x0806 else None
    if ethertype in (0x0800, 0x86DD):
        layer = _ip(rest, inside, depth)
    if layer:
        data += layer.data
    return Rebuilt(kind if kind in (ETHERNET, WIFI) else ETHERNET, data[:length], length, layer.untold if layer else ())


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", "").replace(":", ""))


def _endpoint(text: str) -> tuple[bytes, int | None] | None:
    """An address and its port, from `10.0.0.1.443`, `fe80::1.443`, or without a port; None if it is not one."""
    text = text.removesuffix(":")
    for address, port in ((text, ""), tuple(text.rpartition(".")[::2])):
        try:
            packed = ipaddress.ip_address(address).packed
        except ValueError:
            continue
        if port and not (port.isascii() and port.isdecimal() and int(port) < 65536):
            return None
        return packed, int(port) if port else None
    return None


def _ip(body: str, length: int, depth: int) -> _Layer | None:
    """An IP packet; `length` is what it has at most: a frame may be padded."""
    ends = ENDPOINTS.search(body, 0, HEAD)
    if ends is None:
        return None
    source, destination = _endpoint(ends[1]), _endpoint(ends[2])
    if source is None or destination is None or len(source[0]) != len(destination[0]):
        return None
    rest, is_6 = body[ends.end() :], len(source[0]) == 16
    verbose = (VERBOSE_6 if is_6 else VERBOSE_4).search(body, 0, ends.start())
    if verbose and not is_6 and verbose[8]:
        return None  # options of IP, of which only names are printed
    told = int(verbose[4 if is_6 else 6]) if verbose else None
    whole = min(int(verbose[5]) + 40 if is_6 else int(verbose[7]), 65535) if verbose else None
    offset = 0 if is_6 or not verbose else int(verbose[4])
    room = max((length if whole is None else whole) - (40 if is_6 else 20), 0)
    layer = _Layer(b"", -1, NOT_TOLD if told is None else told, ())
    if not offset:
        layer = _transport(rest, source[1], destination[1], told, room, depth)
    size = room if layer.length < 0 or whole is not None else layer.length
    head, untold = (_ipv6 if is_6 else _ipv4)(verbose, layer.protocol, size, source[0] + destination[0])
    return _Layer(head + layer.data, 0, 0, untold + layer.untold)


def _ipv4(verbose: re.Match[str] | None, protocol: int, size: int, addresses: bytes) -> tuple[bytes, tuple[str, ...]]:
    tos = ttl = ident = offset = 0
    untold: tuple[str, ...] = () if verbose else ("tos", "ttl", "id", "df")
    if verbose:
        tos, ttl, ident = int(verbose[1], 16), int(verbose[2]) & 255, int(verbose[3]) & 65535
        offset = int(verbose[4]) // 8 & 0x1FFF | ("DF" in verbose[5]) << 14 | ("+" in verbose[5]) << 13
    untold += ("protocol",) if protocol == NOT_TOLD else ()
    head = struct.pack(">BBHHHBBH", 0x45, tos, min(20 + size, 65535), ident, offset, ttl, protocol, 0) + addresses
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + (~total & 0xFFFF).to_bytes(2, "big") + head[12:], untold


def _ipv6(verbose: re.Match[str] | None, protocol: int, size: int, addresses: bytes) -> tuple[bytes, tuple[str, ...]]:
    first, hops = 6 << 28, 0
    untold: tuple[str, ...] = () if verbose else ("class", "flowlabel", "hlim")
    if verbose:
        first |= int(verbose[1] or "0", 16) << 20 | int(verbose[2] or "0", 16)
        hops = int(verbose[3]) & 255
    untold += ("protocol",) if protocol == NOT_TOLD else ()
    return struct.pack(">IHBB", first, min(size, 65535), protocol, hops) + addresses, untold


def _transport(rest: str, source: int | None, target: int | None, told: int | None, room: int, depth: int) -> _Layer:
    """What follows the header of IP, of which there are at most `room` bytes."""
    if source is None or target is None:
        return _without_ports(rest, told)
    ports = struct.pack(">HH", source, target)
    flags = TCP_FLAGS.match(rest)
    if flags:
        return _tcp(rest, ports, flags[1], room)
    if rest.startswith("tcp") or told == TCP:  # printed in brief: ports and bytes of data
        return _Layer(ports, -1, TCP, ())
    if told not in (None, UDP) or rest.startswith("sctp"):
        return _Layer(ports, -1, told or NAMED["sctp"], ())
    datagram = DATAGRAM.match(rest)
    size = min(8 + int(datagram[1]), 65535) if datagram else room
    data = ports + struct.pack(">HH", size, 0)
    untold: tuple[str, ...] = ("checksum",)
    tunnel = VXLAN.match(rest)
    name = NAME_ID.match(rest) if source in DNS or target in DNS else None
    if tunnel and depth < VXLAN_AT_MOST:
        data += struct.pack(">II", int(tunnel[1], 16) << 24, (int(tunnel[2]) & 0xFFFFFF) << 8)
        inner = _frame(rest[tunnel.end() :], ETHERNET, max(size - 16, 0), depth + 1)
        if inner.kind == ETHERNET:
            data, untold = data + inner.data, untold + tuple(f"inner.{field}" for field in inner.untold)
    elif name and int(name[1]) < 65536:
        data += struct.pack(">H", int(name[1]))
    return _Layer(data, size, UDP, untold)


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _tcp(rest: str, ports: bytes, letters: str, room: int) -> _Layer:
    rest = rest[: 2 * HEAD]
    sequence = _number(r", seq (\d{1,10})", rest)
    acknowledged, window = _number(r", ack (\d{1,10})", rest), _number(r", win (\d{1,5})", rest)
    urgent = _number(r", urg (\d{1,5})", rest)
    checksum = re.search(r", cksum 0x([0-9a-f]{1,4})\b", rest)
    listed = re.search(r", options \[([^\]]{0,400})\]", rest)
    options = _tcp_options(listed[1]) if listed else b""
    length = _number(r", length (\d{1,5})", rest)
    if options is not None:
        head = 20 + len(options)
    else:  # what cannot be built has the room that is left
        head = min(max(room - length, 20), 60) & ~3 if length is not None else 20
    flags = sum(FLAG_BITS.get(letter, 0) for letter in set(letters)) if letters != "none" else 0
    data = ports + struct.pack(
        ">IIBBHHH",
        (sequence or 0) & 0xFFFFFFFF,
        (acknowledged or 0) & 0xFFFFFFFF,
        head // 4 << 4,
        flags,
        (window or 0) & 65535,
        int(checksum[1], 16) if checksum else 0,
        (urgent or 0) & 65535,
    )
    untold = [("seq", sequence is None), ("ack", acknowledged is None and "." in letters), ("win", window is None)]
    untold += [("checksum", checksum is None)]
    names = tuple(name for name, missing in untold if missing)
    return _Layer(data + (options or b""), -1 if length is None else min(head + length, 65535), TCP, names)


def _tcp_options(listed: str) -> bytes | None:
    """Options of TCP, from their names; None if one is not known."""
    made = b""
    for item in listed.split(","):
        words = re.findall(r"[A-Za-z]+|\d+", item)
        numbers = [int(word) & 0xFFFFFFFF for word in words if word.isdecimal()]
        name = words[0] if words else ""
        if name in ("nop", "eol") and not numbers:
            made += b"\1" if name == "nop" else b"\0"
        elif name == "mss" and len(numbers) == 1:
            made += struct.pack(">BBH", 2, 4, numbers[0] & 65535)
        elif name == "wscale" and len(numbers) == 1:
            made += bytes((3, 3, numbers[0] & 255))
        elif name in ("sackOK", "sackok") and not numbers:
            made += b"\4\2"
        elif name == "TS" and len(numbers) == 2:
            made += struct.pack(">BBII", 8, 10, *numbers)
        elif name == "sack" and len(numbers) > 2 and len(numbers) == 1 + 2 * numbers[0] <= 9:
            made += bytes((5, 2 + 8 * numbers[0])) + struct.pack(f">{2 * numbers[0]}I", *numbers[1:])
        else:
            return None
    return made + bytes(-len(made) % 4) if len(made) <= 40 else None


def _without_ports(rest: str, told: int | None) -> _Layer:
    length = LENGTH.search(rest, 0, HEAD)
    size = min(int(length[1]), 65535) if length else -1
    if echo := ECHO.match(rest):
        is_6 = rest.startswith("ICMP6")
        kind = (129 if echo[1] == "reply" else 128) if is_6 else (0 if echo[1] == "reply" else 8)
        data = struct.pack(">BBHHH", kind, 0, 0, int(echo[2] or "0") & 65535, int(echo[3]) & 65535)
        untold = ("checksum",) if echo[2] else ("checksum", "ident")
        return _Layer(data, size, ICMPV6 if is_6 else ICMP, untold)
    if asks := SOLICITATION.match(rest):
        target = _endpoint(asks[1].rstrip(","))
        if target and len(target[0]) == 16:
            return _Layer(struct.pack(">BBHI", 135, 0, 0, 0) + target[0], size, ICMPV6, ("checksum",))
    if error := next((told for form, told in ICMP_ERRORS.items() if form.match(rest)), None):
        return _Layer(struct.pack(">BBH", *error, 0), size, ICMP, ("checksum",))
    if esp := ESP.match(rest):
        return _Layer(struct.pack(">II", int(esp[1], 16), int(esp[2], 16)), size, 50, ())
    if told is None:
        other = OTHER_PROTOCOL.match(rest)
        named = next((number for word, number in NAMED.items() if rest.startswith(word)), NOT_TOLD)
        told = int(other[1]) & 255 if other else named
    return _Layer(b"", size if told in (ICMP, ICMPV6) else -1, told, ())


def _arp(rest: str, ethernet: bytes) -> _Layer | None:
    """A question or an answer; its MAC addresses that are not printed are those of the frame."""
    asks, answers = ASKS.search(rest, 0, HEAD), ANSWERS.search(rest, 0, HEAD)
    begin = bytes.fromhex("000108000604") + bytes((0, 2 if answers else 1))
    try:
        if asks:
            target, sender = (ipaddress.IPv4Address(asks[number]).packed for number in (1, 2))
            data = begin + ethernet[6:12] + sender + bytes(6) + target
            return _Layer(data, 0, 0, ("arp.sender_mac", "arp.target_mac"))
        if answers:
            data = begin + _mac(answers[2]) + ipaddress.IPv4Address(answers[1]).packed + ethernet[:6] + bytes(4)
            return _Layer(data, 0, 0, ("arp.target_mac", "arp.target"))
    except ValueError:
        return None
    return None
