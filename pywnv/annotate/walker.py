"""Runs the engine without Wireshark: feeds captures to lua/batch/batch.lua under lupa."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pywnv.annotate.sinks import Lua, Sink
from pywnv.capture import pcapng
from pywnv.capture.links import KIND_OF_LINKTYPE, UNKNOWN
from pywnv.capture.source import PCAP_HEADER_SIZE, told_in_total
from pywnv.errors import CaptureError
from pywnv.generate.engine import engine_lua
from pywnv.lua import lua_text
from pywnv.lua.runtime import lua_runtime
from pywnv.words import count

if TYPE_CHECKING:
    from pywnv.capture.source import Capture
    from pywnv.host.topology import Topology

# From a Lua runtime and the engine's modules, something to be used as the engine.
Watch = Callable[[Any, Any], Any]

STATISTICS_HEAD = 12  # bytes: the interface, and a time
MOST_INTERFACES = 65536  # in a section; only a capture made to defeat us has more


class Epoch(NamedTuple):
    """After how many frames the engine has learned all anew, and how many before that it learns from."""

    frames: int
    warm_up: int


class Walker:
    """Feeds captures to batch.lua and answers its questions about blocks that are not packets.

    Args:
        sink: what is written; one of `pywnv.sinks`.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host, or None.
        runtime: one of lupa's Lua versions; by default the fastest one available.
        watch: makes an engine that stands between the walker and the engine's modules.
        epoch: None for the engine's default.
    """

    def __init__(
        self,
        *,
        sink: Sink,
        window: float | None,
        topology: Topology | None,
        runtime: str | None = None,
        watch: Watch | None = None,
        epoch: Epoch | None = None,
    ) -> None:
        self._lua = lua_runtime(runtime)
        modules = self._lua.execute((engine_lua(topology) + "return modules").encode())
        shared = (self._lua.execute(lua_text(f"batch/{name}.lua").encode()) for name in ("bytes", "buffer", "times"))
        bytes_lua, buffer, times = shared
        self.sink = sink(Lua(self._lua, modules, bytes_lua, buffer))
        engine = watch(self._lua, modules) if watch else modules[b"engine"]
        own = modules[b"engine"]
        self.epoch = epoch or Epoch(int(own[b"EPOCH"]), int(own[b"WARM_UP"]))
        options = self._lua.execute(lua_text("batch/options.lua").encode(), bytes_lua)[b"read"]
        batch = lua_text("batch/batch.lua").encode()
        self.batch = self._lua.execute(batch, engine, bytes_lua, times, options, self.sink, self._block)
        self.batch[b"start"](window, *self.epoch)
        self._order = "<"
        self._interfaces: list[bytes | None] = []  # names, in this section

    def add_interface(self, interface: pcapng.Interface, *, numbered: bool) -> None:
        """Adds an interface to the section.

        Args:
            interface: as its block describes it.
            numbered: whether the file numbers its interfaces.
        """
        kind = KIND_OF_LINKTYPE.get(interface.linktype, UNKNOWN)
        # A NIC without a name is called "unknown" by Wireshark.
        name = None if interface.name == b"unknown" else interface.name
        self.batch[b"interface"](
            kind.encode(),
            name,
            interface.description,
            interface.units,
            interface.offset,
            interface.snap,
            numbered,
        )

    def _block(self, kind: int, body: bytes) -> tuple[object, ...]:
        """Takes a block that is not a packet: (is it a frame in Wireshark?, its seconds, its nanoseconds)."""
        if kind == pcapng.SECTION_HEADER:
            self._interfaces.clear()
            self._order = ">" if body.startswith(pcapng.BIG_ENDIAN_MAGIC) else "<"
        elif kind == pcapng.INTERFACE:
            if len(self._interfaces) >= MOST_INTERFACES:
                return None, b"more than %d interfaces in one section" % MOST_INTERFACES
            try:
                interface = pcapng.read_interface(body, self._order)
            except CaptureError as error:
                return None, str(error).encode()
            self.add_interface(interface, numbered=True)
            is_component = b" component " in (interface.name or b"") + (interface.description or b"")
            self._interfaces.append(None if is_component else interface.name)
        elif kind == pcapng.STATISTICS:
            self._statistics(body)
        elif kind == pcapng.JOURNAL:
            return True, *(pcapng.journal_time(body) or ())
        elif kind in pcapng.CUSTOM:
            return (True,)
        elif kind in pcapng.FOREIGN_RECORDS:
            return None, b"a block that only Wireshark understands: try --engine tshark"
        return (False,)

    def _statistics(self, body: bytes) -> None:
        """Tells the sink how many packets the capture says that it missed. What pktmon counts, Windows dropped."""
        tell = self.sink[b"missed"]
        if not tell or len(body) < STATISTICS_HEAD:
            return
        (number,) = struct.unpack_from(self._order + "I", body)
        name = self._interfaces[number] if number < len(self._interfaces) else None
        for code, value in pcapng.options(body[STATISTICS_HEAD:], self._order):
            if name and code == pcapng.ISB_IFDROP and len(value) == 8:
                tell(name, int.from_bytes(value, "little" if self._order == "<" else "big"))

    def instead_of_packets(self) -> str:
        """What a capture without packets holds."""
        return f"holds no packets; describes {count(len(self._interfaces), 'interface')}"

    def warning(self, elsewhere: int = 0) -> str | None:
        """What the user should know of what was written.

        Args:
            elsewhere: frames that other walkers of the capture found `unfit`.
        """
        words = self.sink[b"warning"] and self.sink[b"warning"](elsewhere)
        return words.decode() if words else None

    def unfit(self) -> int:
        """How many frames could not be given what the sink has for them."""
        return int(self.sink[b"unfit"]()) if self.sink[b"unfit"] else 0


class Walk:
    """A walk through one capture.

    Attributes:
        done: bytes that have been taken.
        frames: the number of the last frame that has been taken.
        has_ended: whether the capture has.
    """

    def __init__(self, walker: Walker, capture: Capture, progress: Callable[[int], None]) -> None:
        self._walker = walker
        self._capture = capture
        self._pieces = capture.pieces(progress)
        self._rest = b""  # of what was read
        self._goes_on = False  # whether there may be whole blocks
        self._feed = walker.batch[b"pcap" if capture.pcap else b"pcapng"]
        self.done = PCAP_HEADER_SIZE if capture.pcap else 0
        self.frames = 0
        self.has_ended = False
        if capture.pcap:
            walker.batch[b"section"](capture.pcap.order == ">")
            only = pcapng.Interface(capture.pcap.linktype, 0, None, None, capture.pcap.units, 0)
            walker.add_interface(only, numbered=False)
        if start := walker.sink[b"start"]:
            start(capture.pcap and capture.pcap.units)

    def beginning(self) -> bytes:
        """What comes before all that the sink gives."""
        pcap = self._capture.pcap
        if not pcap or not self._walker.sink[b"start"]:
            return b""
        return pcapng.beginning(pcap, self._capture.path)

    def texts(self) -> Iterator[bytes]:
        """What the sink gives for the frames that are to be decided, some thousands at a time.

        Raises:
            CaptureError: the capture is broken; what comes before the break has been given.
        """
        is_done = False
        while not is_done:
            if not self._goes_on:
                piece = next(self._pieces, b"")
                if not piece:
                    self.has_ended = True
                    return
                self._rest += piece
            text, taken, problem, frames, self._goes_on, is_done = self._feed(self._rest)
            self.frames, self.done = int(frames), self.done + taken
            yield text
            if problem:
                where = f"{self._capture.path}: broken at byte {self.done}, after frame {self.frames}"
                raise CaptureError(f"{where}: {problem.decode()}")
            self._rest = self._rest[taken:]
            self._capture.piece = max(self._capture.piece, len(self._rest) // 8)  # so that large blocks come soon

    def warning(self) -> str | None:
        """What the user should know of how the capture ended."""
        if not self._rest and not self._capture.broken:
            return None if self.frames else f"{self._capture.path}: {self._walker.instead_of_packets()}"
        place = f"after frame {self.frames}" if self.frames else "before the first frame"
        return f"{self._capture.path}: is cut off at byte {self.done + len(self._rest)}, {place}"


def annotate(
    captures: Iterable[Capture],
    *,
    sink: Sink,
    window: float | None,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
    topology: Topology | None = None,
    runtime: str | None = None,
    watch: Watch | None = None,
    epoch: Epoch | None = None,
) -> Generator[bytes, None, None]:
    """What a sink gives for the frames of captures, piece by piece: rows of CSV (without the header), JSON lines ...

    Args:
        captures: open; where there are several, each continues where the one before ends.
        sink: what is written; one of `pywnv.sinks`.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        progress: called with the number of bytes of the file read so far.
        warn: called with each warning, one line for the user.
        topology: names and roles in the host, or None.
        runtime: one of lupa's Lua versions; by default the fastest one available.
        watch: makes an engine that stands between the walker and the engine's modules.
        epoch: None for the engine's default.

    Raises:
        CaptureError: a capture is broken; what comes before the break has been given.
    """
    walker = Walker(sink=sink, window=window, topology=topology, runtime=runtime, watch=watch, epoch=epoch)
    for capture, count_bytes in told_in_total(captures, progress):
        walk = Walk(walker, capture, count_bytes)
        yield walk.beginning()
        yield from walk.texts()
        if words := walk.warning():
            warn(words)
        if words := walker.warning():
            warn(f"{capture.path}: {words}")
        walker.batch[b"go_on"]()
    if total := walker.sink[b"total"]:
        yield total()
