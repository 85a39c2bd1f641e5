"""The plugin on annotated captures: it shows what their comments say, and believes no comment that lies."""

from __future__ import annotations

import csv
import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pcapng_blocks as ng
import pytest
from conftest import CAPTURES, run_wireshark
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import RUNTIMES, lua, module
from test_deep_dive import capture as deep_dive
from test_windows_rows import DEEP_DIVE

from pywnv.annotate.rows import Format, rows
from pywnv.host.loading import load
from pywnv.lua import lua_text
from pywnv.tables import fields
from pywnv.wireshark.tshark import plain_text

pytestmark = pytest.mark.wireshark

FIELDS = [field.abbreviation for field in fields.FIELDS]
MARKS = ["frame.number", *FIELDS]
LAB = ("mix", "vlan-loss")
TRACES = tuple(name for name in DEEP_DIVE if name.startswith(("vlan-drop", "lbfo", "acl-drop")))
TICK = ng.SECONDS * 10**6
ANEW = ("-o", "wnv.decide_anew:TRUE")

Tshark = Callable[..., list[list[str]]]
Unpack = Callable[[str], Path]


def annotated(capture: Path, out: Path, host: Path | None = None) -> Path:
    known = load(host) if host else None
    out.write_bytes(b"".join(rows(capture, output_format=Format.PCAPNG, topology=known)))
    return out


def said(capture: Path, host: Path | None = None) -> list[dict[str, str]]:
    """The CSV rows, with numbers and truth as tshark shows them."""
    known = load(host) if host else None
    return list(csv.DictReader(b"".join(rows(capture, topology=known)).decode().splitlines()))


def as_row(shown: list[str]) -> dict[str, str]:
    """What tshark shows of a frame, as the CSV has it."""
    found = dict.fromkeys((field.column for field in fields.FIELDS), "")
    for field, value in zip(fields.FIELDS, shown, strict=True):
        if value and field.type is fields.Type.BOOL:
            found[field.column] = "true" if value in ("1", "True") else "false"
        elif value and field.names:
            found[field.column] = field.names[int(value)]
        else:
            found[field.column] = plain_text(value)
    if found["packet"]:
        found["duplicate"] = found["duplicate"] or "false"  # what is not so is not shown
    if found["drop"]:
        found["drop_harmless"] = found["drop_harmless"] or "false"
    return found


@pytest.mark.parametrize("name", [*LAB, *TRACES])
def test_what_was_annotated_with_a_host_is_shown_without_it(
    tshark: Tshark, unpacked: Unpack, tmp_path: Path, name: str
) -> None:
    if name in LAB:
        capture, host = unpacked(name), CAPTURES / "lab.toml"
    else:
        capture = deep_dive(name)
        host = capture.with_name(("lbfo-psping" if "lbfo" in name else "contoso01") + ".toml")
    shown = tshark(annotated(capture, tmp_path / "annotated.pcapng", host), FIELDS)
    wanted = said(capture, host)
    assert len(shown) == len(wanted)
    for found, row in zip(shown, wanted, strict=True):
        assert as_row(found) == {column: row[column] for column in as_row(found)}
    if name == "mix":
        assert {row["hop"] for row in wanted} != {row["hop"] for row in said(capture)}


# Packet ids of a tool, equal for a packet or not; segments, coalesced frames, drops with rebuilt headers.
KINDS = ("hard/pktmon_ids", "hard/unique_ids", "hard/lso", "lab2/rsc", "rules/drops-p24", "rules/journal-flood-n")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*KINDS, "several sections"])
def test_what_was_annotated_is_shown(tshark: Tshark, unpacked: Unpack, tmp_path: Path, name: str) -> None:
    capture = tmp_path / "capture.pcapng"
    if name in KINDS:
        capture.write_bytes(gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes()))
    else:
        capture.write_bytes(b"".join(unpacked(each).read_bytes() for each in ("mix", "v6-loss", "vlan-loss")))
    path = annotated(capture, tmp_path / "annotated.pcapng")
    wanted = said(capture)
    for options in ((), ANEW):
        shown = tshark(path, FIELDS, *options)
        assert len(shown) == len(wanted)
        for found, row in zip(shown, wanted, strict=True):
            assert as_row(found) == {column: row[column] for column in as_row(found)}


