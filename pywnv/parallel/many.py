"""Annotates many captures, several at a time; a broken capture does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pywnv.annotate.rows import Format, rows
from pywnv.capture.source import STDIN
from pywnv.errors import CaptureError, OutputError, UsageError, WnvError
from pywnv.files.descriptor import descriptor
from pywnv.files.output import whole_file
from pywnv.parallel.job import Job, Result
from pywnv.parallel.options_record import difference, record, recorded
from pywnv.parallel.workers import Pool

SUFFIX = {form: f".{form}" for form in Format} | {Format.SUMMARY: ".txt", Format.TABLE: ".txt"}
SUFFIXES_OF_CAPTURES = {".cap", ".etl", ".gz", ".pcap", ".pcapng"}


def output_name(capture: Path, output_format: Format) -> str:
    """What the output of a capture is called: host.pcapng.gz gives host.csv."""
    name = capture.name
    while (stem := Path(name)).suffix.lower() in SUFFIXES_OF_CAPTURES and stem.stem:
        name = stem.stem
    return name + SUFFIX[output_format]


def captures_in(folder: Path) -> list[Path]:
    """The captures in a folder, in the order of their names.

    Raises:
        UsageError: there are none.
        CaptureError: it cannot be read.
    """
    try:
        found = sorted(path for path in folder.iterdir() if _is_capture_name(path.name) and path.is_file())
    except OSError as error:
        raise CaptureError(f"{folder}: {error.strerror or error}") from error
    if not found:
        raise UsageError(f"{folder}: holds no capture (.pcapng, .pcap or .cap, also with .gz; .etl)")
    return found


def _is_capture_name(name: str) -> bool:
    path = Path(name.lower().removesuffix(".gz"))
    return path.suffix in SUFFIXES_OF_CAPTURES and not name.startswith(".")


def outputs(captures: list[Path], folder: Path, output_format: Format) -> list[tuple[Path, Path]]:
    """Each capture with its output.

    Raises:
        UsageError: two would be the same, one is the capture itself, or stdin or a handle is among the captures.
    """
    taken: dict[Path, Path] = {}
    for capture in captures:
        if capture == STDIN or descriptor(capture) is not None:  # the processes that do the work have others
            raise UsageError(f"{capture}: annotate it alone, as other processes cannot read it")
        output = folder / output_name(capture, output_format)
        if output in taken:
            raise UsageError(f"{capture} and {taken[output]}: both would become {output}")
        if output.exists() and capture.exists() and output.samefile(capture):
            raise UsageError(f"{output}: is the capture itself; name another folder")
        taken[output] = capture
    return [(capture, output) for output, capture in taken.items()]


def run(job: Job) -> Result:
    """Does one job; never raises for what is wrong with its capture."""
    from pywnv.capture.convert import as_pcapng

    warnings: list[str] = []
    try:
        with as_pcapng(job.capture, warn=warnings.append) as capture:
            pieces = rows(
                capture,
                output_format=job.output_format,
                columns=job.columns,
                engine=job.engine,
                window=job.window,
                topology=job.topology,
                display_filter=job.display_filter,
                warn=warnings.append,
            )
            with whole_file(job.output, force=job.force, sources=[job.capture]) as file:
                for piece in pieces:
                    file.write(piece)
    except OutputError as error:
        return Result(job, tuple(warnings), fatal=str(error))
    except WnvError as error:
        return Result(job, tuple(warnings), error=str(error))
    except Exception as error:  # one capture must not end the others
        return Result(job, tuple(warnings), error=f"{job.capture}: {type(error).__name__}: {error}")
    return Result(job, tuple(warnings))


def run_each(jobs: Iterator[Job]) -> Iterator[Result]:
    """Does jobs as they come."""
    return map(run, jobs)


def run_all(jobs: list[Job], processes: int | None = None) -> Iterator[Result]:
    """Does jobs, several at a time; each result comes when it is there.

    Args:
        jobs: to do, in this order.
        processes: at most this many; None: one per core.
    """
    waiting = jobs[::-1]
    pool: Pool[Job, Result] = Pool(processes or os.cpu_count() or 1, run_each)
    with pool:
        while waiting or pool.is_busy():
            while waiting and pool.has_room():
                pool.give(waiting.pop())
            for job, result in pool.take(None):
                if isinstance(result, Result):
                    yield result
                else:
                    yield Result(job, error=f"{job.capture}: the process that annotated it died ({result})")


def todo(jobs: list[Job]) -> tuple[list[Job], list[Result]]:
    """The jobs that are not done yet; those whose output is there, but older than the capture or of other options."""
    left, stale = [], []
    known = {folder: recorded(folder) for folder in {job.output.parent for job in jobs}}
    for job in jobs:
        if job.force or not job.output.exists():
            left.append(job)
        elif job.capture.exists() and job.capture.stat().st_mtime > job.output.stat().st_mtime:
            stale.append(Result(job, error=f"{job.output}: is older than its capture; use --force to replace it"))
        elif words := difference(job, known[job.output.parent]):
            stale.append(Result(job, error=f"{job.output}: {words}; use --force to replace it, or another folder"))
    return left, stale


Runner = Callable[[list[Job]], Iterator[Result]]


def annotate_all(
    jobs: list[Job], runner: Runner, *, progress: Callable[[int], None], warn: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Does the jobs that are not done yet.

    Args:
        jobs: all of them.
        runner: does jobs, such as `run_all`.
        progress: is told how many bytes of captures are done.
        warn: called with each warning, one line for the user.

    Returns:
        How many were done now, and what is wrong with the others, one line each.

    Raises:
        OutputError: an output cannot be written.
    """
    left, failed = todo(jobs)
    errors = [result.error for result in failed if result.error]
    done = size = 0
    for job in left:
        if job.output.exists():
            record(job, done=False)
    results = runner(left)
    try:
        for result in results:
            for words in result.warnings:
                warn(words)
            if result.fatal:
                raise OutputError(result.fatal)
            if result.error:
                errors.append(result.error)
            else:
                record(result.job, done=True)
                done += 1
            with suppress(OSError):
                size += result.job.capture.stat().st_size
            progress(size)
    finally:
        close = getattr(results, "close", None)
        if close:
            close()
    return done, errors
