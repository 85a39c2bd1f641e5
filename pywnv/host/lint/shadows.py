"""Rules that never decide, since for every packet that they match another one does."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from pywnv.host.model import ANY, ExtendedAcl, PortAcl
from pywnv.host.rules import mac_bytes, port_acl_words, protocol_number

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Reach = tuple[int | str, str, str, str, str]  # protocol, ports, addresses
EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
MOST_RANGES = 64  # of ports, and lengths of prefixes, that are compared with each rule


def port(rules: list[PortAcl], own_mac: str | None) -> Iterator[tuple[PortAcl, str]]:
    """Port ACLs of one direction that never decide, each with why.

    Args:
        rules: without those that only count.
        own_mac: of the NIC, twelve lower hex digits.
    """
    denied = {(acl.local, acl.remote) for acl in rules if acl.action == "deny"}
    own = next((acl for acl in rules if own_mac and acl.local == own_mac and acl.remote == ANY), None)
    covered = {side: _covered(rules, side) for side in ("local", "remote")}
    one_sided = (acl.local if acl.remote == ANY else acl.remote for acl in rules if ANY in (acl.local, acl.remote))
    said = {network for text in one_sided if (network := _network(text))}
    all_ip = set(EVERYTHING) <= said | covered["local"] | covered["remote"]
    for acl in rules:
        is_mac = bool(mac_bytes(acl.local) or mac_bytes(acl.remote))
        if acl.action == "allow" and (acl.local, acl.remote) in denied:
            yield acl, "a Deny for the same addresses wins"
        elif own and not is_mac and (acl.local, acl.remote) != (ANY, ANY):
            yield acl, f"{port_acl_words(own)} is about this NIC's own MAC, and a MAC overrides every subnet"
        elif all_ip and (acl.local, acl.remote) == (ANY, ANY):
            yield acl, "0.0.0.0/0 and ::/0 are more specific than ANY"
        else:
            for side, other in (("local", acl.remote), ("remote", acl.local)):
                network = _network(getattr(acl, side))
                if other == ANY and network and network in covered[side]:
                    yield acl, "longer prefixes cover all of it"


def _network(text: str) -> Network | None:
    if text == ANY or mac_bytes(text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _covered(rules: list[PortAcl], side: str) -> set[Network]:
    """The networks of rules about one side whose halves, or halves of halves, are all in other rules."""
    other = "remote" if side == "local" else "local"
    own = {network for acl in rules if getattr(acl, other) == ANY and (network := _network(getattr(acl, side)))}
    by_length: dict[tuple[int, int], set[Network]] = {}
    for network in own:
        by_length.setdefault((network.version, network.prefixlen), set()).add(network)
    found: set[Network] = set()
    for version, length in ((4, 32), (6, 128)):
        whole: set[Network] = set()  # of this length, in a rule or covered by longer ones
        for bits in range(length, 0, -1):
            whole |= by_length.get((version, bits), set())
            whole = {one.supernet() for one in whole if _sibling(one) in whole}
            found |= whole & by_length.get((version, bits - 1), set())
    return found


def _sibling(network: Network) -> Network:
    bit = 1 << (network.max_prefixlen - network.prefixlen)
    return type(network)((int(network.network_address) ^ bit, network.prefixlen))


def extended(rules: list[ExtendedAcl]) -> Iterator[tuple[ExtendedAcl, ExtendedAcl]]:
    """Extended ACLs of one direction that never decide, each with the one that matches all of it first."""
    lengths = {side: _lengths(rules, side) for side in ("local_address", "remote_address")}
    ranges = {side: _ranges(rules, side) for side in ("local_port", "remote_port")}
    first: dict[Reach, ExtendedAcl] = {}
    waiting: list[ExtendedAcl] = []
    for acl in sorted(rules, key=lambda acl: -acl.weight):
        if waiting and waiting[0].weight != acl.weight:  # rules of one weight do not override each other
            for one in waiting:
                first.setdefault(_reach(one), one)
            waiting = []
        waiting.append(acl)
        wider = (
            first.get((protocol, local_port, remote_port, local, remote))
            for protocol in dict.fromkeys((_protocol(acl), ANY))
            for local_port in _wider_ports(acl.local_port, ranges["local_port"])
            for remote_port in _wider_ports(acl.remote_port, ranges["remote_port"])
            for local in _wider_addresses(acl.local_address, lengths["local_address"])
            for remote in _wider_addresses(acl.remote_address, lengths["remote_address"])
        )
        winner = next((one for one in wider if one), None)
        if winner:
            yield acl, winner


def _protocol(acl: ExtendedAcl) -> int | str:
    """A protocol by its number: it may also be told by name."""
    number = protocol_number(acl.protocol)
    return acl.protocol if number is None else number


def _reach(acl: ExtendedAcl) -> Reach:
    local, remote = acl.local_address, acl.remote_address
    return _protocol(acl), acl.local_port, acl.remote_port, _canonical(local), _canonical(remote)


def _canonical(text: str) -> str:
    network = _network(text)
    return str(network) if network else text


def _lengths(rules: list[ExtendedAcl], side: str) -> list[int]:
    found = {network.prefixlen for acl in rules if (network := _network(getattr(acl, side)))}
    return sorted(found)[:MOST_RANGES]


def _ranges(rules: list[ExtendedAcl], side: str) -> list[str]:
    found = dict.fromkeys(getattr(acl, side) for acl in rules if re.search("[-,]", getattr(acl, side)))
    return list(found)[:MOST_RANGES]


def _wider_addresses(text: str, lengths: list[int]) -> list[str]:
    network = _network(text)
    if network is None:
        return [text]
    wider = [str(network.supernet(new_prefix=length)) for length in lengths if length <= network.prefixlen]
    return [*wider, ANY]


def _numbers(text: str) -> list[tuple[int, int]]:
    parts = (part.partition("-") for part in text.split(","))
    return [(int(low), int(high or low)) for low, _, high in parts]


def _wider_ports(text: str, ranges: list[str]) -> list[str]:
    if text == ANY:
        return [ANY]
    own = _numbers(text)
    wider = [
        other
        for other in ranges
        if other != text and all(any(low <= a and b <= high for low, high in _numbers(other)) for a, b in own)
    ]
    return [text, *wider, ANY]
