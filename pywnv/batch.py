"""The fast body of the engine: templates/batch.lua under lupa, without a Wireshark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pywnv.capture import pcapng
from pywnv.capture.links import KIND_OF_LINKTYPE, UNKNOWN
from pywnv.capture.source import PCAP_HEADER_SIZE
from pywnv.errors import CaptureError
from pywnv.generate import engine_lua, template_text
from pywnv.sinks import Lua, Sink

if TYPE_CHECKING:
    from pywnv.capture.source import Capture
    from pywnv.topology import Topology

# From a Lua runtime and the engine's modules, something to be used as the engine.
Watch = Callable[[Any, Any], Any]

MOST_LINKTYPE = 65535  # that fits an interface description block
MOST_INTERFACES = 65536  # in a section; only a capture made to defeat us has more

# LuaJIT where lupa has it; the engine runs the same on the others, slower.
RUNTIMES = ("luajit21", "luajit20", "lua54", "lua52")


def lua_runtime(name: str | None = None) -> Any:
    """A Lua in which nothing of Python can be reached.

    Args:
        name: of one of lupa's modules, such as "lua54"; by default the fastest here.

    Raises:
        ImportError: lupa was built without it.
    """
    for candidate in (name,) if name else RUNTIMES:
        try:
            module = import_module(f"lupa.{candidate}")
        except ImportError:
            continue
        return module.LuaRuntime(
            encoding=None, register_eval=False, register_builtins=False, unpack_returned_tuples=True
        )
    raise ImportError(f"lupa was built without {name or 'any Lua that the engine runs on'}")


class _Walker:
    """Feeds one capture to batch.lua and answers its questions about blocks that are no packets."""

    def __init__(
        self,
        *,
        sink: Sink,
        window: float | None,
        topology: Topology | None,
        runtime: str | None,
        watch: Watch | None,
    ) -> None:
        self._lua = lua_runtime(runtime)
        modules = self._lua.execute((engine_lua(topology) + "return modules").encode())
        bytes_lua, buffer = (self._lua.execute(template_text(name).encode()) for name in ("bytes.lua", "buffer.lua"))
        self._sink = sink(Lua(self._lua, modules, bytes_lua, buffer))
        engine = watch(self._lua, modules) if watch else modules[b"engine"]
        batch = template_text("batch.lua").encode()
        self._batch = self._lua.execute(batch, engine, bytes_lua, self._sink, self._block)
        self._batch[b"start"](window)
        self._order = "<"
        self._interfaces = 0  # in this section

    def _add_interface(self, interface: pcapng.Interface, *, numbered: bool) -> None:
        kind = KIND_OF_LINKTYPE.get(interface.linktype, UNKNOWN)
        # A NIC without a name is called "unknown" by Wireshark.
        name = None if interface.name == b"unknown" else interface.name
        self._batch[b"interface"](
            kind.encode(),
            name,
            interface.description,
            interface.units,
            interface.offset,
            interface.snap,
            numbered,
        )

    def _block(self, kind: int, body: bytes) -> tuple[object, ...]:
        """Takes a block that is no packet: (is it a frame in Wireshark?, its seconds, its nanoseconds)."""
        if kind == pcapng.SECTION_HEADER:
            self._interfaces = 0
            self._order = ">" if body.startswith(pcapng.BIG_ENDIAN_MAGIC) else "<"
        elif kind == pcapng.INTERFACE:
            if self._interfaces >= MOST_INTERFACES:
                return None, b"more than %d interfaces in one section" % MOST_INTERFACES
            try:
                self._add_interface(pcapng.read_interface(body, self._order), numbered=True)
            except CaptureError as error:
                return None, str(error).encode()
            self._interfaces += 1
        elif kind == pcapng.JOURNAL:
            return True, *(pcapng.journal_time(body) or ())
        elif kind in pcapng.CUSTOM:
            return (True,)
        elif kind in pcapng.FOREIGN_RECORDS:
            return None, b"a block that only Wireshark understands: try --engine tshark"
        return (False,)

    def walk(
        self, captures: Iterable[Capture], progress: Callable[[int], None], warn: Callable[[str], None]
    ) -> Iterator[bytes]:
        """What the sink gives for captures that go on from each other, some thousands of frames at a time."""
        before = 0
        for capture in captures:
            read = 0

            def count(done: int, before: int = before) -> None:
                nonlocal read
                read = done
                progress(before + done)

            yield from self._walk_one(capture, count, warn)
            before += read
            self._batch[b"go_on"]()
        if total := self._sink[b"total"]:
            yield total()

    def _walk_one(
        self, capture: Capture, progress: Callable[[int], None], warn: Callable[[str], None]
    ) -> Iterator[bytes]:
        feed, done = self._batch[b"pcapng"], 0
        if capture.pcap:
            feed, done = self._batch[b"pcap"], PCAP_HEADER_SIZE
            self._batch[b"section"](capture.pcap.order == ">")
            only = pcapng.Interface(capture.pcap.linktype, 0, None, None, capture.pcap.units, 0)
            self._add_interface(only, numbered=False)
        if start := self._sink[b"start"]:
            start(capture.pcap and capture.pcap.units)
            if capture.pcap:
                if capture.pcap.linktype > MOST_LINKTYPE:
                    words = f"its link type is {capture.pcap.linktype}, and a pcapng names none above {MOST_LINKTYPE}"
                    raise CaptureError(f"{capture.path}: {words}")
                yield pcapng.beginning(capture.pcap)
        rest, frames = b"", 0
        for piece in capture.pieces(progress):
            data = rest + piece
            text, taken, problem, frames = feed(data)
            yield text
            done += taken
            if problem:
                raise CaptureError(f"{capture.path}: broken at byte {done}, after frame {frames}: {problem.decode()}")
            rest = data[taken:]
            capture.piece = max(capture.piece, len(rest) // 8)  # a block of megabytes is not copied with each piece
        if rest or capture.broken:
            warn(f"{capture.path}: breaks off at byte {done + len(rest)}, inside what follows frame {frames}")
        if (warning := self._sink[b"warning"]) and (words := warning()):
            warn(f"{capture.path}: {words.decode()}")


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
) -> Iterator[bytes]:
    """What a sink gives for the frames of captures, piece by piece: rows of CSV (without the header), JSON lines ...

    Args:
        captures: open; where there are several, each goes on where the one before ends.
        sink: what is written; one of `pywnv.sinks`.
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        progress: is told how many bytes of the file have been read.
        warn: is told what the user should know of the capture, in one line.
        topology: what the user knows of the host, or None.
        runtime: which of lupa's Luas; by default the fastest here.
        watch: makes an engine that stands between the walker and the engine's modules.

    Raises:
        CaptureError: a capture is broken; what comes before the break has been given.
    """
    walker = _Walker(sink=sink, window=window, topology=topology, runtime=runtime, watch=watch)
    yield from walker.walk(captures, progress, warn)
