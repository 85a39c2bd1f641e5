"""The profiles in the real tshark: columns, colours and filters as they will be seen."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pcapng_blocks as ng
import pytest
from conftest import PROJECT, run_wireshark
from engine import TCP
from hard_traffic import ACK, PSH, ip4, segment

from pywnv.annotate.rows import Format, rows
from pywnv.generate.profiles import (
    DROPS_PROFILE,
    INFO,
    LBFO,
    NO_DUPLICATE,
    PROFILES,
    TCP_TROUBLE,
    WNV,
    Profile,
    profile_texts,
)
from pywnv.tables.fields import BY_COLUMN, LIST

Unpack = Callable[[str], Path]

every_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


def filters(profile: Profile) -> Iterator[str]:
    """Every display filter that a profile ships."""
    yield from (rule.filter for rule in profile.rules)
    yield from (button.filter for button in profile.buttons)
    yield from (
        macro.filter.replace("$1", "1" if "contains" not in macro.filter else '"x"') for macro in profile.macros
    )
    yield from (graph.filter for graph in profile.graphs)
    if profile.switch:
        yield profile.switch


@pytest.mark.parametrize(
    ("profile", "room", "characters"),
    [(DROPS_PROFILE, 1280, 30), (WNV, 1350, 40), (LBFO, 1350, 40)],  # 1350: in a window of 1400 pixels
)
def test_info_has_its_place(profile: Profile, room: int, characters: int) -> None:
    """Beside the reason of a drop, or for the mark that begins with it."""
    others = sum(column.width for column in profile.columns if not column.hidden and column != INFO)
    assert others + characters * 7.8 <= room


def test_a_narrow_window_shows_why_packets_were_dropped() -> None:
    """One of 1024 pixels, in the profile that is for drops: all columns up to the reason."""
    titles = [column.title for column in DROPS_PROFILE.columns]
    assert sum(column.width for column in DROPS_PROFILE.columns[: titles.index("Why dropped") + 1]) <= 1024 - 50


@pytest.mark.wireshark
@every_profile
def test_every_filter_is_accepted(config: Path, profile: Profile) -> None:
    asked = list(filters(profile))
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": "check", "params": {"filter": text}})
        for number, text in enumerate(asked, 1)
    ]
    answers = run_wireshark(["sharkd", "-"], config, stdin="".join(line + "\n" for line in lines))
    found = {reply["id"]: reply.get("result") for reply in map(json.loads, answers.splitlines())}
    refused = [text for number, text in enumerate(asked, 1) if found[number] != {"status": "OK"}]
    assert not refused


@pytest.mark.slow
@pytest.mark.wireshark
@every_profile
def test_a_profile_is_taken_without_a_word(unpacked: Unpack, config: Path, profile: Profile) -> None:
    """No preference, column or colour rule is refused: stderr stays empty."""
    command = ["tshark", "-C", profile.name, "--color", "-n", "-r", unpacked("mix"), "-c", "9"]
    text = run_wireshark([*command, "-T", "fields", "-e", "frame.coloring_rule.name"], config)
    assert len(text.splitlines()) == 9
    formats = [column.format.split(":")[1] for column in profile.columns if ":" in column.format]
    fields = [field for text in formats for field in text.split(" or ")]
    fields += [graph.field for graph in profile.graphs if graph.field]
    run_wireshark([*command, "-T", "fields", *(part for field in fields for part in ("-e", field))], config)


@pytest.mark.wireshark
def test_deinterlacing_is_taken_where_it_is_known(unpacked: Unpack, config: Path) -> None:
    """From 4.4 on TCP analysis itself takes no copy for a retransmission; 4.0 would warn of the unknown preference."""
    for name, text in profile_texts(deinterlace=True).items():
        (config / "profiles" / name).write_text(text, "utf-8")
    command = ["tshark", "-C", "WNV", "-n", "-r", unpacked("lbfo-tcp"), "-Y", "tcp.analysis.retransmission"]
    run = subprocess.run(
        command, env=os.environ | {"WIRESHARK_CONFIG_DIR": str(config)}, capture_output=True, text=True
    )
    # Wireshark 4.6.9's iPerf3 dissector stumbles over it, on the lab's port.
    words = [line for line in run.stderr.splitlines() if "iPerf3" not in line and "Running as user" not in line]
    if subprocess.run(["tshark", "--version"], capture_output=True, text=True).stdout.split()[2] < "4.4":
        assert any("No such preference" in line for line in words)
    else:
        assert (words, run.stdout) == ([], "")


@pytest.mark.wireshark
def test_columns(unpacked: Unpack, config: Path) -> None:
    text = run_wireshark(["tshark", "-C", "WNV", "-n", "-r", unpacked("mix"), "-c", "4"], config)
    last = text.splitlines()[-1].split()
    assert last[2:4] == ["1", "pnic0"]
    assert [word for word in last[4:7] if word != "us"][:2] == ["3.5", "duplicate"]  # 4.0 leaves out the unit


@pytest.mark.wireshark
def test_colours(unpacked: Unpack, config: Path) -> None:
    """Each frame gets the rule that it should."""
    command = ["tshark", "-C", "WNV", "--color", "-n", "-r", unpacked("lbfo-tcp-wiredup"), "-T", "fields"]
    text = run_wireshark([*command, "-e", "wnv.duplicate", "-e", "frame.coloring_rule.name"], config)
    rules = Counter((bool(mark), rule) for mark, rule in (line.split("\t") for line in text.split("\n")[:-1]))
    assert rules[True, "WNV duplicate"] == 1817
    assert {rule for duplicate, rule in rules if duplicate} == {"WNV duplicate"}
    assert rules[False, "WNV repeat"] > 0
    assert rules[False, "WNV first"] > 500
    assert rules[False, ""] == 0


@pytest.mark.wireshark
@pytest.mark.parametrize(
    "label", ["One per packet", "Real TCP trouble", "All"]
)  # the lab saw no drops and no slow hops; what asks for the selected frame is pressed in test_window
def test_buttons(unpacked: Unpack, config: Path, label: str) -> None:
    button = next(button for button in WNV.buttons if button.label == label)
    shown = run_wireshark(["tshark", "-n", "-r", unpacked("lbfo-tcp-loss"), "-Y", button.filter], config)
    assert 0 < len(shown.splitlines()) < (2933 if label == "All" else 2932)


@pytest.mark.slow
@pytest.mark.wireshark
@pytest.mark.parametrize(
    ("call", "meaning"),
    [
        ("${wnv_packet:8}", "wnv.packet == 8"),
        ('${wnv_at:"pnic"}', 'wnv.hop contains "pnic"'),
        ("${wnv_slower:0.00001}", "wnv.hop.delta > 0.00001"),
        ("${wnv_reason:9}", "wnv.drop.reason == 9"),
    ],
)
def test_macros(unpacked: Unpack, config: Path, call: str, meaning: str) -> None:
    command = ["tshark", "-C", "WNV", "-n", "-r", unpacked("mix"), "-c", "200", "-Y"]
    assert run_wireshark([*command, call], config) == run_wireshark([*command, meaning], config)
    assert {call.partition(":")[0][2:] for call in ("${wnv_packet:8}", call)} <= {macro.name for macro in WNV.macros}


@pytest.mark.wireshark
def test_an_annotated_file_without_the_plugin(unpacked: Unpack, config: Path, tmp_path: Path) -> None:
    """The comments alone give colours, and no rule is refused where `wnv` is unknown."""
    (config / "plugins/wnv.lua").unlink()
    capture = tmp_path / "annotated.pcapng"
    capture.write_bytes(b"".join(rows(unpacked("mix"), output_format=Format.PCAPNG)))
    command = ["tshark", "-C", "WNV annotated", "--color", "-n", "-r", capture, "-c", "3"]
    text = run_wireshark([*command, "-T", "fields", "-e", "frame.coloring_rule.name"], config)
    assert text.split("\n")[:3] == ["WNV first", "WNV duplicate", "WNV duplicate"]


@pytest.mark.wireshark
@pytest.mark.parametrize("name", ["lbfo-tcp", "lbfo-tcp-loss", "v6-loss"])
def test_real_tcp_trouble_is_that_of_a_single_tap(unpacked: Unpack, config: Path, name: str, tmp_path: Path) -> None:
    """The copies raise no alarm, and hide none: the same packets as where one hop alone was captured."""

    def values(path: Path, display_filter: str, field: str, config: Path | None = None) -> list[str]:
        command = ["tshark", "-n", "-r", path, "-Y", display_filter, "-T", "fields", "-e", field]
        return run_wireshark(command, config).splitlines()

    capture, hop = unpacked(name), tmp_path / "pnic0.pcapng"
    hop.write_bytes(_only(capture, "pnic0"))
    packets = values(capture, "frame.interface_name == pnic0", "wnv.packet", config)
    alone = values(hop, TCP_TROUBLE.replace(f" && {NO_DUPLICATE}", ""), "frame.number")
    shown = values(capture, TCP_TROUBLE, "wnv.packet", config)
    assert sorted(shown) == sorted(packets[int(number) - 1] for number in alone)
    assert len(values(capture, "tcp.analysis.flags", "frame.number")) > 10 * len(alone) > 0


@pytest.mark.wireshark
def test_an_ack_of_what_the_file_shows_later_is_no_trouble(config: Path, tmp_path: Path) -> None:
    """As at a NAT, where each hop is a flow of its own. What is sent again is trouble."""
    here, there = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    frames = [
        ip4(here, there, TCP, segment(50000, 443, 100, 200, PSH | ACK, b"x" * 10), ident=1),
        ip4(there, here, TCP, segment(443, 50000, 200, 110, ACK), ident=1),
        ip4(there, here, TCP, segment(443, 50000, 200, 120, ACK), ident=2),  # of the next, which is late
        ip4(here, there, TCP, segment(50000, 443, 110, 200, PSH | ACK, b"y" * 10), ident=2),
        ip4(here, there, TCP, segment(50000, 443, 110, 300, PSH | ACK, b"y" * 10), ident=3),  # again
    ]
    path = tmp_path / "late.pcap"
    path.write_bytes(ng.pcap([(1, at * 1000, ng.ethernet(frame)) for at, frame in enumerate(frames)]))
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number", "-Y"]
    assert "3" in run_wireshark([*command, "tcp.analysis.ack_lost_segment"], config).split()
    shown = run_wireshark([*command, TCP_TROUBLE], config).split()
    assert "3" not in shown
    assert "5" in shown


def _only(capture: Path, hop: str) -> bytes:
    command = ["tshark", "-n", "-r", capture, "-Y", f"frame.interface_name == {hop}", "-w", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@every_profile
def test_texts_need_no_quoting(profile: Profile) -> None:
    """What would break the lines of Wireshark's files does not occur in them."""
    for rule in profile.rules:
        assert "@" not in rule.name + rule.filter
    for button in profile.buttons:
        assert '"' not in button.label + button.help
    for macro in profile.macros:
        assert '"' not in macro.filter
    for graph in profile.graphs:
        assert '"' not in graph.name + graph.filter
    assert "ignore_dup_frames" not in "".join(profile_texts(deinterlace=True).values())  # it would hide frames from us


@every_profile
def test_fields_of_ours_exist(profile: Profile) -> None:
    for column in profile.columns:
        if "wnv." in column.format:
            for field in column.format.split(":")[1].split(" or "):
                name = field.removeprefix("wnv.")
                assert name.replace(".", "_") in BY_COLUMN or name in {one.name for one in LIST}


@every_profile
def test_the_page_of_the_docs_knows_it(profile: Profile) -> None:
    page = (PROJECT / "docs/profiles.md").read_text("utf-8")
    assert f"| `{profile.name}` | {profile.purpose} |" in page
    for button in profile.buttons:
        assert f"| {button.label} | " in page
    for macro in profile.macros:
        assert f"${{{macro.name}:" in page
