"""What one pass over a capture counts, against what its rows say."""

from __future__ import annotations

import gzip
import json
import struct
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import median

import pcapng_blocks as ng
import pytest
import windows_events as w
from conftest import CAPTURES
from engine import RUNTIMES, TCP, echo, ethernet, ipv4, put, tcp, udp

import pywnv
from pywnv.annotate.walker import annotate
from pywnv.capture.source import open_capture
from pywnv.inspect import inspect
from pywnv.statistics.build import build
from pywnv.statistics.collect import collect, sink
from pywnv.statistics.model import Selection, Statistics
from pywnv.statistics.silence import silences
from pywnv.tables.annotation import Annotation

SIGHTINGS = [
    *(f"{name}.pcapng.gz" for name in ("mix", "mix-unsorted", "v6-loss", "lbfo-tcp-wiredup")),
    *(f"lab2/{name}.pcapng.gz" for name in ("nat-loss", "rsc", "busy-drop-fifo")),
    *(f"deep-dive/{name}.pcapng" for name in ("vlan-drop-pspkt", "acl-drop-etl2pcapng", "bing-etl2pcapng")),
]
PING = 1  # the number of ICMP


def by_rows(rows: list[Annotation]) -> dict[str, object]:
    """The same numbers, from the rows of a capture, the simple way."""
    shown = [row for row in rows if row.packet is not None]
    sightings: dict[int, list[Annotation]] = {}
    for row in shown:
        assert row.packet is not None
        sightings.setdefault(row.packet, []).append(row)
    last = {packet: max(some, key=lambda row: (row.time or 0, row.frame)) for packet, some in sightings.items()}
    return {
        "frames": len(shown),
        "packets": len(sightings),
        "duplicates": sum(bool(row.duplicate) for row in shown),
        "retransmissions": sum(row.verdict == "retransmission" for row in shown),
        "octets": sum(some[0].length or 0 for some in sightings.values()),
        "verdicts": Counter(row.verdict for row in shown),
        "hops": Counter(row.hop for row in shown),
        "packets at hops": Counter(hop for some in sightings.values() for hop in {row.hop for row in some}),
        "paths": Counter(some[-1].path for some in sightings.values()),
        "ends": Counter(row.hop for row in last.values()),
        "protocols": Counter(some[0].protocol for some in sightings.values()),
        "drops": Counter((row.drop_reason, row.hop) for row in shown if row.drop),
    }


def by_statistics(found: Statistics) -> dict[str, object]:
    def summed(pairs: list[tuple[object, int]]) -> Counter[object]:
        counts: Counter[object] = Counter()
        for key, number in pairs:
            counts[key] += number
        return counts

    hops = {hop.name for hop in found.hops}
    return {
        "frames": found.frames,
        "packets": found.packets,
        "duplicates": found.duplicates,
        "retransmissions": found.retransmissions,
        "octets": found.octets,
        "verdicts": Counter(found.verdicts),
        "hops": summed([(hop.name, hop.frames) for hop in found.hops]),
        "packets at hops": summed([(hop.name, hop.packets) for hop in found.hops]),
        "paths": summed([(path.path, path.packets) for path in found.paths]),
        "ends": summed([(end.hop, end.packets) for end in found.ends]),
        "protocols": Counter(found.protocols),
        "drops": summed([((drop.reason, drop.hop), drop.frames) for drop in found.drops if drop.hop in hops]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGHTINGS)
def test_the_numbers_are_those_of_the_rows(name: str) -> None:
    found = collect(CAPTURES / name)
    assert by_statistics(found) == by_rows(list(pywnv.annotate(CAPTURES / name)))
    assert sum(found.packets_over_time) == found.packets
    assert sum(found.octets_over_time) == found.octets
    assert found.late == 0
    json.dumps(found.as_dict())


@pytest.mark.slow
def test_each_lua_counts_the_same() -> None:
    def counted(runtime: str) -> Statistics:
        with open_capture(CAPTURES / "lab2" / "nat-loss.pcapng.gz") as opened:
            pieces = annotate(
                [opened],
                sink=partial(sink, selection=Selection(nic="vport1"), any_part=False),
                window=None,
                progress=lambda _: None,
                warn=lambda _: None,
                runtime=runtime,
            )
            return build(json.loads(b"".join(pieces)), None, ())

    first, *others = map(counted, RUNTIMES)
    assert first.packets > 100
    assert all(other == first for other in others)


def halves(path: Path, first: int = 1500) -> Path:
    """A capture that shows all hops in its first frames, and then pnic0 only."""
    made, frames = [], 0
    for block in ng.blocks(gzip.decompress((CAPTURES / "lbfo-tcp.pcapng.gz").read_bytes())):
        if block.kind == ng.PACKET:
            frames += 1
            if frames > first and struct.unpack_from("<I", block.data, 8)[0] != 0:
                continue
        made.append(block.data)
    path.write_bytes(b"".join(made))
    return path


def without(path: Path, name: str, interface: int, first: int, last: int) -> int:
    """Writes a capture without the frames of an interface from one frame to another; gives the first frame behind."""
    made, frames, kept, behind = [], 0, 0, 0
    for block in ng.blocks(gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes())):
        if block.kind == ng.PACKET:
            frames += 1
            at = struct.unpack_from("<I", block.data, 8)[0]
            if first <= frames <= last and at == interface:
                continue
            kept += 1
            behind = behind or (kept if frames > last and at == interface else 0)
        made.append(block.data)
    path.write_bytes(b"".join(made))
    return behind


