"""Reads what Export-Clixml wrote, as Get-SDDCDiagnosticInfo keeps what cmdlets returned."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, iterparse

from pywnv.host.rows import WrongValueError

DEEPEST = 12  # objects in objects; Export-Clixml goes two deep unless told otherwise
SPACE = "{http://schemas.microsoft.com/powershell/2004/04}"
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
NUMBERS = {"I16", "I32", "I64", "U16", "U32", "U64", "By", "SB"}
LISTS = {"LST", "IE", "QUE", "STK"}


def objects(data: bytes) -> Iterator[object]:
    """The objects in a file; each a dict of its properties, or a plain value.

    Raises:
        WrongValueError: this is not CliXml; the message names the place.
    """
    if b"<!DOCTYPE" in data or "<!DOCTYPE".encode("utf-16-le") in data:
        raise WrongValueError("has a DOCTYPE, which CliXml never has")
    depth = 0
    try:
        for event, element in iterparse(io.BytesIO(data), ("start", "end")):  # noqa: S314 - there are no entities
            depth += 1 if event == "start" else -1
            if depth == 1 and event == "start" and element.tag != f"{SPACE}Objs":
                raise WrongValueError("is not CliXml: the output of Export-Clixml begins with Objs")
            if depth == 1 and event == "end":
                yield _value(element, 0)
                element.clear()
    except ParseError as error:
        line, column = error.position
        raise WrongValueError(f"is not valid XML: broken at line {line}, column {column + 1}") from None
    except (LookupError, ValueError) as error:
        if isinstance(error, WrongValueError):
            raise
        raise WrongValueError("is not XML in an encoding that pywnv knows") from None


def _text(element: Element) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), element.text or "")


def _value(element: Element, depth: int) -> object:
    kind = element.tag.removeprefix(SPACE)
    if kind == "Obj":
        return _object(element, depth + 1) if depth < DEEPEST else None
    if kind == "B":
        return (element.text or "").strip().lower() == "true"
    if kind in NUMBERS and re.fullmatch(r"-?\d{1,20}", (element.text or "").strip()):
        return int((element.text or "").strip())
    return None if kind in ("Nil", "Ref") else _text(element)


def _object(element: Element, depth: int) -> object:
    properties: dict[str, object] = {}
    plain: list[object] = []
    for part in element:
        kind = part.tag.removeprefix(SPACE)
        if kind in ("Props", "MS"):
            for each in part:
                name = each.get("N")
                if name and (value := _value(each, depth)) is not None:
                    properties.setdefault(name, value)
        elif kind in LISTS:
            return [_value(each, depth) for each in part]
        elif kind == "DCT":
            properties.update(_entries(part, depth))
        elif kind not in ("TN", "TNRef", "ToString"):
            plain.append(_value(part, depth))
    if plain:  # an enum, or a value with properties added; the name says more than the number
        named = element.find(f"{SPACE}ToString")
        return _text(named) if named is not None and isinstance(plain[0], int) else plain[0]
    return properties


def _entries(part: Element, depth: int) -> Iterator[tuple[str, object]]:
    for entry in part:
        found = {each.get("N"): _value(each, depth) for each in entry}
        if isinstance(found.get("Key"), str):
            yield str(found["Key"]), found.get("Value")
