"""What the hard cases share: stops that record what passes and what they change in it, and captures with the truth."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from engine import CHECKSUM_AT, ICMP, IPV4, IPV6, TCP, UDP, checksum, ethernet, put, snap
from hard_traffic import FIN, PSH, Host, Packet, World, header_summed, ip4, summed
from pcapng_blocks import ETHERNET, interface, option, packet, section

SECONDS = 1_763_900_000


class Frame(NamedTuple):
    """A frame of a case; the packet is the number of its first frame."""

    interface: int
    time: int
    data: bytes
    length: int
    packet: int
    options: bytes = b""
    hop: str = ""
    part: str = "whole"


@dataclass
class Case:
    """A capture whose truth is known, and how much of it must be found."""

    frames: list[Frame]
    interfaces: list[tuple[str | None, int]] = field(default_factory=lambda: [(None, ETHERNET)])
    least_precision: float = 0.995
    least_recall: float = 0.98
    most_again: int = 0  # sightings that may be called another packet
    no_marks: bool = False
    most_marks: float = 0.005  # of the frames, where none is right
    microseconds: bool = False


CASES: dict[str, Callable[[], Case]] = {}


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    """Registers a case by the name of its function."""
    CASES[function.__name__] = function
    return function


def to_pcapng(made: Case) -> bytes:
    """The capture of a case."""
    resolution, tick = (None, 1000) if made.microseconds else (9, 1)
    interfaces = [interface(name, linktype=kind, resolution=resolution) for name, kind in made.interfaces]
    frames = [
        packet(f.interface, SECONDS * 10**9 // tick + f.time // tick, f.data, length=f.length, options=f.options)
        for f in made.frames
    ]
    return b"".join([section(), *interfaces, *frames])


def truth(made: Case) -> list[tuple[int, int, str, str]]:
    """Rows of frame, packet, hop, part."""
    return [(number, f.packet, f.hop, f.part) for number, f in enumerate(made.frames, 1)]


Change = Callable[[Packet], "bytes | list[bytes]"]


def wire(p: Packet) -> bytes:
    """The Ethernet frame of a packet."""
    return ethernet(p.l3, p.ethertype, src=p.src, dst=p.dst)


@dataclass
class Stop:
    """A place where packets are recorded, some microseconds behind the stop before."""

    interface: int = 0
    gap: tuple[float, float] = (0, 0)
    change: Change = wire
    name: str = ""
    seen: float = 1.0  # how many of the packets it records
    rare: float = 0.0  # how often the gap is 150 us
    options: Callable[[int], bytes] = lambda _: b""


def record(world: World, path: Callable[[Packet], Iterable[Stop]], *, cut: int | None = None) -> list[Frame]:
    """What the stops record: each in the order in which packets reach it, all in order of time."""
    rng, last, found = world.rng, {}, []
    for number, p in enumerate(sorted(world.packets, key=lambda p: p.time), 1):
        at = p.time
        for place, stop in enumerate(path(p)):
            at += round(1000 * (150 if rng.random() < stop.rare else rng.uniform(*stop.gap)))
            key = (stop.interface, place, p.sender in world.local)
            at = max(at, last.get(key, 0) + 100)
            made = stop.change(p)
            for data in made if isinstance(made, list) else [made]:
                if rng.random() < stop.seen:
                    part = "part" if isinstance(made, list) and len(made) > 1 else "whole"
                    frame = Frame(stop.interface, at, data[:cut], len(data), number, b"", stop.name, part)
                    found.append(frame._replace(options=stop.options(number)))
                at += 1200 * isinstance(made, list)
            last[key] = at
    found.sort(key=lambda f: f.time)
    return renumber(found)


def renumber(frames: list[Frame]) -> list[Frame]:
    """The frames, each packet named after its first one in this order."""
    first: dict[int, int] = {}
    for number, frame in enumerate(frames, 1):
        first.setdefault(frame.packet, number)
    return [frame._replace(packet=first[frame.packet]) for frame in frames]


def packet_id(value: int) -> bytes:
    """The options that etl2pcapng 1.12 gives to a packet: the flags, always inbound, and the id."""
    return option(2, struct.pack("<I", 1)) + option(5, struct.pack("<Q", value)) + option(0, b"")


# What hops change.


def is_v4(l3: bytes) -> bool:
    return l3[0] == 0x45 and not struct.unpack_from(">H", l3, 6)[0] & 0x3FFF


def is_ip(p: Packet) -> bool:
    return p.ethertype in (IPV4, IPV6)


def layer4(l3: bytes) -> tuple[int, int, bytes]:
    """Where layer 4 starts, its protocol, and the addresses, of a packet without options or extensions."""
    return (20, l3[9], l3[12:20]) if l3[0] == 0x45 else (40, l3[6], l3[8:40])


def fixed(l3: bytes) -> bytes:
    """A packet with all its checksums right; a fragment's payload stays."""
    start, protocol, addresses = layer4(l3)
    whole = l3[0] != 0x45 or is_v4(l3)
    head = header_summed(l3)[:20] if l3[0] == 0x45 else l3[:40]
    return head + (summed(protocol, addresses, l3[start:]) if whole else l3[start:])


