"""What was lost between observers: conversations made by hand, of which HV01 has seen all, and HV02 not."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from command import run
from engine import A4, B4, TCP, echo, ethernet, ipv4, tcp, udp
from observed import joined
from pcapng_blocks import STATISTICS, block, interface, option, packet, section

from pywnv.join import Observer
from pywnv.statistics.collect import collect
from pywnv.statistics.loss import Loss, loss_words
from pywnv.statistics.model import Selection, Statistics
from pywnv.why.answer import ask

SECOND = 10**9
COMMENT = 1
START = 1_577_836_800 * SECOND
HOP, PKTMON = "pNIC Ethernet 2", "Ethernet 2 [pNIC, mlx5.sys, component 9, edge 1]"
Frames = list[tuple[int, bytes]]


def datagram(at: int, *, port: int = 50000, group: bool = False) -> bytes:
    data = ipv4(udp(b"%032d" % at, sport=port), ident=at % 65535 + 1)
    return ethernet(data, **({"dst": b"\x01\0\x5e\0\0\1"} if group else {}))


def answer(at: int) -> bytes:
    return ethernet(ipv4(tcp(b"%032d" % at, seq=at * 32 + 1), TCP, src=B4, dst=A4, ident=at + 1))


def exchange(*observers: Frames, count: int = 20) -> None:
    """Adds packets that come from the last observer to the first one, by which clocks are known both ways."""
    for at in range(count):
        for hop, frames in enumerate(reversed(observers)):
            frames.append((START + at * SECOND // 10 + 1_000_000 + hop * 100_000, answer(at)))


def observed_by_hand(
    tmp_path: Path, count: int, there: Callable[[int], bool], frame: Callable[[int], bytes] = datagram
) -> Statistics:
    """Packets from HV01 to HV02, a hundred each second."""
    ones: Frames = [(START + at * SECOND // 100, frame(at)) for at in range(count)]
    others: Frames = [(time + late(at), one) for at, (time, one) in enumerate(ones) if there(at)]
    exchange(ones, others)
    return collect(joined(captures(tmp_path, HV01=ones, HV02=others), tmp_path))


def late(at: int) -> int:
    return 100_000 + at * 7 % 11 * 3000


def captures(tmp_path: Path, *, comments: dict[int, bytes] | None = None, **seen: Frames) -> list[Observer]:
    made = []
    for name, frames in seen.items():
        path = tmp_path / f"{name}.pcapng"
        blocks = [section() + interface(HOP, resolution=9)]
        for at, (time, frame) in enumerate(frames):
            comment = (comments or {}).get(at) if name == "HV01" else None
            blocks.append(packet(0, time, frame, options=option(COMMENT, comment) if comment else b""))
        path.write_bytes(b"".join(blocks))
        made.append(Observer(name, (path,)))
    return made


def test_a_few_are_lost(tmp_path: Path) -> None:
    (loss,) = observed_by_hand(tmp_path, 200, lambda at: at not in {50, 51, 120}).losses
    hop = "HV01: pNIC Ethernet 2"
    assert loss == Loss(None, "HV01", "HV02", hop, 3, False, 197, 0, 0, 0, True, loss.first_frame, loss.last_frame)
    assert loss.first_frame < loss.last_frame


@pytest.mark.parametrize(
    ("what", "there"),
    [
        ("HV02 stops earlier", lambda at: at < 120),
        ("HV02 begins later", lambda at: at > 60),
        ("it saw every other packet: others go another way", lambda at: at % 2 == 0),
        ("it saw all", lambda _: True),
    ],
)
def test_what_cannot_be_told(what: str, there: Callable[[int], bool], tmp_path: Path) -> None:
    assert observed_by_hand(tmp_path, 200, there).losses == (), what


@pytest.mark.parametrize(("own", "name", "is_told"), [(7, "eth0", False), (0, "eth0", True), (7, PKTMON, True)])
def test_a_capture_that_says_that_it_missed_packets(own: int, name: str, is_told: bool, tmp_path: Path) -> None:
    """What pktmon counts there are packets that Windows dropped: these it has captured."""
    ones: Frames = [(START + at * SECOND // 100, datagram(at)) for at in range(200)]
    others: Frames = [(time + late(at), frame) for at, (time, frame) in enumerate(ones) if at not in {50, 120}]
    exchange(ones, others)
    observers = captures(tmp_path, HV01=ones, HV02=others)
    path = observers[1].files[0]
    statistics = block(STATISTICS, struct.pack("<III", 0, 0, 0) + option(5, struct.pack("<Q", own)))
    path.write_bytes(
        path.read_bytes().replace(interface(HOP, resolution=9), interface(name, resolution=9)) + statistics
    )
    (loss,) = collect(joined(observers, tmp_path)).losses
    assert (loss.packets, loss.missed, loss.is_told) == (2, own if name == "eth0" else 0, is_told)
    assert ("says that it missed 7: they may have come" in loss_words(loss)) is not is_told


def test_a_filter_at_the_next_observer(tmp_path: Path) -> None:
    """It captures one flow of two."""
    found = observed_by_hand(
        tmp_path, 200, lambda at: at % 4 > 0, lambda at: datagram(at, port=50001 if at % 4 == 0 else 50000)
    )
    assert found.losses == ()


def test_packets_to_groups_are_none(tmp_path: Path) -> None:
    found = observed_by_hand(
        tmp_path, 200, lambda at: at not in {50, 120}, lambda at: datagram(at, group=at in {50, 60, 70, 120, 130})
    )
    assert found.losses == ()


def test_pings_and_errors(tmp_path: Path) -> None:
    """A lost ping is told; an error that a router or a NAT keeps for itself is none of its answers."""

    def ping(at: int) -> bytes:
        data = echo(b"%032d" % at, seq=at, kind=3 if at in {50, 70} else 8)
        return ethernet(ipv4(data, protocol=1, ident=at + 1))

    (loss,) = observed_by_hand(tmp_path, 200, lambda at: at not in {50, 70, 90}, ping).losses
    assert loss.packets == 1


def test_what_the_host_drops_was_not_lost_on_the_way(tmp_path: Path) -> None:
    ones = [(START + at * SECOND // 100, datagram(at)) for at in range(200)]
    others = [(time + late(at), frame) for at, (time, frame) in enumerate(ones) if at not in {50, 120}]
    exchange(ones, others)
    comments = {50: b"wnv: drop=34 location=0xE0002004"}
    found = collect(joined(captures(tmp_path, comments=comments, HV01=ones, HV02=others), tmp_path))
    assert [drop.packets for drop in found.drops] == [1]
    assert [loss.packets for loss in found.losses] == [1]


def test_three_in_a_chain(tmp_path: Path) -> None:
    """Each loss is told between those where it was: what the one in the middle missed is none."""
    seen: dict[str, Frames] = {"A": [], "B": [], "C": []}
    for at in range(200):
        time, frame = START + at * SECOND // 100, datagram(at)
        for hop, (name, frames) in enumerate(seen.items()):
            if (name == "B" and at in {30, 90, 91, 120, 150}) or (name == "C" and at in {60, 90, 150, 151}):
                continue
            frames.append((time + hop * late(at), frame))
    exchange(*seen.values())
    found = collect(joined(captures(tmp_path, **seen), tmp_path)).losses
    assert sorted((loss.from_observer, loss.to_observer, loss.packets) for loss in found) == [
        ("A", "B", 1),  # not 90, as the next packet comes to C past B
        ("B", "C", 2),
    ]


@pytest.mark.slow
def test_more_flows_than_are_followed(tmp_path: Path) -> None:
    """Their losses are kept when they are forgotten."""
    ones: Frames = []
    for flow in range(12_500):
        ones += [(START + (3 * flow + at) * 100_000, datagram(3 * flow + at, port=20000 + flow)) for at in range(3)]
    others = [(time + 50_000, frame) for at, (time, frame) in enumerate(ones) if at not in {1, 26_998}]
    exchange(ones, others)
    (loss,) = collect(joined(captures(tmp_path, HV01=ones, HV02=others), tmp_path)).losses
    assert loss.packets == 2


# What a joined capture may hold, with times to the nanosecond.

SHOWN = ["HV01: vmNIC Alpha", "HV01: pNIC Ethernet 1", "HV02: pNIC Ethernet 1", "HV01: pNIC Ethernet 2"]
INSIDE, OUT, THERE, OTHER_OUT = range(4)
Sighting = tuple[int, int, bytes]  # nanoseconds, the index of a hop, and the frame


def shown(tmp_path: Path, sightings: Iterable[Sighting]) -> Statistics:
    path = tmp_path / "joined.pcapng"
    made = section() + b"".join(interface(name, resolution=9) for name in SHOWN)
    path.write_bytes(made + b"".join(packet(hop, START + at, frame) for at, hop, frame in sorted(sightings)))
    return collect(path)


def answers(count: int = 20) -> Iterator[Sighting]:
    for at in range(count):
        yield from (
            (at * SECOND // 10 + 1_000_000 + 50_000 * step, hop, answer(at)) for step, hop in enumerate((2, 1, 0))
        )


def passing(at: int, hops: Iterable[int], frame: bytes | None = None, *, early: int = 0) -> list[Sighting]:
    """A packet at its hops; at the last one, so many nanoseconds before it was seen at the one before, if any."""
    time = at * SECOND // 100
    steps = {INSIDE: 0, OUT: 20_000, OTHER_OUT: 20_000, THERE: 20_000 - early if early else 60_000}
    return [(time + steps[hop], hop, frame or datagram(at)) for hop in hops]


WHOLE = (INSIDE, OUT, THERE)


def test_the_way_of_a_packet_that_never_came(tmp_path: Path) -> None:
    sightings = [one for at in range(100) for one in passing(at, (INSIDE, OUT) if at in {30, 60} else WHOLE)]
    (loss,) = shown(tmp_path, [*sightings, *answers()]).losses
    assert (loss.packets, loss.hop, loss.came) == (2, "HV01: pNIC Ethernet 1", 98)
    (loss,) = shown(tmp_path, sightings).losses
    assert not loss.is_ordered  # all go one way: nobody knows which


def test_what_did_not_leave_is_no_loss_between_observers(tmp_path: Path) -> None:
    sightings = [one for at in range(100) for one in passing(at, (INSIDE,) if at in {30, 60} else WHOLE)]
    assert shown(tmp_path, [*sightings, *answers()]).losses == ()


@pytest.mark.parametrize("part", [20, 70])
def test_clocks_that_let_packets_seem_early(part: int, tmp_path: Path) -> None:
    """So many of a hundred seem to come before they left; two HV01 has not captured: none is lost on a way back."""
    sightings = [
        one
        for at in range(100)
        for one in passing(at, (THERE,) if at in {33, 77} else WHOLE, early=30_000 if at * 7 % 100 < part else 0)
    ]
    assert shown(tmp_path, [*sightings, *answers()]).losses == ()
    lost = [one for one in sightings if not (one[1] == THERE and one[2] in {datagram(30), datagram(60)})]
    assert shown(tmp_path, lost).losses == ()  # what seems early tells of no other way


def test_what_is_too_large_may_have_been_cut(tmp_path: Path) -> None:
    def frame(at: int) -> bytes | None:
        return ethernet(ipv4(udp(bytes(range(200)) * 20), ident=at + 1)) if at in {30, 60} else None

    sightings = [one for at in range(100) for one in passing(at, (INSIDE, OUT) if frame(at) else WHOLE, frame(at))]
    assert shown(tmp_path, [*sightings, *answers()]).losses == ()


def test_what_only_the_next_observer_shows_may_be_what_is_missing(tmp_path: Path) -> None:
    """Three of them, where five are missing that left by two NICs."""
    gone, strange = {30, 51, 60, 61, 71}, {32, 52, 62}

    def hops(at: int) -> tuple[int, ...]:
        own = INSIDE, OTHER_OUT if at % 2 else OUT
        return own if at in gone else (THERE,) if at in strange else (*own, THERE)

    sightings = [one for at in range(100) for one in passing(at, hops(at))]
    found = shown(tmp_path, [*sightings, *answers()]).losses
    assert [loss.at_least for loss in found] == [True] * len(found)
    assert sum(loss.packets for loss in found) == 2


STREAM = Selection(flow=("192.0.2.1", 50000, "192.0.2.2", 53))


def stream(tmp_path: Path, gone: set[int], *, back: int = 0, is_reversed: bool = False, routed: bool = False) -> Path:
    """Datagrams that go one way, from HV01 to HV02 or back; some are not at HV02. So many other packets come back."""
    ones: Frames = [(START + at * SECOND // 100, datagram(at)) for at in range(200)]
    sign = -1 if is_reversed else 1
    others = [(time + sign * late(at), frame) for at, (time, frame) in enumerate(ones) if at not in gone]
    if routed:
        others = [(time, frame[:22] + bytes([frame[22] - 1]) + frame[23:]) for time, frame in others]
    exchange(ones, others, count=back)
    return joined(captures(tmp_path, HV01=ones, HV02=others), tmp_path)


@pytest.mark.parametrize(
    "selection", [STREAM, Selection(ip="192.0.2.1"), Selection(nic="HV01: pNIC Ethernet 2")], ids=["flow", "ip", "nic"]
)
def test_other_packets_show_which_observer_comes_first(selection: Selection, tmp_path: Path) -> None:
    answered = ask([stream(tmp_path, {50, 51, 120}, back=20)], selection)
    (loss,) = answered.statistics.losses
    assert (loss.packets, loss.came, loss.is_told) == (3, 197, True)
    assert "left HV01 at pNIC Ethernet 2 and never came to HV02, while 197 others did" in answered.sentence


def test_a_router_shows_which_observer_comes_first(tmp_path: Path) -> None:
    (loss,) = ask([stream(tmp_path, {50, 51, 120}, routed=True)], STREAM).statistics.losses
    assert (loss.packets, loss.is_told) == (3, True)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_where_nothing_shows_which_comes_first_why_says_so(is_reversed: bool, tmp_path: Path) -> None:
    path = stream(tmp_path, {50, 51, 120}, is_reversed=is_reversed)
    answered = ask([path], STREAM)
    (loss,) = answered.statistics.losses
    assert (loss.from_observer, loss.to_observer, loss.packets, loss.is_ordered) == ("HV01", "HV02", 3, False)
    assert answered.sentence == (
        "3 packets from 192.0.2.1:50000 to 192.0.2.2:53 at HV01 (pNIC Ethernet 2) are not at HV02, while 197 others are"
        f" (first: frame {loss.first_frame}); nothing shows which observer comes first, as no packets went the other"
        " way: if it is HV01, they were lost."
    )
    assert answered.next[0][0] == "the path of a missing packet"
    assert loss_words(loss).startswith("3 packets at HV01 (pNIC Ethernet 2) are not at HV02")
    report = tmp_path / "report.md"
    assert run("report", path, "-o", report).returncode == 0
    text = report.read_text()
    assert text.startswith("# 3 packets at HV01 (pNIC Ethernet 2) are not at HV02")
    assert "| HV01 | HV02 | HV01: pNIC Ethernet 2 | 3, if HV01 comes first | 197 |" in text


@pytest.mark.parametrize("gone", [set(), {0, 1, 198, 199}, set(range(0, 200, 2))])
def test_where_nothing_is_missing_why_finds_no_loss(gone: set[int], tmp_path: Path) -> None:
    """Nor if one capture is shorter, or half of the packets take another way."""
    assert ask([stream(tmp_path, gone)], STREAM).sentence.startswith("No loss found")


def test_flows_that_were_not_selected_do_not_count(tmp_path: Path) -> None:
    path = stream(tmp_path, {50, 51, 120}, back=20)
    assert ask([path], Selection(flow=("192.0.2.2", 50000, "192.0.2.1", 443))).statistics.losses == ()
