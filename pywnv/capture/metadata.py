"""Decodes the events of a trace, with the descriptions of events and values that the trace itself contains.

Windows puts them there when a trace is stopped: records of the provider EventMetadata, of type 32 (TRACE_EVENT_INFO)
and 33 (a provider's GUID and EVENT_MAP_INFO). Everything goes by event id and position; texts are in the language of
the host. Source: tdh.h of the Windows SDK.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from functools import lru_cache

from pywnv.capture.etl import Event, utf16
from pywnv.capture.values import Reader, UnknownTypeError, read_value, show

PROVIDER = uuid.UUID("bbccf6c1-6cd1-48c4-80ff-839482e37671").bytes_le
EVENT_INFO, MAP_INFO = 32, 33  # types of its records

INFO = struct.Struct("<16s16sHBBBBHQ16I")  # TRACE_EVENT_INFO up to its properties
PROPERTY = struct.Struct("<IIHHIHHI")
PROPERTY_SIZE = 24
IS_STRUCT, LENGTH_ELSEWHERE, COUNT_ELSEWHERE = 0x1, 0x2, 0x4
BITMAP = 0x2  # of a map: values are bits

MOST_DESCRIPTIONS = 20_000  # of events, and of maps; a host has some thousands
MOST_PROPERTIES = 512  # of an event; ETW allows 128
MOST_ENTRIES = 4096  # of a map
MOST_VALUES = 4096  # of one event
DEEPEST = 4  # structures within structures; Windows allows one


@dataclass(frozen=True)
class Property:
    """How a value of an event is held.

    Attributes:
        name: of the value.
        flags: PropertyStruct and the like.
        in_type: TDH_IN_TYPE; for a structure the number of its first member.
        out_type: TDH_OUT_TYPE; for a structure how many members it has.
        map: name of the map that its numbers stand for; "" without.
        count: how many values there are, or the number of the property that says so.
        length: of the value, or the number of the property that says so.
    """

    name: str
    flags: int
    in_type: int
    out_type: int
    map: str
    count: int
    length: int


@dataclass(frozen=True)
class Description:
    """What an event is.

    Attributes:
        provider: its name.
        message: the text of the event, with %1 ... for its values; "" where it has none.
        properties: all of them, members of structures too.
        top: how many of them are no members.
    """

    provider: str
    message: str
    properties: tuple[Property, ...]
    top: int


@dataclass(frozen=True)
class Told:
    """What an event tells.

    Attributes:
        provider: its name.
        message: its text, values in their places.
        values: (name, value as text), as far as they could be read.
        whole: whether they are all of the event's data.
    """

    provider: str
    message: str
    values: tuple[tuple[str, str], ...]
    whole: bool


def _text(data: bytes, at: int) -> str:
    return utf16(data, at)[0] if 0 < at < len(data) else ""


@lru_cache(1024)
def _describe(data: bytes) -> Description | None:
    """Reads a TRACE_EVENT_INFO; None if it is not one."""
    if len(data) < INFO.size:
        return None
    numbers = INFO.unpack_from(data)[9:]
    provider, message, total, top = numbers[1], numbers[7], numbers[13], numbers[14]
    if not top <= total <= MOST_PROPERTIES or INFO.size + total * PROPERTY_SIZE > len(data):
        return None
    properties = []
    for at in range(INFO.size, INFO.size + total * PROPERTY_SIZE, PROPERTY_SIZE):
        flags, name, in_type, out_type, map_at, count, length, _ = PROPERTY.unpack_from(data, at)
        map_name = "" if flags & IS_STRUCT else _text(data, map_at)
        properties.append(Property(_text(data, name), flags, in_type, out_type, map_name, count, length))
    return Description(_text(data, provider).strip(), _text(data, message), tuple(properties), top)


@lru_cache(1024)
def _map_entries(data: bytes) -> tuple[bool, dict[int, str]]:
    """Reads an EVENT_MAP_INFO: whether its values are bits, and what they stand for."""
    _, flags, count, _ = struct.unpack_from("<IIII", data)
    entries = {}
    for number in range(min(count, MOST_ENTRIES)):
        at = 16 + 8 * number
        if at + 8 > len(data):
            break
        text, value = struct.unpack_from("<II", data, at)
        entries[value] = _text(data, text).strip()
    return bool(flags & BITMAP), entries


class Metadata:
    """The descriptions that a trace carries."""

    def __init__(self) -> None:
        self._events: dict[tuple[bytes, int, int], bytes] = {}
        self._maps: dict[tuple[bytes, str], bytes] = {}

    def take(self, event: Event) -> bool:
        """Remembers what an event describes; false if it describes nothing."""
        if event.provider != PROVIDER or not event.classic:
            return False
        data = event.data
        if event.opcode == EVENT_INFO and len(data) >= INFO.size and len(self._events) < MOST_DESCRIPTIONS:
            id_, version = struct.unpack_from("<HB", data, 32)
            self._events.setdefault((data[:16], id_, version), data)
        elif event.opcode == MAP_INFO and len(data) >= 32 and len(self._maps) < MOST_DESCRIPTIONS:
            name = _text(data[16:], int.from_bytes(data[16:20], "little"))
            self._maps.setdefault((data[:16], name), data[16:])
        return True

    def describe(self, provider: bytes, id_: int, version: int) -> Description | None:
        """What an event is; None if the trace does not say."""
        data = self._events.get((provider, id_, version))
        return _describe(data) if data else None

    def map_text(self, provider: bytes, name: str, value: int) -> str | None:
        """What a number stands for; None if the trace does not say."""
        data = self._maps.get((provider, name))
        if data is None:
            return None
        is_bitmap, entries = _map_entries(data)
        if not is_bitmap:
            return entries.get(value)
        named = [text for bit, text in entries.items() if bit and value & bit == bit]
        return "|".join(named) if named else entries.get(0, "0") if value == 0 else None

    def tell(self, event: Event) -> Told | None:
        """What an event tells; None if the trace does not describe it."""
        description = self.describe(event.provider, event.id, event.version)
        if description is None:
            return None
        # Lengths of texts count characters, says tdh.h; providers that count bytes are known. What fits is right.
        decoder = _Decoder(self, event, description)
        values, whole = decoder.values(unit=2)
        if not whole and any(prop.flags & LENGTH_ELSEWHERE and prop.in_type == 1 for prop in description.properties):
            other, fits = decoder.values(unit=1)
            if fits:
                values, whole = other, True
        message = fill(description.message, [text for _, text in values])
        return Told(description.provider, message, tuple(values), whole)


class _Decoder:
    """Reads the values of one event."""

    def __init__(self, metadata: Metadata, event: Event, description: Description) -> None:
        self._metadata, self._event, self._description = metadata, event, description

    def values(self, unit: int) -> tuple[list[tuple[str, str]], bool]:
        """The values in order, and whether they are all of the data; a text's characters have `unit` bytes."""
        self._reader = Reader(self._event.data, wide=self._event.wide, unit=unit)
        self._numbers: dict[int, int] = {}
        self._left = MOST_VALUES
        found: list[tuple[str, str]] = []
        for number in range(self._description.top):
            try:
                text = self._property(number, 0)
            except (EOFError, UnknownTypeError):
                return found, False
            found.append((self._description.properties[number].name, text))
        return found, self._reader.left == 0

    def _elsewhere(self, number: int) -> int:
        if number not in self._numbers:
            raise EOFError  # a number that was not read before cannot say how much follows
        return self._numbers[number]

    def _property(self, number: int, depth: int) -> str:
        prop = self._description.properties[number]
        has_count = prop.flags & COUNT_ELSEWHERE
        count = self._elsewhere(prop.count) if has_count else max(prop.count, 1)
        if count > self._left:
            raise EOFError
        self._left -= count
        texts = [self._one(number, prop, depth) for _ in range(count)]
        return texts[0] if len(texts) == 1 and not has_count else "; ".join(texts)

    def _one(self, number: int, prop: Property, depth: int) -> str:
        if prop.flags & IS_STRUCT:
            members = range(prop.in_type, prop.in_type + prop.out_type)
            if depth >= DEEPEST or members.stop > len(self._description.properties):
                raise UnknownTypeError
            return ", ".join(self._property(member, depth + 1) for member in members)
        length: int | None = prop.length or None
        if prop.flags & LENGTH_ELSEWHERE:
            length = self._elsewhere(prop.length)
        value = read_value(self._reader, prop.in_type, length, prop.out_type)
        if isinstance(value, int):
            self._numbers[number] = value
            if prop.map:
                text = self._metadata.map_text(self._event.provider, prop.map, value)
                if text is not None:
                    return text
        return show(value, prop.in_type, prop.out_type)


def fill(message: str, values: list[str]) -> str:
    """A message with its values: %1 or %1!s! for the first, %% for a percent sign; %n and %t become blanks.

    A value that is not there leaves its %n, as Windows does.
    """
    parts, at = [], 0
    while (mark := message.find("%", at)) >= 0 and mark + 1 < len(message):
        parts.append(message[at:mark])
        sign = message[mark + 1]
        at = mark + 2
        if "1" <= sign <= "9":
            while at < len(message) and at < mark + 3 and "0" <= message[at] <= "9":
                at += 1
            number = int(message[mark + 1 : at])
            parts.append(values[number - 1] if number <= len(values) else message[mark:at])
            stop = message.find("!", at + 1) if message[at : at + 1] == "!" else -1
            if 0 < stop <= at + 8:
                at = stop + 1
        elif sign == "%":
            parts.append("%")
        elif sign in "ntr0":
            parts.append("" if sign == "0" else " ")
        else:
            parts.append(message[mark:at])
    parts.append(message[at:])
    return "".join(parts)
