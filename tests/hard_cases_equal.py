"""Hard cases of equal datagrams with IP ID 0 at several hops: only their order and their times tell which is which."""

from __future__ import annotations

from engine import UDP
from hard_capture import Case, Stop, case, office, record
from hard_traffic import Host, Packet, World, datagram

SAME = datagram(b"<13>the same line", 40_000, 514)
BEGIN = 300_000  # µs: until then, other hosts talk
STEP = (40, 60)  # µs from one hop to the next
TWO_HOPS = [("vmNIC", 1), ("pNIC", 1)]


def one_way(world: World, p: Packet, step: tuple[float, float]) -> list[Stop]:
    """From the vmNIC to the pNIC what a host here sends, and back what it receives; `step` in µs."""
    first = 0 if p.sender in world.local else 1
    return [Stop(first), Stop(1 - first, step)]


def steady(seed: int, times: list[int]) -> tuple[World, Host]:
    """Others talk; then one host sends the same datagram at each of these times, in µs."""
    world, _, peers = office(seed, peers_sack=False)
    world.mixed(peers, rounds=6)
    sender = Host(60, "zero")
    world.local += (sender,)
    for at in times:
        world.send(at, sender, peers[0], UDP, SAME, ident=0)
    return world, sender


@case
def equal_one_lost() -> Case:
    """One in thirty gets lost in the host: those behind it keep their place."""
    world, _, peers = office(29, peers_sack=False)
    world.mixed(peers, rounds=6)
    slow, quick = Host(60, "zero"), Host(61, "zero")
    world.local += (slow, quick)
    lost = set()
    for number in range(600):
        for sender, every, some in ((slow, 5_000, {7}), (quick, 1_000, {7, 8, 9})):
            at = BEGIN + number * every
            world.send(at, sender, peers[0], UDP, SAME, ident=0)
            if number % 30 in some:
                lost.add((sender, at * 1000))

    def path(p: Packet) -> list[Stop]:
        if (p.sender, p.time) in lost:
            return [Stop(0)]
        out = [Stop(0), Stop(1, STEP), Stop(2, STEP)]
        return out if p.sender in world.local else [Stop(2), Stop(1, STEP), Stop(0, STEP)]

    return Case(record(world, path), [("vmNIC", 1), ("vSwitch", 1), ("pNIC", 1)])


def lost_in_a_stream(seed: int, step: tuple[int, int]) -> Case:
    """One in thirty gets lost in the host, just before the next one comes."""
    times = [BEGIN + number * 700 for number in range(600)]
    world, sender = steady(seed, times)
    lost = {at * 1000 for at in times[7::30]}

    def path(p: Packet) -> list[Stop]:
        if p.sender is sender and p.time in lost:
            return [Stop(0)]
        return one_way(world, p, step)

    return Case(record(world, path), TWO_HOPS)


@case
def equal_lost_in_a_stream() -> Case:
    return lost_in_a_stream(38, STEP)


@case
def equal_lost_where_steps_take_no_time() -> Case:
    """As a clock of milliseconds shows them."""
    return lost_in_a_stream(39, (0, 0))


