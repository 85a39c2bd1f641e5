"""Makes rows, as text or typed, from the output of the user's tshark with the plugin."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.annotate.columns import Batch, Kind, kinds
from pywnv.annotate.table import csv_text
from pywnv.capture.source import open_file
from pywnv.errors import CaptureError
from pywnv.tables import fields
from pywnv.wireshark import tshark

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

ROWS_A_PIECE = 1000
NANO_DIGITS = 9
ENDS = "wnv.ends"  # of the plugin `for_rows`: the columns of fields.ENDS, with a bar between

Row = dict[str, str]  # of what a frame has, by column, as it is written


def rows(
    capture: Path,
    *,
    window: float | None,
    topology: Topology | None,
    display_filter: str | None,
    warn: Callable[[str], None],
) -> Iterator[list[Row]]:
    """Rows, some at a time.

    Args:
        capture: a file in any format that tshark opens.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host, or None.
        display_filter: which frames get a row; None for all.
        warn: called if the capture is cut off.

    Raises:
        CaptureError: tshark cannot read the capture, or does not accept the filter.
        WiresharkError: tshark is missing, or does not load the plugin.
    """
    with open_file(capture) as file:  # tshark's own words for a missing file are longer, and for an empty one none
        if file.seekable() and not file.peek(1):
            raise CaptureError(f"{capture}: is empty")
    names = ["frame.number", "frame.time_epoch", "frame.interface_id", ENDS]
    names += [field.abbreviation for field in fields.FIELDS]
    lines = tshark.field_lines(
        capture, names, window=window, topology=topology, display_filter=display_filter, warn=warn
    )
    found = map(partial(_row, names.index(ENDS), [*map(_reader, fields.columns())]), lines)
    while piece := [*islice(found, ROWS_A_PIECE)]:
        yield piece


def _row(ends: int, readers: list[Callable[[str], str]], line: list[bytes]) -> Row:
    columns = fields.columns()
    line[ends : ends + 1] = line[ends].split(b"|") if line[ends] else [b""] * len(fields.ENDS)
    row = {column: read(text.decode()) for column, read, text in zip(columns, readers, line, strict=True) if text}
    if "interface" not in row and "time" in row:
        row["time"] = _in_range(row["time"])
    if "packet" in row:
        row.setdefault("duplicate", "false")  # in a display filter a field that is there counts as true
    if "drop" in row:
        row.setdefault("drop_harmless", "false")
    return row


def _reader(column: str) -> Callable[[str], str]:
    """How tshark's text for a column is read: numbers stay as they are written."""
    field = fields.END_OF_COLUMN.get(column) or fields.BY_COLUMN.get(column)
    if field is None:
        return str
    if field.names:
        return partial(_named, field.names)
    if field.type is fields.Type.BOOL:
        return lambda _: "true"
    return tshark.plain_text if field.type is fields.Type.STRING else str


def _named(names: tuple[str, ...], code: str) -> str:
    return names[int(code)]


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


def csv(pieces: Iterable[list[Row]]) -> Iterator[bytes]:
    """Rows as CSV, without a header."""
    for piece in pieces:
        yield csv_text([row.get(column, "") for column in fields.columns()] for row in piece)


def jsonl(pieces: Iterable[list[Row]]) -> Iterator[bytes]:
    """Rows as JSON lines."""
    for piece in pieces:
        yield "".join(map(_json_row, piece)).encode()


def _json_row(row: Row) -> str:
    members = (f'"{column}":{_json_value(row.get(column), kind)}' for column, kind in kinds().items())
    return "{" + ",".join(members) + "}\n"


def _json_value(value: str | None, kind: Kind) -> str:
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False) if kind is Kind.WORD else value


TYPED: dict[Kind, Callable[[str], Any]] = {
    Kind.NUMBER: int,
    Kind.BOOL: "true".__eq__,
    Kind.WORD: str,
    Kind.SECONDS: float,
    Kind.TIME: Decimal,
}


def batches(pieces: Iterable[list[Row]]) -> Iterator[Batch]:
    """Rows as typed columns."""
    for piece in pieces:
        columns = {}
        for column, kind in kinds().items():
            typed = TYPED[kind]
            columns[column] = [typed(row[column]) if column in row else None for row in piece]
        yield Batch(columns)
