"""Finds where a hop fell silent while other hops of the same packets went on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pywnv.statistics.model import Gap

NANO = 1e9
# Of the packets that passed a hop and others, so few passed these others alone before; so many do while it is silent.
ALONE = 0.1
LEAST, SHARE = 20, 0.05  # at least so many; this share of all that passed it

Found = dict[str, Any]


Clock = Callable[[float | None], float | None]


def clock_of(start: list[float]) -> Clock:
    """A function that gives seconds since 1970 of seconds since the first frame."""
    first = start[0] + start[1] / NANO if start else None

    def clock(seconds: float | None) -> float | None:
        return None if seconds is None or first is None else round(first + seconds, 6)

    return clock


def gaps(found: Found, clock: Clock) -> list[tuple[Gap, ...]]:
    """Of each hop, its gaps, the longest first.

    A hop counts as silent where packets come that show all the other hops of a way that led through it, and not it. A
    way that simply is not used any more is none.
    """
    return [tuple(_of_hop(hop, found, clock)) for hop in found["hops"]]


def _of_hop(hop: Found, found: Found, clock: Clock) -> Iterator[Gap]:
    if not hop["frames"]:
        return
    end = found["total"]["all_frames"] + 1
    all_gaps = [*hop["gaps"], {"from": hop["last_frame"], "from_time": hop.get("last_time"), "to": None}]
    for gap in sorted(all_gaps, key=lambda gap: gap["from"] - (gap["to"] or end)):
        first, last = gap["from"] // found["frame_width"] + 1, (gap["to"] or end) // found["frame_width"]
        inside = slice(first, last if gap["to"] else None)
        others = _without(hop, found, inside)
        number = sum(others.values())
        if number >= max(LEAST, SHARE * hop["packets"]):
            beside = max(others, key=lambda name: others[name])
            yield Gap(
                gap["from"] + 1, clock(gap.get("from_time")), gap["to"], clock(gap.get("to_time")), number, beside
            )


def _without(hop: Found, found: Found, inside: slice) -> dict[str, int]:
    """How many packets show the rest of a way through the hop, by the hop that shows the most of them."""
    bit = 1 << hop["index"] - 1
    counts = {one["mask"]: (sum(one["frames"]), sum(one["frames"][inside])) for one in found["masks"]}
    heard = 0  # the hops that show something meanwhile
    for mask, (_, within) in counts.items():
        heard |= mask if within else 0
    others: dict[str, int] = {}
    for rest, (whole, within) in counts.items():
        if not within or not rest or rest & bit:
            continue
        through = sum(n for mask, (n, _) in counts.items() if mask & bit and mask & heard & ~bit == rest)
        if through and whole - within <= ALONE * through:
            name = _busiest(found, rest)
            others[name] = others.get(name, 0) + within
    return others


def _busiest(found: Found, mask: int) -> str:
    shown = [hop for hop in found["hops"] if mask >> hop["index"] - 1 & 1]
    return max(shown, key=lambda hop: hop["frames"]).get("name") or "(no name)"
