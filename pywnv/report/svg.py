"""Drawings: elements made one by one, so that every text is text; colours as classes, so that the page decides them."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET  # what is parsed here, we have made

from markupsafe import Markup

from pywnv.report.text import clean

NAMESPACE = "http://www.w3.org/2000/svg"
# Of a letter's size, its width in the widest of the page's fonts, bold.
NARROW, LETTER, WIDE = 0.4, 0.64, 0.76
NARROW_ONES, WIDE_ONES = frozenset("fijlrtI .,:;'|!()[]{}/-"), frozenset("mwABCDEFGHKMNOPQRSTUVWXYZ@%&…✕")
BREAK = re.compile(r"(?<=[ _-])")  # where a name may go on in the next line
# Attributes of vega's elements that a picture needs.
KEPT = frozenset(
    (
        *("d", "height", "opacity", "transform", "width", "x", "x1", "x2", "y", "y1", "y2"),
        *("fill", "fill-opacity", "font-size", "font-weight", "text-anchor"),
        *("stroke", "stroke-dasharray", "stroke-linecap", "stroke-miterlimit", "stroke-opacity", "stroke-width"),
    )
)


def element(tag: str, parent: ET.Element | None = None, text: str | None = None, **attributes: object) -> ET.Element:
    """An element; `class_` is its class, and _ in a name stands for -."""
    written = {
        key.rstrip("_").replace("_", "-"): f"{value:.2f}".rstrip("0").rstrip(".")
        if isinstance(value, float)
        else f"{value}"
        for key, value in attributes.items()
        if value is not None
    }
    made = ET.Element(tag, written) if parent is None else ET.SubElement(parent, tag, written)
    if text is not None:
        made.text = clean(text)
    return made


def drawing(width: float, height: float, label: str, class_: str = "drawing") -> ET.Element:
    """An empty drawing.

    Args:
        width: in pixels.
        height: likewise; the page may scale both.
        label: what it shows, for those who cannot see it.
        class_: of the drawing.
    """
    return element(
        "svg",
        xmlns=NAMESPACE,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        aria_label=clean(label, 1000),
        class_=class_,
    )


def markup(drawn: ET.Element) -> Markup:
    """A drawing as a page takes it."""
    return Markup(ET.tostring(drawn, "unicode", short_empty_elements=True))  # noqa: S704 - every text in it was escaped


def width_of(text: str, size: float) -> float:
    """About how wide a text is, rather too much than too little."""
    return size * sum(NARROW if one in NARROW_ONES else WIDE if one in WIDE_ONES else LETTER for one in text)


def fitted(text: str, width: float, size: float) -> str:
    """As much of a text as fits."""
    text = clean(text)
    if width_of(text, size) <= width:
        return text
    while len(text) > 1 and width_of(f"{text}…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def lines(text: str, width: float, size: float, most: int) -> list[str]:
    """A name in as few lines as it needs, of about the same length; at most this many."""
    parts = BREAK.split(clean(text))
    rows = _filled(parts, width, size, most)
    for narrower in range(int(width), 0, -4):
        tried = _filled(parts, narrower, size, most + 1)
        if len(tried) > len(rows) or any(width_of(row, size) > width for row in tried):
            break
        rows = tried
    return [fitted(row, width, size) for row in rows]


def _filled(parts: list[str], width: float, size: float, most: int) -> list[str]:
    rows = [""]
    for part in parts:
        if rows[-1] and len(rows) < most and width_of((rows[-1] + part).rstrip(), size) > width:
            rows.append(part)
        else:
            rows[-1] += part
    return [row.rstrip() for row in rows]


def adopted(source: str, classes: dict[str, str], label: str) -> Markup:
    """A chart that vega has drawn, as part of a page.

    Args:
        source: the SVG.
        classes: of colours, by the colour that stands for each.
        label: what it shows.
    """
    root = ET.fromstring(source)  # noqa: S314 - vega's own, of numbers
    _, _, width, height = root.get("viewBox", "0 0 0 0").split()
    made = drawing(float(width), float(height), label, "chart")
    made.extend(_adopted(child, classes) for child in root)
    return markup(made)


def _adopted(old: ET.Element, classes: dict[str, str]) -> ET.Element:
    """The same element; its colours are classes, and what a picture does not need is left out."""
    new = ET.Element(old.tag.partition("}")[2])
    colours = [f"{key}-{classes[old.attrib[key]]}" for key in ("fill", "stroke") if old.get(key) in classes]
    if colours:
        new.set("class", " ".join(colours))
    for key, value in old.attrib.items():
        if key in KEPT and value not in classes:
            new.set(key, value)
    new.text = old.text
    # Vega wraps marks in groups that hold nothing else, and draws what is not there.
    new.extend(
        _adopted(child, classes) for child in old if child.get("display") != "none" and child.get("d") != "M0,0h0v0h0Z"
    )
    return new
