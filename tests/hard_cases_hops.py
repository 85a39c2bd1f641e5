"""Hard cases between hops that change what they pass on: routers, VLANs, NAT, tunnels, offload, disorder."""

from __future__ import annotations

import struct

from engine import TCP, UDP, put
from hard_capture import (
    Case,
    Change,
    Nat,
    Stop,
    Tunnel,
    both,
    case,
    cut,
    fixed,
    is_ip,
    large,
    office,
    offloaded,
    padded,
    record,
    renumber,
    routed,
    sll,
    tagged,
    wire,
)
from hard_traffic import ACK, MSS, SYN, Host, Packet, World, datagram, segment
from pcapng_blocks import ETHERNET

Q, S = 0x8100, 0x88A8  # TPIDs


@case
def routed_one_interface() -> Case:
    """A router on a stick: each packet before and behind it, MACs rewritten, TTL or hop limit one less."""
    world, _, peers = office(10, peers_sack=False)
    world.mixed(peers, rounds=3)
    gateway = Host(254).mac

    def behind(p: Packet) -> bytes:
        return padded(routed(p, gateway, bytes([2, 0, 0, 0, 0, p.dst[5]])))

    return Case(
        record(world, lambda p: [Stop(change=padded), Stop(gap=(50, 190), change=behind)] if is_ip(p) else [Stop()])
    )


@case
def seen_behind_first() -> Case:
    """A router on a stick; the mirror drops some equal datagrams in front: those behind cannot come first."""
    world, me, peers = office(31, "zero", peers_sack=False)
    world.mixed(peers, rounds=3)
    gateway = Host(254).mac
    for number in range(300):
        line = datagram(b"<13>the same line", 40_000, 514)
        for gap in (0, 3) if number % 3 else (0, 150):
            world.send(100_000 + number * 5_000 + gap, me, peers[0], UDP, line)

    def behind(p: Packet) -> bytes:
        return padded(routed(p, gateway, bytes([2, 0, 0, 0, 0, p.dst[5]])))

    path = [Stop(change=padded, seen=0.9), Stop(gap=(60, 120), change=behind)]
    found = record(world, lambda p: path if is_ip(p) else [Stop()])
    # Where the mirror drops the second of two, nobody can tell.
    return Case(found, least_precision=0.985)


def passed_on(seed: int, ident: str, waits: tuple[float, float], *, six: bool, recall: float) -> Case:
    """A host that passes on what comes to its MAC, by the NIC by which it came, as an access point does."""
    world, me, peers = office(seed, ident, peers_sack=False)
    world.mixed(peers, rounds=3, six=six)
    for number in range(300):
        line = datagram(b"<13>the same line", 40_000, 514)
        world.send(100_000 + number * 5_000, me, peers[0], UDP, line)
    host = Host(254).mac

    def to_host(p: Packet) -> bytes:
        return padded(p._replace(dst=host))

    def behind(p: Packet) -> bytes:
        return padded(p._replace(src=host))

    path = [Stop(0, (0, 0), to_host, "pNIC"), Stop(1, waits, to_host, "tNIC")]
    path += [Stop(1, (20, 60), behind, "tNIC"), Stop(0, waits, behind, "pNIC")]
    names = [("pNIC", ETHERNET), ("tNIC", ETHERNET)]
    found = record(world, lambda p: path if is_ip(p) and not p.dst[0] & 1 else path[::3])
    return Case(found, names, least_recall=recall)


@case
def passed_on_by_one_nic() -> Case:
    """No TTL changes, and each NIC shows each packet before and behind the host; many have no identity."""
    return passed_on(38, "zero", (2, 900), six=True, recall=0.98)


@case
def passed_on_late() -> Case:
    """The NIC sends a packet on so late that it seems to show each packet once, also those without an identity."""
    return passed_on(39, "count", (12_000, 14_000), six=False, recall=0.95)


@case
def doubled_before_it_goes_on() -> Case:
    """The network doubles one packet in thirty, at once; each goes on later than its double comes."""
    world, me, peers = office(40)
    world.mixed(peers, rounds=8)
    received = [p for p in world.packets if p.sender is not me and is_ip(p) and p.time > 500_000_000]
    world.packets += [p._replace(time=p.time + world.rng.randint(1, 40) * 1000) for p in received[::30]]
    out = [Stop(0, name="vmNIC"), Stop(1, (50, 900), name="pNIC")]
    back = [Stop(1, name="pNIC"), Stop(0, (50, 900), name="vmNIC")]
    return Case(record(world, both(out, back, me)), [("vmNIC", ETHERNET), ("pNIC", ETHERNET)])