def offloaded(p: Packet, *, zero: bool = False) -> Packet:
    """As a stack hands it to a NIC that computes checksums: none of IP, the pseudo-header's sum of TCP and UDP."""
    if not is_ip(p):
        return p
    l3 = put(p.l3, 10, 0) if p.l3[0] == 0x45 else p.l3
    start, protocol, addresses = layer4(l3)
    if protocol in (TCP, UDP) and (l3[0] != 0x45 or is_v4(l3)):
        pseudo = addresses + struct.pack(">II", len(l3) - start, protocol)
        l3 = put(l3, start + CHECKSUM_AT[protocol], 0 if zero else checksum(pseudo) ^ 0xFFFF)
    return p._replace(l3=l3)


def routed(p: Packet, gateway: bytes, mac: bytes) -> Packet:
    """Behind a router: the TTL or hop limit is one less, and the MACs are those of the next link."""
    at = 8 if p.l3[0] == 0x45 else 7
    l3 = p.l3[:at] + bytes([p.l3[at] - 1]) + p.l3[at + 1 :]
    return p._replace(l3=header_summed(l3) if at == 8 else l3, src=gateway, dst=mac)


def tagged(*tags: tuple[int, int], least: int = 0) -> Change:
    return lambda p: ethernet(p.l3, p.ethertype, tags=tags, src=p.src, dst=p.dst, least=least)


def padded(p: Packet) -> bytes:
    """As the wire delivers it: 60 bytes at least."""
    return wire(p).ljust(60, b"\0")


