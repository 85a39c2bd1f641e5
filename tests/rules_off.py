"""What each rule and each limit of the engine is good for: which captures change where it is switched off."""

from __future__ import annotations

import atexit
import csv
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from operator import itemgetter
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hard_cases import CASES, to_pcapng

from pywnv.annotate import sinks
from pywnv.annotate.walker import annotate
from pywnv.capture.source import open_capture
from pywnv.generate.rules import Limit, Rule, limits, rules
from pywnv.tables.fields import columns

CAPTURES = Path(__file__).parent / "captures"
SWITCH_OFF = b"""
local modules, rule, limit, value = ...
if rule then
  modules.decide.sources[rule].new = function()
    return { decide = function() end, commit = function() end }
  end
elseif limit then
  modules.limits[limit] = value
end
return modules.engine
"""
MARKS = ("packet", "verdict", "segment_of", "repeat_of", "rewritten", "event_packet", "event_near")


def marks(path: Path, off: Rule | Limit | None = None) -> list[tuple[str, ...]]:
    """What is said of each frame of a capture, with a rule or a limit switched off."""
    rule = off.name.encode() if isinstance(off, Rule) else None
    limit, value = (off.name.encode(), off.without) if isinstance(off, Limit) else (None, None)

    def watch(lua: Any, modules: Any) -> Any:
        return lua.execute(SWITCH_OFF, modules, rule, limit, value)

    with open_capture(path) as opened:
        pieces = annotate(
            [opened],
            sink=sinks.csv,
            window=value if off and off.name == "window" else None,
            progress=lambda _: None,
            warn=lambda _: None,
            watch=watch,
        )
        text = b"".join(pieces).decode()
    return list(map(itemgetter(*map(columns().index, MARKS)), csv.reader(text.splitlines())))


@cache
def capture(name: str) -> Path:
    """A capture by the name that a proof has: of a file in tests/captures, or of a case of hard_cases.py."""
    for path in (CAPTURES / f"{name}.pcapng.gz", CAPTURES / f"{name}.pcapng"):
        if path.exists():
            return path
    made = Path(mkdtemp(prefix="pywnv-rules-")) / f"{name.replace('/', '-')}.pcapng"
    made.write_bytes(to_pcapng(CASES[name]()))
    atexit.register(shutil.rmtree, made.parent)
    return made


@cache
def usual_marks(path: Path) -> list[tuple[str, ...]]:
    return marks(path)


def changes(path: Path, off: Rule | Limit) -> int:
    """How many frames of a capture are marked otherwise where a rule or a limit is switched off."""
    return sum(one != other for one, other in zip(usual_marks(path), marks(path, off), strict=True))


def switches() -> list[Rule | Limit]:
    """The rules, and the limits that can be switched off."""
    return [*rules().values(), *(limit for limit in limits().values() if limit.without is not None)]


def changed(off: Rule | Limit) -> list[str]:
    """The captures that change where a rule or a limit is switched off, each with how many frames of it."""
    paths = {path.relative_to(CAPTURES).as_posix().split(".")[0]: path for path in sorted(CAPTURES.rglob("*.pcap*"))}
    if off.proof in CASES:
        paths[off.proof] = capture(off.proof)
    counts = {name: changes(path, off) for name, path in paths.items()}
    return [f"{name} ({count})" for name, count in counts.items() if count]


def main(names: Iterable[str]) -> int:
    wanted = set(names)
    each = [off for off in switches() if not wanted or off.name in wanted]
    useless = 0
    with ProcessPoolExecutor() as pool:
        for off, found in zip(each, pool.map(changed, each), strict=True):
            useless += not found
            print(f"{off.name}: {', '.join(found) or 'CHANGES NO CAPTURE'}", flush=True)
    return 1 if useless else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
