"""Converts Windows traces (.etl) to pcapng without loss: every packet of pktmon and ndiscap, and every event.

It converts the text logs that `pktmon etl2txt` makes of traces in the same way, as far as the text goes.

Values for which pcapng has no option go into a comment of fixed form, which engine/tool_comments.lua reads back.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pywnv.capture import pktmon_events as pktmon
from pywnv.capture import write
from pywnv.capture.etl import Event, is_trace, open_trace
from pywnv.capture.etl2txt import open_log
from pywnv.capture.frames import Frame, Frames
from pywnv.capture.metadata import Metadata
from pywnv.capture.source import STDIN, open_file
from pywnv.capture.spool import Spool
from pywnv.capture.text import LOG_COMMENT, is_log
from pywnv.capture.trace_host import Host
from pywnv.errors import CaptureError, WnvError
from pywnv.host.topology import Topology
from pywnv.version import __version__

MOST_WARNINGS = 5  # of one trace that are told one by one


@dataclass
class Converted:
    """What a trace held.

    Attributes:
        packets: frames that were written for packets, drops among them.
        drops: how many of those report a dropped packet.
        events: journal entries that were written for other events.
        skipped: events without an id (TraceLogging, kernel) that no packet tool writes.
        topology: the host's adapters, as the trace names them.
    """

    packets: int = 0
    drops: int = 0
    events: int = 0
    skipped: int = 0
    topology: Topology = field(default_factory=Topology)


class _Conversion:
    """Reads a trace once, for what is told late comes first in a pcapng, and writes it from a spool."""

    def __init__(self, spool: Spool, host: Host, about: str) -> None:
        self._spool, self._host, self._about = spool, host, about
        self._metadata = Metadata()
        self._frames = Frames(host)
        self.done = Converted()

    def read(self, events: list[Event]) -> None:
        kept = []
        for event in events:
            if event.classic:
                if not self._metadata.take(event):
                    self._host.take(event)
            elif self._frames.take(event):
                continue
            elif event.id:
                kept.append(event)
            else:
                self.done.skipped += 1
        self._spool.add(kept)

    def write(self, out: BinaryIO) -> None:
        filters = [text for event in self._frames.components.filters if (text := self._filter(event))]
        out.write(write.section(self._section()))
        for made in self._frames.interfaces(filters):
            out.write(made)
        last = 0
        for event in self._spool.events():
            last = event.time
            frame = self._frames.frame(event)
            if isinstance(frame, Frame):
                self._packet(out, frame)
            elif frame is None:
                out.write(write.journal(self._journal(event)))
                self.done.events += 1
        for frame in self._frames.unfinished():
            self._packet(out, frame)
        for made in self._frames.statistics(last):
            out.write(made)
        self.done.topology = self._frames.namer.topology()

    def _packet(self, out: BinaryIO, frame: Frame) -> None:
        out.write(write.packet(frame.interface, frame.time, frame.data, frame.length, frame.options))
        self.done.packets += 1
        self.done.drops += frame.dropped

    def _section(self) -> list[tuple[int, bytes]]:
        session = self._host.session
        words = [self._about] if self._about else []
        words += [f"host {self._host.name}"] if self._host.name else []
        words += [f"session {session.name}"] if session.name else []
        words += [f"trace {session.file}"] if session.file else []
        words += [f"{session.processors} processors, {session.lost} events lost"] if session.processors else []
        program = f"pywnv {__version__}"
        texts = {write.COMMENT: "; ".join(words), write.SYSTEM: self._host.system, write.PROGRAM: program}
        return [(code, write.text(value)) for code, value in texts.items()]

    def _filter(self, event: Event) -> str:
        """A filter of pktmon: its values that are not empty, by their names, which are in no language."""
        told = self._metadata.tell(event)
        if told is None:
            return "pktmon filter 0x" + event.data.hex()
        values = (f"{name}={value}" for name, value in told.values if value.strip("0x.:") and value != "::")
        return "pktmon filter " + " ".join(values)

    def _journal(self, event: Event) -> list[tuple[str, str]]:
        if event.version == pktmon.TOLD and not any(event.provider):
            name, _, message = event.data.decode().partition("\0")
            return [("__REALTIME_TIMESTAMP", str(event.time // 10)), ("_COMM", name), ("MESSAGE", message)]
        told = self._metadata.tell(event)
        provider = told.provider if told and told.provider else _guid(event.provider)
        return [
            ("__REALTIME_TIMESTAMP", str(event.time // 10)),
            ("_COMM", provider),
            ("MESSAGE", told.message.strip() if told else ""),
            ("ETW_PROVIDER", _guid(event.provider)),
            ("ETW_EVENT", f"{event.id} version {event.version}"),
            ("ETW_CONTEXT", f"time={event.time} pid={event.pid} tid={event.tid} cpu={event.cpu}"),
            ("ETW_DATA", event.data.hex()),
        ]


def _guid(data: bytes) -> str:
    return f"{{{uuid.UUID(bytes_le=data)}}}"


def convert(
    trace: Path,
    out: BinaryIO,
    *,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Converted:
    """Writes a trace as pcapng.

    Args:
        trace: an .etl file, or the text that `pktmon etl2txt` made of one; ``-`` is stdin.
        out: where the pcapng goes.
        progress: called with the number of bytes of the trace read so far.
        warn: is told what could not be read, in lines.

    Raises:
        CaptureError: it is not a trace, or nothing of it can be read.
        MissingExtraError: what reads traces is not installed.
    """
    if trace == STDIN:
        with _stored(trace) as path:
            return convert(path, out, progress=progress, warn=warn)
    log = is_log(trace)
    with open_log(trace) if log else open_trace(trace) as opened, Spool() as spool:
        host = Host(opened.session)
        conversion = _Conversion(spool, host, f"{LOG_COMMENT}, times as it writes them" if log else "")
        for events in opened.buffers(progress):
            conversion.read(events)
        host.session = opened.session
        warnings = opened.warnings
        if not len(spool):
            problem = f"; {warnings[0].removeprefix(f'{trace}: ')}" if warnings else ""
            if log:
                problem = "; take whole lines of the log, from [CPU] to LoggedSize, and the lines below each"
            raise CaptureError(f"{trace}: holds no packets and no events{problem}")
        conversion.write(out)
        done = conversion.done
    for words in warnings[:MOST_WARNINGS]:
        warn(words)
    if len(warnings) > MOST_WARNINGS:
        warn(f"{trace}: and {len(warnings) - MOST_WARNINGS} more places that could not be read")
    if opened.session.lost:
        warn(f"{trace}: Windows lost {opened.session.lost} events while it was recorded")
    if not done.packets:
        warn(f"{trace}: holds events, but no packets")
    return done


@contextmanager
def _stored(source: Path) -> Iterator[Path]:
    """What a pipe brings, as a file."""
    with tempfile.TemporaryDirectory(prefix="pywnv-") as folder:
        path = Path(folder) / "stdin.etl"
        with open_file(source) as file, path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        yield path


@contextmanager
def as_pcapng(
    path: Path,
    *,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[Path]:
    """A capture that every command reads: a trace or a log of one as a temporary pcapng, any other file as it is.

    Raises:
        CaptureError: it looks like a trace, and nothing of it can be read.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
    """
    if not (is_trace(path) or is_log(path)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pywnv-") as folder:
        made = Path(folder) / f"{path.stem}.pcapng"
        with made.open("xb") as file:
            convert(path, file, progress=progress, warn=warn)
        try:
            yield made
        except WnvError as error:  # the user knows only the trace
            raise type(error)(str(error).replace(str(made), str(path))) from error
