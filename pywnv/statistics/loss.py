"""Packets that never came from one observer of a joined capture to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pywnv.words import count

LEAST_NEEDED, LEAST_AGAIN = 3, 0.5  # packets that TCP must send again; so many of them, or they have arrived after all


@dataclass(frozen=True)
class Loss:
    """Packets of a joined capture that must have come from one observer to the next, and are missing there.

    Attributes:
        way: TO or FROM for a selection; None if all packets count.
        from_observer, to_observer: names.
        hop: where the packets were last seen, and from where others leave the first observer.
        packets: how many are missing.
        at_least: whether there may be more, such as packets with the same bytes.
        came: other packets of these flows that came.
        needed: how many of the missing packets TCP sends until they arrive.
        again: how many of these it sent again.
        missed: packets that the capture at the next observer missed, as its file says.
        is_ordered: whether packets show which observer comes first; else those at one that are not at the other are
            counted, and may be no loss.
        first_frame, last_frame: first frames of the first and of the last missing packet.
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
    is_ordered: bool
    first_frame: int
    last_frame: int

    @property
    def has_come(self) -> bool:
        """Whether the packets arrived but were not captured: TCP would have sent them again."""
        return self.needed >= LEAST_NEEDED and self.again < LEAST_AGAIN * self.needed

    @property
    def is_told(self) -> bool:
        """Whether they are known to be lost, and cannot just be missing in the next observer's capture."""
        if not self.is_ordered:
            return False
        if self.needed >= LEAST_NEEDED:
            return not self.has_come
        return not self.missed

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "is_told": self.is_told, "has_come": self.has_come}


def lost(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Those that are known to be lost."""
    return tuple(loss for loss in losses if loss.is_told)


def doubtful(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Those that may be lost, or not."""
    return tuple(loss for loss in losses if not loss.is_told and not loss.has_come)


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
    if not loss.is_ordered:
        words = f"{packets} at {loss.from_observer} ({place}) {'is' if loss.packets == 1 else 'are'} not at "
        words += f"{loss.to_observer}, while {count(loss.came, 'other', ',')} {'is' if loss.came == 1 else 'are'} "
        words += f"({first}); nothing shows which observer comes first, as no packets went the other way: if it is "
        return f"{words}{loss.from_observer}, {'it was' if loss.packets == 1 else 'they were'} lost"
    if not loss.is_told:
        words = (
            f"{packets} that left {loss.from_observer} at {place} {'is' if loss.packets == 1 else 'are'} missing at "
        )
        words += f"{loss.to_observer} ({first}), "
        if loss.has_come:
            words += f"but came: TCP has sent {loss.again:,} of {loss.needed:,} again. "
            return f"{words}The capture at {loss.to_observer} missed them"
        return f"{words}but the capture there says that it missed {loss.missed:,}: they may have come"
    words = f"{packets} left {loss.from_observer} at {place} and never came to {loss.to_observer}"
    words += f", while {count(loss.came, 'other', ',')} did ({first})"
    return words + (f"; TCP has sent {loss.again:,} of them again" if loss.again else "")
