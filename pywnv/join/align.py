"""Aligns the clocks of observers: who shares packets with whom, and how far each clock is ahead by these."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import combinations

from pywnv.errors import CaptureError
from pywnv.join.clock import Delay, Line, Sides, common_rate, fit, sides
from pywnv.join.match import (
    MOST_TOLERANCE,
    Pair,
    Step,
    contradicted,
    group_pairs,
    merged,
    pairs,
    runs,
    steps,
    with_groups,
)
from pywnv.join.scan import NANO, Scan, Sighting

UNKNOWN = 1e6  # seconds, as the doubt of a clock that packets bound on one side only

Node = tuple[int, int]  # an observer, and which segment between the steps of its clock


@dataclass(frozen=True)
class Segment:
    """What is known of a clock from where it was set to where it was set again.

    Attributes:
        base: nanoseconds since 1970 by this clock, from which its lines count.
        ahead: whole nanoseconds that it is ahead, besides what its lines say.
        lines: in the order of time.
        doubt: seconds, of all observers on the way to the first; UNKNOWN / 2 or more: packets went one way only.
        inherited: the part of it that is of the other observers.
        packets: that tell of it.
    """

    base: int
    ahead: int
    lines: tuple[Line, ...]
    doubt: float = 0.0
    inherited: float = 0.0
    packets: int = 0

    def line(self, time: int) -> Line:
        """The line that holds at a time."""
        if len(self.lines) == 1:
            return self.lines[0]
        since = (time - self.base) / NANO
        return self.lines[min(bisect_right(self.lines, since, key=lambda line: line.stop), len(self.lines) - 1)]

    def bounds(self, time: int) -> tuple[int | None, int | None]:
        """Nanoseconds that the clock is ahead at a time at least, and at most; None: nothing tells."""
        line, ahead = self.line(time), self.ahead_at(time)
        is_known = self.inherited < UNKNOWN / 2
        below = None if line.below is None or not is_known else ahead - round((line.below + self.inherited) * NANO)
        above = None if line.above is None or not is_known else ahead + round((line.above + self.inherited) * NANO)
        return below, above

    @property
    def drift(self) -> float:
        """Seconds a second that the clock gains, on the whole."""
        first, last = self.lines[0], self.lines[-1]
        passed = last.stop - first.start
        return (last.at(last.stop) - first.ahead) / passed if passed > 0 else 0.0

    def ahead_at(self, time: int) -> int:
        """Nanoseconds that the clock is ahead at a time of its own."""
        return self.ahead + round(self.line(time).at((time - self.base) / NANO) * NANO)


@dataclass
class Clock:
    """The clock of an observer, seen from that of the first.

    Attributes:
        name: of the observer.
        steps: when it was set, in the order of its packets.
        segments: one more than steps.
        packets: that it shares with the observer by which it was aligned.
        by: the name of that; empty: it is the first.
        known_from: the number of the first packet that tells of it, where it may have been set before that; else None.
        known_to: the number of the last packet before its file runs back, where none behind that tells why; else None.
    """

    name: str
    steps: list[Step] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    packets: int = 0
    by: str = ""
    known_from: int | None = None
    known_to: int | None = None


class _Alignment:
    def __init__(self, scans: list[Scan]) -> None:
        self.scans = scans
        found = {}
        set_of = defaultdict[int, list[Step]](list)
        self.doubtful = set[int]()  # observers whose first packets may lie before a clock was set
        for one, other in combinations(range(len(scans)), 2):
            agreeing = runs(pairs(scans[one].sample, scans[other].sample))
            groups = group_pairs(scans[one].groups, scans[other].groups)
            agreeing = with_groups(agreeing, groups)
            if contradicted(agreeing, groups):
                self.doubtful |= {one, other}
            found[one, other] = agreeing
            ones, others = steps(agreeing, scans[one].back, scans[other].back)
            set_of[one] += ones
            set_of[other] += others
        self.steps = [merged(set_of[observer]) for observer in range(len(scans))]
        self.edges = defaultdict[tuple[Node, Node], list[Pair]](list)
        for (one, other), agreeing in found.items():
            for pair in (pair for run in agreeing for pair in run):
                here = self._segment(one, pair.one.first_number, pair.one.last_number)
                there = self._segment(other, pair.other.first_number, pair.other.last_number)
                if here is not None and there is not None:
                    self.edges[(one, here), (other, there)].append(pair)
        self.placed: dict[Node, Segment] = {(0, 0): _right(scans[0].base)}
        self.parents: dict[int, int] = {}
        self.over_all: dict[tuple[int, int], tuple[float | None, Sides | None]] = {}
        self.shared: dict[int, int] = {}

    def _segment(self, observer: int, first: int, last: int) -> int | None:
        """In which segment packets of an observer are; None: that is not sure."""
        known = self.steps[observer]
        for at, step in enumerate(known):
            if last <= step.after:
                return at
            if first < step.first:
                return None
        return len(known)

    def align(self) -> None:
        """Places one node after another, first that which is the most certain beside one that is placed.

        What counts is the doubt between these two, not that from the first observer on: packets go between neighbours.
        """
        tried: dict[tuple[Node, Node], Segment] = {}
        while True:
            for nodes in self.edges:
                for parent, child in (nodes, nodes[::-1]):
                    if parent in self.placed and child not in self.placed and (parent, child) not in tried:
                        tried[parent, child] = self._placed(parent, child)
            open_ones = {nodes: segment for nodes, segment in tried.items() if nodes[1] not in self.placed}
            if not open_ones:
                return
            (parent, child), segment = min(
                open_ones.items(), key=lambda one: (one[1].doubt - one[1].inherited, -one[1].packets)
            )
            self.placed[child] = segment
            self.shared[child[0]] = self.shared.get(child[0], 0) + segment.packets
            self.parents.setdefault(child[0], parent[0])

    def _placed(self, parent: Node, child: Node) -> Segment:
        """A node by what it shares with one that is placed."""
        reverse = (child, parent) in self.edges
        found = self.edges[(child, parent) if reverse else (parent, child)]
        known, base = self.placed[parent], self.scans[child[0]].base
        sure = _sure(found)
        ahead, delays = _delays(sure or found, known, base, reverse=reverse)
        rate, ways = self._over_all(parent[0], child[0])
        start, stop = self._times(child)
        lines = fit(
            delays,
            min(start, delays[0].time),
            max(stop, delays[-1].time),
            None if rate is None else rate + known.drift,
            ways,
        )
        if not sure:
            lines = _unbounded(lines)
        return Segment(base, ahead, tuple(lines), known.doubt + max(map(_doubt, lines)), known.doubt, len(found))

    def _over_all(self, parent: int, child: int) -> tuple[float | None, Sides | None]:
        """What all packets of two observers tell, where a clock of them was set; None: it was not.

        Returns:
            At which rate the clock of the child drifts from that of the parent, or None; and who sends from where.
        """
        if (parent, child) not in self.over_all:
            found = [
                (_sure(found), one[0] == child)
                for (one, other), found in self.edges.items()
                if {one[0], other[0]} == {parent, child}
            ]
            self.over_all[parent, child] = None, None
            if len(found) > 1:
                raw, base = _right(self.scans[parent].base), self.scans[child].base
                parts = [_delays(sure, raw, base, reverse=reverse)[1] for sure, reverse in found if sure]
                ways = sides(parts)
                self.over_all[parent, child] = common_rate(parts, ways), ways
        return self.over_all[parent, child]

    def _times(self, node: Node) -> tuple[float, float]:
        """When a node begins and ends, in seconds since its observer's first packet, as far as it is known."""
        observer, segment = node
        scan, known = self.scans[observer], self.steps[observer]
        start = known[segment - 1].time if segment else scan.base
        stop = known[segment].time_before if segment < len(known) else scan.latest
        return (start - scan.base) / NANO, (stop - scan.base) / NANO

    def _shared_with(self, observer: int) -> dict[int, list[tuple[Sighting, Sighting]]]:
        """The packets that tell of a clock, by the other observer: its own sightings, and those there."""
        found = defaultdict[int, list[tuple[Sighting, Sighting]]](list)
        for ((one, _), (other, _)), shared in self.edges.items():
            if observer == one:
                found[other] += [(pair.one, pair.other) for pair in shared]
            elif observer == other:
                found[one] += [(pair.other, pair.one) for pair in shared]
        return found

    def _runs_back(self, observer: int) -> list[int]:
        """The numbers of packets before which a file runs back so far that its clock may have been set."""
        return [number for number, seconds in self.scans[observer].back if seconds > MOST_TOLERANCE]

    def _known(self, observer: int) -> tuple[int | None, int | None]:
        """From which packet on a clock is known, and up to which; None: as far as the file goes."""
        if not self.doubtful and not any(map(self._runs_back, range(len(self.scans)))):
            return None, None  # as in most captures: no need to look at all packets
        shared = self._shared_with(observer)
        own = [here for seen in shared.values() for here, _ in seen]
        first = min((here.first_number for here in own), default=0)
        last = max((here.last_number for here in own), default=0)
        is_late = observer in self.doubtful or any(number <= first for number in self._runs_back(observer))
        for other, seen in shared.items():
            there = min(there.first_number for _, there in seen)
            is_late = is_late or any(number <= there for number in self._runs_back(other))
        back = (number - 1 for number in self._runs_back(observer) if number > last)
        return first if observer and is_late else None, next(back, None)

    def clock(self, observer: int) -> Clock:
        """The clock of an observer; one without segments shares nothing with the first."""
        known = [self.placed.get((observer, at)) for at in range(len(self.steps[observer]) + 1)]
        there = [at for at, segment in enumerate(known) if segment]
        if not there:
            return Clock(self.scans[observer].name)
        # Where too few packets tell of a segment, it is as the one nearest to it.
        segments = [known[min(there, key=lambda other, at=at: abs(other - at))] for at in range(len(known))]  # type: ignore[misc]
        known_from, known_to = self._known(observer)
        if segments[0] and known_from:
            segments[0] = replace(segments[0], lines=tuple(_unbounded(segments[0].lines)))
        parent = self.parents.get(observer, 0)
        return Clock(
            self.scans[observer].name,
            self.steps[observer],
            [segment for segment in segments if segment],
            self.shared.get(observer, 0),
            "" if observer == 0 else self.scans[parent].name,
            known_from,
            known_to,
        )


