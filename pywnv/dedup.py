"""One frame for each packet: the capture again, without the other sightings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.errors import CaptureError, UsageError
from pywnv.tables import fields

if TYPE_CHECKING:
    from pywnv.annotate.sinks import Lua
    from pywnv.host.topology import Topology

KEEP = ("first", "last", "wire", *fields.ROLES[1:])


def keep_of(text: str) -> str:
    """What a user means to keep: one of KEEP, however written.

    Raises:
        UsageError: none of them.
    """
    wanted = text.replace("-", " ").casefold()
    for name in KEEP:
        if name.casefold() == wanted:
            return name
    raise UsageError(f"--keep {text}: must be one of {', '.join(name.replace(' ', '-') for name in KEEP)}")


class Dedup:
    """A capture with one frame for each packet, in two passes over the file: one chooses, one writes.

    Choosing takes one byte for each frame, and 40 MB for those whose packet may still show again.

    Attributes:
        frames: records of all kinds, once the first pass is done.
        left_out: frames that go, by the name of their verdict.
    """

    def __init__(
        self,
        capture: Path,
        *,
        keep: str = "first",
        window: float | None = None,
        topology: Topology | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Reads nothing yet.

        Args:
            capture: pcapng or pcap, plain or gzipped; no pipe.
            keep: "first" or "last" sighting, the one nearest the "wire", or that at the role of a hop (else the first).
            window: longest time between two sightings of one packet, in seconds; None for the engine's default.
            topology: names and roles in the host.
            warn: called with each warning, one line for the user.

        Raises:
            UsageError: the capture is stdin or a pipe, or there is no such choice.
        """
        from pywnv.capture.source import need_file

        need_file(capture)
        self._capture, self._keep = capture, keep_of(keep)
        self._window, self._topology, self._warn = window, topology, warn
        self.frames = 0
        self.left_out: dict[str, int] = {}

    def pieces(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """The pcapng, in pieces.

        Args:
            progress: called with the number of bytes of the file read so far, in both passes together.

        Raises:
            CaptureError: the capture is missing, in another format, broken, or changes during the run.
        """
        from pywnv.annotate.walker import annotate
        from pywnv.capture.source import open_to_join

        stays = self._choose(progress)
        kept: list[Any] = []

        def sink(lua: Lua) -> Any:
            kept.append(lua.load("writers/kept.lua", lua.load("writers/splice.lua", lua.bytes, lua.buffer), stays))
            return kept[0]

        with open_to_join(self._capture) as opened:
            size = self._capture.stat().st_size
            yield from annotate(
                [opened],
                sink=sink,
                watch=lambda *_: kept[0][b"blind"],
                window=None,
                progress=lambda done: progress(size + done),
                warn=lambda _: None,
            )
        if kept[0][b"frames"]() != len(stays):
            raise CaptureError(f"{self._capture}: changes while it is read; try again when it is whole")

    def _choose(self, progress: Callable[[int], None]) -> bytes:
        from pywnv.annotate.walker import annotate
        from pywnv.capture.source import open_to_join

        chosen: list[Any] = []

        def sink(lua: Lua) -> Any:
            chosen.append(lua.load("writers/choose.lua", lua.modules[b"codes"], self._keep.encode(), lua.buffer))
            return chosen[0]

        with open_to_join(self._capture) as opened:
            flags = bytearray()
            for piece in annotate(
                [opened], sink=sink, window=self._window, topology=self._topology, progress=progress, warn=self._warn
            ):
                flags += piece
        self.frames = len(flags)
        self.left_out = {fields.VERDICTS[int(code)]: count for code, count in chosen[0][b"left"]().items()}
        return bytes(flags)