def test_passes_agree(tshark: Tshark, unpacked: Unpack, tmp_path: Path) -> None:
    path = annotated(unpacked("mix"), tmp_path / "annotated.pcapng")
    once = tshark(path, MARKS)
    for options in ([], ["-R", "wnv.packet"]):
        assert tshark(path, MARKS, "-2", *options) == once, options
    assert once == tshark(unpacked("mix"), MARKS)


def test_decided_anew_the_hops_keep_their_names(tshark: Tshark, unpacked: Unpack, tmp_path: Path) -> None:
    capture, host = unpacked("mix"), CAPTURES / "lab.toml"
    path = annotated(capture, tmp_path / "annotated.pcapng", host)
    names = ["hop", "hop_role", "path", "packet", "previous", "rule"]
    wanted = [[row[name] for name in names] for row in said(capture, host)]
    assert [[row[name] for name in names] for row in said(path)] == wanted
    assert tshark(path, FIELDS, *ANEW) == tshark(path, FIELDS)


def test_a_capture_that_was_cut_or_merged_is_decided_anew(tshark: Tshark, unpacked: Unpack, tmp_path: Path) -> None:
    path = annotated(unpacked("mix"), tmp_path / "annotated.pcapng")
    plain, cut, merged = (tmp_path / f"{name}.pcapng" for name in ("plain", "cut", "merged"))
    subprocess.run(["editcap", "-r", unpacked("mix"), plain, "101-400"], check=True)
    subprocess.run(["editcap", "-r", path, cut, "101-400"], check=True)
    assert tshark(cut, MARKS) == tshark(plain, MARKS)
    subprocess.run(["mergecap", "-a", "-w", merged, path, plain], check=True)
    both = tshark(merged, MARKS)
    assert both[:2422] == tshark(path, MARKS)
    assert len(both) == 2722
    filtered = []
    for each in (path, unpacked("mix")):
        subprocess.run(["tshark", "-r", each, "-Y", "ip.proto == 6", "-w", merged], check=True, stderr=subprocess.PIPE)
        filtered.append(tshark(merged, MARKS))
    assert filtered[0] == filtered[1]
    first = [row[1] for row in both[2422:] if row[4] == ""]
    assert min(map(int, first)) > 2422  # nothing is joined with what was decided before


