"""Annotates captures on the workers of a dask.distributed cluster, as `many` does with local processes.

A worker writes into a hidden folder beside the outputs, and only the client renames an output to its final name. So no
output is ever incomplete or written twice, whichever process dies.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from warnings import catch_warnings

from pywnv.errors import ClusterError, MissingExtraError, OutputError, UsageError
from pywnv.extras import install_command
from pywnv.files.output import publish, tidy_on_signals
from pywnv.parallel.job import Job, Result
from pywnv.parallel.many import run
from pywnv.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client, Future

WAIT = 60.0  # seconds for a worker to come
GOODBYE = 10  # seconds for a process, or the scheduler, to end
POLL = 1.0
SERVE = "from pywnv.parallel.cluster import serve; serve()"


@dataclass(frozen=True)
class Task:
    """What a worker is sent.

    Attributes:
        job: with paths that do not depend on where a process runs.
        size: of the capture, as the client sees it; None: it sees none.
        staging: the client's hidden folder.
        version: of the client's pywnv.
    """

    job: Job
    size: int | None
    staging: Path
    version: str


def serve() -> None:
    """Does the job that comes on stdin; its result goes to stdout."""
    tidy_on_signals()
    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301  # of the worker that started us
    pickle.dump(run(job), sys.stdout.buffer)


def annotate(task: Task) -> Result:
    """Does a task, on a worker; never raises for what is wrong with its capture."""
    from distributed import get_worker

    worker = get_worker()
    wrong = _unlike_the_client(task, f"worker {worker.address}")
    if wrong:
        return Result(task.job, error=wrong)
    key = worker.get_current_task()

    def is_wanted() -> bool:
        """Whether the client is there and has not cancelled it."""
        state = worker.state.tasks.get(key)
        return state is not None and state.state == "executing"

    job = replace(task.job, output=task.staging / secrets.token_hex(8))
    result = _in_a_process(job, is_wanted)
    if not is_wanted():
        job.output.unlink(missing_ok=True)
        with suppress(OSError):
            task.staging.rmdir()  # the last one out, where the client could not
    return result


def _unlike_the_client(task: Task, worker: str) -> str | None:
    """What differs here from where the client is, in one line."""
    if task.version != __version__:
        return f"{task.job.capture}: {worker} has pywnv {__version__}, not {task.version} as here"
    if not task.staging.is_dir():
        folder = task.job.output.parent
        return f"{folder}: {worker} does not see this folder; it must have the same path on every worker"
    if task.size is not None:
        try:
            size = task.job.capture.stat().st_size
        except OSError:
            return f"{task.job.capture}: {worker} does not see it; it must have the same path on every worker"
        if size != task.size:
            return f"{task.job.capture}: {worker} sees another file, or it still grows: {size} bytes, not {task.size}"
    return None


def _in_a_process(job: Job, is_wanted: Callable[[], bool]) -> Result:
    """Does a job in a process of its own: one that dies takes no worker along, and threads would share one core."""
    command = [sys.executable, "-P", "-c", SERVE]  # multiprocessing lets a worker, a daemon, have no children
    request: bytes | None = pickle.dumps(job)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while is_wanted():
            try:
                answer, _ = process.communicate(request, timeout=POLL)
            except subprocess.TimeoutExpired:
                request = None
                continue
            if process.returncode == 0:
                result: Result = pickle.loads(answer)  # noqa: S301  # of a process of our own
                return result
            words = f"{job.capture}: the process that annotated it died (exit code {process.returncode})"
            return Result(job, error=words)
        for _ in range(GOODBYE):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
                break
        else:
            process.kill()
    return Result(job, error=f"{job.capture}: was cancelled")


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the outputs, which goes with all that is left in it."""
    staging = folder / f".pywnv-{secrets.token_hex(8)}"
    try:
        staging.mkdir()
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check(address: str) -> None:
    """Refuses what is not an address: of some words dask makes clusters of its own."""
    with suppress(ValueError):
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        if parts.scheme in ("tcp", "tls", "ws", "wss") and parts.hostname and parts.port:
            return
    raise UsageError(f"--cluster {address}: is not an address such as tcp://host:8786")


async def _kind(address: str) -> str:
    """What a server of dask is; one that is deaf is not waited for longer than dask waits for a connection."""
    import dask
    from dask.utils import parse_timedelta
    from distributed import Security
    from distributed.core import rpc

    limit = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    async with rpc(address, connection_args=Security().get_connection_args("client")) as server:
        found = await asyncio.wait_for(server.identity(), limit + 1)
    return str(found["type"])


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """A client of a scheduler, which answers within dask's own time limit."""
    try:
        from distributed import Client
    except ImportError:
        command = install_command("cluster", "distributed")
        raise MissingExtraError(f"--cluster: needs dask.distributed; run: {command}") from None
    _check(address)
    no_scheduler = ClusterError(f"{address}: no dask scheduler answers; start one with: dask scheduler")
    try:
        kind = asyncio.run(_kind(address))
    except Exception:  # whatever answers there instead may say anything
        raise no_scheduler from None
    if kind != "Scheduler":
        raise ClusterError(f"{address}: is a dask {kind}, not its scheduler")
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their words are many, ours one line
    try:
        with catch_warnings(action="ignore"):  # of other versions of Python and dask
            client = Client(address, set_as_default=False)
    except OSError:
        raise no_scheduler from None
    try:
        yield client
    finally:
        with suppress(Exception):  # the scheduler may be what is gone
            client.close(timeout=GOODBYE)


