"""Why a frame is marked as it is, why two frames are or are not the same packet, and the path of a packet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.errors import UsageError
from pywnv.lua import lua_text
from pywnv.tables.annotation import Annotation
from pywnv.tables.fields import VERDICTS

if TYPE_CHECKING:
    from pywnv.annotate.columns import Batch
    from pywnv.annotate.walker import Watch
    from pywnv.host.topology import Topology

REACH = 2**20  # frames: the engine joins nothing over more
Warn = Callable[[str], None]  # is told what the user should know of the capture, in one line


@dataclass(frozen=True)
class Difference:
    """The first difference of two frames, from their network headers on.

    Attributes:
        field: its name.
        may_change: whether a hop may change it.
        values: of both frames, in hexadecimal; of a long field that is no address, 8 bytes from the first that differs.
        offset: of that byte in the first frame.
    """

    field: str
    may_change: bool
    values: tuple[str, str]
    offset: int


@dataclass(frozen=True)
class Pair:
    """Two frames compared.

    Attributes:
        rows: of both.
        gap: seconds from the first to the second; None if one has no time.
        difference: the first; None if they are equal as far as both were captured.
        window: longest time between two sightings of a packet, in seconds.
        rule: by which the engine has told one frame from the packet of the other, or None.
        fixed: a field that no hop changes and in which they differ, so that they are two packets; or None.
    """

    rows: tuple[Annotation, Annotation]
    gap: float | None
    difference: Difference | None
    window: float
    rule: str | None = None
    fixed: str | None = None


def frame_row(
    capture: Path,
    frame: int,
    warn: Warn = lambda _: None,
    *,
    topology: Topology | None = None,
    watch: Watch | None = None,
) -> Annotation:
    """The row of a frame.

    Args:
        capture: pcapng or pcap.
        frame: its number, from 1.
        warn: called with each warning, one line for the user.
        topology: names and roles in the host, or None.
        watch: as `walker.annotate` takes it.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame.
    """
    (row,) = _rows(capture, {frame}, warn, topology, watch)
    return row


def packets(
    capture: Path, wanted: set[int], frame: int, warn: Warn = lambda _: None, *, topology: Topology | None = None
) -> dict[int, list[Annotation]]:
    """The rows that show some packets, and the events about them, by packet; as far in the file as packets reach.

    Raises:
        CaptureError: the capture cannot be read.
    """
    found: dict[int, list[Annotation]] = {packet: [] for packet in sorted(wanted)}
    for batch in _walk(capture, frame + REACH, warn, topology):
        both = zip(batch.column("packet"), batch.column("event_packet"), strict=True)
        for row in batch.chosen(bool(wanted.intersection(either)) for either in both):
            found[row.packet or row.event_packet or 0].append(row)
    return found


def compare(
    capture: Path, first: int, second: int, warn: Warn = lambda _: None, *, topology: Topology | None = None
) -> Pair:
    """Compares two frames.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame, or it is not a packet.
    """
    eyes: list[Any] = []

    def watch(lua: Any, modules: Any) -> Any:
        wanted = lua.table_from({first: True, second: True})
        eyes.append(lua.execute(lua_text("writers/explain.lua").encode(), modules, wanted))
        return eyes[0][b"engine"]

    first, second = sorted((first, second))
    one, other = _rows(capture, {first, second}, warn, topology, watch)
    for row in (one, other):
        if row.packet is None:
            raise UsageError(f"{capture}: frame {row.frame} is not a packet")
    found = eyes[0][b"difference"](first, second)
    difference = None
    if found:
        name, may_change, value, other_value, offset = (found[at] for at in range(1, 6))
        difference = Difference(name.decode(), bool(may_change), (value.decode(), other_value.decode()), int(offset))
    rule = eyes[0][b"rule"](second, one.packet) or eyes[0][b"rule"](first, other.packet)
    fixed = eyes[0][b"fixed"](first, second)
    return Pair(
        (one, other),
        eyes[0][b"gap"](first, second),
        difference,
        eyes[0][b"window"],
        rule.decode() if rule else None,
        fixed.decode() if fixed else None,
    )


def _walk(
    capture: Path, last: int, warn: Warn, topology: Topology | None, watch: Watch | None = None
) -> Iterator[Batch]:
    """The rows of a capture, up to a frame at least."""
    from pywnv.annotate import sinks
    from pywnv.annotate.columns import unpacked
    from pywnv.annotate.walker import annotate
    from pywnv.capture.source import need_file, open_to_join

    need_file(capture)  # a path takes a second walk
    with open_to_join(capture) as opened:
        pieces = annotate(
            [opened],
            sink=sinks.columns,
            window=None,
            progress=lambda _: None,
            warn=warn,
            topology=topology,
            watch=watch,
        )
        number = 0
        for batch in unpacked(pieces):
            yield batch
            number += batch.size
            if number >= last:
                return


def _rows(
    capture: Path, frames: set[int], warn: Warn, topology: Topology | None, watch: Watch | None = None
) -> list[Annotation]:
    """The rows of some frames."""
    found: list[Annotation] = []
    last = 0
    for batch in _walk(capture, max(frames), warn, topology, watch):
        found += batch.chosen(number in frames for number in range(last + 1, last + batch.size + 1))
        last += batch.size
    if len(found) < len(frames):
        raise UsageError(f"{capture}: has no frame {max(frames)}; the last is {last}")
    return found


def interval(seconds: float) -> str:
    """A time for people, in the unit that fits."""
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if abs(seconds) >= unit:
            return f"{seconds / unit:.3f} {name}"
    return f"{seconds * 1e6:.3f} µs"


def path_lines(rows: list[Annotation]) -> list[str]:
    """The path of one packet, as the plugin's window shows it: its sightings, a ladder, the path, its events."""
    from pywnv.generate.engine import engine_lua
    from pywnv.lua.runtime import lua_runtime

    lua = lua_runtime()
    words = lua.execute((engine_lua() + "return modules.words").encode())
    verdicts = lua.table_from({code: name.encode() for code, name in enumerate(VERDICTS)})
    lay_out = lua.execute(lua_text("reports/table.lua").encode())
    names = lua.table_from({b"verdict": verdicts})
    report = lua.execute(lua_text("reports/path.lua").encode(), names, lay_out, words)
    for row in rows:
        said = {name: _as_lua(value) for name, value in row._asdict().items() if value is not None}
        said["verdict"] = VERDICTS.index(row.verdict or "")
        if row.event:
            said["info"] = event_words(row).encode()
        add = report[b"event" if row.event else b"row"]
        add(row.frame, lua.table_from({name.encode(): value for name, value in said.items()}))
    lines: list[str] = report[b"total"]().decode().splitlines()
    return lines


