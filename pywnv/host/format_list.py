"""Reads what Format-List printed: Get-NetView and WSL's logs keep what cmdlets returned as such text."""

from __future__ import annotations

import re
from collections.abc import Iterator

PROPERTY = re.compile(r"([A-Za-z_]\w*) *: ?(.*)")
RULER = re.compile(r" *-+( +-+)* *")
CUT = ("...", "…")


def objects(text: str) -> list[dict[str, object]]:
    """The objects in a text; those of tables where nothing was to be listed.

    Commands, tables and errors around them are skipped. A list is cut after four items; such an item is left out.
    """
    listed = list(_listed(text))
    return listed if listed or "Format-List" in text else list(_tabled(text))


def _listed(text: str) -> Iterator[dict[str, object]]:
    found: dict[str, str] = {}
    last, width = "", 0
    for line in [*text.splitlines(), ""]:
        match = PROPERTY.fullmatch(line.rstrip())
        colon = line.find(" :")
        if match and colon >= 0 and (not found or colon == width):
            last, width = match[1], colon
            found[last] = match[2].strip()
        elif found and line.strip() and line[: width + 2].isspace():  # the value goes on
            found[last] += line.strip()
        elif found:
            if len(found) > 1:
                yield {name: _value(value) for name, value in found.items()}
            found = {}


def _value(text: str) -> object:
    if not (text.startswith("{") and text.endswith("}")) or re.fullmatch(r"\{[0-9a-fA-F-]{36}\}", text):
        return text or None
    items = [item.strip() for item in text[1:-1].split(",")]
    whole = [item.removesuffix("...").removesuffix("…") for item in items if item not in CUT]
    return [item for item in whole if item]


def _tabled(text: str) -> Iterator[dict[str, object]]:
    names: list[tuple[str, int, int | None]] = []
    before = ""
    for line in text.splitlines():
        if RULER.fullmatch(line) and before.strip():
            starts = [match.start() for match in re.finditer(r"-+", line)]
            ends: list[int | None] = [*starts[1:], None]
            names = [(before[a:b].strip(), a, b) for a, b in zip(starts, ends, strict=True)]
        elif names and line.strip():
            row: dict[str, object] = {name: value for name, a, b in names if name and (value := line[a:b].strip())}
            yield {name: value for name, value in row.items() if not str(value).endswith(CUT)}
        else:
            names = []
        before = line
