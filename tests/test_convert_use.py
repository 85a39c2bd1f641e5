"""Windows traces as a user meets them: a real one, the command, and the way in for other commands."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import etl_writer as w
import pcapng_blocks as ng
import pytest
from command import run
from conftest import PROJECT, run_wireshark
from test_convert import FRAME, GUEST_NAMES, OTHER, SWITCH_NAMES, Packet, made_of, stack

import pywnv
from pywnv.annotate.rows import rows
from pywnv.capture.convert import as_pcapng
from pywnv.capture.etl import is_trace
from pywnv.errors import CaptureError, MissingExtraError
from pywnv.extras import install_command

PUBLIC = PROJECT.parent / "shared" / "public"
REAL = PUBLIC / "demikernel-pktmon-server2022.etl"
needs_real = pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/public")


@needs_real
def test_the_real_trace_is_what_pktmon_makes_of_it() -> None:
    made = made_of(REAL)
    theirs = [Packet(b.data[8:-4]) for b in ng.blocks(REAL.with_suffix(".pcapng").read_bytes()) if b.kind == ng.PACKET]
    assert len(made.packets) == made.done.packets == 114
    assert [p.data for p in made.packets] == [p.data for p in theirs]
    assert [(p.ticks // 10, p.length) for p in made.packets] == [(p.ticks, p.length) for p in theirs]
    ids = Counter(packet.option(5) for packet in made.packets)
    assert len(ids) == 38
    assert Counter(ids.values()) == {2: 19, 4: 19}
    assert made.warnings == []
    assert made.section[4].startswith(b"pywnv")
    assert made.section[3] == (
        b"Windows Server 2022 Datacenter Azure Edition, build 20348.2461.amd64fre.fe_release.210507-1500"
    )


@needs_real
def test_the_real_trace_has_hops_and_directions() -> None:
    made = made_of(REAL)
    assert made.names == [
        "Ethernet 3 [vmNIC, netvsc.sys, component 59, edge 1]",
        "xdp.sys Lower on Ethernet 3 [filter, xdp.sys, component 61, edge 2]",
        "Ethernet 9 [pNIC, mlx5.sys, component 48, edge 1]",
        "NETVSCVFPP on Ethernet 9 [protocol, component 50, edge 1]",
    ]
    flags = {"Rx": 1, "Tx": 2}
    for packet in made.packets:
        direction = packet.comment.split("direction=")[1].split()[0]
        assert packet.option(2) == struct.pack("<I", flags[direction])
    named = {nic.name: nic for nic in made.done.topology.nics}
    assert named["Ethernet 3"].macs == ["0022487bb380"]


@needs_real
@pytest.mark.wireshark
def test_wireshark_opens_the_real_trace(tmp_path: Path, tshark: Callable[..., list[list[str]]]) -> None:
    path = tmp_path / "real.pcapng"
    path.write_bytes(made_of(REAL).bytes)
    rows = tshark(path, ["wnv.packet", "frame.interface_name", "_ws.malformed"])
    assert len(rows) == 114
    assert len({row[0] for row in rows}) == 38
    assert not any(row[2] for row in rows)
    assert "Number of packets:   114" in run_wireshark(["capinfos", "-c", "-M", path])


def test_the_command(tmp_path: Path) -> None:
    path, out = tmp_path / "a.etl", tmp_path / "a.pcapng"
    path.write_bytes(w.etl([w.packet(1, 1, FRAME), w.packet(2, 1, FRAME, id=170)], lost=3))
    done = run("convert", path, "-o", out)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().splitlines() == [
        f"pywnv: warning: {path}: Windows lost 3 events while it was recorded",
        "pywnv: 2 packets, 1 of them dropped, 0 events",
    ]
    assert run("convert", path, "-o", "-").stdout == out.read_bytes()
    with path.open("rb") as file:
        assert run("convert", "-", "-o", "-", stdin=file).stdout == out.read_bytes()
    refused = run("convert", path, "-o", out)
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)


def test_a_trace_is_told_by_its_bytes(tmp_path: Path) -> None:
    path, other = tmp_path / "trace.bin", tmp_path / "other.etl"
    path.write_bytes(w.etl([w.packet(1, 1, FRAME)]))
    other.write_bytes(ng.section() + ng.interface() + ng.packet(0, 0, FRAME))
    assert [is_trace(each) for each in (path, other, tmp_path / "none", tmp_path, Path("-"))] == [True] + [False] * 4
    with as_pcapng(path) as made:
        assert made.suffix == ".pcapng"
        assert made.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    assert not made.exists()
    with as_pcapng(other) as made:
        assert made == other


def test_errors_name_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "a.etl"
    path.write_bytes(w.etl([w.packet(1, 1, FRAME)]))
    done = run("explain", path, "2")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        b"",
        f"pywnv: {path}: has no frame 2; the last is 1\n".encode(),
    )


@pytest.mark.slow
def test_without_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "a.etl"
    path.write_bytes(w.etl([w.packet(1, 1, FRAME)]))
    code = "import sys; sys.modules['dissect.etl'] = None; from pywnv.cli.main import main; main()"
    command = [sys.executable, "-c", code, "convert", str(path), "-o", str(tmp_path / "b.pcapng")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"pywnv: {path}: to read Windows traces, run: {install_command('etl', 'dissect.etl')}\n"
    assert list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"hello\n")  # for this no library helps
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == f"pywnv: {path}: not a Windows trace (.etl), nor a log of `pktmon etl2txt`\n"


def host_trace(path: Path) -> Path:
    path.write_bytes(
        w.etl(
            [
                *stack(),
                *w.switch_descriptions(),
                w.packet(1, 5, FRAME, direction=5),
                w.switch_event(5, 56, *GUEST_NAMES, *SWITCH_NAMES),
                w.packet(20, 2, FRAME, edge=1, direction=4),
                w.packet(30, 2, FRAME, edge=2, direction=4),
                w.packet(40, 1, FRAME, direction=4),
                w.packet(60, 5, OTHER, id=170, drop=(9, 0xE0002004), direction=5),
            ]
        )
    )
    return path


@pytest.mark.slow
def test_other_commands_take_a_trace_as_it_is(tmp_path: Path) -> None:
    path = host_trace(tmp_path / "host.etl")
    said = [json.loads(line) for line in run("annotate", path, "--format", "jsonl").stdout.splitlines()]
    assert [(row["packet"], row["verdict"], row["hop"], row["direction"]) for row in said] == [
        (1, "original", "vmNIC F00D--C0DE", None),
        (None, "event", None, None),
        (1, "duplicate", "filter pacer.sys Upper on 以太网 2", None),
        (1, "duplicate", "filter pacer.sys Lower on 以太网 2", None),
        (1, "duplicate", "pNIC 以太网 2", "outbound"),
        (6, "original", "vmNIC F00D--C0DE", None),
    ]
    assert (said[1]["event"], said[1]["event_nic"], said[1]["event_switch"]) == ("received", "Contoso-Gst", "wireless")
    last = said[-1]
    assert (last["drop"], last["drop_reason"], last["drop_reason_text"]) == (True, 9, "Filtered VLAN")
    assert (last["drop_location"], last["vlan"]) == (0xE0002004, 7)
    assert last["drop_advice"]
    report = json.loads(run("inspect", path, "--json").stdout)
    assert report["capture"] == str(path)
    assert report["tool"]["name"] == "pywnv"
    assert b"vmNIC F00D--C0DE" in run("explain", path, 1).stdout


def same_in_python(path: Path, converted: Path) -> None:
    """What Python says of a trace is what it, and the command, say of the pcapng made of it."""
    said = list(pywnv.annotate(converted))
    assert said
    assert list(pywnv.annotate(path)) == list(pywnv.annotate(str(path))) == said
    assert pywnv.annotate_table(path).equals(pywnv.annotate_table(converted))
    assert run("annotate", path).stdout == b"".join(rows(converted))


def test_python_takes_a_trace_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, converted = host_trace(tmp_path / "host.etl"), tmp_path / "host.pcapng"
    converted.write_bytes(made_of(path).bytes)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    same_in_python(path, converted)
    twice = list(pywnv.annotate([path, converted]))
    assert [one.frame for one in twice] == list(range(1, 13))
    assert twice == list(pywnv.annotate([converted, converted]))
    begun = pywnv.annotate(path)
    assert next(begun).frame == 1
    begun.close()
    assert list((tmp_path / "scratch").iterdir()) == []


@needs_real
def test_python_takes_the_real_trace(tmp_path: Path) -> None:
    converted = tmp_path / "real.pcapng"
    converted.write_bytes(made_of(REAL).bytes)
    same_in_python(REAL, converted)


def test_python_says_what_is_wrong_with_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.etl"
    path.write_bytes(w.etl([w.packet(1, 1, FRAME)], lost=3))
    words: list[str] = []
    assert len(list(pywnv.annotate(path, warn=words.append))) == 1
    assert words == [f"{path}: Windows lost 3 events while it was recorded"]
    path.write_bytes(w.etl(stack()))
    with pytest.raises(CaptureError, match="holds no packets and no events"):
        next(pywnv.annotate(path))
    monkeypatch.setitem(sys.modules, "dissect.etl.etl", None)
    for annotate in (lambda path: next(pywnv.annotate(path)), pywnv.annotate_table):
        with pytest.raises(
            MissingExtraError,
            match=re.escape(f"{path}: to read Windows traces, run: pip install"),
        ):
            annotate(path)


def test_events_are_read_by_their_data_where_their_text_is_in_another_language(tmp_path: Path) -> None:
    path = tmp_path / "zh.etl"
    described = w.description(w.SWITCH, w.SWITCH_PROVIDER, 55, "已丢弃 %2 %4", [("a", 8, -1, ""), ("b", 1, 0, "")])
    event = w.switch_event(5, 55, *GUEST_NAMES, *SWITCH_NAMES, tail=struct.pack("<I", 9))
    path.write_bytes(w.etl([described, event]))
    (row,) = (json.loads(line) for line in run("annotate", path, "--format", "jsonl").stdout.splitlines())
    assert (row["event"], row["event_nic"], row["drop_reason"]) == ("dropped", "Contoso-Gst", 9)


@pytest.mark.parametrize(
    ("records", "recorded_by"),
    [([w.packet(1, 1, FRAME)], "pktmon"), ([w.fragment(1, FRAME)], "netsh trace or NetEventPacketCapture")],
    ids=["pktmon", "ndiscap"],
)
def test_a_trace_is_written_by_what_recorded_it(records: list[w.Record], recorded_by: str, tmp_path: Path) -> None:
    trace = tmp_path / "host.etl"
    trace.write_bytes(w.etl(records, build=26100))
    words = run("inspect", trace).stdout.decode()
    assert f"Written by: {recorded_by}, on Windows, build 26100" in words
