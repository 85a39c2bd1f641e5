"""The first pass over the captures of an observer: its interfaces, and a sample of its packets."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pywnv.capture import pcapng
from pywnv.capture.links import KIND_OF_LINKTYPE, UNKNOWN
from pywnv.capture.pcapng import Interface
from pywnv.capture.source import Capture, open_to_join, told_in_total
from pywnv.errors import CaptureError

if TYPE_CHECKING:
    from pywnv.join.lua import JoinLua

MOST_INTERFACES = 65536  # of all observers; only a capture made to defeat us has more
LARGE = 1600  # bytes of a packet: few are larger
SAMPLED = struct.Struct("<IIIBIIIB?B")
NANO = 10**9


class Sighting(NamedTuple):
    """When an observer saw a packet, with one TTL.

    Attributes:
        ttl: or hop limit.
        first, last: nanoseconds since 1970, by the observer's clock.
        first_number, last_number: which of its packets these are.
        is_again: an interface showed it several times.
    """

    ttl: int
    first: int
    last: int
    first_number: int
    last_number: int
    is_again: bool


@dataclass
class Place:
    """An interface as an observer's file describes it.

    Attributes:
        body: of its block, in the byte order of the file; of a classic pcap one that is made for it.
        interface: what that says.
        numbered: whether the file numbers its interfaces: a classic pcap does not.
    """

    body: bytes
    interface: Interface
    numbered: bool


@dataclass
class Scan:
    """What is known of an observer after the first pass.

    Attributes:
        name: of the observer.
        places: its interfaces, in the order in which they are found.
        sections: options of its section headers, as their blocks hold them; equal ones once.
        orders: byte orders of its pcapng files, "<" and ">".
        packets: how many it captured.
        sample: by the engine's key of a packet, its sightings.
        groups: the same of what goes to a group.
        base: nanoseconds since 1970 of its first packet that has a time; 0 if there is none.
        latest: the same of its latest packet in the sample.
        back: the packets that are earlier than the one before, and by how many seconds.
        is_annotated: whether pywnv has annotated it.
    """

    name: str
    places: list[Place] = field(default_factory=list)
    sections: list[bytes] = field(default_factory=list)
    orders: set[str] = field(default_factory=set)
    packets: int = 0
    sample: dict[bytes, list[Sighting]] = field(default_factory=dict)
    groups: dict[bytes, list[Sighting]] = field(default_factory=dict)
    base: int = 0
    latest: int = 0
    back: list[tuple[int, float]] = field(default_factory=list)
    is_annotated: bool = False


class Interfaces:
    """Numbers the interfaces of an observer: the same for equal ones in the sections and files of a series."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._numbers: dict[tuple[bytes, int], int] = {}
        self._seen: dict[bytes, int] = {}  # in this section, how often

    def begin_section(self) -> None:
        """Its interfaces are counted anew."""
        self._seen.clear()

    def number(self, place: Place) -> int:
        """The number of an interface, from 0."""
        nth = self._seen[place.body] = self._seen.get(place.body, -1) + 1
        key = (place.body, nth)
        if key not in self._numbers:
            if len(self.places) >= MOST_INTERFACES:
                raise CaptureError(f"more than {MOST_INTERFACES} interfaces")
            self._numbers[key] = len(self.places)
            self.places.append(place)
        return self._numbers[key]


class Reader:
    """Feeds the files of an observer to a cursor, and tells it which interfaces they have.

    Args:
        lua: that the cursor runs in.
        offset: what is added to the numbers of interfaces.
        order: of bytes, in which the interface of a classic pcap is described.
    """

    def __init__(self, lua: JoinLua, *, offset: int = 0, order: str = "<") -> None:
        self.interfaces = Interfaces()
        self.sections: list[bytes] = []
        self.orders: set[str] = set()
        self.cursor = lua.cursor(self._block)
        self._lua, self._piece = lua, b""
        self._offset, self._made_order, self._order = offset, order, "<"

    def start(self, capture: Capture) -> None:
        """Begins with a file."""
        self.interfaces.begin_section()
        pcap = capture.pcap
        if pcap is None:
            self.cursor[b"start"](self.cursor)
            return
        self.cursor[b"start"](self.cursor, pcap.order == ">")
        body = pcapng.interface_of(pcap, self._made_order, capture.path)
        self._add(Place(body, pcapng.read_interface(body, self._made_order), numbered=False))

    def feed(self, piece: bytes) -> None:
        """Feeds what is left and the next piece of a file, as one."""
        self._piece = piece  # is kept, as the cursor reads it where it stands
        self._lua.feed(self.cursor, piece)

    def _add(self, place: Place) -> None:
        of = place.interface
        kind = KIND_OF_LINKTYPE.get(of.linktype, UNKNOWN).encode()
        number = self._offset + self.interfaces.number(place)
        self.cursor[b"add_interface"](self.cursor, kind, of.units, of.offset, of.snap, number)

    def _block(self, kind: int, body: bytes) -> bytes | None:
        """Takes a block that is not a packet; what is wrong with it, or None."""
        if kind == pcapng.SECTION_HEADER:
            self._order = ">" if body.startswith(pcapng.BIG_ENDIAN_MAGIC) else "<"
            self.orders.add(self._order)
            self.interfaces.begin_section()
            if body[16:] not in self.sections and len(self.sections) < MOST_INTERFACES:
                self.sections.append(body[16:])
        elif kind == pcapng.INTERFACE:
            try:
                self._add(Place(body, pcapng.read_interface(body, self._order), numbered=True))
            except CaptureError as error:
                return str(error).encode()
        elif kind in pcapng.FOREIGN_RECORDS:
            return b"a block that only Wireshark understands"
        return None