@case
def equal_queued() -> Case:
    """Pairs, of which every tenth waits a millisecond in the host: none is lost."""
    times = [BEGIN + number // 2 * 5_000 + number % 2 * 100 for number in range(600)]
    world, sender = steady(37, times)
    waiting = {at * 1000 for number, at in enumerate(times) if number // 2 % 10 == 3}

    def path(p: Packet) -> list[Stop]:
        if p.sender is sender:
            return [Stop(0), Stop(1, (1_000, 1_000) if p.time in waiting else STEP)]
        return one_way(world, p, STEP)

    return Case(record(world, path), TWO_HOPS)


@case
def equal_missed() -> Case:
    """The capture misses one in forty at each hop: those behind it keep their place."""
    world, sender = steady(31, [BEGIN + number * 400 for number in range(1_200)])

    def path(p: Packet) -> list[Stop]:
        out = [Stop(0), Stop(1, (20, 30)), Stop(2, (20, 60))]
        stops = out if p.sender in world.local else [Stop(2), Stop(1, (20, 60)), Stop(0, (20, 30))]
        return [stop for stop in stops if p.sender is not sender or world.rng.random() >= 1 / 40]

    found = record(world, path)
    return Case(found, [("vmNIC", 1), ("vSwitch", 1), ("pNIC", 1)], least_precision=0.998, least_recall=0.9)


@case
def equal_stalled() -> Case:
    """A hop now and then holds what comes, and then lets all go in order."""
    world, sender = steady(32, [BEGIN + number * 400 for number in range(1_200)])

    def path(p: Packet) -> list[Stop]:
        slot = (p.time // 1000 - BEGIN) // 400 % 40
        # What comes in slots 5 to 7 goes on just behind what comes in slot 8.
        held = 400 * (8 - slot) + slot if p.sender is sender and slot in (5, 6, 7) else 0
        out = [Stop(0), Stop(1, (20 + held, 21 + held) if held else (29, 30))]
        return out if p.sender in world.local else [Stop(1), Stop(0, (20, 30))]

    return Case(record(world, path), TWO_HOPS, least_precision=0.998, least_recall=0.9)


@case
def equal_held() -> Case:
    """The host holds them long; other packets show where they begin."""
    world, _, peers = office(30, peers_sack=False)
    sender = Host(60, "zero")
    world.local += (sender,)
    for number in range(1_000):
        at = 1_000 + number * 20_000
        world.send(at, sender, peers[0], UDP, SAME, ident=0)
        if number % 8 == 7:
            other = datagram(world.rng.randbytes(60), 40_001, 5000)
            world.send(at + 7_000, *((sender, peers[0]) if number % 16 == 7 else (peers[0], sender)), UDP, other)
    back = [Stop(1), Stop(0, (13_000, 13_100))]
    found = record(world, lambda p: [Stop(0), Stop(1, (13_000, 13_100))] if p.sender in world.local else back)
    # The first second teaches where they begin.
    return Case(found, TWO_HOPS, least_precision=0.94, least_recall=0.94)


@case
def equal_hop_begins() -> Case:
    """A hop begins to show packets in the middle, as where it was connected or its capture started then."""
    world, _ = steady(40, [BEGIN + number * 20_000 for number in range(120)])
    begins = (BEGIN + 60 * 20_000) * 1000
    out = [Stop(0), Stop(1, STEP)]

    def path(p: Packet) -> list[Stop]:
        if p.sender in world.local:
            return [*out, Stop(2, STEP)] if p.time >= begins else out
        return [Stop(2), Stop(1, STEP), Stop(0, STEP)] if p.time >= begins else [Stop(1), Stop(0, STEP)]

    return Case(record(world, path), [("vmNIC", 1), ("vSwitch", 1), ("pNIC", 1)])


@case
def equal_first_hop_begins() -> Case:
    """Where packets begin, the capture starts later than behind it."""
    world, _, peers = office(45, peers_sack=False)
    world.mixed(peers, rounds=6)
    for number in range(240):
        world.send(BEGIN + number * 700, world.local[0], peers[0], UDP, SAME, ident=0)

    def path(p: Packet) -> list[Stop]:
        if p.time < BEGIN * 1000:
            return [Stop(1)]
        return one_way(world, p, STEP)

    return Case(record(world, path), TWO_HOPS)


@case
def equal_missed_at_once() -> Case:
    """The second of equal datagrams is missed at the middle one of three hops, before their way is known."""
    world, sender = steady(46, [BEGIN + number * 100 for number in range(300)])
    missed = (BEGIN + 100) * 1000

    def path(p: Packet) -> list[Stop]:
        out = [Stop(0), Stop(1, (3, 8)), Stop(2, (1, 3))]
        if p.sender not in world.local:
            return [Stop(2), Stop(1, (0, 0)), Stop(0, (3, 8))]
        return [out[0], out[2]] if p.sender is sender and p.time == missed else out

    return Case(record(world, path), [("vmNIC", 1), ("tNIC", 1), ("pNIC", 1)])


@case
def equal_lost_in_a_queue() -> Case:
    """Two hosts send equal datagrams through one queue, which later loses some; one other flow shows their order."""
    world = World(47)
    one, two, other, peer = (Host(last, "zero") for last in (60, 61, 62, 2))
    world.local = (one, two, other)
    for number in range(600):
        at = 1_000 + number * 500
        for sender, later in ((one, 0), (two, 230)):
            world.send(at + later, sender, peer, UDP, SAME, ident=0)
        world.send(at + 330, other, peer, UDP, datagram(world.rng.randbytes(60), 40_001, 5000), ident=0)

    goes, free = {}, 0
    for p in sorted(world.packets, key=lambda p: p.time):
        free = max(free, p.time) + world.rng.randrange(5_000, 280_000)
        goes[p.time] = (free - p.time) // 1000

    def path(p: Packet) -> list[Stop]:
        if p.sender is not other and p.time > 30_000_000 and world.rng.random() < 1 / 30:
            return [Stop(0)]
        return [Stop(0), Stop(1, (goes[p.time], goes[p.time]))]

    return Case(record(world, path), TWO_HOPS)


@case
def equal_bursts_one_missed() -> Case:
    """Bursts, of some of which a hop does not show the last one: the next burst keeps its place."""
    times = [BEGIN + number // 8 * 1_000 + number % 8 * 2 for number in range(1_600)]
    world, sender = steady(41, times)
    missed = {at * 1000 for at in times[7::80]}

    def path(p: Packet) -> list[Stop]:
        if p.sender is sender and p.time in missed:
            return [Stop(0)]
        return one_way(world, p, STEP)

    # Until three bursts have come so late, it may be that the hop is slow; then most of them get no mark.
    return Case(record(world, path), TWO_HOPS, least_precision=0.99, least_recall=0.5)
