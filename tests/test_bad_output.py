"""Outputs that cannot be written, readers that go, and ends before the end: nothing is broken, nothing stays behind."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES, TIMEOUT, command, run

from pywnv.annotate.rows import rows
from pywnv.errors import OutputError
from pywnv.files.output import whole_file
from pywnv.parallel.options_record import RECORD

MIX = CAPTURES / "mix.pcapng.gz"
BROKEN = ng.section() + ng.interface("a") + ng.packet(0, 0, b"frame") + ng.raw_block(6, bytes(20), length=13)
LIMIT = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
    "os.environ.pop('COVERAGE_PROCESS_CONFIG', None)"  # `make coverage` writes more
)


def tree(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but the record of the options."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != RECORD]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refuses(arguments: list[object], words: str, folder: Path, **options: object) -> None:
    """Runs pywnv: it ends with code 2 and one line, and leaves the folder as it is."""
    before = tree(folder)
    done = run(*arguments, **options)
    assert done.stderr.decode() == f"pywnv: {words}\n"
    assert (done.returncode, done.stdout or b"") == (2, b"")
    assert tree(folder) == before


def test_an_existing_output_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(b"precious")
    refuses(["annotate", MIX, "-o", out], f"{out}: exists already; use --force to replace it", tmp_path)
    done = run("annotate", MIX, "-o", out, "--force")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert tree(tmp_path) == {"out.csv": b"".join(rows(MIX))}


def test_an_existing_output_is_kept_when_the_capture_turns_out_to_be_broken(tmp_path: Path) -> None:
    capture, out = tmp_path / "capture", tmp_path / "out.csv"
    out.write_bytes(b"precious")
    capture.write_bytes(BROKEN)
    size = len(BROKEN) - 32
    words = (
        f"{capture}: broken at byte {size}, after frame 1: a block of type 0x00000006 that claims to be 13 bytes long"
    )
    refuses(["annotate", capture, "-o", out, "--force"], words, tmp_path)
    missing = tmp_path / "missing"
    refuses(["annotate", missing, "-o", out, "--force"], f"{missing}: No such file or directory", tmp_path)


def test_the_capture_is_not_overwritten(tmp_path: Path) -> None:
    capture, link, hard = tmp_path / "capture", tmp_path / "link", tmp_path / "hard"
    capture.write_bytes(MIX.read_bytes())
    link.symlink_to(capture)
    hard.hardlink_to(capture)
    for out in (capture, link, hard):
        refuses(["annotate", capture, "-o", out], f"{out}: exists already; use --force to replace it", tmp_path)
        words = f"{out}: is the capture itself; name another output"
        refuses(["annotate", capture, "-o", out, "--force"], words, tmp_path)
        refuses(["annotate", out, "-o", capture, "--force"], words.replace(str(out), str(capture)), tmp_path)


def test_no_folder_for_the_output(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    missing = f"there is no folder {tmp_path / 'none'}; make it first"
    for name, words in (("none/out.csv", missing), ("file/out.csv", "Not a directory")):
        refuses(["annotate", MIX, "-o", tmp_path / name], f"{tmp_path / name}: {words}", tmp_path)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_the_output_is_a_folder(tmp_path: Path, force: list[object]) -> None:
    (tmp_path / "folder").mkdir()
    # --force would not help, so it is not offered.
    refuses(
        ["dedup", MIX, "-o", tmp_path / "folder", *force], f"{tmp_path / 'folder'}: is a folder; name a file", tmp_path
    )


def test_a_long_name_of_an_output(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".csv", "抓" * 83 + ".csv"):  # 255 and 253 bytes: as long as a name may be
        done = run("annotate", MIX, "-o", tmp_path / name)
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / name).read_bytes() == b"".join(rows(MIX))


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT, exFAT and some network shares know no hard links: then another way must do."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with whole_file(tmp_path / "out.csv", force=False, sources=[MIX]) as file:
        file.write(b"rows")
    assert tree(tmp_path) == {"out.csv": b"rows"}


def test_an_output_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with pytest.raises(OutputError, match="appeared while"), whole_file(out, force=False, sources=[MIX]) as file:  # noqa: PT012  # leaving it raises
        file.write(b"rows")
        out.write_bytes(b"precious")
    assert tree(tmp_path) == {"out.csv": b"precious"}


def test_an_output_has_the_rights_of_a_new_file(tmp_path: Path) -> None:
    done = run("annotate", MIX, "-o", tmp_path / "out.csv", before="os.umask(0o027)")
    assert done.returncode == 0
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o640


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_or_device_is_written_to_and_never_replaced(tmp_path: Path, linked: bool) -> None:
    """With `-o /dev/null --force` root must not lose /dev/null: a pipe behaves alike, and is safer to try."""
    pipe, out = tmp_path / "pipe", tmp_path / ("link" if linked else "pipe")
    capture = tmp_path / "capture"
    capture.write_bytes(ng.section() + ng.interface("a") + ng.packet(0, 0, b"frame"))
    os.mkfifo(pipe)
    if linked:
        out.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = run("annotate", capture, "-o", out, "--force")
        assert (done.returncode, done.stderr) == (0, b"")
        assert stat.S_ISFIFO(pipe.lstat().st_mode)
        assert out.is_symlink() == linked
        assert os.read(reader, 65536) == b"".join(rows(capture))
    finally:
        os.close(reader)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="handles have no names here")
@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("target", ["/proc/self/fd/1", "/dev/fd/1", "/dev/stdout"])
def test_a_handle_is_written_to_and_its_link_never_replaced(tmp_path: Path, target: str, force: list[object]) -> None:
    """With `-o /dev/stdout > file` root must not lose /dev/stdout, and the file keeps what is in it."""
    link, file = tmp_path / "stdout", tmp_path / "file"
    link.symlink_to(target)
    file.write_bytes(b"before\n")
    with file.open("ab") as out:
        done = run("annotate", MIX, "-o", link, *force, stdout=out)
    assert (done.returncode, done.stderr) == (0, b"")
    assert link.is_symlink()
    assert file.read_bytes() == b"before\n" + b"".join(rows(MIX))


@pytest.mark.parametrize("name", ["out.csv", "new.csv"])
def test_a_full_disk(tmp_path: Path, name: str) -> None:
    (tmp_path / "out.csv").write_bytes(b"precious")
    out = tmp_path / name
    refuses(["annotate", MIX, "-o", out, "--force"], f"{out}: File too large", tmp_path, before=LIMIT)


# Where it is set, as in many containers, Python may write a part of what it is given, and only say so.
UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"])


@UNBUFFERED
@pytest.mark.parametrize("capture", ["mix", "single-udpsame"])  # more, and less, than fits a buffer
def test_stdout_is_full(capture: str, unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = run("annotate", CAPTURES / f"{capture}.pcapng.gz", stdout=full, environment=environment)
    assert re.fullmatch(r"pywnv: .*No space left on device.*\n", done.stderr.decode())
    assert done.returncode == 2


@UNBUFFERED
def test_stdout_gets_full(tmp_path: Path, unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with (tmp_path / "out.csv").open("wb") as out:
        done = run("annotate", MIX, stdout=out, environment=environment, before=LIMIT)
    assert re.fullmatch(r"pywnv: .*File too large.*\n", done.stderr.decode())
    assert done.returncode == 2


def test_stdout_is_closed() -> None:
    done = run("annotate", MIX, before="os.close(1)")
    assert b"Traceback" not in done.stderr
    assert re.fullmatch(r"pywnv: .*\n", done.stderr.decode())
    assert done.returncode == 2


WORDS: tuple[list[object], ...] = (["inspect", MIX], ["inspect", "--json", MIX], ["explain", MIX, 1], ["--version"])


@pytest.mark.slow
@UNBUFFERED
@pytest.mark.parametrize("arguments", WORDS)
def test_stdout_cannot_take_words(arguments: list[object], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = run(*arguments, stdout=full, environment=environment)
    assert (done.returncode, done.stderr) == (2, b"pywnv: stdout: No space left on device\n")
    done = run(*arguments, before="os.close(1)", environment=environment)
    assert (done.returncode, done.stderr) == (2, b"pywnv: stdout: Bad file descriptor\n")


def test_a_full_disk_takes_no_help() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("annotate", "--help", stdout=full, before="pass")  # as Python itself starts and ends
    assert (done.returncode, done.stderr) == (2, b"pywnv: No space left on device\n")


@pytest.mark.parametrize("arguments", [["annotate", "missing"], ["annotate"], ["host"]])
def test_a_full_disk_takes_no_error(arguments: list[str]) -> None:
    assert run(*arguments, before="os.dup2(os.open('/dev/full', os.O_WRONLY), 2)").returncode == 2


@pytest.mark.parametrize("stderr", ["os.dup2(os.open('/dev/full', os.O_WRONLY), 2)", "os.close(2)"])
def test_an_output_is_no_failure_where_words_about_it_find_no_room(tmp_path: Path, stderr: str) -> None:
    out = tmp_path / "once.pcapng"
    assert run("dedup", MIX, "-o", out, before=stderr).returncode == 0
    assert out.stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "cp936", "ascii", "utf-8"])
def test_stdout_lacks_a_character(tmp_path: Path, encoding: str) -> None:
    """As Python sets it on Windows, where stdout is a file or a pipe."""
    capture, name = tmp_path / "capture", "以太网 é"
    frames = [ng.packet(number, 1 + 20 * number, ng.ethernet()) for number in (0, 1)]
    capture.write_bytes(ng.section() + ng.interface(name) + ng.interface("b") + b"".join(frames))
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    for arguments in (["inspect", capture], ["explain", capture, 1, 2]):
        done = run(*arguments, environment=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode(encoding)
        for words in (name, "20 µs" if arguments[0] == "inspect" else "20.000 µs"):
            assert words.encode(encoding, "replace").decode(encoding) in text
    done = run("inspect", "--json", capture, environment=environment)
    assert json.loads(done.stdout)["hops"][0]["name"] == name


def test_stderr_is_closed() -> None:
    done = run("annotate", MIX, before="os.close(2)")
    assert done.returncode == 0
    assert done.stdout == b"".join(rows(MIX))


@UNBUFFERED
@pytest.mark.parametrize("engine", ["lupa", pytest.param("tshark", marks=pytest.mark.wireshark)])
def test_a_reader_that_goes(engine: str, unbuffered: str) -> None:
    arguments = command("annotate", CAPTURES / "lbfo-tcp.pcapng.gz", "--engine", engine)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"frame,")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(TIMEOUT) == 0


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def is_waiting(process: subprocess.Popen[bytes]) -> bool:
    """Whether it sleeps, and not for a moment only: a signal just before a read that waits is lost to Python."""

    def state() -> tuple[str, ...]:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], *fields[11:13]  # what it does, and its CPU time

    before = state()
    time.sleep(0.2)
    return before[0] == "S" and state() == before


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["lupa", pytest.param("tshark", marks=pytest.mark.wireshark)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_killed_half_way(tmp_path: Path, number: signal.Signals, engine: str) -> None:
    """The capture is a pipe from which no more comes: pywnv waits, its output begun."""
    results, scratch, capture = tmp_path / "results", tmp_path / "scratch", tmp_path / "capture"
    for folder in (results, scratch):
        folder.mkdir()
    (results / "out.csv").write_bytes(b"precious")
    os.mkfifo(capture)
    writer = os.open(capture, os.O_RDWR)  # keeps the pipe open
    os.write(writer, ng.section() + ng.interface("a"))
    environment = {**os.environ, "TMPDIR": str(scratch)}
    arguments = command("annotate", capture, "-o", results / "out.csv", "--force", "--engine", engine)
    try:
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, env=environment) as process:
            wait_for(lambda: len(list(results.iterdir())) == 2, process)
            if engine == "tshark":
                wait_for(lambda: list(scratch.glob("*/wnv.lua")), process)
            wait_for(lambda: is_waiting(process), process)
            process.send_signal(number)
            _, words = process.communicate(timeout=TIMEOUT)
    finally:
        os.close(writer)
    assert process.returncode not in (0, 1, 2)
    assert b"Traceback" not in words
    assert words.count(b"\n") <= 1
    assert tree(results) == {"out.csv": b"precious"}
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        (["dedup", CAPTURES / "udpsame.pcapng.gz", "-o", "out.pcap"], ".pcapng"),
        (["convert", "trace.etl", "-o", "out.csv"], ".pcapng"),
        (["profile", "export", "out.tar"], ".zip"),
        (["host", "script", "-o", "out.xlsx"], ".ps1"),
        (["validate", "--junit", "out.json"], ".xml"),
        (["join", "a.pcapng", "b.pcapng", "-o", "out.csv"], ".pcapng"),
    ],
)
def test_ending_of_another_format(tmp_path: Path, command: list[str | Path], ending: str) -> None:
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode() == f"pywnv: {command[-1]}: this command writes {ending}; use that ending\n"
    assert not list(tmp_path.iterdir())
