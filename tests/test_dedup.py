"""One frame a packet: which one, that all else stays, and that Wireshark then sees what a single tap saw."""

from __future__ import annotations

import csv
import gzip
import struct
from collections import Counter
from pathlib import Path

import hard_cases
import pcapng_blocks as ng
import pytest
from annotated_capture import ordered_blocks
from command import CAPTURES, run
from conftest import run_wireshark
from test_bad_output import LIMIT, refuses

from pywnv.annotate import sinks
from pywnv.annotate.rows import rows
from pywnv.dedup import KEEP, Dedup, keep_of
from pywnv.errors import CaptureError, UsageError
from pywnv.host.loading import load
from pywnv.host.topology import Topology
from pywnv.lua import lua_text

LAB = Path(__file__).parents[2] / "shared" / "lab"
NAMES = sorted(path.name.removesuffix(".pcapng.gz") for path in CAPTURES.glob("*.pcapng.gz"))
LAB_NAMES = sorted(path.name.removesuffix(".pcapng.gz") for path in LAB.glob("*.pcapng.gz"))
ROLES = {"pnic0": "pNIC", "team0": "tNIC", "vport1": "vmNIC", "vport2": "vmNIC"}
FRAME, OTHER = ng.ethernet(), ng.ethernet(ng.udp(b"another", 2))
TICK = ng.SECONDS * 10**6


@pytest.fixture
def host(tmp_path: Path) -> Topology:
    """The host in which the lab's captures were made."""
    path = tmp_path / "host.toml"
    nics = (f'[[nics]]\nname = "{name}"\nrole = "{role}"\ninterfaces = ["{name}"]\n' for name, role in ROLES.items())
    path.write_text("".join(nics), "utf-8")
    return load(path)


def deduped(path: Path, keep: str = "first", topology: Topology | None = None) -> bytes:
    return b"".join(Dedup(path, keep=keep, topology=topology).pieces())


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(b"".join(rows(path)).decode().splitlines()))


def blocks_of(capture: bytes) -> list[bytes]:
    return [block for _, _, block in ordered_blocks(capture)]


def tap(capture: bytes, *names: str) -> list[bytes]:
    """The packet blocks of some interfaces of a little-endian capture."""
    numbers, found, count = set(), [], 0
    for block in ng.blocks(capture):
        if block.kind == ng.INTERFACE:
            if any(name.encode() in block.data for name in names):
                numbers.add(count)
            count += 1
        elif block.kind == ng.PACKET and struct.unpack_from("<I", block.data, 8)[0] in numbers:
            found.append(block.data)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["first", "last"])
@pytest.mark.parametrize("name", NAMES)
def test_a_frame_a_packet(name: str, keep: str) -> None:
    path = CAPTURES / f"{name}.pcapng.gz"
    found, before = blocks_of(deduped(path, keep)), blocks_of(gzip.decompress(path.read_bytes()))
    wanted: dict[str, int] = {}
    for row in table(path):
        if keep == "last" or row["packet"] not in wanted:
            wanted[row["packet"]] = int(row["frame"])
    stays, number, expected = set(wanted.values()), 0, []
    for block in before:
        is_packet = block[:4] == b"\6\0\0\0"
        number += is_packet
        if not is_packet or number in stays:
            expected.append(block)
    assert found == expected
    with (CAPTURES / f"{name}.truth.csv").open(newline="") as file:
        packets = {row["packet"] for row in csv.DictReader(file)}
    assert len(wanted) == len(packets)


@pytest.mark.slow
@pytest.mark.skipif(not LAB.is_dir(), reason="the lab's captures are not part of the project")
@pytest.mark.parametrize("name", ["lso", "lso-loss"])
def test_a_large_frame_or_its_segments(host: Topology, name: str) -> None:
    """The view from one hop is just what a tap there saw: the large frames, or what they were cut into."""
    path = LAB / f"{name}.pcapng.gz"
    whole = gzip.decompress(path.read_bytes())
    for keep, hop in (("wire", "pnic0"), ("pNIC", "pnic0"), ("tNIC", "team0"), ("vmNIC", "vport1")):
        found = tap(deduped(path, keep, host), *ROLES)
        assert found == tap(whole, hop), keep
    large = tap(deduped(path, "first"), *ROLES)
    assert len(large) == len(tap(whole, "vport1"))


