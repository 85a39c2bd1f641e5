"""What is read from pcap and pcapng files, by the lupa engine."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import subprocess
import threading
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES, TIMEOUT, command, run

from pywnv.annotate import sinks
from pywnv.annotate.rows import Engine, Format, rows
from pywnv.annotate.walker import annotate
from pywnv.capture.source import open_capture
from pywnv.tables import fields

ODD = ng.odd_captures()
T = ng.SECONDS
TICK = T * 10**6
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def text(folder: Path, capture: bytes, output_format: Format = Format.CSV) -> bytes:
    path = folder / "capture"
    path.write_bytes(capture)
    warnings: list[str] = []
    found = b"".join(rows(path, engine=Engine.LUPA, output_format=output_format, warn=warnings.append))
    assert warnings == []
    return found


def table(folder: Path, capture: bytes) -> list[dict[str, str]]:
    """The rows; that each has all columns is checked here for every test."""
    lines = list(csv.reader(text(folder, capture).decode().splitlines(), strict=True))
    assert lines[0] == list(fields.columns())
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def column(found: list[dict[str, str]], name: str) -> list[str]:
    return [row[name] for row in found]


def plain(name: str) -> str:
    """A name of an interface as it is shown: control characters are spaces, those at its ends go."""
    return "".join(" " if ord(character) < 0x20 else character for character in name).strip()


@ORDERS
@pytest.mark.parametrize(
    ("nano", "times"), [(False, (".000007000", ".999999000")), (True, (".000000007", ".000999999"))]
)
def test_pcap(tmp_path: Path, order: str, nano: bool, times: tuple[str, str]) -> None:
    first, second = ng.ethernet(), ng.ethernet(ng.udp(b"another", 2))
    found = table(tmp_path, ng.pcap([(T, 7, first), (2**32 - 1, 999_999, second)], order, nano=nano))
    assert column(found, "frame") == ["1", "2"]
    assert column(found, "time") == [f"{T}{times[0]}", f"{2**32 - 1}{times[1]}"]
    assert column(found, "packet") == ["1", "2"]
    assert column(found, "interface") == column(found, "hop") == column(found, "path") == ["", ""]


def test_no_frames(tmp_path: Path) -> None:
    for capture in (ng.section(), ng.section(">") + ng.interface("a", ">"), ng.pcap([])):
        path = tmp_path / "capture"
        path.write_bytes(capture)
        assert b"".join(rows(path, output_format=Format.JSONL)) == b""


@pytest.mark.parametrize("name", ["blocks-little.pcapng", "blocks-big.pcapng"])
def test_blocks_of_every_kind(tmp_path: Path, name: str) -> None:
    found = table(tmp_path, ODD[name])
    assert column(found, "frame") == [str(number) for number in range(1, 11)]
    assert column(found, "interface") == ["0", "1", "0", "", "1", "", "", "0", "0", "1"]
    zero, one = "zero", "interface 1"
    assert column(found, "hop") == [zero, one, zero, "", one, "", "", zero, zero, one]
    times = [f"{T}.000000000", f"{T}.000001000", "", f"{T}.000003000", f"{T}.050000000", "", "", f"{T}.050001000"]
    assert column(found, "time") == [*times, f"{T - 1}.999993000", "1763908589.934592000"]
    assert column(found, "packet") == ["1", "1", "3", "", "5", "", "", "5", "9", "10"]


@pytest.mark.parametrize("name", ["blocks-little.pcapng", "blocks-big.pcapng"])
def test_a_block_that_is_no_packet_has_a_row_with_its_number_and_time_only(tmp_path: Path, name: str) -> None:
    found = table(tmp_path, ODD[name])
    for row, time in ((found[3], f"{T}.000003000"), (found[5], ""), (found[6], "")):
        assert row["time"] == time
        assert {name for name, value in row.items() if value} <= {"frame", "time"}


@pytest.mark.parametrize("value", [b"-5", b"soon", b"", b"%d" % 10**30, b"9" * 5000, "\u0661".encode()])
def test_a_journal_entry_whose_time_is_none(tmp_path: Path, value: bytes) -> None:
    entry = b"_COMM=a command\n__REALTIME_TIMESTAMP=" + value + b"\nMESSAGE=x\n"
    packet = ng.packet(0, TICK, ng.ethernet())
    found = table(tmp_path, ng.section() + ng.interface() + ng.journal(entry) + packet)
    assert column(found, "frame") == ["1", "2"]
    assert column(found, "packet") == ["", "2"]
    if value != "\u0661".encode():  # an Arabic 1: a digit or not, but no crash
        assert found[0]["time"] == ""


def test_each_section_has_its_own_interfaces_and_byte_order(tmp_path: Path) -> None:
    found = table(tmp_path, ODD["sections.pcapng"])
    assert column(found, "interface") == ["1", "0", "0", "1"]
    assert column(found, "hop") == ["second", "third", "fourth", "fifth"]
    times = [".000000000", ".000000005", ".000002000", ".000003000"]
    assert column(found, "time") == [f"{T}{time}" for time in times]
    assert column(found, "path")[-1] == "second > third > fourth > fifth"


@ORDERS
def test_simple_packets_have_no_time_and_no_more_bytes_than_the_interface_captures(tmp_path: Path, order: str) -> None:
    frame = ng.ethernet(ng.udp(bytes(100)))
    capture = ng.section(order) + ng.interface("a", order, snap=61)
    capture += ng.simple_packet(frame[:61], order, length=len(frame)) + ng.simple_packet(frame[:50], order)
    found = table(tmp_path, capture + ng.packet(0, TICK, frame, order))
    assert column(found, "frame") == column(found, "packet") == ["1", "2", "3"]
    assert column(found, "time") == ["", "", f"{T}.000000000"]
    assert column(found, "verdict") == ["original"] * 3


RESOLUTIONS = [None, 0, 3, 6, 9, 12, 0x80, 0x81, 0x8A, 0x94, 0x9F, 0xA0, 0xA1, 0xA8]


@ORDERS
@pytest.mark.parametrize("offset", [None, 0, 3600, 2**33])
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_times_are_exact_to_the_nanosecond(
    tmp_path: Path, resolution: int | None, offset: int | None, order: str
) -> None:
    code = 6 if resolution is None else resolution
    units = 2 ** (code & 0x7F) if code & 0x80 else 10**code
    chance = random.Random(code)
    most = min(2**64, 2**50 * units)  # seconds that a double holds exactly
    ticks = [0, 1, 7, units - 1, units, 2**32 - 1, 2**32, 2**32 + 1, most - 1]
    ticks += [chance.randrange(most) for _ in range(40)] + [min(T * units + chance.randrange(units), most - 1)]
    packets = [ng.packet(0, tick, b"frame", order) for tick in ticks]
    interface = ng.interface("a", order, resolution=resolution, offset=offset)
    found = table(tmp_path, ng.section(order) + interface + b"".join(packets))
    nanos = [Fraction(tick, units) * 10**9 // 1 + (offset or 0) * 10**9 for tick in ticks]
    assert column(found, "time") == [f"{nano // 10**9}.{nano % 10**9:09d}" for nano in nanos]


def test_unknown_options_and_unfinished_ones_are_skipped(tmp_path: Path) -> None:
    more = ng.option(0x8123, b"somebody's own") + ng.option(ng.IF_TSRESOL, b"too long") + ng.option(60000, b"")
    unfinished = ng.block(ng.INTERFACE, bytes([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 200, 0]) + b"abcd")
    options = ng.option(1, b"a comment") + ng.option(0x8123, b"x" * 1000)
    capture = ng.section("<", options) + ng.interface("a", more=more) + unfinished
    found = table(tmp_path, capture + ng.packet(0, TICK, b"1", options=options) + ng.packet(1, TICK, b"2"))
    assert column(found, "hop") == ["a", "interface 1"]
    assert column(found, "time") == [f"{T}.000000000"] * 2


def test_gzip_of_any_name_and_of_several_members(tmp_path: Path) -> None:
    capture = ng.first_frames(gzip.decompress((CAPTURES / "mix.pcapng.gz").read_bytes()), 60)
    whole = text(tmp_path, capture)
    assert whole.count(b"\n") == 61
    cuts = [0, 3, 28, 1000, 1000, 1001, len(capture)]
    members = [gzip.compress(capture[start:end]) for start, end in pairwise(cuts)]
    assert text(tmp_path, b"".join(members)) == whole
    assert text(tmp_path, gzip.compress(capture) + bytes(512)) == whole  # padded, as on a tape
    assert text(tmp_path, gzip.compress(b"") + gzip.compress(capture)) == whole
    assert text(tmp_path, gzip.compress(ODD["us-big.pcap"])) == text(tmp_path, ODD["us-big.pcap"])


def test_names_come_back_from_csv_and_jsonl(tmp_path: Path) -> None:
    names = [plain(name) or f"interface {number}" for number, name in enumerate(ng.ODD_NAMES)]
    found = table(tmp_path, ODD["names.pcapng"])
    assert column(found, "hop") == names
    assert found[-1]["path"] == " > ".join(names)
    said = [json.loads(line) for line in text(tmp_path, ODD["names.pcapng"], Format.JSONL).decode().splitlines()]
    assert [row["hop"] for row in said] == names
    assert said[-1]["path"] == " > ".join(names)


def csv_text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("capture", ODD)
def test_jsonl_says_what_csv_says(tmp_path: Path, capture: str) -> None:
    lines = text(tmp_path, ODD[capture], Format.JSONL).decode().splitlines()
    said = [json.loads(line, parse_float=str) for line in lines]  # times have more digits than a float
    assert [{name: csv_text(value) for name, value in row.items()} for row in said] == table(tmp_path, ODD[capture])


@pytest.mark.parametrize(
    "name", [b"a\xffb", b"\xe4\xbb cut", b"cut \xf0\x9f\x98", b"\xed\xa0\x80 surrogate", b"\xc0\xaf", b"\xf5\x80\x80"]
)
def test_bytes_of_a_name_that_are_no_text_are_shown_as_wireshark_shows_them(tmp_path: Path, name: bytes) -> None:
    found = table(tmp_path, ng.section() + ng.interface(name) + ng.packet(0, TICK, b"frame"))
    assert found[0]["hop"] == name.decode(errors="replace")


def test_of_two_names_the_first_counts_and_a_name_ends_at_its_zero(tmp_path: Path) -> None:
    twice = ng.interface(more=ng.option(ng.IF_NAME, b"first") + ng.option(ng.IF_NAME, b"second"))
    capture = ng.section() + twice + ng.interface(b"short\0and more") + ng.interface(b"padded\0\0")
    found = table(tmp_path, capture + b"".join(ng.packet(number, TICK, b"frame") for number in range(3)))
    assert column(found, "hop") == ["first", "short", "padded"]


@pytest.mark.slow
@pytest.mark.parametrize("capture", ODD)
def test_blocks_are_split_between_pieces_at_every_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: str
) -> None:
    whole = text(tmp_path, ODD[capture])
    for size in (*range(1, 20), 31, 53, 97, 211, 1009):
        monkeypatch.setattr("pywnv.capture.source.PIECE", size)
        assert text(tmp_path, ODD[capture]) == whole


@pytest.mark.parametrize("size", [4093, 65537, 300007])
def test_pieces_of_a_real_capture(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    path = CAPTURES / "mix.pcapng.gz"
    whole = b"".join(rows(path))
    monkeypatch.setattr("pywnv.capture.source.PIECE", size)
    seen: list[int] = []
    assert b"".join(rows(path, progress=seen.append)) == whole
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


def by_runtime(path: Path, runtime: str) -> bytes:
    with open_capture(path) as opened:
        settings = {"sink": sinks.csv, "window": None, "progress": lambda _: None, "warn": lambda _: None}
        return b"".join(annotate([opened], runtime=runtime, **settings))


@pytest.mark.parametrize("runtime", ["lua52", "lua54", "luajit21"])
def test_every_lua_writes_the_same(tmp_path: Path, runtime: str) -> None:
    for capture in ODD.values():
        whole = text(tmp_path, capture)
        assert by_runtime(tmp_path / "capture", runtime) == whole.partition(b"\n")[2]


@pytest.mark.parametrize("runtime", ["lua52", "lua54", "luajit21"])
def test_no_lua_fails_on_times_that_do_not_fit(tmp_path: Path, runtime: str) -> None:
    for offset in (None, 2**63 - 1, -(2**63)):
        packets = [ng.packet(0, tick, b"frame") for tick in (0, 1, 2**63 - 1, 2**63, 2**64 - 1)]
        capture = ng.section() + ng.interface("a", resolution=0, offset=offset) + b"".join(packets)
        (tmp_path / "capture").write_bytes(capture)
        assert by_runtime(tmp_path / "capture", runtime).count(b"\n") == 5


@pytest.mark.slow
@pytest.mark.parametrize("output_format", Format)
def test_two_runs_write_the_same(output_format: Format) -> None:
    capture = CAPTURES / "mix-unsorted.pcapng.gz"
    whole = b"".join(rows(capture, output_format=output_format))
    assert b"".join(rows(capture, output_format=output_format)) == whole
    for seed in ("0", "1", "4242"):
        done = run("annotate", capture, "--format", output_format, environment={**os.environ, "PYTHONHASHSEED": seed})
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == whole


def test_the_command_writes_what_the_library_says(tmp_path: Path) -> None:
    capture = CAPTURES / "udpsame.pcapng.gz"
    for name, output_format in (("a.csv", Format.CSV), ("b.jsonl", Format.JSONL), ("c", Format.CSV)):
        done = run("annotate", capture, "-o", tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert (tmp_path / name).read_bytes() == b"".join(rows(capture, output_format=output_format))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.jsonl", "c"]


def test_the_capture_may_be_a_pipe(tmp_path: Path) -> None:
    capture = gzip.decompress((CAPTURES / "mix.pcapng.gz").read_bytes())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=feed, args=(pipe, capture), daemon=True)
    feeder.start()
    done = run("annotate", pipe)
    feeder.join(TIMEOUT)
    assert done.stderr == b""
    assert done.stdout == text(tmp_path, capture)
    assert done.returncode == 0


def feed(pipe: Path, capture: bytes) -> None:
    with suppress(BrokenPipeError):
        pipe.write_bytes(capture)


def test_the_capture_may_be_stdin(tmp_path: Path) -> None:
    path = CAPTURES / "mix.pcapng.gz"
    done = subprocess.run(command("annotate", "-"), input=path.read_bytes(), capture_output=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"".join(rows(path))
