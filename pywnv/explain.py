"""Why two frames are, or are not, the same packet; and the path of one packet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.errors import UsageError
from pywnv.generate import template_text

if TYPE_CHECKING:
    from pywnv.batch import Watch
    from pywnv.topology import Topology

REACH = 2**20  # frames: the engine joins nothing over more
MOMENT = 1e-3  # seconds in which a hop shows a packet again; templates/engine/again.lua
STALL = 8e-3  # the same of one that lacks a sighting; there too
Warn = Callable[[str], None]  # is told what the user should know of the capture, in one line
Row = dict[str, Any]  # of `annotate --format jsonl`

EVIDENCE = {
    "packet-id": "the capture tool gave both the same packet id",
    "bytes": "their bytes are equal, from the network header on",
    "rewritten": "their bytes are equal but for what a hop may change",
    "segment": "one holds a part of the other's TCP data",
    "learned": "their bytes are equal, and this hop is known to record packets of this sender more than once",
}


@dataclass(frozen=True)
class Difference:
    """The first difference of two frames, from their network headers on.

    Attributes:
        field: its name.
        soft: whether a hop may change it.
        values: of both frames, in hexadecimal; of a long field, 8 bytes from the first that differs.
        offset: of that byte in the first frame.
    """

    field: str
    soft: bool
    values: tuple[str, str]
    offset: int


@dataclass(frozen=True)
class Pair:
    """Two frames compared.

    Attributes:
        rows: of both, as annotate writes them.
        gap: seconds from the first to the second; None where one has no time.
        difference: the first; None where they are equal as far as both were captured.
        window: longest time between two sightings of a packet, in seconds.
        learned: for the 2nd, 3rd ... sighting at the later frame's hop: of the packets of its sender that cannot
            repeat, how many were seen that often, and how many were not.
    """

    rows: tuple[Row, Row]
    gap: float | None
    difference: Difference | None
    window: float
    learned: tuple[tuple[float, float], ...]


def sightings(capture: Path, frame: int, warn: Warn = lambda _: None, *, topology: Topology | None = None) -> list[Row]:
    """The rows of all frames that show the packet of a frame, in file order.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame.
    """
    # Twice through the file, rather than all its rows in memory.
    (row,) = _rows(capture, {frame}, warn, topology)
    if row["packet"] is None:
        return [row]
    rows = _walk(capture, frame + REACH, warn, topology)
    return [found for found in rows if found["packet"] == row["packet"]]


def compare(
    capture: Path, first: int, second: int, warn: Warn = lambda _: None, *, topology: Topology | None = None
) -> Pair:
    """Compares two frames.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame, or it is no packet.
    """
    eyes: list[Any] = []

    def watch(lua: Any, modules: Any) -> Any:
        wanted = lua.table_from({first: True, second: True})
        eyes.append(lua.execute(template_text("explain.lua").encode(), modules, wanted))
        return eyes[0][b"engine"]

    first, second = sorted((first, second))
    one, other = _rows(capture, {first, second}, warn, topology, watch)
    for row in (one, other):
        if row["packet"] is None:
            raise UsageError(f"{capture}: frame {row['frame']} is no packet")
    found = eyes[0][b"difference"](first, second)
    difference = None
    if found:
        name, soft, value, other_value, offset = (found[at] for at in range(1, 6))
        difference = Difference(name.decode(), bool(soft), (value.decode(), other_value.decode()), int(offset))
    learned = tuple((pair[1], pair[2]) for pair in eyes[0][b"learned"](second).values())
    return Pair((one, other), eyes[0][b"gap"](first, second), difference, eyes[0][b"window"], learned)


def _walk(capture: Path, last: int, warn: Warn, topology: Topology | None, watch: Watch | None = None) -> Iterator[Row]:
    """The rows of a capture, up to a frame."""
    from pywnv import sinks
    from pywnv.batch import annotate
    from pywnv.capture.source import STDIN, open_capture

    if capture == STDIN:
        raise UsageError("explain: reads the capture twice, so it takes a file, not stdin")
    with open_capture(capture) as opened:
        pieces = annotate(
            [opened], sink=sinks.jsonl, window=None, progress=lambda _: None, warn=warn, topology=topology, watch=watch
        )
        for piece in pieces:
            for line in piece.splitlines():
                row: Row = json.loads(line)
                yield row
                if row["frame"] >= last:
                    return


def _rows(
    capture: Path, frames: set[int], warn: Warn, topology: Topology | None, watch: Watch | None = None
) -> list[Row]:
    """The rows of some frames."""
    number, found = 0, []
    for row in _walk(capture, max(frames), warn, topology, watch):
        number = row["frame"]
        if number in frames:
            found.append(row)
    if len(found) < len(frames):
        raise UsageError(f"{capture}: has no frame {max(frames)}; the last is {number}")
    return found


def microseconds(seconds: float | None) -> str:
    """A time for people; nothing for None."""
    return "" if seconds is None else f"{seconds * 1e6:.3f} µs"


def path_lines(rows: list[Row]) -> list[str]:
    """The sightings of one packet as lines of a table, the headings first; columns without a value are left out."""
    headings = ("frame", "hop", "delta", "elapsed", "verdict", "evidence", "rewritten")
    table: list[tuple[str, ...]] = []
    for row in rows:
        delta, elapsed = microseconds(row["hop_delta"]), microseconds(row["hop_elapsed"])
        names = (row[column] or "" for column in ("verdict", "evidence", "rewritten"))
        table.append((str(row["frame"]), row["hop"] or "", delta, elapsed, *names))
    columns = [
        (heading, *cells) for heading, cells in zip(headings, zip(*table, strict=True), strict=True) if any(cells)
    ]
    numbers = {"frame", "delta", "elapsed"}
    padded = []
    for column in columns:
        width = max(map(len, column))
        padded.append([cell.rjust(width) if column[0] in numbers else cell.ljust(width) for cell in column])
    return ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]


def reasons(pair: Pair) -> list[str]:
    """Why two frames are, or are not, the same packet: one sentence a line, the answer first."""
    first, second = pair.rows
    names = f"Frames {first['frame']} and {second['frame']}"
    joined = first["packet"] == second["packet"]
    lines = [f"{names} are {'the same packet' if joined else 'not known to be the same packet'}."]
    if joined:
        lines.append(f"Evidence for frame {second['frame']}: {EVIDENCE.get(second['evidence'], 'none')}.")
    if second["segment_of"]:
        how = "was cut from" if second["verdict"] == "segment" else "repeats a part of"
        lines.append(f"Frame {second['frame']} {how} the larger frame {second['segment_of']}.")
    lines.append(_difference(pair.difference, first["frame"], second["frame"], joined=joined))
    if pair.gap is None:
        lines.append("One of them has no time, so it is never taken for another's sighting.")
        return lines
    when = f"{microseconds(abs(pair.gap))} {'later' if pair.gap >= 0 else 'earlier'}"
    lines.append(f"Frame {second['frame']} comes {when}; the window is {pair.window * 1e3:g} ms.")
    if first["hop"] == second["hop"] and first["interface"] == second["interface"]:
        lines += _one_hop(pair, joined=joined, gap=abs(pair.gap))
    return lines


def _difference(found: Difference | None, first: int, second: int, *, joined: bool) -> str:
    if found is None:
        return "From the network header on they are equal, as far as both were captured."
    kind = "What differs first, and a hop may change" if found.soft or joined else "They differ"
    one, other = found.values
    return f"{kind}: {found.field} (byte {found.offset}), 0x{one} in frame {first}, 0x{other} in frame {second}."


def _one_hop(pair: Pair, *, joined: bool, gap: float) -> list[str]:
    lines = ["Both were seen at the same hop, where equal bytes may also be another packet that was sent."]
    for times, (hits, misses) in enumerate(pair.learned, 2):
        lines.append(
            f"Learned before: of {hits + misses:.0f} packets of this sender that cannot repeat, {hits:.0f} were seen"
            f" {times} times at this hop."
        )
    if not pair.learned:
        lines.append("Nothing has been learned before of how often this hop records packets of this sender.")
    if not joined and gap > MOMENT and not (pair.difference and not pair.difference.soft):
        lines.append(
            f"A hop shows a packet again within {MOMENT * 1e3:g} ms, or {STALL * 1e3:g} ms if it cannot repeat and"
            " lacks a sighting, unless it was routed between."
        )
    return lines


def explain(capture: Path, frames: tuple[int, ...], warn: Warn, *, topology: Topology | None = None) -> Iterator[str]:
    """Explains one frame or two, for people.

    Yields:
        Lines of text.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame.
    """
    if len(frames) == 2:
        yield from reasons(compare(capture, *frames, warn, topology=topology))
    shown: set[int] = set()
    for frame in frames:
        rows = sightings(capture, frame, warn, topology=topology)
        packet = rows[0]["packet"]
        if packet is None:
            yield f"Frame {frame} is no packet."
        elif packet not in shown:
            shown.add(packet)
            yield from ("", f"Packet {packet}") if len(frames) == 2 else (f"Packet {packet}",)
            yield from path_lines(rows)
            if rows[-1]["path"]:
                yield f"path: {rows[-1]['path']}"
            for row in rows:
                if row["drop"]:
                    yield f"dropped in frame {row['frame']}: {row['drop_reason_text'] or 'reason not told'}"