FLAGS = ["retransmission", "out_of_order", "lost_segment", "duplicate_ack"]


def alarms(path: Path) -> Counter[str]:
    fields = [f"tcp.analysis.{flag}" for flag in FLAGS]
    named = [part for field in fields for part in ("-e", field)]
    text = run_wireshark(["tshark", "-n", "-r", path, "-Y", "tcp.analysis.flags", "-T", "fields", *named])
    lines = [line.split("\t") for line in text.splitlines()]
    found = Counter({flag: sum(bool(line[at]) for line in lines) for at, flag in enumerate(FLAGS)})
    found["all"] = len(lines)
    return found


@pytest.mark.wireshark
@pytest.mark.parametrize("name", sorted({*NAMES, *LAB_NAMES}))
def test_wireshark_sees_what_a_single_tap_saw(tmp_path: Path, host: Topology, name: str) -> None:
    path = next(folder / f"{name}.pcapng.gz" for folder in (CAPTURES, LAB) if (folder / f"{name}.pcapng.gz").exists())
    whole = gzip.decompress(path.read_bytes())
    hop = "tap" if name.startswith("single-") else "pnic0"
    single, once = tmp_path / "single.pcapng", tmp_path / "once.pcapng"
    others = [block.data for block in ng.blocks(whole) if block.kind != ng.PACKET]
    single.write_bytes(b"".join(others + (tap(whole, hop) or tap(whole, *ROLES, hop))))
    expected = alarms(single)
    for keep in ("first", "last", "wire"):
        once.write_bytes(deduped(path, keep, host))
        found = alarms(once)
        for flag in expected | found:
            assert abs(found[flag] - expected[flag]) <= 3 + 0.05 * expected[flag], (keep, flag)


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_that_is_no_packet_stays(tmp_path: Path, order: str) -> None:
    name = "blocks-little.pcapng" if order == "<" else "blocks-big.pcapng"
    path = tmp_path / "capture"
    path.write_bytes(ng.odd_captures()[name])
    gone = {int(row["frame"]) for row in table(path) if row["duplicate"] == "true"}
    assert gone
    number, expected = 0, []
    for _, kind, block in ordered_blocks(path.read_bytes()):
        frame = kind in (ng.PACKET, ng.SIMPLE_PACKET, ng.OLD_PACKET, ng.JOURNAL, ng.CUSTOM, ng.CUSTOM_NOT_COPIED)
        number += frame
        if not (frame and number in gone):
            expected.append(block)
    assert blocks_of(deduped(path)) == expected


@pytest.mark.parametrize("runtime", ["lua52", "lua54", "luajit21"])
def test_every_lua_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str) -> None:
    path = tmp_path / "capture"
    captures = [*ng.odd_captures().values(), ng.pcap([(1, at, FRAME) for at in (1, 5, 9)], ">", nano=True)]
    expected = []
    for keep in (False, True):
        for number, capture in enumerate(captures):
            path.write_bytes(capture)
            found = [deduped(path, keep) for keep in ("first", "wire")]
            if keep:
                assert found == expected[number]
            else:
                expected.append(found)
        monkeypatch.setattr("pywnv.lua.runtime.RUNTIMES", (runtime,))


def test_a_pcap_becomes_a_pcapng(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    routed = bytes.fromhex("00155d0a000300155d0a00040800") + ng.udp(ttl=63)
    path.write_bytes(ng.pcap([(1, 0, FRAME), (1, 5, OTHER), (1, 9, routed)]))
    found = [block for _, kind, block in ordered_blocks(deduped(path)) if kind == ng.PACKET]
    assert [block[28 : 28 + len(FRAME)] for block in found] == [FRAME, OTHER[: len(FRAME)]]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in hard_cases.CASES if "rsc" in name or "lso" in name])
