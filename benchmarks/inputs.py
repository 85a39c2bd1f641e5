"""The captures that are measured: those of the tests, again and again, each time later, up to a number of frames."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import NamedTuple

from pywnv.capture import pcapng

ROOT = Path(__file__).resolve().parent.parent
HOMES = (ROOT / "tests/captures", ROOT.parent / "shared/lab")  # the first that has captures
SKIPPED = ("lso", "single-")  # frames up to 64 KB; one interface only

PACKET = 0x00000006  # the enhanced packet block
START = 1_700_000_000 * 10**9  # nanoseconds since 1970
PAUSE = 50_000_000  # between one capture and the next
SMALL = 128  # bytes on the wire that a frame of a small capture stays below


@dataclass(frozen=True)
class Capture:
    """A file to measure with: `name` is what the tables call it."""

    name: str
    frames: int
    path: Path


class _Frame(NamedTuple):
    time: int  # nanoseconds since the first frame of all
    start: bytes  # of its block, with the interface
    rest: bytes  # of its block, after the timestamp


@dataclass(frozen=True)
class _Round:
    """All captures, one after the other."""

    head: bytes  # section header and interfaces
    frames: list[_Frame]
    duration: int


def sources() -> list[Path]:
    for home in HOMES:
        if found := [path for path in sorted(home.glob("*.pcapng.gz")) if not path.name.startswith(SKIPPED)]:
            return found
    raise SystemExit(f"no captures to measure with: neither {HOMES[0]} nor {HOMES[1]} has *.pcapng.gz")


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        yield kind, data[at : at + size]
        at += size


def round_of(sources: list[Path], *, small: bool) -> _Round:
    head = b""
    numbers: dict[bytes | None, int] = {}  # of the interfaces, by name: in every capture the same four
    frames: list[_Frame] = []
    clock = 0
    for source in sources:
        names: list[bytes | None] = []
        found: list[tuple[int, int, bytes]] = []
        for kind, block in blocks(gzip.decompress(source.read_bytes())):
            if kind == pcapng.SECTION_HEADER:
                head = head or block
            elif kind == pcapng.INTERFACE:
                name = pcapng.read_interface(block[8:-4], "<").name
                names.append(name)
                if name not in numbers:
                    numbers[name] = len(numbers)
                    head += block
            elif kind == PACKET:
                interface, high, low, _, wire_size = struct.unpack_from("<5I", block, 8)
                if not small or wire_size < SMALL:
                    found.append((high << 32 | low, numbers[names[interface]], block))
        if found:
            times = [time for time, _, _ in found]  # which may run back between interfaces
            first, last = min(times), max(times)
            frames += (_Frame(clock + t - first, b[:8] + struct.pack("<I", n), b[20:]) for t, n, b in found)
            clock += last - first + PAUSE
    return _Round(head, frames, clock)


def _repeated(once: _Round) -> Iterator[bytes]:
    for turn in count():
        start = START + turn * once.duration
        for frame in once.frames:
            time = start + frame.time
            yield frame.start + struct.pack("<II", time >> 32, time & 0xFFFFFFFF) + frame.rest


def is_old(made: Path, *sources: Path) -> bool:
    """Whether a file is not there yet, or older than what it is made from."""
    return not made.exists() or made.stat().st_mtime < max(path.stat().st_mtime for path in sources)


def capture(folder: Path, frames: int, *, small: bool = False) -> Capture:
    """A capture in `folder`, made where it is not there yet or older than what it is made from."""
    kind = "small" if small else "mixed"
    made = Capture(kind, frames, folder / f"{kind}-{frames}.pcapng")
    found = sources()
    if is_old(made.path, *found, Path(__file__)):
        once = round_of(found, small=small)
        part = made.path.with_suffix(".part")
        with part.open("wb") as file:
            file.writelines(chain([once.head], islice(_repeated(once), frames)))
        part.replace(made.path)
    return made
