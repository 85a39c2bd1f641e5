"""Python values as Lua source."""

from __future__ import annotations

import re

ODD = re.compile(r"[^ !#-\[\]-~]")  # bytes that a Lua string literal of ours escapes


def quote_lua(text: str | bytes) -> str:
    """A Lua string literal for any text or bytes: the one way in which foreign text enters Lua source."""
    data = text if isinstance(text, bytes) else text.encode()
    return '"' + ODD.sub(lambda match: f"\\{ord(match[0]):03d}", data.decode("latin-1")) + '"'


def lua_literal(value: object) -> str:
    """A Lua literal for dicts, lists, texts, bytes, whole numbers and booleans; None in a dict is left out."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str() | bytes():
            return quote_lua(value)
        case dict():
            members = (f"[{lua_literal(key)}] = {lua_literal(item)}" for key, item in value.items() if item is not None)
            return "{ " + ", ".join(members) + " }"
        case list() | tuple():
            return "{ " + ", ".join(map(lua_literal, value)) + " }"
    raise TypeError(f"no Lua literal for {type(value).__name__}")