@pytest.mark.parametrize(
    ("name", "hop", "interface", "first", "last"),
    [
        ("lbfo-tcp", "team0", 1, 1200, 10**6),
        ("lbfo-tcp", "pnic0", 0, 800, 1600),
        ("lbfo-tcp", "vport1", 2, 1, 1500),
        ("mix", "pnic0", 0, 800, 1600),
        ("mix", "team0", 1, 1200, 10**6),
        ("lab2/busy", "pnic0", 0, 800, 1600),  # many packets are on their way where it begins and ends
        ("lab2/busy", "team0", 1, 1200, 10**6),
        ("lab2/team2", "pnic0", 0, 800, 1600),
        ("lab2/team2", "vport1", 3, 1, 1500),  # the other VM's packets never show their port
    ],
)
def test_one_hop_falls_silent(tmp_path: Path, name: str, hop: str, interface: int, first: int, last: int) -> None:
    path = tmp_path / "a.pcapng"
    behind = without(path, name, interface, first, last)
    (silence,) = silences(collect(path))
    assert silence.hops == (hop,)
    assert first - 10 <= silence.gap.from_frame <= first
    assert silence.gap.to_frame == (behind or None)


def test_a_hop_is_not_silent_for_packets_of_others(tmp_path: Path) -> None:
    """Without the port of a VM its packets show the same hops as those of the other, but for the other's port."""
    without(tmp_path / "a.pcapng", "mix", 2, 1, 10**6)
    assert silences(collect(tmp_path / "a.pcapng")) == ()


@pytest.mark.parametrize("name", ["nat", "nat-loss"])
def test_a_port_that_showed_a_flooded_packet_does_not_fall_silent(name: str) -> None:
    for host in (1, 2):
        found = collect([CAPTURES / "lab2" / f"{name}.pcapng.gz"], selection=Selection(ip=f"10.0.0.{host}"))
        assert silences(found) == ()


def test_hops_that_fall_silent(tmp_path: Path) -> None:
    (silence,) = silences(collect(halves(tmp_path / "a.pcapng")))
    assert silence.words == "vport1 and team0 show nothing from frame 1,501 on, while pnic0 shows 501 packets"
    assert silence.cause.startswith("Only pnic0 is captured there: the capture was limited to one adapter")


@pytest.mark.parametrize("name", ["mix", "mix-loss", "lab2/vm2vm", "lab2/tenants", "lab2/team2"])
def test_hops_that_have_nothing_to_show_are_not_silent(name: str) -> None:
    """VM to VM, then VM to the wire; one NIC of a team, then both."""
    assert silences(collect(CAPTURES / f"{name}.pcapng.gz")) == ()


def test_a_hop_that_begins_late_and_one_that_pauses(tmp_path: Path) -> None:
    made = [ng.section(), ng.interface("pnic0"), ng.interface("vport1"), ng.interface("team0")]
    for at in range(300):
        data = w.ping(at)
        made.append(w.packet(0, at * 1000, data))
        made += [w.packet(1, at * 1000 + 5, data)] if at >= 100 else []
        made += [w.packet(2, at * 1000 + 9, data)] if not 150 <= at < 250 else []
    path = tmp_path / "a.pcapng"
    path.write_bytes(b"".join(made))
    found = silences(collect(path))
    assert [silence.words.partition(" shows ")[0] for silence in found] == ["vport1", "team0"]
    assert [(silence.gap.from_frame, silence.gap.to_frame) for silence in found] == [(1, 202), (351, 553)]
    assert [silence.words.partition(", while ")[0] for silence in found] == [
        "vport1 shows nothing before frame 202",
        "team0 shows nothing from frame 351 to 552",
    ]
    assert all(95 <= silence.gap.others <= 100 for silence in found)  # counted in bins of some frames


def test_behind_a_nat_pings_are_answered() -> None:
    found = collect(CAPTURES / "lab2" / "nat-loss.pcapng.gz")
    pings = {one.source: (one.asked, one.unanswered) for one in found.unanswered if one.kind == "ping"}
    assert pings == {"10.0.0.1": (87, 2), "10.0.0.2": (87, 6)}


