"""Typed rows: what is packed by column is what CSV says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES
from engine import runtimes
from test_arrow import csv_rows as csv_of
from test_arrow import table_rows
from test_deep_dive import capture as deep_dive

from pywnv.annotate import arrow, sinks
from pywnv.annotate.columns import Batch, Packed, unpacked
from pywnv.annotate.rows import rows
from pywnv.annotate.table import csv_rows
from pywnv.annotate.walker import annotate
from pywnv.capture.source import open_capture
from pywnv.lua import lua_text
from pywnv.tables import fields

DROPS = deep_dive("vlan-drop-etl2pcapng")  # with events
UDP = CAPTURES / "udpsame.pcapng.gz"


def packed(path: Path, runtime: str | None = None) -> list[Packed]:
    with open_capture(path) as capture:
        capture.piece = 1000
        pieces = annotate(
            [capture],
            sink=sinks.columns,
            window=None,
            progress=lambda _: None,
            warn=lambda _: None,
            runtime=runtime,
        )
        return [*unpacked(pieces)]


def as_csv(batches: list[Packed]) -> bytes:
    return b"".join(csv_rows(batches, fields.columns()))


@runtimes
@pytest.mark.parametrize("path", [DROPS, UDP], ids=lambda path: path.name)
def test_every_lua_packs_the_same(path: Path, runtime: str) -> None:
    found = packed(path, runtime)
    assert len(found) > 2
    assert as_csv(found) == b"".join(rows(path))


@pytest.mark.slow
@pytest.mark.parametrize("path", [DROPS, CAPTURES / "v6-loss.pcapng.gz"], ids=lambda path: path.name)
def test_words_that_are_too_many_are_counted_anew(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(sinks, "lua_text", lambda name: lua_text(name).replace("65536, 4096", "2, 2"))
    found = packed(path)
    assert len({id(batch.words) for batch in found}) > 1
    assert as_csv(found) == b"".join(rows(path))
    assert table_rows(arrow.table(found)) == csv_of(path)


def test_a_table_has_no_words_of_later_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the bytes of a Parquet file would depend on how far the engine is when a part of it is made."""
    monkeypatch.setattr(arrow, "GROUP", 1)
    found = packed(UDP)
    chunks = arrow.table(found).column("path").chunks
    assert len(chunks) == len(found)
    assert all(max(chunk.indices.to_pylist()) == len(chunk.dictionary) - 1 for chunk in chunks)


@runtimes
def test_times_of_all_sizes(tmp_path: Path, runtime: str) -> None:
    half = 2**31
    offsets = (0, -half, -5, 5, half, 2**33, 2**62)
    interfaces = b"".join(ng.interface(str(at), offset=offset) for at, offset in enumerate(offsets))
    packets = b"".join(ng.packet(at, 1_500_000, ng.ethernet()) for at in range(len(offsets)))
    path = tmp_path / "capture.pcapng"
    path.write_bytes(ng.section() + interfaces + packets)
    found = packed(path, runtime)
    assert as_csv(found) == b"".join(rows(path))
    times = [time for batch in found for time in batch.column("time")]
    assert f"{times[2]:f}" == "-4.500000000"  # as CSV has always had it
    nanos = arrow.table(found).column("time").cast("int64").to_pylist()
    assert nanos == [int(time.scaleb(9)) if abs(time) < 2**63 // 10**9 else None for time in times]


def test_nothing_is_packed_of_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(ng.section())
    assert packed(path) == []


def test_a_table_of_what_tshark_shows() -> None:
    typed = packed(DROPS)
    listed = [Batch({name: batch.column(name) for name in fields.columns()}) for batch in typed]
    assert arrow.table(listed).to_pydict() == arrow.table(typed).to_pydict()
    times = [Decimal("0.000000000"), None, Decimal(2**33), Decimal("-1.500000000"), Decimal("9223372036.854775807")]
    empty = dict.fromkeys(fields.columns(), [None] * len(times))
    made = arrow.table([Batch(empty | {"frame": [1, 2, 3, 4, 5], "time": times})])
    assert made.column("time").cast("int64").to_pylist() == [0, None, 2**33 * 10**9, -1_500_000_000, 2**63 - 1]
