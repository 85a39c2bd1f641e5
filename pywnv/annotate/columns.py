"""Unpacks the typed columns that lua/writers/pack.lua has packed, for Python and for Arrow."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import compress
from typing import Any

from pywnv.tables import fields
from pywnv.tables.annotation import Annotation
from pywnv.tables.fields import Type

EMPTY = -(2**63)  # a cell that holds nothing
SIZE = struct.Struct("<I")
CELL = 8  # bytes
NANO = 10**9
NONE, FULL = b"02"  # of the cells of a column hold something: none, all


class Kind(StrEnum):
    """How the cells of a column are packed."""

    NUMBER = "number"
    BOOL = "bool"
    WORD = "word"
    SECONDS = "seconds"
    TIME = "time"


PACKED_TIME = ("time_high", "time_low", "time_nanos")  # seconds / 2^32 and the rest; nanoseconds, with the same sign


@cache
def kinds() -> dict[str, Kind]:
    """The kind of each column."""
    known = {"frame": Kind.NUMBER, "time": Kind.TIME, "interface": Kind.NUMBER}
    for field in (*fields.ENDS, *fields.FIELDS):
        by_type = {Type.BOOL: Kind.BOOL, Type.SECONDS: Kind.SECONDS, Type.STRING: Kind.WORD}
        known[field.column] = Kind.WORD if field.names else by_type.get(field.type, Kind.NUMBER)
    return known


@cache
def packed_columns() -> tuple[str, ...]:
    """The columns as they are packed, in order."""
    return tuple(name for column in kinds() for name in (PACKED_TIME if column == "time" else (column,)))


class Batch:
    """Rows of some frames, by column.

    Attributes:
        size: how many rows.
        words: what it shares with other batches, which are one table with it then.
    """

    words: object = None

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self.size = len(columns["frame"])
        self._columns = columns

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column, as `Annotation` has them."""
        return self._columns[name]

    def rows(self) -> Iterator[Annotation]:
        """The rows."""
        return map(Annotation._make, zip(*map(self.column, fields.columns()), strict=True))

    def chosen(self, which: Iterable[bool]) -> Iterator[Annotation]:
        """Some of the rows.

        Args:
            which: whether a row is wanted, for each.
        """
        which = [*which]
        return compress(self.rows(), which) if any(which) else iter(())


class Packed(Batch):
    """Rows as pack.lua has packed them: a column is unpacked when it is asked for.

    Attributes:
        cells: by packed column, its cells; None if all are empty.
        words: by column, its words by what stands in cells for them, EMPTY for None; those of later batches are added.
    """

    def __init__(self, batch: bytes, words: dict[str, dict[int, str | None]]) -> None:
        """Reads a batch, and adds its new words."""
        names = packed_columns()
        (self.size,) = SIZE.unpack_from(batch)
        at = SIZE.size
        self._fills = dict(zip(names, batch[at : at + len(names)], strict=True))
        at += len(names) + 1
        view, length = memoryview(batch), self.size * CELL
        self.cells: dict[str, memoryview | None] = {}
        for name, fill in self._fills.items():
            self.cells[name] = None
            if fill != NONE:
                self.cells[name] = view[at : at + length]
                at += length
        for known in words.values():
            (length,) = SIZE.unpack_from(batch, at)
            at += SIZE.size
            if length:
                new = batch[at : at + length - 1].decode().split("\0")
                known.update(enumerate(new, len(known) - 1))
                at += length
        self.words: dict[str, dict[int, str | None]] = words

    def is_full(self, name: str) -> bool:
        """Whether no cell of a packed column is empty."""
        return self._fills[name] == FULL

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column, as `Annotation` has them."""
        kind = kinds()[name]
        if kind is Kind.TIME:
            return [*map(_time, *map(self._numbers, PACKED_TIME))]
        numbers = self._numbers(name)
        if self.cells[name] is None:
            return numbers
        if kind is Kind.BOOL:
            return [*map(BOOLS.__getitem__, numbers)]
        if kind is Kind.WORD:
            return [*map(self.words[name].__getitem__, numbers)]
        is_full = self.is_full(name)
        if kind is Kind.SECONDS:
            return [number / NANO if is_full or number != EMPTY else None for number in numbers]
        return numbers if is_full else [None if number == EMPTY else number for number in numbers]

    def _numbers(self, name: str) -> list[Any]:
        cells = self.cells[name]
        return [None] * self.size if cells is None else cells.cast("q").tolist()


BOOLS = {EMPTY: None, 0: False, 1: True}


def _time(high: int | None, low: int | None, nanos: int | None) -> Decimal | None:
    if high is None or low is None or nanos is None or high == EMPTY:
        return None
    return Decimal(f"{(high << 32) + low}.{abs(nanos):09}")


def unpacked(pieces: Iterable[bytes]) -> Iterator[Packed]:
    """The batches of a sink that packs."""
    fresh = SIZE.size + len(packed_columns())
    words: dict[str, dict[int, str | None]] = {}
    for piece in filter(None, pieces):
        if piece[fresh] == ord("1"):
            words = {name: {EMPTY: None} for name, kind in kinds().items() if kind is Kind.WORD}
        yield Packed(piece, words)
