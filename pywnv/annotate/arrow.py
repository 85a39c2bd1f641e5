"""Rows as Arrow tables and Parquet; the types come from the table of fields. This alone needs pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

from pywnv.background import in_background
from pywnv.errors import UsageError
from pywnv.extras import install_command
from pywnv.tables import fields
from pywnv.tables.fields import Type

GROUP = 16 * 1024 * 1024  # bytes of CSV that become one row group
LATEST = "9223372036854775807"  # nanoseconds since 1970 that fit 64 bits


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


def _time(texts: Any) -> Any:
    """Times in nanoseconds from seconds with nine decimals; null where 64 bits do not hold them."""
    from pyarrow import compute as pc

    digits = pc.replace_substring(texts, ".", "")
    size = pc.utf8_length(digits)
    fits = pc.or_(pc.less(size, len(LATEST)), pc.and_(pc.equal(size, len(LATEST)), pc.less_equal(digits, LATEST)))
    return pc.if_else(fits, digits, None).cast("int64").cast(schema().field("time").type)


def _read(text: bytes) -> Any:
    """A table of rows of CSV without a header."""
    pa = need()
    from pyarrow import csv

    if not text:
        return schema().empty_table()
    found = csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(use_threads=False, column_names=schema().names, block_size=len(text)),
        convert_options=csv.ConvertOptions(
            column_types={field.name: pa.string() if field.name == "time" else field.type for field in schema()},
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
            strings_can_be_null=True,
        ),
    )
    at = schema().names.index("time")
    return found.set_column(at, schema().field(at), _time(found.column(at))).cast(schema())


def _groups(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Some ten thousand rows at a time, from CSV with a header, without it."""
    header, _, first = next(pieces).partition(b"\n")
    if header.decode().split(",") != list(fields.columns()):
        raise AssertionError(header)
    group, size = [], 0
    for piece in chain([first], pieces):
        group.append(piece)
        size += len(piece)
        if size >= GROUP:
            yield b"".join(group)
            group, size = [], 0
    yield b"".join(group)


def table(pieces: Iterator[bytes]) -> Any:
    """A `pyarrow.Table` from rows of CSV."""
    return need().concat_tables(in_background(_read, _groups(pieces)))


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


def parquet(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A Parquet file, in pieces, from rows of CSV."""
    need()
    from pyarrow import parquet as pq

    drain = _Drain()
    with pq.ParquetWriter(drain, schema(), compression="zstd") as writer:

        def written(group: bytes) -> bytes:
            writer.write_table(_read(group))
            return drain.take()

        yield from in_background(written, _groups(pieces))
    yield drain.take()
