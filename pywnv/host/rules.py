"""The VLANs and ACLs of a host's virtual NICs as Lua, for engine/host_rules.lua: addresses as bytes, rules in words."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from pywnv.host.model import ANY, ExtendedAcl, Host, PortAcl, Switch, VirtualNic, Vlan
from pywnv.host.rows import clean
from pywnv.lua.quoting import lua_literal

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_NAME = 120  # characters
RULES_A_FUNCTION = 1000
MOST_EXTENSIONS = 3  # named among what else may have dropped a packet
PROTOCOLS = {"icmp": 1, "icmpv4": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmpv6": 58, "sctp": 132}
# 00155D010203, 00-15-5D-01-02-03, 00:15:5d:01:02:03, 0015.5d01.0203
MAC = re.compile(r"[0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2}|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}")
UNMATCHED: dict[str, Any] = {"bytes": b"", "bits": 0}  # lies nowhere: an address that cannot be read matches nothing

Ranges = list[int]  # from, to, from, to ...


def shown(name: str) -> str:
    """A name of the inventory as it may be shown: on one line, without what steers a terminal, of limited length."""
    text = clean(name)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def protocol_number(text: str) -> int | None:
    """The number of an IP protocol, by name or number; None if it is not one."""
    text = text.strip().lower()
    if text in PROTOCOLS:
        return PROTOCOLS[text]
    digits = re.fullmatch(r"0x([0-9a-f]{1,2})|([0-9]{1,3})", text)
    if not digits:
        return None
    number = int(digits[1], 16) if digits[1] else int(digits[2])
    return number if number < 256 else None


def mac_bytes(text: str) -> bytes | None:
    """The six bytes of a MAC, however it is written; None if it is not one."""
    text = text.strip()
    return bytes.fromhex(re.sub(r"[-:.]", "", text)) if MAC.fullmatch(text) else None


def _is_any(text: str) -> bool:
    return text.strip().upper() in (ANY, "*", "")


def _network(text: str) -> dict[str, Any] | None:
    """An address, a network or a MAC as Lua compares it; None for ANY."""
    if _is_any(text):
        return None
    mac = mac_bytes(text)
    if mac:
        return {"bytes": mac, "bits": 48}
    try:
        network = ipaddress.ip_interface(text.strip()).network
    except ValueError:
        return UNMATCHED
    return {"bytes": network.network_address.packed, "bits": network.prefixlen}


def _ranges(text: str) -> Ranges | None:
    """Ports as ranges; None for ANY; those that cannot be read are none."""
    if _is_any(text):
        return None
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,5})\s*(?:-\s*([0-9]{1,5})\s*)?", part)
        if match:
            found += [int(match[1]), int(match[2] or match[1])]
    return found


def joined(vlans: Iterable[int]) -> Ranges:
    """VLANs as ranges."""
    found: Ranges = []
    for vlan in sorted(set(vlans)):
        if found and found[-1] == vlan - 1:
            found[-1] = vlan
        else:
            found += [vlan, vlan]
    return found


def range_words(ranges: Ranges) -> str:
    """Ranges in words, such as `10, 20-29`."""
    pairs = zip(ranges[::2], ranges[1::2], strict=True)
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in pairs) or "none"


def vlan_words(vlan: Vlan) -> str:
    """A VLAN setting in words, such as `Access VLAN 10`."""
    if vlan.mode == "untagged":
        return "Untagged"
    if vlan.mode == "access":
        return f"Access VLAN {vlan.access}"
    if vlan.mode == "trunk":
        return f"Trunk (native VLAN {vlan.native}, allowed {range_words(joined(vlan.allowed))})"
    return f"{vlan.mode.capitalize()} (primary VLAN {vlan.primary}, secondary {range_words(joined(vlan.secondary))})"


def _port_vlan(nic: VirtualNic) -> tuple[str, int, str]:
    """How the port of a NIC treats VLANs: mode, VLAN of access mode, words. Isolation by VLAN does so, too."""
    vlan = nic.vlan
    if vlan.mode != "untagged" or nic.isolation != "vlan":
        return vlan.mode, vlan.access, vlan_words(vlan)
    if nic.allows_untagged:
        return "access", nic.isolation_id, f"Isolation VLAN {nic.isolation_id}"
    return "isolation", 0, "Isolation by VLAN"


def _mac_words(text: str) -> str:
    """An address as the inventory has it; a MAC as Windows writes it."""
    mac = mac_bytes(text)
    return mac.hex("-").upper() if mac else shown(text)


def _sides(local: str, remote: str) -> list[str]:
    words = [] if _is_any(remote) else [_mac_words(remote)]
    return words if _is_any(local) else [*words, f"local {_mac_words(local)}"]


def port_acl_words(acl: PortAcl) -> str:
    """A port ACL in words, such as `Deny Inbound 10.0.0.0/8`: the remote address, where no other is said."""
    sides = ", ".join(_sides(acl.local, acl.remote)) or ANY
    return f"{acl.action.capitalize()} {acl.direction.capitalize()} {sides}"


def extended_acl_words(acl: ExtendedAcl) -> str:
    """An extended ACL in words, such as `Allow Inbound TCP local port 443`."""
    parts = _sides(acl.local_address, acl.remote_address)
    for side, ports in (("local", acl.local_port), ("remote", acl.remote_port)):
        if not _is_any(ports):
            parts.append(f"{side} port {shown(ports)}")
    protocol = [] if _is_any(acl.protocol) else [shown(acl.protocol)]
    what = [*protocol, *([", ".join(parts)] if parts else [])] or [ANY]
    return " ".join([acl.action.capitalize(), acl.direction.capitalize(), *what])


def _port_acl(acl: PortAcl) -> dict[str, Any]:
    return {
        "allows": acl.action == "allow",
        "at": _network(acl.local),
        "to": _network(acl.remote),
        "words": port_acl_words(acl),
    }


def _extended_acl(acl: ExtendedAcl) -> dict[str, Any]:
    protocol = None if _is_any(acl.protocol) else protocol_number(acl.protocol)
    return {
        "allows": acl.action == "allow",
        "protocol": -1 if protocol is None and not _is_any(acl.protocol) else protocol,
        "at": _network(acl.local_address),
        "to": _network(acl.remote_address),
        "at_ports": _ranges(acl.local_port),
        "to_ports": _ranges(acl.remote_port),
        "weight": acl.weight,
        "stateful": acl.stateful,
        "words": extended_acl_words(acl),
    }


def _others(nic: VirtualNic, switch: Switch | None) -> str:
    """What else may have dropped a packet, in words."""
    extensions = [one for one in switch.extensions if one.enabled] if switch else []
    found = ["VFP"] if not extensions or any("vfp" in one.name.lower() for one in extensions) else []
    foreign = [one for one in extensions if "microsoft" not in f"{one.name} {one.vendor}".lower()]
    found += [f"the extension {shown(one.name)}" for one in foreign[:MOST_EXTENSIONS]]
    found += ["DHCP guard"] if nic.dhcp_guard else []
    found += ["router guard"] if nic.router_guard else []
    found += [f"its isolation ({shown(nic.isolation)})"] if nic.isolation != "none" else []
    return ", ".join([*found, "an inventory from another day"])


def _address(text: str) -> bytes | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0].strip()).packed
    except ValueError:
        return None


def _list_lua(rules: list[dict[str, Any]]) -> str:
    """Rules as a Lua expression: a function holds so many constants only."""
    if len(rules) <= RULES_A_FUNCTION:
        return lua_literal(rules)
    parts = (lua_literal(rules[at : at + RULES_A_FUNCTION]) for at in range(0, len(rules), RULES_A_FUNCTION))
    fill = "\n".join(
        f";(function()\nfor _, rule in ipairs({part}) do rules[#rules + 1] = rule end\nend)()" for part in parts
    )
    return f"(function()\nlocal rules = {{}}\n{fill}\nreturn rules\nend)()"


def nic_lua(nic: VirtualNic, switch: Switch | None = None) -> str:
    """A NIC and its rules as a Lua expression, in a function of its own.

    Args:
        nic: the NIC.
        switch: that it is connected to; None if it is not known.
    """
    vlan = nic.vlan
    mode, access, words = _port_vlan(nic)
    ports = {
        way: [_port_acl(acl) for acl in nic.acls if acl.direction == way and acl.action != "meter"]
        for way in ("inbound", "outbound")
    }
    by_weight = sorted(nic.extended_acls, key=lambda acl: -acl.weight)
    extended = {
        f"extended_{way}": [_extended_acl(acl) for acl in by_weight if acl.direction == way]
        for way in ("inbound", "outbound")
    }
    plain = lua_literal(
        {
            "label": shown(nic.label),
            "name": nic.name,
            "title": nic.title,
            "vm": nic.vm,
            "id": nic.id,
            "device": nic.device,
            "mac": nic.mac and mac_bytes(nic.mac),
            "switch": nic.switch,
            "addresses": [packed for packed in map(_address, nic.addresses) if packed],
            "vlan": {
                "mode": mode,
                "access": access,
                "native": vlan.native,
                "allowed": joined(vlan.allowed),
                "primary": vlan.primary,
                "secondary": joined(vlan.secondary),
                "words": words,
            },
            "has_acls": any((*ports.values(), *extended.values())),
            "isolation": shown(nic.isolation) if nic.isolation != "none" and not nic.allows_untagged else None,
            "others": _others(nic, switch),
        }
    )
    lists = "".join(f"nic.{name} = {_list_lua(rules)}\n" for name, rules in {**ports, **extended}.items())
    return f"(function()\nlocal nic = {plain}\n{lists}return nic\nend)()"


def lua(host: Host) -> str:
    """The rules of a host as a Lua expression, for engine/host_drops.lua."""
    switches = {switch.name: switch for switch in host.switches}
    nics = (nic_lua(nic, switches.get(nic.switch or "")) for nic in host.nics)
    return "{ nics = { " + ", ".join(nics) + " } }"
