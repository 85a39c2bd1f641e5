"""The Lua of joining: the engine's frame reader, and what steps through files with it."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_char_p, c_void_p, cast
from functools import cached_property
from typing import Any

from pywnv.lua import lua_text
from pywnv.lua.runtime import lua_runtime

MOST_SAMPLED = 16384  # packets of an observer whose fingerprints are kept
MOST_GROUPS = 1024  # the same of what goes to a group


class JoinLua:
    """A Lua that holds what joining needs.

    Args:
        runtime: one of lupa's Lua versions; by default the fastest one available.
    """

    def __init__(self, runtime: str | None = None) -> None:
        self._lua = lua_runtime(runtime)
        self._bytes, self._buffer, times = (self._load(f"batch/{name}") for name in ("bytes", "buffer", "times"))
        self._cursors = self._load("join/cursor", self._bytes, times)
        link = self._load("engine/link")
        tunnel = self._load("engine/tunnel", link)
        frame = self._load("engine/frame", link, tunnel, self._load("engine/key"))
        usual = self._load("join/usual", times, tunnel)
        needs = frame, usual, self._cursors, self._strip, self._bytes, self._buffer
        self._takes_addresses = bool(self._cursors[b"takes_addresses"])
        self._fingerprints = self._load("join/fingerprints", *needs, MOST_SAMPLED, MOST_GROUPS)
        self.scan = self._fingerprints[b"scan"]

    def _load(self, name: str, *needs: object) -> Any:
        return self._lua.execute(lua_text(f"{name}.lua").encode(), *needs)

    def _strip(self) -> Any:
        return self._annotations

    @cached_property
    def _annotations(self) -> Any:
        """What takes out annotations: the whole engine, which few captures need, is worth a quarter of a second."""
        from pywnv.generate.engine import engine_lua

        modules = self._lua.execute((engine_lua() + "return modules").encode())
        return self._load("writers/strip", self._bytes, modules[b"annotation"])

    def cursor(self, on_block: Callable[[int, bytes], bytes | None]) -> Any:
        """A cursor of lua/join/cursor.lua."""
        return self._cursors[b"new"](on_block)

    def feed(self, cursor: Any, piece: bytes) -> None:
        """Feeds a piece of a file, which must live until the next one, to a cursor."""
        if self._takes_addresses:
            cursor[b"feed"](cursor, cast(c_char_p(piece), c_void_p).value, len(piece))
        else:
            cursor[b"feed"](cursor, piece)

    def sample(self, least: int) -> Any:
        """An empty sample of lua/join/fingerprints.lua, for so many packets at least."""
        return self._fingerprints[b"new"](least)

    def merger(self, base: int, *, is_big: bool) -> Any:
        """A merger of lua/join/merge.lua, for times near `base` seconds since 1970."""
        put = self._load("join/put", self._bytes, is_big)
        needs = self._bytes, self._buffer, self._cursors, put, self._strip, is_big
        return self._load("join/merge", *needs)[b"new"](base)

    def table(self, value: object) -> Any:
        """Lists and dicts as Lua's tables."""
        if isinstance(value, dict):
            return self._lua.table_from({key.encode(): self.table(one) for key, one in value.items()})
        if isinstance(value, list):
            return self._lua.table_from([self.table(one) for one in value])
        return value
