"""Rows as a table, chosen columns, and what an output's ending asks for."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import CAPTURES, TIMEOUT, command, run
from conftest import PROJECT
from test_bad_output import refuses, tree

from pywnv.annotate.columns import Batch
from pywnv.annotate.rows import Format, rows
from pywnv.annotate.table import DEFAULT, GAP, MOST, Table, table
from pywnv.tables import fields

LOSS = CAPTURES / "lbfo-tcp-loss.pcapng.gz"
CSV = b"".join(rows(LOSS))
ROWS = list(csv.DictReader(io.StringIO(CSV.decode())))


def test_the_table_of_the_readme() -> None:
    done = run("annotate", LOSS, "--format", "table")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    readme = (PROJECT / "README.md").read_text("utf-8")
    shown = [line.removeprefix("    ") for line in re.findall(r"^    (?:frame  packet|\d+  ).*$", readme, re.M)]
    assert lines[: len(shown)] == shown
    assert len(shown) > 4
    assert [line.split() for line in lines[1:]] == [" ".join(row[name] for name in DEFAULT).split() for row in ROWS]


@pytest.mark.slow
def test_columns_in_any_order() -> None:
    names = ("path", "frame", "duplicate", "hop_delta")
    chosen = ["--columns", ",".join(names)]
    done = run("annotate", LOSS, *chosen)
    assert list(csv.reader(io.StringIO(done.stdout.decode())))[1:] == [[row[name] for name in names] for row in ROWS]
    assert done.stdout.startswith(b"path,frame,duplicate,hop_delta\n")
    done = run("annotate", LOSS, *chosen, "--format", "jsonl")
    whole = b"".join(rows(LOSS, output_format=Format.JSONL)).splitlines()
    assert [list(json.loads(line).items()) for line in done.stdout.splitlines()] == [
        [(name, json.loads(line)[name]) for name in names] for line in whole
    ]
    assert b'"hop_delta":0.000033170}' in done.stdout
    done = run("annotate", LOSS, "--columns", ",".join(names).upper(), "--format", "Table")
    assert done.stdout.splitlines()[0].split() == [name.encode() for name in names]


def test_all_columns_are_the_same_bytes() -> None:
    names = fields.columns()
    assert b"".join(rows(LOSS, columns=names)) == CSV
    whole = b"".join(rows(LOSS, output_format=Format.JSONL))
    assert b"".join(rows(LOSS, output_format=Format.JSONL, columns=names)) == whole


def test_a_long_cell_moves_its_own_row_only() -> None:
    laid_out = Table(3)
    long = "x" * (MOST + 1)
    assert laid_out.text([["a", "b", "c"], ["1", long, "2"], ["1", "b", "2"]]).splitlines() == [
        "a  b  c",
        f"1  {long}  2",
        "1  b  2",
    ]
    assert laid_out.text([["1000", "", "3"]]) == "1000     3\n"
    assert laid_out.text([["1", "\u4e2d", "3"], ["1", "\x1b[2J\n", "3"]]).splitlines() == [
        "1     \u4e2d     3",
        "1     \ufffd[2J\ufffd  3",
    ]


def test_rows_come_as_frames_come() -> None:
    def batches() -> Iterator[Batch]:
        yield Batch({"frame": [1], "hop": [None]})
        raise AssertionError

    assert next(table(batches(), ("frame", "hop"))).decode().splitlines() == [f"frame{GAP}hop", "1"]


def test_without_frames_the_header_is_left(tmp_path: Path) -> None:
    import pcapng_blocks as ng

    (tmp_path / "none.pcapng").write_bytes(ng.section())
    done = run("annotate", tmp_path / "none.pcapng", "--format", "table")
    assert done.stdout == b"frame  packet  verdict  hop  hop_delta  path\n"


def on_a_terminal(*arguments: object) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(*arguments), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        found = bytearray()
        try:
            while piece := os.read(ours, 65536):
                found += piece
        except OSError:  # its other end is closed
            pass
        process.wait(TIMEOUT)
    os.close(ours)
    return found.decode()


@pytest.mark.slow
def test_a_terminal_gets_the_table() -> None:
    capture = CAPTURES / "single-udpsame.pcapng.gz"
    piped = run("annotate", capture, "--format", "table").stdout.decode()
    assert piped.replace("\n", "\r\n") in on_a_terminal("annotate", capture)
    assert "frame,time," in on_a_terminal("annotate", capture, "--format", "csv")


def test_an_ending_that_names_no_format(tmp_path: Path) -> None:
    endings = ".csv, .jsonl, .ndjson, .json, .parquet, .pcapng, .txt (.gz may follow)"
    for name in ("out.xlsx", "out.parq", "out.tar.gz", "out.gz"):
        words = f"{tmp_path / name}: unknown ending; use one of {endings}, or --format"
        refuses(["annotate", LOSS, "-o", tmp_path / name], words, tmp_path)
    done = run("annotate", LOSS, "-o", tmp_path / "out.xlsx", "--format", "csv")
    assert (done.returncode, tree(tmp_path)) == (0, {"out.xlsx": CSV})


@pytest.mark.parametrize(("name", "form", "named"), [("o.pcapng", "csv", "pcapng"), ("o.CSV.gz", "jsonl", "csv")])
def test_an_ending_of_another_format(tmp_path: Path, name: str, form: str, named: str) -> None:
    words = f"{tmp_path / name}: the ending is that of {named}, not of --format {form}"
    refuses(["annotate", LOSS, "-o", tmp_path / name, "--format", form], words, tmp_path)


@pytest.mark.parametrize(("name", "form"), [("o.csv.gz", Format.CSV), ("o.jsonl.GZ", Format.JSONL)])
def test_a_packed_output(tmp_path: Path, name: str, form: Format) -> None:
    assert run("annotate", LOSS, "-o", tmp_path / name).returncode == 0
    assert gzip.decompress((tmp_path / name).read_bytes()) == b"".join(rows(LOSS, output_format=form))


def test_columns_that_cannot_be(tmp_path: Path) -> None:
    known = ", ".join(fields.columns())
    refuses(
        ["annotate", LOSS, "--columns", "hop,hopp"],
        f"--columns: no column 'hopp'; there are {known}",
        tmp_path,
    )
    refuses(["annotate", LOSS, "--columns", "hop, hop"], "--columns: names hop twice", tmp_path)
    words = "--columns: is for csv, jsonl, table, not for pcapng"
    refuses(["annotate", LOSS, "--columns", "hop", "--format", "pcapng"], words, tmp_path)