def pieces_of(
    reader: Reader, files: tuple[Path, ...], progress: Callable[[int], None], warn: Callable[[str], None]
) -> Iterator[tuple[Path, bytes]]:
    """The files of an observer, in pieces that begin with what the last one left, to be fed to the reader's cursor.

    Args:
        reader: that is told where a file begins.
        files: in their order.
        progress: called with the number of bytes of all of them read so far.
        warn: called if a file is cut off.

    Raises:
        CaptureError: a file is missing, or is not a capture.
    """
    for path, count in told_in_total(files, progress):
        with open_to_join(path) as capture:
            reader.start(capture)
            rest = b""
            for piece in capture.pieces(count):
                data = rest + piece
                yield path, data
                rest = data[len(data) - int(reader.cursor[b"waiting"](reader.cursor)) :]
                capture.piece = max(capture.piece, len(rest) // 8)  # so that large blocks come soon
            if capture.broken or rest:
                warn(f"{path}: is cut off after its last whole packet")


def scan(
    name: str,
    files: tuple[Path, ...],
    lua: JoinLua,
    *,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Scan:
    """Reads the captures of an observer.

    Args:
        name: of the observer.
        files: in the order of their times.
        lua: that reads frames.
        progress: called with the number of bytes of all files read so far.
        warn: called with each warning, one line for the user.

    Raises:
        CaptureError: a file is missing, is not a capture, or is broken.
    """
    reader, sample = Reader(lua), lua.sample(sum(map(_size, files)) // LARGE)
    number = 0
    for path, piece in pieces_of(reader, files, progress, warn):
        reader.feed(piece)
        found, problem = _both(lua.scan(reader.cursor, sample, number))
        number = int(found)
        if problem:
            raise CaptureError(f"{path}: {problem.decode()} (after packet {number} of {name})")
    scanned = Scan(name, reader.interfaces.places, reader.sections, reader.orders, number)
    scanned.sample, scanned.groups = _read_sample(sample[b"packets"]), _read_sample(sample[b"groups"])
    scanned.is_annotated = bool(sample[b"is_annotated"])
    scanned.base = int(sample[b"seconds"] or 0) * NANO + int(sample[b"nanos"] or 0)
    scanned.back = [(int(one[1]), float(one[2])) for one in sample[b"back"].values()]
    scanned.latest = max((one.last for seen in scanned.sample.values() for one in seen), default=scanned.base)
    return scanned


def _size(path: Path) -> int:
    """Bytes of a file; 0 if there is none, which is told once it is opened."""
    return path.stat().st_size if path.is_file() else 0


def _both(result: Any) -> tuple[Any, Any]:
    return result if isinstance(result, tuple) else (result, None)


def _read_sample(store: Any) -> dict[bytes, list[Sighting]]:
    numbers, keys = store[b"text"](store)
    found: dict[bytes, list[Sighting]] = {}
    at = 0
    for seconds, nanos, low, high, last_seconds, last_nanos, last_low, last_high, again, size in SAMPLED.iter_unpack(
        numbers
    ):
        sighting = Sighting(
            keys[at],
            seconds * NANO + nanos,
            last_seconds * NANO + last_nanos,
            high << 32 | low,
            last_high << 32 | last_low,
            again,
        )
        found.setdefault(keys[at + 1 : at + size], []).append(sighting)
        at += size
    return found
