"""Turns the records of a log of `pktmon etl2txt` into the pktmon events that they were made from.

Labels are in the language of the host, so values are found by position; English labels help if some values were cut.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections import Counter
from functools import cache
from typing import NamedTuple

from pywnv.capture import pktmon_events as pktmon
from pywnv.capture.frames import escaped
from pywnv.capture.rebuild import Rebuilt, rebuilt
from pywnv.tables.drops import table

LONGEST = 8 * 1024  # characters of a record that are looked at

LABEL = r"[^\d,=]{1,60}\s"
NUMBER, WORD = LABEL + r"(\d{1,20})\s*", r"([^,=]{1,80})"
HEAD = rf"{NUMBER},{NUMBER},{NUMBER},{WORD},{WORD},{NUMBER},"
FLOW = re.compile(rf"{HEAD}{NUMBER},{NUMBER},{NUMBER},{LABEL}(\d{{1,20}})")
DROP = re.compile(
    rf"{HEAD}{NUMBER},(?:{NUMBER},)?(.{{1,300}}?),{LABEL}0x([0-9A-Fa-f]{{1,8}})\s*,{NUMBER},{LABEL}(\d{{1,20}})"
)
LABELLED = re.compile(
    r"\b(PktGroupId|PktNumber|Appearance|Component|Edge|Filter|OriginalSize|LoggedSize) (\d{1,20})\b|"
    r"\b(Direction|Type|DropReason|DropLocation) ([^,]{1,100}?) ?(?=,|$)"
)
COMPONENT = re.compile(rf"{LABEL}(\d{{1,5}})\s*,([^,=:]{{1,80}}),([^,=]{{1,200}}),?(.{{0,300}})")
PROPERTY = re.compile(rf"[^\d,=:]{{1,60}}:{LABEL}(\d{{1,5}})\s*,([^,=]{{1,80}})=(.{{0,300}})")
COUNTED = rf"[^,=]{{1,80}}=[^,=]{{1,40}},{NUMBER},{NUMBER}"
DROP_COUNTERS = re.compile(rf"[^\d,=:]{{1,60}}:{NUMBER},{COUNTED},{COUNTED}")
FLOW_COUNTERS = re.compile(rf"[^\d,=:]{{1,60}}:{NUMBER},([^,=]{{1,80}}),{NUMBER},{COUNTED},{COUNTED}")
# Who pastes by way of a table may have 1,500 or 1.500, and then such a group id; four parts may be an IPv4 address.
GROUPED_ID = re.compile(rf"{LABEL}\d{{1,3}}[.,]\d{{3}}")
GROUPED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d.,]?\d)|(?<=[^\W\d] )\d{1,3}(?:(?:\.\d{3}){1,2}|(?:\.\d{3}){4,})(?![.\d])"
)
DIRECTIONS = {name.lower(): number for number, name in pktmon.DIRECTIONS.items()}
TYPES = {"ethernet": pktmon.ETHERNET, "wifi": pktmon.WIFI, "ip": pktmon.IP, "http": 4}
COMPONENT_TYPES = {
    "ndis": 1,
    "miniport": 2,
    "filter": 3,
    "protocol": 4,
    "vmsvmnic": 5,
    "vmsminiport": 6,
    "vmsextminiport": 7,
    "vmsprotocolnic": 8,
    "netvsc miniport": 9,
    "http protocol": 10,
    "slbmux": 12,
    "ipsec": 13,
    "netcx": 14,
    "http message": 15,
}
PROPERTIES = {name.lower(): number for number, name in pktmon.PROPERTY_NAMES.items()}
MEDIA = {"ethernet": 0, "802.3": 0, "wireless wan": 9, "native 802.11": 16}


@cache
def _reasons() -> dict[str, int]:
    """Numbers of reasons by their texts; a text that several reasons share tells none of them."""
    told = [(text.lower(), each.number) for each in table().reasons for text in {each.text, *each.spellings}]
    times = Counter(text for text, _ in told)
    return {text: number for text, number in told if times[text] == 1}


class Told(NamedTuple):
    """An event of a log: its id, its data and its version, of which those of packets and of others are pktmon.TOLD."""

    id: int
    data: bytes
    version: int = 0


def packet(text: str, dump: bytes) -> Told | None:
    """The packet that a record tells of, by its text and by its bytes, where it was printed with them."""
    if GROUPED_ID.match(text):
        text = GROUPED.sub(lambda found: re.sub(r"[.,]", "", found[0]), text)
    head = _head(text)
    if head is None:
        return None
    kind = TYPES.get(_last_word(head.kind).lower(), 0)
    words: list[str] = []
    if dump:
        kind = kind or rebuilt(text[head.end :], kind, head.size).kind  # its word is not known
        is_ethernet = kind != pktmon.ETHERNET or len(dump) + 14 != head.logged
        body = Rebuilt(kind, dump, head.size) if is_ethernet else Rebuilt(pktmon.IP, dump, max(head.size - 14, 0))
    else:
        body = rebuilt(text[head.end :], kind, head.size)
        words = ["rebuilt=1"] if body.data else []
        words += [f"untold={','.join(body.untold)}"] if body.untold else []
    reason = 0
    if head.drop is not None:
        found = _reason(head.drop)
        reason = pktmon.UNKNOWN_REASON if found is None else found
        unknown = _without_label(head.drop) if found is None else ""
        words += [f"reason={escaped(unknown)}"] if unknown else []
    data = body.data
    if len(data) > 0xFFFF:
        return None
    prefix = pktmon.PREFIX.pack(
        head.group,
        head.number,
        head.appearance,
        DIRECTIONS.get(_last_word(head.way).lower(), 0),
        body.kind,
        head.component,
        head.edge,
        head.filter,
        reason,
        head.location,
        min(max(body.length, len(data)), 0xFFFF),
        len(data),
    )
    id_ = pktmon.FLOW if head.drop is None else pktmon.DROP_AGAIN if head.again else pktmon.DROP
    return Told(id_, prefix + data + " ".join(words).encode(), pktmon.TOLD)


def _reason(text: str) -> int | None:
    """The number of a reason, behind a label of one or more words; None if its words are not known."""
    words = text.lower().split()
    if words and words[-1].isdecimal() and len(words[-1]) < 8 and len(words) < 5:
        return int(words[-1])
    return next((found for at in range(5) if (found := _reasons().get(" ".join(words[at:]))) is not None), None)


class _Head(NamedTuple):
    """What the first line of a packet says; `drop` is None if it was not dropped, `end` is where the rest begins."""

    group: int
    number: int
    appearance: int
    way: str
    kind: str
    component: int
    edge: int
    filter: int
    size: int
    logged: int
    drop: str | None
    location: int
    again: bool
    end: int


def _head(text: str) -> _Head | None:
    reason: str | None
    if found := FLOW.match(text):
        group, number, appearance, way, kind, component, edge, filter_, size, logged = found.groups()
        reason, location = ("" if ":" in text[: found.start(1)] else None), "0"
    elif found := DROP.match(text):
        group, number, appearance, way, kind, component, first, second, reason, location, size, logged = found.groups()
        edge, filter_ = (first, second) if second else ("0", first)
    else:
        return _labelled(text) if "PktGroupId " in text[:60] else None
    return _checked(
        (group, number, appearance, component, edge, filter_, size, logged),
        (way, kind, reason),
        location,
        text[: found.start(1)].startswith("Duplicate"),
        found.end(),
    )


def _labelled(text: str) -> _Head | None:
    """The same of a line from which values were cut out, by English labels."""
    values: dict[str, str] = {}
    end = 0
    for each in LABELLED.finditer(text, 0, LONGEST // 8):
        name, value = (each[1], each[2]) if each[1] else (each[3], each[4])
        if name in values:
            break
        values[name], end = value, each.end()
    if not values.keys() >= {"PktGroupId", "OriginalSize"}:
        return None
    numbers = ("PktGroupId", "PktNumber", "Appearance", "Component", "Edge", "Filter", "OriginalSize", "LoggedSize")
    is_drop = "DropReason" in values or text.startswith(("Drop:", "Duplicate Drop:"))
    reason = f"DropReason {values.get('DropReason', '')}" if is_drop else None
    words = (values.get("Direction", ""), values.get("Type", ""), reason)
    location = values.get("DropLocation", "0").lower().removeprefix("0x")
    return _checked(tuple(values.get(key, "0") for key in numbers), words, location, text.startswith("Duplicate"), end)


def _checked(
    numbers: tuple[str, ...], words: tuple[str, str, str | None], location: str, again: bool, end: int
) -> _Head | None:
    """The values, where each is of the size that pktmon gives it."""
    try:
        group, number, appearance, component, edge, filter_, size, logged = map(int, numbers)
        where = int(location, 16)
    except ValueError:
        return None
    if group >= 1 << 64 or max(number, appearance, component, edge, filter_, size, logged) > 0xFFFF or where >= 1 << 32:
        return None
    way, kind, reason = words
    return _Head(
        group, number, appearance, way, kind, component, edge, filter_, size, logged, reason, where, again, end
    )


def _last_word(text: str) -> str:
    return next(iter(text.split()[-1:]), "")


def _without_label(text: str) -> str:
    return text.strip().partition(" ")[2].strip()


def rundown(text: str) -> Told | None:
    """What a line says of components: their names, properties and counters."""
    if found := DROP_COUNTERS.match(text):
        number, *counted = map(int, found.groups())
        data = struct.pack("<HHQQHQQ", min(number, 0xFFFF), 0, *_counts(counted[:2]), 0, *_counts(counted[2:]))
        return Told(pktmon.DROP_COUNTERS, data)
    if found := FLOW_COUNTERS.match(text):
        edge = min(int(found[3]), 0xFFFF)
        counted = [int(each) for each in found.groups()[3:]]
        data = struct.pack("<H", min(int(found[1]), 0xFFFF)) + _wide(_last_word(found[2]))
        data += struct.pack("<HHQQHQQ", edge, 0, *_counts(counted[:2]), 0, *_counts(counted[2:]))
        return Told(pktmon.FLOW_COUNTERS, data)
    if found := PROPERTY.match(text):
        return _property(min(int(found[1]), 0xFFFF), found[2], found[3].strip())
    if found := COMPONENT.match(text):
        kind = _suffix(found[2], COMPONENT_TYPES)
        name = _last_word(found[3])
        data = struct.pack("<HH", min(int(found[1]), 0xFFFF), kind) + _wide(name) + _wide(found[4].strip())
        return Told(pktmon.COMPONENT, data) if kind else None
    return None


def _counts(numbers: list[int]) -> list[int]:
    return [min(number, (1 << 64) - 1) for number in numbers]


def _wide(text: str) -> bytes:
    return text.replace("\0", "").encode("utf-16-le", "replace") + b"\0\0"


def _suffix(text: str, known: dict[str, int]) -> int:
    """The number of a name behind a label of one or more words; 0: the name is not known. A number is its own name."""
    words = text.lower().split()
    if words and words[-1].isdecimal() and len(words[-1]) < 5:
        return int(words[-1])
    return next((known[name] for at in range(len(words)) if (name := " ".join(words[at:])) in known), 0)


def _property(component: int, name: str, value: str) -> Told | None:
    kind = PROPERTIES.get("".join(name.split()).lower())
    if kind is None:
        return None
    head = struct.pack("<HH", component, kind)
    if kind == pktmon.PHYS_ADDRESS:
        digits = value.lower().removeprefix("0x").replace("-", "")
        if not re.fullmatch(r"(?:[0-9a-f]{2}){1,32}", digits):
            return None
        return Told(pktmon.BYTES, head + struct.pack("<I", len(digits) // 2) + bytes.fromhex(digits))
    if kind == pktmon.SWITCH_NAME:
        return Told(pktmon.TEXT, head + _wide(value))
    if kind == pktmon.IP_ADDRESS:
        try:
            address = ipaddress.ip_address(value).packed
        except ValueError:
            return None
        return Told(pktmon.IPV4 if len(address) == 4 else pktmon.IPV6, head + address)
    if kind in (pktmon.NDIS_MEDIUM, 7):
        number = MEDIA.get(value.lower()) if kind == pktmon.NDIS_MEDIUM else None
        return None if number is None else Told(pktmon.MEDIUM, head + struct.pack("<H", number))
    if value.isascii() and value.isdecimal() and int(value) < 1 << 32:
        return Told(pktmon.NUMBER, head + struct.pack("<I", int(value)))
    return None
