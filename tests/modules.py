"""Modules of the engine one by one, under each Lua, for the tests of those that need no frames."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine import RUNTIMES as RUNTIMES

from pywnv.generate.engine import ENGINE, comment_columns
from pywnv.lua import lua_text
from pywnv.lua.quoting import lua_literal
from pywnv.lua.runtime import lua_runtime
from pywnv.tables import drops, fields

CODES = {
    name: {word: code for code, word in enumerate(words)}
    for name, words in (
        ("role", fields.ROLES),
        ("event", fields.EVENTS),
        ("direction", fields.DIRECTIONS),
        ("verdict", fields.VERDICTS),
        ("evidence", fields.EVIDENCE),
    )
}
NEEDS = dict(ENGINE)
# As a NIC or a VM may be called by whoever wants to harm the reader of a capture.
HOSTILE = [
    b']] os.execute("x") --',
    b"a\0b\0" * 9,
    b"\xff\xfe\x80",
    b"\xed\xa0\x80 \xf4\x90\x80\x80",
    b"1\xe2\x80\xae2\x1b[31m",
    b"%s %d %1 %",
    b"(" * 500,
    b")" * 500,
    b"(Friendly Name: " * 200,
    b":" * 3000,
    b" " * 5000,
    b"1:" * 2000,
    b"",
]


@cache
def lua(runtime: str) -> Any:
    return lua_runtime(runtime)


def literal(runtime: str, text: str) -> Any:
    return lua(runtime).execute(f"return {text}".encode())


@cache
def module(runtime: str, name: str) -> Any:
    """A module of the engine."""
    if name == "codes":
        return literal(runtime, lua_literal(CODES))
    if name == "comment":
        return literal(runtime, lua_literal(comment_columns()))
    if name == "drops":
        return literal(runtime, drops.lua())
    needs = [module(runtime, need) for need in NEEDS[name]]
    return lua(runtime).execute(lua_text(f"engine/{name}.lua").encode(), *needs)


def plain(table: Any) -> Any:
    """What a Lua function returned, as Python has it; its texts must be UTF-8."""
    if table is None or isinstance(table, bool | int):
        return table
    if isinstance(table, float):
        return int(table)
    if isinstance(table, bytes):
        return table.decode()
    return {plain(key): plain(value) for key, value in table.items()}
