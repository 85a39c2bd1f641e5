"""Which lines of the package's Lua run under lupa in the tests: `pytest --lua-coverage`, with a line hook.

Lines run inside tshark, or in a pywnv that a test starts, are not seen.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

import pywnv
from pywnv.annotate import walker

PACKAGE = Path(pywnv.__file__).parent
PARTS = Path(__file__).parent.parent / ".cache" / "lua-coverage"

MOST = 1_000_000  # lines that are watched in a test: those with a million frames would not end

# Notes each function that is called, with its lines, and each line that is run: `seen[chunk]`.
HOOK = """
if jit then jit.off(); jit.flush() end -- compiled code runs no hooks
local getinfo, note, most = debug.getinfo, ...
local left
local known = {}
local function chunk_of(source)
  local chunk = known[source]
  if not chunk then
    chunk = { lines = {}, calls = {} }
    known[source] = chunk
  end
  return chunk
end
local function watch(event, line)
  left = left - 1
  if left == 0 then
    debug.sethook()
  end
  local info = getinfo(2, "S")
  if info.what == "C" then
    return
  end
  local chunk = chunk_of(info.source)
  if event == "line" then
    if not chunk.lines[line] then
      chunk.lines[line] = true
      note(info.source, "run", line)
    end
  elseif not chunk.calls[info.linedefined] then
    chunk.calls[info.linedefined] = true
    note(info.source, "called", info.linedefined)
    for active in pairs(getinfo(2, "L").activelines or {}) do
      note(info.source, "there", active)
    end
  end
end
return function()
  left = most
  debug.sethook(watch, "cl")
end
"""
DEFINES = re.compile(r"^(?!\s*--).*\bfunction\b\s*[\w.:]*\s*\(")


class Lines:
    """Of one file, or piece of Lua: the lines that are there, in functions that were called, and those that ran."""

    def __init__(self) -> None:
        self.there: set[int] = set()
        self.run: set[int] = set()
        self.called: set[int] = set()


class Runtime:
    """A Lua runtime whose chunks have names, by which the hook tells them apart."""

    def __init__(self, real: Any, chunks: dict[bytes, Lines]) -> None:
        self._real, self._chunks = real, chunks
        self._load = real.execute(b"return load")
        self._texts: list[bytes] = []
        self.watch = real.execute(HOOK.encode(), self._note, MOST)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, code: bytes, *arguments: object) -> Any:
        self._texts.append(code)
        loaded = self._load(code, b"=%d" % (len(self._texts) - 1))
        self.watch()
        return loaded(*arguments) if callable(loaded) else self._real.execute(code, *arguments)  # which raises why

    def _note(self, source: bytes, what: bytes, line: int) -> None:
        if source[1:].isdigit():
            lines = self._chunks[self._texts[int(source[1:])]]
            getattr(lines, what.decode()).add(int(line))


def by_file(chunks: dict[bytes, Lines]) -> dict[str, Lines]:
    """What was seen of each Lua file of the package, wherever in a chunk its text stands."""
    texts = {path: path.read_bytes() for path in sorted(PACKAGE.rglob("*.lua"))}
    found: dict[str, Lines] = defaultdict(Lines)
    for chunk, seen in chunks.items():
        for path, text in texts.items():
            at = chunk.find(text)
            if at < 0:
                continue
            before, size = chunk.count(b"\n", 0, at), text.count(b"\n")
            lines = found[str(path.relative_to(PACKAGE))]
            for what in ("there", "run", "called"):
                inside = {line - before for line in getattr(seen, what) if before < line <= before + size}
                getattr(lines, what).update(inside)
    return found


def missed(path: Path, lines: Lines) -> list[int]:
    """The lines of a file that never ran: of functions that ran, and where one begins that was never called."""
    defined = {number for number, line in enumerate(path.read_text("utf-8").splitlines(), 1) if DEFINES.match(line)}
    return sorted((lines.there - lines.run) | (defined - lines.called))


def ranges(numbers: list[int]) -> Iterator[str]:
    """Numbers as "3, 5-7"."""
    start = None
    for at, number in enumerate(numbers):
        start = number if start is None else start
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            yield str(start) if start == number else f"{start}-{number}"
            start = None


class Plugin:
    """Watches the runtimes of this process, and reports those of all."""

    def __init__(self, config: pytest.Config) -> None:
        self.chunks: dict[bytes, Lines] = defaultdict(Lines)
        self.is_worker = hasattr(config, "workerinput")
        self.name = config.workerinput["workerid"] if self.is_worker else "main"
        new: Callable[..., Any] = walker.lua_runtime
        self.runtimes: WeakSet[Runtime] = WeakSet()

        def watched(name: str | None = None) -> Runtime:
            runtime = Runtime(new(name), self.chunks)
            self.runtimes.add(runtime)
            return runtime

        walker.lua_runtime = watched
        if not self.is_worker:
            PARTS.mkdir(parents=True, exist_ok=True)
            for part in PARTS.glob("*.json"):
                part.unlink()

    def pytest_runtest_setup(self) -> None:
        for runtime in self.runtimes:
            runtime.watch()

    def pytest_sessionfinish(self) -> None:
        seen = {
            name: {what: sorted(found) for what, found in vars(lines).items()}
            for name, lines in by_file(self.chunks).items()
        }
        (PARTS / f"{self.name}.json").write_text(json.dumps(seen))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files: dict[str, Lines] = defaultdict(Lines)
        for part in PARTS.glob("*.json"):
            for name, seen in json.loads(part.read_text()).items():
                for what, found in seen.items():
                    getattr(files[name], what).update(found)
        terminalreporter.section("Lua coverage")
        all_there = all_missed = 0
        for path in sorted(PACKAGE.rglob("*.lua")):
            name = str(path.relative_to(PACKAGE))
            lines = files[name]
            gone = missed(path, lines)
            there = len(lines.there | set(gone))
            all_there, all_missed = all_there + there, all_missed + len(gone)
            share = 100 * (1 - len(gone) / there) if there else 0
            terminalreporter.write_line(f"{name:<24} {there:5} {len(gone):5} {share:6.1f}%  {', '.join(ranges(gone))}")
        terminalreporter.write_line(
            f"{'all':<24} {all_there:5} {all_missed:5} {100 * (1 - all_missed / max(all_there, 1)):6.1f}%"
        )
