"""Whether a packet would pass a NIC of the host: asked of the engine's own Lua, which explains drops by it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pywnv.errors import UsageError
from pywnv.host.rows import guids
from pywnv.host.rows import mac as plain_mac
from pywnv.host.rules import mac_bytes, nic_lua, protocol_number, shown
from pywnv.lua import lua_text
from pywnv.lua.runtime import lua_runtime

if TYPE_CHECKING:
    from pywnv.host.model import Direction, Host, VirtualNic

MOST_NAMED = 20  # NICs in an error
HAS_PORTS = (6, 17, 132)
BROADCAST = b"\xff" * 4  # of IPv4
LARGEST_VLAN, LARGEST_PORT = 4094, 65535


@dataclass(frozen=True)
class Packet:
    """A packet at a NIC.

    Attributes:
        direction: inbound is towards the NIC.
        vlan: that of its tag; None without one.
        source_mac: six bytes; None if not known, and so the others.
        destination_mac: six bytes.
        source: an IP address, 4 or 16 bytes.
        destination: likewise.
        protocol: of IP.
        source_port: of TCP, UDP, SCTP.
        destination_port: likewise.
        tags_itself: whether its sender wrote the tag; else the port it came in by did.
        begins: whether it is a TCP SYN that begins a connection: that is no answer.
        hides_vlan: whether nothing tells if it is tagged; then no VLAN setting drops it.
    """

    direction: Direction
    vlan: int | None = None
    source_mac: bytes | None = None
    destination_mac: bytes | None = None
    source: bytes | None = None
    destination: bytes | None = None
    protocol: int | None = None
    source_port: int | None = None
    destination_port: int | None = None
    tags_itself: bool = False
    begins: bool = False
    hides_vlan: bool = False

    @property
    def words(self) -> str:
        """The packet in words."""
        ends = [_end(self.source, self.source_mac, self.source_port)]
        ends.append(_end(self.destination, self.destination_mac, self.destination_port))
        protocol = "" if self.protocol is None else f"protocol {self.protocol}, "
        vlan = "untagged" if self.vlan is None else f"VLAN {self.vlan}"
        vlan = "VLAN not known" if self.hides_vlan else vlan
        return f"{self.direction}, {' to '.join(ends)}, {protocol}{vlan}"


@dataclass(frozen=True)
class Decision:
    """What decides about a packet.

    Attributes:
        passes: whether it does.
        decided_by: vlan, port-acl, extended-acl; none if no rule matches.
        rule: that decides, in words; None if none does.
        matched: those that match too and lose, in words.
    """

    passes: bool
    decided_by: str
    rule: str | None
    matched: list[str] = field(default_factory=list)


def _end(address: bytes | None, mac: bytes | None, port: int | None) -> str:
    if address:
        text = str(ipaddress.ip_address(address))
        return text if port is None else f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
    return mac.hex("-").upper() if mac else "not given"


def find_nic(host: Host, name: str) -> VirtualNic:
    """The NIC that a user means, where only one has that label, title, VM, adapter's name, both, Id, GUID or MAC.

    Raises:
        UsageError: none has that name, or several do.
    """
    wanted = {text.casefold() for text in (name, " ".join(name.split()))}
    for key in ("label", "title", "vm", "name"):
        found = [nic for nic in host.nics if (getattr(nic, key) or "").casefold() in wanted]
        if found:
            break
    else:
        guid, mac, both = guids(name)[-1:], plain_mac(name), _spaced(name)
        found = [nic for nic in host.nics if (mac and nic.mac == mac) or (guid and guid[0] in _guids(nic))]
        found = found or [nic for nic in host.nics if both in _with_owner(nic)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"--nic {shown(name)}: {len(found)} NICs are called that; there are {_names(found)}")
    there = f"there are {_names(host.nics)}" if host.nics else "the inventory holds no virtual NIC"
    raise UsageError(f"--nic {shown(name)}: no such NIC; {there}")


def _with_owner(nic: VirtualNic) -> list[str]:
    """An adapter's name after what people write before it."""
    owners = ("vEthernet",) if nic.vm is None else (nic.vm, f"{nic.role} {nic.vm}")
    return [_spaced(f"{owner} {nic.name}") for owner in owners]


def _spaced(text: str) -> str:
    """A name in lower case, with spaces for what people put between a VM and its adapter."""
    return " ".join(re.split(r"[\s/\\:()]+", text.casefold())).strip()


