"""The blocks of a pcapng that are not packets: sections, interfaces, journal entries.

Source: draft-ietf-opsawg-pcapng; for what counts as a frame, Wireshark's wiretap/pcapng.c.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pywnv.errors import CaptureError

SECTION_HEADER = 0x0A0D0D0A
INTERFACE = 0x00000001
STATISTICS = 0x00000005
JOURNAL = 0x00000009
CUSTOM = (0x00000BAD, 0x40000BAD)
# Blocks of other tools that Wireshark shows as frames and that only Wireshark understands.
FOREIGN_RECORDS = frozenset({0x204, 0x208, 0x216, 0x221})  # sysdig events

MAGIC = b"\x0a\x0d\x0d\x0a"
BIG_ENDIAN_MAGIC = b"\x1a\x2b\x3c\x4d"

OPT_END = 0
IF_NAME = 2
IF_DESCRIPTION = 3
IF_TSRESOL = 9
IF_FCSLEN = 13
IF_TSOFFSET = 14
ISB_IFDROP = 5

# What the interface of a classic pcap is called in a pcapng made from it; lua/engine/engine.lua knows it.
NO_INTERFACE = b"no interface (from a pcap file)"

JOURNAL_MICROSECONDS = re.compile(rb"\d{1,18}")  # as many as fit 64 bits

MOST_LINKTYPE = 65535  # that fits an interface description
MOST_UNITS = 2**40  # a second; finer than any clock, and what the engine can divide exactly


@dataclass(frozen=True)
class PcapHeader:
    """The header of a classic pcap (draft-ietf-opsawg-pcap).

    Attributes:
        order: "<" or ">".
        units: of timestamps, per second.
        linktype: LINKTYPE_* of its frames.
        snap: most bytes captured of a frame.
        fcs: bits of the frame check sequence that ends each frame; None if the header does not say.
    """

    order: str
    units: int
    linktype: int
    snap: int
    fcs: int | None


@dataclass(frozen=True)
class Interface:
    """An interface description.

    Attributes:
        linktype: LINKTYPE_* of its frames.
        snap: most bytes captured of a frame; 0 for all.
        name: if_name, as bytes of the file; None if it has none.
        description: if_description, likewise.
        units: of timestamps, per second.
        offset: seconds to add to timestamps.
    """

    linktype: int
    snap: int
    name: bytes | None
    description: bytes | None
    units: int
    offset: int


def options(body: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """The options of a block, (code, value), up to where they break off."""
    at = 0
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == OPT_END or at + 4 + size > len(body):
            return
        yield code, body[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)


def read_interface(body: bytes, order: str) -> Interface:
    """The interface that an interface description block describes.

    Args:
        body: of the block, between its two lengths.
        order: "<" or ">", the section's.

    Raises:
        CaptureError: it is too short, or its timestamps are finer than 2^40 a second.
    """
    if len(body) < 8:
        raise CaptureError("an interface description that is too short")
    linktype, _, snap = struct.unpack_from(order + "HHI", body)
    name, description, units, offset = None, None, 10**6, 0
    for code, value in options(body[8:], order):
        if code == IF_NAME and name is None:
            name = value.partition(b"\0")[0]
        elif code == IF_DESCRIPTION and description is None:
            description = value.partition(b"\0")[0]
        elif code == IF_TSRESOL and len(value) == 1:
            units = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == IF_TSOFFSET and len(value) == 8:
            (offset,) = struct.unpack(order + "q", value)
    if units > MOST_UNITS:
        raise CaptureError(f"an interface whose timestamps count {units:.0e} units a second")
    return Interface(linktype, snap, name, description, units, offset)


def block(kind: int, body: bytes, order: str) -> bytes:
    """A block, with its lengths."""
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(code: int, value: bytes, order: str) -> bytes:
    """An option of a block."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface_of(pcap: PcapHeader, order: str, path: Path) -> bytes:
    """The body of an interface description for the packets of the classic pcap `path`.

    Raises:
        CaptureError: no interface description can hold its link type.
    """
    if pcap.linktype > MOST_LINKTYPE:
        words = f"its link type is {pcap.linktype}, and a pcapng names none above {MOST_LINKTYPE}"
        raise CaptureError(f"{path}: {words}")
    options = option(IF_NAME, NO_INTERFACE, order)
    options += option(IF_TSRESOL, bytes([len(str(pcap.units)) - 1]), order)
    if pcap.fcs is not None:
        options += option(IF_FCSLEN, bytes([pcap.fcs]), order)
    return struct.pack(order + "HHI", pcap.linktype, 0, pcap.snap) + options + bytes(4)


def section(order: str, options: bytes = b"") -> bytes:
    """A section header of unknown length.

    Args:
        order: "<" or ">", of the section.
        options: with the one that ends them; empty for none.
    """
    return block(SECTION_HEADER, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def beginning(pcap: PcapHeader, path: Path) -> bytes:
    """The section and the interface with which a pcapng made from the classic pcap `path` begins.

    Raises:
        CaptureError: likewise.
    """
    return section(pcap.order) + block(INTERFACE, interface_of(pcap, pcap.order, path), pcap.order)


def journal_time(body: bytes) -> tuple[int, int] | None:
    """Seconds and nanoseconds since 1970 of a systemd journal entry, None if it tells none."""
    for line in body.split(b"\n", 64):
        key, _, value = line.partition(b"=")
        if key == b"__REALTIME_TIMESTAMP":
            match = JOURNAL_MICROSECONDS.fullmatch(value)
            if match is None:
                return None
            seconds, micros = divmod(int(match[0]), 10**6)
            return seconds, micros * 1000
    return None
