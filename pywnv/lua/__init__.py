"""The Lua of pywnv, plain files without template syntax, and what Python needs to read, quote and run it."""

from __future__ import annotations

from importlib.resources import files


def lua_text(name: str) -> str:
    """The text of a file in this folder, such as "engine/limits.lua"."""
    return (files("pywnv.lua") / name).read_text("utf-8")
