"""The second pass: all captures as one pcapng, with the clocks set right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.capture import pcapng
from pywnv.capture.write import COMMENT, HARDWARE, PROGRAM, SYSTEM, text
from pywnv.errors import CaptureError
from pywnv.join.scan import NANO, Place, Reader, Scan, pieces_of

if TYPE_CHECKING:
    from pywnv.host.topology import Topology
    from pywnv.join.align import Clock
    from pywnv.join.lua import JoinLua
    from pywnv.join.observers import Observer

FOREVER = 1e300  # seconds
JOURNAL_TIME = re.compile(rb"^__REALTIME_TIMESTAMP=(\d{1,18})$", re.MULTILINE)
SECTION_TEXTS = {HARDWARE: "hardware", SYSTEM: "system", PROGRAM: "program", COMMENT: "comment"}


def order_of(scans: list[Scan]) -> str:
    """The byte order of the output, which is that of all pcapng files.

    Raises:
        CaptureError: they have two.
    """
    orders = set[str]().union(*(scan.orders for scan in scans))
    if len(orders) > 1:
        name = next(scan.name for scan in scans if ">" in scan.orders)
        raise CaptureError(f"{name}: is a big-endian pcapng, and others are not; convert it with editcap first")
    return orders.pop() if orders else "<"


def beginning(scans: list[Scan], topologies: dict[str, Topology], order: str) -> bytes:
    """The section header and the interfaces of the output."""
    return pcapng.section(order, _section_options(scans, order)) + b"".join(
        pcapng.block(pcapng.INTERFACE, body, order)
        for scan in scans
        for body in _interfaces(scan, topologies.get(scan.name), order)
    )


def _section_options(scans: list[Scan], order: str) -> bytes:
    """The options of the first section as they are; those of others as comments, for a section has each only once."""
    kept, comments = b"", b""
    for number, scan in enumerate(scans):
        for at, options in enumerate(scan.sections):
            words = []
            for code, value in pcapng.options(options, order):
                if number == at == 0:
                    kept += pcapng.option(code, value, order)
                elif code in SECTION_TEXTS and value:
                    words.append(f"{SECTION_TEXTS[code]} {value.decode('utf-8', 'replace')}")
            if words:
                comments += pcapng.option(COMMENT, text(f"{scan.name}: {'; '.join(words)}"), order)
    return comments + kept + bytes(4) if comments + kept else b""


def _interfaces(scan: Scan, topology: Topology | None, order: str) -> Iterator[bytes]:
    """The bodies of an observer's interface descriptions, with its name before theirs."""
    known = _known_names(scan, topology)
    for number, place in enumerate(scan.places):
        own = place.interface.name if place.numbered else None
        name = (own or f"interface {number}".encode()) if known[number] is None else known[number]
        assert name is not None  # noqa: S101
        description = place.interface.description
        yield _renamed(place, scan.name.encode() + b": " + name, own if known[number] else None, description, order)


def _renamed(place: Place, name: bytes, old: bytes | None, description: bytes | None, order: str) -> bytes:
    """An interface description with another name; the old one becomes its description, and that a comment."""
    options = [(code, value) for code, value in pcapng.options(place.body[8:], order) if code != pcapng.IF_NAME]
    if old:
        options = [one for one in options if one[0] != pcapng.IF_DESCRIPTION]
        options.insert(0, (pcapng.IF_DESCRIPTION, old))
        if description:
            options.insert(0, (COMMENT, description))
    options.insert(0, (pcapng.IF_NAME, name[:65_532]))
    return place.body[:8] + b"".join(pcapng.option(code, value, order) for code, value in options) + bytes(4)


