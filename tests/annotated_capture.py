"""Reads an annotated pcapng, and undoes what pywnv did to it, in a way of its own."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pcapng_blocks as ng

COMMENT, PACKET_ID = 1, 5
JOURNAL = 9
PART = re.compile(r' ([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^" ]+))')
OWN = re.compile(r"(?s)[^\n]+ \(wnv( frame=.*)\)")
TOOL_ID = re.compile(rb" packet_id=([0-9a-f]{16})\)$")
ENTRY = re.compile(rb"(?:PYWNV=[^\n\0]*\)[ ]*\n|\nPYWNV=[^\n\0]*\)[ ]*)(?=(?:\0.{0,3}|\0*)\Z)", re.DOTALL)


def ordered_blocks(capture: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Byte order, type and bytes of every block."""
    at, order = 0, "<"
    while at < len(capture):
        if capture[at : at + 4] == b"\n\r\r\n":
            order = "<" if capture[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, length = struct.unpack_from(order + "II", capture, at)
        assert capture[at + length - 4 : at + length] == capture[at + 4 : at + 8]
        yield order, kind, capture[at : at + length]
        at += length
    assert at == len(capture)


def options_of(order: str, block: bytes) -> int:
    """Where the options of a packet block start."""
    captured, _ = struct.unpack_from(order + "II", block, 20)
    return 28 + (captured + 3 & ~3)


def options(order: str, data: bytes) -> list[tuple[int, bytes, int]]:
    """Code, value and end of each option."""
    at, found = 0, []
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if code == 0 or at + 4 + size > len(data):
            break
        value = data[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)
        found.append((code, value, at))
    return found


def restored(capture: bytes) -> bytes:
    """A capture that pywnv annotated, as it was before."""
    found = []
    for order, kind, block in ordered_blocks(capture):
        start = options_of(order, block) if kind == ng.PACKET else 0
        added = options(order, block[start:-4])[:2] if start else []
        cut, tool_id = 0, None
        if kind == JOURNAL:
            block = ng.raw_block(kind, ENTRY.sub(b"", block[8:-4]), order)
        if added and added[0][0] == COMMENT and OWN.fullmatch(added[0][1].decode(errors="replace")):
            tool_id = TOOL_ID.search(added[0][1])
            own_id = b" verdict=event" not in added[0][1] and not tool_id
            cut = added[own_id][2]
            assert not own_id or added[1][0] == PACKET_ID
        if cut:
            rest = block[start + cut : -4]
            if tool_id:
                end = next(end for code, _, end in options(order, rest) if code == PACKET_ID)
                rest = rest[: end - 8] + struct.pack(order + "Q", int(tool_id[1], 16)) + rest[end:]
            if rest.startswith(b"\0\0"):
                rest = rest[4:]
            block = ng.raw_block(kind, block[8:start] + rest, order)
        found.append(block)
    return b"".join(found)


def comments(capture: bytes) -> list[tuple[str | None, int | None]]:
    """pywnv's comment, and the packet id, of every packet block."""
    found = []
    for order, kind, block in ordered_blocks(capture):
        if kind == ng.PACKET:
            values = options(order, block[options_of(order, block) : -4])
            texts = [value.decode(errors="replace") for code, value, _ in values if code == COMMENT]
            own = [value for value in texts if OWN.fullmatch(value)]
            ids = [struct.unpack(order + "Q", value)[0] for code, value, _ in values if code == PACKET_ID]
            assert len(own) <= 1
            found.append((own[0] if own else None, ids[0] if ids else None))
    return found


def parts(comment: str) -> dict[str, str]:
    """What a comment says, by key."""
    own = OWN.fullmatch(comment)
    assert own
    assert PART.sub("", own[1]) == ""
    found = PART.findall(own[1])
    return {key: re.sub(r"\\(.)", r"\1", quoted) or plain for key, quoted, plain in found}
