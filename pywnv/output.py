"""Outputs that appear whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pywnv.errors import OutputError

STDOUT = Path("-")


def leave_stdout() -> None:
    """Lets what Python would still flush at its end go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def whole_file(path: Path, *, force: bool, source: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name once all is written; `-` is stdout.

    Args:
        path: its name.
        force: replace a file of that name.
        source: what it is made from, and must not replace.

    Raises:
        OutputError: it exists and is not to be replaced, or cannot be written.
    """
    if path == STDOUT:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            leave_stdout()
            raise OutputError(f"stdout: {error.strerror or error}") from error
        return
    if path.exists() and not force:
        raise OutputError(f"{path}: exists already; use --force to replace it")
    if path.exists() and source.exists() and path.samefile(source):
        raise OutputError(f"{path}: is the capture itself; name another output")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error
    part = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  # Path.open takes no handle
            yield file
        _publish(part, path, force=force)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _publish(part: Path, path: Path, *, force: bool) -> None:
    """Gives the finished file its name and the rights that a new file would have."""
    umask = os.umask(0)
    os.umask(umask)
    part.chmod(0o666 & ~umask)
    if force:
        part.replace(path)
    else:
        try:
            os.link(part, path)  # unlike a rename, this never replaces what appeared meanwhile
        except FileExistsError as error:
            raise OutputError(f"{path}: appeared while it was being written; use --force to replace it") from error
