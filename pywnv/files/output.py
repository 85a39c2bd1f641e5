"""Outputs that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pywnv.errors import OutputError, ReaderGoneError
from pywnv.files.descriptor import descriptor

STDOUT = Path("-")


def _end(number: int, _: object) -> None:
    """Ends as a signal would, but lets what is open tidy up."""
    raise SystemExit(128 + number)


def tidy_on_signals() -> None:
    """From now on, what ends this process lets it take its unfinished outputs away first."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:
            signal.signal(getattr(signal, name), _end)


@contextmanager
def whole_file(path: Path, *, force: bool, sources: Sequence[Path] = ()) -> Iterator[BinaryIO]:
    """A file to write, which gets its name once all is written; `-` is stdout.

    Args:
        path: its name. A pipe, a device or a handle, such as /dev/stdout, is written to as it is.
        force: replace a file of that name; if it is a link, the file that it leads to.
        sources: the files that it is made from, and must not replace.

    Raises:
        OutputError: it exists and is not to be replaced, or cannot be written.
        ReaderGoneError: it is a pipe that nobody reads any more.
    """
    try:
        handle = 1 if path == STDOUT else descriptor(path)
        if handle == 1 and sys.stdout is None:  # closed, so the handle may be of another file by now
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if handle is not None:
            # Not sys.stdout: with PYTHONUNBUFFERED that may write less than it is given.
            with open(handle, "wb", closefd=False) as file:  # Path.open takes no handle
                yield file
        elif path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                yield file
        else:
            _check(path, force=force, sources=sources)
            with _new_file(_behind_links(path), force=force) as file:
                yield file
    except BrokenPipeError as error:
        raise ReaderGoneError(f"{path}: nobody reads it any more") from error
    except OSError as error:
        name = "stdout" if path == STDOUT else path
        raise OutputError(f"{name}: {error.strerror or error}") from error


def _behind_links(path: Path) -> Path:
    """The file that a name leads to: a link stays, and what it leads to is replaced."""
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return real if path.is_symlink() else path


def _check(path: Path, *, force: bool, sources: Sequence[Path]) -> None:
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if not os.path.lexists(path.parent):
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first")
    if os.path.lexists(path) and not force:  # also a link that leads nowhere
        raise OutputError(f"{path}: exists already; use --force to replace it")
    if path.exists() and any(source.exists() and path.samefile(source) for source in sources):
        raise OutputError(f"{path}: is the capture itself; name another output")


@contextmanager
def _new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    # Named before it is made: wherever a signal ends us, what was made is known and goes.
    part = path.parent / f".pywnv-{secrets.token_hex(8)}"
    try:
        with part.open("xb") as file:
            yield file
        publish(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)


def publish(part: Path, path: Path, *, force: bool) -> None:
    """Gives a finished file its name; the part may stay as a second name.

    Raises:
        OutputError: a file of that name has appeared, and is not to be replaced.
        OSError: it cannot have that name.
    """
    if not force:
        try:
            os.link(part, path)  # unlike a rename, this never replaces what appeared meanwhile
        except OSError as error:
            if os.path.lexists(path):
                raise OutputError(f"{path}: appeared while it was being written; use --force to replace it") from error
        else:
            return
    part.replace(path)  # also where the file system knows no hard links
