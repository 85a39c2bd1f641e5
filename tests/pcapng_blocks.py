"""Builds the blocks of a pcapng, and pcap files, as bytes (draft-ietf-opsawg-pcapng, draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, NAMES, STATISTICS, PACKET = 0x0A0D0D0A, 1, 2, 3, 4, 5, 6
JOURNAL, SECRETS, CUSTOM, CUSTOM_NOT_COPIED = 9, 10, 0x0BAD, 0x40000BAD

IF_NAME, IF_TSRESOL, IF_TSOFFSET = 2, 9, 14

ETHERNET, RAW = 1, 101


def pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def raw_block(kind: int, body: bytes, order: str = "<", *, length: int | None = None, end: int | None = None) -> bytes:
    """A block that may lie about its length, at its start and at its end."""
    length = len(body) + 12 if length is None else length
    end = length if end is None else end
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", end)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    return raw_block(kind, pad(body), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + pad(value)


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(SECTION, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(
    name: str | bytes | None = None,
    order: str = "<",
    *,
    linktype: int = ETHERNET,
    snap: int = 0,
    resolution: int | None = None,
    offset: int | None = None,
    more: bytes = b"",
) -> bytes:
    """An interface; `resolution` is the byte of if_tsresol: a power of 10, or with its upper bit set, of 2."""
    options = more
    if name is not None:
        options += option(IF_NAME, name.encode() if isinstance(name, str) else name, order)
    if resolution is not None:
        options += option(IF_TSRESOL, bytes([resolution]), order)
    if offset is not None:
        options += option(IF_TSOFFSET, struct.pack(order + "q", offset), order)
    if options:
        options += option(0, b"", order)
    return block(INTERFACE, struct.pack(order + "HHI", linktype, 0, snap) + options, order)


def packet(
    number: int, ticks: int, data: bytes, order: str = "<", *, length: int | None = None, options: bytes = b""
) -> bytes:
    """An enhanced packet block, of interface `number`."""
    length = len(data) if length is None else length
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(PACKET, head + pad(data) + options, order)


def old_packet(number: int, ticks: int, data: bytes, order: str = "<") -> bytes:
    head = struct.pack(order + "HHIIII", number, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(OLD_PACKET, head + data, order)


def simple_packet(data: bytes, order: str = "<", *, length: int | None = None) -> bytes:
    return block(SIMPLE_PACKET, struct.pack(order + "I", len(data) if length is None else length) + data, order)


def journal(entry: bytes, order: str = "<") -> bytes:
    return block(JOURNAL, entry, order)


def custom(data: bytes = b"abcd", order: str = "<", kind: int = CUSTOM) -> bytes:
    return block(kind, struct.pack(order + "I", 32473) + data, order)  # RFC 5612: a number for examples


def pcap(
    records: list[tuple[int, int, bytes]], order: str = "<", *, nano: bool = False, linktype: int = ETHERNET
) -> bytes:
    """A classic pcap of records (seconds, micro- or nanoseconds, bytes)."""
    header = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype)
    return header + b"".join(struct.pack(order + "IIII", s, f, len(d), len(d)) + d for s, f, d in records)


def udp(data: bytes = b"pywnv", identification: int = 1, *, ttl: int = 64) -> bytes:
    """An IPv4 packet without a link header: a UDP datagram from 10.0.0.1 to 10.0.0.2."""
    datagram = struct.pack(">HHHH", 1000, 2000, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), identification, 0, ttl, 17, 0)
    head += bytes([10, 0, 0, 1, 10, 0, 0, 2])
    total = reduce(lambda a, b: (a + b & 0xFFFF) + (a + b >> 16), struct.unpack(">10H", head))
    return head[:10] + struct.pack(">H", 0xFFFF - total) + head[12:] + datagram


def ethernet(data: bytes | None = None) -> bytes:
    """An Ethernet frame between two vmNICs, around an IPv4 packet."""
    return bytes.fromhex("00155d0a000100155d0a00020800") + (udp() if data is None else data)


@dataclass(frozen=True)
class Block:
    """A block of a little-endian pcapng."""

    kind: int
    start: int
    data: bytes


def blocks(capture: bytes) -> Iterator[Block]:
    """The blocks of a little-endian pcapng."""
    at = 0
    while at < len(capture):
        kind, length = struct.unpack_from("<II", capture, at)
        yield Block(kind, at, capture[at : at + length])
        at += length


def packets(capture: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The packet blocks of a little-endian pcapng: each one's ticks, bytes, and length on the wire."""
    for one in blocks(capture):
        if one.kind == PACKET:
            _, high, low, size, length = struct.unpack_from("<5I", one.data, 8)
            yield high << 32 | low, one.data[28 : 28 + size], length


def first_frames(capture: bytes, count: int) -> bytes:
    """A little-endian pcapng up to its frame `count`, without the blocks behind."""
    taken, frames = [], 0
    for one in blocks(capture):
        taken.append(one.data)
        frames += one.kind == PACKET
        if frames == count:
            break
    return b"".join(taken)


