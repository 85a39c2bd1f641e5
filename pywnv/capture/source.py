"""Opens a capture, plain or gzipped, whatever its name, and reads it in pieces."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from itertools import repeat
from pathlib import Path
from typing import Protocol, TypeVar

from pywnv.background import in_background
from pywnv.capture import pcapng, variants
from pywnv.capture.pcapng import PcapHeader
from pywnv.capture.text import ENOUGH, text_words
from pywnv.errors import CaptureError, UnknownFormatError, UsageError

File = TypeVar("File")  # an open one, or its name

PIECE = 64 * 1024  # larger ones cost the system more to find room for than they save

STDIN = Path("-")
PLACES_OF_OWN = (("dev",), ("proc",))  # where a name may mean another file to another process, such as /dev/fd/3

PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
}
PCAP_HEADER_SIZE = 24
HAS_FCS = 0x04000000


class _Readable(Protocol):
    """A plain or a gzipped file."""

    def read1(self, size: int, /) -> bytes: ...


class Capture:
    """An open capture: what kind of file it is, and its bytes.

    Attributes:
        path: as the user named it.
        pcap: the header of a classic pcap; None for a pcapng.
        size: of the file, in bytes; None: it is packed, no file, or one that other processes may not open by its name.
        broken: whether its gzip is cut off; known once it has been read.
        piece: bytes read at a time; may be changed meanwhile.
        look: is shown each piece, too; None: nobody else looks.
    """

    def __init__(self, path: Path, file: _Readable, raw: BufferedReader) -> None:
        self.path = path
        self._file = file
        self._raw = raw
        info = os.fstat(raw.fileno())
        is_own = path == STDIN or path.absolute().parts[1:2] in PLACES_OF_OWN
        self.size = info.st_size if file is raw and stat.S_ISREG(info.st_mode) and not is_own else None
        self.broken = False
        self.piece = PIECE
        self.look: Callable[[bytes], None] | None = None
        self._head = self._read(4)
        self._layout = variants.ORDINARY
        self.pcap = self._pcap_header()

    def _read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._read_some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _read_some(self, size: int) -> bytes:
        try:
            return self._file.read1(size)  # not read: a gzip that is cut off then gives what came before
        except EOFError:
            self.broken = True
            return b""
        except (OSError, zlib.error) as error:
            raise CaptureError(f"{self.path}: cannot be read: {error}") from error

    def _pcap_header(self) -> PcapHeader | None:
        magic = PCAP_MAGICS.get(self._head)
        if magic is None:
            if not self._head:
                raise CaptureError(f"{self.path}: {'is cut off at its beginning' if self.broken else 'is empty'}")
            if len(self._head) < len(pcapng.MAGIC):
                raise CaptureError(f"{self.path}: too short for a capture")
            if self._head != pcapng.MAGIC:
                if words := text_words(self._head + self._read_some(ENOUGH)):
                    raise CaptureError(f"{self.path}: {words}")
                raise UnknownFormatError(f"{self.path}: not a pcapng or pcap file; --engine tshark reads more formats")
            return None
        order, units = magic
        rest = self._read(PCAP_HEADER_SIZE - len(self._head))
        if len(rest) < PCAP_HEADER_SIZE - len(self._head):
            raise CaptureError(f"{self.path}: is cut off in its file header, after {4 + len(rest)} bytes")
        major, minor, snap, network = struct.unpack(order + "HH8xII", rest)
        if variants.is_aix((major, minor), network):
            raise UnknownFormatError(f"{self.path}: a pcap of AIX; --engine tshark reads it")
        is_file = self._raw.seekable()
        # Of a pipe what has come, so that a frame is not kept waiting for the next.
        self._head = self._read(PIECE) if is_file else self._read_some(PIECE)
        ends = is_file and len(self._head) < PIECE
        self._layout = variants.layout((major, minor), units, self._head, order, ends=ends)
        fcs = (network >> 28) * 16 if network & HAS_FCS else None
        return PcapHeader(order, units, network & 0x03FFFFFF, snap, fcs)

    def pieces(self, progress: Callable[[int], None]) -> Iterator[bytes]:
        """The rest of the file in pieces of about so many bytes, of a pcap ordinary records; of a pipe, what has come.

        Args:
            progress: called with the number of bytes read from disk so far.
        """
        pieces = self._pieces_of_file(progress)
        if self.pcap and self._layout != variants.ORDINARY:
            pieces = variants.ordinary(pieces, self.pcap.order, self._layout)
        return self._shown(pieces, self.look) if self.look else pieces

    @staticmethod
    def _shown(pieces: Iterator[bytes], look: Callable[[bytes], None]) -> Iterator[bytes]:
        for piece in pieces:
            look(piece)
            yield piece

    def _pieces_of_file(self, progress: Callable[[int], None]) -> Iterator[bytes]:
        seekable = self._raw.seekable()

        def read(_: None) -> tuple[bytes, int]:
            if seekable:
                return self._read(self.piece), self._raw.tell()
            return self._read_some(self.piece), 0

        is_packed = seekable and self._file is not self._raw
        # The next piece is unpacked while this one is understood.
        pieces = in_background(read, repeat(None)) if is_packed else map(read, repeat(None))
        if self.pcap:
            piece, position = self._head, self._raw.tell() if seekable else 0
        else:
            piece, position = next(pieces)
            piece = self._head + piece
        while piece:
            yield piece
            if seekable:
                progress(position)
            piece, position = next(pieces)


def is_stream(path: Path) -> bool:
    """Whether a file can be read only once: it is stdin, a pipe or a device."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return path == STDIN
    return path == STDIN or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def need_file(path: Path) -> None:
    """Says before any work that a capture, which is read twice, can be read only once.

    Raises:
        UsageError: so it is.
    """
    if is_stream(path):
        raise UsageError(f"{path}: is read twice, so it must be a file")


