"""From what cmdlets returned to the host: joins adapters, teams, switches, virtual NICs and their rules."""

from __future__ import annotations

import re

from pywnv.host import rows, virtual_nics
from pywnv.host.model import Adapter, Antivirus, Extension, Host, Switch, Team, TeamNic, VirtualNic
from pywnv.host.pktmon_list import TEAM
from pywnv.host.rows import Row, Tables, WrongValueError
from pywnv.host.virtual_nics import ACL, EXTENDED_ACL, ISOLATION, NIC, VLAN

ADAPTER, ADAPTER_BINDING = "Get-NetAdapter", "Get-NetAdapterBinding"
TEAM_CMDLET, TEAM_MEMBER, TEAM_NIC = "Get-NetLbfoTeam", "Get-NetLbfoTeamMember", "Get-NetLbfoTeamNic"
SWITCH, SWITCH_TEAM, EXTENSION = "Get-VMSwitch", "Get-VMSwitchTeam", "Get-VMSwitchExtension"
PREFERENCE, DEFENDER = "Get-MpPreference", "Get-MpComputerStatus"
WINDOWS = "Win32_OperatingSystem"
CMDLETS = (
    *(ADAPTER, ADAPTER_BINDING, TEAM_CMDLET, TEAM_MEMBER, TEAM_NIC, SWITCH, SWITCH_TEAM, EXTENSION),
    *(NIC, VLAN, ISOLATION, ACL, EXTENDED_ACL, PREFERENCE, DEFENDER, WINDOWS),
)

MOST_RULES = 20_000  # ACLs of a host; the engine carries them all


def host(tables: Tables, *, computer: str = "", collected: str = "", left_out: dict[str, str] | None = None) -> Host:
    """The host that these tables tell of.

    Args:
        tables: rows by the cmdlet that returned them; absent ones were not asked.
        computer: its name.
        collected: when.
        left_out: cmdlets that gave nothing, and why.

    Raises:
        WrongValueError: a value is invalid; the message names the place.
    """
    nics, notes = virtual_nics.joined(tables)
    rules = sum(len(nic.acls) + len(nic.extended_acls) for nic in nics)
    if rules > MOST_RULES:
        raise WrongValueError(f"has {rules} ACLs; {MOST_RULES} are the limit")
    adapters = _adapters(tables)
    teams = _teams(tables)
    windows = next(iter(tables.get(WINDOWS, ())), Row(WINDOWS, {}))
    return Host(
        computer=computer or windows.text("CSName"),
        caption=windows.text("Caption"),
        build=windows.number("BuildNumber"),
        product_type=windows.number("ProductType"),
        collected=collected,
        left_out=left_out or {},
        notes=notes,
        told=[cmdlet for cmdlet in CMDLETS if cmdlet in tables or _is_inside(tables, cmdlet)],
        adapters=adapters,
        teams=teams,
        switches=_switches(tables, adapters, teams, nics),
        nics=nics,
        antivirus=_antivirus(tables),
    )


def _is_inside(tables: Tables, cmdlet: str) -> bool:
    """Whether Get-VMNetworkAdapter told what another cmdlet tells, too."""
    inside = {VLAN: "VlanSetting", ISOLATION: "IsolationSetting", ACL: "AclList", EXTENDED_ACL: "ExtendedAclList"}
    return cmdlet in inside and any(inside[cmdlet].lower() in row.values for row in tables.get(NIC, ()))


def _adapters(tables: Tables) -> list[Adapter]:
    bindings: dict[str, list[str]] = {}
    for row in tables.get(ADAPTER_BINDING, ()):
        if row.flag("Enabled") is not False:
            bindings.setdefault(row.text("Name").casefold(), []).append(row.text("ComponentID").lower())
    made = []
    for row in tables.get(ADAPTER, ()):
        name = row.text("Name", "InterfaceAlias")
        if name:
            made.append(
                Adapter(
                    name=name,
                    description=row.text("InterfaceDescription"),
                    ifindex=row.number("ifIndex", "InterfaceIndex"),
                    mac=row.mac("MacAddress", "LinkLayerAddress", "PermanentAddress"),
                    guid=row.guid("InterfaceGuid", "DeviceID"),
                    vlan=row.number("VlanID", most=65535) or 0,
                    status=row.text("Status"),
                    is_physical=_is_physical(row),
                    bindings=bindings.pop(name.casefold(), []),
                )
            )
    made += [Adapter(name=name, bindings=found) for name, found in bindings.items() if name]
    return made


def _is_physical(row: Row) -> bool | None:
    if row.flag("Virtual"):
        return False
    return row.flag("HardwareInterface")


