"""What was lost between observers: against the truth of the lab, and where nothing must be told."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from command import CAPTURES, run
from observed import Clock, Observed, host_and_guest, joined, numbers_of, truth

from pywnv.annotate.rows import Engine, rows
from pywnv.statistics.collect import collect
from pywnv.statistics.loss import loss_words
from pywnv.statistics.model import Selection
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


LAB = ["lbfo-tcp-loss", "lbfo-tcp-wiredup", "mix", "mix-unsorted", "udpsame", "v6-loss", "vlan-loss", "snap-tcp-loss"]
LAB2 = [f"lab2/{name}" for name in ("nat-loss", "rsc", "busy", "tcp-same", "team2", "tenants", "vxlan")]


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", LAB + LAB2)
def test_where_nothing_is_lost_nothing_is_told(name: str, split: str, tmp_path: Path) -> None:
    who, clocks = SPLITS[split]
    observed = Observed(tmp_path, name, clocks, who)
    assert collect(joined(observed.observers, tmp_path)).losses == ()


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("lbfo-tcp-loss", 0.8),
        ("mix", 0.3),
        ("v6", 0.3),
        ("vlan", 0.6),
        ("vlan-loss", 0.6),
        ("lab2/nat", 0.6),
        ("lab2/vxlan", 0.7),
        ("lab2/team2", 0.4),
        ("lab2/rsc", 0.4),
        ("lab2/busy", 0.4),
    ],
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert loss_words(loss).endswith("The capture at host missed them")
    assert ask([path], Selection(ip="10.0.0.1")).sentence.startswith("No loss found")


def test_join_tells(tmp_path: Path) -> None:
    lost_by_the_guest(tmp_path)
    out = tmp_path / "out.pcapng"
    done = run("join", tmp_path / "host.pcapng", tmp_path / "guest.pcapng", "-o", out, "--json")
    assert "pywnv: 5 packets left guest at vport1 and never came to host" in done.stderr.decode()
    host, guest = json.loads(done.stdout)
    assert host["losses"] == []
    assert [(one["to_observer"], one["packets"]) for one in guest["losses"]] == [("host", 5)]


@pytest.mark.slow
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


@pytest.mark.parametrize("name", ["mix", "vlan"])
def test_three_in_a_chain_never_tell_more_than_each_wire_lost(name: str, tmp_path: Path) -> None:
    """By where the taps are: pnic0 and team0 often share a timestamp, so the order of frames may tell another wire."""
    chain = ["wire", "host", "guest"]

    def who(tap: str) -> str:
        return {"pnic": "wire", "team": "host"}.get(tap[:4], "guest")

    clocks: dict[str, Clock] = {
        "wire": CLOCKS["host"],
        "host": lambda time: -1.5e9 - time * 30e-6,
        "guest": CLOCKS["guest"],
    }
    lot, lost, gone = random.Random(4), Counter[tuple[str, str]](), set[int]()
    for sightings in by_packet(name).values():
        seen = [who(row["hop"]) for row in sightings]
        way = chain[::-1] if seen[0] == "guest" else chain
        for before, after in pairwise(one for one in way if one in seen):
            if lot.random() < 0.02:
                lost[before, after] += 1
                behind_it = way[way.index(after) :]
                gone |= {int(row["frame"]) for row in sightings if who(row["hop"]) in behind_it}
                break
    observed = Observed(tmp_path, name, clocks, who, gone)
    told = Counter[tuple[str, str]]()
    for loss in collect(joined(observed.observers, tmp_path)).losses:
        told[loss.from_observer, loss.to_observer] += loss.packets
    assert set(told) == set(lost)
    assert told <= lost
    assert told.total() > lost.total() / 2


def test_one_observer_has_none() -> None:
    assert collect(CAPTURES / "lab2" / "busy-drop-fifo.pcapng.gz").losses == ()
