"""Findings about adapters, NIC teams and the switches on them."""

from __future__ import annotations

from collections.abc import Iterator

from pywnv.host.lint.finding import Finding, finding, quoted
from pywnv.host.model import Host, Team

SWITCH_BINDING = "vms_pp"  # the vmSwitch's protocol
SERVER_2022 = 20348  # build
CLIENT, CLIENT_NAMES = 1, ("windows 10", "windows 11", "windows 8", "windows 7")


def findings(host: Host) -> Iterator[Finding]:
    """All of them, team by team and adapter by adapter."""
    attached = attachments(host)
    for team in host.teams:
        yield from _team(host, team, _switch_of(team, attached))
    yield from _vlans(host, attached)


def attachments(host: Host) -> dict[str, str]:
    """The switch of each adapter that one is attached to, by the adapter's name in lower case."""
    found = {adapter.name.casefold(): "" for adapter in host.adapters if SWITCH_BINDING in adapter.bindings}
    found |= {uplink.casefold(): switch.name for switch in host.switches for uplink in switch.uplinks}
    return found


def _switch_of(team: Team, attached: dict[str, str]) -> str | None:
    """The switch on a team; an empty text where its name is not known, None if there is none."""
    names = [nic.name for nic in team.nics] or [team.name]
    return next((attached[name.casefold()] for name in names if name.casefold() in attached), None)


def is_client(host: Host) -> bool | None:
    """Whether it is a client Windows; None if unknown."""
    if host.product_type is not None:
        return host.product_type == CLIENT
    caption = host.caption.lower()
    if "server" in caption:
        return False
    return True if any(name in caption for name in CLIENT_NAMES) else None


def _on(switch: str) -> str:
    return f"the vmSwitch {switch!r}" if switch else "a vmSwitch"


def _team(host: Host, team: Team, switch: str | None) -> Iterator[Finding]:
    name = quoted(team.name)
    vlans = {adapter.name.casefold(): adapter.vlan for adapter in host.adapters}
    if is_client(host):
        what = f"a NIC team (LBFO) on {host.caption or 'a client Windows'}"
        yield finding("team-on-client", f"tNIC {team.name}", what, f"Remove-NetLbfoTeam -Name {name}")
    if len(team.members) == 1:
        what = f"the team has one member, {team.members[0]}"
        fix = f"Add-NetLbfoTeamMember -Team {name} -Name (name of a second adapter)"
        yield finding("team-single-member", f"tNIC {team.name}", what, fix)
    for nic in team.nics:
        vlan = nic.vlan or vlans.get(nic.name.casefold(), 0)
        if nic.primary and vlan:
            what = f"the team's first interface is in VLAN {vlan}"
            fix = f"Set-NetLbfoTeamNic -Team {name} -Name {quoted(nic.name)} -Default"
            yield finding("team-primary-vlan", f"tNIC {nic.name}", what, fix)
    if switch is None:
        return
    for nic in team.nics:
        if not nic.primary:
            for_vlan = f" for VLAN {nic.vlan}" if nic.vlan else ""
            what = f"a secondary interface{for_vlan} of the team {team.name!r}, which {_on(switch)} is attached to"
            fix = f"Remove-NetLbfoTeamNic -Team {name} -VlanID {nic.vlan or '(its VLAN)'}"
            if nic.vlan:
                fix += "; " + _host_nic(switch, nic.vlan)
            yield finding("team-subinterface-under-switch", f"tNIC {nic.name}", what, fix)
    if not is_client(host) and (host.build or 0) >= SERVER_2022:
        what = f"{_on(switch)} is attached to the LBFO team, on build {host.build}"
        members = ", ".join(quoted(member) for member in team.members)
        fix = f"New-VMSwitch -Name (new name) -NetAdapterName {members} -EnableEmbeddedTeaming $true"
        yield finding("team-under-switch-2022", f"tNIC {team.name}", what, f"Remove-NetLbfoTeam -Name {name}; {fix}")


def _host_nic(switch: str, vlan: int) -> str:
    """The commands that give the host a NIC of its own in a VLAN."""
    name = quoted(f"VLAN {vlan}")
    on = quoted(switch) if switch else "(name)"
    return (
        f"Add-VMNetworkAdapter -ManagementOS -Name {name} -SwitchName {on}; "
        f"Set-VMNetworkAdapterVlan -ManagementOS -VMNetworkAdapterName {name} -Access -VlanId {vlan}"
    )


def _vlans(host: Host, attached: dict[str, str]) -> Iterator[Finding]:
    """VLANs of adapters that a switch is attached to, and of the members of such a team."""
    below = dict(attached)
    interfaces = {nic.name.casefold(): nic for team in host.teams for nic in team.nics}
    through: dict[str, str] = {}
    for team in host.teams:
        switch = _switch_of(team, attached)
        if switch is not None:
            for member in team.members:
                below.setdefault(member.casefold(), switch)
                through[member.casefold()] = f" through the team {team.name!r}"
    adapters = {adapter.name.casefold(): adapter for adapter in host.adapters}
    for key, switch in below.items():
        adapter, interface = adapters.get(key), interfaces.get(key)
        vlan = (adapter.vlan if adapter else 0) or (interface.vlan if interface else 0)
        if not vlan:
            continue
        name = adapter.name if adapter else interface.name if interface else key
        what = f"has VLAN {vlan}, and {_on(switch)} is attached to it{through.get(key, '')}"
        if interface:
            fix = f"Set-NetLbfoTeamNic -Team {quoted(interface.team)} -Name {quoted(name)} -Default"
        else:
            fix = f"Set-NetAdapter -Name {quoted(name)} -VlanID 0"
        where = f"{'tNIC' if interface else 'pNIC'} {name}"
        yield finding("vlan-on-adapter-under-switch", where, what, f"{fix}; {_host_nic(switch, vlan)}")
