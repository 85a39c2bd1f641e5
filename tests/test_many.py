"""Many captures, a series of files as one capture, and a capture that comes bit by bit."""

from __future__ import annotations

import csv
import gzip
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pcapng_blocks as ng
import pytest
from annotated_capture import ordered_blocks
from command import CAPTURES, TIMEOUT, command, run
from test_bad_output import LIMIT, refuses, tree, wait_for

import pywnv
from pywnv.annotate.rows import Format, rows
from pywnv.capture.order import first_time, in_order
from pywnv.parallel.many import output_name
from pywnv.parallel.options_record import RECORD

MIX, LOSS, SAME = (CAPTURES / f"{name}.pcapng.gz" for name in ("mix", "mix-loss", "single-udpsame"))
FRAME = ng.ethernet()
TICK = ng.SECONDS * 10**6
BROKEN = ng.section() + ng.interface("a") + ng.packet(0, 0, b"frame") + ng.raw_block(6, bytes(20), length=13)


def whole(path: Path, output_format: Format = Format.CSV) -> bytes:
    return b"".join(rows(path, output_format=output_format))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [[], ["--jobs", "1"], ["-j", "3"]])
def test_each_capture_has_its_output(tmp_path: Path, jobs: list[str]) -> None:
    out = tmp_path / "made" / "out"
    done = run("annotate", MIX, LOSS, SAME, "-o", out, *jobs)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"pywnv: 3 written, 0 skipped (output exists), 0 failed\n"
    assert tree(out) == {path.name.replace(".pcapng.gz", ".csv"): whole(path) for path in (MIX, LOSS, SAME)}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_one_capture_is_the_same_with_any_jobs(jobs: str) -> None:
    done = run("annotate", MIX, "--jobs", jobs)
    assert (done.returncode, done.stdout, done.stderr) == (0, whole(MIX), b"")


@pytest.mark.slow
@pytest.mark.parametrize("output_format", [Format.JSONL, Format.PCAPNG, Format.SUMMARY])
def test_in_every_format(tmp_path: Path, output_format: Format) -> None:
    tmp_path.joinpath("out").mkdir()
    done = run("annotate", SAME, "-o", tmp_path / "out", "--format", output_format)
    assert done.returncode == 0
    suffix = ".txt" if output_format is Format.SUMMARY else f".{output_format}"
    assert tree(tmp_path / "out") == {f"single-udpsame{suffix}": whole(SAME, output_format)}


def test_names() -> None:
    names = {"a.pcapng": "a.csv", "b.pcap.gz": "b.csv", "c.ETL": "c.csv", "d": "d.csv", ".pcapng": ".pcapng.csv"}
    names |= {"host.1.pcapng": "host.1.csv", "x.log": "x.log.csv"}
    assert {name: output_name(Path("in") / name, Format.CSV) for name in names} == names


@pytest.mark.slow
def test_a_broken_capture_fails_alone_and_a_rerun_does_the_rest(tmp_path: Path) -> None:
    out, bad = tmp_path / "out", tmp_path / "bad.pcapng"
    bad.write_bytes(BROKEN)
    done = run("annotate", MIX, bad, tmp_path / "missing.pcapng", SAME, "-o", out)
    assert done.returncode == 1
    first, *others = done.stderr.decode().splitlines()
    assert first == "pywnv: 2 written, 0 skipped (output exists), 2 failed"
    size = len(BROKEN) - 32
    assert sorted(others) == [
        f"pywnv: {bad}: broken at byte {size}, after frame 1:"
        " a block of type 0x00000006 that claims to be 13 bytes long",
        f"pywnv: {tmp_path / 'missing.pcapng'}: No such file or directory",
    ]
    made = {"mix.csv": whole(MIX), "single-udpsame.csv": whole(SAME)}
    assert tree(out) == made
    (out / "mix.csv").write_bytes(b"kept")
    bad.write_bytes(ng.section())
    done = run("annotate", MIX, bad, SAME, "-o", out)
    empty = f"pywnv: warning: {bad}: holds no packets; describes 0 interfaces\n"
    assert (done.returncode, done.stderr.decode()) == (
        0,
        f"{empty}pywnv: 1 written, 2 skipped (output exists), 0 failed\n",
    )
    assert tree(out) == made | {"mix.csv": b"kept", "bad.csv": whole(bad)}
    done = run("annotate", MIX, bad, SAME, "-o", out, "--force")
    assert done.stderr.decode() == f"{empty}pywnv: 3 written, 0 skipped (output exists), 0 failed\n"
    assert tree(out) == made | {"bad.csv": whole(bad)}


