"""Makes the packets of a trace into frames of a pcapng, with their interfaces, options and comments.

A comment has a fixed form, which engine/tool_comments.lua reads back: `wnv: ` and words `key=value`; in a value, any
byte that is not a plain character is written as %XX.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from pywnv.capture import ndiscap_events as ndiscap
from pywnv.capture import pktmon_events as pktmon
from pywnv.capture import write
from pywnv.capture.etl import Event
from pywnv.capture.links import ETHERNET, RAW, USER0, WIFI
from pywnv.capture.pktmon_names import Namer
from pywnv.capture.trace_host import Host

UNKNOWN_PROCESS, UNKNOWN_CPU = 2**32 - 1, 2**16 - 1
LONGEST_COMMENT = 4000  # bytes; tool_comments.lua reads 4096
LARGEST_PACKET = 256 * 1024  # bytes, put together from fragments
PROTECTED = 0x40  # flag of an 802.11 frame

SNAP = b"\xaa\xaa\x03"
ETHERTYPES = frozenset({0x0800, 0x86DD, 0x0806, 0x888E, 0x8100, 0x88A8, 0x88CC, 0x88D9, 0x890D})

PktmonKey = tuple[int, int, int]  # component, edge, linktype
NdisKey = tuple[int, int, int, int, int]  # miniport, lower, linktype, port, VLAN; -1: no port of a vmSwitch


@dataclass(frozen=True)
class Frame:
    """A packet, ready to be written: `time` counts 100 ns since 1970, `length` is that on the wire."""

    interface: int
    time: int
    data: bytes
    length: int
    options: list[write.Option]
    dropped: bool = False


class Taken:
    """An event that is part of a frame to come."""


TAKEN = Taken()


@dataclass
class _Pending:
    """A packet of which not all fragments have come."""

    event: Event
    fragment: ndiscap.Fragment
    parts: list[bytes] = field(default_factory=list)


def escaped(text: str) -> str:
    """A value as a comment holds it."""
    return re.sub(r"[\x00-\x20%:,=\x7f]", lambda match: f"%{ord(match[0]):02X}", text)


def _process(event: Event) -> list[str]:
    words = [] if event.pid in (0, UNKNOWN_PROCESS) else [f"pid={event.pid}", f"tid={event.tid}"]
    return words if event.cpu == UNKNOWN_CPU else [*words, f"cpu={event.cpu}"]


def _comments(words: list[str]) -> list[write.Option]:
    """The comment; what is too much for one goes into more, which begin otherwise."""
    line = write.text(" ".join(["wnv:", *words]))
    if len(line) <= LONGEST_COMMENT:
        return [(write.COMMENT, line)]
    lines = [b"wnv:"]
    for word in map(write.text, words):
        if len(lines[-1]) + len(word) >= LONGEST_COMMENT:
            lines.append(b"wnv+")
        lines[-1] += b" " + word
    return [(write.COMMENT, each) for each in lines]


def _is_wifi(data: bytes) -> bool:
    """Whether a frame that pktmon calls Wi-Fi is one: at lower edges it calls Ethernet frames so, too."""
    if len(data) < 14:
        return True
    ethertype = int.from_bytes(data[12:14], "big")
    return ethertype not in ETHERTYPES or bool(_snap_at(data))


def _snap_at(data: bytes) -> int | None:
    """Where the LLC header of an 802.11 data frame in the clear begins."""
    if len(data) < 24 or data[0] & 0x0F != 0x08:
        return None
    at = 24 + (6 if data[1] & 3 == 3 else 0) + (2 if data[0] & 0x80 else 0)
    if data[0] & 0x80 and data[1] & 0x80:
        at += 4
    return at if data[at : at + 3] == SNAP else None


def _pktmon_linktype(kind: int, data: bytes) -> int:
    if kind == pktmon.ETHERNET:
        return ETHERNET
    if kind == pktmon.WIFI:
        return WIFI if _is_wifi(data) else ETHERNET
    return RAW if kind == pktmon.IP else USER0


class Frames:
    """Makes frames of one trace: `take` all events first, write `interfaces`, then ask for each `frame`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.components = pktmon.Components()
        self.namer = Namer(self.components, host)
        self._edges: defaultdict[int, set[int]] = defaultdict(set)
        self._pktmon_keys: dict[PktmonKey, int] = {}
        self._ndis_keys: dict[NdisKey, int] = {}
        self._ports: dict[NdisKey, ndiscap.Port] = {}
        self._radio: dict[tuple[int, int], ndiscap.Radio] = {}
        self._pending: dict[tuple[int, int, int], _Pending] = {}

    def take(self, event: Event) -> bool:
        """The first pass: notes what an event says of interfaces; whether that is all that it says."""
        if event.provider == pktmon.PROVIDER:
            packet = pktmon.read_packet(event)
            if packet is None:
                return self.components.take(event)
            key = (packet.component, packet.edge, _pktmon_linktype(packet.type, packet.data))
            self._pktmon_keys.setdefault(key, 0)
            self._edges[packet.component].add(packet.edge)
        elif event.provider == ndiscap.PROVIDER and event.id in ndiscap.PACKETS:
            fragment = ndiscap.read_fragment(event)
            if fragment:
                key_of_port = _ndis_key(fragment)
                self._ndis_keys.setdefault(key_of_port, 0)
                if fragment.source:
                    self._ports.setdefault(key_of_port, fragment.source)
        return False

    def interfaces(self, filters: list[str]) -> Iterator[bytes]:
        """The interface blocks; `filters` are those of pktmon, in words."""
        self.namer = Namer(self.components, self._host)
        number = 0
        for key in sorted(self._pktmon_keys, key=lambda key: self._rank(key)):
            self._pktmon_keys[key] = number
            number += 1
            yield write.interface(key[2], self._pktmon_interface(key, filters))
        for port in sorted(self._ndis_keys):
            self._ndis_keys[port] = number
            number += 1
            yield write.interface(port[2], self._ndis_interface(port))

    def _rank(self, key: PktmonKey) -> tuple[int, ...]:
        component, edge, linktype = key
        return (*self.namer.rank(self.components.get(component), edge), linktype)

    def _pktmon_interface(self, key: PktmonKey, filters: list[str]) -> list[write.Option]:
        number, edge, _ = key
        component = self.components.get(number)
        place = self.namer.place(component, edge, self._edges[number])
        words = [place.role or "unknown", *([component.name] if component.name else [])]
        name = f"{place.title} [{', '.join(words)}, component {number}, edge {edge}]"
        made = [(write.IF_NAME, write.text(name))]
        if component.description:
            made.append((write.IF_DESCRIPTION, write.text(component.description)))
        if component.name:
            made.append((write.IF_HARDWARE, write.text(component.name)))
        for value in component.values(pktmon.IP_ADDRESS):
            if isinstance(value, bytes) and len(value) == 4:
                made.append((write.IF_IPV4, value + b"\xff\xff\xff\xff"))
            elif isinstance(value, bytes) and len(value) == 16:
                made.append((write.IF_IPV6, value + b"\x80"))
        index = self.namer.adapter(component)
        adapter = self._host.adapters.get(index) if index is not None else None
        mac = component.mac or (adapter and adapter.mac)
        if mac:
            made.append((write.IF_MAC, mac))
        if adapter and adapter.speed:
            made.append((write.IF_SPEED, struct.pack("<Q", adapter.speed)))
        if filters:
            made.append((write.IF_FILTER, b"\0" + write.text("; ".join(filters))))
        facts = [f"component type {component.type}"]
        facts += [f"edge {component.edges[edge]}"] if edge in component.edges else []
        facts += [
            f"{pktmon.PROPERTY_NAMES.get(kind, f'property {kind}')} {_shown(value)}"
            for kind, value in component.properties
        ]
        made.append((write.COMMENT, write.text(", ".join(facts))))
        return made

    def _ndis_interface(self, key: NdisKey) -> list[write.Option]:
        """Named as etl2pcapng does it; where the trace tells what people call the adapter, that is the description."""
        miniport, lower, linktype, port_id, vlan = key
        port = self._ports.get(key)
        adapter = self._host.adapters.get(lower)
        words = f"LWF over IfIndex {lower}" if lower != miniport else ""
        if port:
            name = f"vNIC:{port.nic_type}:{port.name}:{lower}:{vlan}"
        else:
            kind = {WIFI: "wifi", RAW: "mbb"}.get(linktype)
            name = f"{kind}:{lower}" if kind else f"eth:{lower}:0"
            words = words or (adapter.alias if adapter else "")
        if port and vlan:
            words += f" VlanID={vlan} "
        made = [(write.IF_NAME, write.text(name))]
        if words:
            made.append((write.IF_DESCRIPTION, write.text(words)))
        if adapter and not port:
            made += [(write.IF_MAC, adapter.mac)] if adapter.mac else []
            made += [(write.IF_SPEED, struct.pack("<Q", adapter.speed))] if adapter.speed else []
            made.append((write.IF_HARDWARE, write.text(adapter.description)))
        if port_id >= 0:
            made.append((write.COMMENT, write.text(f"port {port_id}, miniport IfIndex {miniport}")))
        return made

    def frame(self, event: Event) -> Frame | Taken | None:
        """The frame that an event makes; TAKEN where it is part of one to come, None if it shows no packet."""
        if event.provider == pktmon.PROVIDER:
            packet = pktmon.read_packet(event)
            return self._pktmon_frame(event, packet) if packet else None
        if event.provider == ndiscap.PROVIDER:
            radio = ndiscap.read_radio(event)
            if radio:
                self._radio[radio[0]] = radio[1]
                return TAKEN
            fragment = ndiscap.read_fragment(event)
            return self._fragment(event, fragment) if fragment else None
        return None

    def _pktmon_frame(self, event: Event, packet: pktmon.Packet) -> Frame:
        linktype = _pktmon_linktype(packet.type, packet.data)
        number = self._pktmon_keys[packet.component, packet.edge, linktype]
        words = [*_process(event), f"component={packet.component}", f"edge={packet.edge}"]
        direction = pktmon.DIRECTIONS.get(packet.direction)
        words += [f"direction={direction}"] if direction else []
        words += [f"type={packet.type}"] if packet.type != pktmon.ETHERNET else []
        words += [f"number={packet.number}", f"appearance={packet.appearance}"]
        words += [f"filter={packet.filter}"] if packet.filter else []
        vlan = self.components.vlan(event)
        words += [f"vlan={vlan}"] if vlan else []
        if packet.dropped:
            words += [f"drop={packet.reason}"] if packet.reason != pktmon.UNKNOWN_REASON else []
            words += [f"location=0x{packet.location:08X}"]
            words += ["again=1"] if packet.again else []
        words += packet.words.split()
        options = _comments(words)
        if packet.direction in pktmon.INBOUND + pktmon.OUTBOUND:
            inbound = packet.direction in pktmon.INBOUND
            options.append((write.FLAGS, struct.pack("<I", write.INBOUND if inbound else write.OUTBOUND)))
        if packet.group:
            options.append((write.PACKET_ID, struct.pack("<Q", packet.group)))
        if packet.dropped:
            options.append((write.VERDICT, write.DROP_VERDICT))
        return Frame(number, event.time, packet.data, packet.original, _with_process(event, options), packet.dropped)

    def _fragment(self, event: Event, fragment: ndiscap.Fragment) -> Frame | Taken:
        """A frame of a whole packet; the parts of one are kept until its last."""
        stream = (fragment.miniport, fragment.lower, event.cpu)
        if fragment.starts and fragment.ends:
            return self._ndis_frame(event, fragment)
        pending = None if fragment.starts else self._pending.get(stream)
        if pending is None:
            pending = self._pending[stream] = _Pending(event, fragment)
        if sum(map(len, pending.parts)) + len(fragment.data) <= LARGEST_PACKET:
            pending.parts.append(fragment.data)
        if not fragment.ends:
            return TAKEN
        del self._pending[stream]
        return self._ndis_frame(pending.event, pending.fragment._replace(data=b"".join(pending.parts)))

    def unfinished(self) -> Iterator[Frame]:
        """Packets whose last part never came."""
        for pending in self._pending.values():
            yield self._ndis_frame(pending.event, pending.fragment._replace(data=b"".join(pending.parts)))

    def _ndis_frame(self, event: Event, fragment: ndiscap.Fragment) -> Frame:
        words = _process(event)
        source = fragment.source
        if fragment.lower != fragment.miniport:
            words.append(f"miniport={fragment.miniport}")
        if source:
            words += [f"vlan={fragment.vlan}"] if fragment.vlan else []
            words += [f"port={source.id}", f"nic_type={escaped(source.nic_type)}", f"nic={escaped(source.nic)}"]
            words += [f"port_name={escaped(source.name)}", f"destinations={len(fragment.destinations)}"]
            oob = ",".join(f"{number}:{value:x}" for number, value in fragment.oob)
            words += [f"oob={oob}"] if oob else []
            for port in fragment.destinations:
                words.append(f"to={port.id}:{':'.join(map(escaped, (port.nic_type, port.nic, port.name)))}")
        radio = self._radio.pop((fragment.miniport, fragment.lower), None)
        if radio:
            words.append(f"radio={','.join(f'{name}:{value}' for name, value in radio._asdict().items())}")
        options = _comments(words)
        if fragment.sent is not None:
            options.append((write.FLAGS, struct.pack("<I", write.OUTBOUND if fragment.sent else write.INBOUND)))
        data = fragment.data
        if fragment.linktype == WIFI and _snap_at(data) and data[1] & PROTECTED:
            data = data[:1] + bytes([data[1] & ~PROTECTED]) + data[2:]  # it is decrypted, whatever it says
        number = self._ndis_keys[_ndis_key(fragment)]
        length = ndiscap.length_on_the_wire(fragment)
        return Frame(number, event.time, data, length, _with_process(event, options))

    def statistics(self, time: int) -> Iterator[bytes]:
        """What pktmon itself counted at each interface, up to `time`."""
        for (number, edge, _), interface in self._pktmon_keys.items():
            component = self.components.get(number)
            options = []
            if edge in component.flow:
                packets_in, _, packets_out, _ = component.flow[edge]
                options.append((write.RECEIVED, struct.pack("<Q", min(packets_in + packets_out, 2**64 - 1))))
            if any(component.drops):
                dropped = min(component.drops[0] + component.drops[2], 2**64 - 1)
                options.append((write.DROPPED, struct.pack("<Q", dropped)))
            if options:
                yield write.statistics(interface, time, options)


def _with_process(event: Event, options: list[write.Option]) -> list[write.Option]:
    if event.pid not in (0, UNKNOWN_PROCESS):
        options.append((write.PROCESS, struct.pack("<II", event.pid, event.tid)))
    return options


def _ndis_key(fragment: ndiscap.Fragment) -> NdisKey:
    port = fragment.source.id if fragment.source else -1
    return (fragment.miniport, fragment.lower, fragment.linktype, port, fragment.vlan if fragment.source else 0)


def _shown(value: pktmon.Value) -> str:
    if not isinstance(value, bytes):
        return str(value)
    if len(value) in (4, 16):
        return str(ipaddress.ip_address(value)) if len(value) == 4 else value.hex()
    return value.hex("-")
