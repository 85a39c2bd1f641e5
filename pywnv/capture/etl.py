"""Windows traces (.etl): the events of every provider, in the order of their time.

dissect.etl reads the container: buffers and the headers of records. Decompression and times are our own, for dissect
decompresses without a limit, and counts 100 ns in floating point.
Sources: Geoff Chappell's pages on WMI_BUFFER_HEADER and TRACE_LOGFILE_HEADER; evntrace.h and evntcons.h of the Windows
SDK; for extended data in files, airbus-cert/etl-parser.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from pywnv.capture.source import STDIN, open_file
from pywnv.capture.text import ENOUGH, half_a_log
from pywnv.capture.xpress import decompress
from pywnv.errors import CaptureError, MissingExtraError, UnknownFormatError
from pywnv.extras import install_command

if TYPE_CHECKING:
    from dissect.etl.etl import Buffer

NO_TRACE = "not a Windows trace (.etl), nor a log of `pktmon etl2txt`"
BUFFER_HEADER = 72  # bytes
LARGEST_BUFFER = 64 * 1024 * 1024  # bytes; Windows makes none over 16 MB
MOST_EXPANDED = 256  # times the size of the file; traces of small, equal packets come to 20
ALWAYS_ALLOWED = 4 * LARGEST_BUFFER  # bytes to decompress, however small the file

MOST_AT_ONCE = 5000  # events in memory

SYSTEM_RECORDS = (1, 2, 3, 4)
CLASSIC_RECORDS = (0x0A, 0x14)
EVENT_RECORDS = (0x12, 0x13)
MARKED = 0xC0  # the upper byte of a record's marker

EVENT_HEADER = struct.Struct("<HBBHHIIQ16sHBBBBHQ")  # what follows, to byte 80, are CPU times and an activity's GUID
EVENT_SIZE, CLASSIC_SIZE, SYSTEM_SIZE, COMPACT_SIZE = 80, 48, 32, 24
EXTENDED_INFO = 0x0001

QPC, SYSTEM_TIME, CPU_CYCLES = 1, 2, 3  # what a trace's clock counts
SECOND = 10**7  # in units of 100 ns
UNIX_EPOCH = 11_644_473_600 * SECOND  # since 1601
LATEST = 2**62  # of times since 1970


class Event(NamedTuple):
    """An event of a trace.

    Attributes:
        time: 100 ns since 1970.
        provider: its GUID, 16 bytes as they lie in memory; for the kernel's own events b"" .
        id: of the event; for classic events and the kernel's 0.
        version: of the event.
        opcode: of the event; for the kernel's own, its group and type (group * 256 + type).
        keywords: a bit mask.
        pid: of the process that was running; 2^32 - 1 where unknown.
        tid: of the thread.
        cpu: number of the processor.
        data: what the provider wrote.
        wide: whether pointers in it have eight bytes.
        classic: whether it is of the old kind: a GUID and a type, without an id.
    """

    time: int
    provider: bytes
    id: int
    version: int
    opcode: int
    keywords: int
    pid: int
    tid: int
    cpu: int
    data: bytes
    wide: bool = True
    classic: bool = False


@dataclass(frozen=True)
class Session:
    """What the head of a trace says.

    Attributes:
        build: of Windows.
        processors: how many the host has.
        name: of the session.
        file: that it wrote.
        lost: events that Windows could not record.
        wide: whether the host is a 64-bit one.
    """

    build: int
    processors: int
    name: str
    file: str
    lost: int
    wide: bool


BY_TIME = attrgetter("time")


def in_pieces(events: Iterable[Event | None]) -> Iterator[list[Event]]:
    """Events in pieces, each by time; what is not an event is skipped."""
    piece: list[Event] = []
    for event in events:
        if event:
            piece.append(event)
        if len(piece) == MOST_AT_ONCE:
            yield sorted(piece, key=BY_TIME)
            piece = []
    yield sorted(piece, key=BY_TIME)


class _Clock:
    """Turns the time of a record into 100 ns since 1970, exactly."""

    def __init__(self, kind: int, frequency: int, first: int, start: int) -> None:
        self._absolute = kind == SYSTEM_TIME
        self._frequency = frequency
        self._first, self._start = first, start - UNIX_EPOCH

    def time(self, ticks: int) -> int:
        if self._absolute:
            time = ticks - UNIX_EPOCH
        elif self._frequency == SECOND:
            time = self._start + ticks - self._first
        else:
            time = self._start + (ticks - self._first) * SECOND // self._frequency
        return min(max(time, 0), LATEST)


def looks_like_etl(head: bytes) -> bool:
    """Whether a file that begins with these bytes (at least 80) is a Windows trace: it has no magic number.

    Its first buffer begins with a record of the kernel's, of group 0 and type 0.
    """
    if len(head) < BUFFER_HEADER + 8:
        return False
    size, _, kind, marked, _, hook = struct.unpack_from("<I68xHBBHH", head)
    return marked == MARKED and kind in (1, 2) and hook == 0 and size > BUFFER_HEADER


def is_trace(path: Path) -> bool:
    """Whether a file is a Windows trace, whatever its name; false if it cannot be read or is a pipe."""
    try:
        if path == STDIN or not path.is_file():
            return False
        with path.open("rb") as file:
            return looks_like_etl(file.read(BUFFER_HEADER + 8))
    except OSError:
        return False


def _need_trace(path: Path, head: bytes) -> None:
    """Checks how a file begins.

    Raises:
        CaptureError: it is empty.
        UnknownFormatError: it is not a trace.
    """
    if not head:
        raise CaptureError(f"{path}: is empty")
    if not looks_like_etl(head):
        raise UnknownFormatError(f"{path}: {half_a_log(head) or NO_TRACE}")


def utf16(data: bytes, at: int = 0) -> tuple[str, int]:
    """A text in UTF-16 from `at` up to its NUL, or to the end of the data; and where what follows begins."""
    end = data.find(b"\0\0", at)
    while end >= 0 and (end - at) % 2:
        end = data.find(b"\0\0", end + 1)
    if end < 0:
        return data[at : at + (max(len(data) - at, 0) & ~1)].decode("utf-16-le", "replace"), len(data)
    return data[at:end].decode("utf-16-le", "replace"), end + 2


class Trace:
    """An open trace.

    Attributes:
        session: what its head says.
        warnings: what could not be read; complete once all events have been.
    """

    def __init__(self, path: Path, file: BinaryIO, buffer: type[Buffer]) -> None:
        self.path = path
        self.fh = file  # the name by which dissect's buffers ask for it
        self.warnings: list[str] = []
        self._warned_of = -1
        self._buffer = buffer
        self._size = file.seek(0, os.SEEK_END)
        self._budget = max(self._size * MOST_EXPANDED, ALWAYS_ALLOWED)
        file.seek(0)
        _need_trace(path, file.read(ENOUGH))
        self.session, self._clock = self._head()

    def _head(self) -> tuple[Session, _Clock]:
        """The head: TRACE_LOGFILE_HEADER, the data of the first record."""
        record = next(self._records(*self._load(0)), None)
        data = record[2] if record else b""
        wide = bool(record and record[0] in (2, 4))
        at = 248 if wide else 240  # of what follows two pointers and the time zone
        if record is None or record[0] not in SYSTEM_RECORDS or len(data) < SYSTEM_SIZE + at + 32:
            raise CaptureError(f"{self.path}: is cut off in its head")
        (first,) = struct.unpack_from("<Q", data, 16)
        data = data[SYSTEM_SIZE:]
        build, processors = struct.unpack_from("<II", data, 8)
        lost, megahertz = struct.unpack_from("<II", data, 48)
        frequency, start, kind = struct.unpack_from("<QQI", data, at + 8)
        if kind == CPU_CYCLES:
            frequency = megahertz * 10**6
        if kind != SYSTEM_TIME and not frequency:
            raise CaptureError(f"{self.path}: does not say what unit its clock counts")
        name, after = utf16(data, at + 32)
        file, _ = utf16(data, after)
        return Session(build, processors, name, file, lost, wide), _Clock(kind, frequency, first, start)

    def _load(self, offset: int) -> tuple[Buffer, bytes]:
        """The buffer at an offset, and its records, decompressed."""
        buffer = self._buffer(self, offset)
        header = buffer.header
        size, filled = int(header.BufferSize), int(header.FilledBytes)
        if size <= BUFFER_HEADER or filled > LARGEST_BUFFER:
            raise ValueError(f"a buffer that claims to be {max(size, filled)} bytes long")
        compressed = bool(int(header.BufferFlag) & 0x40)
        self.fh.seek(offset + BUFFER_HEADER)
        wanted = size if compressed else min(size, filled)
        data = self.fh.read(max(wanted - BUFFER_HEADER, 0))
        if offset + size > self._size:
            self._warn(offset, "the file is cut off")
        if compressed:
            self._budget -= filled
            if self._budget < 0:
                raise OverflowError("decompresses to more than any trace does")
            data, whole = decompress(data, max(filled - BUFFER_HEADER, 0))
            if not whole and offset + size <= self._size:
                self._warn(offset, "a compressed buffer is broken")
        buffer._data = memoryview(data)
        return buffer, data

    def _warn(self, offset: int, words: str) -> None:
        """Notes what is wrong with a buffer; what is wrong first makes the rest."""
        if self._warned_of != offset:
            self._warned_of = offset
            self.warnings.append(f"{self.path}: at byte {offset}: {words}")

    def _records(self, buffer: Buffer, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """The records of a buffer: kind, processor, bytes."""
        cpu = int(buffer.header.ProcessorIndex)
        at = 0
        try:
            for record in buffer:
                size = record.size
                kind = (record.header.marker >> 16) & 0xFF if record.header.marker >> 24 == MARKED else 0
                if at + size > len(data):
                    raise EOFError
                yield kind, cpu, data[at : at + size]
                at += size + 7 & ~7
        except Exception as error:  # dissect raises what its parsers happen to meet
            if not isinstance(error, EOFError) or at < len(data):
                self._warn(buffer.offset, f"a record that cannot be read, {at} bytes into the buffer")

    def buffers(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[list[Event]]:
        """The events in lists, each of one buffer and sorted by time.

        Args:
            progress: called with the number of bytes of the file read so far.

        Raises:
            CaptureError: nothing of it can be read, or it decompresses to more than any trace does.
        """
        offset = 0
        while offset + BUFFER_HEADER <= self._size:
            try:
                buffer, data = self._load(offset)
                size = int(buffer.header.BufferSize)
            except OverflowError as error:
                raise CaptureError(f"{self.path}: {error}") from None
            except OSError as error:
                raise CaptureError(f"{self.path}: cannot be read: {error}") from error
            except Exception:  # dissect, again
                self._warn(offset, f"a buffer that cannot be read; what follows, {self._size - offset} bytes, is lost")
                return
            yield from in_pieces(self._event(*record) for record in self._records(buffer, data))
            offset += size
            progress(min(offset, self._size))
        if offset < self._size:
            self._warn(offset, "the file is cut off")

    def _event(self, kind: int, cpu: int, record: bytes) -> Event | None:
        if kind in EVENT_RECORDS:
            (_, _, _, flags, _, tid, pid, ticks, provider, id_, version, _, _, opcode, _, keywords) = (
                EVENT_HEADER.unpack_from(record)
            )
            data = record[_past_extended(record) if flags & EXTENDED_INFO else EVENT_SIZE :]
            time = self._clock.time(ticks)
            return Event(time, provider, id_, version, opcode, keywords, pid, tid, cpu, data, kind == 0x13)
        if kind in CLASSIC_RECORDS:
            opcode, _, version, tid, pid, ticks, provider = struct.unpack_from("<4xBBHIIQ16s", record)
            data, time = record[CLASSIC_SIZE:], self._clock.time(ticks)
            return Event(time, provider, 0, version, opcode, 0, pid, tid, cpu, data, kind == 0x14, True)
        if kind in SYSTEM_RECORDS:
            version, hook, tid, pid, ticks = struct.unpack_from("<H4xHIIQ", record)
            data, time = record[SYSTEM_SIZE if kind < 3 else COMPACT_SIZE :], self._clock.time(ticks)
            return Event(time, b"", 0, version, hook, 0, pid, tid, cpu, data, kind in (2, 4), True)
        return None


def _past_extended(record: bytes) -> int:
    """Where the data of an event begins, behind extended data: items of eight bytes and their own data."""
    at = EVENT_SIZE
    while at + 8 <= len(record):
        linkage, size = struct.unpack_from("<4xHH", record, at)
        at += 8 + size + 7 & ~7
        if not linkage & 1:
            break
    return at


@contextmanager
def open_trace(path: Path) -> Iterator[Trace]:
    """Opens a trace.

    Raises:
        MissingExtraError: dissect.etl is not installed.
        CaptureError: there is no such file, or it cannot be read.
        UnknownFormatError: it is not a trace.
    """
    try:
        from dissect.etl.etl import Buffer
    except ImportError:
        with open_file(path) as file:  # what is no trace needs no library
            if file.seekable():
                _need_trace(path, file.read(ENOUGH))
        words = f"to read Windows traces, run: {install_command('etl', 'dissect.etl')}"
        raise MissingExtraError(f"{path}: {words}") from None
    with open_file(path) as file:
        if not file.seekable():
            raise CaptureError(f"{path}: a trace is read from a file, not from a pipe")
        try:
            trace = Trace(path, file, Buffer)
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror or error}") from error
        except (ValueError, OverflowError, EOFError, struct.error):
            raise CaptureError(f"{path}: its first buffer cannot be read") from None
        yield trace
