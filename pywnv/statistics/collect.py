"""Counts what captures show, in one pass: lua/statistics under lupa, and what is made of its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.statistics.build import build
from pywnv.statistics.model import Selection, Statistics

if TYPE_CHECKING:
    from pywnv.annotate.sinks import Lua
    from pywnv.annotate.walker import Watch
    from pywnv.capture.source import Capture
    from pywnv.host.topology import Topology

    Looking = Callable[[Iterable[Capture]], Iterator[Capture]]

PARTS = ("timeline", "places", "traffic", "selection", "outcome", "strangers", "examples", "sightings")


def _wanted(lua: Lua, selection: Selection | None, *, any_part: bool) -> Any:
    """The selection as Lua takes it."""
    if selection is None:
        return None
    if selection.ip is not None:
        return lua.runtime.table_from({b"ip": selection.ip.encode()})
    if selection.nic is not None:
        return lua.runtime.table_from({b"nic": selection.nic.encode(), b"any_part": any_part})
    assert selection.flow is not None  # noqa: S101  # one of the three is there
    one, one_port, other, other_port = selection.flow
    ends = {b"one": one.encode(), b"one_port": one_port, b"other": other.encode(), b"other_port": other_port}
    return lua.runtime.table_from(ends)


def sink(lua: Lua, *, selection: Selection | None = None, any_part: bool = False) -> Any:
    """What counts frames, as `pywnv.annotate.sinks` has others; `build` makes statistics of what it gives.

    Args:
        lua: in which it runs.
        selection: whose packets count; None for all.
        any_part: whether a part of a NIC's name is enough.
    """
    ends, limits = lua.load("writers/ends.lua"), lua.load("statistics/limits.lua")
    is_to_group = lua.modules[b"drop"][b"is_to_group"]
    tcp, codes, frame = (lua.modules[name] for name in (b"tcp", b"codes", b"frame"))
    parts = {name.encode(): lua.load(f"statistics/{name}.lua", limits, codes, is_to_group) for name in PARTS}
    ways = lua.load("statistics/ways.lua", limits)
    parts[b"losses"] = lua.load("statistics/losses.lua", limits, tcp, codes, frame, is_to_group, ways)
    parts[b"questions"] = lua.load("statistics/questions.lua", limits, ends, is_to_group)
    write = lua.load("statistics/json.lua", lua.load("writers/cells.lua"))
    wanted = _wanted(lua, selection, any_part=any_part)
    table = lua.runtime.table_from(parts)
    return lua.load("statistics/count.lua", limits, codes, is_to_group, wanted, table, ends[b"of"], write)


def collect(
    captures: Path | Sequence[Path],
    *,
    selection: Selection | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
    watch: Watch | None = None,
    looking: Looking = iter,
) -> Statistics:
    """Counts what captures show.

    Args:
        captures: pcapng or pcap (also gzipped), or Windows traces (.etl). Several are one, in the order of their times.
        selection: whose packets count; None for all.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host.
        progress: called with the number of bytes read so far.
        warn: called with each warning, one line for the user.
        watch: as `pywnv.annotate.walker.annotate` takes it.
        looking: is given the open captures, and gives them back: for who looks at their bytes, too.

    Raises:
        CaptureError: a capture is missing, in a format that pywnv cannot read without tshark, or broken.
        UsageError: one of several captures is a pipe.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
    """
    from pywnv.capture.convert import as_pcapng
    from pywnv.capture.order import in_order

    paths = [captures] if isinstance(captures, Path) else list(captures)
    warnings: list[str] = []

    def note(words: str) -> None:
        warnings.append(words)
        warn(words)

    with ExitStack() as stack:
        opened = [stack.enter_context(as_pcapng(path, warn=note)) for path in paths]
        if len(opened) > 1:
            opened = in_order(opened)

        def counted(*, any_part: bool) -> dict[str, Any]:
            return _counted(
                opened,
                selection=selection,
                any_part=any_part,
                window=window,
                topology=topology,
                progress=progress,
                warn=note,
                watch=watch,
                looking=looking,
            )

        found = counted(any_part=False)
        is_empty = not found["total"]["frames"] and not found["total"]["events"]
        if selection and selection.nic and is_empty and not _is_pipe(opened):
            warnings.clear()
            found = counted(any_part=True)
    return build(found, selection, tuple(warnings))


def _is_pipe(captures: Sequence[Path]) -> bool:
    from pywnv.capture.source import is_stream

    return any(map(is_stream, captures))


def _counted(
    captures: Sequence[Path],
    *,
    selection: Selection | None,
    any_part: bool,
    window: float | None,
    topology: Topology | None,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
    watch: Watch | None,
    looking: Looking,
) -> dict[str, Any]:
    from pywnv.annotate.walker import annotate
    from pywnv.capture.source import opened_each

    with closing(opened_each(captures, of_any_format=len(captures) == 1)) as opened:
        pieces = annotate(
            looking(opened),
            sink=partial(sink, selection=selection, any_part=any_part),
            window=window,
            topology=topology,
            progress=progress,
            warn=warn,
            watch=watch,
        )
        with closing(pieces):
            text = b"".join(pieces)
    found: dict[str, Any] = json.loads(text)
    return found
