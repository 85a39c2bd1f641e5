"""`pywnv explain`: the path of one packet, and why two frames are or are not one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pcapng_blocks as ng
import pytest
from command import CAPTURES, run
from engine import ARP, ICMP, TCP, arp, echo, ethernet, ipv4, ipv6, put, tcp, udp

import pywnv
from pywnv.annotate import sinks
from pywnv.annotate.columns import unpacked
from pywnv.annotate.walker import annotate
from pywnv.capture.source import open_to_join
from pywnv.errors import CaptureError, UsageError
from pywnv.explain import compare, explain, frame_row, packets
from pywnv.lua import lua_text
from pywnv.tables.annotation import Annotation

LOSS = CAPTURES / "lbfo-tcp-loss.pcapng.gz"
JOURNAL = CAPTURES / "rules/journal-flood-n.pcapng.gz"
FRAME = ethernet(ipv4(udp()))
START = 10**15  # microseconds: a time of 0 is no time


def write(folder: Path, frames: list[tuple[int, float, bytes]]) -> Path:
    """A capture of frames (interface, microseconds, bytes), of two interfaces."""
    path = folder / "capture.pcapng"
    blocks = [ng.packet(interface, START + int(time), data) for interface, time, data in frames]
    path.write_bytes(ng.section() + ng.interface("A") + ng.interface("B") + b"".join(blocks))
    return path


def said(path: Path, *frames: int) -> list[str]:
    return list(explain(path, frames, warn=pytest.fail))


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("one", (LOSS, 8)),
        ("same", (LOSS, 8, 10)),
        ("other", (LOSS, 8, 11)),
        ("repeated", (LOSS, 446, 449)),
        ("event", (JOURNAL, 22)),
        ("drop-event", (JOURNAL, 29)),
    ],
)
def test_golden(golden: Callable[[str, bytes], None], name: str, frames: tuple[Path, int]) -> None:
    done = run("explain", *frames)
    assert (done.returncode, done.stderr) == (0, b"")
    golden(f"explain-{name}.txt", done.stdout)


BASE = ipv4(tcp(b"data" * 9), TCP)

# the frames, the field that differs first, and whether a hop may change it
DIFFERENCES = {
    "identification": (ethernet(BASE), ethernet(put(BASE, 4, 9)), "IPv4 identification", False),
    "TTL only": (ethernet(put(BASE, 10, 0)), ethernet(put(put(BASE, 10, 0), 8, b"\x3f")), "IPv4 TTL", True),
    "sequence number": (ethernet(BASE), ethernet(put(BASE, 26, 9)), "TCP sequence number", False),
    "behind what may change": (ethernet(BASE), ethernet(put(put(BASE, 8, b"\x3f"), -1, b"x")), "payload", False),
    "UDP port": (FRAME, ethernet(put(ipv4(udp()), 22, 9)), "UDP destination port", False),
    "ping": (
        ethernet(ipv4(echo(), ICMP)),
        ethernet(put(ipv4(echo(), ICMP), 27, b"\x09")),
        "ICMP rest of header",
        False,
    ),
    "IPv6": (ethernet(ipv6(udp())), ethernet(put(ipv6(udp()), 39, b"\x09")), "IPv6 destination address", False),
    "IPv6 port": (ethernet(ipv6(udp())), ethernet(put(ipv6(udp()), 42, 9)), "UDP destination port", False),
    "no IP": (ethernet(arp(), ARP), ethernet(arp(kind=2), ARP), "ARP operation", False),
    "behind another VLAN": (FRAME, ethernet(put(ipv4(udp()), 4, 9), tags=((0x8100, 5),)), "IPv4 identification", False),
}


@pytest.mark.parametrize(("first", "second", "field", "may_change"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_names_the_first_difference(tmp_path: Path, first: bytes, second: bytes, field: str, may_change: bool) -> None:
    pair = compare(write(tmp_path, [(0, 0, first), (1, 5, second)]), 2, 1)
    assert pair.difference is not None
    assert (pair.difference.field, pair.difference.may_change) == (field, may_change)
    assert [row.frame for row in pair.rows] == [1, 2]
    assert pair.gap == pytest.approx(5e-6)


HARD = CAPTURES / "hard"
TWO = {
    "arp-tcp": (CAPTURES / "lbfo-tcp.pcapng.gz", None, "are two packets: frame {} is {}, frame {} is {}."),
    "probes": (HARD / "traceroute_up.pcapng.gz", (3, 4), "Rule: ttl_counts (RFC 791 3.2; RFC 1812 5.3.1)"),
    "repeat": (CAPTURES / "lbfo-tcp-wiredup.pcapng.gz", (1499, 1517), "Rule: went_on"),
    "fields": (LOSS, (8, 11), "they differ in TCP sequence number, which no hop changes."),
}


@pytest.mark.parametrize(("path", "frames", "words"), TWO.values(), ids=TWO)
def test_says_that_frames_are_two_packets(path: Path, frames: tuple[int, int] | None, words: str) -> None:
    if frames is None:
        rows = list(pywnv.annotate(path))
        first = rows[0]
        second = next(row for row in rows if row.protocol != first.protocol)
        frames = first.frame, second.frame
        words = words.format(first.frame, first.protocol, second.frame, second.protocol)
    lines = said(path, *frames)[:3]
    assert lines[0].startswith(f"Frames {frames[0]} and {frames[1]} are two packets: ")
    assert words in " ".join(lines)


def test_two_packets_with_equal_bytes_much_later_or_cut(tmp_path: Path) -> None:
    data = ethernet(ipv4(udp(b"data" * 9), ident=5))
    path = write(tmp_path, [(0, 0, data), (0, 250_000, data)])
    assert said(path, 1, 2)[1].startswith("Rule: too_late (")
    other = ethernet(ipv4(udp(b"data" * 8 + b"else"), ident=5))
    path = write(tmp_path, [(0, 0, data), (1, 9, other)])
    assert said(path, 1, 2)[1] == "Rule: other_content"


@pytest.mark.parametrize(
    "name", ["lab2/nat", "lab2/vxlan", "rules/drops-p24", "rules/tenants-p24", "hard/nat_between_hops", "v6-loss"]
)
def test_no_two_sightings_are_told_apart(name: str) -> None:
    eyes: list[Any] = []

    def watch(lua: Any, modules: Any) -> Any:
        every = lua.execute(b"return setmetatable({}, { __index = function() return true end })")
        eyes.append(lua.execute(lua_text("writers/explain.lua").encode(), modules, every))
        return eyes[0][b"engine"]

    first: dict[int, Annotation] = {}
    number = 0
    with open_to_join(CAPTURES / f"{name}.pcapng.gz") as opened:
        quiet = {"window": None, "progress": lambda _: None, "warn": lambda _: None}
        for batch in unpacked(annotate([opened], sink=sinks.columns, watch=watch, **quiet)):
            for row in batch.chosen([True] * batch.size):
                one = first.setdefault(row.packet or 0, row)
                if row.verdict == "duplicate":
                    number += 1
                    assert one.protocol == row.protocol
                    assert eyes[0][b"fixed"](one.frame, row.frame) is None
                    assert eyes[0][b"rule"](row.frame, one.packet) is None
    assert number > 0


def test_shows_addresses_as_such(tmp_path: Path) -> None:
    other = ethernet(put(ipv6(udp()), 39, b"\x09"))
    line = said(write(tmp_path, [(0, 0, ethernet(ipv6(udp()))), (1, 5, other)]), 1, 2)[1]
    assert line.startswith("They differ: IPv6 destination address (byte 53), ")
    assert "::" in line
    assert "0x" not in line
    asks, answers = arp(), put(arp(), 18, b"\x02\0\0\0\0\x07")
    line = said(write(tmp_path, [(0, 0, ethernet(asks, ARP)), (1, 5, ethernet(answers, ARP))]), 1, 2)[1]
    assert line == (
        "They differ: ARP target MAC address (byte 32), 00:00:00:00:00:00 in frame 1, 02:00:00:00:00:07 in frame 2."
    )


def test_says_by_which_rule_and_why(tmp_path: Path) -> None:
    data = ethernet(ipv4(tcp(b"data" * 9), TCP, ident=5))
    path = write(tmp_path, [(0, 0, data), (1, 20, data), (0, 300_000, data)])
    assert said(path, 2)[:2] == [
        "Frame 2 shows packet 1 again: its sender gives this identity to one packet only.",
        "Rule: same_identity (RFC 6864 4.1; RFC 7323; RFC 4303 3.3.3)",
    ]
    again = said(path, 3)
    assert again[0].startswith("Frame 3 is a retransmission: its flow has carried this data")
    assert again[2] == "Packet 1 carried the same content 300.000 ms earlier (frames 1, 2)."


def test_a_path_may_begin_long_before(tmp_path: Path) -> None:
    frames = [(0, 1, FRAME), *((0, 2, ethernet(ipv4(udp(), ident=at))) for at in range(2, 900)), (1, 9, FRAME)]
    path = write(tmp_path, frames)
    assert [row.frame for row in packets(path, {1}, 900)[1]] == [1, 900]


def test_says_what_was_dropped() -> None:
    words = said(CAPTURES / "deep-dive/acl-drop-pspkt.pcapng", 1)
    assert words[-1] == "dropped in frame 2: Failed security policy"
    reason, advice = said(CAPTURES / "deep-dive/acl-drop-pspkt.pcapng", 2)[2:4]
    assert reason == "It was dropped here: Failed security policy."
    assert advice.startswith("An ACL on the vmSwitch port denies it")


def test_says_which_event_dropped_a_packet() -> None:
    assert "dropped in frame 29: Failed security policy" in said(JOURNAL, 28)


def test_wrong_use(tmp_path: Path) -> None:
    path = write(tmp_path, [(0, 0, FRAME), (1, 0, FRAME)])
    path.write_bytes(path.read_bytes() + ng.journal(b"MESSAGE=x\n"))
    assert said(path, 3) == ["Frame 3 is not a packet."]
    with pytest.raises(UsageError, match="frame 3 is not a packet"):
        compare(path, 1, 3)
    with pytest.raises(UsageError, match="has no frame 9; the last is 3"):
        frame_row(path, 9)
    with pytest.raises(CaptureError, match="No such file"):
        frame_row(tmp_path / "none", 1)
    for arguments, words in (
        ((LOSS, 1, 2, 3), b"takes one frame or two different ones, not 1 2 3"),
        ((LOSS, 1, 1), b"takes one frame or two different ones, not 1 1"),
        (("-", 1), b"-: is read twice, so it must be a file"),
        ((LOSS, 99999), b"has no frame 99999; the last is 2932"),
    ):
        done = run("explain", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
        assert words in done.stderr