@case
def vlan_between_hops() -> Case:
    """Untagged at the vmNIC, tagged in the switch, with a priority, and double tagged on the wire."""
    world, me, peers = office(11, peers_sack=False)
    world.mixed(peers)
    names = [("vmNIC", ETHERNET), ("vSwitch", ETHERNET), ("pNIC", ETHERNET)]
    out = [Stop(0, name="vmNIC"), Stop(1, (2, 20), tagged((Q, 10))), Stop(2, (2, 20), tagged((S, 0x6064), (Q, 0x200A)))]
    back = [
        Stop(2, (0, 0), tagged((S, 0x6064), (Q, 10), least=68)),
        Stop(1, (2, 20), tagged((Q, 10), least=64)),
        Stop(0, (2, 20), padded),
    ]
    return Case(record(world, both(out, back, me)), names)


@case
def vlan_one_interface() -> Case:
    """A trunk captured with its VLAN device: tags are added, removed, and translated from 10 to 20."""
    world, me, peers = office(12, peers_sack=False)
    world.mixed(peers)
    out = [Stop(), Stop(gap=(1, 12), change=tagged((Q, 10))), Stop(gap=(4, 30), change=tagged((Q, 20), least=64))]
    back = [Stop(change=tagged((Q, 20), least=64)), Stop(gap=(4, 30), change=tagged((Q, 10))), Stop(gap=(1, 12))]
    return Case(record(world, both(out, back, me)), least_recall=0.95)  # pure ACKs before anything is learned


def natted(seed: int, interface: int) -> Case:
    first, second, outside = Host(1, net=8), Host(2, net=8), Host(200)
    world = World(seed, first, second)
    world.mixed([Host(11), Host(12, sack=False), Host(13, ttl=128)], rounds=3, six=False, more=False)
    nat, inner = Nat(outside, Host(254).mac), {first.mac: first, second.mac: second}

    def path(p: Packet) -> list[Stop]:
        out = p.src in inner
        host = inner[p.src if out else p.dst]
        outer = Stop(interface, (5, 40) if out else (0, 0), lambda p: nat(p, host, out=out))
        plain = Stop(0, (0, 0) if out else (5, 40))
        return [plain, outer] if out else [outer, plain]

    names: list[tuple[str | None, int]] = [("vEthernet (NAT)", ETHERNET), ("Ethernet", ETHERNET)]
    return Case(record(world, path), names if interface else [(None, ETHERNET)], 0.99, 0.9)


@case
def nat_between_hops() -> Case:
    """WinNAT: address, port and echo identifier differ between the hops, in both directions."""
    return natted(13, 1)


@case
def nat_one_interface() -> Case:
    """WinNAT again, where both sides of it are one interface."""
    return natted(14, 0)


def tunnelled(seed: int, kind: str) -> Case:
    world, me, peers = office(seed)
    plain = kind in ("gre", "ipip")
    world.mixed(peers, six=not plain, more=not plain)
    tunnel = Tunnel(kind, Host(101, net=9), Host(102, net=9))
    out = [Stop(0), Stop(1, (3, 25), lambda p: tunnel(p, out=True))]
    back = [Stop(1, (0, 0), lambda p: tunnel(p, out=False)), Stop(0, (3, 25))]
    return Case(record(world, both(out, back, me)), [("vmNIC", ETHERNET), ("pNIC", ETHERNET)])


@case
def tunnel_vxlan() -> Case:
    """Bare at the vmNIC, in VXLAN at the pNIC; ARP and IPv6 inside too."""
    return tunnelled(15, "vxlan")


@case
def tunnel_nvgre() -> Case:
    """Bare at the vmNIC, in NVGRE at the pNIC: GRE with a key around an Ethernet frame."""
    return tunnelled(16, "nvgre")


@case
def tunnel_gre() -> Case:
    """Bare at the vmNIC, in GRE at the pNIC: IPv4 in IPv4 without a link header."""
    return tunnelled(17, "gre")


@case
def tunnel_ipip() -> Case:
    """Bare at the vmNIC, in IPIP at the pNIC: nothing between two IP headers."""
    return tunnelled(18, "ipip")