WIFI = bytes.fromhex("08010000 00155d0a0003 00155d0a0002 00155d0a0001 1000 aaaa030000000800")
# LINKTYPE_*: a link header of its kind, before IPv4.
LINK_HEADERS = {
    ETHERNET: bytes.fromhex("00155d0a000100155d0a00020800"),
    0: bytes.fromhex("02000000"),
    12: b"",
    14: b"",
    RAW: b"",
    105: WIFI,
    108: bytes.fromhex("00000002"),
    113: bytes.fromhex("0000 0001 0006 00155d0a00020000 0800"),
    127: bytes.fromhex("0000 0800 00000000") + WIFI,
    228: b"",
    276: bytes.fromhex("0800 0000 00000001 0001 00 06 00155d0a00020000"),
    9: bytes.fromhex("ff030021"),  # PPP and what follows: not understood
    147: b"",
    192: bytes.fromhex("0000 0800 01000000"),
}

SECONDS = 1763900000
JOURNAL_ENTRY = b"__REALTIME_TIMESTAMP=%d\n_COMM=vmms\nMESSAGE=NBL received\n" % (SECONDS * 10**6 + 3)
ODD_NAMES = (
    'a "quoted", "name"',
    "lines\r\nand\ttabs",
    "\\Device\\NPF_{FA1BD34F-5FCE-4815-9E44-F7AEFDFDE5CD}",
    "以太网 2",
    ']] os.execute("x") --',
    "'; DROP TABLE",
    "<b>&amp;%s%d</b>",
    "\\n \\u0041 \\",
    " spaces ",
    "",
)


def _links() -> bytes:
    interfaces = [interface(f"link {kind}", linktype=kind) for kind in LINK_HEADERS]
    ticks = range(SECONDS * 10**6, SECONDS * 10**6 + 10 * len(LINK_HEADERS), 10)
    heads = zip(ticks, LINK_HEADERS.values(), strict=True)
    packets = [packet(number, tick, head + udp()) for number, (tick, head) in enumerate(heads)]
    return section() + b"".join(interfaces + packets)


def _blocks(order: str) -> bytes:
    tick, frame = SECONDS * 10**6, ethernet()
    return b"".join(
        (
            section(order, option(3, b"an OS", order)),
            interface("zero", order, snap=262144),
            block(STATISTICS, struct.pack(order + "III", 0, 0, 0), order),
            packet(0, tick, frame, order, options=option(1, b"a comment", order) + option(0x9001, b"odd", order)),
            interface(None, order),
            packet(1, tick + 1, frame, order, length=1500),
            simple_packet(frame, order),
            journal(JOURNAL_ENTRY, order),
            old_packet(1, tick + 50_000, frame, order),
            block(0x7777, b"unknown", order),
            block(0x8000BEEF, b"somebody's own", order),
            custom(b"data", order),
            custom(b"more data", order, kind=CUSTOM_NOT_COPIED),
            block(NAMES, bytes(4), order),
            packet(0, tick + 50_001, frame, order),
            packet(0, tick - 7, ethernet(udp(b"earlier", 2)), order),
            packet(1, tick + 2**33, b"", order, length=60),
        )
    )


def _sections() -> bytes:
    tick, frame = SECONDS * 10**6, ethernet()
    return b"".join(
        (
            section() + interface("first") + interface("second") + packet(1, tick, frame),
            section(">") + interface("third", ">", resolution=9) + packet(0, tick * 1000 + 5, frame, ">"),
            section() + interface("fourth", linktype=RAW) + packet(0, tick + 2, udp()) + interface("fifth"),
            packet(1, tick + 3, frame),
        )
    )


def _names() -> bytes:
    packets = [packet(number, SECONDS * 10**6 + number, ethernet()) for number in range(len(ODD_NAMES))]
    return section() + b"".join([interface(name) for name in ODD_NAMES] + packets)


def odd_captures() -> dict[str, bytes]:
    """Captures that hold what a reader may meet: every link header, kind of block, byte order and name."""
    records = [(SECONDS, 999_999, ethernet()), (SECONDS, 0, ethernet()), (2**32 - 1, 5, ethernet(udp(b"", 2)))]
    return {
        "links.pcapng": _links(),
        "blocks-little.pcapng": _blocks("<"),
        "blocks-big.pcapng": _blocks(">"),
        "sections.pcapng": _sections(),
        "names.pcapng": _names(),
        "journal-first.pcapng": section() + interface() + journal(JOURNAL_ENTRY) + packet(0, 5, ethernet()),
        "us-little.pcap": pcap(records),
        "us-big.pcap": pcap(records, ">"),
        "ns-little.pcap": pcap(records, nano=True),
        "ns-big.pcap": pcap(records, ">", nano=True),
        "raw.pcap": pcap([(s, f, data[14:]) for s, f, data in records], linktype=RAW),
    }
