"""Makes Arrow tables and Parquet from rows; the types come from the table of fields. Only this module needs pyarrow."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any

from pywnv.annotate.columns import CELL, EMPTY, NANO, PACKED_TIME, Batch, Kind, Packed, kinds
from pywnv.background import in_background
from pywnv.errors import UsageError
from pywnv.extras import install_command
from pywnv.tables import fields
from pywnv.tables.fields import Type

GROUP = 100_000  # rows that become one row group
LATEST = divmod(2**63 - 1, NANO)  # seconds and nanoseconds since 1970, or before, that fit 64 bits
HALF = 2**32


def need() -> Any:
    """The module pyarrow.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise UsageError(f"--format parquet: needs pyarrow; run: {install_command('parquet', 'pyarrow')}") from None
    return pyarrow


@cache
def schema() -> Any:
    """The columns: names as dictionaries, times in nanoseconds, latencies in seconds."""
    pa = need()
    name = pa.dictionary(pa.int32(), pa.string())
    types = {
        Type.UINT8: pa.uint8(),
        Type.UINT16: pa.uint16(),
        Type.UINT32: pa.uint32(),
        Type.BOOL: pa.bool_(),
        Type.STRING: name,
        Type.FRAME: pa.uint32(),
        Type.SECONDS: pa.float64(),
    }
    columns = [
        pa.field("frame", pa.uint32(), nullable=False),
        pa.field("time", pa.timestamp("ns", "UTC")),
        pa.field("interface", pa.uint32()),
    ]
    for field in (*fields.ENDS, *fields.FIELDS):
        kind = name if field.names else types[field.type]
        columns.append(pa.field(field.column, kind, metadata={"help": field.help}))
    return pa.schema(columns)


def _cells(name: str, group: list[Packed]) -> Any:
    """The cells of a packed column: whole numbers of 64 bits, null where they are empty."""
    pa = need()
    from pyarrow import compute as pc

    size = sum(batch.size for batch in group)
    parts = [batch.cells[name] for batch in group]
    if not any(parts):
        return pa.nulls(size, pa.int64())
    empty = EMPTY.to_bytes(CELL, sys.byteorder, signed=True)
    data = b"".join(part or empty * batch.size for part, batch in zip(parts, group, strict=True))
    found = pa.Array.from_buffers(pa.int64(), size, [None, pa.py_buffer(data)])
    if all(batch.is_full(name) for batch in group):
        return found
    return pc.if_else(pc.equal(found, EMPTY), None, found)


def _time(group: list[Packed]) -> Any:
    """Times in nanoseconds; null where 64 bits do not hold them."""
    from pyarrow import compute as pc

    high, low, nanos = (_cells(name, group) for name in PACKED_TIME)
    seconds = pc.if_else(pc.less(pc.abs(high), LATEST[0] // HALF + 2), pc.add(pc.multiply(high, HALF), low), None)
    last = pc.and_(pc.equal(pc.abs(seconds), LATEST[0]), pc.less_equal(pc.abs(nanos), LATEST[1]))
    fits = pc.or_(pc.less(pc.abs(seconds), LATEST[0]), last)
    return pc.if_else(fits, pc.add(pc.multiply(seconds, NANO), nanos), None)


def _packed(field: Any, group: list[Packed]) -> Any:
    """A column of packed rows."""
    pa = need()
    from pyarrow import compute as pc

    kind = kinds()[field.name]
    if kind is Kind.TIME:
        return _time(group).cast(field.type)
    cells = _cells(field.name, group)
    if kind is Kind.SECONDS:
        return pc.divide(cells.cast(pa.float64()), NANO)
    if kind is Kind.WORD:
        known, last = group[0].words[field.name], pc.max(cells).as_py()  # more words may come meanwhile
        words = [known[code] for code in range(0 if last is None else last + 1)]
        return pa.DictionaryArray.from_arrays(cells.cast(pa.int32()), pa.array(words, pa.string()))
    return cells.cast(field.type)


def _listed(field: Any, group: list[Batch]) -> Any:
    """A column of rows that tshark has shown."""
    pa = need()
    values = [*chain.from_iterable(batch.column(field.name) for batch in group)]
    if kinds()[field.name] is Kind.TIME:
        nanos = [None if value is None else int(value.scaleb(9)) for value in values]
        values = [None if value is None or abs(value) >= 2**63 else value for value in nanos]
    return pa.array(values, field.type)


def _table(group: list[Batch]) -> Any:
    """A table of rows."""
    if not group:
        return schema().empty_table()
    packed = [batch for batch in group if isinstance(batch, Packed)]
    columns = [_packed(field, packed) if packed else _listed(field, group) for field in schema()]
    return need().table(columns, schema=schema())


def _groups(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Some ten thousand rows at a time, which share their words; at the end those that are left, or none."""
    group: list[Batch] = []
    size = 0
    for batch in batches:
        if group and (size >= GROUP or group[0].words is not batch.words):
            yield group
            group, size = [], 0
        group.append(batch)
        size += batch.size
    yield group


def table(batches: Iterable[Batch]) -> Any:
    """A `pyarrow.Table` of rows."""
    return need().concat_tables(in_background(_table, _groups(batches)))


class _Drain(io.RawIOBase):
    """A file from which is taken what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        """What was written since it was last asked for."""
        text = b"".join(self._parts)
        self._parts.clear()
        return text


def parquet(batches: Iterable[Batch]) -> Iterator[bytes]:
    """A Parquet file, in pieces."""
    need()
    from pyarrow import parquet as pq

    drain = _Drain()
    with pq.ParquetWriter(drain, schema(), compression="zstd") as writer:

        def written(group: list[Batch]) -> bytes:
            writer.write_table(_table(group))
            return drain.take()

        yield from in_background(written, _groups(batches))
    yield drain.take()