def _guids(nic: VirtualNic) -> tuple[str | None, ...]:
    return nic.device, *guids(nic.id or "")[-1:]


def _names(nics: list[VirtualNic]) -> str:
    names = [shown(nic.label) for nic in nics]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _address(option: str, text: str) -> bytes:
    try:
        return ipaddress.ip_address(text.strip()).packed
    except ValueError:
        raise UsageError(f"{option} {shown(text)}: is not an IP address") from None


def _is_group(address: bytes) -> bool:
    """Whether an address is that of a group, or of all."""
    return ipaddress.ip_address(address).is_multicast or address == BROADCAST


def _mac(option: str, text: str | None) -> bytes | None:
    if text is None:
        return None
    mac = mac_bytes(text)
    if mac is None:
        raise UsageError(f"{option} {shown(text)}: is not a MAC address; write it like 00-15-5D-01-02-03")
    return mac


def within(option: str, number: int | None, largest: int) -> int | None:
    """A number that is not too large.

    Raises:
        UsageError: it is, or is negative.
    """
    if number is not None and not 0 <= number <= largest:
        raise UsageError(f"{option} {number}: must be from 0 to {largest}")
    return number


def packet_of(
    direction: Direction,
    source: str,
    destination: str,
    *,
    source_mac: str | None = None,
    destination_mac: str | None = None,
    protocol: str | None = None,
    source_port: int | None = None,
    destination_port: int | None = None,
    vlan: int | None = None,
    nic_mac: str | None = None,
) -> Packet:
    """A packet from the user's options.

    Args:
        direction: inbound is towards the NIC.
        source: an IP address.
        destination: likewise.
        source_mac: of the sender.
        destination_mac: of the receiver.
        protocol: of IP, its name or number.
        source_port: of TCP, UDP, SCTP.
        destination_port: likewise.
        vlan: that of its tag, as the sender wrote it; None without one.
        nic_mac: of the NIC, twelve hex digits: its own end has it, where nothing else is said and it is no group's.

    Raises:
        UsageError: there is no such packet.
    """
    ends = _address("--source", source), _address("--destination", destination)
    if len(ends[0]) != len(ends[1]):
        raise UsageError(f"--source {source} and --destination {destination}: one is IPv4, the other IPv6")
    number = None if protocol is None else protocol_number(protocol)
    if protocol is not None and number is None:
        raise UsageError(f"--protocol {shown(protocol)}: is neither tcp, udp, icmp, icmpv6 nor a number up to 255")
    if number not in HAS_PORTS and (source_port is not None or destination_port is not None):
        raise UsageError("--source-port and --destination-port need --protocol tcp, udp or sctp")
    if direction == "outbound":
        source_mac = source_mac or nic_mac
    elif not _is_group(ends[1]):
        destination_mac = destination_mac or nic_mac
    return Packet(
        direction,
        within("--vlan", vlan, LARGEST_VLAN),
        _mac("--source-mac", source_mac),
        _mac("--destination-mac", destination_mac),
        *ends,
        number,
        within("--source-port", source_port, LARGEST_PORT),
        within("--destination-port", destination_port, LARGEST_PORT),
        tags_itself=bool(vlan),
    )


@cache
def _engine(runtime: str | None) -> tuple[Any, Any]:
    """A Lua, and the engine's rules in it."""
    lua = lua_runtime(runtime)
    needs = (lua.execute(lua_text(f"engine/{name}.lua").encode()) for name in ("host_vlan", "host_acl"))
    return lua, lua.execute(lua_text("engine/host_rules.lua").encode(), *needs)


def evaluate(nic: VirtualNic, packet: Packet, *, runtime: str | None = None) -> Decision:
    """What decides whether a packet passes the port of a NIC on its vmSwitch.

    Args:
        nic: the NIC.
        packet: the packet.
        runtime: one of lupa's Lua versions; by default the fastest one available.
    """
    lua, rules = _engine(runtime)
    table = {key.encode(): value for key, value in vars(packet).items() if key != "direction" and value is not None}
    table[b"is_inbound"] = packet.direction == "inbound"
    nic_table = lua.execute(f"return {nic_lua(nic)}".encode())
    found = rules[b"evaluate"](nic_table, lua.table_from(table))
    rule, matched = found[b"rule"], found[b"matched"].values()
    decided_by = found[b"decided_by"].decode()
    return Decision(bool(found[b"passes"]), decided_by, rule and rule.decode(), [words.decode() for words in matched])
