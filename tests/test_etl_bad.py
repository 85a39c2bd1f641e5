"""Traces that are broken, foreign or made to do harm: one line, or what could be read; never a traceback or a hang."""

from __future__ import annotations

import io
import random
import re
import struct
from pathlib import Path
from time import process_time

import etl_writer as w
import pcapng_blocks as ng
import pytest
from command import run
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convert import made_of
from test_convert_use import REAL, needs_real

from pywnv.capture.convert import convert
from pywnv.capture.etl import Event
from pywnv.capture.metadata import Metadata, fill
from pywnv.capture.xpress import decompress
from pywnv.errors import WnvError

FRAME = ng.ethernet()
GOOD = w.etl([w.packet(1, 1, FRAME), w.packet(2, 1, FRAME)], [w.packet(3, 1, FRAME)])
HEAD = w.head()

FOREIGN = {
    "empty": (b"", "is empty"),
    "text": (b"hello" * 100, r"not a Windows trace \(.etl\)"),
    "pcapng": (ng.section() + ng.interface() + bytes(100), r"not a Windows trace \(.etl\)"),
    "short": (GOOD[:60], r"not a Windows trace \(.etl\)"),
    "only a head": (HEAD, "holds no packets and no events"),
    "cut in its head": (HEAD[:200], "is cut off in its head"),
    "no clock": (w.head(frequency=0), "does not say what unit its clock counts"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files(tmp_path: Path, name: str) -> None:
    data, words = FOREIGN[name]
    path = tmp_path / "bad.etl"
    path.write_bytes(data)
    done = run("convert", path, "-o", tmp_path / "out.pcapng")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert re.search(words, done.stderr.decode())
    assert [each.name for each in tmp_path.iterdir()] == ["bad.etl"]


def test_a_missing_file(tmp_path: Path) -> None:
    done = run("convert", tmp_path / "none.etl", "-o", tmp_path / "out.pcapng")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


def test_what_can_be_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.etl"
    first, second = w.etl([w.packet(1, 1, FRAME), w.packet(2, 1, FRAME)]), w.buffer(w.packet(3, 1, FRAME).bytes())
    for size in range(1024 + 72 + 400, len(first) + len(second), 7):
        path.write_bytes((first + second)[:size])
        made = made_of(path)
        assert [packet.data for packet in made.packets] in ([FRAME] * 2, [FRAME] * 3)
        assert size in (len(first), len(first + second)) or len(made.warnings) == 1


def test_a_clock_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "clock.etl"
    path.write_bytes(w.etl([w.packet(26, 1, FRAME)], clock=3, megahertz=26, frequency=0))
    assert made_of(path).packets[0].ticks == w.START + 10


@pytest.mark.slow
def test_a_decompression_bomb(tmp_path: Path) -> None:
    # A literal, then a match of four gigabytes.
    data = struct.pack("<IBHBBHI", 0x40000000, 0x41, 0x0007, 0x0F, 0xFF, 0, 2**32 - 1)
    made, _ = decompress(data, 1000)
    assert made == b"A" * 1000
    path = tmp_path / "bomb.etl"
    bomb = struct.pack("<IIII24xHHI", 72 + len(data), 0, 0, 0, 0, 0, 3) + struct.pack("<IHH16x", 2**25, 0x40, 0) + data
    path.write_bytes(HEAD + bomb * 3000)
    begun = process_time()
    with pytest.raises(WnvError, match="decompresses to more than any trace does"):
        convert(path, io.BytesIO())
    assert process_time() - begun < 20
    path.write_bytes(HEAD + bomb.replace(struct.pack("<I", 2**25), struct.pack("<I", 2**31)))
    with pytest.raises(WnvError):
        convert(path, io.BytesIO())


def test_buffers_that_do_not_end(tmp_path: Path) -> None:
    path = tmp_path / "size.etl"
    for size in (0, 71, 72, 2**32 - 1):
        path.write_bytes(GOOD + w.buffer(w.packet(9, 1, FRAME).bytes(), size=size))
        made = made_of(path)
        assert len(made.packets) in (3, 4)
        assert made.warnings


@given(data=st.binary(max_size=300), limit=st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_any_compressed_data(data: bytes, limit: int) -> None:
    assert len(decompress(data, limit)[0]) <= limit


@given(data=st.binary(max_size=400), info=st.binary(max_size=400), seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_any_description(data: bytes, info: bytes, seed: int) -> None:
    chance = random.Random(seed)
    for record in w.switch_descriptions():
        whole = bytearray(record.data)
        for _ in range(chance.randrange(8)):
            whole[chance.randrange(32, len(whole))] = chance.randrange(256)
        metadata = Metadata()
        metadata.take(Event(0, w.METADATA.bytes_le, 0, 0, record.id, 0, 0, 0, 0, bytes(whole), True, True))
        metadata.take(Event(0, w.METADATA.bytes_le, 0, 0, record.id, 0, 0, 0, 0, info, True, True))
        for id_ in (55, 56, 57, 58):
            metadata.tell(Event(0, w.SWITCH.bytes_le, id_, 0, 0, 0, 0, 0, 0, data))


@given(message=st.text(st.sampled_from("%1234567890!sxn0t a"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_message(message: str) -> None:
    fill(message, ["a", "%1"])


def test_messages() -> None:
    assert fill("%1!s! is %2!08x!, 100%% of %12 %3%n%", ["a", "%1", "c"]) == "a is %1, 100% of %12 c %"
    assert fill("%1!", ["a"]) == "a!"


def _flipped(data: bytes, count: int, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(count):
        at = chance.randrange(len(data))
        changed[at] = chance.choice((0, 0xFF, changed[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
    return bytes(changed)


def _survives(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    begun = process_time()
    problem = ""
    try:
        made_of(path)
    except WnvError as error:
        problem = str(error)
    assert "\n" not in problem
    assert process_time() - begun < 10


def test_flipped_bytes(tmp_path: Path) -> None:
    chance = random.Random(7)
    base = w.etl(
        [
            *w.switch_descriptions(),
            w.switch_fragment(3, FRAME, (5, "a", "b", "Synthetic"), [(1, "c", "d", "External")], vlan=3),
            w.switch_event(10, 56, "a", "b", "c", "d"),
            w.packet(1, 1, FRAME),
            *w.component(1, 2, "a.sys", "b", if_index=1, mac=bytes(6), switch="x"),
            w.edge(1, "Upper", 1),
            w.out_of_band(4, 1, 3),
            w.adapter(1, "alias", "text"),
        ]
    )
    for _ in range(250):
        _survives(tmp_path / "flip.etl", _flipped(base, chance.choice((1, 2, 8)), chance))
    for size in range(0, len(base), 61):
        _survives(tmp_path / "cut.etl", base[:size])


@pytest.mark.slow
@needs_real
def test_flipped_bytes_of_the_real_trace(tmp_path: Path) -> None:
    chance, base = random.Random(11), REAL.read_bytes()
    for _ in range(60):
        _survives(tmp_path / "flip.etl", _flipped(base, chance.choice((1, 2, 8, 64)), chance))
    for _ in range(20):
        _survives(tmp_path / "cut.etl", base[: chance.randrange(len(base))])
