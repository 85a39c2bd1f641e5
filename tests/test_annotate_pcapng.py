"""Annotated captures: what is put in, and that all else stays byte for byte."""

from __future__ import annotations

import csv
import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pcapng_blocks as ng
import pytest
from annotated_capture import comments, options, options_of, ordered_blocks, parts, restored
from command import CAPTURES, run
from conftest import run_wireshark
from test_bad_output import LIMIT, refuses
from test_deep_dive import capture as deep_dive
from test_windows_rows import DEEP_DIVE
from windows_events import CAPTURES as WINDOWS

from pywnv.annotate import sinks
from pywnv.annotate.rows import Engine, Format, rows
from pywnv.annotate.walker import annotate
from pywnv.capture.source import open_capture
from pywnv.errors import CaptureError, UsageError
from pywnv.tables import fields

LAB = {path.name: gzip.decompress(path.read_bytes()) for path in sorted(CAPTURES.glob("*.pcapng.gz"))}
ODD = {name: data for name, data in ng.odd_captures().items() if name.endswith("ng")}
PCAPS = {name: data for name, data in ng.odd_captures().items() if not name.endswith("ng")}
WHOLE = LAB | ODD
TOOLS = {**WINDOWS, **{name: deep_dive(name).read_bytes() for name in DEEP_DIVE}}
FRAME = ng.ethernet()
TICK = ng.SECONDS * 10**6
FLAGS = ng.option(2, struct.pack("<I", 1))
VERDICT = ng.option(7, b"\2" + bytes(8))
END = ng.option(0, b"")


def written(folder: Path, capture: bytes, warnings: list[str] | None = None) -> bytes:
    path = folder / "capture"
    path.write_bytes(capture)
    words: list[str] = []
    found = b"".join(rows(path, output_format=Format.PCAPNG, warn=words.append))
    assert words == (warnings or [])
    return found


def annotated(folder: Path, capture: bytes) -> bytes:
    path = folder / "capture"
    path.write_bytes(capture)
    return b"".join(rows(path, output_format=Format.PCAPNG))


def table(folder: Path, capture: bytes, engine: Engine | None = None) -> list[dict[str, str]]:
    path = folder / "rows"
    path.write_bytes(capture)
    return list(csv.DictReader(b"".join(rows(path, engine=engine)).decode().splitlines()))


def whole(said: dict[str, str]) -> dict[str, str]:
    """What a comment says, with what it leaves out, as the row has it."""
    column_of = {said.key: column for column, said in fields.COMMENT.items()}
    found = {column_of[key]: value for key, value in said.items() if key not in ("frame", "packet_id")}
    is_first = "packet" not in found
    found.setdefault("packet", said["frame"])
    if is_first:
        found |= {"appearance": "1", "verdict": found.get("verdict", "original")}
        if "hop" in found:
            found["path"] = found["hop"]
    else:
        defaults = {"previous": found["packet"], "appearance": "2", "verdict": "duplicate", "evidence": "bytes"}
        found = defaults | found
        if "path" in found:
            found.setdefault("hop", found["path"].rpartition(" > ")[2])
        if found["previous"] == found["packet"] and "hop_delta" in found:
            found.setdefault("hop_elapsed", found["hop_delta"])
    for column in ("hop_delta", "hop_elapsed"):
        if column in found:
            found[column] = f"{int(found[column]) / 1e9:.9f}"
    if "hop" in found:
        roles = [role for role in fields.ROLES if found["hop"].startswith(role + " ")]
        found.setdefault("hop_role", roles[0] if roles else "unknown")
    return found


def two(*more: bytes, order: str = "<") -> bytes:
    """A packet at two hops; the second block has options."""
    start = ng.section(order) + ng.interface("a", order) + ng.interface("b", order) + ng.packet(0, TICK, FRAME, order)
    return start + ng.packet(1, TICK + 5, FRAME, order, options=b"".join(more))


