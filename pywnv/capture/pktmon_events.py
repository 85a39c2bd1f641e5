"""Events of Microsoft-Windows-PktMon: packets, drops, and the components of the network stack that saw them.

Sources: microsoft/NetMon_Parsers_for_PacketMon, jdu2600/Windows10EtwEvents, and the descriptions that traces of
Windows 10 to 11 (builds 19042 to 26200) carry. All of it goes by event id and position.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from pywnv.capture.etl import Event, utf16

PROVIDER = uuid.UUID("4d4f80d9-c8bd-4d73-bb5b-19c90402c5ac").bytes_le

FLOW, DROP, DROP_AGAIN = 160, 170, 240  # a packet, one that was dropped, one that was counted as dropped before
PACKETS = frozenset({FLOW, DROP, DROP_AGAIN})
OUT_OF_BAND = (180, 190)
COMPONENT, REGISTERED, UNREGISTERED = 20, 270, 280
NUMBER, GUID_PROPERTY, HEX, MEDIUM, IPV4, IPV6, BYTES, TEXT, ETHER_TYPE = 30, 40, 50, 60, 65, 66, 70, 73, 75
DROP_COUNTERS, FLOW_COUNTERS = 80, 90
FILTERS = (100, 110)
RUNDOWN = frozenset({COMPONENT, *range(NUMBER, ETHER_TYPE + 1), DROP_COUNTERS, FLOW_COUNTERS, *FILTERS})

PREFIX = struct.Struct("<QHHHHHHHIIHH")
OOB_VLAN_AT = 46  # bytes into an event of out-of-band data: NDIS_NET_BUFFER_LIST_8021Q_INFO, in a pointer
TOLD = 0xFF  # version of an event that a text tells of: words for the comment follow the packet
UNKNOWN_REASON = 2**32 - 1
MOST_VLANS = 100_000  # that are remembered of out-of-band data
MOST_PROPERTIES = 256  # of a component

DIRECTIONS = {1: "In", 2: "Out", 3: "Rx", 4: "Tx", 5: "Ingress", 6: "Egress"}
INBOUND, OUTBOUND = (1, 3), (2, 4)  # into and out of a vmSwitch are neither
ETHERNET, WIFI, IP = 1, 2, 3  # packet types

# Properties of a component.
IF_INDEX, MINIPORT, LOWER, IF_GUID, NDIS_MEDIUM, PHYS_ADDRESS, _, _, _, SWITCH_NAME, EXT_IF_INDEX = range(1, 12)
LOWEST, IP_ADDRESS, IP_IF_INDEX, VSID, VLAN = range(12, 17)
PROPERTY_NAMES = {
    1: "IfIndex",
    2: "MiniportIfIndex",
    3: "LowerIfIndex",
    4: "IfGuid",
    5: "NdisMedium",
    6: "PhysAddress",
    7: "EtherType",
    8: "OptDataPath",
    9: "NdisObject",
    10: "VMSwitchName",
    11: "VmsExtIfIndex",
    12: "LowestIfIndex",
    13: "IpAddress",
    14: "IpIfIndex",
    15: "VSID",
    16: "VLAN",
    17: "CompartmentId",
}

Value = int | str | bytes


class Packet(NamedTuple):
    """A packet at one edge of a component.

    Attributes:
        group: PktGroupId: the same for all sightings of a packet, where Windows counts them.
        number: PktNumber, of the packet in its group.
        appearance: which sighting this is; 0 if Windows does not count.
        direction: a key of DIRECTIONS, or 0.
        type: PacketType: ETHERNET, WIFI, IP or another.
        component, edge: where it was seen.
        filter: the filter of pktmon that let it through.
        reason, location: why and where it was dropped; 0 for others.
        original: its length, in bytes.
        data: what was recorded of it.
        dropped: whether it was.
        again: whether it was counted as dropped before.
        words: what else there is to say of it, as words of a comment.
    """

    group: int
    number: int
    appearance: int
    direction: int
    type: int
    component: int
    edge: int
    filter: int
    reason: int
    location: int
    original: int
    data: bytes
    dropped: bool
    again: bool
    words: str = ""


@dataclass
class Component:
    """A part of the network stack.

    Attributes:
        id: that pktmon gave it.
        type: ComponentType: 2 miniport, 3 filter, 4 protocol ...; 0 if the trace does not say.
        name: of its driver.
        description: what it calls itself.
        properties: (PropertyType, value), in order.
        edges: their names by number.
        flow: packets and bytes by edge: in, out.
        drops: packets and bytes: in, out.
    """

    id: int
    type: int = 0
    name: str = ""
    description: str = ""
    properties: list[tuple[int, Value]] = field(default_factory=list)
    edges: dict[int, str] = field(default_factory=dict)
    flow: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    drops: tuple[int, int, int, int] = (0, 0, 0, 0)

    def values(self, kind: int) -> list[Value]:
        """The values of a property."""
        return [value for number, value in self.properties if number == kind]

    def number(self, *kinds: int) -> int | None:
        """The first number of these properties that it has and that is not 0."""
        numbers = (value for kind in kinds for value in self.values(kind))
        return next((value for value in numbers if isinstance(value, int) and value), None)

    def text(self, kind: int) -> str | None:
        """The first text of a property."""
        return next((value for value in self.values(kind) if isinstance(value, str) and value), None)

    @property
    def mac(self) -> bytes | None:
        """Its MAC address."""
        found = (value for value in self.values(PHYS_ADDRESS) if isinstance(value, bytes))
        return next((value for value in found if len(value) == 6 and any(value)), None)


def read_packet(event: Event) -> Packet | None:
    """The packet that an event shows; None for other events, and where it is cut."""
    if event.id not in PACKETS or len(event.data) < PREFIX.size:
        return None
    (group, number, appearance, direction, kind, component, edge, filter_, reason, location, original, logged) = (
        PREFIX.unpack_from(event.data)
    )
    data = event.data[PREFIX.size : PREFIX.size + logged]
    return Packet(
        group,
        number,
        appearance,
        direction,
        kind,
        component,
        edge,
        filter_,
        reason,
        location,
        max(original, len(data)),
        data,
        event.id != FLOW,
        event.id == DROP_AGAIN,
        event.data[PREFIX.size + logged :].decode() if event.version == TOLD else "",
    )


def packet_place(data: bytes) -> tuple[int, int, int]:
    """Component, edge and packet type of a packet event, of PREFIX.size bytes at least."""
    kind, component, edge = struct.unpack_from("<14xHHH", data)
    return component, edge, kind


class Components:
    """The components that a trace tells of, and what it says of packets by the way."""

    def __init__(self) -> None:
        self.by_id: dict[int, Component] = {}
        self.filters: list[Event] = []
        self._vlans: dict[bytes, int] = {}

    def get(self, number: int) -> Component:
        """A component; an empty one if the trace does not describe it."""
        component = self.by_id.get(number)
        if component is None:
            component = self.by_id[number] = Component(number)
        return component

    def vlan(self, event: Event) -> int | None:
        """The VLAN of a packet, by its out-of-band data or by its component; None if neither says."""
        found = self._vlans.get(_sighting(event.data))
        if found is None:
            found = self.get(packet_place(event.data)[0]).number(VLAN)
        return found if found and found < 4096 else None

    def take(self, event: Event) -> bool:
        """Remembers what an event of pktmon says of components; whether that is all that it says."""
        data = event.data
        try:
            if event.id in (COMPONENT, REGISTERED, UNREGISTERED):
                self._component(data)
            elif event.id in FILTERS:
                self.filters.append(event)
            elif event.id in OUT_OF_BAND:
                self._out_of_band(data, event.wide)
            elif NUMBER <= event.id <= ETHER_TYPE:
                self._property(event.id, data)
            elif event.id == DROP_COUNTERS:
                (number, *counters) = struct.unpack_from("<HHQQHQQ", data)
                self.get(number).drops = (counters[1], counters[2], counters[4], counters[5])
            elif event.id == FLOW_COUNTERS:
                self._edge(data)
        except struct.error:  # cut, or another version
            return False
        return event.id in RUNDOWN

    def _component(self, data: bytes) -> None:
        number, kind = struct.unpack_from("<HH", data)
        component = self.get(number)
        name, at = utf16(data, 4)
        description, _ = utf16(data, at)
        component.type, component.name, component.description = kind, _known(name), _known(description)

    def _property(self, form: int, data: bytes) -> None:
        number, kind = struct.unpack_from("<HH", data)
        value: Value
        if form in (NUMBER, HEX):
            (value,) = struct.unpack_from("<I", data, 4)
        elif form in (MEDIUM, ETHER_TYPE):
            (value,) = struct.unpack_from("<H", data, 4)
        elif form == TEXT:
            value = utf16(data, 4)[0]
        elif form == BYTES:
            (size,) = struct.unpack_from("<I", data, 4)
            value = data[8 : 8 + size]
        elif form in (GUID_PROPERTY, IPV4, IPV6):
            value = data[4 : 8 if form == IPV4 else 20]
        else:
            return
        component = self.get(number)
        if len(component.properties) < MOST_PROPERTIES and (kind, value) not in component.properties:
            component.properties.append((kind, value))

    def _edge(self, data: bytes) -> None:
        (number,) = struct.unpack_from("<H", data)
        name, at = utf16(data, 2)
        edge, _, packets_in, bytes_in, _, packets_out, bytes_out = struct.unpack_from("<HHQQHQQ", data, at)
        component = self.get(number)
        component.edges[edge] = name.strip()
        component.flow[edge] = (packets_in, bytes_in, packets_out, bytes_out)

    def _out_of_band(self, data: bytes, wide: bool) -> None:
        if not wide:
            return
        (tag,) = struct.unpack_from("<Q", data, OOB_VLAN_AT)
        vlan = tag >> 4 & 0xFFF
        if vlan and len(self._vlans) < MOST_VLANS:
            self._vlans[_sighting(data)] = vlan


def _sighting(data: bytes) -> bytes:
    """What tells a sighting of a packet from all others: group, number, appearance, component and edge."""
    return data[:12] + data[16:20]


def _known(name: str) -> str:
    """A name; "" where pktmon writes that it has none."""
    name = name.strip()
    return "" if name == "NULL" else name
