"""Hosts that talk: the traffic of the hard cases, before anything records it."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import NamedTuple

from engine import ARP, CHECKSUM_AT, ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, checksum, ipv4, ipv4_fragments, put

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1460


@dataclass(eq=False)
class Host:
    """A host; `ident` says how it fills the IP ID: Windows counts, macOS leaves 0, Linux does either."""

    number: int
    ident: str = "count"
    ttl: int = 64
    sack: bool = True
    stamps: bool = False
    net: int = 0

    def __post_init__(self) -> None:
        self.mac = bytes([0, 0x15, 0x5D, 0x0A, self.net, self.number])
        self.ip4 = bytes([10, 0, self.net, self.number])
        self.ip6 = bytes.fromhex("20010db8") + bytes([0, self.net]) + bytes(9) + bytes([self.number])
        self.idents = {"": (0x3100 + 977 * self.number) % 65536}

    def next_ident(self, flow: object, *, stateless: bool, count: int = 1) -> int:
        """The IP ID of a packet that may be cut into `count` segments; stateless ones of Linux have none."""
        if self.ident == "zero" or (self.ident == "linux" and stateless):
            return 0
        key = flow if self.ident == "linux" else ""
        value = self.idents.setdefault(key, hash(key) % 60000 if isinstance(key, int) else 0x4000)
        self.idents[key] = (value + count) % 65536
        return value or 1


def group(ip4: bytes, ip6: bytes = bytes(16), mac: bytes | None = None) -> Host:
    """A multicast group, as a host that never speaks."""
    made = Host(0)
    made.ip4, made.ip6 = ip4, ip6
    made.mac = mac or b"\x01\x00\x5e" + bytes([ip4[1] & 0x7F]) + ip4[2:]
    return made


MDNS = group(bytes([224, 0, 0, 251]))
SSDP = group(bytes([239, 255, 255, 250]))
EVERYONE = group(bytes([255] * 4), mac=b"\xff" * 6)


class Packet(NamedTuple):
    """A packet on its way: what any hop shows of it is made from this."""

    time: int
    sender: Host
    l3: bytes
    ethertype: int
    src: bytes
    dst: bytes


def summed(protocol: int, addresses: bytes, payload: bytes) -> bytes:
    """The payload with its checksum right."""
    at = CHECKSUM_AT.get(protocol)
    if at is None:
        return payload
    pseudo = b"" if protocol == ICMP else addresses + struct.pack(">II", len(payload), protocol)
    payload = put(payload, at, 0)
    return put(payload, at, checksum(pseudo + payload) or (0xFFFF if protocol == UDP else 0))


def header_summed(l3: bytes) -> bytes:
    """An IPv4 packet with the checksum of its header right."""
    return put(l3, 10, checksum(put(l3[:20], 10, 0)))


def ip4(src: bytes, dst: bytes, protocol: int, payload: bytes, *, ident: int, ttl: int = 64, df: bool = True) -> bytes:
    made = ipv4(payload, protocol, src=src, dst=dst, ident=ident, ttl=ttl)
    return header_summed(put(made, 6, 0x4000)) if df else made


def ip6(src: bytes, dst: bytes, protocol: int, payload: bytes, *, hops: int = 64, flow: int = 0) -> bytes:
    head = struct.pack(">IHBB", 0x60000000 | flow, len(payload), protocol, hops) + src + dst
    return head + summed(protocol, src + dst, payload)


def datagram(data: bytes, sport: int, dport: int) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data


def segment(
    sport: int, dport: int, seq: int, ack: int, flags: int, data: bytes = b"", options: bytes = b"", window: int = 1024
) -> bytes:
    offset = (20 + len(options)) // 4 << 12
    head = struct.pack(">HHIIHHHH", sport, dport, seq % 2**32, ack % 2**32, offset | flags, window, 0, 0)
    return head + options + data


class World:
    """Hosts that talk; times are microseconds at a tap beside the local hosts."""

    def __init__(self, seed: int, *local: Host) -> None:
        self.rng = random.Random(seed)
        self.local = local
        self.packets: list[Packet] = []

    def put(self, time: float, src: Host, l3: bytes, *, ethertype: int = IPV4, dst: bytes) -> None:
        self.packets.append(Packet(round(time * 1000), src, l3, ethertype, src.mac, dst))

    def send(
        self,
        time: float,
        src: Host,
        dst: Host,
        protocol: int,
        payload: bytes,
        *,
        six: bool = False,
        ident: int | None = None,
        ttl: int | None = None,
        df: bool = True,
    ) -> None:
        """Sends one IP packet."""
        if six:
            flow = (src.number * 977 + dst.number * 31 + payload[1]) & 0xFFFFF
            l3 = ip6(src.ip6, dst.ip6, protocol, payload, hops=ttl or src.ttl, flow=flow)
        else:
            if ident is None:
                ident = src.next_ident((dst.number, payload[:4]), stateless=protocol != TCP)
            l3 = ip4(src.ip4, dst.ip4, protocol, payload, ident=ident, ttl=ttl or src.ttl, df=df)
        self.put(time, src, l3, ethertype=IPV6 if six else IPV4, dst=dst.mac)

    def wait(self, who: Host, rtt: float) -> float:
        """How long after a frame the answer of a host is seen."""
        return self.rng.uniform(15, 60) if who in self.local else rtt * self.rng.uniform(0.97, 1.1)

    def dns(self, client: Host, server: Host, at: float, *, six: bool = False) -> None:
        sport, name = self.rng.randrange(49152, 65535), self.rng.randbytes(6).hex().encode()
        ask = self.rng.randbytes(2) + b"\1\0\0\1\0\0\0\0\0\0\x0c" + name + b"\4test\0\0\1\0\1"
        self.send(at, client, server, UDP, datagram(ask, sport, 53), six=six)
        answer = ask[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + ask[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes(4)
        self.send(at + self.wait(server, 900), server, client, UDP, datagram(answer, 53, sport), six=six)

    def ping(self, client: Host, server: Host, at: float, count: int = 3, *, six: bool = False) -> None:
        number, data = self.rng.randrange(1, 65536), self.rng.randbytes(32)
        ask, answer = (128, 129) if six else (8, 0)
        for seq in range(1, count + 1):
            for kind, src, dst in ((ask, client, server), (answer, server, client)):
                payload = struct.pack(">BBHHH", kind, 0, 0, number, seq) + data
                self.send(at, src, dst, ICMPV6 if six else ICMP, payload, six=six, df=False)
                at += self.wait(server, 700)
            at += 20_000

    def arp(self, asker: Host, answerer: Host, at: float, *, answered: bool = True) -> None:
        head = struct.pack(">HHBBH", 1, IPV4, 6, 4, 1)
        body = head + asker.mac + asker.ip4 + bytes(6) + answerer.ip4
        self.put(at, asker, body, ethertype=ARP, dst=b"\xff" * 6)
        if answered:
            body = put(head, 6, 2) + answerer.mac + answerer.ip4 + asker.mac + asker.ip4
            self.put(at + self.wait(answerer, 400), answerer, body, ethertype=ARP, dst=asker.mac)

    def mdns(self, host: Host, at: float) -> None:
        data = bytes.fromhex("000000000001000000000000") + b"\x0b_googlecast\x04_tcp\x05local\0\0\x0c\0\1"
        self.send(at, host, MDNS, UDP, datagram(data, 5353, 5353), ttl=255, ident=0)

    def fragments(self, src: Host, dst: Host, at: float) -> None:
        """A datagram of 3000 bytes in three fragments."""
        ident = self.rng.randrange(1, 65536)
        whole = ipv4(datagram(self.rng.randbytes(3000), 5060, 5060), UDP, src=src.ip4, dst=dst.ip4, ident=ident)
        for number, part in enumerate(ipv4_fragments(whole, 1480)):
            self.put(at + number * 12, src, part, dst=dst.mac)

    def mixed(self, peers: list[Host], rounds: int = 2, *, six: bool = True, more: bool = True) -> None:
        """What hosts say to each other in an ordinary minute; `more`: ARP and fragments too."""
        at, loss = 0.0, 0.5
        for number, peer in enumerate(peers * rounds):
            local = self.local[number % len(self.local)]
            if more:
                self.arp(local, peer, at)
            self.dns(local, peer, at + 5_000)
            self.ping(local, peer, at + 40_000)
            client, server = (local, peer) if number % 3 else (peer, local)
            ending = self.rng.choice(("fin", "rst"))
            if more:
                self.fragments(local, peer, at + 80_000)
            self.talk(client, server, at + self.rng.uniform(10_000, 60_000), loss=loss, ending=ending)
            if six:
                self.talk(client, server, at + self.rng.uniform(10_000, 60_000), loss=loss, ending=ending, six=True)
                self.ping(peer, local, at + 70_000, 2, six=True)
                self.dns(local, peer, at + 90_000, six=True)
            at += 250_000

    def talk(
        self,
        client: Host,
        server: Host,
        at: float,
        *,
        six: bool = False,
        rounds: int = 3,
        loss: float = 0.0,
        ending: str = "fin",
        rtt: float | None = None,
        largest: dict[Host, int] | None = None,
    ) -> float:
        """One TCP connection; returns when it ended."""
        flow = Flow(self, client, server, six, rtt or self.rng.uniform(300, 5000), largest or {})
        at = flow.open(at)
        for _ in range(rounds):
            at = flow.burst(at + self.rng.uniform(200, 3000), client, self.rng.choice((90, 300, 700, 4000)), 0)
            at = flow.burst(
                at + self.rng.uniform(100, 900),
                server,
                self.rng.choice((60, 1400, 9000, 90000 if largest else 16000)),
                loss,
            )
        return flow.close(at + 500, ending)


class Flow:
    """A TCP connection that loses segments."""

    def __init__(
        self, world: World, client: Host, server: Host, six: bool, rtt: float, largest: dict[Host, int]
    ) -> None:
        self.world, self.client, self.server, self.six, self.rtt = world, client, server, six, rtt
        self.largest = largest  # what a host hands to its NIC at once, and the NIC cuts
        self.ports = {client: world.rng.randrange(49152, 65535), server: world.rng.choice((5201, 7777, 60443))}
        self.next = {client: world.rng.randrange(2**32), server: world.rng.randrange(2**32)}
        self.mss = MSS - 20 * six
        self.stamps = client.stamps and server.stamps
        self.size = self.mss - 12 * self.stamps  # of a full segment
        self.sack = client.sack and server.sack

    def other(self, who: Host) -> Host:
        return self.server if who is self.client else self.client

    def send(
        self,
        at: float,
        who: Host,
        flags: int,
        data: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        options: bytes = b"",
    ) -> None:
        peer = self.other(who)
        seq = self.next[who] if seq is None else seq
        ack = self.next[peer] if ack is None else ack
        if self.stamps and not flags & RST:
            stamp = struct.pack(">BBBBII", 1, 1, 8, 10, int(at / 1000) + 7, int(at / 1000))
            options = stamp + options
        made = segment(self.ports[who], self.ports[peer], seq, 0 if flags == SYN else ack, flags, data, options)
        count = -(-len(data) // self.size) or 1
        ident = None
        if not self.six:
            stateless = bool(flags & RST) or flags == SYN | ACK
            ident = who.next_ident(self.ports[self.client], stateless=stateless, count=count)
        self.world.send(at, who, peer, TCP, made, six=self.six, ident=ident)

    def open(self, at: float) -> float:
        sack = b"\4\2\1\1" if self.sack else b""
        options = struct.pack(">BBH", 2, 4, self.mss) + b"\1\3\3\7" + sack
        self.send(at, self.client, SYN, options=options)
        self.next[self.client] += 1
        at += self.world.wait(self.server, self.rtt)
        self.send(at, self.server, SYN | ACK, options=options)
        self.next[self.server] += 1
        at += self.world.wait(self.client, self.rtt)
        self.send(at, self.client, ACK)
        return at

    def burst(self, at: float, who: Host, size: int, loss: float) -> float:
        """Data, its ACKs, and what a lost segment brings about; returns when it was acknowledged."""
        rng, peer, largest = self.world.rng, self.other(who), self.largest.get(who, self.size)
        data = rng.randbytes(size)
        starts = list(range(0, size, largest))
        lost = rng.randrange(1, len(starts)) if len(starts) > 3 and rng.random() < loss else None
        first, ack = self.next[who], self.next[peer]
        step, held, tail = rng.uniform(3, 14), [], at
        for number, start in enumerate(starts):
            chunk, at = data[start : start + largest], at + step
            self.next[who] = first + start
            if number != lost or who in self.world.local:  # or it was lost before the tap
                self.send(at, who, ACK | (PSH if number == len(starts) - 1 else 0), chunk, ack=ack)
            if lost is not None and number > lost:
                edges = (first + starts[lost] + self.size) % 2**32, (first + start + len(chunk)) % 2**32
                held.append(struct.pack(">BBBBII", 1, 1, 5, 10, *edges) if self.sack else b"")
            elif number != lost and (number % 2 or number == len(starts) - 1):
                tail = max(tail, at + self.world.wait(peer, self.rtt))
                self.send(tail, peer, ACK, ack=first + start + len(chunk), seq=ack)
        self.next[who] = first + size
        tail = max(tail, at + self.world.wait(peer, self.rtt))
        for sack in held:  # a duplicate ACK for each segment behind the hole
            tail += rng.uniform(step, step + 9)
            self.send(tail, peer, ACK, ack=first + starts[lost or 0], seq=ack, options=sack)
        if lost is not None:
            tail += self.world.wait(who, self.rtt)
            again = data[starts[lost] : starts[lost] + self.size]
            self.send(tail, who, ACK, again, seq=first + starts[lost], ack=ack)
            tail += self.world.wait(peer, self.rtt)
            self.send(tail, peer, ACK)
        return tail

    def close(self, at: float, ending: str) -> float:
        if ending == "rst":
            self.send(at, self.client, RST | ACK)
            return at
        for who in (self.client, self.server):
            self.send(at, who, FIN | ACK)
            self.next[who] += 1
            at += self.world.wait(self.other(who), self.rtt)
            self.send(at, self.other(who), ACK)
            at += 30
        return at
