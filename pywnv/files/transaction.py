"""Writes and removes several files: all or none of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

PART = ".pywnv-part"  # what a file is called until all of it is written


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def _write_part(path: Path, data: bytes, *, executable: bool = False) -> None:
    part = _part(path)
    part.unlink(missing_ok=True)  # an install that was killed has left it, or somebody has made it a link
    try:
        with part.open("xb") as file:
            file.write(data)
        if executable:
            mode = part.stat().st_mode
            part.chmod(mode | (mode & 0o444) >> 2)  # by all who may read it
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say for which file


class Transaction:
    """Puts and removes files; where its block ends by an error or a signal, all is as it was before."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if kind is not None:
            for undo in reversed(self._undo):
                with contextlib.suppress(OSError):
                    undo()

    @staticmethod
    def folders_to_make(paths: Iterable[Path]) -> list[Path]:
        """The folders that are missing for these files, outer ones first."""
        missing = {folder for path in paths for folder in path.parents if not folder.exists()}
        return sorted(missing, key=lambda folder: len(folder.parts))

    def put(self, path: Path, data: bytes, *, executable: bool = False) -> None:
        """Puts a file, which may be a program; one that is there is replaced at once by the whole new one."""
        for folder in self.folders_to_make([path]):
            self._undo.append(folder.rmdir)
            folder.mkdir()
        restore = self._restore(path)
        self._undo.append(lambda: _part(path).unlink(missing_ok=True))
        _write_part(path, data, executable=executable)
        self._undo.append(restore)
        _part(path).replace(path)

    def remove(self, path: Path) -> None:
        """Removes a file."""
        self._undo.append(self._restore(path))
        path.unlink()

    @staticmethod
    def _restore(path: Path) -> Callable[[], object]:
        """What brings a path back to what it is now."""
        if path.is_symlink():
            target = path.readlink()

            def relink() -> None:
                path.unlink(missing_ok=True)
                path.symlink_to(target)

            return relink
        if path.exists():
            old, executable = path.read_bytes(), os.access(path, os.X_OK)

            def rewrite() -> None:
                _write_part(path, old, executable=executable)
                _part(path).replace(path)

            return rewrite
        return lambda: path.unlink(missing_ok=True)
