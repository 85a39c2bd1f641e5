"""How far a clock is ahead of another, and how it drifts: as the fastest packets in both directions bound it.

A packet from A to B comes no sooner than it was sent: the clock of B is ahead by no more than the difference of its
times. One from B to A says that it is ahead by no less. Between the two, as NTP does, lies the middle, which is right
where the fastest packets took equally long in both directions.
Source: RFC 5905 8; for the lines, Moon, Skelly and Towsley, Estimation and Removal of Clock Skew from Network Delay
Measurements (1999).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

FASTEST = 2e-3  # drift of any clock, in seconds a second
USUAL = 1e-4  # drift of most clocks
ROUNDING = 2e-6  # seconds that the resolution of timestamps may cost
ROUNDS = 60  # of a search: each leaves two thirds
SLOW = 0.25  # seconds: a drift must be worth so many times itself, or it is taken for none: most clocks drift little
LEAST_DELAY = 20e-6  # seconds that the fastest packets are taken to need, where only one direction was seen
LIKELY = 20e-6  # drift that is nothing unusual: packets must be surer of it than they are late, or it is taken for none
MANY = 50  # packets one way, by which the drift in less than a second is seen
WRONG_SHARE, WRONG = 0.02, 3  # packets that may be left out because they contradict all others
LEAST_OF_PART = 20  # packets, from which a clock that does not run evenly gets a line of its own
DEEPEST = 12  # so often a capture is halved for that
LEAST_VOTES = 0.6  # of those of an address that must say on which side it is, by weight

Point = tuple[float, float]  # seconds by the clock, and how far it seems ahead
Sides = dict[bytes, int]  # by address, on which side of the clock it is: 1 or -1


class Delay(NamedTuple):
    """What a packet says of a clock.

    Attributes:
        time: seconds, by the clock.
        most: it is ahead by no more, where the packet came from the other.
        least: it is ahead by no less, where the packet went to the other.
        way: 1: it came from the other; -1: it went there; 0: unknown.
        source, target: who sent it to whom.
        first: how far the clock seems ahead by the first sightings of both; None: each saw it once.
    """

    time: float
    most: float
    least: float
    way: int
    source: bytes
    target: bytes
    first: float | None = None


@dataclass(frozen=True)
class Line:
    """How far a clock is ahead, from one moment to another.

    Attributes:
        start, stop: seconds by this clock.
        ahead: seconds that it is ahead at `start`.
        rate: seconds a second that it gains.
        below: by how much less it may be ahead, anywhere on the line; None: unknown.
        above: by how much more; None: unknown.
    """

    start: float
    stop: float
    ahead: float
    rate: float
    below: float | None
    above: float | None

    def at(self, time: float) -> float:
        """Seconds that the clock is ahead at a time."""
        return self.ahead + self.rate * (time - self.start)


def fit(
    delays: Sequence[Delay], start: float, stop: float, rate: float | None = None, ways: Sides | None = None
) -> list[Line]:
    """The lines of a clock that nobody has set meanwhile; there are several where it did not run evenly.

    Args:
        delays: at least one.
        start: from when on the lines are wanted, in seconds by the clock.
        stop: until when.
        rate: at which it drifts, as far as the delays allow it; None: they tell.
        ways: as `sides` gives it; None: the delays tell.
    """
    ways = sides([delays]) if ways is None else ways
    upper, lower, unknown = _points(delays, ways)
    if upper and lower:
        bounds = _Bounds(upper, lower)
        if bounds.room(_best(bounds)) < -ROUNDING:
            bounds = _Bounds(*_points(_loosened(delays), ways)[:2])
        return _between(bounds, start, stop, DEEPEST, rate)
    if upper:
        return [_below(upper, start, stop, rate)]
    if lower:
        return [_above(lower, start, stop, rate)]
    return [_along(unknown, start, stop, rate)]


def common_rate(parts: Sequence[Sequence[Delay]], ways: Sides) -> float | None:
    """At which rate a clock drifts that was set meanwhile: that leaves most room to all of its parts together.

    Args:
        parts: delays from between it was set.
        ways: as `sides` gives it.

    Returns:
        Seconds a second; None if no part has packets in both directions.
    """
    known = []
    for delays in parts:
        upper, lower, _ = _points(delays, ways)
        if upper and lower and (bounds := _agreed(_Bounds(upper, lower))).room(_best(bounds)) > 0:
            known.append(bounds)
    if not known:
        return None
    slow = [one.slow(_best(one)) for one in known]
    return _highest(
        lambda rate: sum(one.room(rate) / least for one, least in zip(known, slow, strict=True)) - abs(rate),
        -FASTEST,
        FASTEST,
    )


def _points(delays: Sequence[Delay], ways: Sides) -> tuple[list[Point], list[Point], list[Point]]:
    """What bounds a clock from above, what from below, and what lies between, in the order of time."""
    upper, lower, unknown = list[Point](), list[Point](), list[Point]()
    for delay in sorted(delays):
        way = delay.way or ways.get(delay.source, 0)
        if way > 0:
            upper.append((delay.time, delay.most))
        elif way < 0:
            lower.append((delay.time, delay.least))
        else:
            unknown.append((delay.time, (delay.most + delay.least) / 2))
    return upper, lower, unknown


def _loosened(delays: Sequence[Delay]) -> list[Delay]:
    """The same by first sightings alone: what a switch floods is seen again where it came from after it has left."""
    return [delay if delay.first is None else delay._replace(most=delay.first, least=delay.first) for delay in delays]


def sides(parts: Sequence[Sequence[Delay]]) -> Sides:
    """Who sends from where: 1 from the other's side, -1 from that of the clock.

    Of two packets of a conversation, one each way, that which makes the clock seem farther ahead came from the other.
    A vote weighs more the more it seems and the sooner one follows the other: so much less of it is drift.

    Args:
        parts: delays from between the clock was set.
    """
    votes = defaultdict[bytes, dict[int, float]](lambda: {1: 0.0, -1: 0.0})
    for delays in parts:
        _vote(delays, votes)
    found = {}
    for address, weights in votes.items():
        side = max(weights, key=lambda side: weights[side])
        if weights[side] >= LEAST_VOTES * sum(weights.values()):
            found[address] = side
    return found


def _vote(delays: Sequence[Delay], votes: dict[bytes, dict[int, float]]) -> None:
    latest: dict[tuple[bytes, bytes], Delay] = {}
    for delay in sorted(delays):
        if delay.way:
            votes[delay.source][delay.way] += 1
            votes[delay.target][-delay.way] += 1
        latest[delay.source, delay.target] = delay
        answer = latest.get((delay.target, delay.source))
        if answer is None or delay.source == delay.target:
            continue
        more = delay.most + delay.least - answer.most - answer.least
        passed = abs(delay.time - answer.time)
        if abs(more) > USUAL * passed:
            weight, side = min(abs(more) / (passed + ROUNDING), 1), 1 if more > 0 else -1
            votes[delay.source][side] += weight
            votes[delay.target][-side] += weight


def _hull(points: Sequence[Point]) -> list[Point]:
    """The lower convex hull of points in the order of their times."""
    hull: list[Point] = []
    for point in points:
        time, ahead = point
        while hull and hull[-1][0] == time and hull[-1][1] >= ahead:
            hull.pop()
        if hull and hull[-1][0] == time:
            continue
        while len(hull) > 1:
            (left, low), (middle, high) = hull[-2:]
            if (high - low) * (time - left) < (ahead - low) * (middle - left):
                break
            hull.pop()
        hull.append(point)
    return hull


def _highest(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that first rises and then falls is highest."""
    for _ in range(ROUNDS):
        third = (high - low) / 3
        if value(low + third) < value(high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


def _edge(value: Callable[[float], float], inside: float, outside: float, least: float) -> float:
    """How far out the value is still `least`."""
    if value(outside) >= least:
        return outside
    for _ in range(ROUNDS):
        middle = (inside + outside) / 2
        if value(middle) >= least:
            inside = middle
        else:
            outside = middle
    return inside


class _Bounds:
    """The lines that lie below all of the upper points and above all of the lower ones."""

    def __init__(self, upper: Sequence[Point], lower: Sequence[Point]) -> None:
        self.upper = _hull(upper)
        self.lower = [(time, -ahead) for time, ahead in _hull([(time, -ahead) for time, ahead in lower])]
        self.points = upper, lower

    def most(self, rate: float, time: float) -> float:
        """How far ahead a line of that rate may be at a time, by the upper points."""
        return min(ahead - rate * (at - time) for at, ahead in self.upper)

    def least(self, rate: float, time: float) -> float:
        """The same by the lower points."""
        return max(ahead - rate * (at - time) for at, ahead in self.lower)

    def room(self, rate: float) -> float:
        """How far the bounds are apart for lines of that rate; negative: they contradict each other."""
        return self.most(rate, 0.0) - self.least(rate, 0.0)

    def slow(self, rate: float) -> float:
        """How many times itself a drift must be worth, in seconds: little where many packets were about equally fast.

        Args:
            rate: about at which the clock drifts.
        """
        upper, lower = self.points
        late = median(ahead - rate * at for at, ahead in upper) - self.most(rate, 0.0)
        early = self.least(rate, 0.0) - median(ahead - rate * at for at, ahead in lower)
        count = min(len(upper), len(lower), MANY)
        return min(SLOW, (max(late, early) + ROUNDING) / (count * LIKELY))


def _best(bounds: _Bounds) -> float:
    return _highest(bounds.room, -FASTEST, FASTEST)


def _agreed(bounds: _Bounds) -> _Bounds:
    """The bounds by all points but the few that contradict the others."""
    up, low = bounds.points
    left_out = int(WRONG_SHARE * (len(up) + len(low))) + WRONG
    while True:
        best = _best(bounds)
        if bounds.room(best) >= -ROUNDING:
            return bounds
        tops, bottoms = _contradicting(up, low, best, left_out)
        if not tops and not bottoms:
            return bounds
        left_out -= len(tops) + len(bottoms)
        up, low = [point for point in up if point not in tops], [point for point in low if point not in bottoms]
        bounds = _Bounds(up, low)


def _between(bounds: _Bounds, start: float, stop: float, depth: int, rate: float | None) -> list[Line]:
    agreed = _agreed(bounds)
    best = _best(agreed)
    room = agreed.room(best)
    if room < -ROUNDING and depth > 0 and (parts := _halves(*bounds.points, start, stop, depth)):
        return parts
    return [_middle(agreed, best, room, start, stop, rate)]


def _contradicting(
    upper: Sequence[Point], lower: Sequence[Point], rate: float, most: int
) -> tuple[set[Point], set[Point]]:
    """The fewest points without which the others agree; none if that takes more than `most`."""

    def height(point: Point) -> float:
        return point[1] - rate * point[0]

    tops, bottoms = sorted(upper, key=height)[: most + 1], sorted(lower, key=height, reverse=True)[: most + 1]
    fewest, found = most + 1, (0, 0)
    bottom = len(bottoms) - 1
    for top, point in enumerate(tops):
        while bottom > 0 and height(bottoms[bottom - 1]) <= height(point) + ROUNDING:
            bottom -= 1
        if height(bottoms[bottom]) <= height(point) + ROUNDING and top + bottom < fewest:
            fewest, found = top + bottom, (top, bottom)
    return set(tops[: found[0]]), set(bottoms[: found[1]])


def _halves(upper: Sequence[Point], lower: Sequence[Point], start: float, stop: float, depth: int) -> list[Line]:
    times = sorted(time for time, _ in (*upper, *lower))
    cut = times[len(times) // 2]
    lines = []
    for first, last in ((start, cut), (cut, stop)):
        is_last = last == stop
        up, low = (
            [point for point in points if first <= point[0] and (point[0] < last or is_last)]
            for points in (upper, lower)
        )
        if min(len(up), len(low)) < 2 or len(up) + len(low) < LEAST_OF_PART:
            return []
        lines += _between(_Bounds(up, low), first, last, depth - 1, None)
    return lines


def _middle(bounds: _Bounds, best: float, room: float, start: float, stop: float, rate: float | None) -> Line:
    if room <= 0:
        ahead = (bounds.most(best, start) + bounds.least(best, start)) / 2
        return Line(start, stop, ahead, best, abs(room) + ROUNDING, abs(room) + ROUNDING)
    slow, fast = _edge(bounds.room, best, -FASTEST, 0.0), _edge(bounds.room, best, FASTEST, 0.0)
    if rate is None:
        least = bounds.slow(best)
        rate = _highest(lambda rate: bounds.room(rate) - least * abs(rate), -FASTEST, FASTEST)
    rate = min(max(rate, slow), fast)
    ahead = (bounds.most(rate, start) + bounds.least(rate, start)) / 2
    above, below = 0.0, 0.0
    for time in (start, stop):
        here = ahead + rate * (time - start)
        at_most = _highest(lambda rate, time=time: bounds.most(rate, time), slow, fast)  # type: ignore[misc]
        at_least = _highest(lambda rate, time=time: -bounds.least(rate, time), slow, fast)  # type: ignore[misc]
        above = max(above, bounds.most(at_most, time) - here)
        below = max(below, here - bounds.least(at_least, time))
    return Line(start, stop, ahead, rate, below + ROUNDING, above + ROUNDING)


def _below(upper: list[Point], start: float, stop: float, rate: float | None) -> Line:
    """The line that lies closest below the points, but for what the fastest packets need at least."""
    hull = _hull(upper)
    middle = sum(time for time, _ in upper) / len(upper)

    def height(rate: float) -> float:
        return min(ahead - rate * (time - middle) for time, ahead in hull)

    if rate is None:
        # In a short capture a drift is never worth much: there many packets must tell of it.
        slow = min(SLOW, (hull[-1][0] - hull[0][0]) / 4) if len(upper) >= MANY else SLOW
        rate = _highest(lambda rate: height(rate) - slow * abs(rate), -FASTEST, FASTEST)
    ahead = height(rate) + rate * (start - middle) - LEAST_DELAY
    return Line(start, stop, ahead, rate, None, LEAST_DELAY + ROUNDING)


def _above(lower: list[Point], start: float, stop: float, rate: float | None) -> Line:
    line = _below([(time, -ahead) for time, ahead in lower], start, stop, None if rate is None else -rate)
    return Line(start, stop, -line.ahead, -line.rate, line.above, None)


def _along(points: list[Point], start: float, stop: float, rate: float | None) -> Line:
    """A line where nobody knows which way packets went: few are much faster than the others, many are slower."""
    as_late, as_early = _below(points, start, stop, rate), _above(points, start, stop, rate)
    above = median(ahead - as_late.at(time) for time, ahead in points)
    below = median(as_early.at(time) - ahead for time, ahead in points)
    if max(above, below) <= LEAST_DELAY + ROUNDING:  # no packet took any time
        return Line(start, stop, (as_late.ahead + as_early.ahead) / 2, as_late.rate, None, None)
    line = as_early if below < above else as_late
    return Line(start, stop, line.ahead, line.rate, None, None)
