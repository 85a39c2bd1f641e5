"""What -z wnv,... and the windows say: under each Lua, in tshark, and against what rows, inspect and explain say."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import pcapng_blocks as ng
import pytest
from conftest import CAPTURES, PROJECT, run_wireshark
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import RUNTIMES, lua, module
from window import MENU

import pywnv
from pywnv.annotate.rows import Format, rows
from pywnv.explain import explain
from pywnv.generate.plugin import plugin_lua
from pywnv.inspect import inspect
from pywnv.lua import lua_text

Unpack = Callable[[str], Path]

DEEP_DIVE = CAPTURES / "deep-dive"
LAB = ["mix", "mix-unsorted", "lbfo-tcp-loss", "lbfo-tcp-wiredup"]
WINDOWS = sorted(DEEP_DIVE.glob("*.pcapng"))
WIDTH = 80
every_runtime = pytest.mark.parametrize("runtime", RUNTIMES)


def report(runtime: str, name: str, *needs: object) -> Any:
    return lua(runtime).execute(lua_text(f"reports/{name}.lua").encode(), *needs)


@cache
def lay_out(runtime: str) -> Any:
    return report(runtime, "table")


def table(runtime: str, values: dict[str, object]) -> Any:
    """What describe would have filled."""
    return lua(runtime).table_from(
        {name.encode(): value.encode() if isinstance(value, str) else value for name, value in values.items()}
    )


@every_runtime
def test_a_table_counts_letters(runtime: str) -> None:
    rows = [["hop", "µs"], ["Büro 名", "1"], ["a", "1000"]]
    made = lay_out(runtime)(
        lua(runtime).table_from([lua(runtime).table_from([cell.encode() for cell in row]) for row in rows]), b"lr"
    )
    assert made.decode() == "hop       µs\nBüro 名     1\na       1000\n"


@every_runtime
@settings(max_examples=50, deadline=None)
@given(times=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=300))
def test_median_and_percentile(runtime: str, times: list[int]) -> None:
    sorted_times = lua(runtime).table_from(sorted(times))
    latency = report(runtime, "latency", lay_out(runtime), module(runtime, "words"))
    assert latency[b"median"](sorted_times) == median(times)
    not_exceeding = latency[b"percentile"](sorted_times)
    assert sum(time <= not_exceeding for time in times) * 100 >= len(times) * 99
    assert sum(time < not_exceeding for time in times) * 100 < len(times) * 99


@every_runtime
def test_drops_are_sorted_and_advise_once(runtime: str) -> None:
    drops = report(runtime, "drops", lay_out(runtime), module(runtime, "words"))
    vlan = {"drop": True, "drop_reason": 9, "drop_reason_text": "Filtered VLAN", "drop_advice": "Look. Look again."}
    for said in (
        {"drop": True, "hop": "a"},
        vlan | {"hop": "a"},
        vlan | {"hop": "ü"},
        vlan | {"hop": "ü"},
        {"drop": True, "event_nic": "%s", "event_switch": "%1"},
        {"hop": "a"},
    ):
        drops[b"row"](table(runtime, said))
    assert drops[b"total"]().decode() == (
        "count  reason           where\n"
        "    2  9 Filtered VLAN  ü\n"
        "    1  not given        a\n"
        "    1  9 Filtered VLAN  a\n"
        "    1  not given        %s in switch %1\n"
        "\n9 Filtered VLAN:\nLook. Look again.\n"
    )


@every_runtime
def test_reports_of_nothing(runtime: str) -> None:
    for name in ("drops", "latency"):
        assert report(runtime, name, lay_out(runtime), module(runtime, "words"))[b"total"]().startswith(
            (b"The capture records no", b"No packet")
        )


def short(text: str) -> str:
    """A reason, as it stands in the table of drops."""
    return text if len(text) <= 34 else f"{text[:17]}…{text[-16:]}"


@every_runtime
def test_what_is_long_is_short_in_the_middle(runtime: str) -> None:
    words = module(runtime, "words")
    for text in ("a", "名前" * 17, "名前" * 60, "x" * 34, "xy" * 40):
        found = words[b"short"](text.encode(), 34).decode()
        assert found == short(text)
        assert len(found) <= 34
    wrapped = words[b"wrapped"](b"one two " * 30 + b"x" * 200, 80, b"  ").decode()
    assert [line for line in wrapped.splitlines() if len(line) > 80] == ["  " + "x" * 200]
    assert wrapped.split() == ["one", "two"] * 30 + ["x" * 200]


@pytest.fixture
def asks(config: Path) -> Callable[..., str]:
    """Asks tshark with -z."""

    def ask(capture: Path, *questions: str, options: tuple[str, ...] = ()) -> str:
        asked = [part for question in questions for part in ("-z", f"wnv,{question}")]
        return run_wireshark(["tshark", "-n", "-q", "-r", capture, *options, *asked], config)

    return ask


@pytest.mark.wireshark
@pytest.mark.parametrize("name", LAB)
def test_summary_is_that_of_annotate(asks: Callable[..., str], unpacked: Unpack, name: str) -> None:
    capture = unpacked(name)
    wanted = b"".join(rows(capture, output_format=Format.SUMMARY)).decode()
    assert asks(capture, "summary") == wanted
    assert asks(capture, "summary", options=("-2",)) == wanted


@pytest.mark.wireshark
@pytest.mark.parametrize("capture", WINDOWS, ids=lambda path: path.stem)
def test_events_and_drops_are_those_of_annotate(asks: Callable[..., str], capture: Path) -> None:
    summary, asked = b"".join(rows(capture, output_format=Format.SUMMARY)).decode(), asks(capture, "summary", "drops")
    assert asked.startswith(summary) or asked.endswith(summary)
    lines = asked.replace(summary, "").strip().split("\n\n")[0].splitlines()[1:]
    hop, reasons = module("luajit21", "words")[b"hop"], Counter[str]()
    for drop in inspect(capture).drops:
        place = hop((drop.place or "not given").encode(), 34).decode()
        words = drop.text or "not given" if drop.reason is None else f"{drop.reason} {drop.text or ''}".rstrip()
        reasons[f"{short(words)} {place}"] += drop.count
    assert {" ".join(line.split()[1:]): int(line.split()[0]) for line in lines} == reasons


@pytest.mark.wireshark
@pytest.mark.parametrize("name", ["mix", "mix-unsorted"])
def test_latency_is_that_of_the_rows(asks: Callable[..., str], unpacked: Unpack, name: str) -> None:
    capture = unpacked(name)
    said = {one.frame: one for one in pywnv.annotate(capture)}
    steps, hops = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for one in said.values():
        if one.hop_delta is not None and one.previous and one.hop:
            steps[f"{said[one.previous].hop} > {one.hop}"].append(one.hop_delta)
            hops[one.hop].append(one.hop_delta)
    by_pair, by_hop = asks(capture, "latency").split("\n\n")
    for text, wanted in ((by_pair, steps), (by_hop, hops)):
        cells = {" ".join(line.split()[:-4]): line.split()[-4:] for line in text.splitlines()[1:]}
        assert list(cells) == list(wanted)
        for hop, times in wanted.items():
            count, middle, p99, largest = cells[hop]
            assert (int(count), float(largest)) == (len(times), pytest.approx(max(times) * 1e6, abs=0.06))
            assert float(middle) == pytest.approx(median(times) * 1e6, abs=0.06)
            assert float(p99) == pytest.approx(sorted(times)[-(len(times) // 100) - 1] * 1e6, abs=0.06)


@pytest.mark.wireshark
@pytest.mark.parametrize(
    ("name", "frames"),
    [("lbfo-tcp-loss", [8, 446, 449]), ("mix-unsorted", [1, 30]), ("deep-dive/acl-drop-pspkt", [1, 2])],
)
def test_path_is_that_of_explain(asks: Callable[..., str], unpacked: Unpack, name: str, frames: list[int]) -> None:
    capture = CAPTURES / f"{name}.pcapng" if "/" in name else unpacked(name)
    explained = ["\n".join(explain(capture, (frame,), pytest.fail)) + "\n" for frame in frames]
    wanted = [text[text.rindex("\n\nPacket ") + 2 :] for text in explained]
    assert [asks(capture, f"path,{frame}") for frame in frames] == wanted
    together = asks(capture, *(f"path,{frame}" for frame in frames))
    assert sorted(filter(None, together.splitlines())) == sorted(filter(None, "\n".join(wanted).splitlines()))
    assert all(len(line) <= WIDTH for line in together.splitlines())


LADDER = """
        us  1           2           3
       0.0  o           .           .            frame 8
       7.1  +---------->o           .            frame 9
       9.9  .           +---------->o            frame 10  checksum
         1  vport1
         2  team0
         3  pnic0