def test_answers_count_that_were_not_selected(tmp_path: Path) -> None:
    """The answer takes another way than through the NIC that is asked for."""
    asks, answers = (
        ethernet(ipv4(echo(kind=kind), PING, src=src, dst=dst))
        for kind, src, dst in (
            (8, b"\1\2\3\4", b"\1\2\3\5"),
            (0, b"\1\2\3\5", b"\1\2\3\4"),
        )
    )
    path = tmp_path / "a.pcapng"
    made = [ng.section(), ng.interface("vport1"), ng.interface("pnic0")]
    made += [w.packet(0, 0, asks), w.packet(1, 9, asks), w.packet(1, 500, answers)]
    path.write_bytes(b"".join(made))
    found = collect(path, selection=Selection(nic="vport1"))
    assert (found.packets, found.unanswered) == (1, ())
    path.write_bytes(b"".join(made[:-1]))
    (one,) = collect(path, selection=Selection(nic="vport1")).unanswered
    assert (one.kind, one.source, one.destination, one.unanswered, one.end_hop) == (
        "ping",
        "1.2.3.4",
        "1.2.3.5",
        1,
        "pnic0",
    )


def test_what_came_before_a_packet_was_selected_counts() -> None:
    """Packets that come to vport1 are selected there, where they end."""
    found = collect(CAPTURES / "lbfo-tcp.pcapng.gz", selection=Selection(nic="VPORT1"))
    whole = collect(CAPTURES / "lbfo-tcp.pcapng.gz")
    assert {hop.name: hop.frames for hop in found.hops} == {hop.name: hop.frames for hop in whole.hops}
    assert {(step.from_hop, step.to_hop, step.count) for step in found.steps} == {
        (step.from_hop, step.to_hop, step.count) for step in whole.steps
    }


def drops(path: Path, number: int, *, answered: bool, reason: int = 902, group: bool = False) -> Path:
    """A trace of pktmon: pings that a NIC shows and TCP/IP drops; others answer them, or nobody does."""
    made = [ng.section(), ng.interface("eth0"), ng.interface("tcpip.sys")]
    note = w.comment(f"wnv: component=5 edge=1 drop={reason} location=0xE0004001")
    to = b"\xff" * 6 if group else w.ROUTER
    for at in range(number):
        asks = ethernet(ipv4(echo(seq=at), PING, ident=at + 1), dst=to)
        made += [w.packet(0, at * 1000, asks), w.packet(1, at * 1000 + 3, asks, note)]
        back = ipv4(echo(seq=at, kind=0), PING, ident=at + 1, src=b"\xc0\0\2\2", dst=b"\xc0\0\2\1")
        made += [w.packet(0, at * 1000 + 500, ethernet(back))] if answered else []
    path.write_bytes(b"".join(made))
    return path


@pytest.mark.parametrize(
    ("options", "harmless"),
    [
        ({"answered": True}, True),
        ({"answered": False}, False),  # the same drop, of a flow that nobody answers
        ({"answered": True, "reason": 12}, False),
        ({"answered": False, "reason": 1204, "group": True}, True),
        ({"answered": True, "reason": 1204}, False),
    ],
)
def test_drops_are_harmless_where_their_flow_is_answered(
    tmp_path: Path, options: dict[str, bool], harmless: bool
) -> None:
    found = collect(drops(tmp_path / "a.pcapng", 3000, **options))
    (drop,) = found.drops
    assert (drop.harmless, drop.packets, drop.frames, drop.first_frame) == (harmless, 3000, 3000, 2)
    assert bool(drop.harmless_because) is harmless
    assert sum(found.harmless_over_time) == (3000 if harmless else 0)
    assert sum(found.drops_over_time) == (0 if harmless else 3000)


