"""Hard cases without a copy: each frame is a packet of its own, however much some look like others."""

from __future__ import annotations

import struct
from collections.abc import Callable

from engine import ARP, ICMP, IPV4, TCP, UDP
from hard_capture import CASES, Case, Stop, Tunnel, case, office, packet_id, padded, record
from hard_traffic import (
    ACK,
    EVERYONE,
    PSH,
    RST,
    SSDP,
    SYN,
    Host,
    Packet,
    World,
    datagram,
    group,
    ip4,
    segment,
)
from pcapng_blocks import ETHERNET

Special = Callable[[World, Host, list[Host]], None]


def negative(
    function: Special | None = None, *, ident: str = "count", sack: bool = True, cut: int | None = None
) -> object:
    """Registers what a function adds to ordinary traffic at one tap."""

    def register(special: Special) -> Special:
        def make() -> Case:
            world, me, peers = office(100 + len(special.__name__), ident, sack=sack, peers_sack=False)
            world.mixed(peers)
            special(world, me, peers)
            return Case(record(world, lambda _: [Stop()], cut=cut), no_marks=True)

        CASES[special.__name__] = make
        return special

    return register(function) if function else register


def bursts(world: World, count: int, sizes: tuple[int, ...], gap: tuple[float, float]) -> list[list[float]]:
    """When the packets of bursts are sent, 20 ms and more from burst to burst."""
    found, at = [], 3_000.0
    for _ in range(count):
        times = [at]
        for _ in range(world.rng.choice(sizes) - 1):
            times.append(times[-1] + world.rng.uniform(*gap))
        found.append(times)
        at = times[-1] + world.rng.uniform(20_000, 30_000)
    return found


@negative(ident="zero", sack=False)
def acks_repeat(world: World, me: Host, peers: list[Host]) -> None:
    """A host with IP ID 0 repeats pure ACKs 1-30 us apart, as macOS does; its data never repeats."""
    for number, times in enumerate(bursts(world, 60, (2, 2, 3, 4), (1, 30))):
        data = world.rng.randbytes(200)
        world.send(times[0] - 900, me, peers[0], TCP, segment(50_001, 445, 5 + 200 * number, 9, ACK | PSH, data))
        for at in times:
            world.send(at, me, peers[0], TCP, segment(50_001, 445, 205 + 200 * number, 9 + number, ACK))


@negative(ident="zero", sack=False)
def acks_always_twice(world: World, me: Host, peers: list[Host]) -> None:
    """Every ACK of a stack with IP ID 0 comes exactly twice, as the copies of a mirror would; other packets once."""
    for number, times in enumerate(bursts(world, 150, (2,), (1, 9))):
        world.send(times[0] - 90, peers[0], me, TCP, segment(445, 50_001, 9, 5, ACK | PSH, world.rng.randbytes(90)))
        for at in times:
            world.send(at, me, peers[0], TCP, segment(50_001, 445, 5, 99 + 90 * number, ACK))


@negative
def resets_burst(world: World, me: Host, peers: list[Host]) -> None:
    """A closed socket answers each segment in flight with the same RST, of IP ID 0."""
    for number, times in enumerate(bursts(world, 40, (2, 3, 6), (1, 15))):
        for at in times:
            world.send(at, peers[1], me, TCP, segment(8080, 50_100 + number, 77 * number, 0, RST), ident=0)


@negative
def datagrams_repeat(world: World, me: Host, peers: list[Host]) -> None:
    """Small datagrams with the same bytes in bursts: game ticks, RTP silence, heartbeats."""
    for number, times in enumerate(bursts(world, 50, (2, 3, 5), (1, 400))):
        for at in times:
            world.send(at, peers[0], me, UDP, datagram(b"ping" + bytes([number % 3] * 8), 7000, 7001), ident=0)


def search(ident: int | None) -> Special:
    def send(world: World, me: Host, peers: list[Host]) -> None:
        lines = (
            "M-SEARCH * HTTP/1.1",
            "HOST: 239.255.255.250:1900",
            'MAN: "ssdp:discover"',
            "MX: 3",
            "ST: ssdp:all",
            "",
            "",
        )
        for number, times in enumerate(bursts(world, 40, (3,), (2, 60))):
            sender = (me, *peers)[number % 4]
            for at in times:
                data = datagram("\r\n".join(lines).encode(), 51_000 + number, 1900)
                world.send(
                    at,
                    sender,
                    SSDP,
                    UDP,
                    data,
                    ttl=4,
                    ident=sender.next_ident("", stateless=False) if ident is None else ident,
                )

    return send