@pytest.mark.parametrize("keep", ["first", "last", "wire"])
def test_what_was_built_from_several_packets_never_stays(tmp_path: Path, name: str, keep: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(hard_cases.to_pcapng(hard_cases.CASES[name]()))
    once = Dedup(path, keep=keep)
    found = b"".join(once.pieces())
    said = table(path)
    assert once.left_out.get("coalesced", 0) == sum(row["verdict"] == "coalesced" for row in said)
    assert once.frames == len(said)
    assert once.frames - sum(once.left_out.values()) == sum(kind == ng.PACKET for _, kind, _ in ordered_blocks(found))


def test_memory_of_a_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is chosen early is what would be chosen at the end."""
    path = CAPTURES / "mix-unsorted.pcapng.gz"
    whole = {keep: deduped(path, keep) for keep in ("first", "last")}

    def shorter(name: str) -> str:
        text = lua_text(name)
        assert ("local REACH = 2 ^ 20" in text) == (name == "writers/choose.lua")
        return text.replace("local REACH = 2 ^ 20", "local REACH = 2 ^ 10")

    monkeypatch.setattr(sinks, "lua_text", shorter)
    assert {keep: deduped(path, keep) for keep in whole} == whole


def test_the_wire_where_nothing_tells(tmp_path: Path) -> None:
    path = CAPTURES / "mix.pcapng.gz"
    done = run("dedup", path, "-o", tmp_path / "out.pcapng", "--keep", "wire")
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"pywnv: warning: {path}: no hop's role is known, so pywnv cannot tell which is nearest the wire:"
        " the first sighting of each packet is kept (--host gives roles)\n"
        "pywnv: 833 of 2422 frames kept; left out: 1589 frames that show the same packets\n"
    )
    assert (tmp_path / "out.pcapng").read_bytes() == deduped(path)


def test_a_role_that_no_hop_has(tmp_path: Path) -> None:
    path = CAPTURES / "mix.pcapng.gz"
    done = run("dedup", path, "-o", tmp_path / "out.pcapng", "--keep", "pnic")
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"pywnv: warning: {path}: no hop has the role pNIC: the first sighting of each packet is kept"
        " (--host gives roles)\n"
        "pywnv: 833 of 2422 frames kept; left out: 1589 frames that show the same packets\n"
    )
    assert (tmp_path / "out.pcapng").read_bytes() == deduped(path)


def test_names_of_what_to_keep() -> None:
    assert [keep_of(name) for name in KEEP] == list(KEEP)
    assert [keep_of(name) for name in ("WIRE", "pnic", "Host-vNIC")] == ["wire", "pNIC", "host vNIC"]
    with pytest.raises(UsageError, match="--keep some: must be one of first, last, wire, pNIC"):
        keep_of("some")


def test_what_cannot_be(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    refuses(["dedup", "-", "-o", out], "-: is read twice, so it must be a file", tmp_path)
    path = tmp_path / "capture"
    refuses(["dedup", path, "-o", out], f"{path}: No such file or directory", tmp_path)
    path.write_bytes(ng.section() + ng.interface("a") + ng.packet(0, 0, FRAME) + ng.raw_block(6, bytes(20), length=13))
    done = run("dedup", path, "-o", out)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert not out.exists()
    mix = CAPTURES / "mix.pcapng.gz"
    refuses(["dedup", mix, "-o", out], f"{out}: File too large", tmp_path, before=LIMIT)


def test_a_capture_that_grows_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(ng.section() + ng.interface("a") + ng.packet(0, TICK, FRAME))
    size = path.stat().st_size

    def grow(done: int) -> None:
        if done > size and path.stat().st_size == size:  # the second pass
            path.write_bytes(grown)

    pieces = Dedup(path).pieces(grow)
    grown = path.read_bytes() + ng.packet(0, TICK + 7, OTHER)
    with pytest.raises(CaptureError, match="changes while it is read"):
        b"".join(pieces)


def test_what_is_left_out_reads_as_no_loss(tmp_path: Path) -> None:
    """With --keep last, all that is left out are first sightings: "original", "retransmission"."""
    done = run("dedup", CAPTURES / "lbfo-tcp-loss.pcapng.gz", "-o", tmp_path / "a.pcapng", "--keep", "last")
    assert done.stderr.decode() == (
        "pywnv: 977 of 2932 frames kept; left out: 1955 frames that show the same packets\n"
    )