@pytest.mark.parametrize("data", [w.hostile(), w.odd_events(), *ng.odd_captures().values()])
def test_odd_captures(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(data)
    found = collect(path)
    assert found.frames == sum(row.packet is not None for row in pywnv.annotate(path))
    json.dumps(found.as_dict())


@pytest.mark.slow
def test_a_scan_is_bounded(tmp_path: Path) -> None:
    """Each packet from another address, to another port, at another hop."""
    made = [ng.section()]
    made += [ng.interface(f"if {at}") for at in range(700)]
    for at in range(30_000):
        data = struct.pack(">HHIIBBHHH", at % 65535 + 1, at // 3 + 1, at, 0, 0x50, 2, 1024, 0, 0)
        made.append(w.packet(at % 700, at, ethernet(ipv4(data, 6, src=struct.pack(">I", 0x0A000000 + at), ident=at))))
    path = tmp_path / "a.pcapng"
    path.write_bytes(b"".join(made))
    found = collect(path)
    assert found.packets == 30_000
    assert sum(end.packets for end in found.ends) == sum(path.packets for path in found.paths) == 30_000
    assert sum(one.unanswered for one in found.unanswered) == 30_000
    assert len(json.dumps(found.as_dict())) < 2_000_000


def test_a_packet_that_is_first_seen_where_no_observer_is_known(tmp_path: Path) -> None:
    """Names that look as if `pywnv join` had written them, behind others."""
    shown = [ng.packet(at % 2, 1 + at, ng.ethernet(ng.udp(identification=1 + at // 2))) for at in range(40)]
    path = tmp_path / "a.pcapng"
    path.write_bytes(ng.section() + ng.interface("a") + ng.interface("B: b") + b"".join(shown))
    found = collect(path)
    assert (found.packets, found.duplicates, found.losses) == (20, 20, ())


@pytest.mark.parametrize("name", ["rules/drops-p24", "rules/journal-flood-n", "deep-dive/vlan-drop-pspkt"])
def test_each_drop_of_an_example(name: str) -> None:
    path = next((CAPTURES / name).parent.glob(f"{Path(name).name}.pcapng*"))
    rows = [row for row in pywnv.annotate(path) if row.drop]
    shown = 0
    for example in collect(path).examples:
        wanted = {row.frame for row in rows if example.packet in (row.packet, row.event_packet)}
        assert {one.frame for one in example.sightings if one.dropped} == wanted
        shown += len(wanted)
    assert shown > 1


def test_medians_of_report_inspect_and_tshark_agree() -> None:
    """Of an even number, between the two in the middle, which are far apart here."""
    path = CAPTURES / "lab2" / "rsc.pcapng.gz"
    rows = list(pywnv.annotate(path))
    hops = {row.frame: row.hop for row in rows}
    exact = sorted(
        float(row.hop_delta)
        for row in rows
        if row.hop == "pnic0" and row.hop_delta is not None and hops[row.previous or 0] == "team0"
    )
    step = next(step for step in collect(path).steps if (step.from_hop, step.to_hop) == ("team0", "pnic0"))
    assert step.count == len(exact) == 316
    assert exact[158] > 1.2 * exact[157]
    assert step.median == pytest.approx(median(exact), rel=0.02)
    at_hop = [float(row.hop_delta) for row in rows if row.hop == "pnic0" and row.hop_delta is not None]
    found = next(hop for hop in inspect(path).hops if hop.name == "pnic0")
    assert found.median == pytest.approx(median(at_hop), rel=0.005)


def test_a_short_capture_is_as_long_as_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    data, start = w.ping(1), 1_763_900_000_618_793_000
    made = [ng.section(), ng.interface("a", resolution=9), ng.interface("b", resolution=9)]
    path.write_bytes(b"".join([*made, ng.packet(0, start, data), ng.packet(1, start + 32_100, data)]))
    assert collect(path).seconds == pytest.approx(32.1e-6, rel=1e-6)
    assert inspect(path).seconds == pytest.approx(32.1e-6, rel=1e-6)


def write(path: Path, hops: list[str], frames: list[tuple[int, int, bytes]]) -> Path:
    """A capture of frames: interface, microseconds, bytes."""
    blocks = [ng.packet(interface, 10**15 + time, data) for interface, time, data in frames]
    path.write_bytes(b"".join([ng.section(), *map(ng.interface, hops), *blocks]))
    return path


def test_connections_from_one_port_are_several_handshakes(tmp_path: Path) -> None:
    """Each begins at another number; that of a SYN that is sent again is the same."""
    syns = [
        (0, (number * 60 + again) * 10**6, ethernet(ipv4(put(tcp(seq=1000 + number), 13, b"\x02"), TCP, ident=at)))
        for at, (number, again) in enumerate([(0, 0), (0, 3), (1, 0), (2, 0)], 1)
    ]
    (asked,) = collect([write(tmp_path / "a.pcapng", ["A"], syns)]).unanswered
    assert (asked.asked, asked.unanswered) == (3, 3)


def test_sets_of_many_hops_are_told_apart(tmp_path: Path) -> None:
    frames = [(hop, 1000 * hop, ethernet(ipv4(udp(), ident=hop + 1))) for hop in range(50)]
    for at, hop in enumerate([1, 2, 3] * 5):
        packet = ethernet(ipv4(udp(), ident=100 + at))
        frames += [(hop, 10**5 + 1000 * at, packet), (49, 10**5 + 1000 * at + 10, packet)]
    names = [f"vNIC {at}" for at in range(50)]
    found = collect([write(tmp_path / "a.pcapng", names, frames)], selection=Selection(nic="vNIC 0"))
    assert sorted((one.hops, one.packets) for one in found.others_at if len(one.hops) > 1) == [
        ((f"vNIC {hop}", "vNIC 49"), 5) for hop in (1, 2, 3)
    ]