@pytest.mark.parametrize("name", WHOLE)
def test_what_was_added_can_be_taken_out(tmp_path: Path, name: str) -> None:
    unfit = 2 if name.startswith("blocks") else 0
    words = [f"{tmp_path / 'capture'}: {unfit} frames are in blocks that cannot hold a comment; they are not changed"]
    found = written(tmp_path, WHOLE[name], words * bool(unfit))
    assert len(found) > len(WHOLE[name])
    assert restored(found) == WHOLE[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_comment_says_what_the_row_says(tmp_path: Path, name: str) -> None:
    found = comments(annotated(tmp_path, WHOLE[name]))
    said = [row for row in table(tmp_path, WHOLE[name]) if row["packet"]]
    if not name.startswith("blocks"):
        assert len(found) == len(said)
        for (comment, packet), row in zip(found, said, strict=True):
            assert comment is not None
            assert whole(parts(comment)) == {column: row[column] for column in fields.COMMENT if row[column]}
            assert packet == int(row["packet"])


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE | PCAPS)
def test_an_annotated_capture_is_decided_as_before_and_not_annotated_twice(tmp_path: Path, name: str) -> None:
    capture = (WHOLE | PCAPS)[name]
    once = annotated(tmp_path, capture)
    assert annotated(tmp_path, once) == once
    before, after = table(tmp_path, capture), table(tmp_path, once)
    if name in PCAPS:
        assert {row.pop("interface") for row in before} == {""}
        assert {row.pop("interface") for row in after} == {"0"}
    assert after == before


@pytest.mark.wireshark
@pytest.mark.parametrize("name", ["mix.pcapng.gz", "links.pcapng", "blocks-big.pcapng", "raw.pcap"])
def test_both_engines_say_the_same_of_an_annotated_capture(tmp_path: Path, name: str) -> None:
    once = annotated(tmp_path, (WHOLE | PCAPS)[name])
    by_lupa, by_tshark = (table(tmp_path, once, engine) for engine in (Engine.LUPA, Engine.TSHARK))
    packets = [row for row in by_lupa if row["packet"]]
    assert [row for row in by_tshark if row["packet"]] == packets


@pytest.mark.wireshark
@pytest.mark.parametrize("name", ["mix.pcapng.gz", "names.pcapng", "blocks-little.pcapng", "us-big.pcap"])
def test_wireshark_reads_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "annotated.pcapng"
    path.write_bytes(annotated(tmp_path, (WHOLE | PCAPS)[name]))
    said = comments(path.read_bytes())
    found = run_wireshark(
        ["tshark", "-n", "-r", path, "-Y", 'frame.comment contains "wnv"', "-T", "fields", "-e", "frame.packet_id"]
    )
    assert [int(number, 0) for number in found.split()] == [packet for comment, packet in said if comment]
    assert run_wireshark(["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.packet_id"]).split() != []