FRAMES = [(n % 2, TICK + n, ng.ethernet(ng.udp(b"%d" % (n // 2), n // 2))) for n in range(40)]


def told(comment: Callable[[int], bytes]) -> bytes:
    """A capture whose frames have comments, by their numbers."""
    start = ng.section() + ng.interface("a") + ng.interface("b")
    return start + b"".join(
        ng.packet(hop, time, data, options=ng.option(1, comment(number)) + ng.option(0, b""))
        for number, (hop, time, data) in enumerate(FRAMES, 1)
    )


def form(fields: str, words: str = "first seen") -> Callable[[int], bytes]:
    return lambda number: f"{words} (wnv frame={fields})".replace("#", str(number)).encode()


LIES = {
    "all claim frame 1": form('1 hop="x"'),
    "points forward": lambda number: b"duplicate of 99 (wnv frame=%d packet=%d)" % (number, number + 1),
    "previous forward": lambda number: b"d (wnv frame=%d packet=1 previous=%d appearance=3)" % (number, number + 1),
    "previous before the packet": form("# packet=9 previous=2 appearance=2"),
    "is its own duplicate": form("# packet=#"),
    "segment of a later one": form('# segment_of=99 hop="x"'),
    "no number": form('x hop="x"'),
    "twice": form('# hop="x" hop="y"'),
    "other order": form('# hop="x" path="x"'),
    "unknown": form('# colour="x"'),
    "a verdict that is none": form('# verdict=wonderful hop="x"'),
    "no packet": form('# packet= delta_ns=3 path="x"'),
    "no space": form('# packet=8delta_ns=3 path="x"'),
    "no quotes": form("# hop=x"),
    "open quotes": form('# hop="x'),
    "escape": form('# hop="x\\n"'),
    "control character": form('# hop="x\x1b[31m"'),
    "something behind": lambda number: b'first seen (wnv frame=%d hop="x") and more' % number,
    "no words": lambda number: b'(wnv frame=%d hop="x")' % number,
    "a number too large": form('# vlan=99999999999 hop="x"'),
    "long": lambda number: b'first seen (wnv frame=%d hop="%s' % (number, b"x" * 60000),
    "a packet id that is none": form('# hop="x" packet_id=kept'),
    "a packet id in capitals": form('# hop="x" packet_id=00000000000000AB'),
    "a packet id too long": form('# hop="x" packet_id=0000000000000000a'),
    "something behind the packet id": form('# packet_id=000000000000000a hop="x"'),
    "lua": form('# hop="]] os.execute("x") --"'),
    "an older form": lambda number: b'wnv packet=%d appearance=1 verdict=original hop="x"' % number,
}


def test_comments_that_lie_change_nothing(tshark: Tshark, tmp_path: Path) -> None:
    path = tmp_path / "told.pcapng"
    path.write_bytes(told(lambda _: b"mine"))
    wanted = tshark(path, MARKS)
    lies = list(LIES.values())
    path.write_bytes(told(lambda number: lies[number % len(lies)](number)))
    assert tshark(path, MARKS) == wanted
    path.write_bytes(told(LIES["all claim frame 1"]))
    assert tshark(path, ["wnv.packet", "wnv.duplicate_of"]) == [[row[1], row[4]] for row in wanted]


def test_a_packet_is_one_on_both_sides_of_a_cut(tshark: Tshark, tmp_path: Path) -> None:
    """Only the first frame's annotation is still true, and the engine joins what follows with it."""
    whole, cut = tmp_path / "whole.pcapng", tmp_path / "cut.pcapng"
    whole.write_bytes(told(lambda _: b"mine"))
    path = annotated(whole, tmp_path / "annotated.pcapng")
    marks = ["wnv.packet", "wnv.duplicate_of", "wnv.path"]
    for keep in (["1", "3-40"], ["1-39"], ["1-2", "4", "6-9"]):
        shown = []
        for each in (whole, path):
            subprocess.run(["editcap", "-r", each, cut, *keep], check=True)
            shown.append(tshark(cut, marks))
        assert shown[0] == shown[1], keep


def test_frames_without_an_annotation_among_others(tshark: Tshark, unpacked: Unpack, tmp_path: Path) -> None:
    """As where comments were edited: the engine must have seen the other frames, too, or takes sightings for new."""
    plain = unpacked("mix")
    path = annotated(plain, tmp_path / "annotated.pcapng")
    bare = iter([block.data for block in ng.blocks(plain.read_bytes()) if block.kind == ng.PACKET])
    made = b""
    for number, block in enumerate(ng.blocks(path.read_bytes())):
        data = next(bare) if block.kind == ng.PACKET else block.data
        made += data if number % 7 == 0 else block.data
    path.write_bytes(made)
    assert tshark(path, MARKS) == tshark(plain, MARKS)


def test_frames_without_an_annotation_behind_many_that_have_one(
    tshark: Tshark, unpacked: Unpack, tmp_path: Path
) -> None:
    """The engine has not seen what is before: what it might take for another packet gets no mark, the rest its own."""
    plain = unpacked("v6-loss")
    path = annotated(plain, tmp_path / "annotated.pcapng")
    bare = [block.data for block in ng.blocks(plain.read_bytes()) if block.kind == ng.PACKET]
    begin = 1200  # the last sighting of a packet that is then sent again
    made, number = b"", 0
    for block in ng.blocks(path.read_bytes()):
        number += block.kind == ng.PACKET
        made += bare[number - 1] if block.kind == ng.PACKET and number >= begin else block.data
    path.write_bytes(made)
    marks = ["frame.time_relative", "wnv.packet", "wnv.verdict"]
    wanted, shown = tshark(plain, marks), tshark(path, marks)
    start = float(wanted[begin - 1][0])
    near = [at for at, row in enumerate(wanted) if at >= begin - 1 and float(row[0]) < start + 0.2]
    assert near
    assert all(shown[at][1:] == ["", ""] for at in near)
    assert [row for at, row in enumerate(shown) if at not in near] == [
        row for at, row in enumerate(wanted) if at not in near
    ]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_not_in_form_says_nothing(runtime: str) -> None:
    read = module(runtime, "annotation")[b"reader"](True)
    assert {name for name, lie in LIES.items() if read(lie(20))} == {"all claim frame 1"}
    said = read(form('# hop="x" packet_id=00000000000000ab')(20))
    assert (said[b"frame"], said[b"shared"][b"hop"], said[b"tool_id"]) == (20, b"x", b"00000000000000ab")
    said = read(form('# hop="x"')(20))
    assert (said[b"frame"], said[b"tool_id"]) == (20, None)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_is_left_of_the_comment_before(runtime: str) -> None:
    read = module(runtime, "annotation")[b"reader"](True)
    names = ("packet", "previous", "appearance", "hop_delta", "hop_elapsed", "segment_of", "repeat_of", "event_near")
    forms: dict[str, tuple[float | None, ...]] = {
        'hop="x"': (20, None, None, None, None, None, None, None),
        'packet=8 delta_ns=3000 path="x"': (8, 8, 2, 3e-6, 3e-6, None, None, None),
        'packet=8 delta_ns=3000 elapsed_ns=5000 path="x"': (8, 8, 2, 3e-6, 5e-6, None, None, None),
        'packet=8 previous=9 appearance=3 delta_ns=-1000 elapsed_ns=0 path="x"': (8, 9, 3, -1e-6, 0, None, None, None),
        'packet=8 delta_ns=0 segment_of=7 repeat_of=6 path="x"': (8, 8, 2, 0, 0, 7, 6, None),
        'packet=8 previous=9 appearance=3 path="x"': (8, 9, 3, None, None, None, None, None),
        'repeat_of=6 verdict=repeat hop="x"': (20, None, None, None, None, None, 6, None),
        "event_near=4 verdict=event event=routed": (None, None, None, None, None, None, None, 4),
    }
    for first in forms:
        for text, wanted in forms.items():
            assert read(form(f"# {first}")(20))
            found = read(form(f"# {text}")(20))
            assert tuple(found[name.encode()] for name in names) == wanted, (first, text)
    for delta in (10**15, -(10**15)):  # longer than a double holds exactly
        assert not read(form(f'# packet=8 delta_ns={delta} path="x"')(20))
        assert not read(form(f'# delta_ns={delta} hop="x"')(20))


@given(st.binary(max_size=200), st.sampled_from(RUNTIMES))
@settings(max_examples=200, deadline=None)
def test_any_bytes(data: bytes, runtime: str) -> None:
    read = module(runtime, "annotation")[b"reader"](True)
    for comment in (data, b"x (wnv frame=" + data + b")", b'x (wnv frame=9 hop="' + data + b'")'):
        if said := read(comment):
            assert said[b"frame"] >= (said[b"packet"] or 0)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_megabytes_of_different_comments_are_not_kept(runtime: str) -> None:
    read = module(runtime, "annotation")[b"reader"](True)
    known = [bool(read(b'x (wnv frame=1 path="%d%s" hop="a")' % (number, b"x" * 60_000))) for number in range(700)]
    assert known[0]
    assert not known[-1]
    assert sum(known) * 60_000 < 40 * 1024 * 1024


def test_comments_in_form_are_believed(tshark: Tshark, tmp_path: Path) -> None:
    path = tmp_path / "told.pcapng"
    path.write_bytes(told(form('# hop="vmNIC ]] \\"x\\" --" drop_reason=34')))
    shown = tshark(path, ["wnv.packet", "wnv.hop", "wnv.hop.role", "wnv.drop.reason.text", "wnv.duplicate"])
    text = "Packet does not match destination NIC packet filter"
    wanted = [[str(number), 'vmNIC ]] "x" --', "4", text, ""] for number in range(1, 41)]
    assert [[plain_text(value) for value in row] for row in shown] == wanted


@pytest.mark.parametrize("what", ["summary", "drops", "path,3"])
def test_reports_of_annotated_captures(tmp_path: Path, config: Path, what: str) -> None:
    capture = deep_dive("vlan-drop-etl2pcapng")
    path = annotated(capture, tmp_path / "annotated.pcapng")
    by_annotation, by_engine = (
        run_wireshark(["tshark", "-n", "-q", "-r", each, "-z", f"wnv,{what}"], config) for each in (path, capture)
    )
    assert by_annotation == by_engine
    assert by_engine.count("\n") > 3 or "No packet" in by_engine


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_slow_is_what_is_far_above_the_median(runtime: str) -> None:
    steps = lua(runtime).execute(lua_text("plugin/slow.lua").encode())(None)
    judged = []
    for micros in [*range(2, 42), 300, 3, 90, 30_000]:
        judged.append((micros, steps[b"judge"](b"a", b"b", micros / 1e6)))
        steps[b"keep"]()
    assert [micros for micros, is_slow in judged if is_slow] == [30_000]  # 300 us are less than 16 medians
    assert not steps[b"judge"](b"b", b"a", 1)  # a step that is not known
    fixed = lua(runtime).execute(lua_text("plugin/slow.lua").encode())(0.001)
    assert [fixed[b"judge"](b"a", b"b", seconds) for seconds in (0.0009, 0.0011)] == [False, True]


def test_slow_steps_and_the_info_column(tshark: Tshark, tmp_path: Path) -> None:
    path = tmp_path / "slow.pcapng"
    start = ng.section() + ng.interface("a") + ng.interface("b")
    late = {70: 9_000}
    frames = [
        ng.packet(hop, TICK + at * 100_000 + hop * late.get(at, 5), ng.ethernet(ng.udp(b"%d" % at, at)))
        for at in range(80)
        for hop in (0, 1)
    ]
    path.write_bytes(start + b"".join(frames))
    slow = [[str(2 * 70 + 2)]]
    assert tshark(path, ["frame.number"], "-Y", "wnv.hop.slow") == slow
    assert tshark(path, ["frame.number"], "-2", "-R", "wnv", "-Y", "wnv.hop.slow") == slow
    assert tshark(annotated(path, tmp_path / "annotated.pcapng"), ["frame.number"], "-Y", "wnv.hop.slow") == slow


def test_the_info_column(config: Path, unpacked: Unpack) -> None:
    command = ["tshark", "-n", "-r", unpacked("lbfo-tcp-loss"), "-Y", "frame.number in {8..10}"]
    lines = run_wireshark(command, config).splitlines()
    assert ["[duplicate of 8, +7.1 us] 36888" in line for line in lines] == [False, True, False]
    assert "[duplicate of 8, +9.9 us] 36888" in lines[2]  # 2.8 us after the second sighting
    assert "[TCP" not in "".join(lines)
    lines = run_wireshark([*command, "-o", "wnv.info:FALSE"], config).splitlines()
    assert ["[TCP Retransmission]" in line for line in lines] == [False, True, True]
    drops = run_wireshark(["tshark", "-n", "-r", deep_dive("acl-drop-pspkt")], config).splitlines()
    assert "[dropped: Failed security policy; duplicate of 1, +17.0 us] 52119" in drops[1]
    first = run_wireshark([*command[:-1], "tcp.analysis.duplicate_ack && !wnv.duplicate"], config)
    assert "[TCP Dup ACK " in first
    assert "#" not in first  # where Wireshark numbers them, it counts the other sightings, too
    alone = run_wireshark(["tshark", "-n", "-r", unpacked("single-tcp-loss")], config)
    assert "#1] " in alone  # these numbers are right


@pytest.mark.parametrize("capture", ["acl-drop-etl2pcapng", "acl-drop-etwdump"])
def test_the_info_of_a_dropped_event_says_why(config: Path, tmp_path: Path, capture: str) -> None:
    paths = deep_dive(capture), annotated(deep_dive(capture), tmp_path / "annotated.pcapng")
    for path in paths:
        said = run_wireshark(["tshark", "-n", "-r", path, "-Y", "wnv.event && wnv.drop"], config).splitlines()
        assert len(said) == 3
        assert all(line.count("dropped: Failed security policy") == 1 for line in said)


def test_a_plain_wireshark_shows_the_drops_of_an_annotated_capture(config: Path, tmp_path: Path) -> None:
    """Without the plugin: those of events, which journal entries tell, and which drops are harmless."""
    (config / "plugins" / "wnv.lua").unlink()
    path = annotated(deep_dive("acl-drop-etl2pcapng"), tmp_path / "annotated.pcapng")
    command = ["tshark", "-C", "WNV annotated", "--color", "-n"]
    rules = run_wireshark([*command, "-r", path, "-T", "fields", "-e", "frame.coloring_rule.name"], config)
    assert rules.split("\n")[:5] == ["WNV first", "WNV event", "WNV duplicate", "WNV event", "WNV drop"]
    shown = run_wireshark([*command, "-r", path], config).splitlines()
    assert "dropped: Failed security policy, at NIC Network Adapter" in shown[4]


@pytest.mark.parametrize(("preference", "shown"), [([], 3), (["-o", "wnv.switch:FALSE"], 0)])
def test_what_changes_to_the_profile(tshark: Tshark, preference: list[str], shown: int) -> None:
    path = deep_dive("acl-drop-pspkt")
    assert len(tshark(path, ["frame.number"], "-Y", "wnv.list.switch", *preference)) == shown
