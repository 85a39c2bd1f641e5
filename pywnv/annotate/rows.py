"""The main job: a row or a comment for every frame of a capture, by the engine under lupa or in tshark."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pywnv.annotate import by_tshark
from pywnv.annotate.columns import unpacked
from pywnv.errors import UnknownFormatError, UsageError
from pywnv.tables import fields

if TYPE_CHECKING:
    from pywnv.annotate.columns import Batch
    from pywnv.host.topology import Topology

Piece = TypeVar("Piece")


class Engine(StrEnum):
    """Which body of the engine reads the capture."""

    LUPA = "lupa"
    TSHARK = "tshark"


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    PCAPNG = "pcapng"
    TABLE = "table"
    SUMMARY = "summary"


# Decides one capture by several processes: a capture, and what `rows` takes, to pieces of output.
InParts = Callable[..., Generator[bytes, None, None]]


@dataclass(frozen=True)
class _Form(Generic[Piece]):
    """What is made of frames.

    Attributes:
        name: of it, and of the sink of the lupa engine.
        of_lupa: makes it of what the sink gives.
        of_tshark: makes it of the rows that tshark shows.
    """

    name: str
    of_lupa: Callable[[Iterator[bytes]], Iterator[Piece]]
    of_tshark: Callable[[Iterator[list[by_tshark.Row]]], Iterator[Piece]] | None


@dataclass(frozen=True)
class _Asked:
    """What `rows` is asked for, except for the format."""

    capture: Path | Sequence[Path]
    engine: Engine | None
    window: float | None
    topology: Topology | None
    display_filter: str | None
    in_parts: InParts | None
    progress: Callable[[int], None]
    warn: Callable[[str], None]


TYPED = _Form("columns", unpacked, by_tshark.batches)
FORMS = {
    Format.CSV: _Form("csv", iter, by_tshark.csv),
    Format.JSONL: _Form("jsonl", iter, by_tshark.jsonl),
    Format.PCAPNG: _Form("pcapng", iter, None),
    Format.SUMMARY: _Form("summary", iter, None),
}
OF_COLUMNS = frozenset({Format.CSV, Format.JSONL, Format.TABLE})


def rows(
    capture: Path | Sequence[Path],
    *,
    output_format: Format = Format.CSV,
    columns: Sequence[str] | None = None,
    engine: Engine | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    display_filter: str | None = None,
    in_parts: InParts | None = None,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[bytes]:
    """Annotates a capture: yields the output as bytes.

    Args:
        capture: pcapng or pcap, plain or gzipped; with TSHARK any file that tshark opens. A list is read as one
            capture, in order of time, like the files of a ring buffer; this needs LUPA.
        output_format: rows as CSV, JSONL, PARQUET or TABLE (for people). LUPA also writes PCAPNG, the capture with
            comments, and SUMMARY, some lines for people.
        columns: of CSV, JSONL and TABLE, in this order; None for all, or for the usual ones of a TABLE.
        engine: LUPA reads the file itself and is fast; TSHARK runs the user's tshark; None for LUPA if it can read it.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host, as `pywnv.host.loading.load` returns them, or None.
        display_filter: for TSHARK: only frames that match get a row.
        in_parts: for LUPA: decides one large capture by several processes, see `parallel.parts.by`.
        progress: called with the number of bytes of the file read so far, by LUPA.
        warn: called with each warning, one line for the user.

    Yields:
        The output in pieces of whole rows, as frames are decided; CSV begins with its header.

    Raises:
        UsageError: the format does not go with tshark, a filter or these columns; pyarrow is missing; or one of several
            captures is a pipe.
        CaptureError: the capture is missing, in another format, or broken.
        WiresharkError: tshark is missing, or does not load the plugin.
    """
    asked = _Asked(capture, engine, window, topology, display_filter, in_parts, progress, warn)
    if columns is not None or output_format in (Format.PARQUET, Format.TABLE):
        return _made_of(_annotated(TYPED, asked), output_format, columns)
    pieces = _annotated(FORMS[output_format], asked)
    return _headed(pieces) if output_format is Format.CSV else pieces


def batches(
    capture: Path | Sequence[Path],
    *,
    engine: Engine | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    display_filter: str | None = None,
    in_parts: InParts | None = None,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[Batch]:
    """The typed rows of a capture, some at a time, as they are decided; takes and raises what `rows` does."""
    asked = _Asked(capture, engine, window, topology, display_filter, in_parts, progress, warn)
    return _annotated(TYPED, asked)


def _annotated(form: _Form[Piece], asked: _Asked) -> Iterator[Piece]:
    """The frames of a capture in a form, by the engine that can read it."""
    from pywnv.annotate import sinks, walker
    from pywnv.capture.order import in_order
    from pywnv.capture.source import is_stream, open_capture, opened_each

    given: dict[str, Any] = {"topology": asked.topology, "warn": asked.warn, "window": asked.window}
    if asked.window is not None:
        given["window"] = round(asked.window * 10**6) / 10**6  # as Wireshark's preference holds it
    engine = Engine(asked.engine) if asked.engine else None
    captures = [asked.capture] if isinstance(asked.capture, Path) else list(asked.capture)
    by_lupa_only = form.of_tshark is None or len(captures) > 1
    if by_lupa_only and (engine is Engine.TSHARK or asked.display_filter):
        what = "--series" if form.of_tshark else f"--format {form.name}"
        raise UsageError(f"{what}: is for the lupa engine, which knows no filters")
    if len(captures) > 1:
        captures = in_order(captures)
    if engine is not Engine.TSHARK and not (engine is None and asked.display_filter):
        try:
            opened = opened_each(captures, of_any_format=not by_lupa_only)
            if asked.in_parts and len(captures) == 1 and form.name in sinks.FRAME_BY_FRAME:
                walk = partial(asked.in_parts, next(opened), output_format=form.name)
            else:
                walk = partial(walker.annotate, opened, sink=sinks.BY_NAME[form.name])
            pieces = walk(progress=asked.progress, **given)
            with closing(opened), closing(pieces):
                yield from form.of_lupa(pieces)
            return
        except UnknownFormatError:
            if engine is Engine.LUPA or is_stream(captures[0]):  # what was read from a pipe is gone
                raise
    elif engine is None and not is_stream(captures[0]):  # there is a filter; tshark takes some texts for captures
        with suppress(UnknownFormatError), open_capture(captures[0]):
            pass
    assert form.of_tshark is not None  # noqa: S101  # the type checker cannot know: else an error was raised above
    yield from form.of_tshark(by_tshark.rows(captures[0], display_filter=asked.display_filter, **given))


def check_columns(columns: Sequence[str], output_format: Format) -> None:
    """Says before any work which columns cannot be written.

    Raises:
        UsageError: there is no such column, one is named twice, or the format has them all.
    """
    known = fields.columns()
    if output_format not in OF_COLUMNS:
        raise UsageError(f"--columns: is for {', '.join(sorted(OF_COLUMNS))}, not for {output_format}")
    for number, name in enumerate(columns):
        if not name:
            raise UsageError("--columns: a name is empty; put commas between the names and no blanks: frame,packet,hop")
        if name not in known:
            raise UsageError(f"--columns: no column {name!r}; there are {', '.join(known)}")
        if name in columns[:number]:
            raise UsageError(f"--columns: names {name} twice")


def _made_of(found: Iterable[Batch], output_format: Format, columns: Sequence[str] | None) -> Iterator[bytes]:
    """What is made of typed rows: Parquet, a table, or rows of chosen columns."""
    from pywnv.annotate import arrow, table

    if columns is not None:
        check_columns(columns, output_format)
    if output_format is Format.PARQUET:
        return arrow.parquet(found)
    chosen = table.DEFAULT if columns is None else columns
    write = {Format.CSV: table.csv_rows, Format.JSONL: table.json_rows, Format.TABLE: table.table}[output_format]
    return write(found, chosen)


def _headed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """CSV behind its header, which does not come before what is wrong with a capture is known."""
    header = (",".join(fields.columns()) + "\n").encode()
    yield header + next(pieces, b"")
    yield from pieces
