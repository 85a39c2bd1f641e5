"""Hard cases at one hop or interface: pktmon, mirrors, and hosts whose outbound frames show twice."""

from __future__ import annotations

import struct
from collections.abc import Callable

from engine import TCP, UDP
from hard_capture import (
    Case,
    Change,
    Frame,
    Stop,
    both,
    case,
    dot11,
    is_ip,
    office,
    offloaded,
    packet_id,
    padded,
    record,
    renumber,
    wire,
)
from hard_traffic import ACK, Host, Packet, World, datagram, segment
from pcapng_blocks import ETHERNET

MINUTE = 60 * 10**9  # nanoseconds


def repeats(world: World, me: Host, peer: Host) -> None:
    """Real repeats with the same bytes, as near to each other as pktmon traces have shown them."""
    for number in range(12):
        at = 70_000.0 + number * 130_000
        for gap in (0, 267, 820):
            world.mdns(peer, at + gap)
            world.arp(me, peer, at + 9_000 + gap * 1.3, answered=False)
            ack = segment(50_123, 445, 7_000 + number, 9_000, ACK)
            world.send(at + 20_000 + gap * 1.1, peer, me, TCP, ack, ident=0)


def edges(count: int, me: Host, *, changes: dict[int, Change] | None = None) -> list[Stop]:
    """The edges of components, from the protocol down; `changes` says what some show instead."""

    def shown(change: Change) -> Change:
        return lambda p: change(offloaded(p) if p.sender is me else p)

    shows = [shown((changes or {}).get(number, wire)) for number in range(count)]
    return [Stop(gap=(0, 15 if number else 0), change=show, rare=0.002) for number, show in enumerate(shows)]


@case
def pktmon_one_interface() -> Case:
    """No names, no ids, cut at 128 bytes: sent packets show at 4 edges, received ones at 2."""
    world, me, peers = office(1)
    world.mixed(peers)
    repeats(world, me, peers[0])
    found = record(world, both(edges(4, me), edges(2, me), me), cut=128)
    return Case(found, microseconds=True, least_recall=0.94)  # pure ACKs before anything is learned


@case
def pktmon_received_more() -> Case:
    """As an Azure VM shows it: received packets with IP ID 0 at 4 edges, sent ones at 2, and only 2 edges see ARP."""
    world, me, peers = office(2)
    for peer in peers:
        peer.ident = "zero"
    world.mixed(peers)
    repeats(world, me, peers[0])

    def path(p: Packet) -> list[Stop]:
        return edges(2 if p.sender is me or not is_ip(p) else 4, me)

    return Case(record(world, path, cut=128), microseconds=True, least_recall=0.9)


@case
def pktmon_wifi() -> Case:
    """13 appearances a packet, four of them with an 802.11 header, whose 128 bytes hold less of the payload."""
    world, me, peers = office(3)
    world.mixed(peers, rounds=1)
    repeats(world, me, peers[0])
    air = {9: dot11(qos=False), 10: dot11(qos=False), 11: dot11(qos=True), 12: dot11(qos=True)}
    out = edges(13, me, changes=air)
    # mDNS asks again after 0.3 ms here, as nobody does: both are one to us. Equal ACKs of a batch get no mark.
    found = record(world, both(out, out[::-1], me), cut=128)
    return Case(found, microseconds=True, least_precision=0.92, least_recall=0.72)


def components(me: Host, options: Callable[[int], bytes]) -> Callable[[Packet], list[Stop]]:
    """Five drivers, each an interface; three of them log both of their edges."""
    out = [
        Stop(number, (0, 9), lambda p: wire(offloaded(p) if p.sender is me else p), options=options)
        for number in (0, 1, 1, 2, 2, 3, 3, 4)
    ]
    return both(out, out[::-1], me)


COMPONENTS: list[tuple[str | None, int]] = [
    (name, ETHERNET) for name in ("tcpip.sys", "pacer.sys", "wfplwfs.sys", "vmswitch.sys", "e1i68x64.sys")
]


@case
def pktmon_ids() -> Case:
    """etl2pcapng 1.12: ids repeat, and alone tell bursts of equal ACKs apart, some 2 us behind each other."""
    world, me, peers = office(4)
    world.mixed(peers)
    repeats(world, me, peers[0])
    for number in range(30):
        ack = segment(50_200, 445, 99, number, ACK)
        for gap in range(4):
            world.send(5_000 + number * 40_000 + 2 * gap, peers[0], me, TCP, ack, ident=0)
    path = components(me, lambda number: packet_id(number % 4 << 48 | number))
    return Case(record(world, path, cut=128), COMPONENTS, 1.0, 1.0, microseconds=True)


