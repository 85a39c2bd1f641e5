"""Keeps the events of a trace on disk between two passes, and returns them in the order of their time.

It keeps only events with an id: classic events only describe others.
A trace holds a stream of buffers for each processor. Each buffer is in order; the trace is not.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from heapq import heappop, heappush, heapreplace
from types import TracebackType
from typing import Self

from pywnv.capture.etl import Event

RECORD = struct.Struct("<IqHBHQIIH?16s")  # length of the data, and all else of an event
MEMORY = 64 * 1024 * 1024  # bytes to read ahead, in all buffers together
LARGEST_PIECE, SMALLEST_PIECE = 256 * 1024, 4096


class Spool:
    """Takes sorted runs of events, and gives all of them in order."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="pywnv-")  # noqa: SIM115 - closed by __exit__
        self._runs: list[tuple[int, int, int]] = []  # time of the first event, where it begins and ends in the file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self._runs)

    def add(self, events: list[Event]) -> None:
        """Takes a run of events, sorted by time."""
        if not events:
            return
        start = self._file.tell()
        for event in events:
            head = RECORD.pack(
                len(event.data),
                event.time,
                event.id,
                event.version,
                event.opcode,
                event.keywords,
                event.pid,
                event.tid,
                event.cpu,
                event.wide,
                event.provider,
            )
            self._file.write(head + event.data)
        self._runs.append((events[0].time, start, self._file.tell()))

    def _run(self, at: int, stop: int, piece: int) -> Iterator[Event]:
        rest, offset = b"", 0
        while True:
            while len(rest) - offset < RECORD.size or len(rest) - offset < RECORD.size + int.from_bytes(
                rest[offset : offset + 4], "little"
            ):
                if at >= stop:
                    return
                self._file.seek(at)
                more = self._file.read(min(piece, stop - at))
                at += len(more)
                rest, offset = rest[offset:] + more, 0
            size, time, id_, version, opcode, keywords, pid, tid, cpu, wide, provider = RECORD.unpack_from(rest, offset)
            offset += RECORD.size + size
            data = rest[offset - size : offset]
            yield Event(time, provider, id_, version, opcode, keywords, pid, tid, cpu, data, wide)

    def events(self) -> Iterator[Event]:
        """All events, by time; of one time, in the order of the trace."""
        waiting = sorted((first, number, start, stop) for number, (first, start, stop) in enumerate(self._runs))
        waiting.reverse()
        piece = max(SMALLEST_PIECE, min(LARGEST_PIECE, MEMORY // max(len(waiting), 1)))
        heap: list[tuple[int, int, Event, Iterator[Event]]] = []
        while heap or waiting:
            while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
                _, number, start, stop = waiting.pop()
                run = self._run(start, stop, piece)
                event = next(run)
                heappush(heap, (event.time, number, event, run))
            _, number, event, run = heap[0]
            yield event
            following = next(run, None)
            if following is None:
                heappop(heap)
            else:
                heapreplace(heap, (following.time, number, following, run))
