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
    first_frame: int
    last_frame: int

    @property
    def is_missed(self) -> bool:
        """Whether the next observer has only missed them: TCP sends again what does not arrive."""
        return self.needed >= LEAST_NEEDED and self.again < LEAST_AGAIN * self.needed

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "is_missed": self.is_missed}


def lost(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Without what the next observer has only missed."""
    return tuple(loss for loss in losses if not loss.is_missed)


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
    if loss.is_missed:
        return (
            f"{packets} that left {loss.from_observer} at {place} {'is' if loss.packets == 1 else 'are'} missing at "
            f"{loss.to_observer} ({first}), but came: TCP has sent {loss.again:,} of {loss.needed:,} again. "
            f"What captured at {loss.to_observer} has missed them"
        )
    words = f"{packets} left {loss.from_observer} at {place} and never came to {loss.to_observer}"
    words += f", while {count(loss.came, 'other', ',')} did ({first})"
    return words + (f"; TCP has sent {loss.again:,} of them again" if loss.again else "")