def ids_from_one(seed: int) -> list[Frame]:
    """A trace whose packets are numbered from 1."""
    world, me, peers = office(seed)
    world.mixed(peers)
    return record(world, components(me, lambda number: packet_id(number % 4 << 48 | number)), cut=128)


@case
def pktmon_ids_restart() -> Case:
    """Two traces in one file: a minute later, the second one counts its packets from 1 again."""
    first, second = ids_from_one(6), ids_from_one(7)
    later = [f._replace(time=f.time + MINUTE, packet=f.packet + len(first)) for f in second]
    return Case(first + later, COMPONENTS, 1.0, 1.0, microseconds=True)


def pktmon_components(*, ids: bool) -> Case:
    world, me, peers = office(5)
    world.mixed(peers)
    repeats(world, me, peers[0])
    found = record(world, components(me, lambda _: b""), cut=128)
    if ids:
        found = [frame._replace(options=packet_id(number % 4 << 48 | number)) for number, frame in enumerate(found, 1)]
    return Case(found, COMPONENTS, 0.99, 0.91, microseconds=True)  # pure ACKs before anything is learned


@case
def pktmon_24h2_ids() -> Case:
    """Windows 11 24H2: every event has an id of its own, and two edges share an interface."""
    return pktmon_components(ids=True)


@case
def pktmon_no_ids() -> Case:
    """Two edges of a driver share an interface, three drivers log two, two log one."""
    return pktmon_components(ids=False)


@case
def mirrored_twice() -> Case:
    """Both directions of a switch port are mirrored: each frame twice, also equal ACKs with IP ID 0 in a row."""
    world, _, peers = office(6, "zero", sack=False)
    world.mixed(peers, rounds=3)
    return Case(record(world, lambda _: [Stop(change=padded), Stop(gap=(1, 2), change=padded)]))


@case
def mirrored_interleaved() -> Case:
    """The second mirror lags by the length of a queue: A B A' B'."""
    world, _, peers = office(7)
    world.mixed(peers, rounds=3)
    return Case(record(world, lambda _: [Stop(change=padded), Stop(gap=(15, 40), change=padded)]))


@case
def mirrored_with_loss() -> Case:
    """A busy mirror port drops a tenth of what it copies."""
    world, _, peers = office(8, peers_sack=False)
    world.mixed(peers, rounds=3)
    path = [Stop(change=padded, seen=0.9), Stop(gap=(1, 6), change=padded, seen=0.9)]
    return Case(record(world, lambda _: path), least_recall=0.87)


@case
def equal_among_others() -> Case:
    """Two edges show all packets twice; one host sends nothing but equal datagrams with IP ID 0."""
    world, _, peers = office(15)
    world.mixed(peers, rounds=6)
    for number in range(200):
        line = datagram(b"<13>the same line", 40_000, 514)
        world.send(200_000 + number * 8_000, Host(60, "zero"), peers[0], UDP, line, ident=0)
    return Case(record(world, lambda _: [Stop(), Stop(gap=(40, 60))]))


@case
def equal_bursts() -> Case:
    """Three edges show all packets; one host often sends equal datagrams so close together that their sightings mix."""
    world, _, peers = office(18)
    world.mixed(peers, rounds=6)
    sender = Host(60, "zero")
    for number in range(400):
        for later in range(world.rng.choice((1, 1, 2, 3))):
            line = datagram(b"<13>the same line", 40_000, 514)
            world.send(
                200_000 + number * 8_000 + later * world.rng.uniform(2, 25), sender, peers[0], UDP, line, ident=0
            )
    path = [Stop(), Stop(gap=(3, 40)), Stop(gap=(3, 40))]
    return Case(record(world, lambda _: path), least_recall=0.7)


@case
def twice_from_a_moment() -> Case:
    """Without IP IDs nor timestamps, packets show once for two seconds, then twice: what was learned does not last."""
    world, _, peers = office(16, "zero")
    for peer in peers:
        peer.ident = "zero"
    for part in range(4):
        later = len(world.packets)
        world.mixed(peers, rounds=1)
        world.packets[later:] = [p._replace(time=p.time + part * 1_500_000_000) for p in world.packets[later:]]
    once, twice = [Stop(change=padded)], [Stop(change=padded), Stop(gap=(10, 300), change=padded)]
    return Case(record(world, lambda p: twice if p.time > 2_000_000_000 else once), least_recall=0.77, most_again=5)


