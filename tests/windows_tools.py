"""Writes what a Windows host recorded as its capture tools do, byte for byte.

Sources: microsoft/etl2pcapng src/main.c (1.12), Wireshark extcap/etl.c and extcap/etw_ndiscap.c (4.0),
JamesKehr/pspkt class/pspkt.cs; for `pktmon etl2pcap`, files that it wrote.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pcapng_blocks import ETHERNET, IF_NAME, JOURNAL, STATISTICS, block, interface, option, packet, pad, section

SECOND = 10**7  # times count 100 ns, as ETW does
SINCE_1601 = 11_644_473_600  # seconds

COMMENT, FLAGS, PACKET_ID, VERDICT, PROCESS = 1, 2, 5, 7, 8  # of a packet
DESCRIPTION, MAC = 3, 6  # of an interface
HARDWARE, SYSTEM, PROGRAM = 2, 3, 4  # of a section
WIFI, ETW = 105, 290  # link types
INBOUND, OUTBOUND = 1, 2

LONGEST = 256  # characters of a name, with the NUL behind it

SWITCH_PROVIDER = "Microsoft-Windows-Hyper-V-VmSwitch"
SWITCH_GUID = struct.pack("<IHH8s", 0x67DC0D66, 0x3695, 0x47C0, bytes.fromhex("964233f76f7bd7ad"))
DATA_PATH = 0x2  # keyword of events about packets


class Port(NamedTuple):
    """A port of a vmSwitch, as ndiscap notes it."""

    id: int
    nic_type: str
    nic: str
    name: str
    vlan: int = 0


class Component(NamedTuple):
    """A component of pktmon, and the group that pspkt shows it in."""

    id: int
    driver: str
    description: str = ""
    group: str = ""
    parent: int = 0
    mac: bytes = b""


@dataclass(frozen=True)
class Place:
    """Where a host records packets: a NIC by its ifIndex, a port of a vmSwitch, a component of pktmon."""

    ifindex: int = 0
    linktype: int = ETHERNET
    port: Port | None = None
    component: Component | None = None


@dataclass(frozen=True)
class Frame:
    """A packet recorded at a place.

    The rest is what one tool or another notes: whether the host sent it, whose time it was, how many NICs the vmSwitch
    sends it to, pktmon's id of the packet and edge, and why and where it was dropped.
    """

    time: int
    place: Place
    data: bytes
    sent: bool = True
    pid: int = 4
    tid: int = 208
    destinations: int = 0
    id: int = 0
    edge: str = "Egress"
    drop: tuple[int, int] | None = None


@dataclass(frozen=True)
class Event:
    """An event of the vmSwitch's provider."""

    time: int
    id: int
    message: str
    pid: int = 4
    tid: int = 208
    cpu: int = 1


Record = Frame | Event
Writer = Callable[[Iterable[Record]], bytes]


def _interface(
    linktype: int, name: str, description: str, *, snap: int, mac: bytes = b"", resolution: int | None = None
) -> bytes:
    more = option(IF_NAME, name.encode()) if name else b""
    more += option(DESCRIPTION, description.encode()) if description else b""
    more += option(MAC, mac) if mac else b""
    return interface(linktype=linktype, snap=snap, resolution=resolution, more=more)


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(option(code, value) for code, value in options) + option(0, b"")


def _direction(frame: Frame) -> tuple[int, bytes]:
    return FLAGS, struct.pack("<I", OUTBOUND if frame.sent else INBOUND)


def _comment(frame: Frame, *, etl2pcapng: bool) -> str:
    words = f"PID={frame.pid} TID={frame.tid}" if etl2pcapng else f"PID={frame.pid}"
    if frame.place.linktype == WIFI and not frame.sent:
        words += " Packet Metadata: ReceiveFlags:0x0, PhyType:802.11ac, CenterCh:5180, NumMPDUsReceived:1, "
        words += "RSSI:-47, DataRate:13"
    port = frame.place.port
    if port:
        words += f" VlanId={port.vlan} SrcPortId={port.id} SrcNicType={port.nic_type}"
        words += f" SrcNicName={port.nic} SrcPortName={port.name}"
        words += f" DstNicCount={frame.destinations}" if frame.destinations else ""
        words += " HashValue=00000000" if etl2pcapng else ""
    return words if len(words) < LONGEST else ""


def _ndis_name(place: Place, *, etl2pcapng: bool) -> str:
    port = place.port
    if place.linktype == WIFI:
        name = f"wifi:{place.ifindex}"
    elif port is None:
        name = f"eth:{place.ifindex}:0"
    elif etl2pcapng:
        name = f"vNIC:{port.nic_type}:{port.name}:{place.ifindex}:{port.vlan}"
    else:
        name = f"{port.name}:{port.nic_type}:{port.id}:{port.vlan}"
    return name[: LONGEST - 1]


def _ndis_description(place: Place) -> str:
    return f" VlanID={place.port.vlan} " if place.port and place.port.vlan else ""


def _journal(event: Event) -> bytes:
    micros = event.time // 10
    text = f"__REALTIME_TIMESTAMP={micros}\n_COMM={SWITCH_PROVIDER}\nMESSAGE={event.message}\n"
    entry = text.encode() + b"\0"
    return block(JOURNAL, entry + b"\xf0\xad\xba"[: -len(entry) % 4])  # what was in its memory


