"""The path of one packet as a ladder: its hops across, time down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pywnv.report import svg
from pywnv.report.text import duration, name, number

if TYPE_CHECKING:
    from markupsafe import Markup

COLUMN, GUTTER = 134.0, 70.0
NAME, ROW, MOST_ROWS = 12.5, 14.0, 3  # of the names of hops: letters, lines
RIGHT = 96.0  # for the numbers of frames
SHORTEST, MORE, LONGEST = 34.0, 24.0, 120.0  # between two rungs; for each power of ten
MOST_RUNGS = 24


@dataclass(frozen=True)
class Rung:
    """One sighting of a packet.

    Attributes:
        frame: its number.
        hop: where it was seen; None if the capture names no interface.
        elapsed: since the first sighting, in seconds; None without times.
        note: what happened there, such as "dropped: ...", or None.
        is_drop: whether the packet was dropped there.
        after: the frame of the sighting that this one follows; None for the first.
    """

    frame: int
    hop: str | None
    elapsed: float | None
    note: str | None = None
    is_drop: bool = False
    after: int | None = None


def draw(rungs: Sequence[Rung], label: str) -> Markup:
    """The ladder.

    Args:
        rungs: in the order of time.
        label: what it shows.
    """
    rungs = rungs[:MOST_RUNGS]
    hops = list(dict.fromkeys(rung.hop for rung in rungs))
    column = {hop: GUTTER + COLUMN * (at + 0.5) for at, hop in enumerate(hops)}
    names = {hop: svg.lines(name(hop), COLUMN - 10, NAME, MOST_ROWS) for hop in hops}
    head = 22 + ROW * max(map(len, names.values()), default=1)
    heights = _heights(rungs, head)
    right = GUTTER + COLUMN * len(hops)
    drawn = svg.drawing(right + RIGHT, heights[-1] + 26, label, "ladder")
    for hop, x in column.items():
        for at, row in enumerate(reversed(names[hop])):
            y = head - 16 - ROW * at
            svg.element("text", drawn, row, x=x, y=y, class_="name", text_anchor="middle")
        svg.element("line", drawn, x1=x, x2=x, y1=head - 6, y2=heights[-1] + 16, class_="pole")
    for y in heights:
        svg.element("line", drawn, x1=GUTTER, x2=right, y1=y, y2=y, class_="guide")
    drawn_at = {rung.frame: (rung, y) for rung, y in zip(rungs, heights, strict=True)}
    for rung, y in zip(rungs, heights, strict=True):
        if rung.after in drawn_at:
            before, above = drawn_at[rung.after]
            _draw_step(drawn, (column[before.hop], above), (column[rung.hop], y), _between(before, rung))
    for rung, y in zip(rungs, heights, strict=True):
        x = column[rung.hop]
        svg.element("text", drawn, duration(rung.elapsed), x=GUTTER - 12, y=y + 4, class_="time", text_anchor="end")
        svg.element("text", drawn, f"frame {number(rung.frame)}", x=right + 12, y=y + 4, class_="frame")
        if rung.is_drop:
            svg.element("circle", drawn, cx=x, cy=y, r=9, class_="dot drop")
            svg.element("path", drawn, d=f"M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0 -7l-7 7", class_="cross")
        else:
            svg.element("circle", drawn, cx=x, cy=y, r=5, class_="dot")
    return svg.markup(drawn)


def _heights(rungs: Sequence[Rung], head: float) -> list[float]:
    """Where each rung is: the gaps grow with the logarithm of the time."""
    gaps = [_between(before, after) for before, after in pairwise(rungs)]
    least = min((gap for gap in gaps if gap and gap > 0), default=1e-6)
    heights = [head + 14]
    for gap in gaps:
        more = MORE * math.log10(gap / least) if gap and gap > 0 else 0.0
        heights.append(heights[-1] + min(SHORTEST + more, LONGEST))
    return heights


def _between(before: Rung, after: Rung) -> float | None:
    if before.elapsed is None or after.elapsed is None:
        return None
    return after.elapsed - before.elapsed


def _draw_step(drawn: ET.Element, start: tuple[float, float], end: tuple[float, float], took: float | None) -> None:
    (x1, y1), (x2, y2) = start, end
    way = math.hypot(x2 - x1, y2 - y1) or 1.0
    dx, dy = (x2 - x1) / way, (y2 - y1) / way
    tip_x, tip_y = x2 - dx * 8, y2 - dy * 8
    svg.element("line", drawn, x1=x1 + dx * 7, y1=y1 + dy * 7, x2=tip_x - dx * 5, y2=tip_y - dy * 5, class_="line")
    points = (
        (tip_x, tip_y),
        (tip_x - dx * 8 - dy * 4, tip_y - dy * 8 + dx * 4),
        (tip_x - dx * 8 + dy * 4, tip_y - dy * 8 - dx * 4),
    )
    svg.element("path", drawn, d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z", class_="head")
    if took is None:
        return
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    side = -1 if x2 < x1 else 1
    words, anchor = f"+{duration(took)}", "end" if side < 0 else "start"
    svg.element("text", drawn, words, x=x + side * 7, y=y + (4 if x1 == x2 else -4), class_="label", text_anchor=anchor)
