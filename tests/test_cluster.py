"""Captures that a dask cluster annotates: outputs and words as here, and nobody who dies leaves half of one."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES, TIMEOUT, command, run
from distributed import Client, LocalCluster
from test_bad_output import refuses, tree, wait_for
from test_convert_use import host_trace
from test_many import BROKEN, MIX, SAME, begun, whole

from pywnv import __version__
from pywnv.annotate.rows import Format
from pywnv.errors import UsageError
from pywnv.extras import install_command
from pywnv.parallel import cluster
from pywnv.parallel.many import Job
from pywnv.parallel.options_record import RECORD

pytestmark = pytest.mark.slow

QUICK = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as made:
        yield made


def annotating(worker: int) -> list[int]:
    """The processes that annotate for a worker."""
    found = []
    for children in Path(f"/proc/{worker}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # they come and go
            for child in children.read_text().split():
                if b"pywnv.parallel.cluster" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def is_open(handle: Path, path: Path) -> bool:
    try:
        return handle.samefile(path)
    except (FileNotFoundError, ProcessLookupError):  # closed meanwhile
        return False


def readers(worker: int, path: Path) -> list[int]:
    """Of the processes that annotate for a worker, those that have opened a file."""
    found = []
    for pid in annotating(worker):
        with suppress(FileNotFoundError, ProcessLookupError):
            if any(is_open(handle, path) for handle in Path(f"/proc/{pid}/fd").glob("*")):
                found.append(pid)
    return found


def processes_of(cluster: LocalCluster) -> list[int]:
    return [pid for worker in cluster.workers.values() for pid in annotating(worker.pid)]


def words_of(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    first, *others = done.stderr.decode().splitlines()
    return [first, *sorted(others)]


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "jsonl", "--window", "0.001", "--topology", CAPTURES / "lab.toml"],
        ["--format", "pcapng"],
        pytest.param(["-Y", "tcp"], marks=pytest.mark.wireshark),
    ],
    ids=["jsonl", "pcapng", "tshark"],
)
def test_the_same_as_here(tmp_path: Path, local: LocalCluster, options: list[object]) -> None:
    """Paths are relative to where the user is, whose folder is not the workers'."""
    (tmp_path / "bad.pcapng").write_bytes(BROKEN)
    (tmp_path / "cut.pcapng").write_bytes(ng.section() + ng.interface("a") + ng.packet(0, 0, b"frame")[:-3])
    host_trace(tmp_path / "host.etl")
    captures = [MIX, "bad.pcapng", "missing.pcapng", "cut.pcapng"] + ["host.etl"] * ("pcapng" not in options)
    here = run("annotate", *captures, "-o", "here", *options, cwd=tmp_path)
    there = run("annotate", *captures, "-o", "there", *options, "--cluster", local.scheduler_address, cwd=tmp_path)
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout) == (1, b"")
    assert words_of(there) == words_of(here)
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
    assert len(tree(tmp_path / "there")) == len(captures) - 2


def test_a_rerun_does_the_rest(tmp_path: Path, local: LocalCluster) -> None:
    out, bad = tmp_path / "out", tmp_path / "bad.pcapng"
    bad.write_bytes(BROKEN)
    arguments = ["annotate", MIX, bad, "-o", out, "--cluster"]
    assert run(*arguments, local.scheduler_address).returncode == 1
    (out / "mix.csv").write_bytes(b"kept")
    bad.write_bytes(ng.section())
    done = run(*arguments, local.scheduler_address)
    empty = f"pywnv: warning: {bad}: holds no packets; describes 0 interfaces\n"
    words = f"{empty}pywnv: 1 written, 1 skipped (output exists), 0 failed\n"
    assert (done.returncode, done.stderr.decode()) == (0, words)
    assert tree(out) == {"mix.csv": b"kept", "bad.csv": whole(bad)}
    done = run(*arguments, "tcp://127.0.0.1:1", environment=QUICK)  # all is done: nobody is asked
    assert (done.returncode, done.stderr) == (0, b"pywnv: 0 written, 2 skipped (output exists), 0 failed\n")
    done = run(*arguments, local.scheduler_address, "--force")
    assert done.stderr.decode() == f"{empty}pywnv: 2 written, 0 skipped (output exists), 0 failed\n"
    assert tree(out) == {"mix.csv": whole(MIX), "bad.csv": whole(bad)}
    (out / "mix.csv").unlink()
    (out / "mix.csv").mkdir()
    done = run(*arguments, local.scheduler_address, "--force")
    assert done.returncode == 2
    words = done.stderr.decode().removeprefix(empty)  # bad.pcapng may have come first
    assert words == f"pywnv: {out / 'mix.csv'}: Is a directory\n"
    assert {path.name for path in out.iterdir()} <= {"mix.csv", "bad.csv", RECORD}


