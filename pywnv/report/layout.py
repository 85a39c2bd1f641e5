"""Where the places of a host stand in its picture, and what connects them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT = 150.0, 66.0
GAP, LAYER_GAP = 22.0, 86.0
MARGIN = 24.0
CLEAR, AROUND = 30.0, 34.0  # between boxes and a line that goes around them, and between such lines
BOXES_A_ROW = 5
WEAK = 0.1  # of what its quieter end shows: a step that is so rare tells nothing of how the host is built
FAINT = 0.005  # of the most frequent: a step that is so rare is not drawn
MOST_ARCS = 2  # lines in a row, until one stands for all


@dataclass(frozen=True)
class Place:
    """A place in the host.

    Attributes:
        name: of the hop; of a switch, the switch's.
        role: of the hop, or None.
        packets: that were seen there.
        drops: of packets there that matter.
        harmless: drops that Windows makes every day.
    """

    name: str
    role: str | None
    packets: int
    drops: int = 0
    harmless: int = 0


@dataclass
class Box:
    """A place, and where it is drawn.

    Attributes:
        place: itself.
        layer: how far it is from the wire, from 0.
        x, y, width: in pixels; all are of the same height.
        above, below: lines to the layers before and behind it.
        is_quiet: whether no packet passes it, though it need not be seen there.
    """

    place: Place
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = BOX_WIDTH
    above: int = 0
    below: int = 0
    is_quiet: bool = True


@dataclass
class Line:
    """What went between two boxes, both ways.

    Attributes:
        one, other: their names.
        there, back: packets.
        is_lost: whether they were dropped on the way.
        is_link: whether the user knows that both are connected.
    """

    one: str
    other: str
    there: int = 0
    back: int = 0
    is_lost: bool = False
    is_link: bool = False

    @property
    def packets(self) -> int:
        """Both ways."""
        return self.there + self.back


def lines_of(
    boxes: dict[str, Box], steps: Iterable[tuple[str, str, int]], links: Sequence[tuple[str, str]]
) -> list[Line]:
    """The steps, joined to lines; between two ports of one switch they go through it."""
    joined: dict[tuple[str, str], Line] = {}

    def add(one: str, other: str, packets: int) -> Line:
        key = (one, other) if one <= other else (other, one)
        line = joined.setdefault(key, Line(*key))
        if key[0] == one:
            line.there += packets
        else:
            line.back += packets
        return line

    switch_of = {port: switch for port, switch in links if boxes[switch].place.role == "vSwitch"}
    for link in links:
        add(*link, 0).is_link = True
    for one, other, packets in steps:
        if one == other or one not in boxes or other not in boxes:
            continue
        switch = switch_of.get(one)
        if switch is not None and switch == switch_of.get(other):
            add(one, switch, packets)
            add(switch, other, packets)
        else:
            add(one, other, packets)
    return list(joined.values())


def is_drawn(line: Line, boxes: dict[str, Box], most: int) -> bool:
    """Whether a line is worth drawing: what is known to be connected, and no rare way past other places."""
    apart = abs(boxes[line.one].layer - boxes[line.other].layer)
    return apart <= 1 and (line.is_link or line.packets >= FAINT * most)


def leave_out_islands(boxes: dict[str, Box], lines: list[Line]) -> None:
    """Leaves out what shows nothing and is connected to nothing that does."""
    shown = {name for name, box in boxes.items() if box.place.packets or box.place.drops or box.place.harmless}
    grown = True
    while grown:
        near = {name for line in lines if shown & {line.one, line.other} for name in (line.one, line.other)}
        grown = not near <= shown
        shown |= near
    for name in boxes.keys() - shown:
        del boxes[name]
    lines[:] = [line for line in lines if line.one in boxes]


def set_layers(boxes: dict[str, Box], lines: list[Line]) -> None:
    """How far each box is from the wire, counted in steps that are not rare."""
    at: dict[str, int] = defaultdict(int)
    for line in lines:
        at[line.one] += line.packets
        at[line.other] += line.packets
    near: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.is_link or line.packets >= WEAK * min(at[line.one], at[line.other]):
            near[line.one].add(line.other)
            near[line.other].add(line.one)
    wire = [name for name, box in boxes.items() if box.place.role == "pNIC"] or _beside_teams(boxes, lines)
    far: dict[str, int] = {}
    for name in wire or [_outermost(boxes, near)]:
        far.setdefault(name, 0)
    _spread(far, near)
    for name in boxes:  # what is connected to nothing that was reached
        if name not in far:
            far[name] = 0 if not near[name] else 1
            _spread(far, near)
    for name, layer in far.items():
        boxes[name].layer = layer


def _beside_teams(boxes: dict[str, Box], lines: list[Line]) -> list[str]:
    """What shares the most packets with a team, and no NIC of a VM: the adapter below it."""
    found = []
    for name, box in boxes.items():
        if box.place.role == "tNIC":
            beside = [
                (line.packets, line.other if line.one == name else line.one)
                for line in lines
                if name in (line.one, line.other)
            ]
            outer = [one for one in beside if boxes[one[1]].place.role not in ("vmNIC", "host vNIC", "vSwitch")]
            found += [max(outer)[1]] if outer else []
    return found


def _outermost(boxes: dict[str, Box], near: dict[str, set[str]]) -> str:
    """Where the names of places do not tell: the end with the most packets."""
    ends = [name for name in boxes if len(near[name]) == 1] or list(boxes)
    return max(ends, key=lambda name: boxes[name].place.packets)


def _spread(far: dict[str, int], near: dict[str, set[str]]) -> None:
    waiting = deque(sorted(far, key=lambda name: far[name]))
    while waiting:
        name = waiting.popleft()
        for other in sorted(near[name]):
            if other not in far:
                far[other] = far[name] + 1
                waiting.append(other)


def lay_out(boxes: dict[str, Box], lines: list[Line]) -> tuple[float, float]:
    """Places the boxes; the width and the height of all."""
    layers: dict[int, list[Box]] = defaultdict(list)
    for box in boxes.values():
        layers[box.layer].append(box)
    rows: list[list[Box]] = []
    order: dict[str, float] = {}
    for layer in sorted(layers):
        row = sorted(layers[layer], key=lambda box: (_pull(box, lines, order), box.place.name))
        for at, box in enumerate(row):
            order[box.place.name] = (at + 0.5) / len(row)
        rows.extend(row[start : start + BOXES_A_ROW] for start in range(0, len(row), BOXES_A_ROW))
    widest = max(len(row) for row in rows)
    width = max(widest * (BOX_WIDTH + GAP) - GAP + 2 * MARGIN, 340.0)
    y = MARGIN
    for row in rows:
        room = width - 2 * MARGIN
        for box in row:
            if box.place.role == "vSwitch" and len(row) == 1 and _connects(box, boxes, lines) > 2:
                box.width = room
        total = sum(box.width for box in row) + GAP * (len(row) - 1)
        x = MARGIN + (room - total) / 2
        for box in row:
            box.x, box.y = x, y
            x += box.width + GAP
        y += BOX_HEIGHT + LAYER_GAP
    far = sum(abs(boxes[line.one].y - boxes[line.other].y) > BOX_HEIGHT + LAYER_GAP + 1 for line in lines)
    width += CLEAR + AROUND * far if far else 0
    if any(boxes[line.one].y == boxes[line.other].y == rows[-1][0].y for line in lines):
        y += 42.0  # for the arcs below
    return width, y - LAYER_GAP + MARGIN


def _connects(box: Box, boxes: dict[str, Box], lines: list[Line]) -> int:
    """How many boxes of other layers a box is connected to."""
    pairs = [(boxes[line.one], boxes[line.other]) for line in lines]
    return sum(box in pair and pair[0].layer != pair[1].layer for pair in pairs)


def _pull(box: Box, lines: list[Line], order: dict[str, float]) -> float:
    """Where in its row a box wants to be: under what it is connected to."""
    name = box.place.name
    others = [line.other if line.one == name else line.one for line in lines if name in (line.one, line.other)]
    placed = [order[other] for other in others if other in order]
    return sum(placed) / len(placed) if placed else 0.5


def crowds(boxes: dict[str, Box], lines: list[Line]) -> list[tuple[list[Box], list[Line]]]:
    """Rows of boxes with many lines among themselves, as where a switch floods."""
    found = []
    for y in sorted({box.y for box in boxes.values()}):
        among = [line for line in lines if boxes[line.one].y == boxes[line.other].y == y]
        if len(among) > MOST_ARCS:
            names = {name for line in among for name in (line.one, line.other)}
            found.append((sorted((boxes[name] for name in names), key=lambda box: box.x), among))
    return found
