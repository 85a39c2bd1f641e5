"""The host as a picture: the places where packets were seen, from the wire downwards, and what went between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pywnv.report import svg
from pywnv.report.layout import (
    AROUND,
    BOX_HEIGHT,
    BOX_WIDTH,
    CLEAR,
    LAYER_GAP,
    Box,
    Line,
    Place,
    crowds,
    is_drawn,
    lay_out,
    leave_out_islands,
    lines_of,
    set_layers,
)
from pywnv.report.text import clean, number
from pywnv.words import count

if TYPE_CHECKING:
    from markupsafe import Markup

LINE, NAME, LABEL, BADGE = 15.0, 12.5, 12.0, 11.0  # of text: its height, and that of its letters
BESIDE = 7.0  # between a line and its label
MOST_ROWS = 3  # of a name
MOST_PLACES = 24  # a picture of more shows nothing
BEND = 0.75  # of the way between boxes: how far lines go straight on
TINTS = {
    "pNIC": "pnic",
    "tNIC": "tnic",
    "vSwitch": "vswitch",
    "vmNIC": "vnic",
    "host vNIC": "vnic",
    "filter": "stack",
    "protocol": "stack",
}


def draw(
    places: Sequence[Place],
    steps: Iterable[tuple[str, str, int]],
    losses: Iterable[tuple[str, str, int]] = (),
    links: Iterable[tuple[str, str]] = (),
    label: str = "The host",
) -> tuple[Markup, int] | None:
    """The picture, and how many steps it leaves out, each a packet's; None if there are no two places.

    Args:
        places: where packets were seen, or that the user knows of.
        steps: from a place, to a place, and how many packets went.
        losses: likewise, of packets that were dropped on the way to the second place.
        links: what is connected, as the user knows it; a switch comes second.
        label: what the picture shows.
    """
    shown = sorted(places, key=lambda place: -place.packets)[:MOST_PLACES]
    if len(shown) < 2:
        return None
    boxes = {place.name: Box(place) for place in shown}
    lines = lines_of(boxes, steps, [link for link in links if link[0] in boxes and link[1] in boxes])
    lines += [Line(*loss, is_lost=True) for loss in losses if loss[0] in boxes and loss[1] in boxes]
    leave_out_islands(boxes, lines)
    set_layers(boxes, lines)
    whole = lines
    most = max((line.packets for line in whole), default=0)
    lines = [line for line in whole if line.is_lost or is_drawn(line, boxes, most)]
    for line in lines:
        pair = sorted((boxes[line.one], boxes[line.other]), key=lambda box: box.layer)
        if pair[0].layer != pair[1].layer:
            pair[0].below += 1
            pair[1].above += 1
        for box in pair:
            box.is_quiet = box.is_quiet and not (line.packets and box.place.role == "vSwitch")
    left_out = sum(line.packets for line in whole) - sum(line.packets for line in lines)
    width, height = lay_out(boxes, lines)
    words = "; ".join(
        f"{clean(line.one)} to {clean(line.other)}: {number(line.there)}, back: {number(line.back)}" for line in lines
    )
    drawn = svg.drawing(width, height, f"{label}. Packets from {words}.", "picture")
    labels = _Labels()
    right = max(box.x + box.width for box in boxes.values())
    around = itertools.count(right + CLEAR, AROUND)
    crowded = crowds(boxes, lines)
    for crowd in crowded:
        _draw_crowd(drawn, *crowd, labels)
    for line in sorted(lines, key=lambda line: line.packets):
        if not any(line in crowd for _, crowd in crowded):
            _draw_line(drawn, line, boxes, most, around, labels)
    for box in boxes.values():
        _draw_box(drawn, box)
    drawn.extend(labels.drawn)
    return svg.markup(drawn), left_out


class _Labels:
    """The numbers beside the lines, which go over all; none over another."""

    def __init__(self) -> None:
        self.drawn: list[ET.Element] = []
        self._taken: list[tuple[float, float, float]] = []  # left, right, y

    def put(self, places: Iterable[tuple[float, float]], signs: str, packets: tuple[int, int]) -> None:
        """The packets of a line: what went the first way to its left, the other to its right.

        Args:
            places: on the line, the best first; where all are taken there is no label: the tables have the number.
            signs: of the ways.
            packets: each way.
        """
        words = [f"{sign} {number(some)}" if some else "" for sign, some in zip(signs, packets, strict=True)]
        left, right = (svg.width_of(text, LABEL) + BESIDE if text else 0.0 for text in words)
        for x, y in places:
            span = (x - left, x + right, y)
            if not any(span[0] < b and a < span[1] and abs(y - other) < LINE for a, b, other in self._taken):
                break
        else:
            return
        self._taken.append(span)
        group = svg.element("g", class_="label")
        if words[0]:
            svg.element("text", group, words[0], x=x - BESIDE, y=y, text_anchor="end")
        if words[1]:
            svg.element("text", group, words[1], x=x + BESIDE, y=y)
        self.drawn.append(group)

    def put_words(self, place: tuple[float, float], words: str) -> None:
        """Words in the middle of a place."""
        x, y = place
        half = svg.width_of(words, LABEL) / 2
        self._taken.append((x - half, x + half, y))
        group = svg.element("g", class_="label")
        svg.element("text", group, words, x=x, y=y, text_anchor="middle")
        self.drawn.append(group)


def _draw_crowd(drawn: ET.Element, row: list[Box], lines: list[Line], labels: _Labels) -> None:
    """One bracket below boxes stands for all lines among them."""
    left, right, y = row[0].x + 16, row[-1].x + row[-1].width - 16, row[0].y + BOX_HEIGHT
    shape = f"M{left:.1f} {y + 5:.1f}v9H{right:.1f}v-9" + "".join(
        f"M{box.x + box.width / 2:.1f} {y + 5:.1f}v9" for box in row[1:-1]
    )
    svg.element("path", drawn, d=shape, class_="line", stroke_width=1.5)
    labels.put_words(((left + right) / 2, y + 29), f"among these {number(sum(line.packets for line in lines))}")


def _draw_line(
    drawn: ET.Element, line: Line, boxes: dict[str, Box], most: int, around: Iterator[float], labels: _Labels
) -> None:
    upper, lower = boxes[line.one], boxes[line.other]
    down, up = line.there, line.back
    if (upper.y, upper.x) > (lower.y, lower.x):
        upper, lower, down, up = lower, upper, up, down
    thick = 1.25 + 3.75 * (line.packets / most) ** 0.5 if most else 1.25
    if upper.y == lower.y:
        _draw_arc(drawn, upper, lower, (down, up), thick, labels)
        return
    if lower.y - upper.y > BOX_HEIGHT + LAYER_GAP + 1:
        _draw_around(drawn, upper, lower, (down, up), next(around), labels)
        return
    x1, x2 = _column(upper, lower), _column(lower, upper)
    y1, y2 = upper.y + BOX_HEIGHT, lower.y
    bend = (y2 - y1) * BEND
    head = 3.5 + thick
    start, end = y1 + (head if up else 0), y2 - (head if down else 0)
    shape = f"M{x1:.1f} {start:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {end:.1f}"
    group = svg.element("g", drawn, class_="lost" if line.is_lost else "link" if not line.packets else None)
    svg.element("path", group, d=shape, class_="line", stroke_width=thick)
    if down:
        _arrow(group, (x2, y2), head, (0, 1))
    if up:
        _arrow(group, (x1, y1), head, (0, -1))
    if min(upper.below, lower.above) > 1 and BOX_WIDTH in (upper.width, lower.width):
        return  # its number would stand among others; the tables have it
    apart = (0.87, 0.13) if lower.above <= upper.below else (0.13, 0.87)  # where lines are apart
    places = []
    for t in (0.5, *apart) if abs(x1 - x2) < 1 else apart:
        x = x1 + (x2 - x1) * t * t * (3 - 2 * t)
        y = y1 + (y2 - y1) * (3 * t * (1 - t) * ((1 - t) * BEND + t * (1 - BEND)) + t**3)
        places.append((x, y + 4))
    labels.put(places, "↓↑", (down, up))


def _draw_around(
    drawn: ET.Element, upper: Box, lower: Box, packets: tuple[int, int], apex: float, labels: _Labels
) -> None:
    """A line between boxes that are further apart goes around what is between them, to the right."""
    x1, x2 = upper.x + upper.width, lower.x + lower.width
    y1, y2 = upper.y + BOX_HEIGHT * 0.5, lower.y + BOX_HEIGHT * 0.4
    edge = (apex - 0.125 * (x1 + x2)) / 0.75  # a curve does not reach its corners
    start, end = x1 + (8 if packets[1] else 0), x2 + (8 if packets[0] else 0)
    shape = f"M{start:.1f} {y1:.1f}C{edge:.1f} {y1:.1f} {edge:.1f} {y2:.1f} {end:.1f} {y2:.1f}"
    svg.element("path", drawn, d=shape, class_="line rare", stroke_width=1.5)
    if packets[0]:
        _arrow(drawn, (x2, y2), 5, (-1, 0))
    if packets[1]:
        _arrow(drawn, (x1, y1), 5, (-1, 0))
    labels.put([(apex, (y1 + y2) / 2 + 4)], "↓↑", packets)


def _column(box: Box, other: Box) -> float:
    """Where on a box a line to another ends: a switch is as wide as what it connects."""
    middle, target = box.x + box.width / 2, other.x + other.width / 2
    if box.width <= BOX_WIDTH or other.width > BOX_WIDTH:
        return middle
    return min(max(target, box.x + 20), box.x + box.width - 20)


def _draw_arc(
    drawn: ET.Element, left: Box, right: Box, packets: tuple[int, int], thick: float, labels: _Labels
) -> None:
    x1, x2, y = left.x + left.width * 0.72, right.x + right.width * 0.28, left.y + BOX_HEIGHT
    head = 3.5 + thick
    y1, y2 = y + (head if packets[1] else 0), y + (head if packets[0] else 0)
    shape = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y + 44:.1f} {x2:.1f} {y + 44:.1f} {x2:.1f} {y2:.1f}"
    svg.element("path", drawn, d=shape, class_="line", stroke_width=thick)
    if packets[0]:
        _arrow(drawn, (x2, y), head, (0, -1))
    if packets[1]:
        _arrow(drawn, (x1, y), head, (0, -1))
    labels.put([((x1 + x2) / 2, y + 52)], "→←", packets)


def _arrow(drawn: ET.Element, tip: tuple[float, float], size: float, way: tuple[int, int]) -> None:
    """A head whose tip is there; `way` is the direction that it points in."""
    (x, y), (dx, dy) = tip, way
    back, half = size + 1.5, size * 0.72
    corners = ((x, y), *((x - dx * back + side * dy * half, y - dy * back + side * dx * half) for side in (-1, 1)))
    svg.element(
        "path", drawn, d="M" + "L".join(f"{at:.1f} {height:.1f}" for at, height in corners) + "Z", class_="head"
    )


def _draw_box(drawn: ET.Element, box: Box) -> None:
    place = box.place
    group = svg.element("g", drawn, class_="place" if place.packets or not box.is_quiet else "place unseen")
    svg.element("title", group, f"{place.name}: {count(place.packets, 'packet', ',')}")
    tint = TINTS.get(place.role or "", "unknown")
    svg.element("rect", group, x=box.x, y=box.y, width=box.width, height=BOX_HEIGHT, rx=9, class_=f"box t-{tint}")
    role = place.role if place.role and place.role != "unknown" else None
    words = clean(place.name)
    if role:
        words = words.removeprefix(role).strip() or words
    x = box.x + box.width / 2
    rows = svg.lines(words, box.width - 12, NAME, MOST_ROWS)
    lines = len(rows) + bool(role)
    y = box.y + (BOX_HEIGHT - LINE * lines) / 2 + 11.5
    if role:
        svg.element("text", group, role, x=x, y=y, class_="role", text_anchor="middle")
        y += LINE
    for row in rows:
        svg.element("text", group, row, x=x, y=y, class_="name", text_anchor="middle")
        y += LINE
    _badges(drawn, box)


def _badges(drawn: ET.Element, box: Box) -> None:
    x = box.x + box.width + 20  # beside the arrow that ends in the middle
    for packets, class_, words in (
        (box.place.drops, "badge", f"✕ {number(box.place.drops)} dropped"),
        (box.place.harmless, "badge quiet", f"{number(box.place.harmless)} harmless"),
    ):
        if not packets:
            continue
        width = 14 + svg.width_of(words, BADGE)
        group = svg.element("g", drawn, class_=class_)
        svg.element("rect", group, x=x - width, y=box.y - 13, width=width, height=18, rx=9)
        svg.element("text", group, words, x=x - width / 2, y=box.y, text_anchor="middle")
        x -= width + 4
