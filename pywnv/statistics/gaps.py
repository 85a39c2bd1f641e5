"""Finds where a hop fell silent while other hops still showed the same packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from pywnv.statistics.model import Gap

NANO = 1e9
# Of the packets that passed a hop and others, so few passed these others alone before; so many do while it is silent.
ALONE = 0.1
LEAST, SHARE = 20, 0.05  # at least so many, before and meanwhile; this share of all that passed it

Found = dict[str, Any]


Clock = Callable[[float | None], float | None]


def clock_of(start: list[float]) -> Clock:
    """A function that gives seconds since 1970 of seconds since the first frame."""
    first = start[0] + start[1] / NANO if start else None

    def clock(seconds: float | None) -> float | None:
        return None if seconds is None or first is None else round(first + seconds, 6)

    return clock


@dataclass(frozen=True)
class Seen:
    """Packets of one class of addresses that show the same hops.

    Attributes:
        mask: the bits of these hops.
        sums: how many came up to each bin of frames, from 0 on.
    """

    mask: int
    sums: list[int]

    def within(self, first: int, last: int) -> int:
        """How many came from one bin to another."""
        first, last = max(first, 0), min(last, len(self.sums) - 1)
        return self.sums[last] - self.sums[first] if first < last else 0

    @property
    def whole(self) -> int:
        """How many there are."""
        return self.sums[-1]


def gaps(found: Found, clock: Clock) -> list[tuple[Gap, ...]]:
    """Of each hop, its gaps, the longest first.

    A hop counts as silent where packets come that show all the other hops of a way that led through it, and not it, and
    whose addresses are those of packets that went that way. A way that simply is not used any more is none.
    """
    classes: dict[int, list[Seen]] = {}
    for one in found["masks"]:
        classes.setdefault(one["pair"], []).append(Seen(one["mask"], [0, *accumulate(one["frames"])]))
    return [tuple(_of_hop(hop, found, list(classes.values()), clock)) for hop in found["hops"]]


def _of_hop(hop: Found, found: Found, classes: list[list[Seen]], clock: Clock) -> Iterator[Gap]:
    if not hop["frames"]:
        return
    end = found["total"]["all_frames"] + 1
    all_gaps = [*hop["gaps"], {"from": hop["last_frame"], "from_time": hop.get("last_time"), "to": None}]
    width, span = found["frame_width"], max((path["span"] for path in found["paths"]), default=0)
    for gap in sorted(all_gaps, key=lambda gap: gap["from"] - (gap["to"] or end)):
        first, last = gap["from"] // width + 1, (gap["to"] or end) // width + (0 if gap["to"] else 1)
        edge = min(-(-span // width), last - first)
        others = _without(hop, found, classes, (first, last), edge)
        number = sum(others.values())
        if number >= max(LEAST, SHARE * hop["packets"]):
            beside = max(others, key=lambda name: others[name])
            yield Gap(
                gap["from"] + 1, clock(gap.get("from_time")), gap["to"], clock(gap.get("to_time")), number, beside
            )


def _without(hop: Found, found: Found, classes: list[list[Seen]], inside: tuple[int, int], edge: int) -> dict[str, int]:
    """How many packets show the rest of a way through the hop, by the hop that shows the most of them.

    Args:
        hop: that may be silent.
        found: what was counted.
        classes: the packets.
        inside: from which bin to which it shows nothing.
        edge: bins beside these, in which packets may show a part of their way.
    """
    bit = 1 << hop["index"] - 1
    first, last = inside
    meanwhile = [[(one, count) for one in of_class if (count := one.within(first, last))] for of_class in classes]
    heard = 0  # the hops that show something meanwhile
    for one, _ in (one for of_class in meanwhile for one in of_class):
        heard |= one.mask
    others: dict[str, int] = {}
    for of_class, some in zip(classes, meanwhile, strict=True):
        for rest, within in some:
            if not rest.mask or rest.mask & bit:
                continue
            through = sum(one.whole for one in of_class if one.mask & bit and one.mask & heard & ~bit == rest.mask)
            outside = rest.whole - rest.within(first - edge, last + edge)
            if through >= LEAST and outside <= ALONE * through:
                name = _busiest(found, rest.mask)
                others[name] = others.get(name, 0) + within
    return others


def _busiest(found: Found, mask: int) -> str:
    shown = [hop for hop in found["hops"] if mask >> hop["index"] - 1 & 1]
    return max(shown, key=lambda hop: hop["frames"]).get("name") or "(no name)"