def _meet_workers(client: Client, address: str, warn: Callable[[str], None]) -> None:
    """Waits for a worker, and asks all that are there for their pywnv.

    Raises:
        ClusterError: none comes, or one has none or another.
    """
    if not client.nthreads():
        warn(f"{address}: has no worker yet; waiting {WAIT:g} s for one")
        try:
            client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError:
            raise ClusterError(f"{address}: has no worker; start some with: dask worker {address}") from None
    # A function of Python's own, which also a worker without pywnv knows.
    for worker, found in client.run(version, "pywnv", on_error="return").items():
        if isinstance(found, PackageNotFoundError):
            raise ClusterError(f"{address}: worker {worker} has no pywnv; install {__version__} on every worker")
        if isinstance(found, str) and found != __version__:
            raise ClusterError(f"{address}: worker {worker} has pywnv {found}; install {__version__} on every worker")


def run_all(jobs: list[Job], address: str, *, warn: Callable[[str], None]) -> Iterator[Result]:
    """Does jobs, whose outputs are in one folder, on a cluster; each result comes when it is there.

    Args:
        jobs: to do, in this order. Captures and outputs have the same paths on every worker.
        address: of the scheduler, such as ``tcp://host:8786``.
        warn: is told when there is nobody to do them yet.

    Raises:
        ClusterError: nobody is there, or has the right pywnv, or stays.
        MissingExtraError: dask.distributed is not installed.
        UsageError: this is not an address.
    """
    if not jobs:
        return
    with _staging(jobs[0].output.parent.absolute()) as staging, _connected(address) as client:
        _meet_workers(client, address, warn)
        done: SimpleQueue[Future[Any]] = SimpleQueue()
        left = {}
        for job in jobs:
            future = client.submit(annotate, _task(job, staging), pure=False)
            left[future] = job
            future.add_done_callback(done.put)
        try:
            while left:
                future = _next(done, client, address)
                yield _result(left.pop(future), future, client, address)
        finally:
            client.cancel(list(left))


def _task(job: Job, staging: Path) -> Task:
    size = None
    with suppress(OSError):
        size = job.capture.stat().st_size
    job = replace(job, capture=job.capture.absolute(), output=job.output.absolute())
    return Task(job, size, staging, __version__)


def _next(done: SimpleQueue[Future[Any]], client: Client, address: str) -> Future[Any]:
    """The next future that is done.

    Raises:
        ClusterError: the scheduler has gone, or all workers, for long.
    """
    alone_since = None
    while True:
        with suppress(Empty):
            return done.get(timeout=POLL)
        try:
            workers = client.nthreads(callback_timeout=WAIT)
        except (OSError, TimeoutError):
            raise _gone(address) from None
        if workers:
            alone_since = None
        elif alone_since is None:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > WAIT:
            raise ClusterError(f"{address}: no worker is left; finished outputs are kept: run it again")


def _gone(address: str) -> ClusterError:
    return ClusterError(f"{address}: the scheduler is gone; finished outputs are kept: run it again")


def _result(job: Job, future: Future[Any], client: Client, address: str) -> Result:
    """How a job went, in words for here; its output gets its name."""
    from distributed import KilledWorker

    try:
        made: Result = future.result()
    except KilledWorker as error:
        words = f"the workers that annotated it died, {error.allowed_failures + 1} of them"
        return Result(job, error=f"{job.capture}: {words}")
    except (asyncio.CancelledError, Exception) as error:
        if client.status != "running":
            raise _gone(address) from None
        return Result(job, error=f"{job.capture}: {type(error).__name__}: {error}")
    part = made.job.output

    def here(words: str | None) -> str | None:
        return words and words.replace(str(part), str(job.output)).replace(str(made.job.capture), str(job.capture))

    warnings = tuple(str(here(words)) for words in made.warnings)
    fatal = here(made.fatal)
    if not made.error and not fatal:
        try:
            publish(part, job.output, force=job.force)
            part.unlink(missing_ok=True)
        except OutputError as error:
            fatal = str(error)
        except OSError as error:
            fatal = f"{job.output}: {error.strerror or error}"
    return Result(job, warnings, error=here(made.error), fatal=fatal)