@case
def sll_forwarding() -> Case:
    """Linux's "any" device on a router: each packet in and out, TTL one less, what it says itself only once."""
    world, _, peers = office(19, peers_sack=False)
    world.mixed(peers, rounds=3)
    router = Host(254)
    for number in range(40):
        world.dns(router, peers[0], 3_000 + 40_000 * number)

    def path(p: Packet) -> list[Stop]:
        if p.sender is router or p.dst == router.mac or not is_ip(p):
            return [Stop(change=sll(4 if p.sender is router else 0))]
        return [Stop(change=sll(0)), Stop(gap=(10, 60), change=lambda p: sll(4)(routed(p, router.mac, p.dst)))]

    return Case(record(world, path), [("any", 113)])


def lso(seed: int, *, six: bool, lsov2: bool = False, loss: float = 0.6) -> Case:
    world, me, peers = office(seed, stamps=True)
    mss = MSS - 12 - 20 * six  # the timestamps take 12 bytes
    for number in range(10):
        peer = peers[number % 3]
        size = {me: mss * world.rng.randrange(2, 30)}
        world.ping(me, peer, number * 200_000, six=six)
        at = world.talk(me, peer, number * 200_000 + 40_000, six=six)
        world.talk(peer, me, at + 1_000, six=six, loss=loss, largest=size, rounds=5)
    names = [("vmNIC", ETHERNET), ("tNIC", ETHERNET), ("pNIC", ETHERNET)]
    down = [Stop(n, (2, 15), lambda p: large(p, mss, lsov2=lsov2), name=names[n][0]) for n in (0, 1)]
    out = [*down, Stop(2, (2, 25), lambda p: cut(p, mss if p.dst == peers[0].mac else mss + 12), name="pNIC")]
    back = [Stop(n, (2, 15) if n < 2 else (0, 0), padded, name=names[n][0]) for n in (2, 1, 0)]
    return Case(record(world, both(out, back, me)), names)


@case
def lso_ipv4() -> Case:
    """Large frames at two hops, segments at the third, whose IP IDs count on; lost segments are sent again."""
    return lso(20, six=False)


@case
def lso_ipv6() -> Case:
    """Segments without an IP ID: only the TCP sequence tells where they belong."""
    return lso(21, six=True)


@case
def lso_zero() -> Case:
    """A sender that leaves IP ID 0: the segments count from 0 on; what it sends again is small at every hop."""
    world, me, peers = office(21, "zero", peers_sack=False)
    for number in range(40):
        at, seq = 3_000 + number * 40_000, 1 + number * 8 * MSS
        data = world.rng.randbytes(8 * MSS)
        world.send(at, me, peers[0], TCP, segment(50_000, 445, seq, 1, ACK, data))
        world.send(at + 400, peers[0], me, TCP, segment(445, 50_000, 1, seq + 2 * MSS, ACK))
        world.send(at + 500, me, peers[0], TCP, segment(50_000, 445, seq + 2 * MSS, 1, ACK, data[2 * MSS : 3 * MSS]))
    names = [("vmNIC", ETHERNET), ("tNIC", ETHERNET), ("pNIC", ETHERNET)]
    down = [Stop(n, (2, 15), lambda p: large(p, MSS)) for n in (0, 1)]
    back = [Stop(n, (2, 15) if n < 2 else (0, 0), padded) for n in (2, 1, 0)]
    return Case(record(world, both([*down, Stop(2, (2, 25), lambda p: cut(p, MSS))], back, me)), names)


@case
def lso_v2() -> Case:
    """LSOv2: the large frame says that its IP packet is 0 bytes long."""
    return lso(22, six=False, lsov2=True)


@case
def rsc() -> Case:
    """Segments at the pNIC, one coalesced frame at the vmNIC: not one to one, so nothing wrong is what counts."""
    world, me, peers = office(23, peers_sack=False)
    for number in range(12):
        peer = peers[number % 3]
        world.talk(me, peer, number * 200_000, six=number % 4 == 3, largest={peer: 8 * (MSS - 20)}, rounds=6)
    names = [("vmNIC", ETHERNET), ("pNIC", ETHERNET)]
    back = [Stop(1, (0, 0), lambda p: cut(p, MSS - 20)), Stop(0, (5, 30))]
    return Case(record(world, both([Stop(0), Stop(1, (2, 20))], back, me)), names, 0.99, 0.0)


