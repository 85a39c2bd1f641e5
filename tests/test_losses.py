"""What was lost between observers: against the truth of the lab, and where nothing must be told."""

from __future__ import annotations

import json
import random
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from command import CAPTURES, run
from engine import A4, B4, TCP, echo, ethernet, ipv4, tcp, udp
from observed import Clock, Observed, host_and_guest, numbers_of, truth
from pcapng_blocks import STATISTICS, block, interface, option, packet, section

from pywnv.annotate.rows import Engine, rows
from pywnv.join import Join, Observer
from pywnv.statistics.collect import collect
from pywnv.statistics.loss import Loss, loss_words
from pywnv.statistics.model import Selection, Statistics
from pywnv.why.answer import ask

SECOND = 10**9
CLOCKS: dict[str, Clock] = {"host": lambda _: 0, "guest": lambda time: 0.8e9 + time * 20e-6}
COMMENT = 1


def wire_and_host(name: str) -> str:
    return "wire" if name.startswith("pnic") else "host"


SPLITS: dict[str, tuple[Callable[[str], str], dict[str, Clock]]] = {
    "host, guest": (host_and_guest, CLOCKS),
    "wire, host": (wire_and_host, {"wire": CLOCKS["host"], "host": lambda time: -5e9 - time * 200e-6}),
}


def by_packet(name: str) -> dict[str, list[dict[str, str]]]:
    found = defaultdict(list)
    for row in truth(name):
        found[row["packet"]].append(row)
    return found


def behind(sightings: Iterable[list[dict[str, str]]], who: Callable[[str], str]) -> set[int]:
    """The frames of packets at all observers but the first."""
    return {int(row["frame"]) for rows in sightings for row in rows if who(row["hop"]) != who(rows[0]["hop"])}


def joined(observers: list[Observer], folder: Path) -> Path:
    path = folder / "joined.pcapng"
    path.write_bytes(b"".join(Join(observers).pieces()))
    return path


LAB = ["lbfo-tcp-loss", "lbfo-tcp-wiredup", "mix", "mix-unsorted", "udpsame", "v6-loss", "vlan-loss", "snap-tcp-loss"]
LAB2 = [f"lab2/{name}" for name in ("nat-loss", "rsc", "busy", "tcp-same", "team2", "tenants", "vxlan")]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", LAB + LAB2)
def test_where_nothing_is_lost_nothing_is_told(name: str, split: str, tmp_path: Path) -> None:
    who, clocks = SPLITS[split]
    observed = Observed(tmp_path, name, clocks, who)
    assert collect(joined(observed.observers, tmp_path)).losses == ()


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("name", "least"),
    [("lbfo-tcp-loss", 0.8), ("mix", 0.3), ("v6", 0.3), ("vlan", 0.6), ("lab2/nat", 0.6), ("lab2/vxlan", 0.7)],
)
def test_never_more_than_were_lost(name: str, least: float, split: str, tmp_path: Path) -> None:
    """Two in a hundred, by lot; among them what goes to groups, and flows of a few packets, of which none is told."""
    who, clocks = SPLITS[split]
    lot = random.Random(7)
    gone = behind((rows for rows in by_packet(name).values() if lot.random() < 0.02), who)
    observed = Observed(tmp_path, name, clocks, who, gone)
    path = joined(observed.observers, tmp_path)
    lost = {packet for packet, rows in by_packet(name).items() if gone.intersection(int(row["frame"]) for row in rows)}
    found = collect(path).losses
    assert least * len(lost) <= sum(loss.packets for loss in found) <= len(lost)
    frames, known = numbers_of(path), truth(name)
    for loss in found:
        for frame in (loss.first_frame, loss.last_frame):
            assert known[frames[frame - 1] - 1]["packet"] in lost


def test_a_host_that_drops_between_the_observers(tmp_path: Path) -> None:
    """The truth has 42 packets that the wire never saw, and 26 that the host did not: 16 and 8 of them equal others."""
    who, clocks = SPLITS["wire, host"]
    observed = Observed(tmp_path, "lab2/busy-drop-fifo", clocks, who)
    out, back = collect(joined(observed.observers, tmp_path)).losses
    assert (out.from_observer, out.to_observer, out.packets, out.at_least) == ("host", "wire", 26, True)
    assert (back.from_observer, back.to_observer, back.packets, back.at_least) == ("wire", "host", 18, True)
    assert (out.needed, out.again, back.needed, back.again) == (8, 7, 9, 9)
    assert out.is_told


def lost_by_the_guest(folder: Path) -> Path:
    """A capture in which the host has not seen what TCP in the guest then sends again: five packets."""
    name = "lbfo-tcp-loss"
    table = json.loads(
        b"["
        + b",".join(
            b"".join(rows(CAPTURES / f"{name}.pcapng.gz", output_format="jsonl", engine=Engine.LUPA)).splitlines()
        )
        + b"]"
    )
    again = {str(row["repeat_of"]) for row in table if row["verdict"] == "retransmission"}
    packets = [one for packet, one in by_packet(name).items() if packet in again and one[0]["hop"] == "vport1"]
    assert len(packets) == 5
    return joined(Observed(folder, name, CLOCKS, gone=behind(packets, host_and_guest)).observers, folder)