@case
def fragments_twice() -> Case:
    """Fragments of IPv4, each shown twice: all of one datagram have one IP ID."""
    world, me, peers = office(17)
    for number in range(60):
        world.fragments(*((me, peers[0]) if number % 3 else (peers[0], me)), 3_000 + number * 5_000)
    return Case(record(world, lambda _: [Stop(change=padded), Stop(gap=(20, 40), change=padded)]))


@case
def quic_twice() -> Case:
    """QUIC over IPv6 and nothing else, each datagram twice: there is no IP ID, but each payload looks drawn by lot."""
    world, me, peers = office(11)
    for number in range(300):
        data = datagram(world.rng.randbytes(1200), 50_000, 443)
        world.send(3_000 + number * 700, *((me, peers[0]) if number % 3 else (peers[0], me)), UDP, data, six=True)
    return Case(record(world, lambda _: [Stop(), Stop(gap=(1, 6))]))


@case
def profinet_twice() -> Case:
    """A PLC's cyclic data, each with its cycle counter; a mirror shows one in twenty twice."""
    world, me, peers = office(13)
    for number in range(1_000):
        data = (
            struct.pack(">H", 0x8019) + world.rng.randbytes(2) * 18 + struct.pack(">HBB", number * 64 % 65536, 0x35, 0)
        )
        world.put(3_000 + number * 2_000, peers[0], data, ethertype=0x8892, dst=me.mac)
    return Case(record(world, lambda p: [Stop(), Stop(gap=(1, 9))] if p.time // 2_000_000 % 20 == 0 else [Stop()]))


@case
def appended_to_itself() -> Case:
    """What was captured at one place, twice in one file: time runs back in the middle."""
    world, _, peers = office(14)
    world.mixed(peers)
    found = record(world, lambda _: [Stop()])
    return Case(renumber([*found, *found]))


@case
def outbound_twice() -> Case:
    """Only what one host sends shows twice, up to 300 us apart, with IP ID 0; its peers repeat ACKs by themselves."""
    world, me, _ = office(9, "zero", stamps=True)
    world.mixed([Host(2, "zero", sack=False), Host(3, "zero"), Host(4, "zero", stamps=True)], rounds=3)
    return Case(record(world, both([Stop(), Stop(gap=(2, 300))], [Stop()], me)), least_precision=0.99)


def same_from(world: World, senders: list[Host], collector: Host) -> None:
    """Each tells the collector the same every 100 ms, in datagrams that need no IP ID and all have the same one."""
    for number in range(150):
        for place, sender in enumerate(senders):
            at = 400_000.0 + number * 100_000 + place * 31_000 + world.rng.uniform(0, 2_000)
            world.send(at, sender, collector, UDP, datagram(b"state=up", 2001, 2001), ident=0x1234)


@case
def same_from_several() -> Case:
    """Hosts that count their IDs, but for one service, tell a collector the same; one interface shows all thrice."""
    world, me, peers = office(66, peers_sack=False)
    world.mixed(peers, rounds=4)
    same_from(world, [me, peers[1]], peers[0])
    return Case(record(world, lambda _: [Stop(), Stop(gap=(5, 15)), Stop(gap=(5, 15))]), least_recall=0.75)


@case
def same_from_two_ports() -> Case:
    """Two of them, with the same TTL, at two ports of one host: neither is the other behind a NAT."""
    world, me, peers = office(67, peers_sack=False)
    world.local = (me, peers[2])
    world.mixed(peers[:2], rounds=4)
    same_from(world, [me, peers[2]], peers[0])

    def path(p: Packet) -> list[Stop]:
        port = peers[2].mac in (p.src, p.dst)
        stops = [Stop(port), Stop(2, (5, 15))]
        return stops if p.sender in world.local else stops[::-1]

    return Case(record(world, path), [("vmNIC 1", 1), ("vmNIC 2", 1), ("pNIC", 1)])


@case
def same_over_a_team() -> Case:
    """One of them sends by either NIC of a team, between others: the last packet is meant, not the one before it."""
    world, me, peers = office(68, peers_sack=False)
    world.mixed(peers, rounds=4)
    same_from(world, [me], peers[0])
    for number in range(2_000):
        at = 400_000.0 + number * 7_500 + world.rng.uniform(0, 2_000)
        world.send(at, me, peers[1], UDP, datagram(world.rng.randbytes(60), 5000, 5001))

    def path(p: Packet) -> list[Stop]:
        stops = [Stop(0), Stop(1 + p.time // 1000 % 2, (5, 15))]
        return stops if p.sender is me else stops[::-1]

    return Case(record(world, path), [("vmNIC", 1), ("pNIC 1", 1), ("pNIC 2", 1)], least_recall=0.97)
