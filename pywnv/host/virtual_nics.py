"""Joins what cmdlets returned of virtual NICs: each NIC with its VLAN setting, isolation and ACLs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from pywnv.host import rows
from pywnv.host.model import ExtendedAcl, PortAcl, VirtualNic, Vlan
from pywnv.host.rows import Row, Tables

NIC, VLAN, ISOLATION = "Get-VMNetworkAdapter", "Get-VMNetworkAdapterVlan", "Get-VMNetworkAdapterIsolation"
ACL, EXTENDED_ACL = "Get-VMNetworkAdapterAcl", "Get-VMNetworkAdapterExtendedAcl"

LONGEST_TITLE = 112  # with " #2" it fits what a topology allows

Values = dict[str, Any]  # of a VirtualNic that is being made


class _Nics:
    """The virtual NICs while they are joined with their settings."""

    def __init__(self) -> None:
        self.made: list[Values] = []
        self.notes: list[str] = []
        self._by_id: dict[str, int] = {}
        self._by_name: dict[tuple[str | None, str], list[int]] = {}

    def add(self, row: Row, values: Values) -> Values:
        """Takes a NIC in."""
        (vm, name), identity, at = _owner(row), _identity(row), len(self.made)
        self.made.append({"vm": vm, "name": name, "id": identity, "acls": [], "extended_acls": [], **values})
        if identity:
            self._by_id.setdefault(identity, at)
        self._by_name.setdefault((vm and vm.casefold(), name.casefold()), []).append(at)
        return self.made[at]

    def of(self, row: Row) -> list[Values]:
        """The NICs that a row may be about: several where the inventory does not say which."""
        (vm, name), identity = _owner(row), _identity(row)
        if identity and (at := self._by_id.get(identity)) is not None:
            return [self.made[at]]
        found = self._by_name.get((vm and vm.casefold(), name.casefold()), [])
        if found or not (vm or name):
            return [self.made[at] for at in found]
        return [self.add(row, {})]  # Get-VMNetworkAdapter did not tell of it

    def leave_out(self, row: Row, nics: list[Values]) -> None:
        """Notes that a row belongs to nobody for sure."""
        if nics:
            owner = f"VM {nics[0]['vm']}" if nics[0]["vm"] else "the host"
            self.notes.append(f"{row.place}: left out: {owner} has {len(nics)} NICs {nics[0]['name']!r}")
        else:
            self.notes.append(f"{row.place}: left out: names no NIC")


def _owner(row: Row) -> tuple[str | None, str]:
    """The VM, None for the host, and the name of the adapter that a row is about."""
    parent = row.row("ParentAdapter") or row
    name = row.text("VMNetworkAdapterName", "AdapterName") or parent.text("Name")
    vm = row.text("VMName") or parent.text("VMName")
    is_host = row.flag("IsManagementOs")
    if is_host is None:
        is_host = parent.flag("IsManagementOs")
    return (None if is_host else vm or None), name


def _identity(row: Row) -> str | None:
    """The Id of the adapter that a row is about, as in `VirtualNic.id`."""
    parent = row.row("ParentAdapter")
    text = row.text("VMNetworkAdapterId") or (parent.text("Id") if parent else row.text("Id"))
    return text.lower().removeprefix("microsoft:").replace("{", "").replace("}", "") or None


def joined(tables: Tables) -> tuple[list[VirtualNic], list[str]]:
    """The virtual NICs, and what could not be joined.

    Raises:
        WrongValueError: a value is invalid; the message names the place.
    """
    nics = _Nics()
    for row in tables.get(NIC, ()):
        if row.flag("IsExternalAdapter"):  # the switch's own port to the network
            continue
        nic = nics.add(row, _plain(row))
        if inside := row.row("VlanSetting"):
            nic["vlan"] = _vlan(inside)
        if inside := row.row("IsolationSetting"):
            nic.update(_isolation(inside))
        if ACL not in tables:
            nic["acls"] += [acl for each in row.rows("AclList") for acl in _acls(each)]
        if EXTENDED_ACL not in tables:
            nic["extended_acls"] += [_extended(each) for each in row.rows("ExtendedAclList")]
    _set(nics, tables.get(VLAN, ()), lambda row: {"vlan": _vlan(row)})
    _set(nics, tables.get(ISOLATION, ()), _isolation)
    for row in tables.get(ACL, ()):
        _append(nics, row, "acls", _acls(row))
    for row in tables.get(EXTENDED_ACL, ()):
        _append(nics, row, "extended_acls", [_extended(row)])
    titled = zip(nics.made, _titles(nics.made), strict=True)
    return [VirtualNic(**values, title=title) for values, title in titled], nics.notes


def _set(nics: _Nics, listed: Iterable[Row], read: Callable[[Row], Values]) -> None:
    """Gives each NIC its setting; NICs of one name take theirs in the order in which both are listed."""
    turns: Counter[int] = Counter()
    for row in listed:
        values, found = read(row), nics.of(row)
        turn = turns[id(found[0])] if len(found) > 1 else 0
        if turn >= len(found):
            nics.leave_out(row, found)
            continue
        turns[id(found[0])] += 1
        found[turn].update(values)


def _append(nics: _Nics, row: Row, key: str, rules: list[PortAcl] | list[ExtendedAcl]) -> None:
    found = nics.of(row)
    if len(found) == 1:
        found[0][key] += rules
    else:
        nics.leave_out(row, found)


def _titles(made: list[Values]) -> list[str]:
    """What people call the NICs: the VM, and the adapter's name where a VM has several; no two the same."""
    per_vm = Counter(nic["vm"] for nic in made)
    names = []
    for nic in made:
        several = nic["vm"] is not None and per_vm[nic["vm"]] > 1
        name = f"{nic['vm']} ({nic['name']})" if several else nic["vm"] or nic["name"] or "NIC"
        names.append(name[:LONGEST_TITLE])
    taken: Counter[tuple[bool, str]] = Counter()
    titles = []
    for nic, name in zip(made, names, strict=True):
        place = (nic["vm"] is None, name.casefold())
        taken[place] += 1
        titles.append(f"{name} #{taken[place]}" if taken[place] > 1 else name)
    return titles