OPTIONS = {
    "none": (),
    "end": (END,),
    "flags": (FLAGS, END),
    "no end": (FLAGS,),
    "foreign comment": (ng.option(1, b"PID=4 TID=8 ProcessorNumber=1"), VERDICT, FLAGS, END),
    "comment of odd length": (ng.option(1, b"abc"), END),
    "behind the end": (FLAGS, END, b"junk"),
    "broken off": (FLAGS, b"\x01\x00\xff\x00abcd"),
    "unknown": (ng.option(0x8123, b"x" * 9), ng.option(1, b"wnvx"), ng.option(1, b""), END),
    "all": (ng.option(1, b"one"), ng.option(1, b"two"), FLAGS, ng.option(3, b"\2" + bytes(4)), VERDICT, END),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_stay(tmp_path: Path, name: str) -> None:
    capture = two(*OPTIONS[name])
    found = written(tmp_path, capture)
    assert restored(found) == capture
    assert [packet for _, packet in comments(found)] == [1, 1]
    assert annotated(tmp_path, found) == found
    last = list(ordered_blocks(found))[-1][2]
    before = list(ordered_blocks(capture))[-1][2]
    kept = options("<", before[options_of("<", before) : -4])
    assert [one[:2] for one in options("<", last[options_of("<", last) : -4])[2:]] == [one[:2] for one in kept]


@pytest.mark.wireshark
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "broken off"])
def test_wireshark_reads_odd_options(tmp_path: Path, name: str) -> None:
    path = tmp_path / "annotated.pcapng"
    path.write_bytes(written(tmp_path, two(*OPTIONS[name])))
    found = run_wireshark(["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.comment", "-e", "frame.packet_id"])
    assert [int(line.rsplit("\t")[-1], 0) for line in found.splitlines()] == [1, 1]  # 4.6 writes 0x...1
    assert [line.count(f"(wnv frame={number}") for number, line in enumerate(found.splitlines(), 1)] == [1, 1]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_packet_ids_of_a_tool_stay(tmp_path: Path, order: str) -> None:
    tool = [ng.option(5, struct.pack(order + "Q", number), order) for number in (2**56 + 77, 2**56 + 77, 3)]
    start = ng.section(order) + ng.interface("a", order) + ng.interface("b", order)
    options = [ng.option(0x8123, b"x" * 9, order) + one for one in tool]
    frames = [ng.packet(at % 2, TICK + at, FRAME, order, options=options[at] if at < 3 else b"") for at in range(4)]
    capture = start + b"".join(frames)
    found = written(tmp_path, capture)
    rows = table(tmp_path, capture)
    said = comments(found)
    assert [str(number) for _, number in said] == [row["packet"] for row in rows]
    ids = ["010000000000004d", "010000000000004d", "0000000000000003", None]
    assert [parts(comment).get("packet_id") for comment, _ in said if comment] == ids
    assert restored(found) == capture
    assert annotated(tmp_path, found) == found
    assert table(tmp_path, found) == table(tmp_path, capture)


def test_comments_of_a_tool_that_come_late_are_read_no_sooner(tmp_path: Path) -> None:
    """A capture whose first 1000 frames carry no comment has none: so it must be once it is annotated, too."""
    packets = [ng.packet(0, TICK + 99_999 * at, ng.ethernet(ng.udp(b"x", at))) for at in range(1, 1002)]
    comment = ng.option(1, b"PID=4 TID=8 ProcessorNumber=1") + END
    capture = ng.section() + ng.interface("a") + b"".join(packets) + ng.packet(0, TICK, FRAME, options=comment)
    once = annotated(tmp_path, capture)
    assert table(tmp_path, once) == table(tmp_path, capture)
    assert annotated(tmp_path, once) == once


@pytest.mark.parametrize("name", TOOLS)
def test_comments_of_the_tools_of_windows_are_still_understood(tmp_path: Path, name: str) -> None:
    capture = TOOLS[name]
    once = annotated(tmp_path, capture)
    assert restored(once) == capture
    assert table(tmp_path, once) == table(tmp_path, capture)
    assert annotated(tmp_path, once) == once


def test_a_section_that_names_its_length_names_none_any_more(tmp_path: Path) -> None:
    body = ng.interface("a") + ng.packet(0, TICK, FRAME)
    named = ng.block(ng.SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, len(body)))
    capture = ng.section() + body + (named + body) * 2
    assert restored(written(tmp_path, capture)) == (ng.section() + body) * 3


@pytest.mark.parametrize("name", PCAPS)
def test_a_pcap_becomes_a_pcapng(tmp_path: Path, name: str) -> None:
    order = "<" if name in ("us-little.pcap", "ns-little.pcap", "raw.pcap") else ">"
    units = 10**9 if name.startswith("ns") else 10**6
    found = written(tmp_path, PCAPS[name])
    records = b""
    for _, kind, block in ordered_blocks(found):
        if kind == ng.PACKET:
            number, high, low, captured, original = struct.unpack_from(order + "5I", block, 8)
            seconds, fraction = divmod((high << 32) + low, units)
            assert number == 0
            records += struct.pack(order + "4I", seconds, fraction, captured, original) + block[28 : 28 + captured]
    assert records == PCAPS[name][24:]


