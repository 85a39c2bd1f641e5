"""Reads the text log that `pktmon etl2txt` makes of a trace, or an excerpt of one, as the events that it was made from.

A log does not give its time zone: its times are taken as UTC.
Sources: Microsoft's page on etl2txt, outputs that people published (builds 17763 to 26200; English, Korean, Chinese).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pywnv.capture import pktmon_events as pktmon
from pywnv.capture.etl import LATEST, NO_TRACE, SECOND, Event, Session, in_pieces
from pywnv.capture.etl2txt_lines import LONGEST, Told, packet, rundown
from pywnv.capture.frames import UNKNOWN_CPU
from pywnv.capture.source import open_file
from pywnv.capture.text import ENOUGH_OF_LOG, log_encoding
from pywnv.errors import UnknownFormatError
from pywnv.words import count

CHUNK = 64 * 1024  # bytes
LONGEST_LINE = 16 * 1024  # characters that are looked at
LARGEST_DUMP = 65_535  # bytes
OTHER = bytes(16)  # stands for a provider of which a log tells only the name
HALF_A_DAY = 12 * 3600 * SECOND

QUOTED = ' \t\r\f\v>|`*"\ufeff\xa0'  # what forums put before a line
# What findstr /n, Select-String and grep -n put there: 17:, PktMon.txt:17:, and 18- where a line only follows.
NUMBERED = re.compile(r"[\s>]*+(?:(?:[A-Za-z]:)?[^:>\[\]\t]{1,200}[:-])?\d{1,7}(?::|-(?=\s))")
START = re.compile(
    r"(\[\s*(\d{1,3})\]\s*([0-9A-Fa-f]{1,8})\.([0-9A-Fa-f]{1,8})::)?(?:<[^>]{1,30}>\s*)?"
    r"(?:(\d{4})[-/.](\d\d)[-/.](\d\d)(?:[ T-]\s*|$))?"
    r"(?:(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?![\d:.])\s*)?(?:\[([^\]\s]{1,80})\]\s*)?"
)
# What begins an event in the middle of a line: who pastes into a paragraph loses the ends of lines.
IN_LINE = re.compile(r"(?<=[^\s>|`*\":])[ \t]+(?=\[\s?\d{1,3}\][0-9A-Fa-f]{1,8}\.[0-9A-Fa-f]{1,8}::)")
# How an event begins: nothing else looks like that, so what stands before it in its line is not of the log.
THREAD = re.compile(r"\[\s?\d{1,3}\][0-9A-Fa-f]{1,8}\.[0-9A-Fa-f]{1,8}::")
MOST_BEFORE = 48  # characters
MOST_UNTIMED = 16  # records at the beginning that may lack a time: one, where the first line was cut
CUT = re.compile(
    r"^[^>]*,\s?[^\d,=]{1,60}\s\d{1,7}\s*,\s?[^\d,=]{1,60}\s\d{1,7}\s*$"
)  # the end of a packet's first line
PKTMON = re.compile(r"pktmon$", re.IGNORECASE)
HEADER = "MSNT_SystemTrace"  # who tells of the trace itself
DUMP = re.compile(r"0x([0-9A-Fa-f]{4,6}):\s+(\S.*)")
OCTETS = re.compile(r"(?:[0-9A-Fa-f]{2}){1,2}")
ARROWS = re.compile(r">(?:\s*>)+")

SESSION = re.compile(r"\b(ProviderVersion|NumberOfProcessors|EventsLost): (\d{1,9})\b")


@dataclass
class _Record:
    """Lines that belong to one event: when, where and by whom it was written, its text, and its bytes."""

    time: int
    pid: int
    tid: int
    cpu: int
    provider: str
    lines: list[str] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    size: int = 0
    dump: bytearray = field(default_factory=bytearray)
    in_dump: bool = False

    def add(self, line: str, width: int) -> None:
        """Takes a line more, of its text or of its bytes, that was so wide."""
        if self.size > LONGEST or not line or line.isspace():
            return
        bare = line.strip(QUOTED)
        found = DUMP.match(bare)
        if found and int(found[1], 16) == len(self.dump) < LARGEST_DUMP:
            self.in_dump = True
            self._octets(found[2].split("  ")[0], 16)
        elif found or (self.in_dump and self._goes_on(bare)):
            return
        else:
            self.in_dump = False
            self.lines.append(line[: LONGEST - self.size])
            self.widths.append(width)
            self.size += len(line) + 1

    def _octets(self, text: str, most: int) -> None:
        for word in text.split():
            if most < len(word) // 2 or not OCTETS.fullmatch(word):
                return
            self.dump += bytes.fromhex(word)
            most -= len(word) // 2

    def _goes_on(self, bare: str) -> bool:
        """Whether a line is the rest of one of bytes that was wrapped."""
        words = bare.split(maxsplit=16)
        if not len(self.dump) % 16 or not words or not all(map(OCTETS.fullmatch, words)):
            return False
        self._octets(bare, 16 - len(self.dump) % 16)
        return True

    def text(self) -> str:
        """The text in one line. A console wraps all long lines at one width, and not between words."""
        width = max(self.widths, default=0)
        full = self.widths.count(width)
        is_console = full > 1 and 2 * full >= len(self.widths)
        parts = (
            line if is_console and size == width else f"{line} "
            for line, size in zip(self.lines, self.widths, strict=True)
        )
        return ARROWS.sub(">", " ".join("".join(parts).replace("&gt;", ">").split()))

    def event(self, provider: bytes, told: Told) -> Event:
        """The event that the record describes."""
        id_, data, version = told
        return Event(self.time, provider, id_, version, 0, 0, self.pid, self.tid, self.cpu, data)


class Log:
    """An open log.

    Attributes:
        session: what its head says; complete once all events have been read.
        warnings: how many lines of packets are cut; complete once all events have been read.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.session = Session(0, 0, "", "", 0, True)
        self.warnings: list[str] = []
        self._file = file
        encoding = log_encoding(file.read(ENOUGH_OF_LOG))
        if encoding is None:
            raise UnknownFormatError(f"{path}: {NO_TRACE}")
        self._encoding = encoding
        self._day = self._last = 0
        self._is_numbered = False
        self._cut = 0  # lines of packets
        file.seek(0)

    def _lines(self, progress: Callable[[int], None]) -> Iterator[str]:
        """The lines, none longer than LONGEST_LINE."""
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        rest, cut = "", False
        while chunk := self._file.read(CHUNK):
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in lines:
                if not cut:
                    yield from map(self._line, IN_LINE.split(line))
                cut = False
            if not cut:
                *lines, rest = IN_LINE.split(rest)
                yield from map(self._line, lines)
            if len(rest) > LONGEST_LINE:
                if not cut:
                    yield self._line(rest)
                rest, cut = "", True
            progress(self._file.tell())
        if not cut:
            yield from map(self._line, IN_LINE.split(rest))

    def _line(self, line: str) -> str:
        line = line[:LONGEST_LINE].rstrip("\r")
        if self._encoding != "latin-1" or line.isascii():
            return line
        data = line.encode("latin-1")
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace")

    def _records(self, progress: Callable[[int], None]) -> Iterator[_Record]:
        record: _Record | None = None
        for line in map(self._without_number, self._lines(progress)):
            started = self._start(line)
            if started:
                if record and record.lines:
                    yield record
                elif record and started.cpu == UNKNOWN_CPU:  # wrapped behind what stands before each event
                    started.pid, started.tid, started.cpu = record.pid, record.tid, record.cpu
                record = started
            elif record:
                record.add(line, len(line))
            elif CUT.search(line):
                self._cut += 1
        if record:
            yield record

    def _without_number(self, line: str) -> str:
        """A line without its number, where lines that begin an event have one."""
        found = NUMBERED.match(line)
        if found is None:
            return line
        rest = line[found.end() :]
        if not self._is_numbered:
            self._is_numbered = rest.startswith("[") and START.match(rest) is not None
        return rest if self._is_numbered else line

    def _start(self, line: str) -> _Record | None:
        """A record that begins with a line; None if the line goes on with one."""
        bare = line.lstrip(QUOTED)
        thread_at = THREAD.search(bare, 0, MOST_BEFORE)
        bare = bare[thread_at.start() :] if thread_at else bare
        found = START.match(bare)
        if found is None:
            return None
        rest = bare[found.end() :]
        thread, cpu, pid, tid, year, month, day, hour, minute, second, part, provider = found.groups()
        is_named = provider is not None and (thread or hour or provider == HEADER or PKTMON.search(provider))
        if not (thread or hour or is_named or "PktGroupId " in rest[:60]):
            return None
        if provider is not None and not is_named:
            rest = f"[{provider}] {rest}"
        if year:
            with suppress(ValueError):
                self._day = int(datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp()) * SECOND
        if hour:
            seconds = (int(hour) * 60 + int(minute)) * 60 + int(second)
            time = self._day + seconds * SECOND + int((part or "0").ljust(9, "0")[:7])
            if not year and time < self._last - HALF_A_DAY:  # past midnight, and no dates
                self._day, time = self._day + 24 * 3600 * SECOND, time + 24 * 3600 * SECOND
            self._last = min(max(time, 0), LATEST)
        record = _Record(
            self._last,
            int(pid or "0", 16),
            int(tid or "0", 16),
            int(cpu) if cpu else UNKNOWN_CPU,
            provider or "",
        )
        record.add(rest, len(line))
        return record

    def buffers(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[list[Event]]:
        """The events in pieces, each by time; `progress` is called with the bytes of the file read so far."""
        yield from in_pieces(map(self._event, _timed(self._records(progress))))
        if self._cut:
            lines = count(self._cut, "line of a packet is", ",", plural="lines of packets are")
            self.warnings.append(f"{self.path}: {lines} cut; take whole lines of the log, from [CPU] to LoggedSize")

    def _event(self, record: _Record) -> Event | None:
        text = record.text()
        if record.provider == HEADER:
            self._session(text)
            return None
        if record.provider and not PKTMON.search(record.provider):
            return record.event(OTHER, Told(1, f"{record.provider}\0{text}".encode(), pktmon.TOLD)) if text else None
        told = packet(text, bytes(record.dump)) or rundown(text)
        if told is None and text.find("PktGroupId ", 0, 60) >= 0:
            self._cut += 1
        return record.event(pktmon.PROVIDER, told) if told else None

    def _session(self, text: str) -> None:
        told = {key: int(value) for key, value in SESSION.findall(text)}
        old = self.session
        self.session = Session(
            told.get("ProviderVersion", old.build),
            told.get("NumberOfProcessors", old.processors),
            "",
            "",
            told.get("EventsLost", old.lost),
            True,
        )


def _timed(records: Iterator[_Record]) -> Iterator[_Record]:
    """Records, where those before the first time have this, as others have the last one."""
    untimed: list[_Record] = []
    for record in records:
        if not record.time and len(untimed) < MOST_UNTIMED:
            untimed.append(record)
            continue
        for one in untimed:
            one.time = record.time
        yield from untimed
        untimed.clear()
        yield record
    yield from untimed


@contextmanager
def open_log(path: Path) -> Iterator[Log]:
    """Opens a log.

    Raises:
        CaptureError: there is no such file, or it cannot be read.
        UnknownFormatError: it is not such a log.
    """
    with open_file(path) as file:
        yield Log(path, file)