@case
def lbfo_disorder() -> Case:
    """QinQ below a team, written by dumpcap in batches: a hop's frames stand up to 300 ms behind those of another."""
    world, me, peers = office(24, peers_sack=False)
    world.mixed(peers)
    names = [("pNIC", ETHERNET), ("tNIC", ETHERNET), ("vport", ETHERNET)]
    changes: list[Change] = [tagged((S, 100), (Q, 7)), tagged((Q, 7)), wire]
    out = [Stop(n, (1, 30), changes[n], names[n][0]) for n in (2, 1, 0)]
    found = record(world, both(out, out[::-1], me))
    found.sort(key=lambda f: ((f.time + 100_000_000 * f.interface) // 300_000_000, f.interface))
    return Case(renumber(found), names)


@case
def doubled_and_marked() -> Case:
    """The network doubles one in thirty; the host sets the DSCP of what it receives: both take the whole path."""
    world, me, peers = office(42, peers_sack=False)
    world.mixed(peers, rounds=4)
    received = [p for p in world.packets if p.sender is not me and is_ip(p)]
    world.packets += [p._replace(time=p.time + 400_000) for p in received[::30]]

    def marked(p: Packet) -> bytes:
        return wire(p._replace(l3=fixed(put(p.l3, 0, 0x45B8)))) if p.l3[0] == 0x45 else wire(p)

    path = both([Stop(1), Stop(0, (20, 40), padded)], [Stop(0, change=padded), Stop(1, (20, 40), marked)], me)
    return Case(record(world, path), [("pNIC", ETHERNET), ("vmNIC", ETHERNET)], least_precision=0.998)


@case
def offload_checksums() -> Case:
    """What the vmNIC hands down has no checksums yet, and zero ones or the pseudo-header's sum; the pNIC computes."""
    world, me, peers = office(25, peers_sack=False)
    world.mixed(peers, rounds=3)
    out = [Stop(0, change=lambda p: wire(offloaded(p, zero=p.time % 3 == 0))), Stop(1, (1, 20), padded)]
    return Case(
        record(world, both(out, [Stop(1, change=padded), Stop(0, (1, 20), padded)], me)), [("vmNIC", 1), ("pNIC", 1)]
    )


@case
def cut_same_start() -> Case:
    """Datagrams with IP ID 0 that differ behind the cut at 128 bytes alone, at two hops: their checksums tell."""
    world, me, peers = office(26, "zero")
    world.mixed(peers, rounds=1)
    for number in range(60):
        for copy in range(3):
            data = bytes(100) + struct.pack(">HH", number, copy) * 50
            world.send(10_000 + number * 9_000 + copy * 8, me, peers[0], UDP, datagram(data, 5000, 5001))
    path = both([Stop(0), Stop(1, (2, 60))], [Stop(1), Stop(0, (2, 60))], me)
    return Case(record(world, path, cut=128), [("vmNIC", 1), ("pNIC", 1)])


@case
def same_headers() -> Case:
    """Datagrams with IP ID 0 that differ in their data alone, at two hops, with loss between."""
    world, me, peers = office(28, "zero")
    world.mixed(peers, rounds=1)
    for number in range(60):
        for copy in range(3):
            data = struct.pack(">HH", number, copy) * 15
            world.send(10_000 + number * 9_000 + copy * 8, me, peers[0], UDP, datagram(data, 5000, 5001), ident=0)
    path = both([Stop(0), Stop(1, (2, 20), seen=0.7)], [Stop(1), Stop(0, (2, 20), seen=0.7)], me)
    return Case(record(world, path), [("vmNIC", 1), ("pNIC", 1)])


@case
def scan_at_two_hops() -> Case:
    """zmap sends each probe twice with one IP ID: two packets, each of which shows at both hops."""
    world, me, peers = office(27, peers_sack=False)
    world.mixed(peers, rounds=1)
    for number in range(150):
        probe = segment(40_000 + number, 443, number * 7_919, 0, SYN)
        for gap in (0, world.rng.uniform(3, 90)):
            world.send(5_000 + number * 700 + gap, me, Host(50 + number), TCP, probe, ident=54321)
    path = both([Stop(0), Stop(1, (2, 12))], [Stop(1), Stop(0, (2, 12))], me)
    # Until a second one has its IP ID, a probe looks like a packet of a stack's.
    return Case(record(world, path), [("vmNIC", 1), ("pNIC", 1)], least_precision=0.985)
