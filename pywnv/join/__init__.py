"""Joins captures of several observers (several hosts, or a host and its guest) into one, and aligns their clocks."""

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
        packet: number of the observer's first packet that is known to come after the change.
        by: seconds that the clock was set forward; negative: back.
    """

    packet: int
    by: float


@dataclass(frozen=True)
class Aligned:
    """The clock of an observer, compared with that of the first observer.

    Attributes:
        name: of the observer.
        frames: in its capture.
        packets: how many packets another observer has too, by which the clock was aligned.
        by: name of that other observer; None for the first observer.
        offset: seconds that the clock is ahead at the observer's first packet.
        drift_ppm: microseconds that it gains in a second.
        lowest, highest: limits of `offset`, in seconds; None if packets went one way only.
        steps: where the clock was set.
        known_from: the number of the first frame from which on all this is known; None if it is known of all.
        known_to: that of the last frame up to which it is known, where times in the file run back; else None.
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
    known_to: int | None = None


class Join:
    """Joins captures of several observers into one pcapng, in two passes: the first aligns clocks, the second writes.

    Attributes:
        aligned: the clocks, in the order of the observers; complete after the first pass.
    """

    def __init__(
        self,
        observers: list[Observer],
        *,
        topologies: dict[str, Topology] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Reads nothing yet.

        Args:
            observers: two or more; the times of all become those of the first. Their files: pcapng or pcap, plain or
                gzipped; no pipes.
            topologies: names and roles in the hosts, by the names of observers.
            warn: called with each warning, one line for the user.

        Raises:
            UsageError: a topology is of no observer.
        """
        self._observers, self._topologies, self._warn = observers, topologies or {}, warn
        names = [observer.name for observer in observers]
        for name in self._topologies:
            if name not in names:
                raise UsageError(f"--host {name}: is not one of the observers {', '.join(names)}")
        self.aligned: tuple[Aligned, ...] = ()

    def pieces(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """The pcapng, in pieces.

        Args:
            progress: called with the number of bytes read so far, in both passes together.

        Raises:
            CaptureError: a capture is missing, in another format, or broken; or shares no packets with the others.
            UsageError: a capture is stdin or a pipe.
        """
        from pywnv.capture.order import in_order
        from pywnv.join import write
        from pywnv.join.align import align
        from pywnv.join.lua import JoinLua
        from pywnv.join.scan import scan

        ordered = [Observer(observer.name, tuple(in_order(list(observer.files)))) for observer in self._observers]
        scans, before, lua = [], 0, JoinLua()
        for observer in ordered:

            def count(done: int, before: int = before) -> None:
                progress(before + done)

            scans.append(scan(observer.name, observer.files, lua, progress=count, warn=self._warn))
            before += sum(file.stat().st_size for file in observer.files)
        clocks = align(scans)
        self.aligned = tuple(_aligned(clock, one.packets, one.base) for clock, one in zip(clocks, scans, strict=True))
        yield from write.pieces(
            ordered, scans, clocks, self._topologies, lua, progress=lambda done: progress(before + done)
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
        known_to=clock.known_to,
    )