def test_an_output_that_is_older_than_its_capture(tmp_path: Path) -> None:
    out, capture = tmp_path / "out", tmp_path / "capture.pcapng"
    capture.write_bytes(ng.section())
    out.mkdir()
    (out / "capture.csv").write_bytes(b"old")
    os.utime(out / "capture.csv", (1, 1))
    done = run("annotate", capture, "-o", out)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[1:] == [
        f"pywnv: {out / 'capture.csv'}: is older than its capture; use --force to replace it"
    ]


def test_one_capture_goes_into_a_folder_that_is_named_as_one(tmp_path: Path) -> None:
    done = run("annotate", MIX, "-o", f"{tmp_path / 'out'}/")
    assert (done.returncode, done.stderr) == (0, b"pywnv: 1 written, 0 skipped (output exists), 0 failed\n")
    assert tree(tmp_path / "out") == {"mix.csv": whole(MIX)}


@pytest.mark.slow
def test_what_cannot_be(tmp_path: Path) -> None:
    words = "several captures: name a folder with -o, or use --series if they are one"
    refuses(["annotate", MIX, SAME], words, tmp_path)
    refuses(
        ["annotate", MIX, "-", "-o", tmp_path / "out"],
        "-: annotate it alone, as other processes cannot read it",
        tmp_path,
    )
    out = tmp_path / "out" / "mix.csv"
    refuses(["annotate", MIX, MIX, "-o", tmp_path / "out"], f"{MIX} and {MIX}: both would become {out}", tmp_path)
    (tmp_path / "file").write_bytes(b"\0precious")
    for name in ("file", "new.csv", "new.PCAPNG"):
        words = f"{tmp_path / name}: several captures are written into a folder; name one with -o, or use --series"
        refuses(["annotate", MIX, SAME, "-o", tmp_path / name], words, tmp_path)
    refuses(["annotate", MIX, MIX, "--series"], f"--series: {MIX} is given twice; give it once", tmp_path)
    words = f"{tmp_path / 'file'}: not a pcapng or pcap file; convert it to pcapng with editcap first"
    refuses(["annotate", MIX, tmp_path / "file", "--series"], words, tmp_path)
    words = f"{tmp_path}: is a folder; the output of a series is one file"
    refuses(["annotate", MIX, SAME, "--series", "-o", tmp_path], words, tmp_path)
    words = "--series: is for the lupa engine, which knows no filters"
    refuses(["annotate", MIX, SAME, "--series", "-Y", "ip", "-o", tmp_path / "out"], words, tmp_path)
    capture = tmp_path / "capture.pcapng"
    capture.write_bytes(ng.section())
    arguments = ["annotate", capture, "-o", tmp_path, "--format", "pcapng"]
    refuses(arguments, f"{capture}: is the capture itself; name another folder", tmp_path)


@pytest.mark.slow
def test_a_full_disk_ends_it(tmp_path: Path) -> None:
    done = run("annotate", MIX, LOSS, "-o", tmp_path / "out", "-j", "1", before=LIMIT)
    assert done.returncode == 2
    assert done.stderr.decode() == f"pywnv: {tmp_path / 'out' / 'mix.csv'}: File too large\n"
    assert not (tmp_path / "out").exists()


