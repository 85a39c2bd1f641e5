"""What is counted while the rows of a capture go by; it does not grow with the capture."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pywnv.annotate.columns import Batch
    from pywnv.tables.annotation import Annotation

# A packet is counted at its hops when so many others came after it; its sightings lie milliseconds apart.
MOST_OPEN = 20_000
MOST_KINDS = 1000  # of hops, and of drops, that are counted separately; only a capture made to defeat us has more
OTHERS = "(others)"  # what the rest is called
DIGITS = 3  # of delays, in what percentiles are taken from
OF_SIGHTING = ("frame", "packet", "hop", "hop_role", "hop_delta")
JITTER = 1e-6  # seconds; what a double cannot hold of a time is not a step back


@dataclass(frozen=True)
class Hop:
    """A place where frames were seen.

    Attributes:
        name: as the rows have it; None if the capture names no interface.
        role: of the hop.
        frames: seen there.
        packets: seen there; a packet that shows twice counts once.
        times: how many packets show there once, twice ..., by that number.
        median, p99: of the time since the appearance before, in seconds, to three digits; None if there is none.
    """

    name: str | None
    role: str | None
    frames: int
    packets: int
    times: dict[int, int]
    median: float | None
    p99: float | None


@dataclass(frozen=True)
class Drop:
    """Packets that were dropped for one reason at one place.

    Attributes:
        reason: Windows' number; None if the capture does not say.
        text: of the reason, or None.
        place: a hop, or the NIC and the switch of an event; None if the capture does not say.
        count: of frames or events that say so.
        advice: what to look at, or None.
    """

    reason: int | None
    text: str | None
    place: str | None
    count: int
    advice: str | None


class _Delays:
    """Times in a histogram whose buckets are numbers of three digits: as exact as people read, and never large."""

    def __init__(self) -> None:
        self._buckets: Counter[str] = Counter()

    def add(self, seconds: float) -> None:
        self._buckets[f"{seconds:.{DIGITS}g}"] += 1

    def percentile(self, share: float) -> float | None:
        """The least time that so many of all, 0 to 1, do not exceed."""
        times = self._around(share)
        return times[0] if times else None

    def median(self) -> float | None:
        """The time in the middle or, of an even number, between the two there."""
        times = self._around(0.5)
        return float(f"{sum(times) / len(times):.{DIGITS}g}") if times else None

    def _around(self, share: float) -> list[float]:
        """The last of so many of all, in their order, and if these are a whole number, the next."""
        upto, found = 0, list[float]()
        wanted = share * self._buckets.total()
        for seconds, count in sorted((float(text), count) for text, count in self._buckets.items()):
            upto += count
            if upto > wanted - 1e-9:
                found.append(seconds)
            if upto > wanted + 1e-9:
                break
        return found


@dataclass
class _HopTally:
    name: str | None
    role: str | None
    frames: int = 0
    times: Counter[int] = field(default_factory=Counter)
    delays: _Delays = field(default_factory=_Delays)

    def hop(self) -> Hop:
        times = dict(sorted(self.times.items()))
        median, p99 = self.delays.median(), self.delays.percentile(0.99)
        return Hop(self.name, self.role, self.frames, self.times.total(), times, median, p99)


@dataclass
class Tally:
    """What is counted while the rows go by; it does not grow with the capture.

    Attributes:
        frames, packets, duplicates: counted.
        ambiguous: frames that may show a packet again, or another one.
        without_time: frames that have no time.
        steps_back, furthest_back: how often time runs back, and by how many seconds at most.
        by_id: duplicates that a packet id shows.
        events, verdicts: counted by name.
    """

    frames: int = 0
    packets: int = 0
    duplicates: int = 0
    ambiguous: int = 0
    without_time: int = 0
    steps_back: int = 0
    furthest_back: float = 0.0
    by_id: int = 0
    events: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    _earliest: Decimal | None = None
    _latest: Decimal | None = None
    _before: float | None = None
    _hops: dict[str | None, _HopTally] = field(default_factory=dict)
    _open: OrderedDict[int, dict[str | None, int]] = field(default_factory=OrderedDict)
    _drops: Counter[tuple[int | None, str | None, str | None, str | None]] = field(default_factory=Counter)

    def add(self, batches: Iterable[Batch]) -> None:
        """Counts rows."""
        for batch in batches:
            verdicts, drops = batch.column("verdict"), batch.column("drop")
            self.frames += batch.size
            self.verdicts.update(filter(None, verdicts))
            self.duplicates += batch.column("duplicate").count(True)
            self.ambiguous += batch.column("rule").count("ambiguous")
            self.by_id += batch.column("evidence").count("packet-id")
            for time in batch.column("time"):
                self._add_time(time)
            for row in batch.chosen(map(bool, drops)):
                self._add_drop(row)
            if "event" in verdicts:
                self.events.update(
                    event or "none"
                    for event, verdict in zip(batch.column("event"), verdicts, strict=True)
                    if verdict == "event"
                )
            self._add_sightings(batch)

    def _add_time(self, exact: Decimal | None) -> None:
        if not exact:
            self.without_time += 1
            return
        time = float(exact)
        if self._earliest is None or self._latest is None:
            self._earliest = self._latest = exact
        self._earliest, self._latest = min(self._earliest, exact), max(self._latest, exact)
        if self._before is not None and time < self._before - JITTER:
            self.steps_back += 1
            self.furthest_back = max(self.furthest_back, self._before - time)
        self._before = time

    def _add_drop(self, row: Annotation) -> None:
        place = row.hop
        if row.event_nic and row.event_switch:
            place = f"{row.event_nic} in switch {row.event_switch}"
        kind = (row.drop_reason, row.drop_reason_text, place, row.drop_advice)
        if kind not in self._drops and len(self._drops) >= MOST_KINDS:
            kind = (None, OTHERS, None, None)
        self._drops[kind] += 1

    def _add_sightings(self, batch: Batch) -> None:
        for frame, packet, name, role, delta in zip(*map(batch.column, OF_SIGHTING), strict=True):
            if packet is None:
                continue
            hop = self._hops.get(name) or self._new_hop(name, role)
            hop.frames += 1
            if delta is not None:
                hop.delays.add(delta)
            self.packets += packet == frame
            seen = self._open.get(packet)
            if seen is None:
                if len(self._open) >= MOST_OPEN:
                    self._close_oldest()
                seen = self._open[packet] = {}
            seen[hop.name] = seen.get(hop.name, 0) + 1

    def _new_hop(self, name: str | None, role: str | None) -> _HopTally:
        if len(self._hops) >= MOST_KINDS:
            name, role = OTHERS, None
        return self._hops.setdefault(name, _HopTally(name, role))

    def _close_oldest(self) -> None:
        _, seen = self._open.popitem(last=False)
        for name, times in seen.items():
            self._hops[name].times[times] += 1

    @property
    def seconds(self) -> float | None:
        """From the earliest frame to the latest."""
        if self._earliest is None or self._latest is None:
            return None
        return round(float(self._latest - self._earliest), 9)

    def hops(self) -> tuple[Hop, ...]:
        """All hops. Ends the counting."""
        while self._open:
            self._close_oldest()
        return tuple(hop.hop() for hop in self._hops.values())

    def drops(self) -> tuple[Drop, ...]:
        """All drops, the most frequent first."""
        found = self._drops.most_common()
        return tuple(Drop(reason, text, place, count, advice) for (reason, text, place, advice), count in found)
