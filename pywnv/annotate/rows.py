"""The main job: a row, or a comment, for every frame of a capture, by either body of the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.errors import CaptureError, UnknownFormatError, UsageError
from pywnv.tables import fields
from pywnv.wireshark import tshark

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

ROWS_A_PIECE = 1000
NANO_DIGITS = 9
ENDS = "wnv.ends"  # of the plugin `for_rows`: the columns of fields.ENDS, with a bar between


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

OF_COLUMNS = frozenset({Format.CSV, Format.JSONL, Format.TABLE})
BY_LUPA_ONLY = frozenset({Format.PCAPNG, Format.SUMMARY})


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
    """Annotates a capture.

    Args:
        capture: pcapng or pcap, plain or gzipped; with the tshark engine any file that tshark opens. Several are one,
            in the order of their times, as the files of a ring buffer are; that takes LUPA.
        output_format: rows of CSV, JSONL, PARQUET or TABLE, which is for people; and by LUPA only PCAPNG, the capture
            again, with comments, and SUMMARY, some lines for people.
        columns: of CSV, JSONL and TABLE, in this order; None: all, of a TABLE the usual ones.
        engine: LUPA reads the file itself, fast; TSHARK drives the user's tshark; None: LUPA where it can.
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        topology: what the user knows of the host, as `pywnv.host.loading.load` reads it; None for nothing.
        display_filter: for TSHARK: which frames get a row.
        in_parts: for LUPA: what decides one large capture by several processes: `parallel.parts.by`.
        progress: is told how many bytes of the file have been read, by LUPA.
        warn: is told what the user should know of the capture, in one line.

    Yields:
        The output in pieces, of whole rows where it has rows, as they are decided; for CSV the header comes first.

    Raises:
        UsageError: this format cannot be written by tshark, of a filter, with such columns, or without pyarrow; or one
            of several captures is a pipe.
        CaptureError: the capture is missing, of another kind, or broken.
        WiresharkError: there is no tshark, or it loads no plugin.
    """
    from pywnv.annotate import sinks, walker
    from pywnv.capture.order import in_order
    from pywnv.capture.source import is_stream, open_file, opened_each

    if window is not None:
        window = round(window * 10**6) / 10**6  # as Wireshark's preference holds it
    if columns is not None or output_format in (Format.PARQUET, Format.TABLE):
        form = Format.JSONL if output_format is Format.JSONL else Format.CSV
        pieces = rows(
            capture,
            output_format=form,
            engine=engine,
            window=window,
            topology=topology,
            display_filter=display_filter,
            in_parts=in_parts,
            progress=progress,
            warn=warn,
        )
        yield from _made_of(pieces, output_format, columns)
        return
    engine = Engine(engine) if engine else None
    captures = [capture] if isinstance(capture, Path) else list(capture)
    by_lupa_only = output_format in BY_LUPA_ONLY or len(captures) > 1
    if by_lupa_only and (engine is Engine.TSHARK or display_filter):
        what = f"--format {output_format}" if output_format in BY_LUPA_ONLY else "--series"
        raise UsageError(f"{what}: is for the lupa engine, which knows no filters")
    if len(captures) > 1:
        captures = in_order(captures)
    header = (",".join(fields.columns()) + "\n").encode() if output_format is Format.CSV else b""
    if engine is not Engine.TSHARK and not (engine is None and display_filter):
        try:
            opened = opened_each(captures, of_any_format=not by_lupa_only)
            if in_parts and len(captures) == 1 and output_format in sinks.FRAME_BY_FRAME:
                walk = partial(in_parts, next(opened), output_format=output_format)
            else:
                walk = partial(walker.annotate, opened, sink=sinks.BY_NAME[output_format])
            pieces = walk(window=window, topology=topology, progress=progress, warn=warn)
            with closing(opened), closing(pieces):
                yield from _headed(header, pieces)
            return
        except UnknownFormatError:
            if engine is Engine.LUPA or is_stream(captures[0]):  # what was read from a pipe is gone
                raise
    (capture,) = captures
    with open_file(capture) as file:  # tshark's own words for a missing file are longer, and for an empty one none
        if file.seekable() and not file.peek(1):
            raise CaptureError(f"{capture}: is empty")
    is_json = output_format is Format.JSONL
    by_tshark = _tshark_rows(
        capture, is_json=is_json, window=window, topology=topology, display_filter=display_filter, warn=warn
    )
    yield from _headed(header, by_tshark)


def check_columns(columns: Sequence[str], output_format: Format) -> None:
    """Says before any work which columns cannot be written.

    Raises:
        UsageError: there is no such column, one is named twice, or the format has them all.
    """
    known = fields.columns()
    if output_format not in OF_COLUMNS:
        raise UsageError(f"--columns: is for {', '.join(sorted(OF_COLUMNS))}, not for {output_format}")
    for number, name in enumerate(columns):
        if name not in known:
            raise UsageError(f"--columns: there is no column {name!r}; there are {', '.join(known)}")
        if name in columns[:number]:
            raise UsageError(f"--columns: names {name} twice")


def _made_of(pieces: Iterator[bytes], output_format: Format, columns: Sequence[str] | None) -> Iterator[bytes]:
    """What is made of rows of JSONL, or of CSV with its header: Parquet, a table, or rows of chosen columns."""
    from pywnv.annotate import arrow, table

    if columns is not None:
        check_columns(columns, output_format)
    if output_format is Format.PARQUET:
        arrow.need()
        return arrow.parquet(pieces)
    chosen = table.DEFAULT if columns is None else columns
    write = {Format.CSV: table.csv_rows, Format.JSONL: table.json_rows, Format.TABLE: table.table}[output_format]
    return write(pieces, chosen)


def _headed(header: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces behind a header, which does not come before what is wrong with a capture is known."""
    yield header + next(pieces, b"")
    yield from pieces


