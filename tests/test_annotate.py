"""The main job on whole captures: both engines say the same, and the truth."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES, command, run
from scoring import score

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.errors import UnknownFormatError
from pywnv.tables import fields
from pywnv.wireshark import tshark

NAMES = sorted(path.name.removesuffix(".pcapng.gz") for path in CAPTURES.glob("*.pcapng.gz"))
PUBLIC = Path(__file__).parents[2] / "shared" / "public"
ODD = ng.odd_captures()
LEAST = 0.999


def capture_path(name: str) -> Path:
    return CAPTURES / f"{name}.pcapng.gz"


def annotated(capture: Path, engine: Engine | None, **options: object) -> bytes:
    """The rows of a capture, about which nothing is to be said."""
    warnings: list[str] = []
    found = b"".join(rows(capture, engine=engine, warn=warnings.append, **options))
    assert warnings == []
    return found


def table(found: bytes) -> list[dict[str, str]]:
    lines = list(csv.reader(io.StringIO(found.decode(), newline=""), strict=True))
    assert lines[0] == list(fields.columns())
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def packets_of(found: list[dict[str, str]]) -> dict[int, int]:
    """Frame -> packet; a segment belongs to the packet of the frame that it was cut from."""
    said = {int(row["frame"]): int(row["packet"] or row["frame"]) for row in found}
    wholes = {int(row["frame"]): int(row["segment_of"]) for row in found if row["segment_of"]}
    return said | {frame: said[whole] for frame, whole in wholes.items()}


def truth_of(name: str) -> dict[int, int]:
    with (CAPTURES / f"{name}.truth.csv").open(newline="") as file:
        return {int(row["frame"]): int(row["packet"]) for row in csv.DictReader(file)}


def check_truth(name: str, found: bytes) -> None:
    truth, said = truth_of(name), packets_of(table(found))
    assert truth.keys() == said.keys()
    precision, recall = score(list(truth.values()), [said[frame] for frame in truth])
    assert precision >= LEAST
    assert recall >= LEAST


def test_the_score_itself() -> None:
    truth = [1, 1, 1, 4, 4]
    assert score(truth, truth) == (1, 1)
    assert score(truth, [1, 2, 3, 4, 5]) == (1, 0)
    assert score(truth, [1] * 5) == (0.4, 1)
    assert score(truth, [1, 1, 3, 3, 5]) == (0.5, 0.25)


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_by_lupa(name: str) -> None:
    check_truth(name, annotated(capture_path(name), Engine.LUPA))


@pytest.mark.wireshark
@pytest.mark.parametrize("name", NAMES)
def test_the_truth_by_tshark_and_both_say_the_same(name: str) -> None:
    found = annotated(capture_path(name), Engine.TSHARK)
    assert found == annotated(capture_path(name), Engine.LUPA)
    check_truth(name, found)


@pytest.mark.wireshark
def test_both_say_the_same_in_jsonl() -> None:
    name = "mix-unsorted"
    found = annotated(capture_path(name), Engine.TSHARK, output_format=Format.JSONL)
    assert found == annotated(capture_path(name), Engine.LUPA, output_format=Format.JSONL)
    said = [json.loads(line) for line in found.splitlines()]
    assert [row["packet"] for row in said] == list(packets_of(table(annotated(capture_path(name), None))).values())


@pytest.mark.wireshark
@pytest.mark.parametrize("window", [0, 0.0004, 0.001, 0.0155, 3])
def test_both_say_the_same_with_a_window(window: float) -> None:
    found = annotated(capture_path("mix-unsorted"), Engine.TSHARK, window=window)
    assert found == annotated(capture_path("mix-unsorted"), Engine.LUPA, window=window)


@pytest.mark.parametrize("name", NAMES)
def test_columns_agree_with_each_other(name: str) -> None:
    found = table(annotated(capture_path(name), Engine.LUPA))
    assert [row["frame"] for row in found] == [str(number) for number in range(1, len(found) + 1)]
    last: dict[str, dict[str, str]] = {}
    for row in found:
        before = last.get(row["packet"])
        assert row["duplicate"] == ("true" if before else "false")
        assert row["appearance"] == (str(int(before["appearance"]) + 1) if before else "1")
        assert row["previous"] == (before["frame"] if before else "")
        assert row["duplicate_of"] == (row["packet"] if before else "")
        assert row["path"] == (f"{before['path']} > {row['hop']}" if before else row["hop"])
        assert (row["verdict"] == "duplicate") == bool(before)
        assert bool(row["evidence"]) == bool(row["hop_delta"]) == bool(row["hop_elapsed"]) == bool(before)
        assert before or row["packet"] == row["frame"]
        last[row["packet"]] = row


def test_one_tap_shows_no_duplicates() -> None:
    singles = [name for name in NAMES if name.startswith("single-")]
    assert len(singles) >= 2
    for name in singles:
        assert {row["duplicate"] for row in table(annotated(capture_path(name), Engine.LUPA))} == {"false"}


def test_datagrams_of_the_same_bytes_stay_packets_of_their_own() -> None:
    for name in ("udpsame", "single-udpsame"):
        found = table(annotated(capture_path(name), Engine.LUPA))
        assert len({row["packet"] for row in found}) == len(set(truth_of(name).values())) == 104


def comparable(capture: str, row: dict[str, str], by_lupa: dict[str, str], version: tuple[int, ...]) -> dict[str, str]:
    """A row without what Wireshark gets wrong."""
    wrong: set[str] = set()
    if capture == "sections.pcapng" and version[:2] == (4, 0):
        wrong = {"hop", "path"}  # gives the interfaces of a later section the names of the first one's
    if not by_lupa["packet"] and not by_lupa["time"] and version >= (4, 6):
        wrong = {"time", "interface"}  # gives custom blocks those of the frame before
    return {name: value for name, value in row.items() if name not in wrong}


@pytest.mark.wireshark
@pytest.mark.parametrize("capture", ODD)
def test_both_say_the_same_of_odd_captures(tmp_path: Path, capture: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(ODD[capture])
    version = tshark.version(tshark.find_tshark())
    by_lupa, by_tshark = (table(annotated(path, engine)) for engine in (Engine.LUPA, Engine.TSHARK))
    assert len(by_tshark) == len(by_lupa)
    for one, other in zip(by_lupa, by_tshark, strict=True):
        assert comparable(capture, other, one, version) == comparable(capture, one, one, version)


@pytest.mark.wireshark
def test_both_say_the_same_of_a_capture_that_begins_in_1970(tmp_path: Path) -> None:
    """Wireshark shows a frame at 0 s like one without a time: the engine must take both alike."""
    path = tmp_path / "capture"
    ticks = [0, 0, 1, 1, 2]
    packets = [ng.packet(number % 2, tick, ng.ethernet()) for number, tick in enumerate(ticks)]
    path.write_bytes(ng.section() + ng.interface("a") + ng.interface("b") + b"".join(packets))
    assert annotated(path, Engine.TSHARK) == annotated(path, Engine.LUPA)


def test_an_engine_that_is_none() -> None:
    with pytest.raises(ValueError, match="'foo' is not a valid Engine"):
        next(rows(capture_path("mix"), engine="foo"))  # type: ignore[arg-type]


@pytest.mark.wireshark
@pytest.mark.parametrize("engine", [None, Engine.TSHARK])
def test_a_filter_leaves_just_its_rows(engine: Engine | None) -> None:
    capture = capture_path("vlan-loss")
    whole = annotated(capture, Engine.LUPA).splitlines(keepends=True)
    duplicates = [line for line in whole if b",true," in line]
    assert 0 < len(duplicates) < len(whole) - 1
    assert annotated(capture, engine, display_filter="wnv.duplicate") == b"".join([whole[0], *duplicates])
    assert annotated(capture, engine, display_filter="wnv.packet == 7 and not wnv.packet == 7") == whole[0]


@pytest.mark.wireshark
def test_a_filter_on_the_command_line() -> None:
    capture = capture_path("vlan-loss")
    done = run("annotate", capture, "-Y", 'wnv.hop == "pnic0" && arp')
    assert (done.returncode, done.stderr) == (0, b"")
    expected = annotated(capture, None, display_filter='wnv.hop == "pnic0" && arp')
    assert expected.count(b"\n") > 1


@pytest.mark.wireshark
def test_a_capture_of_another_format_goes_to_tshark(tmp_path: Path) -> None:
    plain, other = tmp_path / "capture.pcapng", tmp_path / "capture.snoop"
    plain.write_bytes(gzip.decompress(capture_path("single-udpsame").read_bytes()))
    subprocess.run([shutil.which("editcap") or "editcap", "-F", "snoop", plain, other], check=True, capture_output=True)
    found = table(annotated(other, None))
    assert found == table(annotated(other, Engine.TSHARK))
    assert packets_of(found) == packets_of(table(annotated(plain, Engine.LUPA)))
    with pytest.raises(UnknownFormatError, match="--engine tshark reads more formats"):
        annotated(other, Engine.LUPA)
    done = run("annotate", other)
    assert (done.returncode, done.stderr) == (0, b"")
    assert table(done.stdout) == found


@pytest.mark.wireshark
@pytest.mark.parametrize("nano", [False, True])
def test_both_say_the_same_of_a_fraction_that_is_more_than_a_second(tmp_path: Path, nano: bool) -> None:
    """So old airodump-ng wrote some; Wireshark shows 1.000046 as 0.1000046000, and 3.0 as -0.1294967296."""
    fractions = (5, 1_000_046, 2_147_483, 2_147_484, 3_000_000, 4_294_967, 4_294_968, 2**32 - 1)
    path = tmp_path / "capture"
    records = [(ng.SECONDS, fraction, ng.ethernet(ng.udp(b"", at))) for at, fraction in enumerate(fractions)]
    path.write_bytes(ng.pcap(records, nano=nano))
    times = [row["time"] for row in table(annotated(path, Engine.TSHARK))]
    assert times == [row["time"] for row in table(annotated(path, Engine.LUPA))]
    if not nano:
        assert times[1:6] == [f"{ng.SECONDS + fraction / 10**6:.6f}000" for fraction in fractions[1:6]]


@pytest.mark.wireshark
def test_both_say_the_same_of_a_time_before_1970(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(ng.section() + ng.interface(offset=-100) + ng.packet(0, 250_000, ng.ethernet()))
    (row,) = table(annotated(path, Engine.TSHARK))
    assert row["time"] == table(annotated(path, Engine.LUPA))[0]["time"]
    assert row["time"].startswith("-100.")


@pytest.mark.wireshark
@pytest.mark.skipif(not PUBLIC.is_dir(), reason="captures of others are not part of the project")
@pytest.mark.parametrize("name", sorted(path.name for path in PUBLIC.glob("*.pcap*")) or ["none"])
def test_both_say_the_same_of_public_captures(name: str) -> None:
    found = annotated(PUBLIC / name, Engine.TSHARK)
    assert found == annotated(PUBLIC / name, Engine.LUPA)
    assert found.count(b"\n") > 1


@pytest.mark.wireshark
def test_tshark_reads_stdin() -> None:
    path = CAPTURES / "mix.pcapng.gz"
    done = subprocess.run(
        command("annotate", "-", "--engine", "tshark"),
        input=gzip.decompress(path.read_bytes()),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"".join(rows(path))


def test_says_what_a_capture_without_packets_holds(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(ng.section() + ng.interface() + ng.interface())
    words: list[str] = []
    assert len(b"".join(rows(path, warn=words.append)).splitlines()) == 1  # the header
    assert words == [f"{path}: holds no packets; describes 2 interfaces"]