def _as_lua(value: object) -> object:
    return value.encode() if isinstance(value, str) else float(value) if isinstance(value, Decimal) else value


EVENT_NIC = {"received": "from", "routed": "from", "delivered": "to"}  # how it names its NIC; a drop names either end
WHAT = {
    "original": "is the first sighting of packet {packet}",
    "duplicate": "shows packet {packet} again",
    "segment": "was cut from the larger frame {segment_of}",
    "coalesced": "was built from packet {packet} and what followed it",
    "repeat": "is another packet with the same bytes, sent twice or doubled by the network",
    "retransmission": "is a retransmission",
}


def _by_rule(what: str, name: str) -> Iterator[str]:
    """What was decided, with the reason of the rule; then the rule, with its source."""
    from pywnv.generate.rules import rules

    rule = rules()[name]
    yield f"{what}: {rule.reason[0].lower() + rule.reason[1:]}."
    yield f"Rule: {rule.name}" + (f" ({rule.source})" if rule.source else "")


def why(row: Annotation, earlier: list[Annotation]) -> list[str]:
    """Why a frame has its mark: one sentence in each line, the answer first.

    Args:
        row: of the frame, which is a packet.
        earlier: for a repeat or a retransmission, the rows of the packet that carried the same before; else empty.
    """
    what = WHAT[row.verdict or ""].format_map(row._asdict())
    if row.rule:
        lines = [*_by_rule(f"Frame {row.frame} {what}", row.rule)]
    else:
        lines = [f"Frame {row.frame} {what}: pywnv remembers no earlier packet with these bytes."]
    if row.rewritten:
        lines.append(f"Since frame {row.previous}, a hop has changed: {row.rewritten.replace(',', ', ')}.")
    if row.drop:
        lines.append(f"It was dropped here: {_drop_reason(row)}.")
        lines += [row.drop_advice] if row.drop_advice else []
    if earlier:
        frames = ", ".join(str(other.frame) for other in earlier)
        gap = (row.time or 0) - (earlier[0].time or 0)
        lines.append(
            f"Packet {earlier[0].packet} carried the same content {interval(float(gap))} earlier"
            f" (frame{'s' if len(earlier) > 1 else ''} {frames})."
        )
    return lines


