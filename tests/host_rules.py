"""NICs with rules for the tests of their evaluation: those of captures/host/rules.toml, and a second evaluation."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Any

from pywnv.host.evaluate import Packet
from pywnv.host.model import ExtendedAcl, Host, PortAcl, VirtualNic

FOLDER = Path(__file__).parent / "captures" / "host"
TABLE = tomllib.loads((FOLDER / "rules.toml").read_text("utf-8"))
CASES: list[dict[str, Any]] = [case for cases in TABLE["cases"].values() for case in cases]
IDS = [f"{kind}-{number}-{case['nic']}" for kind, cases in TABLE["cases"].items() for number, case in enumerate(cases)]
MACS = {"macs": "00155d000001"}


def _port_acl(rule: list[str]) -> PortAcl:
    direction, action, local, remote = rule
    return PortAcl.model_validate({"direction": direction, "action": action, "local": local, "remote": remote})


def _nic(number: int, name: str, rules: dict[str, Any]) -> VirtualNic:
    return VirtualNic(
        vm=name,
        name="Network Adapter",
        title=name,
        mac=MACS.get(name, f"0200000000{number:02x}"),
        switch="external",
        vlan=rules.get("vlan", {}),
        acls=[_port_acl(rule) for rule in rules.get("acls", ())],
        extended_acls=[ExtendedAcl.model_validate(rule) for rule in rules.get("extended", ())],
    )


NICS = {name: _nic(number, name, rules) for number, (name, rules) in enumerate(TABLE["nics"].items())}
HOST = Host(nics=list(NICS.values()))


def packet(case: dict[str, Any]) -> Packet:
    """The packet of a case."""
    ips = [ipaddress.ip_address(text).packed for text in case.get("ips", ())] or [None, None]
    macs = [bytes.fromhex(text) for text in case.get("macs", ())] or [None, None]
    ports = case.get("ports", (None, None))
    return Packet(
        case["way"],
        case.get("vlan"),
        *macs,
        *ips,
        case.get("protocol"),
        *ports,
        begins=case.get("begins", False),
    )


# A second evaluation, as naive as the sources' sentences.

ANY = "ANY"
PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMPv4": 1, "ICMPv6": 58}
VLANS = set(range(4096))


def vlan_passes(nic: VirtualNic, packet: Packet) -> bool:
    """Whether the VLAN of a packet is one of those that may pass; None is an untagged one."""
    vlan, inbound = nic.vlan, packet.direction == "inbound"
    untagged: set[int | None] = {None, 0}
    may: set[int | None]
    if vlan.mode == "untagged":
        may = untagged
    elif vlan.mode == "trunk":
        may = {None, vlan.native, *vlan.allowed}
    elif vlan.mode == "access":
        may = {vlan.access} if inbound else {vlan.access} | untagged
    elif inbound:
        may = {vlan.primary} if vlan.mode == "isolated" else {vlan.primary, *vlan.secondary}
    else:
        may = untagged | ({vlan.primary} if vlan.mode == "promiscuous" else set(vlan.secondary))
    if vlan.mode != "trunk" and inbound and 0 in may:
        may = may | untagged
    return packet.vlan in may


def _covers(rule: str, ip: bytes | None, mac: bytes | None) -> int | None:
    """How specific a rule is for a side of a packet: -1 for ANY, bits of a prefix, 1000 for a MAC; None: no match."""
    if rule == ANY:
        return -1
    if len(rule) == 12 and "." not in rule and ":" not in rule:
        return 1000 if mac and rule == mac.hex() else None
    network = ipaddress.ip_network(rule, strict=False)
    address = ip and ipaddress.ip_address(ip)
    return network.prefixlen if address and address.version == network.version and address in network else None


def _sides(packet: Packet) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    source = packet.source, packet.source_mac, packet.source_port
    destination = packet.destination, packet.destination_mac, packet.destination_port
    return (destination, source) if packet.direction == "inbound" else (source, destination)


def port_acls(nic: VirtualNic, packet: Packet) -> list[PortAcl]:
    """The port ACLs that match, the one that wins first."""
    here, there = _sides(packet)
    found = []
    for rule in nic.acls:
        ranks = [_covers(rule.local, *here[:2]), _covers(rule.remote, *there[:2])]
        is_ip = here[0] is not None or ranks != [-1, -1]
        if rule.direction == packet.direction and rule.action != "meter" and None not in ranks and is_ip:
            found.append((sorted(ranks, reverse=True), rule.action == "deny", rule))
    return [rule for *_, rule in sorted(found, key=lambda one: one[:2], reverse=True)]


def _port_in(rule: str, port: int | None) -> bool:
    if rule == ANY:
        return True
    if "," in rule:
        return any(_port_in(part, port) for part in rule.split(","))
    low, _, high = rule.partition("-")
    return port is not None and int(low) <= port <= int(high or low)


def extended_acls(nic: VirtualNic, packet: Packet, way: str) -> list[ExtendedAcl]:
    """The extended ACLs of a direction that match, the one that decides first."""
    here, there = _sides(packet)
    return [
        rule
        for rule in sorted(nic.extended_acls, key=lambda rule: rule.weight, reverse=True)
        if rule.direction == way
        and here[0] is not None
        and (rule.protocol == ANY or str(PROTOCOLS.get(rule.protocol, rule.protocol)) == str(packet.protocol))
        and _covers(rule.local_address, here[0], None) is not None
        and _covers(rule.remote_address, there[0], None) is not None
        and _port_in(rule.local_port, here[2])
        and _port_in(rule.remote_port, there[2])
    ]


def naive(nic: VirtualNic, packet: Packet) -> tuple[bool, str, PortAcl | ExtendedAcl | None]:
    """Whether a packet passes, by what, by which rule."""
    if not packet.hides_vlan and not vlan_passes(nic, packet):
        return False, "vlan", None
    ports = port_acls(nic, packet)
    if ports and ports[0].action == "deny":
        return False, "port-acl", ports[0]
    other = "outbound" if packet.direction == "inbound" else "inbound"
    own, back = extended_acls(nic, packet, packet.direction), extended_acls(nic, packet, other)
    if own and own[0].action == "deny" and back and back[0].stateful and back[0].action == "allow":
        pinned = back[0].local_port != ANY or back[0].remote_port != ANY
        ports = packet.source_port, packet.destination_port
        request = None not in ports and ports[0] > ports[1] and ports[1] < 32768
        if not packet.begins and (pinned or not request):
            return True, "extended-acl", back[0]
    if own:
        return own[0].action == "allow", "extended-acl", own[0]
    return (True, "port-acl", ports[0]) if ports else (True, "none", None)
