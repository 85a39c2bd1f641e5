"""Draws a host: in the terminal, as SVG; and writes it as a topology file or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywnv.host.lint.teams import attachments
from pywnv.host.model import EMPTY, Adapter, Host, Switch, Team, VirtualNic
from pywnv.host.names import vnic_of
from pywnv.host.rules import vlan_words
from pywnv.host.topology import KEYS, Topology
from pywnv.host.virtual_nics import VLAN
from pywnv.words import count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

MOST_NOTES = 10


def title(host: Host) -> str:
    """The host in one line."""
    build = f"build {host.build}" if host.build else ""
    parts = [host.computer or "a host", host.caption, build, f"collected {host.collected}" if host.collected else ""]
    return ", ".join(part for part in parts if part)


def nic_parts(host: Host, nic: VirtualNic) -> list[str]:
    """A NIC, and what it is set to."""
    mac = bytes.fromhex(nic.mac).hex("-").upper() if nic.mac else ""
    acls = [
        count(len(nic.acls), "port ACL") if nic.acls else "",
        count(len(nic.extended_acls), "extended ACL") if nic.extended_acls else "",
    ]
    guards = [
        "MAC spoofing" if nic.mac_spoofing else "",
        "DHCP guard" if nic.dhcp_guard else "",
        "router guard" if nic.router_guard else "",
        f"mirroring {nic.port_mirroring}" if nic.port_mirroring != "none" else "",
        f"isolation {nic.isolation} {nic.isolation_id}" if nic.isolation != "none" else "",
    ]
    vlan = vlan_words(nic.vlan) if VLAN in host.told else ""
    parts = [nic.label, vlan, mac, " ".join(nic.addresses), *acls, *guards]
    return [part for part in parts if part]


def adapter_words(adapter: Adapter, role: str) -> str:
    """An adapter in one line."""
    mac = bytes.fromhex(adapter.mac).hex("-").upper() if adapter.mac else ""
    index = f"ifIndex {adapter.ifindex}" if adapter.ifindex is not None else ""
    vlan = f"VLAN {adapter.vlan}" if adapter.vlan else ""
    parts = [f"{role} {adapter.name}".strip(), adapter.description, index, mac, vlan, adapter.status]
    return ", ".join(part for part in parts if part)


def switch_words(switch: Switch) -> str:
    """A switch in one line."""
    parts = [f"type {switch.kind}" if switch.kind else "", "Switch Embedded Teaming" if switch.teaming else ""]
    return ", ".join([f"vSwitch {switch.name}", *(part for part in parts if part)])


def team_words(team: Team) -> str:
    """A team in one line."""
    more = [f"also {nic.name}" for nic in team.nics if not nic.primary]
    parts = [f"tNIC {team.name}", team.mode, team.balancing, *more]
    return ", ".join(part for part in parts if part)


def roles(topology: Topology) -> dict[str, str]:
    """The role of each part, by its name in lower case."""
    found: dict[str, str] = {nic.name.casefold(): nic.role or "" for nic in topology.nics}
    return found | {team.name.casefold(): "tNIC" for team in topology.teams}


def below(topology: Topology, name: str) -> tuple[str, list[str]]:
    """An adapter or a team below a switch, and the members of a team, each in words."""
    host = topology.host or Host()
    adapters = {adapter.name.casefold(): adapter for adapter in host.adapters}
    own = roles(topology)

    def words(each: str) -> str:
        adapter = adapters.get(each.casefold())
        return adapter_words(adapter, own.get(each.casefold(), "")) if adapter else each

    for team in host.teams:
        if name.casefold() in {team.name.casefold(), *(nic.name.casefold() for nic in team.nics)}:
            return team_words(team), [words(member) for member in team.members]
    return words(name), []


def draw(topology: Topology, console: Console) -> None:
    """Draws the switches with their NICs and uplinks, what is connected to none, and what the inventory left out."""
    from rich.text import Text
    from rich.tree import Tree

    host = topology.host or Host()
    root = Tree(Text(title(host), style="bold"))
    for switch in host.switches:
        _draw_switch(topology, switch, root.add(Text(switch_words(switch), style="bold cyan")))
    lonely = [nic for nic in host.nics if not nic.switch]
    if lonely:
        branch = root.add(Text("on no vSwitch", style="yellow"))
        for nic in lonely:
            branch.add(Text(", ".join(nic_parts(host, nic))))
    for words, members in others(topology):
        branch = root.add(Text(words))
        for member in members:
            branch.add(Text(member))
    if not root.children:
        root.add(Text(EMPTY, style="yellow"))
    console.print(root)
    for cmdlet, reason in host.left_out.items():
        console.print(Text(f"left out: {cmdlet}: {reason}", style="dim"), soft_wrap=True)
    for note in host.notes[:MOST_NOTES]:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)
    if len(host.notes) > MOST_NOTES:
        console.print(Text(f"note: and {len(host.notes) - MOST_NOTES} more like these", style="yellow"))


def _draw_switch(topology: Topology, switch: Switch, branch: Tree) -> None:
    from rich.text import Text

    host = topology.host or Host()
    for extension in switch.extensions:
        if extension.enabled:
            vendor = f" of {extension.vendor}" if extension.vendor else ""
            branch.add(Text(f"extension {extension.name}{vendor}", style="magenta"))
    for nic in host.nics:
        if nic.switch and nic.switch.casefold() == switch.name.casefold():
            branch.add(Text(", ".join(nic_parts(host, nic))))
    for uplink in switch.uplinks:
        words, members = below(topology, uplink)
        lower = branch.add(Text(f"uplink {words}", style="green"))
        for member in members:
            lower.add(Text(member))


def others(topology: Topology) -> Iterator[tuple[str, list[str]]]:
    """Teams and adapters that no switch is attached to, each with the members of a team, in words."""
    host = topology.host or Host()
    attached = attachments(host)
    shown = {member.casefold() for team in host.teams for member in team.members} | set(attached)
    for team in host.teams:
        names = [nic.name.casefold() for nic in team.nics] or [team.name.casefold()]
        if not any(name in attached for name in names):
            yield below(topology, team.name)
        shown |= set(names)
    own = roles(topology)
    for adapter in host.adapters:
        if adapter.name.casefold() not in shown and not vnic_of(host, adapter):
            yield adapter_words(adapter, own.get(adapter.name.casefold(), "")), []


def as_json(topology: Topology) -> str:
    """The host as JSON: all that was understood of the inventory."""
    return json.dumps((topology.host or Host()).model_dump(), ensure_ascii=False, indent=2)


def as_toml(topology: Topology) -> str:
    """The names as a topology file, to be edited and given as --host."""
    lines = [f"# {title(topology.host)}" if topology.host else "# A host"]
    for room in ("nics", "teams", "switches"):
        for part in getattr(topology, room):
            lines += ["", f"[[{room}]]", f"name = {_toml(part.name)}"]
            for key in ("role", *KEYS, "members", "ports"):
                value = getattr(part, key, None)
                if value:
                    lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines)


def _toml(value: object) -> str:
    """A value of a topology as TOML: JSON's texts are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
