"""How much of a capture tells of trouble, so that of many the worst comes first."""

from __future__ import annotations

from dataclasses import dataclass

from pywnv.statistics.model import Statistics, Step
from pywnv.statistics.pairs import unanswered
from pywnv.statistics.silence import Silence, silences

SLOW_SECONDS = 0.001  # a step inside a host takes some microseconds


@dataclass(frozen=True)
class Trouble:
    """What is wrong in a capture.

    Attributes:
        harmful, harmless: frames and events that report a drop.
        unanswered: handshakes and pings.
        retransmissions: TCP data really sent again.
        slow: steps that took longer than the plugin's preference "Slow hop".
        silences: hops that show nothing while others still show packets.
    """

    harmful: int
    harmless: int
    unanswered: int
    retransmissions: int
    slow: int
    silences: tuple[Silence, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """The worst first."""
        return -(self.harmful + self.unanswered), -self.retransmissions, -len(self.silences), -self.slow


def trouble_of(found: Statistics) -> Trouble:
    """What is wrong in a capture, by its statistics."""
    return Trouble(
        harmful=sum(drop.frames for drop in found.drops if not drop.harmless),
        harmless=sum(drop.frames for drop in found.drops if drop.harmless),
        unanswered=unanswered(found),
        retransmissions=found.retransmissions,
        slow=sum(map(_slow, found.steps)),
        silences=silences(found),
    )


def _slow(step: Step) -> int:
    return sum(number for least, _, number in step.histogram if least >= SLOW_SECONDS)
