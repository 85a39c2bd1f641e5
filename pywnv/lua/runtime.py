"""A Lua runtime, by lupa."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# LuaJIT where lupa has it; the engine runs the same on the others, slower.
RUNTIMES = ("luajit21", "luajit20", "lua54", "lua52")

# Of the garbage collector, in percent: how large memory may become, of what was in use after the last round, before the
# next one begins, and how fast a round is. By Lua's own 200 and 200, `annotate` took half as much memory again
# (test_memory).
PAUSE, SPEED = 120, 400


def lua_runtime(name: str | None = None) -> Any:
    """A Lua in which nothing of Python can be reached.

    Args:
        name: of one of lupa's modules, such as "lua54"; by default the fastest here.

    Raises:
        ImportError: lupa was built without it.
    """
    for candidate in (name,) if name else RUNTIMES:
        try:
            module = import_module(f"lupa.{candidate}")
        except ImportError:
            continue
        lua = module.LuaRuntime(
            encoding=None, register_eval=False, register_builtins=False, unpack_returned_tuples=True
        )
        lua.execute(f"collectgarbage('setpause', {PAUSE}) collectgarbage('setstepmul', {SPEED})".encode())
        return lua
    raise ImportError(f"lupa was built without {name or 'any Lua that the engine runs on'}")
