"""Recognizes names that stand for an open file of this process, such as /dev/stdout; other processes cannot open it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "/dev/fd"  # a link to /proc/self/fd on Linux
MOST_LINKS = 40  # as Linux


def descriptor(path: Path) -> int | None:
    """The handle that a name such as /dev/fd/3, or a link to one, stands for; None: it is the name of a file."""
    folders = {FOLDER, os.path.realpath(FOLDER)}
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in folders and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = folder / path.readlink()
    return None