def reasons(pair: Pair) -> list[str]:
    """Why two frames are, or are not, the same packet: one sentence in each line, the answer first."""
    first, second = pair.rows
    joined = first.packet == second.packet
    same = f"Frames {first.frame} and {second.frame} are the same packet."
    lines = [same] if joined else [*_two(pair)]
    if first.protocol == second.protocol:
        lines.append(_difference(pair.difference, first.frame, second.frame, joined=joined))
    if pair.gap is None:
        lines.append("One of them has no time, so pywnv never takes it for a sighting of the other's packet.")
    else:
        when = f"{interval(abs(pair.gap))} {'later' if pair.gap >= 0 else 'earlier'}"
        lines.append(f"Frame {second.frame} comes {when}; the window is {pair.window * 1e3:g} ms.")
    return lines


def _two(pair: Pair) -> Iterator[str]:
    """That two frames are two packets, and why; or that it is not known."""
    first, second = pair.rows
    both = f"Frames {first.frame} and {second.frame} are"
    decided = second.rule if first.packet in (second.repeat_of, second.segment_of) else None
    name = pair.rule or decided
    if first.protocol != second.protocol:
        yield f"{both} two packets: frame {first.frame} is {first.protocol}, frame {second.frame} is {second.protocol}."
    elif name:
        yield from _by_rule(f"{both} two packets", name)
    elif pair.fixed:
        yield f"{both} two packets: they differ in {pair.fixed}, which no hop changes."
    else:
        yield f"{both} not known to be the same packet."


def _difference(found: Difference | None, first: int, second: int, *, joined: bool) -> str:
    if found is None:
        return "From the network header on they are equal, as far as both were captured."
    kind = "First difference, which a hop may change" if found.may_change or joined else "They differ"
    one, other = (_shown(found.field, value) for value in found.values)
    return f"{kind}: {found.field} (byte {found.offset}), {one} in frame {first}, {other} in frame {second}."


def _shown(field: str, value: str) -> str:
    """A value as people write it: an address, or a number in hexadecimal."""
    data = bytes.fromhex(value)
    if field.endswith("MAC address"):
        return data.hex(":")
    if field.endswith("address") and len(data) in (4, 16):
        return ip_address(data).compressed
    return f"0x{value}"


def event_words(row: Annotation) -> str:
    """What an event of the vmSwitch says: what was done, for which NICs, why a packet was dropped."""
    words = [row.event or ""]
    if row.event_nic:
        words.append(f"{EVENT_NIC.get(row.event or '', 'at')} NIC {row.event_nic}")
    if row.event_destination_nic:
        words.append(f"to NIC {row.event_destination_nic}")
    if row.event_switch:
        words.append(f"by vmSwitch {row.event_switch}")
    return " ".join(words) + (f": {_drop_reason(row)}" if row.drop else "")


def _drop_reason(row: Annotation) -> str:
    reason = row.drop_reason_text or (f"reason {row.drop_reason}" if row.drop_reason else "reason not given")
    return f"{reason}; {row.drop_rule}" if row.drop_rule else reason


def _event(row: Annotation) -> list[str]:
    """What is said of a frame that is not a packet."""
    if not row.event:
        return [f"Frame {row.frame} is not a packet."]
    lines = [f"Frame {row.frame} is an event of the vmSwitch: {event_words(row)}."]
    if row.event_packet:
        lines.append(f"It is about packet {row.event_packet}: the buffer's address and the order of events prove it.")
    else:
        lines.append("Nothing proves which packet it is about.")
    return lines + ([row.drop_advice] if row.drop_advice else [])


def explain(capture: Path, frames: tuple[int, ...], warn: Warn, *, topology: Topology | None = None) -> Iterator[str]:
    """Explains one frame or two, for people.

    Yields:
        Lines of text.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame.
    """
    if len(frames) == 2:
        pair = compare(capture, *frames, warn, topology=topology)
        rows = list(pair.rows)
        yield from reasons(pair)
    else:
        rows = [frame_row(capture, frames[0], warn, topology=topology)]
    shown = [packet for row in rows if (packet := row.packet or row.event_packet)]
    repeated = {row.repeat_of for row in rows if row.repeat_of}
    known = packets(capture, {*shown, *repeated}, max(frames), warn, topology=topology) if shown else {}
    for row in rows:
        if len(frames) == 2:
            yield ""
        if row.packet is None:
            yield from _event(row)
        else:
            yield from why(row, known.get(row.repeat_of or 0, []))
    for packet in dict.fromkeys(shown):
        yield ""
        yield f"Packet {packet}"
        yield from path_lines(known[packet])
