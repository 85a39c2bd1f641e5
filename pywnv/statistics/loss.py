"""Packets that never came from one observer to the next, in words."""

from __future__ import annotations

from pywnv.statistics.model import Loss, Statistics
from pywnv.statistics.silence import NO_NAME
from pywnv.words import count


def lost(found: Statistics) -> tuple[Loss, ...]:
    """What never came, without what the next observer has only missed."""
    return tuple(loss for loss in found.losses if not loss.is_missed)


def loss_words(loss: Loss, which: str = "") -> str:
    """What is missing between two observers: "12 packets left HV01 at pNIC Ethernet 2 and never came to HV02".

    Args:
        loss: of packets.
        which: packets, as words behind that: "to 192.168.1.60".
    """
    place = (loss.hop or NO_NAME).removeprefix(f"{loss.from_observer}: ")
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