@negative
def searches_counted(world: World, me: Host, peers: list[Host]) -> None:
    """SSDP: each M-SEARCH three times back to back, with counting IP IDs."""
    search(None)(world, me, peers)


@negative
def searches_zero(world: World, me: Host, peers: list[Host]) -> None:
    """SSDP: each M-SEARCH three times back to back, with IP ID 0: 130 bytes of text, sent thrice all the same."""
    search(0)(world, me, peers)


@negative(ident="zero")
def lines_repeat(world: World, me: Host, peers: list[Host]) -> None:
    """Syslog and statsd: long lines of text with IP ID 0, a third of which a loop sends twice or more."""
    for number, times in enumerate(bursts(world, 90, (1, 1, 2, 4), (2, 300))):
        line = f"<134>Nov 23 12:13:{number % 60:02} web-1 nginx: upstream {number % 7} timed out while reading header"
        text = (
            line.encode()
            if number % 2
            else b"api.requests.count:1|c|#env:prod,region:eu-west-1,host:web-%d" % (number % 5)
        )
        for at in times:
            world.send(at, me, peers[number % 2], UDP, datagram(text, 40_000, 514 if number % 2 else 8125))


@negative
def v6_sent_again(world: World, me: Host, peers: list[Host]) -> None:
    """IPv6 in a LAN: fast retransmissions with the same bytes within a millisecond of the first."""
    for number in range(25):
        at, seq = 4_000 + number * 40_000, 1000 * number
        for part in range(6):
            data = world.rng.randbytes(1000)
            made = segment(50_300, 445, seq + 1000 * part, 1, ACK, data)
            world.send(at + 9 * part, me, peers[0], TCP, made, six=True)
            if part == 1:
                world.send(at + world.rng.uniform(150, 900), me, peers[0], TCP, made, six=True)
        for part in range(3):
            ack = segment(
                445,
                50_300,
                1,
                seq + 1000,
                ACK,
                options=struct.pack(">BBBBII", 1, 1, 5, 10, seq + 2000, seq + 3000 + 1000 * part),
            )
            world.send(at + 100 + part, peers[0], me, TCP, ack, six=True)


@negative(ident="zero")
def sent_again_48_ms(world: World, me: Host, peers: list[Host]) -> None:
    """TCP data with IP ID 0 again, to the byte, 48 ms and 96 ms after it was lost."""
    for number in range(40):
        made = segment(50_400, 443, 500 * number, 1, ACK | PSH, world.rng.randbytes(500))
        for later in (0, 48_000, 144_000)[: 2 + number % 2]:
            world.send(4_000 + number * 30_000 + later, me, peers[0], TCP, made)


@negative
def bfd_echo(world: World, me: Host, peers: list[Host]) -> None:
    """BFD echo: a host sends packets to itself, and its neighbour loops them: MACs swapped, TTL 255, then 254."""
    for number in range(150):
        at, data = 3_000 + number * 9_000, datagram(struct.pack(">II", 7, 9), 3785, 3785)
        for ttl, later, macs in (
            (255, 0, (me.mac, peers[0].mac)),
            (254, world.rng.uniform(40, 700), (peers[0].mac, me.mac)),
        ):
            l3 = ip4(me.ip4, me.ip4, UDP, data, ident=0, ttl=ttl)
            world.packets.append(Packet(round((at + later) * 1000), me, l3, IPV4, *macs))


def ladder(world: World, me: Host, peers: list[Host], ttls: list[int]) -> None:
    for number in range(12):
        at = 3_000.0 + number * 60_000
        payload = struct.pack(">BBHHH", 8, 0, 0, number, 1) + bytes(20)
        for ttl in ttls:
            at += world.rng.uniform(30, 400)
            world.send(at, me, peers[number % 3], ICMP, payload, ident=1, ttl=ttl, df=False)


@negative
def traceroute_up(world: World, me: Host, peers: list[Host]) -> None:
    """scapy's ladder: one packet with one IP ID, TTL 1, 2, 3 ..., the MACs the same."""
    ladder(world, me, peers, list(range(1, 24)))


@negative
def traceroute_down(world: World, me: Host, peers: list[Host]) -> None:
    """A ladder from the far end: TTL 23, 22, 21 ... as if routers were passed, but the MACs stay."""
    ladder(world, me, peers, list(range(23, 0, -1)))


