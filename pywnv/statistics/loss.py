"""Packets that never came from one observer of a joined capture to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pywnv.words import count

LEAST_NEEDED, LEAST_AGAIN = 3, 0.5  # packets that TCP must send again; so many of them, or they have arrived after all


@dataclass(frozen=True)
class Loss:
    """Packets that one observer of a joined capture saw and the next one, to which they must have come, did not.

    Attributes:
        way: TO or FROM of a selection; None where all packets count.
        from_observer, to_observer: names.
        hop: where they were seen last, and where others left the first observer.
        packets: that are missing.
        at_least: whether there may be more: equal packets, and of flows that show others at the next observer, or fewer
            than half there.
        came: packets of the flows from the one to the other that came.
        needed: of those that are missing, how many TCP sends until they arrive.
        again: of these, how many it has sent again.
        missed: packets that the capture at the next observer says that it has missed, of all.
        first_frame, last_frame: of the first and of the last of these packets, their first frames.
    """

    way: str | None
    from_observer: str
    to_observer: str
    hop: str | None
    packets: int
    at_least: bool
    came: int
    needed: int
    again: int
    missed: int
    first_frame: int
    last_frame: int

    @property
    def has_come(self) -> bool:
        """Whether the packets came, and were not captured: TCP sends again what does not arrive."""
        return self.needed >= LEAST_NEEDED and self.again < LEAST_AGAIN * self.needed

    @property
    def is_told(self) -> bool:
        """Whether they are known to be lost: the capture at the next observer may have missed them."""
        if self.needed >= LEAST_NEEDED:
            return not self.has_come
        return not self.missed

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "is_told": self.is_told, "has_come": self.has_come}


def lost(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Those that are known to be lost."""
    return tuple(loss for loss in losses if loss.is_told)


def loss_words(loss: Loss, which: str = "") -> str:
    """What is missing between two observers: "12 packets left HV01 at pNIC Ethernet 2 and never came to HV02".

    Args:
        loss: of packets.
        which: packets, as words behind that: "to 192.168.1.60".
    """
    place = (loss.hop or "an interface without a name").removeprefix(f"{loss.from_observer}: ")
    packets = " ".join(filter(None, (count(loss.packets, "packet", ","), which)))
    packets = f"At least {packets}" if loss.at_least else packets
    first = f"first: frame {loss.first_frame:,}"
    if not loss.is_told:
        words = (
            f"{packets} that left {loss.from_observer} at {place} {'is' if loss.packets == 1 else 'are'} missing at "
        )
        words += f"{loss.to_observer} ({first}), "
        if loss.has_come:
            words += f"but came: TCP has sent {loss.again:,} of {loss.needed:,} again. "
            return f"{words}What captured at {loss.to_observer} has missed them"
        return f"{words}but what captured there says that it missed {loss.missed:,}: they may have come"
    words = f"{packets} left {loss.from_observer} at {place} and never came to {loss.to_observer}"
    words += f", while {count(loss.came, 'other', ',')} did ({first})"
    return words + (f"; TCP has sent {loss.again:,} of them again" if loss.again else "")
