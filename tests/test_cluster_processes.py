"""A scheduler and workers that are started as processes, that come late, die, or are not as they should be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import TIMEOUT, command, run
from test_bad_output import tree, wait_for
from test_cluster import annotating, readers
from test_many import SAME, begun, whole

from pywnv import __version__
from pywnv.annotate.rows import Format
from pywnv.errors import ClusterError
from pywnv.parallel import cluster
from pywnv.parallel.many import Job, Result

pytestmark = pytest.mark.slow

START = ng.section() + ng.interface("a")


@contextmanager
def started(
    *arguments: object, environment: dict[str, str] | None = None, python: Path = Path(sys.executable)
) -> Iterator[subprocess.Popen[bytes]]:
    """One of dask's commands, until it is not needed any more."""
    dask = [python, "-m", "dask", *map(str, arguments), "--dashboard-address", "127.0.0.1:0"]
    env = os.environ | (environment or {})
    with subprocess.Popen(dask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def started_scheduler(folder: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    file = folder / "scheduler.json"
    arguments = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file]
    with started(*arguments, environment=environment) as process:
        wait_for(lambda: file.exists() and file.read_bytes().endswith(b"}"), process)
        yield json.loads(file.read_bytes())["address"], process


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with started_scheduler(tmp_path_factory.mktemp("scheduler")) as (address, _):
        yield address


@pytest.fixture
def worker(tmp_path: Path) -> Callable[[str], object]:
    def start(address: str, **environment: str) -> object:
        arguments = ["worker", address, "--no-nanny", "--nthreads", "1", "--local-directory", tmp_path / "dask"]
        return started(*arguments, environment=environment)

    return start


def kill(worker: subprocess.Popen[bytes]) -> None:
    others = annotating(worker.pid)
    worker.kill()
    worker.wait()
    for pid in others:
        with suppress(ProcessLookupError):  # it may have seen first that its worker is gone
            os.kill(pid, signal.SIGKILL)


def piped(tmp_path: Path) -> tuple[Path, Path]:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe", tmp_path / "out"


def test_a_worker_that_comes_late(tmp_path: Path, scheduler: str, worker: Callable[..., object]) -> None:
    arguments = command("annotate", SAME, "-o", tmp_path / "out", "--cluster", scheduler)
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        words = f"pywnv: warning: {scheduler}: has no worker yet; waiting 60 s for one\n"
        assert process.stderr.readline().decode() == words
        with worker(scheduler):
            _, words = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, words) == (0, b"pywnv: 1 written, 0 skipped (output exists), 0 failed\n")
    assert tree(tmp_path / "out") == {"single-udpsame.csv": whole(SAME)}


def done_here(capture: Path, out: Path, scheduler: str, warnings: list[str]) -> list[Result]:
    out.mkdir()
    job = Job(capture, out / "out.csv", Format.CSV, None, None, None, None, False)
    return list(cluster.run_all([job], scheduler, warn=warnings.append))