def etl2pcapng(records: Iterable[Record], *, exact: bool = False) -> bytes:
    """A netsh or NetEvent trace, as etl2pcapng 1.12 converts it.

    It writes microseconds and cuts off the rest. With `exact` the file says 100 ns, as the trace does: no tool of
    today writes that.
    """
    records = list(records)
    places = sorted(
        {record.place for record in records if isinstance(record, Frame)},
        key=lambda place: (place.ifindex, place.port or Port(0, "", "", "")),
    )
    made = [section()]
    for place in places:
        name, description = _ndis_name(place, etl2pcapng=True), _ndis_description(place)
        made.append(_interface(place.linktype, name, description, snap=65535, resolution=7 if exact else None))
    for record in records:
        if isinstance(record, Event):
            made.append(_journal(record))
            continue
        process = [(PROCESS, struct.pack("<II", record.pid, record.tid))] if record.pid else []
        comment = _comment(record, etl2pcapng=True)
        notes = _options(_direction(record), *process, *([(COMMENT, comment.encode())] if comment else []))
        ticks = record.time if exact else record.time // 10
        made.append(packet(places.index(record.place), ticks, record.data, options=notes))
    return b"".join(made)


def _etw_record(event: Event) -> bytes:
    """An event as LINKTYPE_ETW holds it: EVENT_HEADER, ETW_BUFFER_CONTEXT, lengths, message, provider."""
    message, provider = (f"{text}\0".encode("utf-16-le") for text in (event.message, SWITCH_PROVIDER))
    header = struct.pack("<HHHHII", 0, 0, 0x0240, 0, event.tid, event.pid)
    header += struct.pack("<Q16s", event.time + SINCE_1601 * SECOND, SWITCH_GUID)
    header += struct.pack("<HBBBBHQ", event.id, 0, 0x10, 4, 0, 0, 1 << 63 | DATA_PATH) + bytes(8 + 16)
    context = struct.pack("<BBH", event.cpu, 8, 41)
    return header + context + struct.pack("<III", 0, len(message), len(provider)) + pad(message) + pad(provider)


def etwdump(records: Iterable[Record]) -> bytes:
    """A trace as Wireshark's etwdump opens it: interface 0 holds the events, those of NICs come as they are met."""
    made, places = [section(), _interface(ETW, "", "", snap=0)], []
    for record in records:
        micros = record.time // 10
        if isinstance(record, Event):
            flags = _options((FLAGS, struct.pack("<I", OUTBOUND)))
            made.append(packet(0, micros, _etw_record(record), options=flags))
            continue
        place = record.place
        if place not in places:
            places.append(place)
            name, description = _ndis_name(place, etl2pcapng=False)[:127], _ndis_description(place)
            made.append(_interface(place.linktype, name, description, snap=0))
        comment = (COMMENT, _comment(record, etl2pcapng=False).encode())
        notes = _options(_direction(record), comment)
        made.append(packet(places.index(place) + 1, micros, record.data, options=notes))
    return b"".join(made)


def _components(records: Iterable[Record]) -> list[tuple[Frame, Component]]:
    return [
        (record, record.place.component) for record in records if isinstance(record, Frame) and record.place.component
    ]


def etl2pcapng_pktmon(records: Iterable[Record]) -> bytes:
    """A trace of pktmon, as etl2pcapng 1.12 converts it: every packet is said to come in, and no drop says why."""
    found = _components(records)
    components = sorted({component for _, component in found})
    made = [section()]
    made += [_interface(ETHERNET, one.driver, one.description, snap=65535, mac=one.mac) for one in components]
    for frame, component in found:
        notes = [(FLAGS, struct.pack("<I", INBOUND))]
        notes += [(PACKET_ID, struct.pack("<Q", frame.id))] if frame.id else []
        notes += [(VERDICT, b"\2" + struct.pack("<Q", 1))] if frame.drop else []
        notes += [(PROCESS, struct.pack("<II", frame.pid, frame.tid))] if frame.pid else []
        made.append(packet(components.index(component), frame.time // 10, frame.data, options=_options(*notes)))
    return b"".join(made)


def pktmon_etl2pcap(records: Iterable[Record]) -> bytes:
    """A trace of pktmon, as `pktmon etl2pcap` converts it: one interface, no notes, no dropped packets."""
    system = (SYSTEM, b"Windows Server 2022 Datacenter"), (HARDWARE, b"Contoso Server"), (PROGRAM, b"Packet Monitor")
    made = [section(options=_options(*system)), interface()]
    made += [packet(0, frame.time // 10, frame.data) for frame, _ in _components(records) if not frame.drop]
    made.append(block(STATISTICS, struct.pack("<III", 0, 0, 0) + _options((5, bytes(8)))))
    return b"".join(made)


def pspkt(records: Iterable[Record]) -> bytes:
    """What pspkt writes while pktmon runs."""
    made = [section(options=_options((COMMENT, b"pspkt capture via Windows Packet Monitor (pktmon)")))]
    made.append(interface(resolution=6))
    for frame, component in _components(records):
        direction = "Drop" if frame.drop else frame.edge
        lines = [
            f"Group:     {component.group} ({component.parent})",
            f"Component: {component.description or component.driver} ({component.id})",
            f"Edge:      {frame.edge}",
            f"Direction: {direction}",
            "CPU:       1",
        ]
        if frame.drop:
            lines.append(f"Drop:      reason=0x{frame.drop[0]:X} location=0x{frame.drop[1]:X}")
        comment = _options((COMMENT, "\n".join(lines).encode()))
        made.append(packet(0, frame.time // 10, frame.data, options=comment))
    return b"".join(made)
