"""Writes the blocks of a pcapng (draft-ietf-opsawg-pcapng), little-endian, with times of 100 ns."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from pywnv.capture import pcapng
from pywnv.capture.pcapng import INTERFACE, JOURNAL

PACKET, STATISTICS = 6, 5
COMMENT, END = 1, 0
HARDWARE, SYSTEM, PROGRAM = 2, 3, 4  # of a section
IF_NAME, IF_DESCRIPTION, IF_IPV4, IF_IPV6, IF_MAC, IF_SPEED, IF_TSRESOL, IF_FILTER, IF_HARDWARE = (
    2,
    3,
    4,
    5,
    6,
    8,
    9,
    11,
    15,
)
FLAGS, PACKET_ID, VERDICT, PROCESS = 2, 5, 7, 8
RECEIVED, DROPPED = 4, 5  # packets, of statistics
INBOUND, OUTBOUND = 1, 2
DROP_VERDICT = b"\2" + struct.pack("<Q", 1)  # as etl2pcapng marks a drop: Linux_eBPF_XDP, XDP_DROP
HUNDRED_NANOSECONDS = 7  # if_tsresol: ten to the minus seventh

LONGEST_OPTION = 65_532  # bytes
BLANKS = dict.fromkeys((*range(32), 127), " ")  # what control characters become

ORDER = "<"  # of the bytes

Option = tuple[int, bytes]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(options: Iterable[Option]) -> bytes:
    made = b"".join(pcapng.option(code, value, ORDER) for code, value in options)
    return made + bytes(4) if made else b""


def text(value: str) -> bytes:
    """A text as an option holds it, without control characters, and not longer than it may be."""
    data = value.translate(BLANKS).encode("utf-8", "replace")
    return data if len(data) <= LONGEST_OPTION else data[:LONGEST_OPTION].decode("utf-8", "ignore").encode()


def section(options: Sequence[Option]) -> bytes:
    """A section header."""
    return pcapng.section(ORDER, _options(options))


def interface(linktype: int, options: Sequence[Option]) -> bytes:
    """An interface whose times count 100 ns."""
    resolution = (IF_TSRESOL, bytes([HUNDRED_NANOSECONDS]))
    ordered = sorted([*options, resolution], key=lambda option: option[0])
    return pcapng.block(INTERFACE, struct.pack("<HHI", linktype, 0, 0) + _options(ordered), ORDER)


def packet(number: int, time: int, data: bytes, length: int, options: Iterable[Option]) -> bytes:
    """A packet of interface `number`; `time` counts 100 ns since 1970, `length` is that on the wire."""
    head = struct.pack("<IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), length)
    return pcapng.block(PACKET, head + _padded(data) + _options(options), ORDER)


def journal(fields: Iterable[tuple[str, str]]) -> bytes:
    """A journal entry (systemd's export format), closed by a NUL as etl2pcapng does it."""
    lines = b"".join(name.encode() + b"=" + text(value) + b"\n" for name, value in fields)
    return pcapng.block(JOURNAL, _padded(lines + b"\0"), ORDER)


def statistics(number: int, time: int, options: Iterable[Option]) -> bytes:
    """Statistics of interface `number`."""
    return pcapng.block(
        STATISTICS, struct.pack("<III", number, time >> 32, time & 0xFFFFFFFF) + _options(options), ORDER
    )
