"""Who captured: the observers that a user names, each with a capture, or the files of a ring buffer."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pywnv.capture.write import BLANKS
from pywnv.errors import CaptureError, UsageError
from pywnv.parallel.many import SUFFIXES_OF_CAPTURES, captures_in

LONGEST_NAME = 60  # characters
WILDCARDS = "*?["


@dataclass(frozen=True)
class Observer:
    """A place where somebody captured, with a clock of its own.

    Attributes:
        name: as the hops of its frames begin.
        files: its capture; of a ring buffer, all files.
    """

    name: str
    files: tuple[Path, ...]


def observers_of(arguments: Sequence[str]) -> list[Observer]:
    """The observers that arguments name.

    Args:
        arguments: each a capture, a folder or a pattern such as ``hv01_*.pcapng``; or NAME=, and one of these.

    Raises:
        UsageError: fewer than two, two of one name, a file that is named twice, or a name that no hop can have.
        CaptureError: a folder or a pattern has no captures.
    """
    found = [_observer(argument) for argument in arguments]
    if len(found) < 2:
        raise UsageError("join: takes two captures or more, of different observers")
    names, files = set[str](), set[Path]()
    for observer in found:
        if observer.name in names:
            raise UsageError(f"join: two observers are called {observer.name}; give each a name of its own: NAME=FILE")
        names.add(observer.name)
        for file in observer.files:
            if file.resolve() in files:
                raise UsageError(f"join: {file} is given twice; give it once")
            files.add(file.resolve())
    return found


def _observer(argument: str) -> Observer:
    name, is_named, what = argument.partition("=")
    if not is_named or Path(argument).exists():
        return Observer(_name_of(argument), _files(argument))
    if not what or not _is_name(name):
        raise UsageError(f"{argument}: use NAME=FILE, where NAME has 1 to {LONGEST_NAME} characters and no colon")
    return Observer(name, _files(what))


def _is_name(name: str) -> bool:
    return name == _cleaned(name) != ""


def _cleaned(name: str) -> str:
    return name.translate(BLANKS).replace(":", "-")[:LONGEST_NAME].strip()


def _name_of(argument: str) -> str:
    path = Path(argument)
    name = path.name
    while (stem := Path(name)).suffix.lower() in SUFFIXES_OF_CAPTURES and stem.stem:
        name = stem.stem
    name = _cleaned(name if path.exists() else name.translate(dict.fromkeys(map(ord, WILDCARDS + "]")))).strip("-_. ")
    if not name:
        raise UsageError(f"{argument}: does not give the observer's name; use NAME={argument}")
    return name


def _files(argument: str) -> tuple[Path, ...]:
    path = Path(argument)
    if path.is_dir():
        return tuple(captures_in(path))
    if not path.exists() and any(character in argument for character in WILDCARDS):
        matching = sorted(map(Path, glob.glob(argument)))  # noqa: PTH207  # of a pattern that may be absolute
        if not matching:
            raise CaptureError(f"{argument}: no file has such a name")
        return tuple(matching)
    return (path,)
