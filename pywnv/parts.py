"""Annotates one large capture in parts, several at a time: the same bytes as in one piece.

A part is an epoch of the engine, for which nothing counts but what is learned in warming up for it. Who decides one
goes past the frames before that, which costs little.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.batch import Epoch, Walk, Walker
from pywnv.capture.source import open_capture
from pywnv.errors import CaptureError, OutputError, WnvError
from pywnv.sinks import BY_NAME
from pywnv.workers import Worker, WorkerDiedError

if TYPE_CHECKING:
    from pywnv.capture.source import Capture
    from pywnv.topology import Topology

FORMATS = frozenset({"csv", "jsonl", "pcapng"})  # whose sinks look at each frame alone
LEAST_EPOCHS = 1.5  # in a capture that is worth the processes
AHEAD = 2  # parts for each process that may lie on disk
SIZE = struct.Struct("=I")  # of a piece, in the files of parts


@dataclass(frozen=True)
class Part:
    """A part that was decided.

    Attributes:
        done: bytes of the capture up to its end.
        is_last: whether the capture ends in it, or before.
        unfit: frames in it that the sink could not write.
        warning: what the user should know of how the capture ended.
    """

    done: int
    is_last: bool
    unfit: int
    warning: str | None


def decide(
    numbers: Iterator[int],
    folder: Path,
    path: Path,
    output_format: str,
    window: float | None,
    topology: Topology | None,
    epoch: Epoch | None,
) -> Iterator[Part]:
    """Decides parts of a capture, counted from 0, as they are asked for; each goes into a file of that name, in pieces.

    Raises:
        CaptureError: the capture is broken; what comes before the break is in the file.
        OutputError: there is no room for the file.
    """
    walker = Walker(sink=BY_NAME[output_format], window=window, topology=topology, epoch=epoch)
    frames = walker.epoch.frames
    with open_capture(path) as capture:
        walk = Walk(walker, capture, lambda _: None)
        for number in numbers:
            walker.batch[b"decide"](number * frames + 1, (number + 1) * frames)
            before = walker.unfit()
            try:
                with (folder / str(number)).open("wb") as file:
                    for text in filter(None, walk.texts()):
                        file.write(SIZE.pack(len(text)) + text)
            except OSError as error:
                words = f"{folder}: {error.strerror or error}; let TMPDIR name another folder, or use --jobs 1"
                raise OutputError(words) from error
            warning = walk.warning() if walk.has_ended else None
            yield Part(walk.done, walk.has_ended, walker.unfit() - before, warning)


class _Parts:
    """All parts of a capture but the first, decided by processes; `given` is what `decide` takes."""

    def __init__(self, processes: int, folder: Path, path: Path, *given: object) -> None:
        self._folder, self._path = folder, path
        self._workers: list[Worker[int, Part]] = [Worker(decide, folder, path, *given) for _ in range(processes)]
        self._finished: dict[int, Part | WnvError] = {}
        self._last_given = self._last_taken = 0

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def serve(self, seconds: float | None = 0) -> None:
        """Gives work to the processes that have none, and takes what is done within some time; None: waits for it."""
        for worker in self._workers:
            if worker.task is None and self._last_given < self._last_taken + AHEAD * len(self._workers):
                self._last_given += 1
                worker.give(self._last_given)
        busy: list[Any] = [worker.connection for worker in self._workers if worker.task is not None]
        ready = connection.wait(busy, seconds)
        for worker in [worker for worker in self._workers if worker.connection in ready]:
            number = worker.task
            assert number is not None  # noqa: S101
            try:
                self._finished[number] = worker.take()
            except WnvError as error:
                self._finished[number] = error  # to be raised when it is this part's turn
                self._workers.remove(worker)
                worker.end()
            except WorkerDiedError as error:
                raise CaptureError(f"{self._path}: the process that annotated a part of it died ({error})") from None

    def next(self) -> tuple[Path, Part | WnvError]:
        """The next part: a file with what the sink gave, and what else is known."""
        self._last_taken += 1
        while self._last_taken not in self._finished:
            self.serve(None)
        return self._folder / str(self._last_taken), self._finished.pop(self._last_taken)


def _drained(path: Path) -> Iterator[bytes]:
    """The pieces in a file that `decide` has written, which goes; none is cut, as a piece may have to be whole rows."""
    with path.open("rb") as file:
        while len(size := file.read(SIZE.size)) == SIZE.size:
            text = file.read(*SIZE.unpack(size))
            if len(text) == SIZE.unpack(size)[0]:
                yield text
    path.unlink()


def annotate(
    capture: Capture,
    *,
    output_format: str,
    processes: int,
    window: float | None,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
    topology: Topology | None = None,
    epoch: Epoch | None = None,
) -> Generator[bytes, None, None]:
    """What `batch.annotate` gives; where the capture is large, processes make it.

    Args:
        capture: open, and of a known size: the processes open it anew.
        output_format: one of FORMATS.
        processes: how many there may be, besides this one.
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        progress: is told how many bytes of the file have been read.
        warn: is told what the user should know of the capture, in one line.
        topology: what the user knows of the host, or None.
        epoch: None for the engine's own.

    Raises:
        CaptureError: the capture is broken; what comes before the break has been given.
        OutputError: there is no room for the parts.
    """
    walker = Walker(sink=BY_NAME[output_format], window=window, topology=topology, epoch=epoch)
    walk = Walk(walker, capture, progress)
    unfit, last = 0, Part(0, is_last=False, unfit=0, warning=None)
    with ExitStack() as stack:
        parts: _Parts | None = None
        yield walk.beginning()
        for text in walk.texts():
            yield text
            if parts:
                parts.serve()
            elif _is_large(capture, walk, walker.epoch):
                walker.batch[b"decide"](1, walker.epoch.frames)
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pywnv-")))
                given = (capture.path, output_format, window, topology, epoch)
                parts = stack.enter_context(_Parts(processes, folder, *given))
        if not parts or walk.has_ended:
            last = Part(walk.done, is_last=True, unfit=0, warning=walk.warning())
        while parts and not last.is_last:
            file, part = parts.next()
            yield from _drained(file)
            if isinstance(part, WnvError):
                raise part
            progress(part.done)
            unfit, last = unfit + part.unfit, part
    if last.warning:
        warn(last.warning)
    if words := walker.warning(unfit):
        warn(f"{capture.path}: {words}")


def _is_large(capture: Capture, walk: Walk, epoch: Epoch) -> bool:
    """Whether so many frames seem to follow that processes are worth it, while there is time to start them."""
    if not capture.size or not epoch.warm_up <= walk.frames < epoch.frames:
        return False
    return capture.size / walk.done * walk.frames > LEAST_EPOCHS * epoch.frames
