"""Reads what ``pktmon list --json`` and ``pktmon comp list --json`` print as a topology.

No page says what stands in there; the shape is as its readers take it (JamesKehr/pktmon-tools, Windows Admin Center).
What is not understood is left out: a name for fewer places, but no wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pywnv.host.model import Role
from pywnv.host.parts import Parts
from pywnv.host.topology import Topology

SWITCH = "VMS Protocol Nic"
MINIPORT = "Miniport"
VIRTUAL: dict[str, Role] = {"VM Nic": "vmNIC", "Host vNic": "host vNIC", "NetVsc": "vmNIC"}
LAYERS: dict[str, Role] = {"Filter": "filter", "Protocol": "protocol", "HTTP": "protocol"}
TEAM = re.compile(r"Microsoft Network Adapter Multiplexor Driver( #\d+)?")
LONGEST_NAME = 120


@dataclass
class _Component:
    name: str
    kind: str
    ids: list[int]
    properties: dict[str, list[object]] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        return next(iter(self.numbers(name)), None)

    def numbers(self, name: str) -> list[int]:
        found = (_number(value) for value in self.properties.get(name, ()))
        return [number for number in found if number is not None]

    @property
    def macs(self) -> list[str]:
        found = (value for value in self.properties.get("mac address", ()) if isinstance(value, str))
        texts = (re.sub(r"[^0-9a-f]", "", value.lower().removeprefix("0x")) for value in found)
        return [text for text in texts if len(text) == 12]


def _number(value: object) -> int | None:
    text = str(value).strip() if isinstance(value, str | int) else ""
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) and int(text) < 2**32 else None


def is_list(value: object) -> bool:
    """Whether a JSON value is a list of pktmon's: of groups, or of components."""
    return isinstance(value, list) and any(
        isinstance(item, dict) and ("Components" in item or "Id" in item) for item in value
    )


def _rows(value: object) -> Iterator[tuple[dict[str, object], str]]:
    """Each component, and the name of its group."""
    for item in value if isinstance(value, list) else []:
        if not isinstance(item, dict):
            continue
        if "Components" not in item:
            yield item, ""
            continue
        components, group = item["Components"], item.get("Group")
        for row in components if isinstance(components, list) else [components]:
            if isinstance(row, dict):
                yield row, group if isinstance(group, str) else ""


def _component(row: dict[str, object], group: str) -> _Component:
    properties: dict[str, list[object]] = {}
    listed = row.get("Properties")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and isinstance(each.get("Name"), str):
            properties.setdefault(each["Name"].lower(), []).append(each.get("Value"))
    name, kind = row.get("Name"), row.get("Type")
    if not (isinstance(name, str) and name.strip()):
        named = next(iter(properties.get("switch name", ())), group)
        name = named if isinstance(named, str) else group
    ids = [number for number in (_number(row.get("Id")), _number(row.get("SecondaryId"))) if number]
    kind = kind if isinstance(kind, str) else ""
    return _Component(" ".join(name.split())[:LONGEST_NAME], kind, ids, properties)


def topology(value: object) -> Topology:
    """The topology that a list of pktmon's describes."""
    components = [component for row, group in _rows(value) if (component := _component(row, group)).name]
    switches = [component for component in components if component.kind == SWITCH]
    switch_of_ifindex: dict[int | None, str] = {
        number: component.name for component in switches for number in component.numbers("ext ifindex")
    }
    switch_of_uplink: dict[int | None, str] = {
        number: component.name for component in switches for number in component.numbers("nic ifindex")
    }
    virtual = {
        (component.number("ifindex"), *component.macs): component
        for component in components
        if component.kind in VIRTUAL and component.number("ifindex") is not None and component.macs
    }
    parts = Parts()
    for component in components:
        ifindex, name = component.number("ifindex"), component.name
        if component.kind == SWITCH:
            parts.add(name, "vSwitch", component_ids=component.ids)
        elif component.kind in LAYERS:
            parts.add(name, LAYERS[component.kind], component_ids=component.ids, descriptions=[name])
        elif component.kind not in VIRTUAL and ifindex in switch_of_ifindex:  # the switch once more, as a miniport
            parts.add(switch_of_ifindex[ifindex], "vSwitch", component_ids=component.ids, descriptions=[name])
        else:
            # A virtual adapter is there twice, too: as itself, and as the miniport that it is to Windows.
            adapter = virtual.get((ifindex, *component.macs), component)
            role = VIRTUAL.get(adapter.kind)
            if role is None and TEAM.fullmatch(name):
                role = "tNIC"
            elif role is None and component.kind == MINIPORT and ifindex in switch_of_uplink:
                role = "pNIC"
            parts.add(
                adapter.name,
                role,
                component_ids=component.ids,
                descriptions=[name],
                ifindexes=component.numbers("ifindex")[:1],
                macs=component.macs,
            )
            for number in component.numbers("ext ifindex"):
                parts.connect(switch_of_ifindex.get(number), adapter.name)
            parts.connect(switch_of_uplink.get(ifindex), adapter.name)
    return parts.topology()
