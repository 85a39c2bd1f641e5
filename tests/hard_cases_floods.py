"""Hard cases of equal frames to a group: a vmSwitch sends each to all of its ports, in any order."""

from __future__ import annotations

from engine import UDP
from hard_capture import Case, Stop, case, office, record, tagged
from hard_traffic import Host, Packet, World, datagram

PORTS = 5
NIC, TEAM, FIRST = 0, 1, 2  # interfaces
HOPS = [("pNIC", 1), ("tNIC", 1), *((f"vport{number}", 1) for number in range(PORTS))]
STEP = (10, 30)  # µs from one hop to the next


def flood(world: World) -> list[Stop]:
    """From the wire to all ports."""
    ports = world.rng.sample(range(PORTS), PORTS)
    return [Stop(NIC), Stop(TEAM, STEP), *(Stop(FIRST + port, (1, 20)) for port in ports)]


def equal(seed: int, times: list[float]) -> World:
    """One host asks the same by mDNS at each of these times, in µs; nothing else is sent."""
    world, _, _ = office(seed)
    for at in times:
        world.mdns(Host(70, "zero"), at)
    return world


@case
def flood_one_lost() -> Case:
    """One port misses one frame: those behind it keep their place."""
    times = [1_500.0 * number for number in range(60)]
    world = equal(60, times)

    def path(p: Packet) -> list[Stop]:
        stops = flood(world)
        return stops[:-1] if p.time == times[10] * 1000 else stops

    return Case(record(world, path), HOPS, least_recall=0.9)


@case
def flood_one_late() -> Case:
    """One frame waits for 24 ms before the ports: some of those behind it are joined again at once, soon all."""
    times = [100_000.0 * number for number in range(60)]
    world = equal(61, times)

    def path(p: Packet) -> list[Stop]:
        stops = flood(world)
        if p.time == times[10] * 1000:
            stops[2] = Stop(stops[2].interface, (24_000, 24_000))
        return stops

    return Case(record(world, path), HOPS, least_recall=0.86)


@case
def flood_on_many_ways() -> Case:
    """Some wait for up to 40 ms, and hardly any takes the ports in the order of another."""
    times = [20_000.0 * number for number in range(1_000)]
    world = equal(62, times)

    def path(_: Packet) -> list[Stop]:
        stops = flood(world)
        if world.rng.random() < 0.05:
            stops[1] = Stop(TEAM, (2_000, 40_000))
        return stops

    # Nothing but these equal frames tells how long a step takes.
    return Case(record(world, path), HOPS, least_precision=0.98, least_recall=0.9)


@case
def flood_of_several_vlans() -> Case:
    """A router asks the same in three VLANs at once: tagged on the wire, without a tag at the port of each VLAN."""
    world, _, _ = office(63)
    router, vlans = Host(70, "zero"), (10, 20, 30)
    of = {}
    for number in range(200):
        for at in range(len(vlans)):
            time = 50_000.0 * number + 8 * at
            world.mdns(router, time)
            of[time * 1000] = at
    # Each VLAN's own traffic shows which port is in it.
    for number in range(60):
        time = 25_000.0 + 50_000 * number
        data = datagram(world.rng.randbytes(64), 700, 700)
        world.send(time, router, Host(80 + number % 3), UDP, data, ident=number + 1)
        of[time * 1000] = number % 3

    def path(p: Packet) -> list[Stop]:
        at = of[p.time]
        priority = p.time // 1_000_000 % 8  # which changes, and names no VLAN
        trunk = tagged((0x8100, priority << 13 | vlans[at]))
        return [Stop(NIC, change=trunk), Stop(TEAM, STEP, trunk), Stop(FIRST + at, (1, 90))]

    return Case(record(world, path), HOPS, least_recall=0.9)