def test_what_tcp_sends_again_was_lost(tmp_path: Path) -> None:
    path = lost_by_the_guest(tmp_path)
    (loss,) = collect(path).losses
    assert (loss.packets, loss.needed, loss.again, loss.is_told) == (5, 5, 5, True)
    words = "left guest at vport1 and never came to host, while 483 others did (first: frame 1,904)"
    assert loss_words(loss) == f"5 packets {words}; TCP has sent 5 of them again"
    answer = ask([path], Selection(ip="10.0.0.1"))
    assert answer.sentence == f"5 packets from 10.0.0.1 {words}; TCP has sent 5 of them again."
    assert answer.next[0] == ("the path of a lost packet", f"pywnv explain {path} 1904")
    assert answer.as_dict()["losses"][0]["packets"] == 5
    report = tmp_path / "report.md"
    assert run("report", path, "-o", report).returncode == 0
    text = report.read_text()
    assert text.startswith("# 5 packets left guest at vport1 and never came to host")
    assert "| guest | host | guest: vport1 | 5 | 483 | 5 of 5 | 1,904 |" in text


def test_what_tcp_never_sends_again_was_only_missed(tmp_path: Path) -> None:
    packets = [one for one in by_packet("lbfo-tcp").values() if one[0]["hop"] == "vport1"][100:400:20]
    observed = Observed(tmp_path, "lbfo-tcp", CLOCKS, gone=behind(packets, host_and_guest))
    path = joined(observed.observers, tmp_path)
    (loss,) = collect(path).losses
    assert (loss.packets, loss.again, loss.has_come, loss.is_told) == (len(packets), 0, True, False)
    assert loss_words(loss).endswith("What captured at host has missed them")
    assert ask([path], Selection(ip="10.0.0.1")).sentence.startswith("Nothing tells of a loss")


def test_join_tells(tmp_path: Path) -> None:
    lost_by_the_guest(tmp_path)
    out = tmp_path / "out.pcapng"
    done = run("join", tmp_path / "host.pcapng", tmp_path / "guest.pcapng", "-o", out, "--json")
    assert "pywnv: 5 packets left guest at vport1 and never came to host" in done.stderr.decode()
    host, guest = json.loads(done.stdout)
    assert host["losses"] == []
    assert [(one["to_observer"], one["packets"]) for one in guest["losses"]] == [("host", 5)]


# What follows is made by hand: a conversation of which HV01 has seen all, and HV02 not.

START = 1_577_836_800 * SECOND
HOP, PKTMON = "pNIC Ethernet 2", "Ethernet 2 [pNIC, mlx5.sys, component 9, edge 1]"
Frames = list[tuple[int, bytes]]


def datagram(at: int, *, port: int = 50000, group: bool = False) -> bytes:
    data = ipv4(udp(b"%032d" % at, sport=port), ident=at % 65535 + 1)
    return ethernet(data, **({"dst": b"\x01\0\x5e\0\0\1"} if group else {}))


def exchange(*observers: Frames, count: int = 20) -> None:
    """Adds packets that come from the last observer to the first one, by which clocks are known both ways."""
    for at in range(count):
        answer = ethernet(ipv4(tcp(b"%032d" % at, seq=at * 32 + 1), TCP, src=B4, dst=A4, ident=at + 1))
        for hop, frames in enumerate(reversed(observers)):
            frames.append((START + at * SECOND // 10 + 1_000_000 + hop * 100_000, answer))


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
    assert loss == Loss(None, "HV01", "HV02", hop, 3, False, 197, 0, 0, 0, loss.first_frame, loss.last_frame)
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


def test_where_all_go_one_way_nobody_knows_which(tmp_path: Path) -> None:
    ones = [(START + at * SECOND // 100, datagram(at)) for at in range(200)]
    others = [(time + late(at), frame) for at, (time, frame) in enumerate(ones) if at not in {50, 120}]
    assert collect(joined(captures(tmp_path, HV01=ones, HV02=others), tmp_path)).losses == ()


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
        frame = ethernet(ipv4(tcp(b"%032d" % at, seq=at * 32 + 1), TCP, src=B4, dst=A4, ident=at + 1))
        yield from ((at * SECOND // 10 + 1_000_000 + 50_000 * step, hop, frame) for step, hop in enumerate((2, 1, 0)))


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
    assert shown(tmp_path, sightings).losses == ()  # all go one way: nobody knows which


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


def test_clocks_that_swap_the_last_two_of_three(tmp_path: Path) -> None:
    """As in the lab's NAT, with a guest whose drift is known to 12 ppm only: all its packets came."""

    def who(name: str) -> str:
        return {"pnic": "wire", "team": "host", "gw0": "host"}.get(name[:4], "guest")

    clocks: dict[str, Clock] = {
        "wire": CLOCKS["host"],
        "host": CLOCKS["guest"],
        "guest": SPLITS["wire, host"][1]["host"],
    }
    observed = Observed(tmp_path, "lab2/nat", clocks, who)
    assert collect(joined(observed.observers, tmp_path)).losses == ()


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


def test_one_observer_has_none() -> None:
    assert collect(CAPTURES / "lab2" / "busy-drop-fifo.pcapng.gz").losses == ()
