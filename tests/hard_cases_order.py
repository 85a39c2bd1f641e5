"""Hard cases of order: queues that grow and shrink, clocks of hops that are apart, files that are not in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial

from engine import TCP, UDP, put
from hard_capture import Case, Frame, Nat, Stop, case, office, record, renumber
from hard_cases_equal import BEGIN, SAME, TWO_HOPS, one_way, steady
from hard_traffic import ACK, RST, Flow, Host, Packet, World, datagram, header_summed, segment

PERIOD = 3_000  # µs
THREE_HOPS = [*TWO_HOPS, ("tNIC", 1)]
QUIET = 200  # as many equal datagrams come while a queue stands
LATER = 6_000_000  # µs: until then, other hosts talk


def late_in_file(frames: list[Frame], which: Iterable[int], by: int) -> list[Frame]:
    """The frames, some of them further on in the file, as where each processor has a buffer of its own."""
    late = set(which)
    order = sorted(range(len(frames)), key=lambda at: at + by * (at in late))
    return renumber([frames[at] for at in order])


def after_a_queue(seed: int) -> Case:
    """Equal datagrams wait in a queue for milliseconds; when it is empty, two get lost, and others keep their place."""
    times = [BEGIN + number * PERIOD for number in range(600)]
    world, sender = steady(seed, times)
    lost = {times[number] * 1000 for number in (QUIET + 60, QUIET + 210)}

    def path(p: Packet) -> list[Stop]:
        if p.sender is not sender:
            return one_way(world, p, (5, 9))
        number = (p.time // 1000 - BEGIN) // PERIOD
        waits = 50 + abs(number * 130 % 11_000 - 5_500) if number < QUIET else 0
        return [Stop(0)] if p.time in lost else [Stop(0), Stop(1, (waits + 5, waits + 9))]

    return Case(record(world, path), TWO_HOPS)


@case
def equal_lost_after_a_queue() -> Case:
    return after_a_queue(50)


@case
def equal_lost_out_of_order() -> Case:
    """The same, in a file where some frames of others stand behind their time."""
    made = after_a_queue(50)
    others = [at for at, frame in enumerate(made.frames) if frame.data[23:24] == b"\x06"]
    made.frames = late_in_file(made.frames, others[::40], 30)
    return made


@case
def equal_clocks_drift() -> Case:
    """One of two clocks is slow: what came to a hop last seems to come there first, once all others are silent."""
    world, _, peers = office(51, peers_sack=False)
    world.mixed(peers, rounds=6)
    for number in range(600):
        world.send(LATER + number * PERIOD, peers[0], world.local[0], UDP, SAME, ident=0)

    def path(p: Packet) -> list[Stop]:
        step = 60 - max(0, p.time // 1000 - LATER) / PERIOD * 0.2
        return [Stop(0), Stop(1, (65, 68))] if p.sender in world.local else [Stop(1), Stop(0, (step, step + 3))]

    return Case(record(world, path), TWO_HOPS, least_recall=0.5, most_again=1)


@case
def sent_again_in_one_tick() -> Case:
    """TCP data is asked for and sent again before the clock ticks that stamps it: not a byte differs."""
    me = Host(1, "zero", stamps=True)
    world = World(57, me)
    for number in range(60):
        flow = Flow(world, Host(2 + number % 3, "zero", stamps=True), me, six=False, rtt=40, largest={})
        at = flow.open(number * 60_000.0)
        for _ in range(3):
            at = flow.burst(at + 2_000, me, 16_000, 1)
    return Case(record(world, lambda _: [Stop(), Stop(gap=(5, 9))]), least_recall=0.9)


@case
def acks_of_a_window() -> Case:
    """Duplicate ACKs come closer together than they take to the next hop, some of which take long."""
    world, me, peers = office(52, peers_sack=False)
    world.mixed(peers, rounds=6)
    for number in range(60):
        for which in range(12):
            ack = segment(445, 50_001, 77 + number * 9, 99, ACK)
            world.send(BEGIN + number * 40_000 + which * world.rng.uniform(3, 25), peers[0], me, TCP, ack, ident=0)

    def path(p: Packet) -> list[Stop]:
        step = world.rng.lognormvariate(0, 0.7) * 9
        return one_way(world, p, (step, step))

    return Case(record(world, path), TWO_HOPS, microseconds=True)


@case
def resets_at_once_out_of_order() -> Case:
    """Bursts of equal resets with the same time, in a file where some frames stand far behind their time."""
    world = World(53, Host(1))
    peer = Host(2, "zero")
    for number in range(40):
        for which in range(8):
            reset = segment(445, 50_000 + number, 77, 0, RST)
            world.send(number * 100_000 + which * 0.2, peer, world.local[0], TCP, reset, ident=0)
    for number in range(4):
        ask = segment(50_100, 445, 99 * number, 0, ACK, b"a line")
        world.send(50_000 + number * 1_000_000, world.local[0], peer, TCP, ask)
    frames = record(world, lambda _: [Stop(0)])
    asks = [at for at, frame in enumerate(frames) if len(frame.data) > 54]
    return Case(late_in_file(frames, asks, 40), no_marks=True, most_marks=0.02, microseconds=True)


@case
def sent_again_before_its_time() -> Case:
    """At one hop, data stands in the file behind the same data, sent again."""
    me = Host(1, "zero", stamps=True)
    world = World(54, me)
    for number in range(40):
        peer = Host(2 + number % 3, "zero", stamps=True)
        world.talk(peer, me, number * 90_000.0, rounds=2, loss=1, rtt=3_000)
    frames = record(world, lambda p: [Stop(0), Stop(1, (5, 9))] if p.sender is me else [Stop(1), Stop(0, (5, 9))])
    shown = Counter(f.data[26:42] for f in frames if f.interface == 1 and len(f.data) > 80)
    late = {}
    for at, frame in enumerate(frames):
        if frame.interface == 1 and shown[frame.data[26:42]] > 1:
            late.setdefault(frame.data[26:42], at)
    return Case(late_in_file(frames, late.values(), 60), TWO_HOPS)


@case
def nat_clocks_apart() -> Case:
    """What is sent again through a NAT seems to be inside before it is outside."""
    first, outside = Host(1, net=8), Host(200)
    world = World(55, first)
    for number in range(24):
        world.talk(first, Host(11 + number % 3, ttl=128), number * 90_000.0, rounds=2, rtt=500)
    answers = [p for p in world.packets if p.sender is not first and len(p.l3) > 1_000]
    for number, p in enumerate(answers[7::20]):
        again = header_summed(put(p.l3, 4, 30_000 + number))
        world.packets.append(p._replace(time=p.time + 2_000_000, l3=again))
    nat = Nat(outside, Host(254).mac)

    def path(p: Packet) -> list[Stop]:
        out = p.sender is first
        outer = partial(nat, inner=first, out=out)
        return [Stop(0), Stop(1, (310, 340), outer)] if out else [Stop(1, (0, 0), outer), Stop(0, (-290, -260))]

    return Case(record(world, path), TWO_HOPS, least_recall=0.9)


@case
def asked_for_at_one_interface() -> Case:
    """Each packet shows three times; some get lost after the first, and are asked for and sent again."""
    world = World(56, Host(1, "zero"))
    for number in range(50):
        peer = Host(2 + number % 3, "zero", sack=number % 2 == 0)
        world.talk(world.local[0], peer, number * 60_000.0, rounds=1, rtt=2_000)
        world.talk(peer, world.local[0], number * 60_000.0 + 30_000, rounds=2, loss=1, rtt=400)
    sent = Counter((p.sender, p.l3[20:32]) for p in world.packets)
    lost = {name for name, times in sent.items() if times > 1}
    ways = [Stop(0), Stop(0, (900, 1_900)), Stop(0, (900, 1_900))]

    def path(p: Packet) -> list[Stop]:
        name = (p.sender, p.l3[20:32])
        if len(p.l3) > 60 and name in lost:
            lost.discard(name)
            return ways[:1]
        return ways

    return Case(record(world, path), least_precision=0.999, least_recall=0.5)


def shown_twice(seed: int, ahead: float) -> Case:
    """The switch shows each packet twice; a host talks to many others, with each but shortly."""
    me = Host(1, ttl=128)
    world = World(seed, me)
    for number in range(2, 80):
        world.ping(Host(number), me, number * 90_000.0)
        world.dns(me, Host(number), number * 90_000.0 + 70_000)
    out = [Stop(0), Stop(0, (4, 6)), Stop(1, (9 - ahead, 12 - ahead))]
    back = [Stop(1), Stop(0, (9 + ahead, 12 + ahead)), Stop(0, (4, 6))]
    return Case(record(world, lambda p: out if p.sender is me else back), [("vSwitch", 1), ("pNIC", 1)])


@case
def shown_twice_clocks_apart() -> Case:
    return shown_twice(58, 10.5)


@case
def shown_twice_out_of_order() -> Case:
    """Some second sightings stand in the file behind what came later."""
    made = shown_twice(59, 0)
    second = [at for at, frame in enumerate(made.frames) if at and frame.data == made.frames[at - 1].data]
    made.frames = late_in_file(made.frames, second[::9], 4)
    return made


@case
def equal_held_once() -> Case:
    """One equal datagram is held too long for a mark: this must not shift all that follow."""
    times = [BEGIN + number * 12_000 for number in range(300)]
    world, sender = steady(60, times)

    def path(p: Packet) -> list[Stop]:
        if p.sender is sender:
            wait = 15_000 if p.time == times[2] * 1000 else 50
            return [Stop(0), Stop(1, (wait, wait + 5))]
        wait = 30_000 if p.time // 1000 > BEGIN + 60_000 and world.rng.random() < 0.05 else 40
        return one_way(world, p, (wait, wait + 5))

    return Case(record(world, path), TWO_HOPS)


@case
def equal_burst_held() -> Case:
    """Six equal datagrams wait together, too long for a mark: none is a repeat of the one before it."""
    times = [BEGIN + burst * 50_000 + number * 30 for burst in range(60) for number in range(6)]
    world, sender = steady(61, times)

    def path(p: Packet) -> list[Stop]:
        if p.sender is sender:
            wait = 10_000 if p.time // 1000 < BEGIN + 100_000 else 50
            return [Stop(0), Stop(1, (wait, wait + 1))]
        return one_way(world, p, (5, 9))

    return Case(record(world, path), TWO_HOPS, least_recall=0.95)


@case
def equal_lost_at_first() -> Case:
    """Of nothing but equal datagrams the fourth is lost, before it is known how soon they come to the next hop."""
    sender, peer = Host(60, "zero"), Host(2, "zero")
    world = World(62, sender)
    times = [BEGIN + number * 900 + number * 37 % 300 for number in range(500)]
    for at in times:
        world.send(at, sender, peer, UDP, SAME, ident=0)

    def path(p: Packet) -> list[Stop]:
        return [Stop(0)] if p.time == times[3] * 1000 else [Stop(0), Stop(1, (5, 40))]

    return Case(record(world, path), TWO_HOPS, least_precision=0.95, least_recall=0.95)


@case
def many_lost_at_once() -> Case:
    """A hundred datagrams that begin alike are lost in a row: those behind them are found."""
    world, me, peers = office(58)
    for number in range(600):
        data = bytes(20) + number.to_bytes(2, "big")
        world.send(number * 250, me, peers[0], UDP, datagram(data, 5000, 5001), ident=0)

    def path(p: Packet) -> list[Stop]:
        return [Stop(0)] if 100 <= p.time // 250_000 < 200 else [Stop(0), Stop(1, (20, 40))]

    return Case(record(world, path), TWO_HOPS)


@case
def equal_as_slow_as_they_come() -> Case:
    """Equal datagrams take almost as long to the last hop as from one to the next."""
    sender, peer = Host(60, "zero"), Host(2, "zero")
    world = World(63, sender)
    for number in range(400):
        world.send(number * 100, sender, peer, UDP, SAME, ident=0)
    return Case(record(world, lambda _: [Stop(0), Stop(1, (10, 10)), Stop(2, (85, 85))]), THREE_HOPS)


@case
def equal_in_batches() -> Case:
    """A request and its answer, always the same, in a file that holds 20 ms of each hop, the last hop first."""
    me, peer = Host(1), Host(2, "zero")
    world = World(64, me, peer)
    for number in range(1_200):
        sender, receiver = (peer, me) if number % 2 else (me, peer)
        ident = None if number % 2 == 0 else 0
        world.send(number * 80, sender, receiver, UDP, SAME, ident=ident)
    step = (25, 30)
    found = record(world, lambda p: [Stop(p.sender is peer), Stop(p.sender is not peer, step)])
    batches = sorted(found, key=lambda frame: (frame.time // 20_000_000, -frame.interface))
    return Case(renumber(batches), TWO_HOPS)


@case
def two_captures_overlap() -> Case:
    """A capture of two hops, and behind it another one of the same, which began before it ended."""
    world, _, peers = office(65)
    world.mixed(peers)
    found = record(world, lambda p: one_way(world, p, (5, 40)))
    half = len(found) // 2
    return Case(renumber([*found[: half + half // 2], *found[half:]]), TWO_HOPS, least_recall=0.97, most_again=1)
