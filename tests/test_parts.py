"""One capture in parts: the same bytes as in one piece, whatever is in it and wherever it is cut."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pcapng_blocks as ng
import pytest
from command import CAPTURES
from hypothesis import given, settings
from hypothesis import strategies as st
from test_deep_dive import capture as deep_dive
from test_pipes import HAS_NAMES
from test_windows_rows import DEEP_DIVE
from windows_events import CAPTURES as WINDOWS

from pywnv.annotate import rows, sinks, walker
from pywnv.annotate.columns import unpacked
from pywnv.annotate.table import csv_rows
from pywnv.annotate.walker import Epoch
from pywnv.capture.source import open_capture
from pywnv.errors import OutputError, WnvError
from pywnv.generate.plugin import plugin_lua
from pywnv.parallel import parts, workers
from pywnv.parallel.workers import Worker
from pywnv.tables import fields
from pywnv.wireshark import tshark

LAB = {path.name: gzip.decompress(path.read_bytes()) for path in sorted(CAPTURES.glob("*.pcapng.gz"))}
LATE = {name: data for name, data in WINDOWS.items() if name.startswith("late")}  # which have more frames
SMALL = ng.odd_captures() | WINDOWS | {name: deep_dive(name).read_bytes() for name in DEEP_DIVE}
MIX = "mix-loss.pcapng.gz"
EPOCH = Epoch(700, 250)
TICK = ng.SECONDS * 10**6

Told = tuple[bytes, list[str]]


def whole(path: Path, output_format: str, epoch: Epoch | None) -> Told:
    """What comes of a capture in one piece, and what the user is told."""
    told: list[str] = []
    with open_capture(path) as capture:
        sink = sinks.BY_NAME[output_format]
        pieces = walker.annotate(
            [capture], sink=sink, window=None, progress=lambda _: None, warn=told.append, epoch=epoch
        )
        return collected(as_text(pieces, output_format), told)


def as_text(pieces: Iterator[bytes], output_format: str) -> Iterator[bytes]:
    """Typed rows as CSV, as they are packed otherwise where they are cut otherwise."""
    return csv_rows(unpacked(pieces), fields.columns()) if output_format == "columns" else pieces


def collected(pieces: Iterator[bytes], told: list[str]) -> Told:
    found = []
    try:
        found.extend(pieces)
    except WnvError as error:
        told.append(f"{type(error).__name__}: {error}")
    return b"".join(found), told


def in_turns(folder: Path, path: Path, output_format: str, epoch: Epoch, takers: int = 2) -> Told:
    """The same in parts, each by the next of some, who go past what the others decide."""
    given = (folder, path, output_format, None, None, epoch)
    deciding = [parts.decide(itertools.count(first, takers), *given) for first in range(takers)]
    found: list[bytes] = []
    for number, taker in enumerate(itertools.cycle(deciding)):
        part = next(taker)
        found += parts._drained(folder / str(number))
        if part.is_last:
            break
    return b"".join(as_text(iter(found), output_format)), [part.warning] * bool(part.warning)


def apart(path: Path, output_format: str, epoch: Epoch = EPOCH, processes: int = 2, **given: Any) -> Told:
    """The same by processes, as the commands do it."""
    told: list[str] = []
    with open_capture(path) as capture:
        capture.piece = 4096  # else the first piece holds all
        arguments = {"window": None, "progress": lambda _: None, "warn": told.append, "epoch": epoch} | given
        pieces = parts.annotate(capture, output_format=output_format, processes=processes, **arguments)
        return collected(as_text(pieces, output_format), told)


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    path = tmp_path / "mix.pcapng"
    path.write_bytes(LAB[MIX])
    return path


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [Epoch(1, 1), Epoch(5, 3)])
@pytest.mark.parametrize("output_format", ["csv", "columns", "pcapng"])
@pytest.mark.parametrize("name", sorted(SMALL.keys() - LATE.keys()))
def test_small_captures_cut_everywhere(tmp_path: Path, name: str, output_format: str, epoch: Epoch) -> None:
    path = tmp_path / "capture"
    path.write_bytes(SMALL[name])
    found, told = whole(path, output_format, epoch)
    with open_capture(path) as capture:
        beginning = walker.Walk(
            walker.Walker(sink=sinks.BY_NAME[output_format], window=None, topology=None), capture, lambda _: None
        ).beginning()
    (tmp_path / "parts").mkdir()
    again, _ = in_turns(tmp_path / "parts", path, output_format, epoch)
    assert beginning + again == found
    assert not any("broken" in words for words in told)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    frames=st.integers(150, 3000),
    share=st.floats(0.01, 1),
    name=st.sampled_from(sorted(LAB | LATE)),
    takers=st.integers(1, 3),
)
def test_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, frames: int, share: float, name: str, takers: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    path = folder / "capture.pcapng"
    path.write_bytes((LAB | LATE)[name][:300_000])
    epoch = Epoch(frames, max(1, int(frames * share)))
    assert in_turns(folder, path, "csv", epoch, takers) == whole(path, "csv", epoch)


@pytest.mark.slow
@pytest.mark.parametrize("output_format", sorted(sinks.FRAME_BY_FRAME))
@pytest.mark.parametrize("processes", [1, 3])
def test_processes(mix: Path, output_format: str, processes: int) -> None:
    read: list[int] = []
    found = apart(mix, output_format, processes=processes, progress=read.append)
    assert found == whole(mix, output_format, EPOCH)
    assert read == sorted(read)
    assert read[-1] == mix.stat().st_size


def test_frames_that_hold_no_comment_are_counted_in_all_parts(tmp_path: Path) -> None:
    start = ng.section() + ng.interface("a") + ng.interface("b")
    frames = [ng.packet(at % 2, at * 1000, ng.ethernet()) + ng.simple_packet(ng.ethernet()) for at in range(1000)]
    path = tmp_path / "simple.pcapng"
    path.write_bytes(start + b"".join(frames))
    found = apart(path, "pcapng")
    assert found == whole(path, "pcapng", EPOCH)
    assert found[1] == [f"{path}: 1000 frames are in blocks that cannot hold a comment; they are not changed"]


def test_a_process_forgets_its_last_part(tmp_path: Path) -> None:
    """Here one with frames that were cut short, which makes keys short: too many would look alike in the next one."""
    whole_one, many = ng.ethernet(ng.udp(b"same", 0)), 140
    burst = [ng.ethernet(ng.udp(b"same%03d" % number, 0)) for number in range(many)]
    part = [(0, whole_one)] * EPOCH.frames
    shown = part + [(0, whole_one[:-2])] * EPOCH.frames + part + [(0, frame) for frame in burst]
    shown += [(1, frame) for frame in reversed(burst)]
    start = ng.section() + ng.interface("a") + ng.interface("b")
    path = tmp_path / "cut.pcapng"
    times = [TICK + at * 1_000_000 for at in range(3 * EPOCH.frames)]
    times += [times[-1] + 1_000_000 + at for at in range(2 * many)]
    frames = zip(times, shown, strict=True)
    path.write_bytes(start + b"".join(ng.packet(at, time, frame, length=49) for time, (at, frame) in frames))
    found = parts.decide(iter([1, 3]), tmp_path, path, "csv", None, None, EPOCH)
    next(found), next(found)
    rows_of_part = b"".join(parts._drained(tmp_path / "3"))
    assert rows_of_part.count(b",duplicate,") == many
    assert whole(path, "csv", EPOCH)[0].endswith(rows_of_part)


def test_pieces_are_whole_rows(mix: Path) -> None:
    with open_capture(mix) as capture:
        capture.piece = 4096
        given = {"window": None, "progress": lambda _: None, "warn": print, "epoch": EPOCH}
        pieces = list(parts.annotate(capture, output_format="csv", processes=2, **given))
    assert all(piece.endswith(b"\n") for piece in pieces if piece)
    assert sum(map(bool, pieces)) > 20


def test_an_end_inside_a_frame(mix: Path) -> None:
    mix.write_bytes(mix.read_bytes()[:-5])
    found = apart(mix, "csv")
    assert found == whole(mix, "csv", EPOCH)
    assert "is cut off" in found[1][0]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_break(mix: Path, share: float) -> None:
    data = bytearray(mix.read_bytes())
    at = data.index(b"\x06\0\0\0", int(len(data) * share))
    while int.from_bytes(data[at + 4 : at + 8], "little") > 2000 or at % 4:
        at = data.index(b"\x06\0\0\0", at + 1)
    data[at + 4 : at + 8] = b"\1\0\0\0"
    mix.write_bytes(data)
    found = apart(mix, "csv")
    assert found == whole(mix, "csv", EPOCH)
    assert "broken at byte" in found[1][0]


def test_marks_of_a_part_are_those_of_a_capture_that_begins_where_it_warms_up(tmp_path: Path, mix: Path) -> None:
    data = mix.read_bytes()
    starts, at = [], 0
    while at < len(data):
        if data[at : at + 4] == b"\x06\0\0\0":
            starts.append(at)
        at += int.from_bytes(data[at + 4 : at + 8], "little")
    skipped = EPOCH.frames - EPOCH.warm_up
    later = tmp_path / "later.pcapng"
    later.write_bytes(data[: starts[0]] + data[starts[skipped] :])
    names = fields.columns()
    in_parts = list(csv.DictReader(whole(mix, "csv", EPOCH)[0].decode().splitlines(), names))
    of_later = list(csv.DictReader(whole(later, "csv", None)[0].decode().splitlines(), names))
    assert in_parts[skipped:] != of_later
    for row, other in zip(in_parts[EPOCH.frames : 2 * EPOCH.frames], of_later[EPOCH.warm_up :], strict=False):
        for name in ("frame", "packet", "duplicate_of", "previous", "segment_of", "repeat_of"):
            other[name] = str(int(other[name]) + skipped) if other[name] else ""
        assert row == other


@pytest.mark.wireshark
def test_tshark_marks_the_same(mix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lua = plugin_lua()
    short = Epoch(20, 3)  # too short to learn all that counts
    spread = f"{short.frames}, {short.warm_up} -- frames"
    assert lua.count("2 ^ 20, 2 ^ 16 -- frames") == 1

    def short_epochs(*given: Any, **named: Any) -> str:
        return plugin_lua(*given, **named).replace("2 ^ 20, 2 ^ 16 -- frames", spread)

    monkeypatch.setattr(tshark, "plugin_lua", short_epochs)
    header, _, found = b"".join(rows.rows(mix, engine=rows.Engine.TSHARK)).partition(b"\n")
    assert header.startswith(b"frame,")
    assert found == whole(mix, "csv", short)[0]
    assert found != whole(mix, "csv", None)[0]


def test_a_process_that_dies(mix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = workers.Worker.take

    def killed(worker: Worker[int, parts.Part]) -> parts.Part:
        os.kill(worker._process.pid or 0, signal.SIGKILL)
        worker._process.join()
        worker.connection.recv()  # what it had said before
        return take(worker)

    monkeypatch.setattr(workers.Worker, "take", killed)
    _, told = apart(mix, "csv")
    words = f"{mix}: the process that annotated a part of it died (exit code {-signal.SIGKILL})"
    assert told == [f"CaptureError: {words}"]


@HAS_NAMES
@pytest.mark.parametrize("name", ["-", "/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_name_that_each_process_has_of_its_own(mix: Path, name: str) -> None:
    """What a worker would open by this name is not what the user gave."""
    kept = os.dup(0)
    try:
        with mix.open("rb") as file:
            os.dup2(file.fileno(), 0)
            assert apart(Path(name.format(file.fileno())), "csv") == whole(mix, "csv", EPOCH)
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_blocks_before_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "blocks.pcapng"
    path.write_bytes(ng.section(options=ng.option(1, b"x" * 60_000)) + ng.custom() * 2_000)
    assert apart(path, "csv") == whole(path, "csv", EPOCH)


def test_as_many_processes_as_there_are_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(workers, "Worker", lambda *given: made.append(given) or Worker(*given))
    path = tmp_path / "even.pcapng"
    frames = [ng.packet(0, TICK + at, ng.ethernet(ng.udp(b"even", at))) for at in range(2 * EPOCH.frames - 50)]
    path.write_bytes(ng.section() + ng.interface() + b"".join(frames))
    assert apart(path, "csv", processes=12) == whole(path, "csv", EPOCH)
    assert len(made) == 1


def test_no_room(tmp_path: Path, mix: Path) -> None:
    missing = tmp_path / "missing"
    words = "No such file or directory; set TMPDIR to another folder, or use --jobs 1"
    with pytest.raises(OutputError, match=f"^{missing}: {words}$"):
        next(parts.decide(iter([1]), missing, mix, "csv", None, None, EPOCH))


def test_nothing_stays_behind(tmp_path: Path, mix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(parts.tempfile, "tempdir", str(folder))
    with open_capture(mix) as capture:
        capture.piece = 4096
        pieces = parts.annotate(
            capture,
            output_format="csv",
            processes=1,
            window=None,
            progress=lambda _: None,
            warn=lambda _: None,
            epoch=EPOCH,
        )
        while not list(folder.iterdir()):
            next(pieces)
        pieces.close()
    assert not list(folder.iterdir())
