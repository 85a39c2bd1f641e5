"""Captures of several observers as one: of several hosts, or of a host and its guest, with their clocks set alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pywnv.errors import UsageError
from pywnv.join.observers import Observer, observers_of

if TYPE_CHECKING:
    from pywnv.host.topology import Topology
    from pywnv.join.align import Clock

__all__ = ["Aligned", "Join", "Observer", "SetClock", "observers_of"]

NANO = 10**9
PPM = 1e6


@dataclass(frozen=True)
class SetClock:
    """A clock that was set during the capture.

    Attributes:
        packet: which of the observer's packets is the first that is known to come after that.
        by: seconds.
    """

    packet: int
    by: float


@dataclass(frozen=True)
class Aligned:
    """How the clock of an observer was found to go, seen from that of the first.

    Attributes:
        name: of the observer.
        frames: packets in its capture.
        packets: those by which its clock was aligned: the other observer has them too.
        by: the name of that other one; None: this is the first.
        offset: seconds that its clock is ahead at its first packet.
        drift_ppm: microseconds a second that it gains.
        lowest, highest: seconds that it is ahead at that packet, at least and at most; None: packets went one way only.
        steps: where it was set.
        known_from: which of its packets is the first for which all that is known; None: it is known of all.
    """

    name: str
    frames: int
    packets: int
    by: str | None
    offset: float
    drift_ppm: float
    lowest: float | None
    highest: float | None
    steps: tuple[SetClock, ...]
    known_from: int | None = None


class Join:
    """Captures of several observers as one pcapng, in two passes over all of them: one aligns, one writes.

    Attributes:
        aligned: how clocks go, once the first pass is done: in the order of the observers.
    """

    def __init__(
        self,
        observers: list[Observer],
        *,
        topologies: dict[str, Topology] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing is read yet.

        Args:
            observers: two or more; the times of all become those of the first. Their files: pcapng or pcap, plain or
                gzipped; no pipes.
            topologies: what the user knows of hosts, by the names of observers.
            warn: is told what the user should know of a capture, in one line.

        Raises:
            UsageError: a topology is of no observer.
        """
        self._observers, self._topologies, self._warn = observers, topologies or {}, warn
        names = [observer.name for observer in observers]
        for name in self._topologies:
            if name not in names:
                raise UsageError(f"--host {name}: is none of the observers {', '.join(names)}")
        self.aligned: tuple[Aligned, ...] = ()

    def pieces(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """The pcapng, in pieces.

        Args:
            progress: is told how many bytes have been read, in both passes together.

        Raises:
            CaptureError: a capture is missing, of another kind or broken; or it has nothing in common with the others.
            UsageError: a capture is stdin or a pipe.
        """
        from pywnv.capture.order import in_order
        from pywnv.join import write
        from pywnv.join.align import align
        from pywnv.join.lua import JoinLua
        from pywnv.join.scan import scan

        ordered = [Observer(observer.name, tuple(in_order(list(observer.files)))) for observer in self._observers]
        scans, before = [], 0
        for observer in ordered:

            def count(done: int, before: int = before) -> None:
                progress(before + done)

            # A Lua for each: what LuaJIT has compiled would keep all samples to the end, and search them for rubbish.
            scans.append(scan(observer.name, observer.files, JoinLua(), progress=count, warn=self._warn))
            before += sum(file.stat().st_size for file in observer.files)
        clocks = align(scans)
        self.aligned = tuple(_aligned(clock, one.packets, one.base) for clock, one in zip(clocks, scans, strict=True))
        yield from write.pieces(
            ordered, scans, clocks, self._topologies, JoinLua(), progress=lambda done: progress(before + done)
        )


def _aligned(clock: Clock, frames: int, base: int) -> Aligned:
    first = clock.segments[0]
    lowest, highest = first.bounds(base)
    set_by = [
        (after.ahead_at(step.time) - before.ahead_at(step.time)) / NANO
        for step, before, after in zip(clock.steps, clock.segments, clock.segments[1:], strict=False)
    ]
    return Aligned(
        name=clock.name,
        frames=frames,
        packets=clock.packets,
        by=clock.by or None,
        offset=first.ahead_at(base) / NANO,
        drift_ppm=round(first.drift * PPM, 3) + 0.0,  # no negative zero
        lowest=None if lowest is None else lowest / NANO,
        highest=None if highest is None else highest / NANO,
        steps=tuple(SetClock(step.first, by) for step, by in zip(clock.steps, set_by, strict=True)),
        known_from=clock.known_from,
    )