"""


@pytest.mark.wireshark
def test_the_ladder(asks: Callable[..., str], unpacked: Unpack) -> None:
    assert LADDER in asks(unpacked("lbfo-tcp-loss"), "path,8")


@every_runtime
def test_a_path_of_many_hops_fits_a_line(runtime: str) -> None:
    """The 24 places of a pktmon trace: drivers keep their edges apart, and the ladder has a lane for each."""
    names = lua(runtime).table_from({b"verdict": lua(runtime).table_from({0: b"original", 1: b"duplicate"})})
    path = report(runtime, "path", names, lay_out(runtime), module(runtime, "words"))
    drivers = [
        f"filter wfplwfs.sys {edge} on {adapter}"
        for adapter in ("Ethernet 2", "Team1", "vEthernet (Management)", "Ethernet (dock)")
        for edge in ("Lower", "Upper")
    ]
    hops = [*drivers, *(f"vmNIC {number}" for number in range(16))]
    for number, hop in enumerate(hops, 1):
        again = {"hop_delta": 1.0, "hop_elapsed": number - 1.0, "rewritten": "mac", "rule": "same_identity"}
        path[b"row"](
            number, table(runtime, {"verdict": min(number - 1, 1), "hop": hop} | (again if number > 1 else {}))
        )
    lines = path[b"total"]().decode().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line[7:28].split(" on ")[0][-5:] for line in lines[1:9]] == ["Lower", "Upper"] * 4
    at = lines.index("        us  " + " ".join(str(number % 10) for number in range(1, 25)))
    assert lines[at - 1].split() == ["1"] * 10 + ["2"] * 5
    assert lines[at + 24] == f"{23e6:10.1f}  {'. ' * 22}+>o  frame 24"


@pytest.mark.wireshark
def test_path_of_a_packet_with_events(asks: Callable[..., str]) -> None:
    """The drop that an event tells of stands beside the packet just before it, and an event leads there."""
    capture = DEEP_DIVE / "acl-drop-etl2pcapng.pcapng"
    path = asks(capture, "path,1")
    assert path.splitlines()[0] == "Packet 1"
    assert "path: Ethernet (ifIndex 8) > vSwitch docked uplink\n" in path
    assert "\n5 NBL destined to Nic (Friendly Name: Network Adapter) was dropped" in path
    assert max(map(len, path.splitlines())) <= WIDTH
    of_event = asks(capture, "path,5")
    assert of_event.startswith("Frame 5 is an event: NBL destined to Nic")
    assert max(map(len, of_event.splitlines())) <= WIDTH
    assert of_event.endswith(path)


@pytest.mark.wireshark
def test_hostile_names(asks: Callable[..., str], tmp_path: Path) -> None:
    """Whatever interfaces are called, a table is a table, and a report ends no line of its own."""
    capture = tmp_path / "hostile.pcapng"
    names = ["%s%d%1", ")(", 'a"b\\n', "x\ny\x1b[31m", "名前" * 30, "%"]
    frames = [ng.packet(at, 10**15 + at, ng.ethernet()) for at in range(len(names))]
    capture.write_bytes(ng.section() + b"".join(map(ng.interface, names)) + b"".join(frames))
    text = asks(capture, "summary", "latency", "path,1", "drops")
    assert "\x1b" not in text
    table, ladder, way = asks(capture, "path,1").split("\n\n")
    assert len(table.splitlines()) == 2 + len(names)
    assert len(ladder.splitlines()) == 1 + 2 * len(names)
    assert way.startswith("path: ")
    assert len(asks(capture, "latency").splitlines()) == 2 * len(names) + 1
    assert "%s%d%1 > )(" in text


@pytest.mark.wireshark
def test_wrong_questions(unpacked: Unpack, config: Path) -> None:
    """One line on stderr, and nothing on stdout."""
    where = ": needs a frame number from 1 to 2422, as in -z wnv,path,1\n"
    for question, words in (
        ("wnv,path", where),
        ("wnv,path,0", where),
        ("wnv,path,2423", where),
        ("wnv,path,x", where),
        ("wnv,summary,7", ": takes no further argument\n"),
    ):
        run = subprocess.run(
            ["tshark", "-n", "-q", "-r", unpacked("mix"), "-z", question],
            env=os.environ | {"WIRESHARK_CONFIG_DIR": str(config)},
            capture_output=True,
            text=True,
        )
        assert run.stdout == ""
        assert run.stderr.removeprefix('Running as user "root" and group "root". This could be dangerous.\n') == (
            f"-z {question}{words}"
        )


@pytest.mark.wireshark
def test_where_nothing_is_marked(asks: Callable[..., str], unpacked: Unpack) -> None:
    off = ("-o", "wnv.enabled:FALSE")
    said = asks(unpacked("udpsame"), "summary", "latency", "drops", "path,1", options=off).splitlines()
    assert [line[:23] for line in said if line] == ["No frame has a mark: is"] * 4


@pytest.mark.wireshark
def test_the_page_of_the_docs_shows_it(asks: Callable[..., str], unpacked: Unpack) -> None:
    page = (PROJECT / "docs/wireshark.md").read_text("utf-8")
    table = asks(unpacked("lbfo-tcp-loss"), "latency")
    assert "".join(f"    {line}".rstrip() + "\n" for line in table.splitlines()) in page
    plugin = plugin_lua()
    for title in MENU:
        assert f"| {title} | " in page
        assert f'"{title}"' in plugin
    for name in ("enabled", "window_us", "expert", "slow_us"):
        assert f"| `wnv.{name}` | " in page
        assert f"wnv.prefs.{name} = " in plugin


@pytest.mark.wireshark
def test_nothing_is_said_unasked(unpacked: Unpack, config: Path) -> None:
    assert run_wireshark(["tshark", "-n", "-q", "-r", unpacked("mix")], config) == ""
    assert run_wireshark(["tshark", "-n", "-r", unpacked("mix"), "-Y", "frame.number > 9999"], config) == ""


def shown(capture: Path, config: Path, display_filter: str, *options: str) -> tuple[list[str], Counter[str]]:
    """Which frames a filter shows; what `-z expert` tells of us in all frames: how often, by text."""
    fields = ("-T", "fields", "-e", "frame.number", "-z", "expert")
    text = run_wireshark(["tshark", "-n", "-r", capture, *options, "-Y", display_filter, *fields], config)
    lines = [line.split(maxsplit=3) for line in text.splitlines()]
    told = Counter[str]()
    for line in lines:
        if line[2:3] == ["WNV"]:
            told[line[3]] += int(line[0])
    return [line[0] for line in itertools.takewhile(len, lines)], told


@pytest.mark.slow
@pytest.mark.wireshark
@pytest.mark.parametrize(
    ("name", "kind", "means", "options"),
    [
        ("deep-dive/acl-drop-pspkt", "drop", "wnv.drop", ()),
        ("deep-dive/acl-drop-etl2pcapng", "drop", "wnv.drop", ()),
        ("lbfo-tcp-wiredup", "repeat", 'wnv.verdict == "repeat"', ()),
        ("mix", "slow", "wnv.hop.delta > 0.00003", ("-o", "wnv.slow_us:30")),
    ],
)
def test_expert_information(
    unpacked: Unpack, config: Path, name: str, kind: str, means: str, options: tuple[str, ...]
) -> None:
    capture = CAPTURES / f"{name}.pcapng" if "/" in name else unpacked(name)
    start = {"drop": "Dropped", "repeat": "Repeat", "slow": "Slow hop"}[kind]
    wanted, _ = shown(capture, config, means)
    assert wanted
    frames, told = shown(capture, config, f"wnv.expert.{kind}", *options)
    assert frames == wanted
    assert sum(count for words, count in told.items() if words.startswith(start)) == len(wanted)
    assert shown(capture, config, f"wnv.expert.{kind}", *options, "-o", "wnv.expert:FALSE") == ([], Counter())
