"""The captures that `pywnv join` is measured with: a host and its guest, whose clock is 0.8 s ahead and drifts."""

from __future__ import annotations

import struct
from itertools import count
from pathlib import Path

import inputs

from pywnv.capture import pcapng

AT_HOST = (b"pnic", b"team")
AHEAD, DRIFT = 800_000_000, 50_000  # nanoseconds; a nanosecond in so many: 20 ppm
ENDS = {b"\x08\x00": (15, 19), b"\x86\xdd": (12, 28)}  # by EtherType: of both addresses two bytes, from that on
VLAN = b"\x81\x00"


def _of_other_hosts(frame: bytes, turn: int) -> bytes:
    """The same frame between other addresses, or else each turn would send the same again."""
    at = 12
    while frame[at : at + 2] == VLAN:
        at += 4
    for end in () if frame[0] & 1 else ENDS.get(frame[at : at + 2], ()):
        if len(frame) > at + end + 1:
            number = struct.unpack_from(">H", frame, at + end)[0] + turn & 0xFFFF
            frame = frame[: at + end] + struct.pack(">H", number) + frame[at + end + 2 :]
    return frame


def captures(folder: Path, frames: int, *, small: bool) -> list[inputs.Capture]:
    """Two captures in `folder` with so many frames in all, made where `inputs.is_old` says so."""
    kind = "small" if small else "mixed"
    made = [inputs.Capture(kind, frames, folder / f"{kind}-{name}-{frames}.pcapng") for name in ("host", "guest")]
    sources = inputs.sources()
    if not any(inputs.is_old(one.path, *sources, Path(inputs.__file__), Path(__file__)) for one in made):
        return made
    once = inputs.round_of(sources, small=small)
    heads, places = [b"", b""], list[tuple[int, int]]()
    for block_kind, block in inputs.blocks(once.head):
        if block_kind == pcapng.INTERFACE:
            who = 0 if (pcapng.read_interface(block[8:-4], "<").name or b"").startswith(AT_HOST) else 1
            places.append((who, sum(other == who for other, _ in places)))
            heads[who] += block
        else:
            heads = [head + block for head in heads]
    parts = [one.path.with_suffix(".part") for one in made]
    with parts[0].open("wb") as host, parts[1].open("wb") as guest:
        files, done = (host, guest), 0
        for file, head in zip(files, heads, strict=True):
            file.write(head)
        for turn in count():
            for frame in once.frames[: frames - done]:
                who, interface = places[struct.unpack_from("<I", frame.start, 8)[0]]
                time = inputs.START + turn * once.duration + frame.time
                time += who * (AHEAD + (time - inputs.START) // DRIFT)
                head = frame.start[:8] + struct.pack("<III", interface, time >> 32, time & 0xFFFFFFFF)
                files[who].write(head + frame.rest[:8] + _of_other_hosts(frame.rest[8:], turn))
            done += len(once.frames)
            if done >= frames:
                break
    for part, one in zip(parts, made, strict=True):
        part.replace(one.path)
    return made
