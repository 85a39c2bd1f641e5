"""Events of Microsoft-Windows-NDIS-PacketCapture: what `netsh trace` and the NetEvent cmdlets record.

Sources: the provider's manifest (repnz/etw-providers-docs), Wireshark's packet-messageanalyzer.c for the destinations
of event 1003, microsoft/etl2pcapng src/main.c.
"""

from __future__ import annotations

import struct
import uuid
from typing import NamedTuple

from pywnv.capture.etl import Event, utf16
from pywnv.capture.links import ETHERNET, RAW, WIFI

PROVIDER = uuid.UUID("2ed6006e-4729-4609-b423-3ee7bcd678ef").bytes_le

FRAGMENT, METADATA, SWITCH_FRAGMENT = 1001, 1002, 1003
PACKETS = frozenset({FRAGMENT, SWITCH_FRAGMENT})

MOBILE, NATIVE_WIFI = 0x200, 0x10000  # keywords
START, END = 0x40000000, 0x80000000
SENT, RECEIVED = 0x1_0000_0000, 0x2_0000_0000

MOST_DESTINATIONS = 4096  # of a packet; a vmSwitch has ports for some hundreds
MOST_OOB = 4096  # bytes

# Elements of the out-of-band data (NDIS_NET_BUFFER_LIST_INFO), each as wide as a pointer.
IEEE8021Q, HASH = 4, 8


class Port(NamedTuple):
    """A port of a vmSwitch, and the NIC at it."""

    id: int
    name: str
    nic: str
    nic_type: str


class Radio(NamedTuple):
    """How an 802.11 frame was received (DOT11_EXTSTA_RECV_CONTEXT): MHz, dBm, 500 kbit/s."""

    flags: int
    phy: int
    channel: int
    mpdus: int
    rssi: int
    rate: int


class Fragment(NamedTuple):
    """A packet, or on Windows 8 and older a part of one.

    Attributes:
        miniport: ifIndex of the adapter.
        lower: ifIndex of what lies below the layer where it was captured.
        data: the bytes.
        starts, ends: whether they are the packet's first and last.
        sent: whether the host sent it; None if the trace does not say.
        linktype: LINKTYPE_*.
        source: the port of the vmSwitch that it came from.
        destinations: ports that it goes to.
        oob: out-of-band data by its number, without what is 0.
    """

    miniport: int
    lower: int
    data: bytes
    starts: bool
    ends: bool
    sent: bool | None
    linktype: int
    source: Port | None = None
    destinations: tuple[Port, ...] = ()
    oob: tuple[tuple[int, int], ...] = ()

    @property
    def vlan(self) -> int:
        """The VLAN that the out-of-band data notes; 0 for none."""
        return dict(self.oob).get(IEEE8021Q, 0) >> 4 & 0xFFF


def _linktype(keywords: int) -> int:
    if keywords & NATIVE_WIFI:
        return WIFI
    return RAW if keywords & MOBILE else ETHERNET


def _common(event: Event) -> tuple[bool, bool, bool | None, int]:
    keywords = event.keywords
    starts, ends = bool(keywords & START), bool(keywords & END)
    if not starts and not ends:
        starts = ends = not keywords & (START | END)
    ways = keywords & (SENT | RECEIVED)
    sent = ways == SENT if ways in (SENT, RECEIVED) else None
    return starts, ends, sent, _linktype(keywords)


def read_fragment(event: Event) -> Fragment | None:
    """The packet, or the part of one, that an event shows; None if it shows none, or is broken."""
    try:
        if event.id == FRAGMENT:
            miniport, lower, size = struct.unpack_from("<III", event.data)
            data = event.data[12 : 12 + size]
            return Fragment(miniport, lower, data, *_common(event)) if len(data) == size else None
        return _switch_fragment(event) if event.id == SWITCH_FRAGMENT else None
    except struct.error:
        return None


def _port(data: bytes, at: int) -> tuple[Port, int]:
    (number,) = struct.unpack_from("<I", data, at)
    name, at = utf16(data, at + 4)
    nic, at = utf16(data, at)
    nic_type, at = utf16(data, at)
    return Port(number, name, nic, nic_type), at


def _switch_fragment(event: Event) -> Fragment | None:
    data = event.data
    miniport, lower = struct.unpack_from("<II", data)
    source, at = _port(data, 8)
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    if count > MOST_DESTINATIONS:
        return None
    destinations = []
    for _ in range(count):
        port, at = _port(data, at)
        destinations.append(port)
    (size,) = struct.unpack_from("<I", data, at)
    packet = data[at + 4 : at + 4 + size]
    if len(packet) != size:
        return None
    oob = _out_of_band(data, at + 4 + size, 8 if event.wide else 4)
    return Fragment(miniport, lower, packet, *_common(event), source, tuple(destinations), oob)


def _out_of_band(data: bytes, at: int, width: int) -> tuple[tuple[int, int], ...]:
    if at + 4 > len(data):
        return ()
    size = min(int.from_bytes(data[at : at + 4], "little"), len(data) - at - 4, MOST_OOB)
    starts = range(at + 4, at + 4 + size - width + 1, width)
    values = ((number, int.from_bytes(data[start : start + width], "little")) for number, start in enumerate(starts))
    return tuple((number, value) for number, value in values if value)


def read_radio(event: Event) -> tuple[tuple[int, int], Radio] | None:
    """The adapter (miniport, lower) whose next packet a metadata event is about, and what it says; None for others."""
    if event.id != METADATA or len(event.data) < 12 + 48:
        return None
    miniport, lower, _ = struct.unpack_from("<III", event.data)
    flags, phy, channel, mpdus, rssi, rate = struct.unpack_from("<IIIHxxiB", event.data, 16)
    return (miniport, lower), Radio(flags, phy, channel, mpdus, rssi, rate)


def length_on_the_wire(fragment: Fragment) -> int:
    """How long a packet was, by its IP header, where it was cut; else as it is here."""
    data = fragment.data
    length = len(data)
    if fragment.linktype == ETHERNET and length >= 34:
        ethertype = data[12:14]
        if ethertype == b"\x08\x00":
            return max(length, int.from_bytes(data[16:18], "big") + 14)
        if ethertype == b"\x86\xdd":
            return max(length, int.from_bytes(data[18:20], "big") + 54)
    return length