def _right(base: int) -> Segment:
    """A clock that is the reference."""
    return Segment(base, 0, (Line(0, 0, 0, 0, 0, 0),))


def _sure(found: list[Pair]) -> list[Pair]:
    """The packets that bound a clock."""
    return [pair for pair in found if not pair.is_group]


def _unbounded(lines: Iterable[Line]) -> list[Line]:
    return [replace(line, below=None, above=None) for line in lines]


def _delays(found: list[Pair], known: Segment, base: int, *, reverse: bool) -> tuple[int, list[Delay]]:
    """What packets say of the clock of a child.

    Args:
        found: that it shares with its parent, one at least.
        known: of the parent's clock.
        base: from which the child's times count.
        reverse: whether the child is the one of each pair, and the parent the other.

    Returns:
        Whole nanoseconds that it is ahead, and the rest by packets.
    """
    sightings = [(pair.other, pair.one, -pair.way) if reverse else (pair.one, pair.other, pair.way) for pair in found]

    is_measure = known == _right(known.base)

    def true(time: int) -> int:
        return time if is_measure else time - known.ahead_at(time)

    ahead = sightings[0][1].first - true(sightings[0][0].first)
    return ahead, [
        Delay(
            (there.first - base) / NANO,
            (there.first - true(here.last) - ahead) / NANO,
            (there.last - true(here.first) - ahead) / NANO,
            way,
            pair.source,
            pair.target,
            (there.first - true(here.first) - ahead) / NANO
            if here.first < here.last or there.first < there.last
            else None,
        )
        for pair, (here, there, way) in zip(found, sightings, strict=True)
    ]


def _doubt(line: Line) -> float:
    if line.below is None or line.above is None:
        return UNKNOWN if line.below == line.above else UNKNOWN / 2
    return max(line.below, line.above)


def align(scans: list[Scan]) -> list[Clock]:
    """The clocks of all observers, seen from that of the first.

    Raises:
        CaptureError: an observer shares no packets with the first, nor with one that does.
    """
    alignment = _Alignment(scans)
    alignment.align()
    clocks = [alignment.clock(observer) for observer in range(len(scans))]
    lost = [clock.name for clock in clocks if not clock.segments]
    if lost:
        others = " and ".join(clock.name for clock in clocks if clock.segments)
        names = " and ".join(lost)
        raise CaptureError(
            f"{names}: no packets in common with {others}, by which clocks could be aligned; "
            "were they captured at the same time, on one path?"
        )
    return clocks
