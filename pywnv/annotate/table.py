"""Rows of chosen columns, as CSV, JSON lines or a table for people, written as they come."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pywnv.annotate.columns import Kind, kinds
from pywnv.words import one_line

if TYPE_CHECKING:
    from pywnv.annotate.columns import Batch

DEFAULT = ("frame", "packet", "verdict", "hop", "hop_delta", "path")
GAP = "  "
MOST = 40  # characters: a longer cell makes no column wider, it moves the rest of its own row


class Table:
    """Lays out rows in aligned columns; a column grows with its cells, up to `most`, and never shrinks."""

    def __init__(self, columns: int, most: int = MOST) -> None:
        self._widths, self._most = [0] * columns, most

    def text(self, rows: Iterable[Sequence[str]]) -> str:
        """The lines of some rows."""
        known = [[one_line(cell) for cell in row] for row in rows]
        sizes = [[_width(cell) for cell in row] for row in known]
        for row in sizes:
            for at, size in enumerate(row):
                if self._widths[at] < size <= self._most:
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


def _width(cell: str) -> int:
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


# How a value is written, as lua/writers/cells.lua does.
WRITTEN: dict[Kind, Callable[[Any], str]] = {
    Kind.NUMBER: str,
    Kind.BOOL: {False: "false", True: "true"}.__getitem__,
    Kind.WORD: str,
    Kind.SECONDS: "{:.9f}".format,
    Kind.TIME: "{:f}".format,
}


def _cells(batch: Batch, name: str, *, empty: str, write: Callable[[Any], str]) -> list[str]:
    return [empty if value is None else write(value) for value in batch.column(name)]


def _chosen(batch: Batch, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The cells of chosen columns, as rows."""
    cells = (_cells(batch, name, empty="", write=WRITTEN[kinds()[name]]) for name in columns)
    return [*zip(*cells, strict=True)]


def csv_rows(batches: Iterable[Batch], columns: Sequence[str]) -> Iterator[bytes]:
    """CSV of chosen columns."""
    header = [tuple(columns)]
    for batch in batches:
        yield csv_text(header + _chosen(batch, columns))
        header = []
    if header:
        yield csv_text(header)


def csv_text(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as CSV, quoted where they must be."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def table(batches: Iterable[Batch], columns: Sequence[str]) -> Iterator[bytes]:
    """A table of chosen columns for people; the first rows say how wide its columns are."""
    laid_out = Table(len(columns))
    header = [tuple(columns)]
    for batch in batches:
        yield laid_out.text(header + _chosen(batch, columns)).encode()
        header = []
    if header:
        yield laid_out.text(header).encode()


def json_rows(batches: Iterable[Batch], columns: Sequence[str]) -> Iterator[bytes]:
    """JSON lines of chosen columns."""
    for batch in batches:
        members = []
        for name in columns:
            kind = kinds()[name]
            write = _quoted if kind is Kind.WORD else WRITTEN[kind]
            members.append([f'"{name}":{cell}' for cell in _cells(batch, name, empty="null", write=write)])
        yield "".join("{" + ",".join(row) + "}\n" for row in zip(*members, strict=True)).encode()


@lru_cache
def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
