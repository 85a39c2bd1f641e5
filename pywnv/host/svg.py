"""A picture of the host: NICs at the left, their switch, and what carries it at the right."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pywnv.host.model import Host, VirtualNic
from pywnv.host.show import below, nic_parts, others, roles, switch_words, title
from pywnv.host.topology import Topology
from pywnv.tables.palette import INK, TINTS

WIDTH, BOX, SWITCH, MARGIN, GAP, STEP = 1170, 420, 180, 20, 10, 30  # pixels
LINE, PER_CHARACTER = 17, 6.6  # of the font
ROOM = int((BOX - 2 * GAP) / PER_CHARACTER)  # characters in a line of a box
OF_MEMBER = int((BOX - STEP - 2 * GAP) / PER_CHARACTER)  # likewise, of a team's member
NARROW = int((SWITCH - 2 * GAP) / PER_CHARACTER)  # likewise, of a switch
TINT_OF = {"pNIC": "pNIC", "tNIC": "tNIC", "vmNIC": "vNIC", "host vNIC": "vNIC"}


@dataclass(frozen=True)
class _Box:
    """A part of the host: the lines in it, the first in bold; its colour; and whether it is a member of a team."""

    lines: list[str]
    tint: str
    is_member: bool = False

    @property
    def height(self) -> int:
        return LINE * len(self.lines) + GAP


def picture(topology: Topology) -> str:
    """The host as SVG; what does not fit into a line stands whole in the box's tooltip."""
    host = topology.host or Host()
    svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "Segoe UI, Arial, sans-serif"})
    svg.set("font-size", "12")
    _text(svg, MARGIN, MARGIN + LINE, title(host), bold=True)
    y = MARGIN + 2 * LINE
    for switch in host.switches:
        nics = [_nic(host, nic) for nic in host.nics if (nic.switch or "").casefold() == switch.name.casefold()]
        lower = [box for uplink in switch.uplinks for box in _below(topology, uplink)]
        extensions = [f"extension {one.name}" for one in switch.extensions if one.enabled]
        parts = [*switch_words(switch).split(", "), *extensions]
        lines = [line for part in parts for line in textwrap.wrap(part, NARROW)]
        y = _switch(svg, y, _Box(lines, "vSwitch"), nics, lower) + 2 * GAP
    rest = [_nic(host, nic) for nic in host.nics if not nic.switch]
    rest += [box for words, members in others(topology) for box in _boxes(words, members)]
    if rest:
        _text(svg, MARGIN, y + LINE, "on no vSwitch", bold=True)
        _column(svg, MARGIN, y + 2 * LINE, rest)
        y += 2 * LINE + sum(box.height + GAP for box in rest)
    svg.set("viewBox", f"0 0 {WIDTH} {y + MARGIN}")
    svg.set("width", str(WIDTH))
    indent(svg)
    return tostring(svg, encoding="unicode")


def _nic(host: Host, nic: VirtualNic) -> _Box:
    first, *parts = nic_parts(host, nic)
    return _Box([first, *_wrapped(parts)], "vNIC")


def _wrapped(parts: list[str], room: int = ROOM) -> Iterator[str]:
    """Parts in lines that hold as many as fit into this many characters."""
    line = ""
    for part in parts:
        longer = f"{line}, {part}" if line else part
        if line and len(longer) > room:
            yield line
            line = part
        else:
            line = longer
    if line:
        yield line


def _below(topology: Topology, uplink: str) -> Iterator[_Box]:
    words, members = below(topology, uplink)
    return _boxes(words, members, roles(topology).get(uplink.casefold(), ""))


def _boxes(words: str, members: list[str], role: str = "") -> Iterator[_Box]:
    """An adapter, or a team and its members, in the colours of their roles: as told, or as the words begin."""
    first, *parts = words.split(", ")
    told = TINT_OF.get(role) or TINT_OF.get(first.partition(" ")[0])
    yield _Box([first, *_wrapped(parts)], told or ("tNIC" if members else "unknown"))
    for member in members:
        first, *parts = member.split(", ")
        yield _Box([first, *_wrapped(parts, OF_MEMBER)], "pNIC", is_member=True)


def _switch(svg: Element, y: int, switch: _Box, nics: list[_Box], lower: list[_Box]) -> int:
    """Draws a switch with what is on it and below it.

    Returns:
        Where it ends.
    """
    left, middle, right = MARGIN, MARGIN + BOX + STEP, MARGIN + BOX + 2 * STEP + SWITCH
    height = max(sum(box.height + GAP for box in boxes) for boxes in (nics, lower, [switch]))
    height = max(height - GAP, LINE * (len(switch.lines) + 2))
    for x, boxes, ends in ((left, nics, (left + BOX, middle)), (right, lower, (middle + SWITCH, right))):
        for top, bottom in _column(svg, x, y, boxes):
            _line(svg, (ends[0], ends[1]), ((top + bottom) // 2,) * 2)
    _draw(svg, middle, y, SWITCH, height, switch)
    return y + height


def _column(svg: Element, x: int, y: int, boxes: list[_Box]) -> list[tuple[int, int]]:
    """Draws boxes below each other, members of a team under it.

    Returns:
        From where to where each goes that is no member.
    """
    ends: list[tuple[int, int]] = []
    for box in boxes:
        if box.is_member:
            _draw(svg, x + STEP, y, BOX - STEP, box.height, box)
            middle = y + box.height // 2
            _line(svg, (x + STEP // 2, x + STEP // 2), (ends[-1][1], middle))
            _line(svg, (x + STEP // 2, x + STEP), (middle, middle))
        else:
            _draw(svg, x, y, BOX, box.height, box)
            ends.append((y, y + box.height))
        y += box.height + GAP
    return ends


def _draw(svg: Element, x: int, y: int, width: int, height: int, box: _Box) -> None:
    group = SubElement(svg, "g")
    SubElement(group, "title").text = "\n".join(box.lines)
    rectangle = {"x": str(x), "y": str(y), "width": str(width), "height": str(height), "rx": "4"}
    SubElement(group, "rect", {**rectangle, "fill": f"#{TINTS[box.tint]:06x}", "stroke": f"#{INK:06x}"})
    room = int((width - 2 * GAP) / PER_CHARACTER)
    for at, line in enumerate(box.lines):
        _text(group, x + GAP, y + LINE * (at + 1), line if len(line) <= room else line[: room - 1] + "…", bold=at == 0)


def _text(parent: Element, x: int, y: int, words: str, *, bold: bool = False) -> None:
    made = SubElement(parent, "text", {"x": str(x), "y": str(y), "fill": f"#{INK:06x}"})
    if bold:
        made.set("font-weight", "bold")
    made.text = words


def _line(svg: Element, x: tuple[int, int], y: tuple[int, int]) -> None:
    places = {"x1": str(x[0]), "x2": str(x[1]), "y1": str(y[0]), "y2": str(y[1])}
    SubElement(svg, "line", {**places, "stroke": f"#{INK:06x}"})