def _tshark_rows(
    capture: Path,
    *,
    is_json: bool,
    window: float | None,
    topology: Topology | None,
    display_filter: str | None,
    warn: Callable[[str], None],
) -> Iterator[bytes]:
    columns = fields.columns()
    names = ["frame.number", "frame.time_epoch", "frame.interface_id", ENDS]
    names += [field.abbreviation for field in fields.FIELDS]
    readers = [_reader(column) for column in columns]
    write = _json_row if is_json else _csv_row
    lines = tshark.field_lines(
        capture, names, window=window, topology=topology, display_filter=display_filter, warn=warn
    )
    piece: list[str] = []
    at, no_ends = names.index(ENDS), [b""] * len(fields.ENDS)
    for line in lines:
        line[at : at + 1] = line[at].split(b"|") if line[at] else no_ends
        row = {column: read(text.decode()) for column, read, text in zip(columns, readers, line, strict=True) if text}
        if "interface" not in row and "time" in row:
            row["time"] = _in_range(row["time"])
        if "packet" in row:
            row.setdefault("duplicate", "false")  # in a display filter a field that is there counts as true
        if "drop" in row:
            row.setdefault("drop_harmless", "false")
        piece.append(write(row))
        if len(piece) == ROWS_A_PIECE:
            yield "".join(piece).encode()
            piece.clear()
    yield "".join(piece).encode()


def _reader(column: str) -> Callable[[str], str | Text]:
    """How tshark's text for a column is read: numbers stay as they are written, names and texts become Text."""
    field = fields.END_OF_COLUMN.get(column) or fields.BY_COLUMN.get(column)
    if field is None:
        return str
    if field.names:
        return partial(_named, field.names)
    if field.type is fields.Type.BOOL:
        return lambda _: "true"
    return _text if field.type is fields.Type.STRING else str


def _in_range(time: str) -> str:
    """A time whose nanoseconds are less than a second, which they need not be in a pcap.

    Wireshark keeps 32 bits of them, as a number with a sign, and writes that of the whole time; from 4.4 on in words,
    "T.(1000046000 nanosec", cut off.
    """
    is_negative = time.startswith("-")
    seconds, _, digits = time.removeprefix("-").partition(".")
    if len(digits) <= NANO_DIGITS and not is_negative:
        return time
    digits = "".join(filter(str.isdigit, digits))
    more, nanos = divmod((-int(digits) if is_negative else int(digits)) % 2**32, 10**NANO_DIGITS)
    return f"{int(seconds) + more}.{nanos:0{NANO_DIGITS}}"


class Text(str):
    """A value that JSON puts into quotes."""

    __slots__ = ()


def _text(value: str) -> Text:
    return Text(tshark.plain_text(value))


def _named(names: tuple[str, ...], number: str) -> Text:
    return Text(names[int(number)])


def _csv_row(row: dict[str, str | Text]) -> str:
    return ",".join(_csv_value(row.get(column, "")) for column in fields.columns()) + "\n"


def _csv_value(value: str) -> str:
    if any(character in value for character in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def _json_row(row: dict[str, str | Text]) -> str:
    members = (f'"{column}":{_json_value(row.get(column))}' for column in fields.columns())
    return "{" + ",".join(members) + "}\n"


def _json_value(value: str | Text | None) -> str:
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Text) else value