@contextmanager
def open_file(path: Path) -> Iterator[BufferedReader]:
    """Opens a file for reading; `-` is stdin.

    Raises:
        CaptureError: there is no such file, or it cannot be read.
    """
    try:
        file = open(0, "rb", closefd=False) if path == STDIN else path.open("rb")  # noqa: SIM115  # a handle
    except OSError as error:
        # Windows says of a folder that permission is denied. Path.is_dir raises where a name is too long.
        if os.path.isdir(path):  # noqa: PTH112
            raise CaptureError(f"{path}: is a folder; name a file") from error
        raise CaptureError(f"{path}: {error.strerror or error}") from error
    with file:
        yield file


@contextmanager
def open_capture(path: Path) -> Iterator[Capture]:
    """Opens a capture, plain or gzipped.

    Raises:
        CaptureError: there is no such file, or it cannot be read.
        UnknownFormatError: it is neither pcapng nor pcap.
    """
    with open_file(path) as raw:
        try:
            gzipped = raw.peek(2)[:2] == b"\x1f\x8b"
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror or error}") from error
        yield Capture(path, gzip.GzipFile(fileobj=raw) if gzipped else raw, raw)


@contextmanager
def open_to_join(path: Path) -> Iterator[Capture]:
    """Opens a capture where no tshark can stand in for what cannot be read here.

    Raises:
        CaptureError: there is no such file, it cannot be read, or is neither pcapng nor pcap.
    """
    with ExitStack() as stack:
        try:
            capture = stack.enter_context(open_capture(path))
        except UnknownFormatError as error:
            what, _, _ = str(error).partition(";")
            raise CaptureError(f"{what}; convert it to pcapng with editcap first") from None
        yield capture


def opened_each(paths: Iterable[Path], *, of_any_format: bool) -> Generator[Capture, None, None]:
    """Captures, each open until the next is asked for.

    Args:
        paths: of the captures.
        of_any_format: one that only tshark reads raises UnknownFormatError; else CaptureError says what it is.
    """
    for path in paths:
        with (open_capture if of_any_format else open_to_join)(path) as opened:
            yield opened


def told_in_total(
    files: Iterable[File], progress: Callable[[int], None]
) -> Iterator[tuple[File, Callable[[int], None]]]:
    """Each of several files, with what is told the bytes read of it; `progress` is told those of all so far."""
    before = 0
    for file in files:
        read = 0

        def count(done: int, before: int = before) -> None:
            nonlocal read
            read = done
            progress(before + done)

        yield file, count
        before += read
