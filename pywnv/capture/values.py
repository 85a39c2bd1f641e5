"""Reads the values in the data of events, each by its type, and shows them as Windows does.

Source: TDH_IN_TYPE and TDH_OUT_TYPE in tdh.h of the Windows SDK, and its page on EVENT_PROPERTY_INFO.
"""

from __future__ import annotations

import ipaddress
import struct
import uuid
from datetime import UTC, datetime, timedelta

from pywnv.capture.etl import utf16

LONGEST_BINARY = 4096  # bytes that are shown of a value

NUMBERS = {3: "b", 4: "B", 5: "h", 6: "H", 7: "i", 8: "I", 9: "q", 10: "Q", 11: "f", 12: "d", 13: "I", 20: "I", 21: "Q"}
NUMBERS |= {306: "H", 307: "B"}
POINTERS = (16, 308)  # pointer, size_t
UNICODE, ANSI, BINARY, GUID, FILETIME, SYSTEMTIME, SID, HEX_DUMP = 1, 2, 14, 15, 17, 18, 19, 309
COUNTED = {22: 2, 23: 1, 25: 0, 300: 2, 301: 1, 302: 2, 303: 1}  # behind 16 bits of length: UTF-16, ANSI, binary
BIG_ENDIAN_COUNTED = (302, 303)
TO_THE_END = {304: 2, 305: 1}
BOOLEAN = 13
HEX_NUMBERS = (20, 21, 16)

SHOW_BOOLEAN, SHOW_HEX, SHOW_PORT, SHOW_IPV4, SHOW_IPV6 = (13,), (16, 17, 18, 19, 29, 30, 31, 32, 37), 22, 23, 24

Value = int | float | str | bytes


class UnknownTypeError(Exception):
    """A type that cannot be read, so that neither can what follows it."""


class Reader:
    """Takes the data of an event apart, never beyond its end.

    Args:
        data: of the event.
        wide: whether pointers have eight bytes.
        unit: bytes that a length of UTF-16 counts: 2, or 1.
    """

    def __init__(self, data: bytes, *, wide: bool, unit: int) -> None:
        self._data, self._at = data, 0
        self.wide, self.unit = wide, unit

    @property
    def left(self) -> int:
        """Bytes that have not been read."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            EOFError: there are fewer.
        """
        if size > self.left:
            raise EOFError
        self._at += size
        return self._data[self._at - size : self._at]

    def text(self, width: int) -> str:
        """Text up to its NUL, or to the end: UTF-16, or ANSI with a width of 1."""
        if width == 2:
            text, self._at = utf16(self._data, self._at)
            return text
        end = self._data.find(b"\0", self._at)
        part = self._data[self._at : end if end >= 0 else len(self._data)]
        self._at = end + 1 if end >= 0 else len(self._data)
        return ansi(part)


def ansi(data: bytes) -> str:
    """Text in 8-bit characters: UTF-8 if it is valid, else Latin-1, as traces do not name their code page."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _decode(data: bytes, width: int) -> str | bytes:
    if width == 2:
        return data[: len(data) & ~1].decode("utf-16-le", "replace").split("\0", 1)[0]
    return ansi(data).split("\0", 1)[0] if width else data


def read_value(reader: Reader, in_type: int, length: int | None, out_type: int = 0) -> Value:
    """The next value.

    Args:
        reader: at the value.
        in_type: TDH_IN_TYPE.
        length: as the event's description has it: characters of a text, bytes of others; None: it says itself.
        out_type: TDH_OUT_TYPE.

    Raises:
        EOFError: the data ends within it.
        UnknownTypeError: the type is not known here.
    """
    if in_type in NUMBERS:
        form = "<" + NUMBERS[in_type]
        number: int | float
        (number,) = struct.unpack(form, reader.take(struct.calcsize(form)))
        return number
    if in_type in POINTERS:
        return int.from_bytes(reader.take(8 if reader.wide else 4), "little")
    if in_type in (UNICODE, ANSI):
        width = 2 if in_type == UNICODE else 1
        if length is None:
            return reader.text(width)
        return _decode(reader.take(length * (reader.unit if width == 2 else 1)), width)
    if in_type == BINARY and length is None and out_type == SHOW_IPV6:
        length = 16
    if in_type in (BINARY, HEX_DUMP):
        if in_type == HEX_DUMP and length is None:
            length = int.from_bytes(reader.take(4), "little")
        return reader.take(reader.left if length is None else length)
    if in_type in COUNTED:
        size = int.from_bytes(reader.take(2), "big" if in_type in BIG_ENDIAN_COUNTED else "little")
        return _decode(reader.take(size), COUNTED[in_type])
    if in_type in TO_THE_END:
        return _decode(reader.take(reader.left), TO_THE_END[in_type])
    if in_type == GUID:
        return f"{{{str(uuid.UUID(bytes_le=reader.take(16))).upper()}}}"
    if in_type == FILETIME:
        return _time(int.from_bytes(reader.take(8), "little"))
    if in_type == SYSTEMTIME:
        year, month, _, day, hour, minute, second, milli = struct.unpack("<8H", reader.take(16))
        return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}"
    if in_type == SID:
        return _sid(reader)
    raise UnknownTypeError


def _time(ticks: int) -> str:
    try:
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return str(ticks)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ticks % 10**7:07}Z"


def _sid(reader: Reader) -> str:
    revision, count = reader.take(2)
    authority = int.from_bytes(reader.take(6), "big")
    parts = struct.unpack(f"<{count}I", reader.take(4 * count))
    return "-".join(map(str, ("S", revision, authority, *parts)))


def show(value: Value, in_type: int, out_type: int) -> str:
    """A value as Windows shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        if out_type == SHOW_IPV6 and len(value) == 16:
            return str(ipaddress.IPv6Address(value))
        return "0x" + value[:LONGEST_BINARY].hex().upper() if value else ""
    if isinstance(value, float):
        return repr(value)
    if in_type == BOOLEAN or out_type in SHOW_BOOLEAN:
        return "true" if value else "false"
    if out_type == SHOW_IPV4:
        return str(ipaddress.IPv4Address(value.to_bytes(4, "little"))) if 0 <= value < 2**32 else str(value)
    if out_type == SHOW_PORT:
        return str((value & 0xFF) << 8 | value >> 8) if 0 <= value < 2**16 else str(value)
    if out_type in SHOW_HEX or (in_type in HEX_NUMBERS and out_type != 8):
        return f"0x{value:X}"
    return str(value)