def _teams(tables: Tables) -> list[Team]:
    members: dict[str, list[str]] = {}
    for row in tables.get(TEAM_MEMBER, ()):
        members.setdefault(row.text("Team").casefold(), []).append(row.text("Name"))
    nics: dict[str, list[TeamNic]] = {}
    for row in tables.get(TEAM_NIC, ()):
        team, name = row.text("Team"), row.text("Name")
        primary = row.flag("Primary")
        vlan = row.number("VlanID", most=4095)
        is_primary = name.casefold() == team.casefold() if primary is None else primary
        nics.setdefault(team.casefold(), []).append(
            TeamNic(name=name, team=team, primary=is_primary, vlan=vlan or None)
        )
    made = []
    for row in tables.get(TEAM_CMDLET, ()):
        name = row.text("Name")
        if not name:
            continue
        told = nics.get(name.casefold()) or [_team_nic(name, nic) for nic in row.texts("TeamNics")]
        made.append(
            Team(
                name=name,
                members=row.texts("Members") or members.get(name.casefold(), []),
                nics=told,
                mode=row.loose_enum("TeamingMode", rows.TEAMING),
                balancing=row.loose_enum("LoadBalancingAlgorithm", rows.BALANCING),
                status=row.text("Status"),
            )
        )
    return made


def _team_nic(team: str, name: str) -> TeamNic:
    """A team's interface by its name alone: Windows calls others `Team1 - VLAN 42`."""
    vlan = re.search(r"- VLAN (\d{1,4})$", name)
    return TeamNic(name=name, team=team, primary=name.casefold() == team.casefold(), vlan=vlan and int(vlan[1]))


def _switches(tables: Tables, adapters: list[Adapter], teams: list[Team], nics: list[VirtualNic]) -> list[Switch]:
    extensions: dict[str, list[Extension]] = {}
    for row in tables.get(EXTENSION, ()):
        extensions.setdefault(row.text("SwitchName").casefold(), []).append(_extension(row))
    members = {row.text("Name").casefold(): _uplinks(row, adapters, teams) for row in tables.get(SWITCH_TEAM, ())}
    listed = tables.get(SWITCH, ())
    made = []
    for row in listed:
        name = row.text("Name", "SwitchName")
        if not name:
            continue
        inside = [_extension(each) for each in row.rows("Extensions")]
        lonely = extensions.get("", []) if len(listed) == 1 else []
        made.append(
            Switch(
                name=name,
                id=row.guid("Id"),
                kind=row.enum("SwitchType", rows.SWITCH_TYPE, ""),
                uplinks=_uplinks(row, adapters, teams) or members.get(name.casefold(), []),
                teaming=row.flag("EmbeddedTeamingEnabled") or False,
                management=row.flag("AllowManagementOS"),
                extensions=extensions.get(name.casefold()) or lonely or inside,
            )
        )
    known = {switch.name.casefold() for switch in made}
    for switch in [nic.switch for nic in nics] + [row.text("SwitchName") for row in tables.get(EXTENSION, ())]:
        if switch and switch.casefold() not in known:
            known.add(switch.casefold())
            made.append(Switch(name=switch, extensions=extensions.get(switch.casefold(), [])))
    return made


def _extension(row: Row) -> Extension:
    enabled, running = row.flag("Enabled"), row.flag("Running")
    return Extension(
        name=row.text("Name"),
        vendor=row.text("Vendor"),
        kind=row.loose_enum("ExtensionType", rows.EXTENSION_TYPE).lower(),
        enabled=bool(running if enabled is None else enabled),
        running=running,
    )


def _uplinks(row: Row, adapters: list[Adapter], teams: list[Team]) -> list[str]:
    """Names of the adapters below a switch: by GUID, else by description; what fits none stays a description."""
    by_guid = {adapter.guid: adapter.name for adapter in adapters if adapter.guid}
    by_description = {adapter.description.casefold(): adapter.name for adapter in adapters if adapter.description}
    texts = row.texts("NetAdapterInterfaceGuid", "NetAdapterInterfaceGuids")
    found = [by_guid.get(guid) for text in texts for guid in rows.guids(text)]
    if found and all(found):
        return [name for name in found if name]
    names = []
    for text in row.texts("NetAdapterInterfaceDescriptions", "NetAdapterInterfaceDescription"):
        name = by_description.get(text.casefold())
        if name is None and TEAM.fullmatch(text) and len(teams) == 1:
            name = next((nic.name for nic in teams[0].nics if nic.primary), teams[0].name)
        names.append(name or text)
    return names


def _antivirus(tables: Tables) -> Antivirus | None:
    if PREFERENCE not in tables and DEFENDER not in tables:
        return None
    preference = next(iter(tables.get(PREFERENCE, ())), None)
    status = next(iter(tables.get(DEFENDER, ())), Row(DEFENDER, {}))
    real_time = status.flag("RealTimeProtectionEnabled")
    if preference and real_time is None and (disabled := preference.flag("DisableRealtimeMonitoring")) is not None:
        real_time = not disabled
    names = {"paths": "ExclusionPath", "processes": "ExclusionProcess", "extensions": "ExclusionExtension"}
    lists = {key: preference.texts(name) for key, name in names.items()} if preference else {}
    # Who is no administrator is told "N/A: Must be an administrator to view exclusions".
    is_told = bool(lists) and not any(text.startswith("N/A:") for texts in lists.values() for text in texts)
    automatic = preference.flag("DisableAutoExclusions") if preference else None
    return Antivirus(
        real_time=real_time,
        told=is_told,
        automatic=None if automatic is None else not automatic,
        **(lists if is_told else {}),
    )
