"""The plugin inside the real tshark and sharkd: every order in which Wireshark dissects frames."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROJECT, run_wireshark
from pcapng_blocks import SECONDS, ethernet, interface, journal, packet, section, udp
from test_validate_broken import MAIN, RAISES

from pywnv.tables import fields

pytestmark = pytest.mark.wireshark

MARKS = ["frame.number", *(field.abbreviation for field in fields.FIELDS)]

Tshark = Callable[..., list[list[str]]]
Unpack = Callable[[str], Path]


def test_each_packet_shows_once(tshark: Tshark, unpacked: Unpack) -> None:
    shown = tshark(unpacked("mix"), ["wnv.packet"], "-Y", "!wnv.duplicate")
    assert len(shown) == 833  # packets, by the truth
    assert len({packet for (packet,) in shown}) == 833


def test_all_sightings_of_a_packet(tshark: Tshark, unpacked: Unpack) -> None:
    shown = tshark(unpacked("mix"), ["frame.number", "wnv.appearance", "wnv.hop", "wnv.path"], "-Y", "wnv.packet == 1")
    assert shown == [
        ["1", "1", "vport1", "vport1"],
        ["2", "2", "vport2", "vport1 > vport2"],
        ["3", "3", "team0", "vport1 > vport2 > team0"],
        ["4", "4", "pnic0", "vport1 > vport2 > team0 > pnic0"],
    ]


@pytest.mark.parametrize("name", ["mix", "mix-unsorted", "udpsame"])
def test_passes_agree(tshark: Tshark, unpacked: Unpack, name: str) -> None:
    once = tshark(unpacked(name), MARKS)
    assert Counter(len(row) for row in once) == {len(MARKS): len(once)}
    for options in ([], ["-Y", "frame"], ["-R", "frame"], ["-R", "wnv.packet"]):
        assert tshark(unpacked(name), MARKS, "-2", *options) == once, options


@pytest.mark.parametrize("frames", [4094, 4095, 4096, 4097, 8193])
def test_what_is_kept_of_many_frames(tshark: Tshark, tmp_path: Path, frames: int) -> None:
    """It is kept in pages: packets go on from one to the next, and the last frame may be the first of a page."""
    path = tmp_path / "many.pcapng"
    start = section() + interface("a") + interface("b") + interface("c")
    first = [at - at % 3 + 1 for at in range(frames)]
    ticks = [SECONDS * 10**6 + number * 1000 + at % 3 for at, number in enumerate(first)]
    shown = [packet(at % 3, ticks[at], ethernet(udp(b"%d" % first[at]))) for at in range(frames)]
    path.write_bytes(start + b"".join(shown))
    marks = ["wnv.packet", "wnv.appearance", "wnv.duplicate_of", "wnv.hop.elapsed"]
    later = [["", ""], ["{}", "0.000001000"], ["{}", "0.000002000"]]  # by the sighting
    wanted = [
        [str(number), str(at % 3 + 1), *(text.format(number) for text in later[at % 3])]
        for at, number in enumerate(first)
    ]
    assert tshark(path, marks) == wanted
    assert tshark(path, marks, "-2") == wanted


@pytest.mark.slow
@pytest.mark.parametrize("read_filter", ["udp", "!udp", "frame.number % 3 == 1", "frame.interface_name == pnic0"])
def test_read_filter_leaves_no_trace(tshark: Tshark, unpacked: Unpack, tmp_path: Path, read_filter: str) -> None:
    """What the filter rejects has never been there: as if the capture held the rest alone."""
    if "%" in read_filter and "4.0" in run_wireshark(["tshark", "--version"]).splitlines()[0]:
        read_filter = "frame.number & 1"
    alone = tmp_path / "alone.pcapng"
    with alone.open("wb") as out:  # tshark runs as nobody, so that the file must be ours
        subprocess.run(
            ["tshark", "-n", "-r", unpacked("mix"), "-Y", read_filter, "-w", "-"],
            stdout=out,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    rest = tshark(alone, MARKS)
    assert 0 < len(rest) < 2422
    if "frame.number" in read_filter:
        return  # it sees the numbers of the frames as they move up, so it cannot be compared
    assert tshark(unpacked("mix"), MARKS, "-2", "-R", read_filter) == rest


def test_read_filter_with_blocks_that_are_no_packets(tshark: Tshark, tmp_path: Path) -> None:
    """A rejected journal block must not undo the packet before it."""
    frame = ethernet()
    capture = tmp_path / "journal.pcapng"
    capture.write_bytes(
        section()
        + interface("vNIC")
        + interface("pNIC")
        + packet(0, 1_000_000, frame)
        + journal(b"__REALTIME_TIMESTAMP=1000001\nMESSAGE=NBL routed\n\0")
        + packet(1, 1_000_010, frame)
    )
    rows = tshark(capture, ["frame.number", "wnv.packet", "wnv.appearance"])
    assert rows == [["1", "1", "1"], ["2", "", ""], ["3", "1", "2"]]
    assert tshark(capture, ["frame.number", "wnv.packet", "wnv.appearance"], "-2", "-R", "frame") == rows
    filtered = tshark(capture, ["frame.number", "wnv.packet", "wnv.appearance"], "-2", "-R", "ip")
    assert filtered == [["1", "1", "1"], ["2", "1", "2"]]


def test_loaded_twice_keeps_quiet(tshark: Tshark, unpacked: Unpack, tmp_path: Path) -> None:
    second = tmp_path / "again.lua"
    second.write_bytes((PROJECT / "lua" / "wnv.lua").read_bytes())
    once = tshark(unpacked("udpsame"), MARKS)
    assert tshark(unpacked("udpsame"), MARKS, "-X", f"lua_script:{second}") == once


def test_an_error_is_found(tshark: Tshark, unpacked: Unpack, tmp_path: Path) -> None:
    """That of the engine, in a frame that is not shown: else the other tests here would be blind to errors."""
    plugin = tmp_path / "wnv.lua"
    plugin.write_text(plugin.read_text("utf-8").replace(MAIN, RAISES), "utf-8")
    with pytest.raises(AssertionError, match=r"Lua error in frame 4\b"):
        tshark(unpacked("udpsame"), ["wnv.packet"], "-Y", "frame.number == 2")


def test_tree_text(unpacked: Unpack, config: Path) -> None:
    text = run_wireshark(["tshark", "-n", "-r", unpacked("mix"), "-c", "4", "-V"], config)
    last = text[text.rindex("Windows Network Virtualization") :]
    for line in (
        "Packet: 1",
        "Appearance: 4",
        "Duplicate: True",
        "Duplicate of: 1",
        "Previous appearance: 3",
        "Verdict: duplicate (1)",
        "Evidence: bytes (2)",
        "Hop: pnic0",
        "Path: vport1 > vport2 > team0 > pnic0",
    ):
        assert f"    {line}\n" in last


def test_preferences(tshark: Tshark, unpacked: Unpack) -> None:
    off = tshark(unpacked("udpsame"), ["wnv.packet"], "-o", "wnv.enabled:FALSE")
    assert {tuple(row) for row in off} <= {(), ("",)}
    # No hop is crossed in no time but the wire's: pnic0 and team0 share timestamps.
    instant = tshark(unpacked("mix"), ["wnv.packet"], "-o", "wnv.window_us:0", "-Y", "wnv.duplicate")
    assert 0 < len(instant) < 1589


def test_every_field_can_be_filtered(unpacked: Unpack, config: Path) -> None:
    any_of_them = " || ".join(field.abbreviation for field in fields.FIELDS)
    text = run_wireshark(["tshark", "-n", "-r", unpacked("mix"), "-c", "1", "-Y", any_of_them], config)
    assert len(text.splitlines()) == 1


def _sharkd(config: Path, *requests: tuple[str, dict[str, object]]) -> list[dict[str, list[dict[str, list[str]]]]]:
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in enumerate(requests, 1)
    ]
    text = run_wireshark(["sharkd", "-"], config, stdin="\n".join(lines) + "\n")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_any_order_and_a_second_file(unpacked: Unpack, config: Path) -> None:
    """As the GUI does it: load, look at frames here and there, load another file, load the first again."""
    mix, same = ({"file": str(unpacked(name))} for name in ("mix", "udpsame"))
    # sharkd 4.0 loads a file without a tree, so its first filter is what the GUI's first pass is: all frames in order;
    # and it keeps a filter's answer from one file to the next, so each file gets its own wording.
    first, second, third = ({"filter": f"{more}wnv.duplicate"} for more in ("", "frame && ", "frame && frame && "))

    def path_of(frame: int) -> tuple[str, dict[str, object]]:
        return "frames", {"filter": f"frame.number == {frame}", "column0": "wnv.path:1", "column1": "wnv.packet:1"}

    answers = _sharkd(
        config,
        ("load", mix),
        ("frames", first),
        path_of(2000),
        path_of(4),
        path_of(2000),
        ("load", same),
        ("frames", second),
        path_of(4),
        ("load", mix),
        ("frames", third),
        path_of(2000),
    )
    results = [answer["result"] for answer in answers]
    _, marked, late, early, late_again, _, others, other, _, marked_again, late_at_last = results
    assert [row["c"] for row in early] == [["vport1 > vport2 > team0 > pnic0", "1"]]
    assert late == late_again == late_at_last
    assert late[0]["c"][1] == "2000"
    assert marked == marked_again
    assert len(marked) == 1589
    assert len(others) == 209
    assert [row["c"][1] for row in other] == ["1"]
