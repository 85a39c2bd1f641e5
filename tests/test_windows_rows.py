"""What the tools of Windows leave, as rows and in Wireshark: places, notes, drops and events; both engines agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import deep_dive
import pytest
import windows_events as made
from conftest import run_wireshark
from rows_of import annotated
from test_deep_dive import CONTOSO, capture

from pywnv.annotate.rows import Engine
from pywnv.host.loading import load
from pywnv.tables import fields

Row = dict[str, object]
Tshark = Callable[..., list[list[str]]]

MARKS = ["frame.number", *(field.abbreviation for field in fields.FIELDS)]
ENGINES = [Engine.LUPA, pytest.param(Engine.TSHARK, marks=pytest.mark.wireshark)]
DEEP_DIVE = ("bing-etl2pcapng", "arin-etwdump", "vlan-drop-pspkt", "acl-drop-pktmon", "lbfo-psping-etl2pcapng")


@pytest.fixture
def path(tmp_path: Path) -> Callable[[str], Path]:
    """The path of a capture, by its name in `windows_events.CAPTURES` or among the deep dives."""

    def find(name: str) -> Path:
        if name not in made.CAPTURES:
            return capture(name)
        file = tmp_path / f"{name}.pcapng"
        file.write_bytes(made.CAPTURES[name])
        return file

    return find


def some(row: Row, *columns: str) -> tuple[object, ...]:
    return tuple(row[column] for column in columns)


@pytest.mark.wireshark
@pytest.mark.parametrize("name", made.CAPTURES)
def test_both_engines_say_the_same(path: Callable[[str], Path], name: str) -> None:
    by_lupa, by_tshark = (annotated(path(name), engine) for engine in (Engine.LUPA, Engine.TSHARK))
    for row in by_lupa + by_tshark:
        if row["packet"] is None and row["verdict"] is None:
            row["interface"] = row["time"] = None  # of custom blocks, Wireshark 4.6 shows those of the frame before
    assert by_tshark == by_lupa


@pytest.mark.wireshark
@pytest.mark.parametrize("name", [*made.CAPTURES, *DEEP_DIVE])
def test_passes_agree(tshark: Tshark, path: Callable[[str], Path], name: str) -> None:
    once = tshark(path(name), MARKS)
    for options in ([], ["-R", "frame"]):
        assert tshark(path(name), MARKS, "-2", *options) == once, options


@pytest.mark.slow
@pytest.mark.wireshark
@pytest.mark.parametrize("name", ["bing-etl2pcapng", "arin-etl2pcapng", "vlan-drop-pspkt"])
@pytest.mark.parametrize("read_filter", ["frame.number != 3", "!(frame.interface_id == 1)", "!systemd_journal", "icmp"])
def test_a_read_filter_leaves_no_trace(
    tshark: Tshark, path: Callable[[str], Path], tmp_path: Path, name: str, read_filter: str
) -> None:
    """As if the capture held the rest alone: names of hops, events near packets, and MACs that were learned, too."""
    if "frame.number" in read_filter:
        read_filter = "!(ip.id == 0x3a01)"
    alone = tmp_path / "alone.pcapng"
    with alone.open("wb") as out:  # tshark may run as nobody
        out.write(_kept(path(name), tshark(path(name), ["frame.number"], "-Y", read_filter)))
    rest = tshark(alone, MARKS)
    assert rest
    assert tshark(path(name), MARKS, "-2", "-R", read_filter) == rest


def _kept(file: Path, numbers: list[list[str]]) -> bytes:
    """A capture with some of its frames; what tshark 4.0 writes lacks journal entries and drops."""
    wanted, number, parts = {int(row[0]) for row in numbers}, 0, []
    for block in made.ng.blocks(file.read_bytes()):
        is_frame = block.kind in (made.ng.PACKET, made.ng.JOURNAL)
        number += is_frame
        if not is_frame or number in wanted:
            parts.append(block.data)
    return b"".join(parts)


@pytest.mark.parametrize("engine", ENGINES)
def test_journal_entries(path: Callable[[str], Path], engine: Engine) -> None:
    found = annotated(path("odd-events"), engine)
    columns = ("verdict", "event", "event_nic", "event_switch", "event_near", "drop", "drop_reason", "drop_reason_text")
    text34 = "Packet does not match destination NIC packet filter"
    events = {row["frame"]: some(row, *columns) for row in found if row["verdict"] == "event"}
    assert events == {
        1: ("event", "received", "wireless", "wireless", None, None, None, None),
        3: ("event", "dropped", "wireless", "wireless", 2, True, 34, text34),
        5: ("event", "dropped", "Network Adapter", "docked", 4, True, 12, "Failed security policy"),
        6: ("event", "routed", "wireless", "wireless", None, None, None, None),  # 1.001 ms behind
        7: ("event", None, "\u65e0\u7ebf", "s", None, None, None, None),
        10: ("event", "received", "a", "b", None, None, None, None),
        11: ("event", "dropped", "a", "b", None, True, None, "never heard of"),
        12: ("event", "dropped", "a", "b", None, True, None, None),
        13: ("event", "received", "wireless", "wireless", None, None, None, None),
        14: ("event", "received", "wireless", "wireless", None, None, None, None),
    }
    assert "Get-VMSwitchExtension" in str(found[11]["drop_advice"])
    packets = [row for row in found if row["packet"]]
    assert [row["frame"] for row in packets] == [2, 4, 17]
    assert {row["verdict"] for row in packets} == {"original"}
    others = [row for row in found if not row["packet"] and not row["verdict"]]
    for row in others:
        assert [
            value for column, value in row.items() if column not in fields.FRAME_COLUMNS and value is not None
        ] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_etw_records(path: Callable[[str], Path], engine: Engine) -> None:
    found = annotated(path("etw"), engine)
    columns = ("event", "event_nic", "event_destination_nic", "event_switch", "drop_reason")
    assert [some(row, *columns) for row in found if row["verdict"] == "event"] == [
        ("received", "wireless", None, "wireless", None),
        ("routed", "wireless", "Microsoft Network Adapter Multiplexor Driver", "wireless", None),
        ("routed", "left", "right", "middle", None),
        ("routed", "left", "right", "middle", None),
        (None, "\u65e0\u7ebf", None, "s", None),
        ("dropped", "nic", None, "sw", 12),
    ]
    assert [row["frame"] for row in found if row["packet"]] == [1, 12]
    assert {row["event_near"] for row in found if row["verdict"] == "event"} == {1}


@pytest.mark.wireshark
def test_events_in_files_of_netmon(tshark: Tshark, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "capture.cap"
    file.write_bytes(made.netmon_file())
    names = ["frame.number", "wnv.packet", "wnv.event", "wnv.event.nic", "wnv.event.destination_nic", "wnv.event.near"]
    found = tshark(file, [*names, "wnv.drop.reason"])
    assert found == [
        ["1", "", "1", "wireless", "", "", ""],
        ["2", "2", "", "", "", "", ""],
        ["3", "", "2", "left", "right", "2", ""],
        ["4", "4", "", "", "", "", ""],
        ["5", "5", "", "", "", "", ""],
        ["6", "", "4", "nic", "", "5", "12"],
        ["7", "", "", "", "", "", ""],
        ["8", "", "", "", "", "", ""],
        ["9", "", "", "", "", "", ""],
    ]
    assert tshark(file, [*names, "wnv.drop.reason"], "-2", "-R", "frame") == found
    text = run_wireshark(["tshark", "-n", "-r", file, "-Y", "wnv.event"], config)
    shown = [
        " ".join(line.partition("Microsoft_Windows_Hyper_V_VmSwitch ")[2].split()[1:]) for line in text.splitlines()
    ]
    assert shown == [
        "NBL received from Nic (Friendly Name: wireless) in switch (Friendly Name: switch)",
        "NBL routed from Nic (Friendly Name: left) to Nic (Friendly Name: right) on switch (Friendly Name: middle)",
        "[dropped: Failed security policy] "
        "NBL of Nic (Friendly Name: nic) was dropped in switch (Friendly Name: sw), Reason Failed security policy",
    ]
    assert [row["verdict"] for row in annotated(file, Engine.TSHARK)][2] == "event"


@pytest.mark.parametrize("engine", ENGINES)
def test_notes(path: Callable[[str], Path], engine: Engine) -> None:
    host, at_port = annotated(path("bing-etl2pcapng"), engine)[0:3:2]
    columns = ("hop", "hop_role", "vlan", "port", "nic", "nic_type", "pid")
    assert some(host, *columns) == ("Ethernet (ifIndex 21)", "unknown", None, None, None, None, 6204)
    nic = deep_dive.HOST_NIC
    assert some(at_port, *columns) == ("host vNIC wireless", "host vNIC", 0, 2, nic, "Internal", 6204)


@pytest.mark.parametrize("engine", ENGINES)
def test_notes_that_come_late(path: Callable[[str], Path], engine: Engine) -> None:
    assert {row["pid"] for row in annotated(path("late-notes"), engine)} == {None}
    assert [row["frame"] for row in annotated(path("late-drops"), engine) if row["drop"]] == [1002]


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_texts_stay_texts(path: Callable[[str], Path], engine: Engine) -> None:
    found = annotated(path("hostile"), engine)
    assert some(found[0], "hop", "nic") == (f"{made.ODD}", made.ODD)
    assert found[1]["hop"] == f"vmNIC {made.ODD}"
    assert found[-6]["event_nic"] == found[-6]["event_switch"] == made.ODD
    for row in found:
        for value in row.values():
            assert not isinstance(value, str) or value.isprintable()


@pytest.mark.wireshark
def test_the_tree_reads_top_down(path: Callable[[str], Path], config: Path) -> None:
    """What, where, how long, why."""
    plugin = config / "plugins" / "wnv.lua"
    from pywnv.generate.plugin import plugin_lua

    plugin.write_text(plugin_lua(load(CONTOSO)), "utf-8")
    text = run_wireshark(["tshark", "-n", "-r", path("vlan-drop-pspkt"), "-V", "-Y", "frame.number == 3"], config)
    lines = text[text.rindex("Windows Network Virtualization") :].splitlines()
    titles = [fields.BY_COLUMN[column].title for column in fields.TREE]
    names = [line.strip().partition(":")[0].partition(" [")[0] for line in lines if line[4:5].isalpha()]
    assert [name for name in names if name in titles] == [title for title in titles if title in names]
    assert "    Drop reason: Packet does not match destination NIC packet filter (34)" in lines
    assert "    Drop location: 3758104606 (0xe000201e)" in lines
    assert "    Hop: host vNIC vEthernet (wireless) Egress" in lines
    assert "        Untagged packets belong to the native VLAN, 0 by default; another one needs trunk mode." in lines


def test_the_tree_shows_every_field() -> None:
    assert sorted(fields.TREE) == sorted(fields.BY_COLUMN)