def test_comments_of_a_pcap(tmp_path: Path) -> None:
    other = ng.ethernet(ng.udp(b"other", 2))
    routed = bytes.fromhex("00155d0a000300155d0a00040800") + ng.udp(ttl=63)
    found = comments(written(tmp_path, ng.pcap([(1, 0, FRAME), (1, 5, other), (1, 9, routed)])))
    assert found[:2] == [("first seen (wnv frame=1)", 1), ("first seen (wnv frame=2)", 2)]
    assert found[2][1] == 1
    assert found[2][0].startswith("duplicate of 1, +9.0 us (wnv frame=3 packet=1 delta_ns=9000 evidence=rewritten ")


def test_the_frame_check_sequence_of_a_pcap_is_known(tmp_path: Path) -> None:
    capture = bytearray(ng.pcap([(1, 0, FRAME)]))
    struct.pack_into("<I", capture, 20, 2 << 28 | 0x04000000 | 1)
    interface = next(block for _, kind, block in ordered_blocks(written(tmp_path, bytes(capture))) if kind == 1)
    assert (13, b"\x20") in [one[:2] for one in options("<", interface[16:-4])]


@pytest.mark.parametrize(
    "command", [("annotate", "--format", "pcapng"), ("dedup",), ("join", CAPTURES / "mix.pcapng.gz")]
)
def test_a_link_type_that_no_pcapng_can_name(tmp_path: Path, command: tuple[str | Path, ...]) -> None:
    capture = bytearray(ng.pcap([(1, 0, FRAME)]))
    struct.pack_into("<I", capture, 20, 0x10001)
    path = tmp_path / "odd.pcap"
    path.write_bytes(capture)
    done = run(*command, path, "-o", tmp_path / "out.pcapng")
    words = f"pywnv: {path}: its link type is 65537, and a pcapng names none above 65535\n"
    assert (done.returncode, done.stderr.decode()) == (2, words)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [37, 1024])
def test_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    whole = {name: annotated(tmp_path, capture) for name, capture in (ODD | PCAPS).items()}
    monkeypatch.setattr("pywnv.capture.source.PIECE", size)
    for name, capture in (ODD | PCAPS).items():
        assert annotated(tmp_path, capture) == whole[name]


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["lua52", "lua54", "luajit21"])
def test_every_lua_writes_the_same(tmp_path: Path, runtime: str) -> None:
    silent: Callable[[object], None] = lambda _: None  # noqa: E731
    for capture in (*(ODD | PCAPS).values(), *(two(*more) for more in OPTIONS.values())):
        once = annotated(tmp_path, capture)
        for data in (capture, once):
            (tmp_path / "capture").write_bytes(data)
            with open_capture(tmp_path / "capture") as opened:
                pieces = annotate(
                    [opened], sink=sinks.BY_NAME["pcapng"], window=None, progress=silent, warn=silent, runtime=runtime
                )
                assert b"".join(pieces) == once


def test_a_block_that_would_grow_too_large_stays(tmp_path: Path) -> None:
    large = ng.packet(0, TICK, bytes(16 * 1024 * 1024 - 40))
    capture = ng.section() + ng.interface("a") + large + ng.packet(0, TICK + 1, FRAME)
    words = [f"{tmp_path / 'capture'}: 1 frames are in blocks that cannot hold a comment; they are not changed"]
    found = written(tmp_path, capture, words)
    assert restored(found) == capture
    assert comments(found)[0] == (None, None)


def test_the_command(tmp_path: Path) -> None:
    done = run("annotate", CAPTURES / "mix.pcapng.gz", "-o", tmp_path / "out.pcapng")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert restored((tmp_path / "out.pcapng").read_bytes()) == LAB["mix.pcapng.gz"]


def test_a_full_disk(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    refuses(["annotate", CAPTURES / "mix.pcapng.gz", "-o", out], f"{out}: File too large", tmp_path, before=LIMIT)


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--format pcapng: is for the lupa engine"):
        next(rows(CAPTURES / "mix.pcapng.gz", output_format=Format.PCAPNG, engine=Engine.TSHARK))
    (tmp_path / "text").write_bytes(b"\0no capture")
    with pytest.raises(CaptureError, match="not a pcapng or pcap file; convert it to pcapng with editcap first"):
        next(rows(tmp_path / "text", output_format=Format.PCAPNG))
