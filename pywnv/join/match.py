"""Packets that two observers saw: by the engine's keys or, behind a NAT, by what that leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from pywnv.join.scan import NANO, Sighting

IPV4 = 4
# Of a key of IPv4 and of IPv6: where addresses start, where ports, and what follows them; see lua/engine/frame.lua.
ENDS = {IPV4: (8, 16, 20), 6: (4, 36, 40)}

ENOUGH_CLEAN = 50  # packets: then those that an interface showed several times are left out
LEAST = 4  # packets in a row that agree on how far two clocks are apart
ENOUGH = 20  # packets in all: from then on more must agree
MORE = 6
LEAST_SHARE = 0.3  # of the packets that must agree, of those that look the same
LEAST_TOLERANCE, MOST_TOLERANCE = 0.05, 0.5  # seconds between the delays of packets, where no clock was set
SPREADS = 20  # of the usual difference between one packet and the next
FASTEST = 1e-3  # by how much two clocks may drift, in seconds a second
LEVEL = 9  # packets that tell where the clocks are
GROUPS_AGREE = 0.005  # seconds between the delays of two packets to groups that came over the same network
STALL = 5.0  # seconds, in which what was held up catches up: a clock that is set does not go back to where it was


class Pair(NamedTuple):
    """A packet that two observers saw.

    Attributes:
        one, other: their sightings.
        way: 1 from the one to the other, -1 back, 0 unknown: by the TTL.
        source, target: addresses, as the one saw them.
        is_group: it went to a group, and may have come to each by a way of its own: it bounds no clock.
    """

    one: Sighting
    other: Sighting
    way: int
    source: bytes
    target: bytes
    is_group: bool = False

    @property
    def difference(self) -> int:
        """Nanoseconds by which the other's clock seems to be ahead."""
        return self.other.first - self.one.last


Sample = dict[bytes, list[Sighting]]


def _ends(key: bytes) -> tuple[bytes, bytes]:
    at, ports, _ = ENDS[key[0]]
    half = (at + ports) // 2
    return key[at:half], key[half:ports]


def _without_ends(key: bytes) -> bytes:
    at, _, rest = ENDS[key[0]]
    return key[:at] + key[rest:]


def _pairs_of(key: bytes, ones: list[Sighting], others: list[Sighting]) -> Iterator[Pair]:
    source, target = _ends(key)
    for one in ones:
        for other in others:
            yield Pair(one, other, (one.ttl > other.ttl) - (one.ttl < other.ttl), source, target)


def pairs(ones: Sample, others: Sample) -> list[Pair]:
    """The packets that both observers saw, by the place of the other's first sighting in its file."""
    common = ones.keys() & others.keys()
    found = [pair for key in common for pair in _pairs_of(key, ones[key], others[key])]
    translated = _unique(ones, common)
    there = _unique(others, common)
    for weak in translated.keys() & there.keys():
        key, other_key = translated[weak], there[weak]
        if key is not None and other_key is not None:
            found += _pairs_of(key, ones[key], others[other_key])
    clean = [pair for pair in found if not (pair.one.is_again or pair.other.is_again)]
    if len(clean) >= ENOUGH_CLEAN:
        found = clean
    return sorted(found, key=lambda pair: (pair.other.first_number, pair.one.first_number))


def group_pairs(ones: Sample, others: Sample) -> list[Pair]:
    """The packets to groups that both observers saw, each by its first sighting; in the order of `pairs`."""
    found = [
        pair._replace(one=_first(pair.one), other=_first(pair.other), is_group=True)
        for key in ones.keys() & others.keys()
        for pair in _pairs_of(key, ones[key], others[key])
    ]
    return sorted(found, key=lambda pair: (pair.other.first_number, pair.one.first_number))


def _first(sighting: Sighting) -> Sighting:
    return sighting._replace(last=sighting.first, last_number=sighting.first_number)


def _unique(sample: Sample, left_out: set[bytes]) -> dict[bytes, bytes | None]:
    """By what a NAT leaves alone, the only key that has it; None if there are several."""
    found: dict[bytes, bytes | None] = {}
    for key in sample:
        if key not in left_out:
            weak = _without_ends(key)
            found[weak] = None if weak in found else key
    return found


def runs(found: list[Pair]) -> list[list[Pair]]:
    """Packets that agree on how far the two clocks are apart; each list but the first begins after a clock was set.

    Args:
        found: as `pairs` gives them. What does not agree with what lies around it is left out.
    """
    if not found:
        return []
    differences = [pair.difference / NANO for pair in found]
    steps = [abs(after - before) for before, after in pairwise(differences)]
    spread = median(steps) if steps else 0.0
    tolerance = min(max(LEAST_TOLERANCE, SPREADS * spread), MOST_TOLERANCE)
    need = MORE if len(found) >= ENOUGH else LEAST
    done: list[list[int]] = []
    pending: list[int] = []
    levels: list[float] = []  # the differences of the last run

    def agree(this: int, level: float, since: int) -> bool:
        passed = abs(found[this].other.first - found[since].other.first) / NANO
        # A clock that was set says nothing of how long ago that was.
        return abs(differences[this] - level) <= tolerance + FASTEST * min(passed, 1e4)

    for at in range(len(found)):
        if done:
            run = done[-1]
            if agree(at, median(levels[-LEVEL:]), run[-1]):
                run.append(at)
                levels.append(differences[at])
                pending.clear()
                continue
        while pending and not agree(at, differences[pending[-1]], pending[-1]):
            pending.pop()
        pending.append(at)
        if len(pending) >= need:
            done.append(pending)
            levels = [differences[each] for each in pending]
            pending = []
    if sum(map(len, done)) < max(LEAST, LEAST_SHARE * len(found)):
        return []
    return _without_stalls([[found[at] for at in run] for run in done], tolerance)


