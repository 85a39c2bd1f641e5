"""Findings about the ACLs of virtual NICs: rules that say too little, too much, or nothing at all.

Which rule decides about a packet is the engine's to say (engine/host_acl.lua); here only what holds for every packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pywnv.host.lint import shadows
from pywnv.host.lint.finding import Finding, chosen, finding
from pywnv.host.model import ANY, Direction, ExtendedAcl, Host, PortAcl, VirtualNic
from pywnv.host.rules import extended_acl_words, mac_bytes, port_acl_words

MOST_EACH = 20  # findings of one kind for a NIC; what is more is counted in the last
WILDCARDS = (ANY, "0.0.0.0/0", "::/0")
WAYS: tuple[Direction, Direction] = ("inbound", "outbound")
OTHER: dict[Direction, Direction] = {"inbound": "outbound", "outbound": "inbound"}


def findings(host: Host) -> Iterator[Finding]:
    """All of them, NIC by NIC."""
    for nic in host.nics:
        rules = [acl for acl in nic.acls if acl.action != "meter"]
        yield from _few(_one_direction(nic, rules))
        yield from _few(_never_wins(nic, rules))
        yield from _few(_mac_beats_subnet(nic, rules))
        yield from _denies_all(nic, rules)


def _few(found: Iterable[Finding]) -> Iterator[Finding]:
    """The first of many findings; the last says how many more there are."""
    kept: list[Finding] = []
    more = 0
    for one in found:
        if len(kept) < MOST_EACH:
            kept.append(one)
        else:
            more += 1
    if more:
        last = kept.pop()
        kept.append(Finding(**{**vars(last), "what": f"{last.what} (and {more} more rules of this NIC)"}))
    yield from kept


def _address(side: str, text: str) -> str:
    if mac_bytes(text):
        return f" -{side}MacAddress {text.upper()}"
    return f" -{side}IPAddress {text}"


def _command(verb: str, nic: VirtualNic, acl: PortAcl) -> str:
    """The command that adds or removes a port ACL."""
    ends = _address("Local", acl.local) if acl.local != ANY else ""
    ends += _address("Remote", acl.remote) if acl.remote != ANY or not ends else ""
    what = f"-Direction {acl.direction.capitalize()} -Action {acl.action.capitalize()}{ends}"
    return f"{verb}-VMNetworkAdapterAcl {chosen(nic)} {what}"


def _remove_extended(nic: VirtualNic, acl: ExtendedAcl) -> str:
    way = f"-Direction {acl.direction.capitalize()} -Weight {acl.weight}"
    return f"Remove-VMNetworkAdapterExtendedAcl {chosen(nic)} {way}"


def _one_direction(nic: VirtualNic, rules: list[PortAcl]) -> Iterator[Finding]:
    said = {(acl.direction, acl.action, *ends) for acl in rules for ends in _ends(acl)}
    denied = {acl.direction for acl in rules if acl.action == "deny"}
    for acl in {(acl.direction, acl.action, acl.local, acl.remote): acl for acl in rules}.values():
        other = OTHER[acl.direction]
        if any((other, acl.action, *ends) not in said for ends in _ends(acl)):
            like = acl.model_copy(update={"direction": other})
            what = f"{port_acl_words(acl)}, but no {port_acl_words(like)}"
            if acl.action == "allow" and other not in denied:
                what += f"; it changes nothing while no rule denies {other.capitalize()}"
            yield finding("acl-one-direction", nic.label, what, _command("Add", nic, like))


def _ends(acl: PortAcl) -> list[tuple[str, str]]:
    """The ends of a rule; ANY is all IPv4 and all IPv6, which may be two rules."""
    if (acl.local, acl.remote) == (ANY, ANY):
        return [(ANY, wildcard) for wildcard in WILDCARDS[1:]]
    return [(acl.local, acl.remote)]


def _never_wins(nic: VirtualNic, rules: list[PortAcl]) -> Iterator[Finding]:
    for way in WAYS:
        own = [acl for acl in rules if acl.direction == way]
        for acl, why in shadows.port(own, nic.mac):
            what = f"{port_acl_words(acl)} never decides: {why}"
            yield finding("acl-never-wins", nic.label, what, _command("Remove", nic, acl))
        for extended, winner in shadows.extended([acl for acl in nic.extended_acls if acl.direction == way]):
            what = (
                f"{extended_acl_words(extended)} (weight {extended.weight}) never decides: "
                f"{extended_acl_words(winner)} (weight {winner.weight}) matches all of it first"
            )
            yield finding("acl-never-wins", nic.label, what, _remove_extended(nic, extended))


def _mac_beats_subnet(nic: VirtualNic, rules: list[PortAcl]) -> Iterator[Finding]:
    for acl in rules:
        if not (mac_bytes(acl.local) or mac_bytes(acl.remote)):
            continue
        for other in rules:
            is_subnet = not (mac_bytes(other.local) or mac_bytes(other.remote))
            is_specific = other.local not in WILDCARDS or other.remote not in WILDCARDS
            if other.direction == acl.direction and other.action != acl.action and is_subnet and is_specific:
                what = f"{port_acl_words(acl)} decides, although {port_acl_words(other)} contradicts it"
                yield finding(
                    "acl-mac-beats-subnet", nic.label, what, _command("Remove", nic, acl) + " (if it was not intended)"
                )
                break


def _denies_all(nic: VirtualNic, rules: list[PortAcl]) -> Iterator[Finding]:
    for way in WAYS:
        own = [acl for acl in rules if acl.direction == way]
        walls = [acl for acl in own if acl.action == "deny" and acl.local in WILDCARDS and acl.remote in WILDCARDS]
        if walls and not any(acl.action == "allow" for acl in own):
            what = f"{' and '.join(map(port_acl_words, walls))}, and no Allow {way.capitalize()}"
            yield finding("acl-denies-all", nic.label, what, _command("Remove", nic, walls[0]))
        yield from _extended_denies_all(nic, way)


def _extended_denies_all(nic: VirtualNic, way: Direction) -> Iterator[Finding]:
    own = [acl for acl in nic.extended_acls if acl.direction == way]
    walls = [
        acl
        for acl in own
        if acl.action == "deny"
        and acl.local_address in WILDCARDS
        and acl.remote_address in WILDCARDS
        and (acl.local_port, acl.remote_port, acl.protocol) == (ANY, ANY, ANY)
    ]
    if not walls:
        return
    wall = max(walls, key=lambda acl: acl.weight)
    before = any(acl.action == "allow" and acl.weight > wall.weight for acl in own)
    answers = any(acl.action == "allow" and acl.stateful for acl in nic.extended_acls if acl.direction == OTHER[way])
    if not before and not answers:
        what = f"{extended_acl_words(wall)} (weight {wall.weight}), and no Allow {way.capitalize()} of a higher weight"
        yield finding("acl-denies-all", nic.label, what, _remove_extended(nic, wall))