@contextmanager
def begun(pipe: Path) -> Iterator[None]:
    """A capture in a pipe, from which no more comes, but its end."""
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, ng.section() + ng.interface("a"))
    try:
        yield
    finally:
        os.close(writer)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_killed_half_way(tmp_path: Path, number: signal.Signals) -> None:
    """One capture is a pipe from which no more comes; another is done, and stays."""
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    arguments = command("annotate", SAME, pipe, "-o", out, "-j", "2")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, start_new_session=True) as process, begun(pipe):
        wait_for(lambda: (out / RECORD).exists() and len(list(out.iterdir())) == 3, process)
        if number == signal.SIGINT:  # a terminal sends it to all
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, words = process.communicate(timeout=TIMEOUT)
    assert process.returncode not in (0, 1, 2)
    assert b"Traceback" not in words
    assert tree(out) == {"single-udpsame.csv": whole(SAME)}


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_along(tmp_path: Path) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    arguments = command("annotate", pipe, SAME, MIX, "-o", out, "-j", "1")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process, begun(pipe):
        wait_for(lambda: out.exists() and list(out.iterdir()), process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
        _, words = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert words.decode().splitlines() == [
        "pywnv: 2 written, 0 skipped (output exists), 1 failed",
        f"pywnv: {pipe}: the process that annotated it died (exit code -9)",
    ]


def ring(folder: Path, capture: bytes, cuts: tuple[int, ...], order: str = "<") -> list[Path]:
    """A capture as the files that a ring buffer would have, each with all interfaces."""
    blocks = [block for _, kind, block in ordered_blocks(capture) if kind == ng.PACKET]
    head = b"".join(block for _, kind, block in ordered_blocks(capture) if kind in (ng.SECTION, ng.INTERFACE))
    paths = []
    for number, (start, stop) in enumerate(zip((0, *cuts), (*cuts, len(blocks)), strict=True)):
        paths.append(folder / f"ring_{number:05}.pcapng")
        paths[-1].write_bytes(head + b"".join(blocks[start:stop]))
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [(1,), (3, 5, 1200, 1201)])
def test_a_series_is_one_capture(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    paths = ring(tmp_path, gzip.decompress(MIX.read_bytes()), cuts)
    assert b"".join(rows(paths)) == b"".join(rows(paths[::-1])) == whole(MIX)
    done = run("annotate", "--series", *reversed(paths), "-o", tmp_path / "out.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "out.jsonl").read_bytes() == whole(MIX, Format.JSONL)
    assert [one.packet for one in pywnv.annotate(paths)] == [one.packet for one in pywnv.annotate(MIX)]


def test_a_series_of_pcaps(tmp_path: Path) -> None:
    routed = bytes.fromhex("00155d0a000300155d0a00040800") + ng.udp(ttl=63)
    records = [(1, 0, FRAME), (1, 5, ng.ethernet(ng.udp(b"other", 2))), (1, 9, routed)]
    paths = [tmp_path / name for name in ("0", "1", "2")]
    for path, record in zip(paths, records, strict=True):
        path.write_bytes(ng.pcap([record]))
    (tmp_path / "whole").write_bytes(ng.pcap(records))
    assert b"".join(rows(paths)) == whole(tmp_path / "whole")
    found = b"".join(rows(paths, output_format=Format.PCAPNG))
    assert sum(kind == ng.PACKET for _, kind, _ in ordered_blocks(found)) == 3


def test_the_order_of_a_series(tmp_path: Path) -> None:
    def made(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    start = ng.section() + ng.interface("a")
    late = made("a", start + ng.journal(ng.JOURNAL_ENTRY) + ng.packet(0, TICK + 9, FRAME))
    empty = made("b", start)
    nano = made("c", ng.section(">") + ng.interface("a", ">", resolution=9) + ng.packet(0, TICK * 1000 + 5, FRAME, ">"))
    classic = made("d", ng.pcap([(ng.SECONDS, 3, FRAME)]))
    offset = made("e", ng.section() + ng.interface("a", offset=ng.SECONDS) + ng.old_packet(0, 7, FRAME))
    assert in_order([late, empty, nano, classic, offset]) == [nano, classic, offset, late, empty]
    assert first_time(empty) is None
    assert in_order([classic]) == [classic]


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([process.stdout], [], [], TIMEOUT)[0], line
        line += os.read(process.stdout.fileno(), 1)
    return line


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_rows_come_as_frames_come(output_format: str) -> None:
    arguments = command("annotate", "-", "--format", output_format)
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(ng.section() + ng.interface("a"))
        process.stdin.flush()
        if output_format == "csv":
            assert read_line(process).startswith(b"frame,")
        for number in range(1, 6):
            block = ng.packet(0, TICK + number, ng.ethernet(ng.udp(b"x", number)))
            process.stdin.write(block[:30])  # half a block is no row yet
            process.stdin.flush()
            process.stdin.write(block[30:])
            process.stdin.flush()
            line = read_line(process)
            assert line.startswith(b"%d," % number if output_format == "csv" else b'{"frame":%d,' % number)
        process.stdin.close()
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert process.wait(TIMEOUT) == 0


def test_an_annotated_capture_comes_as_frames_come() -> None:
    with subprocess.Popen(
        command("annotate", "-", "--format", "pcapng"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(ng.section() + ng.interface("a") + ng.packet(0, TICK, FRAME))
        process.stdin.flush()
        found = b""
        while b"(wnv frame=1" not in found:
            assert select.select([process.stdout], [], [], TIMEOUT)[0]
            found += os.read(process.stdout.fileno(), 65536)
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0


def test_a_gzipped_pipe(tmp_path: Path) -> None:
    done = subprocess.run(command("annotate", "-"), input=MIX.read_bytes(), capture_output=True, timeout=TIMEOUT)
    assert done.stdout == whole(MIX)
    assert len(list(csv.reader(done.stdout.decode().splitlines()))) == 2423


@pytest.mark.slow
def test_a_folder_of_captures(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for path in (MIX, SAME):
        (folder / path.name).symlink_to(path)
    for name in ("notes.txt", "rows.csv.gz", ".hidden.pcapng"):
        (folder / name).write_bytes(b"no capture")
    done = run("annotate", folder, "-o", out)
    assert (done.returncode, done.stderr) == (0, b"pywnv: 2 written, 0 skipped (output exists), 0 failed\n")
    assert tree(out) == {"mix.csv": whole(MIX), "single-udpsame.csv": whole(SAME)}
    (tmp_path / "none").mkdir()
    words = f"{tmp_path / 'none'}: holds no capture (.pcapng, .pcap or .cap, also with .gz; .etl)"
    refuses(["annotate", tmp_path / "none", "-o", out], words, tmp_path)
    words = "several captures: name a folder with -o, or use --series if they are one"
    refuses(["annotate", folder], words, tmp_path)


@pytest.mark.slow
def test_a_rerun_with_other_options_takes_no_old_rows_for_its_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = ["annotate", MIX, "-o", f"{out}/"]
    assert run(*first).returncode == 0
    for options, named in (
        (["--window", "0.001"], "--window"),
        (["--columns", "frame,hop"], "--columns"),
        (["--window", "0.001", "-Y", "ip"], "--window and --filter"),
    ):
        done = run(*first, *options)
        words = f"was written with another {named}; use --force to replace it, or another folder"
        assert done.stderr.decode().splitlines()[1:] == [f"pywnv: {out / 'mix.csv'}: {words}"]
        assert done.returncode == 1
    assert tree(out) == {"mix.csv": whole(MIX)}
    assert run(*first, "--columns", "frame", "--force").returncode == 0
    assert run(*first, "--columns", "frame").stderr == b"pywnv: 0 written, 1 skipped (output exists), 0 failed\n"
    assert run(*first).returncode == 1
    (out / RECORD).write_bytes(b'{"output": "mix')
    done = run(*first)
    assert b"its options were not recorded" in done.stderr
