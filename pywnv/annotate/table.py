"""Rows of chosen columns, as CSV, JSON lines or a table for people, written as they come."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from pywnv.tables import fields

DEFAULT = ("frame", "packet", "verdict", "hop", "hop_delta", "path")
GAP = "  "
MOST = 40  # characters: a longer cell makes no column wider, it moves the rest of its own row


class Table:
    """Lays out rows in aligned columns; a column grows with its cells, and never shrinks."""

    def __init__(self, columns: int) -> None:
        self._widths = [0] * columns

    def text(self, rows: Iterable[Sequence[str]]) -> str:
        """The lines of some rows."""
        known = [[_printable(cell) for cell in row] for row in rows]
        sizes = [[_width(cell) for cell in row] for row in known]
        for row in sizes:
            for at, size in enumerate(row):
                if self._widths[at] < size <= MOST:
                    self._widths[at] = size
        return "".join(self._line(row, size) for row, size in zip(known, sizes, strict=True))

    def _line(self, row: list[str], sizes: list[int]) -> str:
        parts: list[str] = []
        start = position = 0
        for cell, size, width in zip(row, sizes, self._widths, strict=True):
            if cell:
                gap = max(start - position, len(GAP) if position else 0)
                parts += " " * gap, cell
                position += gap + size
            start += width + len(GAP)
        return "".join(parts) + "\n"


def _printable(cell: str) -> str:
    """A cell that neither breaks its line nor commands a terminal."""
    if cell.isprintable():
        return cell
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cell)


def _width(cell: str) -> int:
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


def _chosen(pieces: Iterable[bytes], columns: Sequence[str]) -> Iterator[list[list[str]]]:
    """The cells of chosen columns, from pieces of CSV, each of whole rows."""
    at = [fields.columns().index(name) for name in columns]
    for piece in pieces:
        lines = csv.reader(io.StringIO(piece.decode(), newline=""))
        yield [[line[number] for number in at] for line in lines]


def csv_rows(pieces: Iterable[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    """CSV of chosen columns, from all of them."""
    for rows in _chosen(pieces, columns):
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows(rows)
        yield out.getvalue().encode()


def table(pieces: Iterator[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    """A table of chosen columns, from CSV with its header; the first rows say how wide its columns are."""
    laid_out = Table(len(columns))
    header: list[list[str]] = []
    for rows in _chosen(pieces, columns):
        header += rows
        if len(header) > 1:  # the header comes with the first rows
            yield laid_out.text(header).encode()
            header = []
            break
    if header:
        yield laid_out.text(header).encode()
    for rows in _chosen(pieces, columns):
        yield laid_out.text(rows).encode()


class _Number(str):
    """A number of JSON, as it was written."""

    __slots__ = ()


def json_rows(pieces: Iterable[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    """JSON lines of chosen columns, from all of them; numbers keep their digits."""
    for piece in pieces:
        lines = []
        for line in piece.splitlines():
            row = json.loads(line, parse_float=_Number, parse_int=_Number)
            members = (f'"{name}":{_json(row[name])}' for name in columns)
            lines.append("{" + ",".join(members) + "}\n")
        yield "".join(lines).encode()


def _json(value: object) -> str:
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
