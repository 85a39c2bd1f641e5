"""Recognizes variants of pcap that have the usual magic number but other record headers, by looking at the records.

Source: Wireshark's wiretap/libpcap.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

RECORD = 16  # bytes of an ordinary record's header
LARGEST = 16 * 1024 * 1024  # bytes of a packet; batch.lua refuses more
MICROSECONDS = 10**6  # a second; kinds without a magic number are older than nanoseconds
RECORDS = 3  # that are looked at
MOST_CAPTURED, MOST_LENGTH = 256 * 1024, 128 * 1024 * 1024  # bytes of a packet that is no sign of another kind
MOST_INTERFACE = 10_000
FIRST_ETHERTYPE = 0x0600
OTHER_PROTOCOLS = frozenset({*range(0x18), 0x60, 0x200, 0x400})  # of Linux
MOST_KIND = 4  # PACKET_* of Linux
AIX = (2, 2)
AIX_LINKTYPES = frozenset({6, 9, 15, 24})  # ifType of RFC 1573


@dataclass(frozen=True)
class Layout:
    """How records differ from ordinary ones.

    Attributes:
        more: bytes behind a record's header.
        swapped: the length on the wire comes before the captured one.
        maybe_swapped: so it is where it would be the smaller one.
    """

    more: int = 0
    swapped: bool = False
    maybe_swapped: bool = False

    def lengths(self, first: int, second: int) -> tuple[int, int]:
        """The captured length, and that on the wire."""
        is_swapped = self.swapped or (self.maybe_swapped and first > second)
        return (second, first) if is_swapped else (first, second)


ORDINARY, RED_HAT, NOKIA = Layout(), Layout(more=8), Layout(more=4)  # Red Hat 6.1
DG_UX = (543, 0)


def is_aix(version: tuple[int, int], linktype: int) -> bool:
    """Whether a pcap is of AIX, whose numbers of links are others and whose times are nanoseconds."""
    return version == AIX and linktype in AIX_LINKTYPES


def layout(version: tuple[int, int], units: int, data: bytes, order: str, *, ends: bool) -> Layout:
    """How the records of a pcap are laid out.

    Args:
        version: of the format.
        units: of timestamps, per second.
        data: what follows the file's header, as far as it was read.
        order: "<" or ">".
        ends: whether the file ends there.
    """
    if (2, 0) <= version < (2, 3) or version == DG_UX:
        return Layout(swapped=True)
    if version == (2, 3):
        return Layout(maybe_swapped=True)
    if units != MICROSECONDS or _fits(ORDINARY, data, order, least=0, ends=False):
        return ORDINARY
    return next((each for each in (RED_HAT, NOKIA) if _fits(each, data, order, least=2, ends=ends)), ORDINARY)


def _fits(layout: Layout, data: bytes, order: str, *, least: int, ends: bool) -> bool:
    """Whether the first records, and at least so many, make sense; where data `ends`, none may be cut."""
    at = seen = 0
    while seen < RECORDS and at + RECORD + layout.more <= len(data):
        _, fraction, captured, length = struct.unpack_from(order + "IIII", data, at)
        if fraction >= MICROSECONDS or captured > min(length, MOST_CAPTURED) or length > MOST_LENGTH:
            return False
        if layout != ORDINARY and length == 0:  # a damaged file may be filled with zeros
            return False
        if layout == RED_HAT and not _is_red_hat(data, at + RECORD, order):
            return False
        at += RECORD + layout.more + captured
        seen += 1
    is_cut = at > len(data) or (seen < RECORDS and at < len(data))
    return seen >= least and not (ends and is_cut)


def _is_red_hat(data: bytes, at: int, order: str) -> bool:
    interface, protocol, kind = struct.unpack_from(order + "IHB", data, at)
    is_protocol = protocol >= FIRST_ETHERTYPE or protocol in OTHER_PROTOCOLS
    return bool(interface <= MOST_INTERFACE and is_protocol and kind <= MOST_KIND)


def ordinary(pieces: Iterable[bytes], order: str, layout: Layout) -> Iterator[bytes]:
    """The records of a pcap, which come in pieces, as ordinary ones; a record that is cut stays so."""
    header, size = struct.Struct(order + "IIII"), RECORD + layout.more
    rest = b""
    for piece in pieces:
        rest += piece
        made: list[bytes] = []
        at = 0
        while at + size <= len(rest):
            seconds, fraction, *lengths = header.unpack_from(rest, at)
            captured, length = layout.lengths(*lengths)
            end = at + size + captured
            if len(rest) < end and captured <= LARGEST:
                break
            made += (header.pack(seconds, fraction, captured, length), rest[at + size : end])
            at = end
        rest = rest[at:]
        if made:
            yield b"".join(made)
    if len(rest) >= size:
        seconds, fraction, *lengths = header.unpack_from(rest)
        yield header.pack(seconds, fraction, *layout.lengths(*lengths)) + rest[size:]
    elif rest:
        yield rest[: RECORD - 1]