@negative
def arp_repeats(world: World, me: Host, peers: list[Host]) -> None:
    """Requests again and again, gratuitous ones in a row after a failover, and a spoofer's replies."""
    head = struct.pack(">HHBBH", 1, IPV4, 6, 4, 2)
    for number, times in enumerate(bursts(world, 50, (2, 3), (90, 900))):
        for at in times:
            world.arp(me, peers[number % 3], at, answered=False)
            world.arp(peers[1], peers[1], at + 4_000, answered=False)
            spoofed = head + peers[2].mac + Host(254).ip4 + me.mac + me.ip4
            world.put(at + 9_000, peers[2], spoofed, ethertype=ARP, dst=me.mac)


@negative
def telemetry(world: World, me: Host, peers: list[Host]) -> None:
    """Small numbers around 0, 16 bits each, all the time; one report in sixty says what the one before it said."""
    at, report = 5_000.0, b""
    for number in range(600):
        if number % 60 or not report:
            report = b"".join(struct.pack(">h", world.rng.randint(-9, 9)) for _ in range(40))
        world.send(at, me, peers[0], UDP, struct.pack(">HHHH", 40_000, 4_840, 8 + len(report), 0) + report, ident=0)
        at += world.rng.uniform(3_000, 9_000)


def doubled_by_network(share: float, most_marks: float = 0.005) -> Case:
    world, _, peers = office(131, peers_sack=False)
    world.mixed(peers, rounds=3)
    for p in list(world.packets):
        if world.rng.random() < share:
            world.packets.append(p._replace(time=p.time + round(world.rng.uniform(1_000, 60_000))))
    return Case(record(world, lambda _: [Stop(change=padded)]), no_marks=True, most_marks=most_marks)


def network_doubles() -> Case:
    """A loop somewhere doubles one packet in fifty, IP ID and all: they come twice, and are not shown twice."""
    return doubled_by_network(0.02, most_marks=0.01)


@negative
def scan_probes(world: World, scanner: Host, peers: list[Host]) -> None:
    """zmap: SYN probes with the IP ID 54321, each sent twice within microseconds; the answers come once."""
    for number in range(150):
        target, at = Host(50 + number), 3_000 + number * 4_000.0
        probe = segment(40_000 + number, 443, number * 7_919, 0, SYN, window=65535)
        for later in (0, world.rng.uniform(1, 30)):
            world.send(at + later, scanner, target, TCP, probe, ident=54321, ttl=255, df=False)
        if number % 3 == 0:
            flags = ACK | (SYN if number % 2 else RST)
            world.send(at + 2_500, target, scanner, TCP, segment(443, 40_000 + number, 5, 1 + number * 7_919, flags))