def _known_names(scan: Scan, topology: Topology | None) -> list[bytes | None]:
    """What the topology calls the interfaces of an observer; None if it does not know one."""
    if topology is None:
        return [None] * len(scan.places)
    from pywnv.capture.links import KIND_OF_LINKTYPE, UNKNOWN
    from pywnv.generate.engine import engine_lua
    from pywnv.lua.runtime import lua_runtime

    hop = lua_runtime().execute((engine_lua(topology) + "return modules").encode())
    knowing, plain = hop[b"hop"][b"registry"](hop[b"topology"]), hop[b"hop"][b"registry"](None)
    names: list[bytes | None] = []
    for number, place in enumerate(scan.places):
        of = place.interface
        name, description = (of.name, of.description) if place.numbered else (None, None)
        kind = KIND_OF_LINKTYPE.get(of.linktype, UNKNOWN).encode()
        found, without = (
            registry[b"place"](registry, kind, number, name, description) for registry in (knowing, plain)
        )
        for registry in (knowing, plain):
            registry[b"commit"](registry)
        is_known = (found[b"title"], found[b"role"]) != (without[b"title"], without[b"role"])
        names.append(found[b"name"] if is_known else None)
    return names


def _segments(clock: Clock) -> list[object]:
    """The segments of a clock as lua/join/merge.lua takes them."""
    made: list[object] = []
    for number, segment in enumerate(clock.segments):
        lines: list[object] = []
        for line in segment.lines:
            # Whole seconds apart, so that a double holds the rest exactly.
            whole, part = divmod(segment.ahead, NANO)
            ahead = part / NANO + line.ahead - line.rate * line.start
            lines.append({"stop": line.stop, "whole": whole, "part": ahead, "rate": line.rate})
        step = clock.steps[number - 1] if number else None
        made.append(
            {
                "after": step.after if step else 0,
                "first": step.first if step else 0,
                "by": step.by if step else 0.0,
                "lines": lines,
            }
        )
    return made


def pieces(
    observers: list[Observer],
    scans: list[Scan],
    clocks: list[Clock],
    topologies: dict[str, Topology],
    lua: JoinLua,
    *,
    progress: Callable[[int], None],
) -> Iterator[bytes]:
    """The joined capture, piece by piece.

    Args:
        observers: whose files are read once more.
        scans: what the first pass has found.
        clocks: how far each is ahead.
        topologies: names and roles in the hosts, by the observers' names.
        lua: that merges.
        progress: called with the number of bytes of all files read so far.

    Raises:
        CaptureError: a file has changed, or two are of different byte orders.
    """
    order = order_of(scans)
    yield beginning(scans, topologies, order)
    merger = lua.merger(scans[0].base // NANO, is_big=order == ">")
    read = [0] * len(observers)
    sources: list[tuple[Reader, Iterator[tuple[Path, bytes]]]] = []
    offset = 0
    for number, (observer, scan, clock) in enumerate(zip(observers, scans, clocks, strict=True)):
        reader = Reader(lua, offset=offset, order=order)
        offset += len(scan.places)

        def count(done: int, number: int = number) -> None:
            read[number] = done
            progress(sum(read))

        sources.append((reader, pieces_of(reader, observer.files, count, lambda _: None)))
        base = clock.segments[0].base
        segments, on_journal = lua.table(_segments(clock)), _on_journal(base)
        merger[b"add"](reader.cursor, base // NANO, base % NANO, segments, on_journal, scan.is_annotated)
    paths = [observer.files[0] for observer in observers]
    is_done = False
    while not is_done:
        made, which, problem, is_done = merger[b"run"]()
        if made:
            yield made
        if which is None:
            continue
        at = int(which) - 1
        if problem:
            raise CaptureError(f"{paths[at]}: {problem.decode()}")
        reader, files = sources[at]
        following = next(files, None)
        if following is None:
            merger[b"finish"](which)
            if len(reader.interfaces.places) != len(scans[at].places):
                raise CaptureError(f"{paths[at]}: changes while it is read; try again when it is whole")
        else:
            paths[at], piece = following
            reader.feed(piece)


def _on_journal(base: int) -> Any:
    def set_time(body: bytes, whole: int, part: float, rate: float) -> tuple[bytes, int | None, int]:
        found = JOURNAL_TIME.search(body)
        if found is None:
            return body, None, 0
        time = int(found[1]) * 1000
        time -= int(whole) * NANO + round((part + rate * (time - base) / NANO) * NANO)
        time = max(time, 0)
        digits = b"%0*d" % (len(found[1]), time // 1000)
        if len(digits) == len(found[1]):
            body = body[: found.start(1)] + digits + body[found.end(1) :]
        return body, time // NANO, time % NANO

    return set_time