def test_a_full_disk_ends_it(tmp_path: Path, local: LocalCluster) -> None:
    pids = [worker.pid for worker in local.workers.values()]
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)) for pid in pids]
    try:
        done = run("annotate", MIX, SAME, "-o", tmp_path / "out", "--cluster", local.scheduler_address)
    finally:
        for pid, limit in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    assert done.returncode == 2
    assert done.stderr.decode() in {
        f"pywnv: {tmp_path / 'out' / name}.csv: File too large\n" for name in ("mix", "single-udpsame")
    }
    assert not (tmp_path / "out").exists()


def test_what_workers_do_not_see(tmp_path: Path, local: LocalCluster) -> None:
    """/proc/self/cwd is where each process is: the workers are in another folder."""
    here = Path("/proc/self/cwd")
    (tmp_path / "a.pcapng").write_bytes(ng.section())
    (tmp_path / "README.md").write_bytes(b"another")
    arguments = ["annotate", here / "a.pcapng", here / "README.md", MIX, "--cluster", local.scheduler_address, "-o"]
    done = run(*arguments, tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    first, *others = [re.sub(r"worker tcp://[\d.:]+\d", "worker W", line) for line in words_of(done)]
    assert first == "pywnv: 1 written, 0 skipped (output exists), 2 failed"
    size = (Path.cwd() / "README.md").stat().st_size
    assert others == [
        f"pywnv: {here / 'README.md'}: worker W sees another file, or it still grows: {size} bytes, not 7",
        f"pywnv: {here / 'a.pcapng'}: worker W does not see it; it must have the same path on every worker",
    ]
    done = run(*arguments, here / "out2", cwd=tmp_path)
    assert done.returncode == 1
    first, *others = words_of(done)
    assert first == "pywnv: 0 written, 0 skipped (output exists), 3 failed"
    assert all(words.startswith(f"pywnv: {here / 'out2'}: worker tcp://") for words in others)
    assert all(
        words.endswith("does not see this folder; it must have the same path on every worker") for words in others
    )
    assert not (tmp_path / "out2").exists()


def test_a_process_that_dies_takes_no_other_along(tmp_path: Path, local: LocalCluster) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    arguments = command("annotate", pipe, SAME, "-o", out, "--cluster", local.scheduler_address)
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process, begun(pipe):

        def begun_ones() -> list[int]:
            return [pid for worker in local.workers.values() for pid in readers(worker.pid, pipe)]

        # The other's process may be there still, and have to say that it has written.
        wait_for(lambda: (out / "single-udpsame.csv").exists() and begun_ones(), process)
        for pid in begun_ones():
            os.kill(pid, signal.SIGKILL)
        _, words = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert words.decode().splitlines() == [
        "pywnv: 1 written, 0 skipped (output exists), 1 failed",
        f"pywnv: {pipe}: the process that annotated it died (exit code -9)",
    ]
    assert tree(out) == {"single-udpsame.csv": whole(SAME)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_client_ends_half_way(tmp_path: Path, local: LocalCluster, number: signal.Signals) -> None:
    """Two captures are pipes from which no more comes, the third waits; one is done, and stays."""
    pipes, out = [tmp_path / name for name in ("1", "2", "3")], tmp_path / "out"
    for pipe in pipes:
        os.mkfifo(pipe)
    arguments = command("annotate", SAME, *pipes, "-o", out, "--cluster", local.scheduler_address)
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process, begun(pipes[0]), begun(pipes[1]):
        wait_for(lambda: (out / "single-udpsame.csv").exists() and len(processes_of(local)) == 2, process)
        process.send_signal(number)
        _, words = process.communicate(timeout=TIMEOUT)
        assert process.returncode not in (0, 1, 2)
        assert words == b""
        with subprocess.Popen(["sleep", str(TIMEOUT)]) as sleep:
            done = {"single-udpsame.csv", RECORD}
            wait_for(lambda: not processes_of(local) and {path.name for path in out.iterdir()} <= done, sleep)
            sleep.kill()
    assert tree(out) == {"single-udpsame.csv": whole(SAME)}


def test_a_worker_that_comes_later_and_has_another_pywnv(tmp_path: Path, local: LocalCluster) -> None:
    job = Job(SAME, tmp_path / "out.csv", Format.CSV, None, None, None, None, False)
    task = cluster.Task(job, SAME.stat().st_size, tmp_path, "0.0.1")
    with Client(local, set_as_default=False) as client:
        result = client.submit(cluster.annotate, task).result(TIMEOUT)
    assert result.error.startswith(f"{SAME}: worker tcp://")
    assert result.error.endswith(f" has pywnv {__version__}, not 0.0.1 as here")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be(tmp_path: Path) -> None:
    words = "--cluster: name a folder with -o that every worker can reach"
    refuses(["annotate", MIX, "--cluster", "tcp://127.0.0.1:1"], words, tmp_path)
    words = "--series: one process decides a series in order; omit --cluster"
    arguments = ["annotate", MIX, SAME, "-o", tmp_path / "out", "--cluster", "tcp://127.0.0.1:1"]
    refuses([*arguments, "--series"], words, tmp_path)
    words = "--jobs: with --cluster, the workers set how many captures run at a time; omit --jobs"
    refuses([*arguments, "-j", "2"], words, tmp_path)


def test_no_scheduler_answers(tmp_path: Path, local: LocalCluster) -> None:
    arguments = ["annotate", MIX, "-o", tmp_path / "out", "--cluster"]
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        for address in ("tcp://127.0.0.1:1", f"127.0.0.1:{deaf.getsockname()[1]}"):
            words = f"{address}: no dask scheduler answers; start one with: dask scheduler"
            refuses([*arguments, address], words, tmp_path, environment=QUICK)
    refuses([*arguments, ""], "--cluster : is not an address such as tcp://host:8786", tmp_path)
    job = Job(SAME, tmp_path / "out.csv", Format.CSV, None, None, None, None, False)
    for address in ("tcp://", "tcp://host", "carrier-pigeon://host:1", "tcp://127.0.0.1:99999999", "processes"):
        with pytest.raises(UsageError, match=f"^--cluster {address}: is not an address such as"):
            next(cluster.run_all([job], address, warn=print))
    worker = next(iter(local.workers.values())).worker_address
    refuses([*arguments, worker], f"{worker}: is a dask Worker, not its scheduler", tmp_path)
    assert tree(tmp_path) == {}


def test_without_the_extra(tmp_path: Path) -> None:
    code = "import sys; sys.modules['distributed'] = None; from pywnv.cli.main import main; main()"
    arguments = ["annotate", str(MIX), "-o", str(tmp_path / "out"), "--cluster", "tcp://127.0.0.1:1"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    words = f"pywnv: --cluster: needs dask.distributed; run: {install_command('cluster', 'distributed')}\n"
    assert (done.returncode, done.stderr) == (2, words)
    assert list(tmp_path.iterdir()) == []
