"""Captures that are pipes with a name, as a shell makes for `<(zcat x.gz)`: read once, or refused before any output."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import run

from pywnv.annotate.rows import rows
from pywnv.files.descriptor import descriptor

CAPTURE = ng.pcap([(ng.SECONDS, 20 * number, ng.ethernet()) for number in range(2)])
SNOOP = b"snoop\0\0\0" + bytes(8)
HAS_NAMES = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system gives open files no names")
pytestmark = HAS_NAMES


@contextmanager
def pipe(data: bytes = CAPTURE) -> Iterator[int]:
    """A pipe that holds some bytes and no more."""
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "{}", 1],
        ["explain", "{}", 1, 2],
        ["inspect", "{}", "--engine", "tshark"],
        ["dedup", "{}", "-o", "-"],
        ["annotate", "{}", __file__, "--series"],
    ],
)
def test_what_is_read_twice_must_be_a_file(arguments: list[object]) -> None:
    with pipe() as handle:
        name = f"/dev/fd/{handle}"
        done = run(*(name if argument == "{}" else argument for argument in arguments), pass_fds=(handle,))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"pywnv: {name}: is read twice, so it must be a file\n"


@pytest.mark.slow
@pytest.mark.parametrize("data", [CAPTURE, gzip.compress(CAPTURE)], ids=["plain", "packed"])
def test_inspect_reads_it_once(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "capture").write_bytes(CAPTURE)
    expected = json.loads(run("inspect", tmp_path / "capture", "--json").stdout)
    with pipe(data) as handle:
        name = f"/dev/fd/{handle}"
        done = run("inspect", name, "--json", pass_fds=(handle,))
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == expected | {"capture": name}
    with pipe(SNOOP) as handle:
        done = run("inspect", f"/dev/fd/{handle}", pass_fds=(handle,))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"not a pcapng or pcap file" in done.stderr


@pytest.mark.slow
def test_report_reads_it_once(tmp_path: Path) -> None:
    def words(report: bytes) -> list[bytes]:
        return [line for line in report.splitlines() if b"/" not in line]  # which names the capture

    (tmp_path / "capture").write_bytes(CAPTURE)
    options = ("--title", "x", "-o", "-", "--format", "md")
    expected = run("report", tmp_path / "capture", *options).stdout
    with pipe() as handle:
        done = run("report", f"/dev/fd/{handle}", *options, pass_fds=(handle,))
    assert done.returncode == 0
    assert len(words(done.stdout)) > 5
    assert words(done.stdout) == words(expected)


@pytest.mark.parametrize("engine", [[], pytest.param(["--engine", "tshark"], marks=pytest.mark.wireshark)])
def test_annotate_reads_it_once(tmp_path: Path, engine: list[object]) -> None:
    (tmp_path / "capture").write_bytes(CAPTURE)
    expected = b"".join(rows(tmp_path / "capture"))
    with pipe() as handle:
        done = run("annotate", f"/dev/fd/{handle}", *engine, pass_fds=(handle,))
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")
    with pipe() as handle:
        done = run("annotate", "/dev/stdin", *engine, stdin=handle)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")


def test_what_only_tshark_reads_is_not_read_on_by_it() -> None:
    with pipe(SNOOP) as handle:
        done = run("annotate", f"/dev/fd/{handle}", pass_fds=(handle,))
    assert (done.returncode, done.stdout) == (2, b"")
    words = "not a pcapng or pcap file; --engine tshark reads more formats"
    assert done.stderr.decode() == f"pywnv: /dev/fd/{handle}: {words}\n"


def test_other_processes_cannot_read_it(tmp_path: Path) -> None:
    with pipe() as handle:
        done = run("annotate", f"/dev/fd/{handle}", "-o", f"{tmp_path / 'out'}/", pass_fds=(handle,))
    assert done.returncode == 2
    words = "annotate it alone, as other processes cannot read it"
    assert done.stderr.decode() == f"pywnv: /dev/fd/{handle}: {words}\n"


def test_names_of_handles(tmp_path: Path) -> None:
    link, circle = tmp_path / "link", tmp_path / "circle"
    link.symlink_to("/dev/fd/7")
    circle.symlink_to(circle)
    file = tmp_path / "1"
    file.write_bytes(b"")
    names = {Path("/dev/fd/3"): 3, link: 7, Path("/dev/fd/x"): None, circle: None, file: None, tmp_path / "none": None}
    assert {name: descriptor(name) for name in names} == names