def with_groups(agreeing: list[list[Pair]], groups: list[Pair]) -> list[list[Pair]]:
    """Adds packets to groups from before the first and behind the last of the others, where a clock was set between.

    Args:
        agreeing: as `runs` gives them.
        groups: as `group_pairs` gives them. Two at least must agree to say that a clock was set.
    """
    if not agreeing:
        return []
    first, last, found = agreeing[0][0], agreeing[-1][-1], list(agreeing)
    before = [pair for pair in groups if _is_before(pair, first)]
    for run in reversed(_alike(before)):
        if abs(_level(run) - _level(found[0][:LEVEL])) / NANO > MOST_TOLERANCE:
            found.insert(0, run)
    for run in _alike([pair for pair in groups if _is_before(last, pair)]):
        if abs(_level(run) - _level(found[-1][-LEVEL:])) / NANO > MOST_TOLERANCE:
            found.append(run)
    return found


def contradicted(agreeing: list[list[Pair]], groups: list[Pair]) -> bool:
    """Whether a packet to a group, from before all others, says that a clock may have been set after it."""
    if not agreeing:
        return False
    first = agreeing[0][0]
    before = (pair for pair in groups if _is_before(pair, first))
    return any(abs(pair.difference - _level(agreeing[0][:LEVEL])) / NANO > MOST_TOLERANCE for pair in before)


def _is_before(pair: Pair, other: Pair) -> bool:
    return pair.one.last_number < other.one.first_number and pair.other.last_number < other.other.first_number


def _alike(found: list[Pair]) -> list[list[Pair]]:
    """Packets in a row that agree closely on how far the clocks are apart, two or more."""
    done: list[list[Pair]] = []
    for pair in found:
        if done:
            passed = abs(pair.other.first - done[-1][-1].other.first) / NANO
            if abs(pair.difference - done[-1][-1].difference) / NANO <= GROUPS_AGREE + FASTEST * passed:
                done[-1].append(pair)
                continue
        done.append([pair])
    return [run for run in done if len(run) > 1]


def _without_stalls(done: list[list[Pair]], tolerance: float) -> list[list[Pair]]:
    """Leaves out packets that were only late: those after them agree with those before."""
    kept: list[list[Pair]] = []
    for run in done:
        for at in range(len(kept) - 1, -1, -1):
            passed = abs(run[0].other.first - kept[at][-1].other.first) / NANO
            if abs(_level(run[:LEVEL]) - _level(kept[at][-LEVEL:])) / NANO > tolerance or passed > STALL:
                continue
            kept[at] += run
            del kept[at + 1 :]
            break
        else:
            kept.append(run)
    return kept


def _level(run: list[Pair]) -> float:
    return median(pair.difference for pair in run)


class Step(NamedTuple):
    """A clock that was set.

    Attributes:
        after: the number of the last packet before that, as far as it is known.
        first: the number of a packet after that.
        by: seconds, about.
        time_before, time: of these packets, in nanoseconds by this clock.
    """

    after: int
    first: int
    by: float
    time_before: int
    time: int


Back = list[tuple[int, float]]  # as `scan.Scan` has it


def steps(agreeing: list[list[Pair]], back: Back, other_back: Back) -> tuple[list[Step], list[Step]]:
    """When the one's clock was set, and when the other's.

    Args:
        agreeing: as `runs` gives them.
        back: where the one's file runs back in time.
        other_back: where the other's does.
    """
    ones: list[Step] = []
    others: list[Step] = []
    for before, after in pairwise(agreeing):
        last, first = before[-1], after[0]
        by = (_level(after[:LEVEL]) - _level(before[-LEVEL:])) / NANO
        here, there = _step(last.one, first.one, -by), _step(last.other, first.other, by)
        # What was set back shows it, unless nothing was captured for long; else the other one was set forward.
        shown = _shown(here, back) if by > 0 else _shown(there, other_back)
        if by > 0:
            (ones if shown else others).append(shown or there)
        else:
            (others if shown else ones).append(shown or here)
    return ones, others


def _step(last: Sighting, first: Sighting, by: float) -> Step:
    after, until = sorted((last.last_number, first.first_number))
    return Step(after, until, by, last.last, first.first)


def _shown(step: Step, back: Back) -> Step | None:
    """A step back, just where the file runs back by as much; None if it does not."""
    for number, seconds in back:
        if step.after < number <= step.first and -step.by / 2 < seconds <= -step.by + LEAST_TOLERANCE:
            return step._replace(after=number - 1, first=number)
    return None


def merged(found: list[Step]) -> list[Step]:
    """Steps of one clock that several pairs of observers tell of, each once, as exactly as all tell."""
    done: list[Step] = []
    for step in sorted(found):
        if done and step.after < done[-1].first and step.by * done[-1].by > 0:
            last = done[-1]
            before, first = max(last, step), min(last, step, key=lambda one: one.first)
            done[-1] = Step(before.after, first.first, last.by, before.time_before, first.time)
        else:
            done.append(step)
    return done