def coarse_clock() -> Case:
    """A clock that ticks 64 times a second: all that a tick holds has one timestamp, and some ACKs repeat in it."""
    world, me, peers = office(141, "zero", sack=False)
    world.mixed(peers, rounds=3)
    acks_repeat(world, me, peers)
    found = record(world, lambda _: [Stop()])
    return Case([frame._replace(time=frame.time // 15_625_000 * 15_625_000) for frame in found], no_marks=True)


def unique_ids() -> Case:
    """Windows 11 24H2 at one edge: each frame has an id of its own, and ACKs and datagrams repeat."""
    world, me, peers = office(142, "zero", sack=False)
    world.mixed(peers)
    acks_repeat(world, me, peers)
    datagrams_repeat(world, me, peers)
    found = record(world, lambda _: [Stop(options=packet_id)], cut=128)
    return Case(found, [("tcpip.sys", ETHERNET)], no_marks=True, microseconds=True)


@negative
def flooded_to_vteps(world: World, me: Host, peers: list[Host]) -> None:
    """A VTEP replicates a broadcast to three others: one inner frame in three packets, at one hop."""
    tunnels = [Tunnel("vxlan", Host(101, net=9), Host(number, net=9)) for number in (102, 103, 104)]
    inner = World(143, me)
    for number in range(50):
        inner.arp(me, Host(150 + number), 5_000 + number * 20_000, answered=False)
        inner.mdns(me, 9_000 + number * 20_000)
    for p in inner.packets:
        for number, tunnel in enumerate(tunnels):
            frame = tunnel(p, out=True)
            world.packets.append(Packet(p.time + number * 1_500, me, frame[14:], IPV4, frame[6:12], frame[:6]))


@negative
def flooded_by_multicast(world: World, me: Host, peers: list[Host]) -> None:
    """A sender gives one datagram with IP ID 0 to several groups and to everyone at once."""
    groups = [group(bytes([239, 1, 1, number])) for number in range(3)]
    for number in range(60):
        data = datagram(world.rng.randbytes(90), 5000, 5000)
        for later, to in enumerate((*groups, EVERYONE)):
            world.send(4_000 + number * 9_000 + later * 3, peers[0], to, UDP, data, ident=0, ttl=1)


@negative(ident="zero")
def keep_alives(world: World, me: Host, peers: list[Host]) -> None:
    """Keep-alives and window probes with IP ID 0, and their answers: the same bytes every 200 ms."""
    for number in range(60):
        at = 3_000 + number * 20_000
        port = 50_500 + number % 10
        world.send(at, me, peers[0], TCP, segment(port, 443, 99, 5, ACK, b"\0" if number % 2 else b""), ident=0)
        world.send(at + 600, peers[0], me, TCP, segment(443, port, 5, 100, ACK), ident=0)


@case
def again_at_equal_acks() -> Case:
    """Data sent again 0.4 ms after the first time, as three equal ACKs have asked, all with one constant IP ID."""
    world, me, peers = office(120, peers_sack=False)
    for number in range(60):
        at, seq, port = 3_000 + number * 20_000, 1 + number * 10_000, 50_700
        data = [world.rng.randbytes(1_000) for _ in range(6)]
        for part in range(6):
            made = segment(port, 445, seq + part * 1_000, 1, ACK, data[part])
            world.send(at + part, me, peers[0], TCP, made, ident=0x1234)
        for gap in (150, 180, 200, 220):
            world.send(at + gap, peers[0], me, TCP, segment(445, port, 1, seq + 2_000, ACK), ident=0x1234)
        world.send(at + 400, me, peers[0], TCP, segment(port, 445, seq + 2_000, 1, ACK, data[2]), ident=0x1234)
    return Case(
        record(world, lambda _: [Stop()]), no_marks=True, most_marks=0.007
    )  # the first four: nothing tells yet that the ID is constant


@negative(ident="zero")
def same_payload(world: World, me: Host, peers: list[Host]) -> None:
    """Flows side by side carry the same request at the same moment, as a load test does, IP ID 0: no NAT."""
    data = b"GET /health HTTP/1.1\r\nHost: web.test\r\nUser-Agent: probe/1.0\r\nAccept: */*\r\n\r\n"
    for number in range(50):
        for flow in range(3):
            at, seq = 4_000 + number * 9_000 + flow * 12, world.rng.randrange(2**32)
            made = segment(51_000 + 3 * number + flow, 8080, seq, seq // 3, ACK | PSH, data)
            world.send(at, me, peers[0], TCP, made)


@negative(ident="zero")
def asked_everywhere(world: World, me: Host, peers: list[Host]) -> None:
    """dnsmasq asks all its servers at once: one query, one port, IP ID 0, and only the address differs."""
    for number in range(60):
        name = world.rng.randbytes(8).hex().encode()
        ask = world.rng.randbytes(2) + b"\1\0\0\1\0\0\0\0\0\0\x10" + name + b"\4test\0\0\1\0\1"
        for later, peer in enumerate(peers):
            world.send(4_000 + number * 9_000 + later * 9, me, peer, UDP, datagram(ask, 52_000 + number, 53))


@negative(ident="zero")
def relayed(world: World, me: Host, peers: list[Host]) -> None:
    """A relay on the host sends on what it receives, byte for byte, with IP ID 0: another datagram, not NAT."""
    for number in range(80):
        line = b"<13>1 2025-11-23T12:13:14Z app-3 worker %d - - job %d done in 17 ms" % (number, number * 7)
        at = 4_000 + number * 9_000
        world.send(at, peers[0], me, UDP, datagram(line, 40_001, 514), ident=0)
        world.send(at + world.rng.uniform(30, 200), me, peers[2], UDP, datagram(line, 40_777, 514), ident=0)


@negative(ident="zero", cut=128)
def cut_datagrams(world: World, me: Host, peers: list[Host]) -> None:
    """Cut at 128 bytes, datagrams with IP ID 0 that differ only behind the cut: their checksums do too."""
    for number, times in enumerate(bursts(world, 50, (2, 3), (10, 200))):
        for copy, at in enumerate(times):
            data = bytes([7] * 100) + struct.pack(">HH", number, copy) * 50
            world.send(at, me, peers[0], UDP, datagram(data, 5000, 5001))


CASES["network_doubles"] = network_doubles
CASES["coarse_clock"] = coarse_clock
CASES["unique_ids"] = unique_ids
