"""Captures that chance has damaged or made: rows, or one error that says so."""

from __future__ import annotations

import csv
import gzip
import struct
import time
from pathlib import Path
from random import Random

import pcapng_blocks as ng
import pytest
from command import CAPTURES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pywnv.annotate.rows import Engine, rows
from pywnv.errors import CaptureError
from pywnv.tables import fields

SMALL = ng.first_frames(gzip.decompress((CAPTURES / "mix.pcapng.gz").read_bytes()), 60)
PACKED = gzip.compress(SMALL, mtime=0)
START = ng.section() + ng.interface("a", resolution=9) + ng.interface(None, linktype=105)
ODD = list(ng.odd_captures().values())
COLUMNS = list(fields.columns())
LONGEST = 2  # seconds

# Where damage hurts: the first 28 bytes of every block, and its last length.
HEADS = [at for block in ng.blocks(SMALL) for at in range(block.start, block.start + min(28, len(block.data)))]
TAILS = [block.start + len(block.data) - 4 + at for block in ng.blocks(SMALL) for at in range(4)]

fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

PLACES = st.one_of(st.sampled_from(HEADS), st.sampled_from(TAILS), st.integers(0, len(SMALL) - 1))
FLIPS = st.lists(st.tuples(PLACES, st.integers(1, 255)), min_size=1, max_size=8)
NUMBERS = st.one_of(st.integers(0, 40), st.sampled_from([2**16 - 1, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1))
pytestmark = pytest.mark.slow

KINDS = st.sampled_from(
    [ng.SECTION, ng.INTERFACE, 2, 3, 4, 5, ng.PACKET, ng.JOURNAL, 10, ng.CUSTOM, ng.CUSTOM_NOT_COPIED, 0x204, 0x7777]
)
WORDS = st.lists(NUMBERS, max_size=8).map(lambda numbers: struct.pack(f"<{len(numbers)}I", *numbers))
OPTIONS = st.lists(
    st.builds(ng.option, st.sampled_from([0, 1, 2, 9, 14, 0x8001]), st.binary(max_size=12)), max_size=4
).map(b"".join)


def packets(interface: int, ticks: int, data: bytes, length: int) -> bytes:
    return ng.packet(interface, ticks, data, length=length)


DATA = st.one_of(
    st.binary(max_size=80),
    st.builds(bytes.__add__, st.sampled_from(list(ng.LINK_HEADERS.values())), st.binary(max_size=60)),
)
BLOCKS = st.one_of(
    st.builds(ng.block, KINDS, st.builds(bytes.__add__, WORDS, OPTIONS)),
    st.builds(ng.block, KINDS, st.binary(max_size=60)),
    st.builds(packets, st.integers(0, 3), st.integers(0, 2**64 - 1), DATA, NUMBERS),
    st.builds(
        lambda linktype, snap, options: ng.block(ng.INTERFACE, struct.pack("<HHI", linktype, 0, snap) + options),
        st.sampled_from([*ng.LINK_HEADERS, 65535]),
        NUMBERS,
        OPTIONS,
    ),
    st.builds(
        lambda value: ng.journal(b"__REALTIME_TIMESTAMP=" + value + b"\n"),
        st.one_of(st.one_of(st.integers(), st.just(10**40)).map(lambda number: b"%d" % number), st.binary(max_size=20)),
    ),
    st.builds(ng.section, st.sampled_from(["<", ">"])),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "capture"


def read(path: Path, content: bytes) -> None:
    """Reads a capture: rows of the right shape in a short time, or a CaptureError of one line."""
    path.write_bytes(content)
    found: list[bytes] = []
    said: list[str] = []
    start = time.perf_counter()
    try:
        found.extend(rows(path, engine=Engine.LUPA, warn=said.append))
    except CaptureError as error:
        said.append(str(error))
    assert time.perf_counter() - start < LONGEST
    assert len(said) <= 1
    assert all(str(path) in words and "\n" not in words for words in said)
    lines = list(csv.reader(b"".join(found).decode().splitlines(), strict=True))
    assert lines[:1] in ([], [COLUMNS])
    for number, line in enumerate(lines[1:], 1):
        assert len(line) == len(COLUMNS)
        assert line[0] == str(number)


@fuzz
@given(flips=FLIPS)
def test_flipped_bytes(path: Path, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(SMALL)
    for place, value in flips:
        damaged[place] ^= value
    read(path, bytes(damaged))


@fuzz
@given(flips=FLIPS, cut=st.tuples(PLACES, PLACES))
def test_flipped_bytes_and_a_piece_that_is_missing(
    path: Path, flips: list[tuple[int, int]], cut: tuple[int, int]
) -> None:
    damaged = bytearray(SMALL)
    for place, value in flips:
        damaged[place] ^= value
    read(path, bytes(damaged[: min(cut)] + damaged[max(cut) :]))
    read(path, bytes(damaged[: cut[0]]))


@fuzz
@given(
    flips=st.lists(st.tuples(st.integers(0, len(PACKED) - 1), st.integers(1, 255)), max_size=4),
    cut=st.integers(0, len(PACKED)),
)
def test_a_damaged_gzip(path: Path, flips: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(PACKED)
    for place, value in flips:
        damaged[place] ^= value
    read(path, bytes(damaged[:cut]))


@fuzz
@given(end=st.binary(max_size=200))
def test_random_bytes_behind_a_good_start(path: Path, end: bytes) -> None:
    read(path, START + end)


@fuzz
@given(blocks=st.lists(BLOCKS, max_size=12))
def test_random_blocks_behind_a_good_start(path: Path, blocks: list[bytes]) -> None:
    read(path, START + b"".join(blocks))


@fuzz
@given(
    records=st.lists(st.tuples(NUMBERS, NUMBERS, DATA), max_size=12),
    end=st.binary(max_size=40),
    linktype=st.sampled_from(list(ng.LINK_HEADERS)),
    nano=st.booleans(),
)
def test_random_pcap(path: Path, records: list[tuple[int, int, bytes]], end: bytes, linktype: int, nano: bool) -> None:
    read(path, ng.pcap(records, nano=nano, linktype=linktype) + end)


@fuzz
@given(capture=st.sampled_from(ODD), chance=st.randoms(use_true_random=False))
def test_damaged_odd_captures(path: Path, capture: bytes, chance: Random) -> None:
    damaged = bytearray(capture)
    for _ in range(3):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    read(path, bytes(damaged))


@fuzz
@given(content=st.binary(max_size=300))
def test_random_bytes(path: Path, content: bytes) -> None:
    read(path, content)
