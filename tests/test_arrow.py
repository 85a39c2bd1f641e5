"""Parquet, Arrow tables, annotations in Python, and the summary: the same as the rows of CSV."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pcapng_blocks as ng
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import CAPTURES, run
from modules import module
from test_bad_output import LIMIT, refuses
from test_deep_dive import capture as deep_dive

import pywnv
from pywnv.annotate import arrow
from pywnv.annotate.rows import Engine, Format, rows
from pywnv.errors import UsageError
from pywnv.tables import fields

MIX = CAPTURES / "mix.pcapng.gz"
DROPS = deep_dive("vlan-drop-pspkt")
ODD = ng.odd_captures()


def text_of(column: str, value: object) -> str:
    """A value as CSV has it."""
    field = fields.BY_COLUMN.get(column)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if column == "time":
        return f"{value:.9f}" if isinstance(value, Decimal) else f"{value // 10**9}.{value % 10**9:09d}"
    return f"{value:.9f}" if field and field.type is fields.Type.SECONDS else str(value)


def csv_rows(path: Path, **options: object) -> list[list[str]]:
    return list(csv.reader(b"".join(rows(path, **options)).decode().splitlines()))[1:]


def table_rows(found: pa.Table) -> list[list[str]]:
    columns = []
    for name in found.schema.names:
        column = found.column(name)
        values = (column.cast("int64") if name == "time" else column).to_pylist()
        columns.append([text_of(name, value) for value in values])
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("group", [arrow.GROUP, 1])
@pytest.mark.parametrize("path", [MIX, DROPS, CAPTURES / "v6-loss.pcapng.gz"], ids=lambda path: path.name)
def test_parquet_holds_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path, group: int) -> None:
    monkeypatch.setattr(arrow, "GROUP", group)
    monkeypatch.setattr("pywnv.capture.source.PIECE", 100_000)
    out = tmp_path / "out.parquet"
    out.write_bytes(b"".join(rows(path, output_format=Format.PARQUET)))
    found = pq.read_table(out)
    assert table_rows(found) == csv_rows(path)
    assert found.schema.equals(arrow.schema())
    if group == 1 and path == MIX:
        assert pq.ParquetFile(out).num_row_groups > 3


@pytest.mark.parametrize("name", ODD)
def test_odd_captures(tmp_path: Path, name: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(ODD[name])
    expected = csv_rows(path)
    assert table_rows(pywnv.annotate_table(path)) == expected
    assert [[text_of(*item) for item in said._asdict().items()] for said in pywnv.annotate(path)] == expected


def test_types() -> None:
    schema = arrow.schema()
    name = pa.dictionary(pa.int32(), pa.string())
    for column, kind in (
        *(("frame", pa.uint32()), ("time", pa.timestamp("ns", "UTC")), ("duplicate", pa.bool_())),
        *(("verdict", name), ("hop", name), ("hop_role", name), ("hop_delta", pa.float64()), ("vlan", pa.uint16())),
    ):
        assert schema.field(column).type == kind
    assert schema.names == list(fields.columns()) == list(pywnv.Annotation._fields)
    assert schema.field("packet").metadata == {b"help": fields.BY_COLUMN["packet"].help.encode()}


def test_times_that_64_bits_do_not_hold(tmp_path: Path) -> None:
    last = 2**63 // 10**9
    ticks = (0, last - 1, last, last + 1, 10**10, 2**64 - 1)
    packets = [ng.packet(0, tick, b"frame") for tick in ticks]
    (tmp_path / "capture").write_bytes(ng.section() + ng.interface("a", resolution=0) + b"".join(packets))
    found = pywnv.annotate_table(tmp_path / "capture").column("time").cast("int64").to_pylist()
    assert found == [0, (last - 1) * 10**9, last * 10**9, None, None, None]
    said = [one.time for one in pywnv.annotate(tmp_path / "capture")]
    assert said[:4] == [Decimal(tick) for tick in ticks[:4]]


def test_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(ng.section())
    assert list(pywnv.annotate(path)) == []
    assert pywnv.annotate_table(path).num_rows == 0
    out = tmp_path / "out.parquet"
    out.write_bytes(b"".join(rows(path, output_format=Format.PARQUET)))
    assert pq.read_table(out).schema.equals(arrow.schema())


@pytest.mark.wireshark
def test_both_engines_say_the_same() -> None:
    options = {"engine": Engine.TSHARK, "display_filter": "wnv.drop"}
    assert pywnv.annotate_table(DROPS, **options).to_pydict() != {}
    assert table_rows(pywnv.annotate_table(DROPS, **options)) == csv_rows(DROPS, **options)
    assert list(pywnv.annotate(str(MIX), engine=Engine.TSHARK)) == list(pywnv.annotate(MIX))


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    done = run("annotate", MIX, "-o", out)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert table_rows(pq.read_table(out)) == csv_rows(MIX)
    done = run("annotate", MIX, "--format", "parquet")
    assert done.stdout == out.read_bytes()
    refuses(["annotate", MIX, "-o", out, "--force"], f"{out}: File too large", tmp_path, before=LIMIT)


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="--format parquet: needs pyarrow; run: pip install"):
        next(rows(MIX, output_format=Format.PARQUET))
    assert next(pywnv.annotate(MIX)).packet == 1


def test_without_pyarrow_several_captures_say_it_once(tmp_path: Path) -> None:
    asked = ["pywnv", "annotate", str(MIX), str(DROPS), "--format", "parquet", "-o", str(tmp_path / "rows")]
    code = f"import sys; sys.modules['pyarrow'] = None; sys.argv = {asked}; from pywnv.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "needs pyarrow" in done.stderr
    assert not (tmp_path / "rows").exists()


def test_the_summary_tells_so_many_hops_apart(tmp_path: Path) -> None:
    path, count = tmp_path / "many.pcapng", 1500
    packets = [ng.packet(n, n, ng.ethernet(ng.udp(identification=n + 1))) for n in range(count)]
    path.write_bytes(ng.section() + b"".join([ng.interface(f"hop {n}") for n in range(count)] + packets))
    *lines, last = b"".join(rows(path, output_format=Format.SUMMARY)).decode().splitlines()
    assert last.split() == ["(others)", "500", "500"]
    assert len(lines) < 1010


@pytest.mark.parametrize("path", [MIX, DROPS, CAPTURES / "lbfo-tcp-loss.pcapng.gz"], ids=lambda path: path.name)
def test_the_summary_counts(path: Path) -> None:
    text = b"".join(rows(path, output_format=Format.SUMMARY)).decode()
    said = list(pywnv.annotate(path))
    times = [one.time for one in said if one.time is not None]
    head, *tables = text.split("\n\n")
    expected = {"frames": len(said), "packets": len({one.packet for one in said if one.packet})}
    expected |= {"seconds": f"{max(times) - min(times):.6f}"}
    expected |= Counter(one.verdict for one in said if one.verdict)
    assert dict(line.split() for line in head.splitlines()) == {name: str(value) for name, value in expected.items()}
    shortened, frames = module("luajit21", "words")[b"hop"], Counter(one.hop for one in said if one.packet)
    hops = {line[: tables[0].index("frames")].strip(): line.split()[-4:] for line in tables[0].splitlines()[1:]}
    for name, cells in hops.items():
        counts = [count for hop, count in frames.items() if hop and shortened(hop.encode(), 36).decode() == name]
        assert len(cells) < 4 or not cells[0].isdigit() or int(cells[0]) in counts
    drops = Counter(one.drop_reason_text for one in said if one.drop)
    assert len(tables) == (2 if drops else 1)
    for reason, count in drops.items():
        assert f"{reason}  " in tables[1]
        assert str(count) in tables[1]