def test_no_worker_comes(tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WAIT", 0.2)
    warnings: list[str] = []
    words = f"{scheduler}: has no worker; start some with: dask worker {scheduler}"
    with pytest.raises(ClusterError, match=f"^{words}$"):
        done_here(SAME, tmp_path / "out", scheduler, warnings)
    assert warnings == [f"{scheduler}: has no worker yet; waiting 0.2 s for one"]
    assert list((tmp_path / "out").iterdir()) == []


def test_no_worker_is_left(
    tmp_path: Path, scheduler: str, worker: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, out = piped(tmp_path)

    def end(process: subprocess.Popen[bytes]) -> None:
        wait_for(lambda: annotating(process.pid), process)
        monkeypatch.setattr(cluster, "WAIT", 0.5)
        kill(process)

    with begun(pipe), worker(scheduler) as process:
        ending = threading.Thread(target=end, args=[process])
        ending.start()
        with pytest.raises(ClusterError, match=r"no worker is left; finished outputs are kept: run it again$"):
            done_here(pipe, out, scheduler, [])
        ending.join()
    assert list(out.iterdir()) == []


def test_a_worker_dies_and_another_does_its_capture(
    tmp_path: Path, scheduler: str, worker: Callable[..., object]
) -> None:
    pipe, out = piped(tmp_path)
    arguments = command("annotate", pipe, "-o", out, "--cluster", scheduler)
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(arguments, stderr=subprocess.PIPE))
        with begun(pipe), worker(scheduler) as first:
            wait_for(lambda: readers(first.pid, pipe), process)
            kill(first)
            second = stack.enter_context(worker(scheduler))
            wait_for(lambda: readers(second.pid, pipe), process)
            with pipe.open("wb") as writer:
                writer.write(START + ng.packet(0, 0, ng.ethernet()))
        _, words = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert words.decode().splitlines()[-1] == "pywnv: 1 written, 0 skipped (output exists), 0 failed"
    (tmp_path / "whole").write_bytes(START + ng.packet(0, 0, ng.ethernet()))
    assert tree(out) == {"pipe.csv": whole(tmp_path / "whole")}


def test_what_kills_workers_is_listed_and_a_scheduler_that_dies_ends_it(
    tmp_path: Path, worker: Callable[..., object]
) -> None:
    pipe, out = piped(tmp_path)
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with begun(pipe), started_scheduler(tmp_path, **settings) as (address, scheduler):
        arguments = command("annotate", pipe, "-o", out, "--cluster", address)
        with worker(address) as first, subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
            wait_for(lambda: annotating(first.pid), process)
            kill(first)
            _, words = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 1, words
        assert words.decode().splitlines()[-2:] == [  # before that, it may have waited for the worker
            "pywnv: 0 written, 0 skipped (output exists), 1 failed",
            f"pywnv: {pipe}: the workers that annotated it died, 1 of them",
        ]
        assert not out.exists()
        with worker(address) as second, subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
            wait_for(lambda: annotating(second.pid), process)
            begin = time.monotonic()
            scheduler.kill()
            _, words = process.communicate(timeout=TIMEOUT)
            assert time.monotonic() - begin < TIMEOUT / 2
            kill(second)
        assert process.returncode == 2
        last = words.decode().splitlines()[-1]
        assert last == f"pywnv: {address}: the scheduler is gone; finished outputs are kept: run it again"
        assert not out.exists()


def test_a_worker_has_another_pywnv(tmp_path: Path, scheduler: str, worker: Callable[..., object]) -> None:
    other = tmp_path / "site" / "pywnv-99.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: pywnv\nVersion: 99.0\n")
    with worker(scheduler, PYTHONPATH=str(other.parent)):
        done = run("annotate", SAME, "-o", tmp_path / "out", "--cluster", scheduler)
    assert done.returncode == 2
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith(f"pywnv: {scheduler}: worker tcp://127.0.0.1:")
    assert last.endswith(f" has pywnv 99.0; install {__version__} on every worker")
    assert not (tmp_path / "out").exists()


def test_a_worker_has_no_pywnv(tmp_path: Path, scheduler: str) -> None:
    """It is run by a Python that has what is installed here, but for pywnv."""
    site = tmp_path / "site"
    site.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "pywnv" not in path.name:
            (site / path.name).symlink_to(path)
    python = Path(sys.base_prefix) / "bin" / "python3"
    arguments = ["worker", scheduler, "--no-nanny", "--local-directory", tmp_path / "dask"]
    with started(*arguments, environment={"PYTHONPATH": str(site)}, python=python):
        done = run("annotate", SAME, "-o", tmp_path / "out", "--cluster", scheduler)
    assert done.returncode == 2
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith(f"pywnv: {scheduler}: worker tcp://127.0.0.1:")
    assert last.endswith(f" has no pywnv; install {__version__} on every worker")
