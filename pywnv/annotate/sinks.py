"""Sinks: Lua tables that lua/batch/batch.lua hands each decided frame to, and that write rows, comments or counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from pywnv.annotate.columns import Kind, kinds, packed_columns
from pywnv.generate.engine import comment_columns
from pywnv.generate.render import render
from pywnv.lua import lua_text
from pywnv.tables import fields


@dataclass(frozen=True)
class Lua:
    """What sinks are made of.

    Attributes:
        runtime: the Lua they run in.
        modules: of the engine.
        bytes: lua/batch/bytes.lua.
        buffer: lua/batch/buffer.lua.
    """

    runtime: Any
    modules: Any
    bytes: Any
    buffer: Any

    def load(self, name: str, *needs: object) -> Any:
        """What the Lua file of that name returns."""
        return self.runtime.execute(lua_text(name).encode(), *needs)


Sink = Callable[[Lua], Any]
FACTS = "direction"  # the first column of what frames of a packet often share: see lua/engine/facts.lua


@cache
def _row_lua(*, json: bool) -> bytes:
    def describe(name: str) -> dict[str, object]:
        field = fields.END_OF_COLUMN.get(name) or fields.BY_COLUMN.get(name)
        return {"name": name, "type": field.type.value if field else "", "names": field.names if field else ()}

    columns = [describe(name) for name in fields.columns()]
    ends, packet, facts = (fields.columns().index(name) for name in ("protocol", "packet", FACTS))
    first, middle, last = columns[:ends], columns[packet:facts], columns[facts:]
    return render("row.lua.j2", first=first, ends=columns[ends:packet], middle=middle, last=last, json=json).encode()


def _row(lua: Lua, *, json: bool) -> Any:
    ends_of = lua.load("writers/ends.lua")[b"of"]
    return lua.runtime.execute(_row_lua(json=json), lua.buffer, lua.load("writers/cells.lua"), ends_of)


def _columns(lua: Lua) -> Any:
    """Rows packed by column, as `pywnv.annotate.columns` reads them."""

    def describe(name: str) -> Any:
        field = fields.END_OF_COLUMN.get(name) or fields.BY_COLUMN.get(name)
        of = b"own"
        if field and name != "length":
            of = b"ends" if name in fields.END_OF_COLUMN else b"facts" if at(name) >= at(FACTS) else b"said"
        told = {b"name": name.encode(), b"kind": kinds().get(name, Kind.TIME).encode(), b"of": of}
        if field and field.names:
            told[b"names"] = lua.runtime.table_from({code: word.encode() for code, word in enumerate(field.names)})
        return lua.runtime.table_from(told)

    at = fields.columns().index
    columns = lua.runtime.table_from([describe(name) for name in packed_columns()])
    whole = lua.load("batch/whole.lua", lua.bytes)
    ends_of = lua.load("writers/ends.lua")[b"of"]
    return lua.load("writers/pack.lua", columns, whole, ends_of, lua.bytes[b"put_little32"])


def _pcapng(lua: Lua) -> Any:
    """The capture again, with comments."""
    annotation = lua.modules[b"annotation"]
    columns = [
        {**column, "has_usual": annotation[b"usual"][str(column["name"]).encode()] is not None}
        for column in comment_columns()
    ]
    text = render("comment.lua.j2", columns=columns)
    cells = lua.load("writers/cells.lua")
    comment = lua.runtime.execute(text.encode(), lua.buffer, cells, annotation, lua.modules[b"words"])
    splice = lua.load("writers/splice.lua", lua.bytes, lua.buffer)
    strip = lua.load("writers/strip.lua", lua.bytes, annotation)
    return lua.load("writers/annotated.lua", lua.bytes, splice, annotation, strip, comment)


def _summary(lua: Lua) -> Any:
    names = {code: name.encode() for code, name in enumerate(fields.VERDICTS)}
    return lua.load(
        "reports/summary.lua", lua.runtime.table_from(names), lua.load("reports/table.lua"), lua.modules[b"words"]
    )


def _both(lua: Lua, *, first: Sink, second: Sink) -> Any:
    return lua.load("writers/both.lua", first(lua), second(lua))


def both(first: Sink, second: Sink) -> Sink:
    """Two sinks that look at each frame in one pass.

    Args:
        first: gives text for frames, and nothing at the end.
        second: gives text at the end only.
    """
    return partial(_both, first=first, second=second)


csv: Sink = partial(_row, json=False)
jsonl: Sink = partial(_row, json=True)
columns: Sink = _columns
FRAME_BY_FRAME = frozenset({"csv", "jsonl", "columns", "pcapng"})  # whose sinks look at each frame alone
BY_NAME: dict[str, Sink] = {"csv": csv, "jsonl": jsonl, "columns": columns, "pcapng": _pcapng, "summary": _summary}
