"""What inspect says of captures: tool and version, hops, drops, what is missing; for people and for programs."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import run
from conftest import CAPTURES, PROJECT
from rich.console import Console
from test_fingerprint import SNAP, TICK, VM_PORT, etl, program

from pywnv.annotate.columns import Batch
from pywnv.annotate.rows import Engine
from pywnv.errors import CaptureError, UsageError
from pywnv.inspect import Report, as_json, inspect, missing, render
from pywnv.inspect import tally as tallies
from pywnv.inspect.fingerprint import Tool
from pywnv.inspect.tally import Drop, Hop, Tally
from pywnv.tables import fields

DEEP_DIVE = CAPTURES / "deep-dive"
SHARED = PROJECT.parent / "shared"
PUBLIC = SHARED / "public"
# Counting.


def row(frame: int, packet: int | None = None, hop: str | None = "a", **more: object) -> dict[str, object]:
    made: dict[str, object] = dict.fromkeys(fields.columns())
    made |= {"frame": frame, "time": 1000 + frame * 0.001, "packet": packet, "hop": hop, "hop_role": "unknown"}
    made["duplicate"], made["verdict"] = packet not in (None, frame), "original"
    return made | more


def batch(*found: dict[str, object]) -> Batch:
    return Batch({name: [one[name] for one in found] for name in fields.columns()})


def counted(*found: dict[str, object]) -> Tally:
    tally = Tally()
    tally.add([batch(*found)])
    return tally


def test_how_often_a_hop_shows_a_packet() -> None:
    tally = counted(row(1, 1), row(2, 1), row(3, 1, "b", hop_delta=2e-6), row(4, 4), row(5, 4, "b", hop_delta=4e-6))
    assert (tally.frames, tally.packets, tally.duplicates, tally.seconds) == (5, 2, 3, 0.004)
    assert tally.hops() == (
        Hop("a", "unknown", 3, 2, {1: 1, 2: 1}, None, None),
        Hop("b", "unknown", 2, 2, {1: 2}, 3e-6, 4e-6),
    )


def test_counting_needs_few_packets_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MOST_OPEN", 3)
    tally = Tally()
    for frame in range(1, 2000, 2):
        tally.add([batch(row(frame, frame), row(frame + 1, frame, "b"))])
        assert len(tally._open) <= 3
    assert [(hop.packets, hop.times) for hop in tally.hops()] == [(1000, {1: 1000})] * 2


def test_what_no_host_has_is_counted_together() -> None:
    """Else inspect of 65,000 interfaces, or of as many reasons, takes a minute and a gigabyte to draw its tables."""
    most = tallies.MOST_KINDS
    tally = counted(*(row(n, n, f"hop {n}", drop=True, drop_reason=n) for n in range(1, 3 * most)))
    hops, drops = tally.hops(), tally.drops()
    assert len(hops) == len(drops) == most + 1
    assert (hops[-1].name, hops[-1].role, hops[-1].frames) == (tallies.OTHERS, None, 2 * most - 1)
    assert (drops[0].text, drops[0].place, drops[0].count) == (tallies.OTHERS, None, 2 * most - 1)
    assert sum(hop.packets for hop in hops) == tally.packets


def test_percentiles_are_exact_to_three_digits() -> None:
    delays = tallies._Delays()
    assert delays.percentile(0.5) is None
    for number in range(1, 1001):
        delays.add(number * 1.2345e-6)
    assert delays.percentile(0.5) == pytest.approx(500 * 1.2345e-6, rel=0.005)
    assert delays.percentile(0.99) == pytest.approx(990 * 1.2345e-6, rel=0.005)
    assert delays.percentile(1.0) == pytest.approx(1000 * 1.2345e-6, rel=0.005)
    delays = tallies._Delays()
    delays.add(0.0000355)
    assert (delays.percentile(0.5), delays.percentile(0.99)) == (0.0000355, 0.0000355)


def test_drops_and_events() -> None:
    event = {"verdict": "event", "event_nic": "wireless", "event_switch": "docked", "hop": None}
    drop = {"drop": True, "drop_reason": 34, "drop_reason_text": "the text", "drop_advice": "look"}
    tally = counted(
        row(1, 1),
        row(2, event="received", **event),
        row(3, event="dropped", **event, **drop),
        row(4, event="dropped", **event, **drop),
        row(5, 5, drop=True),
    )
    assert (tally.events, tally.packets) == ({"received": 1, "dropped": 2}, 2)
    assert tally.drops() == (
        Drop(34, "the text", "wireless in switch docked", 2, "look"),
        Drop(None, None, "a", 1, None),
    )


def test_times() -> None:
    tally = counted(
        row(1, 1, time=5.0), row(2, 2, time=4.5), row(3, 3, time=None), row(4, 4, time=0), row(5, 5, time=6.0)
    )
    assert (tally.without_time, tally.steps_back, tally.furthest_back, tally.seconds) == (2, 1, 0.5, 1.5)
    assert counted(row(1, time=None)).seconds is None


# Whole captures.


@pytest.mark.parametrize("engine", [Engine.LUPA, pytest.param(Engine.TSHARK, marks=pytest.mark.wireshark)])
def test_lbfo(engine: Engine) -> None:
    report = inspect(DEEP_DIVE / "lbfo-psping-etl2pcapng.pcapng", engine=engine)
    assert (report.frames, report.packets, report.duplicates, report.duplicate_share) == (62, 31, 31, 0.5)
    assert report.verdicts == {"original": 30, "duplicate": 31, "retransmission": 1}
    assert report.seconds == pytest.approx(5, abs=0.1)
    assert [(hop.name, hop.frames, hop.times) for hop in report.hops] == [
        ("Ethernet (ifIndex 20)", 31, {1: 31}),
        ("Ethernet (ifIndex 12)", 31, {1: 31}),
    ]
    assert report.hops[1].median == 10.5e-6


def test_frames_that_may_be_duplicates_are_not_said_to_show_once() -> None:
    report = inspect(CAPTURES / "hard" / "arp_repeats.pcapng.gz")
    assert (report.duplicates, report.ambiguous > 100) == (0, True)
    words = " ".join(shown(report).split())
    assert f"{report.ambiguous} frames may be duplicates, but nothing proves it" in words
    assert "no packet shows twice" not in words


def test_one_interface_shows_each_packet_twice() -> None:
    (hop,) = inspect(DEEP_DIVE / "lbfo-psping-etl2pcap.pcapng").hops
    assert (hop.frames, hop.packets, hop.times) == (62, 31, {2: 31})


@pytest.mark.parametrize("name", ["mix", "snap-tcp-loss", "mix-unsorted"])
def test_captures_of_linux(name: str) -> None:
    report = inspect(CAPTURES / f"{name}.pcapng.gz")
    assert {hop.name for hop in report.hops} == {"pnic0", "team0", "vport1", "vport2"}
    assert sum(hop.frames for hop in report.hops) == report.frames == report.packets + report.duplicates
    assert (report.tool.name, report.tool.version) == ("Dumpcap (Wireshark)", "4.0.17")


def whats(report: Report) -> list[str]:
    """How each finding begins."""
    return [finding.what.partition(":")[0].partition(".")[0] for finding in report.findings]


def looked(tmp_path: Path, data: bytes) -> list[str]:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(data)
    return whats(inspect(path))


def frames(count: int = 3, *, cut: int | None = None, options: bytes = b"", interfaces: int = 1) -> Iterator[bytes]:
    for number in range(count):
        data = ng.ethernet(ng.udp(bytes(200), number + 1))
        for at in range(interfaces):
            ticks = TICK + 1000 * number + at
            yield ng.packet(at, ticks, data[:cut], length=len(data), options=options)


def test_nothing_missing() -> None:
    assert inspect(DEEP_DIVE / "vlan-drop-pspkt.pcapng").findings == ()


def test_one_interface(tmp_path: Path) -> None:
    assert looked(tmp_path, ng.section() + ng.interface("eth0") + b"".join(frames())) == ["other places in the host"]
    assert looked(tmp_path, ng.pcap([(5, 5, ng.ethernet())])) == ["other places in the host"]
    report = inspect(DEEP_DIVE / "lbfo-psping-etl2pcap.pcapng")
    assert whats(report) == ["hops, drops and packet ids"]
    assert report.findings[0].commands == (missing.PYWNV_CONVERT,)


def test_no_ports(tmp_path: Path) -> None:
    assert looked(tmp_path, etl("eth:10:0", "PID=4 TID=8")) == ["ports of a vmSwitch"]


def test_no_events(tmp_path: Path) -> None:
    capture = etl("vNIC:Synthetic:p:5:3", f"PID=4 TID=8 {VM_PORT} HashValue=00000000")
    assert looked(tmp_path, capture) == ["what the vmSwitch did"]


def test_packet_ids_that_never_repeat(tmp_path: Path) -> None:
    head = ng.section() + ng.interface("tcpip.sys", snap=SNAP) + ng.interface("pacer.sys", snap=SNAP)
    assert looked(tmp_path, head + b"".join(frames())) == ["packet ids"]
    own = [ng.option(5, struct.pack("<Q", 77 + number)) for number in range(4)]
    made = [ng.packet(n % 2, TICK + n, ng.ethernet(ng.udp(b"x", n // 2 + 1)), options=o) for n, o in enumerate(own)]
    assert "packet ids that repeat" in looked(tmp_path, head + b"".join(made))
    assert "packet ids that repeat" not in looked(tmp_path, head + b"".join(made[::2]))  # no packet shows twice
    assert "packet ids" not in whats(inspect(DEEP_DIVE / "lbfo-psping-pktmon.pcapng"))


@pytest.mark.parametrize(
    ("name", "command"),
    [("tcpip.sys", missing.PKTMON_WHOLE), ("eth:10:0", missing.NETSH[0]), ("eth0", None)],
)
def test_cut(tmp_path: Path, name: str, command: str | None) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(ng.section() + ng.interface(name, snap=SNAP) + b"".join(frames(cut=128)))
    (finding,) = (finding for finding in inspect(path).findings if finding.what.startswith("the ends"))
    assert "3 of 3 are cut at 128 bytes" in finding.what
    assert finding.commands[:1] == ((command,) if command else ())


def test_a_few_odd_lengths_are_no_cut(tmp_path: Path) -> None:
    data = ng.section() + ng.interface("eth0") + b"".join(frames(200))
    assert looked(tmp_path, data + ng.packet(0, TICK + 10**6, ng.ethernet()[:42], length=60)) == [
        "other places in the host"
    ]


def test_no_packets(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(ng.section())
    (finding,) = inspect(path).findings
    assert "before 1.12" in finding.what
    assert finding.commands == (missing.PKTMON_CONVERT,)
    assert looked(tmp_path, program("Dumpcap (Wireshark) 4.4.1") + ng.interface("eth0")) == ["packets"]


def test_no_times_and_time_that_runs_back(tmp_path: Path) -> None:
    head = ng.section() + ng.interface("eth0")
    assert looked(tmp_path, head + ng.simple_packet(ng.ethernet())) == ["other places in the host", "times"]
    back = ng.packet(0, TICK, ng.ethernet()) + ng.packet(0, TICK - 500, ng.ethernet())
    assert looked(tmp_path, head + back) == ["other places in the host", "order"]


def test_what_breaks_off(tmp_path: Path) -> None:
    data = ng.section() + ng.interface("eth0") + b"".join(frames())
    path = tmp_path / "broken.pcapng"
    path.write_bytes(data[:-5])
    report = inspect(path)
    assert report.packets == 2
    assert report.findings[0].what.startswith("the rest of the file: is cut off at byte")


def test_unknown_roles(tmp_path: Path) -> None:
    data = (
        ng.section() + ng.interface("eth:1:0") + ng.interface("vNIC:Synthetic:p:5:3") + b"".join(frames(interfaces=2))
    )
    path = tmp_path / "roles.pcapng"
    path.write_bytes(data)
    assert inspect(path).findings[-1].what == "the roles of 1 of 2 hops: their names do not tell them."
    assert inspect(path).findings[-1].commands == (missing.ADAPTERS,)
    report = inspect(CAPTURES / "mix.pcapng.gz")  # of Linux, where Get-NetAdapter is no help
    assert (whats(report), report.findings[-1].commands) == (["the roles of 4 of 4 hops"], ())


def test_the_commands_are_those_of_the_docs() -> None:
    page = "".join((PROJECT / "docs" / name).read_text("utf-8") for name in ("capturing.md", "hops.md"))
    for command in (*missing.NETSH, *missing.NET_EVENT, missing.PKTMON_WHOLE, missing.PKTMON_CONVERT, missing.ADAPTERS):
        assert command in page


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="read twice"):
        inspect(Path("-"), engine=Engine.TSHARK)
    with pytest.raises(CaptureError, match="No such file"):
        inspect(tmp_path / "none.pcapng")


# Shown.


def shown(report: Report, width: int = 100) -> str:
    file = io.StringIO()
    render(report, Console(file=file, width=width, force_terminal=False))
    return file.getvalue()


def test_json() -> None:
    report = inspect(DEEP_DIVE / "lbfo-psping-etl2pcapng.pcapng")
    read = json.loads(as_json(report))
    assert read["tool"]["name"] == "etl2pcapng"
    assert read["hops"][0]["times"] == {"1": 31}
    assert read.keys() == asdict(report).keys()


def test_people_read_it() -> None:
    text = shown(inspect(DEEP_DIVE / "lbfo-psping-etl2pcapng.pcapng"))
    for words in (
        "Written by: etl2pcapng 1.9 or newer",
        "Holds: 62 frames, 31 packets in 5 s; 50.0% duplicates, 1 retransmission",
        "Ethernet (ifIndex 20)",
        "10 µs",
        "once",
        "Missing: ports of a vmSwitch",
        f"      {missing.NETSH[0]}\n",  # in one line, to be copied
    ):
        assert words in text


def test_drops_are_shown() -> None:
    drops = (Drop(34, "the text", "wireless in switch docked", 4, "Look there."), Drop(None, None, None, 1, None))
    report = Report("x", Tool(), 5, 1, 0, 0, 0.0, None, {}, (), drops, {"dropped": 5}, ())
    lines = [line.split("│")[1:4] for line in shown(report).splitlines() if "│" in line]
    assert [[part.strip() for part in line] for line in lines] == [
        ["4", "34 the text", "wireless in switch docked"],
        ["1", "not given", "not given"],
    ]
    assert "vmSwitch: 5 dropped" in shown(report)
    assert "Reason 34: Look there." in shown(report)


def test_names_stay_names() -> None:
    hop = Hop("vmNIC [red]a[/red] [/] :smile:", "vmNIC", 1, 1, {1: 1, 3: 2}, -2.5e-7, 12.0)
    drop = Drop(1, "[b]t[/b]", "[link=x]p[/link]", 1, "[bold]a")
    tool_ = Tool("[i]n", None, "[i]s", "[i]o", ("[i]k",))
    text = shown(Report("[b]f", tool_, 3, 1, 2, 0, 0.5, 0.5, {}, (hop,), (drop,), {}, (missing.Finding("[u]w"),)), 160)
    for name in (hop.name, drop.text, drop.place, drop.advice, "[i]n", "[i]s", "[i]o", "[i]k", "[b]f", "[u]w"):
        assert str(name) in text
    assert "once to 3 times, mostly 3 times" in text
    assert "-250 ns" in text
    assert "12 s" in text


@pytest.mark.parametrize("width", [20, 60])
def test_narrow_terminals(width: int) -> None:
    assert shown(inspect(DEEP_DIVE / "bing-etl2pcapng.pcapng"), width)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared")
@pytest.mark.parametrize(
    ("name", "tool_name", "packets", "share"),
    [
        ("demikernel-pktmon-server2022.pcapng", "pktmon", 38, 0.6667),
        ("otrf-etl2pcapng-single-nic.pcapng", "etl2pcapng", 961, 0.0),
        ("zeek-kerberos-tso.pcapng", "Dumpcap (Wireshark)", 314, 0.0),
        ("zeek-m57-mirrored-twice.pcap", None, 114, 0.4978),
        ("arkime-routed-ttl-mac.pcap", None, 17, 0.5),
    ],
)
def test_public_captures(name: str, tool_name: str | None, packets: int, share: float) -> None:
    report = inspect(PUBLIC / name)
    assert (report.tool.name, report.packets, report.duplicate_share) == (tool_name, packets, share)
    assert shown(report)


def test_the_command() -> None:
    capture = CAPTURES / "deep-dive" / "acl-drop-pspkt.pcapng"
    done = run("inspect", capture)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "12 Failed security policy" in done.stdout.decode()
    done = run("inspect", "--json", capture, "--topology", CAPTURES / "deep-dive" / "contoso01.toml")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["drops"][0]["reason"] == 12
    done = run("inspect", "none.pcapng")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"pywnv: none.pcapng: No such file or directory\n"


@pytest.mark.slow
def test_a_line_for_each_of_several_captures(tmp_path: Path) -> None:
    text, names = tmp_path / "a.log", ("mix", "single-udpsame")
    text.write_bytes(b"a text\n")
    captures = [CAPTURES / f"{name}.pcapng.gz" for name in names]
    done = run("inspect", captures[0], text, captures[1])
    assert done.returncode == 1
    assert done.stderr.decode() == f"pywnv: {text}: is a text file, not a capture\n"
    header, *lines = done.stdout.decode().splitlines()
    counted = "frames packets duplicates hops drop frames harmful unanswered sent again slow silent written by"
    assert header.split() == ["capture", *counted.split()]
    assert [line.split()[0] for line in lines] == list(map(str, captures))
    for path in captures:
        (tmp_path / path.name).symlink_to(path)
    done = run("inspect", "--json", tmp_path)
    assert done.returncode == 0
    alone = [json.loads(run("inspect", "--json", tmp_path / path.name).stdout) for path in captures]
    assert json.loads(done.stdout) == alone
    assert lines[0].split()[1:4] == [str(alone[0][name]) for name in ("frames", "packets", "duplicates")]


def test_a_capture_without_packets_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "none.pcapng"
    for blocks, words in (
        (ng.interface("Ethernet") + ng.interface("Team"), "it describes 2 interfaces (Ethernet, Team)"),
        (ng.interface("Ethernet"), "it describes 1 interface (Ethernet)"),
        (b"", "it describes no interface"),
    ):
        path.write_bytes(ng.section() + blocks)
        assert words in " ".join(run("inspect", path).stdout.decode().split())


def test_the_name_of_a_tool_stays_in_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(ng.section(options=ng.option(4, "a\n\u202eb\u2028c".encode())) + ng.interface("a"))
    assert json.loads(run("inspect", path, "--json").stdout)["tool"]["name"] == "a \ufffdb\ufffdc"
