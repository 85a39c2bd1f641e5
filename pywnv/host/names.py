"""From the host to names and roles for hops, by all keys with which captures name its parts."""

from __future__ import annotations

from pywnv.host import rows
from pywnv.host.model import Adapter, Host, Role, Switch, Team, VirtualNic
from pywnv.host.parts import Parts
from pywnv.host.pktmon_list import TEAM
from pywnv.host.topology import Topology


def topology(host: Host) -> Topology:
    """Names and roles of all that a host has; virtual NICs by their titles."""
    parts = Parts()
    shown = {adapter.name: _shown(host, adapter) for adapter in host.adapters}
    for adapter in host.adapters:
        name, role = shown[adapter.name]
        parts.add(name, role, **_adapter_keys(adapter, vnic_of(host, adapter)))
    for team in host.teams:
        parts.add(team.name, "tNIC")
        for member in team.members:
            if member not in shown:
                parts.add(member, "pNIC", descriptions=[member])
        parts.join(team.name, [shown.get(member, (member,))[0] for member in team.members])
    for nic in host.nics:
        parts.add(nic.title, nic.role, **_nic_keys(nic))
        parts.connect(nic.switch, nic.title)
    for switch in host.switches:
        parts.add(switch.name, "vSwitch", guids=[switch.id] if switch.id else [])
        for uplink in switch.uplinks:
            if uplink not in shown:  # only its description is told
                parts.add(uplink, "tNIC" if TEAM.fullmatch(uplink) else "pNIC", descriptions=[uplink])
            parts.connect(switch.name, shown.get(uplink, (uplink,))[0])
    return parts.topology().model_copy(update={"host": host})


def host_of(topology: Topology) -> Host:
    """The host that names and roles alone tell of: no VLANs, no ACLs."""
    clean = rows.clean
    switch_of = {name: clean(switch.name) for switch in topology.switches for name in switch.ports}
    virtual = {"vmNIC", "host vNIC"}
    return Host(
        adapters=[
            Adapter(name=clean(nic.name), ifindex=next(iter(nic.ifindexes), None), mac=next(iter(nic.macs), None))
            for nic in topology.nics
            if nic.role not in (*virtual, "filter", "protocol")
        ],
        teams=[Team(name=clean(team.name), members=[*map(clean, team.members)]) for team in topology.teams],
        switches=[
            Switch(name=clean(switch.name), uplinks=[clean(name) for name in switch.ports if _is_below(topology, name)])
            for switch in topology.switches
        ],
        nics=[
            VirtualNic(
                vm=clean(nic.name) if nic.role == "vmNIC" else None,
                name=clean(nic.name),
                title=clean(nic.name),
                mac=next(iter(nic.macs), None),
                switch=switch_of.get(nic.name),
            )
            for nic in topology.nics
            if nic.role in virtual
        ],
    )


def _is_below(topology: Topology, name: str) -> bool:
    """Whether a port of a switch is its way to the network."""
    return not any(nic.name == name and nic.role in ("vmNIC", "host vNIC") for nic in topology.nics)


def vnic_of(host: Host, adapter: Adapter) -> VirtualNic | None:
    """The host vNIC that an adapter is to Windows."""
    own = [nic for nic in host.nics if nic.vm is None]
    by_guid = [nic for nic in own if nic.device and nic.device == adapter.guid]
    by_name = [nic for nic in own if adapter.name.casefold() == f"vEthernet ({nic.name})".casefold()]
    found = by_guid or by_name
    return found[0] if len(found) == 1 else None


def _shown(host: Host, adapter: Adapter) -> tuple[str, Role | None]:
    """How an adapter is called as a hop."""
    if vnic_of(host, adapter):
        return adapter.name, "host vNIC"
    for team in host.teams:
        for interface in team.nics:
            if interface.name == adapter.name:
                return team.name if interface.primary else adapter.name, "tNIC"
    if TEAM.fullmatch(adapter.description):
        return adapter.name, "tNIC"
    below = {name for team in host.teams for name in team.members}
    below |= {name for switch in host.switches for name in switch.uplinks}
    is_physical = adapter.is_physical or (adapter.is_physical is None and adapter.name in below)
    return adapter.name, "pNIC" if is_physical else None


def _adapter_keys(adapter: Adapter, nic: VirtualNic | None) -> dict[str, list[int] | list[str]]:
    """The keys of an adapter; what it shares with the host vNIC that it is, is that one's."""
    of_nic = _nic_keys(nic) if nic else {"macs": [], "guids": []}
    return {
        "ifindexes": [] if adapter.ifindex is None else [adapter.ifindex],
        "macs": [adapter.mac] if adapter.mac and adapter.mac not in of_nic["macs"] else [],
        "guids": [adapter.guid] if adapter.guid and adapter.guid not in of_nic["guids"] else [],
        "descriptions": [text for text in dict.fromkeys((adapter.description, adapter.name)) if text],
    }


def _nic_keys(nic: VirtualNic) -> dict[str, list[int] | list[str]]:
    guids = rows.guids(nic.id or "")
    names = (nic.vm, nic.name, nic.title) if nic.vm else (nic.name, nic.title, f"vEthernet ({nic.name})")
    return {
        "macs": [nic.mac] if nic.mac else [],
        "guids": list(dict.fromkeys([*guids[-1:], *([nic.device] if nic.device else [])])),
        "port_names": [name for name in dict.fromkeys(names) if name],
        # pktmon calls a host vNIC's component by its name, a VM's by its GUIDs.
        "descriptions": [nic.name] if nic.vm is None and nic.name else [],
    }
