"""Annotates one large capture in parts, several at a time; the output has the same bytes as that of one process.

A part is an epoch of the engine, which uses only what it learns in this epoch and while it warms up for it. A process
skips the frames before that, which costs little.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.annotate.sinks import BY_NAME
from pywnv.annotate.walker import Epoch, Walk, Walker
from pywnv.capture.source import open_capture
from pywnv.errors import CaptureError, OutputError, WnvError
from pywnv.parallel.workers import Pool, WorkerDiedError

if TYPE_CHECKING:
    from pywnv.annotate.rows import InParts
    from pywnv.capture.source import Capture
    from pywnv.host.topology import Topology

LEAST_EPOCHS = 1.5  # in a capture that is worth the processes
ENOUGH = 1 / 16  # of an epoch that tell how large frames are
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
                raise _no_room(folder, error) from error
            warning = walk.warning() if walk.has_ended else None
            yield Part(walk.done, walk.has_ended, walker.unfit() - before, warning)


class _Parts:
    """All parts of a capture but the first, decided by processes.

    Args:
        last: the number of the last part, as far as one can guess.
        folder, path, given: as `decide` takes them.

    Attributes:
        pool: the processes.
    """

    def __init__(self, last: int, most: int, folder: Path, path: Path, *given: object) -> None:
        self._last, self._folder, self._path = last, folder, path
        self.pool: Pool[int, Part] = Pool(most, decide, folder, path, *given)
        self._finished: dict[int, Part | WnvError] = {}
        self._last_given = self._last_taken = 0

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.__exit__(*error)

    def _has_work(self) -> bool:
        if self._last_given < self._last_taken:  # it is waited for
            return True
        return self._last_given < min(self._last, self._last_taken + AHEAD * self.pool.most)

    def serve(self, seconds: float | None = 0) -> None:
        """Gives work to processes, and takes what is done within some time; None: waits for it."""
        try:
            while self._has_work() and self.pool.has_room():
                self._last_given += 1
                self.pool.give(self._last_given)
            for number, part in self.pool.take(seconds):
                if isinstance(part, WorkerDiedError):
                    raise part
                if isinstance(part, WnvError) or part.is_last:
                    self._last = min(self._last, number)
                self._finished[number] = part  # an error is raised when it is this part's turn
        except WorkerDiedError as error:
            raise CaptureError(f"{self._path}: the process that annotated a part of it died ({error})") from None

    def next(self) -> tuple[Path, Part | WnvError]:
        """The next part: a file with what the sink gave, and what else is known."""
        self._last_taken += 1
        while self._last_taken not in self._finished:
            self.serve(None)
        return self._folder / str(self._last_taken), self._finished.pop(self._last_taken)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="pywnv-")
    except OSError as error:
        raise _no_room(Path(error.filename or tempfile.gettempdir()), error) from error
    with folder as name:
        yield Path(name)


def _no_room(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder}: {error.strerror or error}; set TMPDIR to another folder, or use --jobs 1")


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
    """What `walker.annotate` gives; where the capture is large, processes make it.

    Args:
        capture: open, and of a known size: the processes open it anew.
        output_format: one of `sinks.FRAME_BY_FRAME`.
        processes: how many may decide at a time, this one among them.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        progress: called with the number of bytes of the file read so far.
        warn: called with each warning, one line for the user.
        topology: names and roles in the host, or None.
        epoch: None for the engine's default.

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
            elif last_part := _last_part(capture, walk, walker.epoch):
                walker.batch[b"decide"](1, walker.epoch.frames)
                given = (capture.path, output_format, window, topology, epoch)
                folder = stack.enter_context(_temporary_folder())
                parts = stack.enter_context(_Parts(last_part, processes - 1, folder, *given))
        if parts:
            parts.pool.most = processes
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


def _last_part(capture: Capture, walk: Walk, epoch: Epoch) -> int | None:
    """The number of a large capture's last part, guessed by the size of the frames so far; None: it is not worth it."""
    if not capture.size or not epoch.frames * ENOUGH <= walk.frames < epoch.frames:
        return None
    frames = capture.size / walk.done * walk.frames
    return ceil(frames / epoch.frames) - 1 if frames > LEAST_EPOCHS * epoch.frames else None


def by(processes: int) -> InParts | None:
    """What `rows` takes as `in_parts`.

    Args:
        processes: how many may decide at a time, this one among them.
    """
    return partial(annotate, processes=processes) if processes > 1 else None
