"""Processes that do tasks: what they say when they end."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from pywnv.errors import CaptureError
from pywnv.parallel.many import Job, run_each
from pywnv.parallel.parts import decide
from pywnv.parallel.workers import Worker, WorkerDiedError

ECHO = (itertools.islice, 2)  # gives each of two tasks back


def test_results_come_one_by_one() -> None:
    worker: Worker[str, str] = Worker(*ECHO)
    for task in ("first", "second"):
        worker.give(task)
        assert worker.take() == task
    worker.end()
    assert not worker.is_alive()


def test_an_error_is_raised_where_the_result_would_come(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pcapng"
    worker: Worker[int, object] = Worker(decide, tmp_path, missing, "csv", None, None, None)
    worker.give(1)
    with pytest.raises(CaptureError, match=f"^{missing}: No such file or directory$"):
        worker.take()
    worker.end()


def test_a_death_is_told() -> None:
    worker: Worker[Job, object] = Worker(run_each)
    worker._process.kill()
    worker.task = Job(*[None] * 8)  # type: ignore[arg-type]
    with pytest.raises(WorkerDiedError, match="exit code -9"):
        worker.take()
    worker.end()


def test_a_death_before_the_task_is_told() -> None:
    worker: Worker[str, str] = Worker(*ECHO)
    worker._process.kill()
    worker._process.join()
    with pytest.raises(WorkerDiedError, match="exit code -9"):
        worker.give("task")
    worker.end()


def test_a_result_that_nobody_takes_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    worker: Worker[str, str] = Worker(*ECHO)
    worker.give("task")
    assert worker.connection.poll(30)
    worker.connection.close()
    worker._process.join(30)
    assert worker._process.exitcode == 0
    assert capfd.readouterr().err == ""
