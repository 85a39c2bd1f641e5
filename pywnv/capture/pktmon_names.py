"""Finds names, roles and order of pktmon's components, from the trace's lists of components and of adapters.

Types, properties and adapter numbers decide, never texts, as these are in the language of the host.
"""

from __future__ import annotations

from dataclasses import dataclass

from pywnv.capture.pktmon_events import (
    EXT_IF_INDEX,
    IF_INDEX,
    IP_IF_INDEX,
    LOWER,
    LOWEST,
    MINIPORT,
    NDIS_MEDIUM,
    SWITCH_NAME,
    Component,
    Components,
)
from pywnv.capture.trace_host import RADIO_MEDIA, Host
from pywnv.host.model import Role
from pywnv.host.pktmon_list import TEAM
from pywnv.host.topology import Nic, Topology

MINIPORT_TYPE, FILTER_TYPE, VM_NIC, HOST_VNIC, SWITCH_PORT, SWITCH_NIC, NETCX = 2, 3, 5, 6, 7, 8, 14
ADAPTERS = (MINIPORT_TYPE, VM_NIC, HOST_VNIC, SWITCH_PORT, 9, NETCX)
ROLES: dict[int, Role] = {
    FILTER_TYPE: "filter",
    4: "protocol",
    VM_NIC: "vmNIC",
    HOST_VNIC: "host vNIC",
    SWITCH_PORT: "vSwitch",
    SWITCH_NIC: "vSwitch",
    9: "vmNIC",
    10: "protocol",
    11: "protocol",
    13: "protocol",
    15: "protocol",
}
# Hardware to the guest or host that they are in, says Windows; by their drivers we know better.
VIRTUAL_DRIVERS: dict[str, Role] = {"netvsc.sys": "vmNIC", "vmsproxyhnic.sys": "host vNIC"}

LONGEST = 100  # characters of a title
DEEPEST = 64  # filters on one adapter


@dataclass(frozen=True)
class Place:
    """How an edge of a component is called.

    Attributes:
        title: without its role.
        role: as far as the trace tells; None if only driver and description do.
    """

    title: str
    role: Role | None


class Namer:
    """Names the components of one trace, once all of it has been read."""

    def __init__(self, components: Components, host: Host) -> None:
        self._components, self._host = components, host
        all_components = components.by_id.values()
        self._miniports = {
            index: one
            for one in all_components
            if one.type in ADAPTERS and (index := one.number(IF_INDEX)) is not None and one.description
        }
        # The vmSwitch and the team bind to their adapters as protocols.
        self._uplinks = {
            index
            for one in all_components
            if one.type == SWITCH_NIC and (index := one.number(MINIPORT, IF_INDEX, LOWEST)) is not None
        }
        self._lower = {
            index: one.number(LOWER, MINIPORT)
            for one in all_components
            if one.type == FILTER_TYPE and (index := one.number(IF_INDEX)) is not None
        }

    def adapter(self, component: Component) -> int | None:
        """The ifIndex of the adapter that a component belongs to."""
        if component.type in ADAPTERS:
            return component.number(IF_INDEX, MINIPORT)
        return component.number(MINIPORT, IP_IF_INDEX, LOWEST, EXT_IF_INDEX, IF_INDEX)

    def _adapter_name(self, index: int | None) -> str | None:
        if index is None:
            return None
        adapter = self._host.adapters.get(index)
        if adapter and adapter.alias:
            return adapter.alias
        miniport = self._miniports.get(index)
        return miniport.description if miniport else f"ifIndex {index}"

    def role(self, component: Component) -> Role | None:
        """What kind of place a component is; None if its driver must tell."""
        if component.type not in (MINIPORT_TYPE, NETCX):
            return ROLES.get(component.type)
        if component.name.lower() in VIRTUAL_DRIVERS:
            return VIRTUAL_DRIVERS[component.name.lower()]
        if TEAM.fullmatch(component.description):
            return "tNIC"
        index = self.adapter(component)
        adapter = self._host.adapters.get(index) if index is not None else None
        medium = component.number(NDIS_MEDIUM)
        if (adapter and adapter.is_physical) or index in self._uplinks or medium in RADIO_MEDIA:
            return "pNIC"
        return None

    def title(self, component: Component) -> str:
        """What a component is called, without its role and edge."""
        on = self._adapter_name(self.adapter(component))
        driver, description = component.name, component.description
        if component.type in (SWITCH_PORT, SWITCH_NIC):
            title = component.text(SWITCH_NAME) or on or description or driver
        elif component.type == VM_NIC:
            title = description or on or driver
        elif component.type in ADAPTERS:
            title = on if on and not on.startswith("ifIndex") else description or on or driver
        else:
            title = driver or description
            if driver and description and component.type != FILTER_TYPE:
                title = f"{driver} ({description})"
            title = f"{title} on {on}" if title and on else title
        return " ".join(title.split())[:LONGEST] if title else f"component {component.id}"

    def place(self, component: Component, edge: int, edges: set[int]) -> Place:
        """How an edge is called.

        Args:
            component: whose edge it is.
            edge: its number.
            edges: numbers of the component's edges that packets were seen at.
        """
        title, known = self.title(component), component.edges
        if len(edges | known.keys()) > 1 and (edge or edge in known):  # logs do not tell the edge of a drop
            name = known.get(edge) or f"edge {edge}"
            head, mark, tail = title.partition(" on ")
            title = f"{head} {name}{mark}{tail}"
        return Place(title, self.role(component))

    def rank(self, component: Component, edge: int) -> tuple[int, int, int, int, int]:
        """Where an edge stands: adapter by adapter, and on each from the wire up."""
        adapter = self.adapter(component)
        layer = 0 if component.type in ADAPTERS else 1 if component.type == FILTER_TYPE else 2
        depth, below = 0, component.number(IF_INDEX)
        while component.type == FILTER_TYPE and below in self._lower and depth < DEEPEST:
            depth, below = depth + 1, self._lower[below]
        return (2**32 if adapter is None else adapter, layer, depth, component.id, edge)

    def topology(self) -> Topology:
        """The adapters with their names, roles and addresses."""
        taken: dict[tuple[str, Role | None], dict[str, list[object]]] = {}
        claimed: set[int] = set()
        for component in self._components.by_id.values():
            if component.type not in ADAPTERS or not component.description:
                continue
            keys = taken.setdefault((self.title(component), self.role(component)), {})
            keys.setdefault("component_ids", []).append(component.id)
            if component.mac and component.mac.hex() not in keys.setdefault("macs", []):
                keys["macs"].append(component.mac.hex())
            index = component.number(IF_INDEX)
            if index is not None and index not in claimed:
                claimed.add(index)
                keys.setdefault("ifindexes", []).append(index)
        return Topology(
            nics=[Nic.model_validate({"name": title, "role": role, **keys}) for (title, role), keys in taken.items()]
        )
