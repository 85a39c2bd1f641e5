"""Worker processes that do one task at a time.

The work is a generator: it takes tasks and yields a result for each, and may keep state between them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from pywnv.errors import WnvError
from pywnv.files.output import tidy_on_signals

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS = 10  # to end a process by asking, a second each


class WorkerDiedError(Exception):
    """A process died of its task; says how it ended."""


def _tasks(ours: Connection) -> Iterator[Any]:
    with suppress(EOFError, ConnectionError):  # an error, where a result has not been taken
        while True:
            yield ours.recv()


def _serve(ours: Connection, do: Callable[..., Iterable[Any]], given: tuple[object, ...]) -> None:
    """Does the tasks that are sent, until no more come."""
    tidy_on_signals()
    with suppress(ConnectionError):
        try:
            for result in do(_tasks(ours), *given):
                ours.send(result)
        except WnvError as error:
            ours.send(error)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started here ignore SIGINT."""
    if threading.current_thread() is not threading.main_thread():  # which alone may change it
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Worker(Generic[Task, Result]):
    """A process and the way to it.

    Args:
        do: makes results of tasks; a function that the process can import.
        given: what else it is given.

    Attributes:
        task: that it does; None: it is idle.
        connection: becomes readable when the task is done.
    """

    def __init__(self, do: Callable[..., Iterable[Result]], *given: object) -> None:
        context = get_context("spawn")  # a fork would copy the threads of a progress bar, half alive
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, do, given), daemon=True)
        with _deaf_to_interrupts():  # a terminal's Ctrl-C goes to all: this process ends the others
            self._process.start()
        theirs.close()
        self.task: Task | None = None

    def is_alive(self) -> bool:
        """Whether it can do a task."""
        return self._process.is_alive()

    def give(self, task: Task) -> None:
        """Gives it a task, when it has none.

        Raises:
            WorkerDiedError: the process died before.
        """
        self.task = task
        try:
            self.connection.send(task)
        except OSError:
            self._raise_death()

    def take(self) -> Result:
        """The result of its task, which it waits for.

        Raises:
            WnvError: what it raised; it takes no more tasks.
            WorkerDiedError: the process died of it.
        """
        try:
            result: Result | WnvError = self.connection.recv()
        except (EOFError, OSError):
            self._raise_death()
        finally:
            self.task = None
        if isinstance(result, WnvError):
            raise result
        return result

    def _raise_death(self) -> NoReturn:
        self._process.join()
        raise WorkerDiedError(f"exit code {self._process.exitcode}") from None

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self.connection.close()
        for _ in range(ATTEMPTS):
            if self.task is not None:
                self._process.terminate()  # Python may lose what a signal raises, as in a weak reference's callback
            self._process.join(1)
            if not self._process.is_alive():
                return
        self._process.kill()
        self._process.join()


class Pool(Generic[Task, Result]):
    """Processes that are started as they are needed, and do tasks in the order in which these are given.

    Args:
        most: this many processes at most; may change.
        do: makes results of tasks, as a `Worker` takes it.
        given: what else it is given.
    """

    def __init__(self, most: int, do: Callable[..., Iterable[Result]], *given: object) -> None:
        self.most = most
        self._do, self._given = do, given
        self._workers: list[Worker[Task, Result]] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def _idle(self) -> Worker[Task, Result] | None:
        for worker in [worker for worker in self._workers if not worker.is_alive() and worker.task is None]:
            self._workers.remove(worker)
            worker.end()
        return next((worker for worker in self._workers if worker.task is None), None)

    def has_room(self) -> bool:
        """Whether a process can take a task now."""
        return self._idle() is not None or len(self._workers) < self.most

    def is_busy(self) -> bool:
        """Whether a task is being done."""
        return any(worker.task is not None for worker in self._workers)

    def give(self, task: Task) -> None:
        """Gives a task to a process, where there is room.

        Raises:
            WorkerDiedError: the process died before.
        """
        worker = self._idle()
        if worker is None:
            worker = Worker(self._do, *self._given)
            self._workers.append(worker)
        worker.give(task)

    def take(self, seconds: float | None) -> Iterator[tuple[Task, Result | WnvError | WorkerDiedError]]:
        """The tasks that are done, with their results or with what ended the process that did them.

        Args:
            seconds: how long to wait for the first; None: until it is there.
        """
        busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
        for ready in connection.wait(list(busy), seconds):
            worker = busy[ready]  # type: ignore[index]  # what was given to wait
            task = worker.task
            assert task is not None  # noqa: S101
            try:
                yield task, worker.take()
            except (WnvError, WorkerDiedError) as error:
                self._workers.remove(worker)
                worker.end()
                yield task, error