def _plain(row: Row) -> Values:
    """What Get-VMNetworkAdapter itself tells."""
    switch = row.text("SwitchName") or None
    connected = row.flag("Connected")
    return {
        "mac": row.mac("MacAddress"),
        "device": row.guid("DeviceId"),
        "switch": switch,
        "addresses": row.texts("IPAddresses"),
        "connected": bool(switch) and connected is not False,
        "mac_spoofing": row.enum("MacAddressSpoofing", rows.ON_OFF, "off") == "on",
        "dhcp_guard": row.enum("DhcpGuard", rows.ON_OFF, "off") == "on",
        "router_guard": row.enum("RouterGuard", rows.ON_OFF, "off") == "on",
        "port_mirroring": row.enum("PortMirroringMode", rows.MIRRORING, "none"),
        "status": row.loose_enum("Status", rows.STATUS),
    }


def _vlan(row: Row) -> Vlan:
    mode = row.enum("OperationMode", rows.VLAN_MODE, "untagged")
    private = row.enum("PrivateVlanMode", rows.PRIVATE_MODE, "")
    if mode == "private":
        if not private:
            raise row.wrong("PrivateVlanMode", "must be Isolated, Community or Promiscuous")
        mode = private
    one = row.number("SecondaryVlanId", most=4095)
    return Vlan.model_validate(
        {
            "mode": mode,
            "access": row.number("AccessVlanId", most=4095) or 0,
            "native": row.number("NativeVlanId", most=4095) or 0,
            # A list may have been cut or written as text; its text never is.
            "allowed": row.vlans("AllowedVlanIdListString", "AllowedVlanIdList"),
            "primary": row.number("PrimaryVlanId", most=4095) or 0,
            "secondary": row.vlans("SecondaryVlanIdListString", "SecondaryVlanIdList") or ([one] if one else []),
        }
    )


def _isolation(row: Row) -> Values:
    allows = row.flag("AllowUntaggedTraffic")
    return {
        "isolation": row.enum("IsolationMode", rows.ISOLATION, "none"),
        "isolation_id": row.number("DefaultIsolationID") or 0,
        "allows_untagged": allows is not False,
    }


def _acls(row: Row) -> list[PortAcl]:
    """The rule of a row; two of one for both directions."""
    direction = row.enum("Direction", rows.ACL_DIRECTION, "")
    action = row.enum("Action", rows.ACL_ACTION, "")
    for name, value in (("Direction", direction), ("Action", action)):
        if not value:
            raise row.wrong(name, "is missing")
    local = row.address("LocalAddress", "LocalIPAddress", "LocalMacAddress", macs=True)
    remote = row.address("RemoteAddress", "RemoteIPAddress", "RemoteMacAddress", macs=True)
    directions = ["inbound", "outbound"] if direction == "both" else [direction]
    made = ({"direction": one, "action": action, "local": local, "remote": remote} for one in directions)
    return [PortAcl.model_validate(rule) for rule in made]


def _extended(row: Row) -> ExtendedAcl:
    direction = row.enum("Direction", rows.EXTENDED_DIRECTION, "")
    action = row.enum("Action", rows.EXTENDED_ACTION, "")
    for name, value in (("Direction", direction), ("Action", action)):
        if not value:
            raise row.wrong(name, "is missing")
    protocol = row.text("Protocol").upper()
    return ExtendedAcl.model_validate(
        {
            "direction": direction,
            "action": action,
            "local_address": row.address("LocalIPAddress", "LocalAddress", macs=False),
            "remote_address": row.address("RemoteIPAddress", "RemoteAddress", macs=False),
            "local_port": row.ports("LocalPort"),
            "remote_port": row.ports("RemotePort"),
            "protocol": "ANY" if protocol in ("", "*") else protocol,
            "weight": row.number("Weight", most=2**31 - 1) or 0,
            "stateful": row.flag("Stateful") or False,
            "idle_timeout": row.number("IdleSessionTimeout"),
        }
    )
