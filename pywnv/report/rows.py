"""The rows of a report's tables, as texts ready to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pywnv.report import story
from pywnv.report.ladder import Rung
from pywnv.report.text import clean, duration, name, number, share
from pywnv.statistics.example import DROPPED, SLOWEST, TYPICAL
from pywnv.statistics.pairs import QUESTIONS, questions
from pywnv.words import count

if TYPE_CHECKING:
    from pywnv.statistics.example import Example, Sighting
    from pywnv.statistics.loss import Loss
    from pywnv.statistics.model import Drop, Flow, Statistics, Step

MOST_PATHS, MOST_STEPS, MOST_MORE_STEPS, MOST_SLOWEST = 12, 6, 20, 8
MOST_DROPS, MOST_LOSSES, MOST_FLOWS, MOST_UNANSWERED, MOST_HOPS = 20, 12, 12, 12, 40
DASH = "\u2013"  # between the ends of a flow


class PathRow(NamedTuple):
    """A usual path."""

    hops: list[str]
    direction: str
    packets: str
    share: str
    frame: str
    part: float


class StepRow(NamedTuple):
    """A step from one hop to the next."""

    hops: tuple[str, str]
    packets: str
    median: str
    p95: str
    most: str
    step: Step


class SlowRow(NamedTuple):
    """A packet that took long."""

    hops: tuple[str, str]
    took: str
    packet: str
    frame: str


class HopRow(NamedTuple):
    """A hop, and when it shows frames."""

    name: str
    frames: str
    packets: str
    first: str
    last: str
    over_time: tuple[int, ...]


class DropRow(NamedTuple):
    """Packets that were dropped."""

    reason: str
    place: str
    rule: str
    packets: str
    frame: str
    harmless: str | None


class LossRow(NamedTuple):
    """Packets that never came from one observer to the next."""

    observers: tuple[str, str]
    hop: str
    packets: str
    came: str
    again: str
    frame: str


class Advice(NamedTuple):
    """What to do about a reason."""

    reason: str
    words: str


class UnansweredRow(NamedTuple):
    """Requests without an answer."""

    kind: str
    source: str
    destination: str
    unanswered: str
    end: str
    frame: str


class FlowRow(NamedTuple):
    """A flow with problems."""

    name: str
    packets: str
    again: str
    dropped: str
    unanswered: str
    frame: str


class LadderRow(NamedTuple):
    """A packet that is worth a look."""

    title: str
    words: str
    rungs: list[Rung]

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """Frame, hop, time since the first and what happened, for a table."""
        return [(number(rung.frame), name(rung.hop), elapsed(rung.elapsed), rung.note or "") for rung in self.rungs]


def _split(path: str | None) -> list[str]:
    return [clean(hop) for hop in path.split(" > ")] if path is not None else [name(None)]


def paths(statistics: Statistics) -> list[PathRow]:
    """The usual paths; no direction where none is known."""
    most = max((path.packets for path in statistics.paths), default=1)
    return [
        PathRow(
            _split(path.path),
            "" if path.direction == "unknown" else path.direction,
            number(path.packets),
            share(path.packets, statistics.packets),
            number(path.first_frame),
            path.packets / most,
        )
        for path in statistics.paths[:MOST_PATHS]
    ]


def step_row(step: Step) -> StepRow:
    """A step."""
    return StepRow(
        (name(step.from_hop), name(step.to_hop)),
        number(step.count),
        took(step.median),
        took(step.p95),
        took(step.most),
        step,
    )


def took(seconds: float) -> str:
    """How long something took; time may run back."""
    return duration(max(seconds, 0.0))


def slowest(statistics: Statistics) -> list[SlowRow]:
    """The slowest packet of each step, the slowest first."""
    steps = sorted(statistics.steps, key=lambda step: -step.most)
    return [
        SlowRow(
            (name(step.from_hop), name(step.to_hop)),
            took(step.most),
            number(step.slowest_packet),
            number(step.slowest_frame),
        )
        for step in steps[:MOST_SLOWEST]
        if step.most > 0
    ]


def hops(statistics: Statistics) -> list[HopRow]:
    """When each hop shows packets."""
    return [
        HopRow(
            name(hop.name),
            number(hop.frames),
            number(hop.packets),
            number(hop.first_frame),
            number(hop.last_frame),
            hop.over_time,
        )
        for hop in statistics.hops[:MOST_HOPS]
    ]


def drop_row(drop: Drop) -> DropRow:
    """Packets that were dropped."""
    words = story.reason(drop)
    words = words[:1].upper() + words[1:]
    if drop.reason is not None and drop.text is not None:
        words = f"{words} ({drop.reason})"
    packets = drop.packets + drop.near
    amount = number(packets) if packets else count(drop.frames, "event", ",")
    because = clean(drop.harmless_because or "normal on any day") if drop.harmless else None
    place = name(drop.hop) if drop.hop is not None else "not given"
    return DropRow(words, place, clean(drop.rule or ""), amount, number(drop.first_frame), because)


def loss_row(loss: Loss) -> LossRow:
    """Packets that never came from one observer to the next."""
    packets = f"{'at least ' if loss.at_least else ''}{number(loss.packets)}"
    if not loss.is_told:
        packets += ", perhaps only not captured" if loss.is_ordered else f", if {clean(loss.from_observer)} comes first"
    return LossRow(
        (clean(loss.from_observer), clean(loss.to_observer)),
        name(loss.hop),
        packets,
        number(loss.came),
        f"{number(loss.again)} of {number(loss.needed)}" if loss.needed else "",
        number(loss.first_frame),
    )


def advice(drops: Sequence[Drop]) -> list[Advice]:
    """What to look at, a reason each."""
    of = {story.reason(drop): drop.advice for drop in reversed(drops) if drop.advice and not drop.harmless}
    return [Advice(reason[:1].upper() + reason[1:], clean(words, 1000)) for reason, words in reversed(of.items())]


def unanswered(statistics: Statistics) -> list[UnansweredRow]:
    """Requests without an answer."""
    rows = []
    for row, ports in questions(statistics)[:MOST_UNANSWERED]:
        amounts = [f"{number(row.unanswered)} of {number(row.asked)}"] if row.unanswered else []
        amounts += [f"{number(row.refused)} refused"] if row.refused else []
        kind = QUESTIONS[row.kind]
        rows.append(
            UnansweredRow(
                kind[:1].upper() + kind[1:],
                clean(row.source),
                story.asked_of(row, ports),
                ", ".join(amounts),
                clean(row.end_hop or ""),
                number(row.first_frame) if row.first_frame else "",
            )
        )
    return rows


def flow_row(flow: Flow) -> FlowRow:
    """A flow with problems."""
    return FlowRow(
        flow_name(flow),
        number(flow.packets + flow.back),
        number(flow.retransmissions) if flow.retransmissions else "",
        number(flow.dropped) if flow.dropped else "",
        number(flow.unanswered) if flow.unanswered else "",
        number(flow.first_trouble or flow.first_frame),
    )


TITLES = {DROPPED: "A packet that is dropped", SLOWEST: "The slowest packet", TYPICAL: "A typical packet"}


def ladder_row(example: Example) -> LadderRow:
    """A packet that is worth a look."""
    seen = example.sightings
    rungs = [Rung(one.frame, one.hop, one.elapsed, _note(one), one.dropped, one.after) for one in seen]
    words = f"Packet {number(example.packet)}, {flow_name(example, '→')}: {count(len(seen), 'frame', ',')}"
    if len(seen) > 1 and seen[-1].elapsed is not None:
        words += f" in {elapsed(seen[-1].elapsed)}"
    noted: dict[str, list[int]] = {}
    for rung in rungs:
        if rung.note:
            noted.setdefault(rung.note, []).append(rung.frame)
    words += "".join(f"; in {_frames(frames)}, {note}" for note, frames in noted.items()) + "."
    return LadderRow(TITLES.get(example.kind, "A packet"), words, rungs)


def _frames(frames: Sequence[int]) -> str:
    numbers = list(map(number, frames))
    return f"frames {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else f"frame {numbers[0]}"


def _note(seen: Sighting) -> str | None:
    notes = []
    if seen.dropped:
        why = f": {clean(seen.text)}" if seen.text is not None else ""
        notes.append(f"an event within a millisecond reports a drop{why}" if seen.near else f"dropped{why}")
    if seen.rewritten:
        notes.append(f"changed: {clean(seen.rewritten.replace(',', ', '))}")
    return ", ".join(notes) or None


def elapsed(seconds: float | None) -> str:
    """The time since a packet's first sighting."""
    return "" if seconds is None else took(seconds)


def flow_name(flow: Flow | Example, between: str = DASH) -> str:
    """A flow as people write it."""

    def end(address: str | None, port: int | None) -> str:
        words = clean(address or "?")
        if port is None:
            return words
        return f"[{words}]:{port}" if ":" in words else f"{words}:{port}"

    ends = end(flow.source, flow.source_port), end(flow.destination, flow.destination_port)
    return f"{clean(flow.protocol or '')} {f' {between} '.join(ends)}"
