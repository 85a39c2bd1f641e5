"""Hops that fall silent while others still show packets: put together, in words, with what may be the cause."""

from __future__ import annotations

from dataclasses import dataclass

from pywnv.statistics.model import Gap, Statistics
from pywnv.words import count

NEAR = 16  # frames: hops that fall silent within so many do so at once
NO_NAME = "an interface without a name"


@dataclass(frozen=True)
class Silence:
    """Hops that fall silent at once.

    Attributes:
        hops: their names.
        gap: of the last of them.
        words: what is seen: "team0 and vport1 show nothing from frame 1,501 on, while pnic0 shows 501 packets".
        cause: what may be the cause, in a sentence or two.
    """

    hops: tuple[str, ...]
    gap: Gap
    words: str
    cause: str


def silences(found: Statistics) -> tuple[Silence, ...]:
    """Where hops fall silent or begin while others still show packets, the first ones first."""
    groups: list[tuple[list[str], Gap]] = []
    all_gaps = [(hop.name or NO_NAME, gap) for hop in found.hops for gap in hop.gaps]
    for name, gap in sorted(all_gaps, key=lambda one: one[1].from_frame):
        names, last = groups[-1] if groups else ([], gap)
        if names and last.to_frame == gap.to_frame and gap.from_frame - last.from_frame <= NEAR:
            groups[-1] = [*names, name], gap
        else:
            groups.append(([name], gap))
    return tuple(Silence(tuple(names), gap, _words(names, gap), _cause(found, gap)) for names, gap in groups)


def _words(names: list[str], gap: Gap) -> str:
    hops = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    verb = "show" if len(names) > 1 else "shows"
    if gap.to_frame is None:
        span = f"from frame {gap.from_frame:,} on"
    elif gap.from_frame == 1:
        span = f"before frame {gap.to_frame:,}"
    else:
        span = f"from frame {gap.from_frame:,} to {gap.to_frame - 1:,}"
    return f"{hops} {verb} nothing {span}, while {gap.beside} shows {count(gap.others, 'packet', ',')}"


def _cause(found: Statistics, gap: Gap) -> str:
    """Source: WNV Deep Dive part 4, on captures in which packets show once, and then again twice."""
    stop = gap.to_frame or found.all_frames + 1
    shown = [hop for hop in found.hops if hop.first_frame < stop and hop.last_frame >= gap.from_frame]
    others = [hop for hop in shown if not any(_covers(other, gap) for other in hop.gaps)]
    if len(others) == 1:
        return (
            f"Only {others[0].name or NO_NAME} is captured there: the capture was limited to one adapter, or two"
            " captures were put together. Missing duplicates are no loss."
        )
    return (
        "A filter or another session may have begun or ended there; Windows 10 and Server 2016 sometimes do"
        " not record a packet at a hop; or the packets took another path, such as another member of the team."
    )


def _covers(one: Gap, other: Gap) -> bool:
    return one.from_frame <= other.from_frame + NEAR and (one.to_frame or 0) == (other.to_frame or 0)