def dot11(*, qos: bool, ap: bytes = bytes.fromhex("02aabbccddee")) -> Change:
    """As a Windows Wi-Fi driver shows a packet: an 802.11 header with the protected bit cleared, LLC and SNAP."""

    def change(p: Packet, local: bytes = b"\x00\x15\x5d\x0a\x00\x01") -> bytes:
        up = p.src == local
        addresses = ap + p.src + p.dst if up else p.dst + ap + p.src
        control = bytes([0x88 if qos else 0x08, 1 if up else 2])
        sequence = struct.pack("<H", (p.time // 1000 % 4096) << 4)
        return control + b"\x30\0" + addresses + sequence + (b"\0\0" if qos else b"") + snap(p.l3, p.ethertype)

    return change


def sll(kind: int) -> Change:
    """Linux cooked: 0 for what comes in, 4 for what goes out."""
    return lambda p: struct.pack(">HHH6sHH", kind, 1, 6, p.src, 0, p.ethertype) + p.l3


def cut(p: Packet, mss: int) -> list[bytes]:
    """The wire segments that a NIC cuts a large packet into; others stay whole."""
    l3 = p.l3
    start, protocol, _ = layer4(l3) if is_ip(p) else (0, 0, b"")
    if protocol != TCP or (l3[0] == 0x45 and not is_v4(l3)):
        return [padded(p)]
    head = start + (l3[start + 12] >> 4) * 4
    data, parts = l3[head:], []
    for at in range(0, len(data), mss) or [0]:
        chunk, number = data[at : at + mss], at // mss
        flags = l3[start + 13] & (0xFF if at + mss >= len(data) else ~(FIN | PSH))
        seq = (struct.unpack_from(">I", l3, start + 4)[0] + at) % 2**32
        made = put(put(l3[:head], start + 4, struct.pack(">I", seq)), start + 13, bytes([flags])) + chunk
        if start == 20:
            ident = (struct.unpack_from(">H", l3, 4)[0] + number) % 65536
            made = put(put(made, 2, len(made)), 4, ident)
        else:
            made = put(made, 4, len(made) - 40)
        parts.append(padded(p._replace(l3=fixed(made))))
    return parts


def large(p: Packet, mss: int, *, lsov2: bool = False) -> bytes:
    """A packet on its way to a NIC that cuts it: the checksums are not computed, and with LSOv2 the length is 0."""
    start = 20 if p.l3[0] == 0x45 else 40
    shown = offloaded(p)
    if lsov2 and is_ip(p) and len(p.l3) > mss + start + 32:
        shown = shown._replace(l3=put(shown.l3, 2 if start == 20 else 4, 0))
    return wire(shown)


class Nat:
    """A NAT that gives each inner address and port (or echo identifier) an outer port."""

    def __init__(self, outside: Host, gateway: bytes, *, first: int = 1024, ttl: int = 1) -> None:
        self.outside, self.gateway, self.ttl, self.next = outside, gateway, ttl, first
        self.outer: dict[tuple[int, bytes, bytes], int] = {}

    def port_of(self, protocol: int, address: bytes, port: bytes) -> int:
        if (protocol, address, port) not in self.outer:
            self.outer[protocol, address, port] = self.next
            self.next += 1
        return self.outer[protocol, address, port]

    def __call__(self, p: Packet, inner: Host, *, out: bool) -> bytes:
        """The packet outside, for one that is written with the inner addresses."""
        l3 = p.l3
        protocol = l3[9]
        at = 24 if protocol == ICMP else 20 if out else 22
        port = self.port_of(protocol, inner.ip4, l3[at : at + 2])
        l3 = put(put(l3, at, port), 12 if out else 16, self.outside.ip4)
        l3 = l3[:8] + bytes([l3[8] + (-self.ttl if out else self.ttl)]) + l3[9:]
        macs = (self.outside.mac, self.gateway) if out else (self.gateway, self.outside.mac)
        return wire(p._replace(l3=fixed(l3), src=macs[0], dst=macs[1]))


class Tunnel:
    """An end of a tunnel: what it puts around packets."""

    def __init__(self, kind: str, near: Host, far: Host) -> None:
        self.kind, self.near, self.far = kind, near, far

    def __call__(self, p: Packet, *, out: bool) -> bytes:
        src, dst = (self.near, self.far) if out else (self.far, self.near)
        if self.kind == "vxlan":
            port = 49152 + checksum(p.l3[12:24]) % 16384
            inner = struct.pack(">II", 0x08000000, 5001 << 8) + wire(p)
            protocol, payload = UDP, struct.pack(">HHHH", port, 4789, 8 + len(inner), 0) + inner
        elif self.kind == "nvgre":
            protocol, payload = 47, struct.pack(">HHI", 0x2000, 0x6558, 5001 << 8 | 7) + wire(p)
        elif self.kind == "gre":
            protocol, payload = 47, struct.pack(">HH", 0, p.ethertype) + p.l3
        else:
            protocol, payload = 4, p.l3
        l3 = ip4(src.ip4, dst.ip4, protocol, payload, ident=src.next_ident(self.kind, stateless=False))
        if protocol == UDP:
            l3 = put(l3, 26, 0)  # VXLAN's own checksum is not used
        return wire(Packet(p.time, src, l3, IPV4, src.mac, dst.mac))


def office(
    seed: int, ident: str = "count", *, sack: bool = True, stamps: bool = False, peers_sack: bool = True
) -> tuple[World, Host, list[Host]]:
    """A Windows host, and peers that fill the IP ID in the three ways there are.

    Without SACK, duplicate ACKs of IPv6 are the same to the byte: where copies interleave, nobody can tell those apart.
    """
    me = Host(1, ident, ttl=128, sack=sack, stamps=stamps)
    peers = [Host(2, "zero", stamps=True), Host(3, "linux", sack=peers_sack), Host(4, "count", ttl=128)]
    return World(seed, me), me, peers


def both(out: list[Stop], back: list[Stop], me: Host) -> Callable[[Packet], list[Stop]]:
    """One path for what a host sends, another for what it receives."""
    return lambda p: out if p.sender is me else back
