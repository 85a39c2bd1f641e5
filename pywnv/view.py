"""Opens a capture in Wireshark from a private temporary file, which is deleted when Wireshark ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pywnv.errors import OutputError, WiresharkError
from pywnv.wireshark.folders import find_folders, usual_folders
from pywnv.wireshark.tshark import find_tshark, find_wireshark

PROFILE = "WNV"
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
LONGEST = 50  # characters of a capture's name: no file system takes more than 255 bytes
_BLAMES = re.compile("error|fail|cannot|can't|could not|couldn't|does not", re.IGNORECASE)


def window_name(captures: list[Path]) -> str:
    """The name of the file to show, which is the window's title: that of the capture, or of the first of them."""
    first = captures[0]
    stem = (first.with_suffix("") if first.suffix.lower() == ".gz" else first).stem
    name = "stdin" if stem == "-" else stem[:LONGEST]
    return name + (f" and {len(captures) - 1} more" if captures[1:] else "") + ".annotated.pcapng"


def view(name: str, make: Callable[[Path], None], *, profile: str | None, warn: Callable[[str], None]) -> None:
    """Opens Wireshark on a file that is made for it, waits for its end, and takes the file away.

    Args:
        name: of the file.
        make: writes it, at a path.
        profile: of Wireshark; None: ours, where it is installed.
        warn: called with each warning, one line for the user.

    Raises:
        WiresharkError: there is no Wireshark, no display, or Wireshark failed.
        OutputError: there is no room for the file.
    """
    command = [find_wireshark()]
    _need_display()
    if profile is None and not _is_installed():
        warn(f"the profile {PROFILE} is missing, so Wireshark looks as usual; run `pywnv install`")
    else:
        command += ["-C", profile or PROFILE]
    try:
        folder = Path(tempfile.mkdtemp(prefix="pywnv-"))  # for this user only
    except OSError as error:
        raise OutputError(f"{error.filename}: {error.strerror or error}; set TMPDIR to another folder") from error
    made: dict[str, tuple[int, int, int]] = {}
    try:
        path = folder / name
        make(path)
        path.chmod(0o600)
        made = _state(folder)
        _run([*command, "-r", str(path)])
    finally:
        if made and _state(folder) != made:
            warn(f"{folder}: kept, as you saved something there")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _need_display() -> None:
    if sys.platform not in ("win32", "darwin") and not any(os.environ.get(name) for name in DISPLAYS):
        raise WiresharkError(
            "no display to open a window on (DISPLAY is not set); "
            "write a file with `pywnv annotate CAPTURE -o OUT.pcapng` and open that elsewhere"
        )


def _is_installed() -> bool:
    try:
        folders = find_folders(find_tshark())
    except WiresharkError:
        folders = usual_folders()  # Wireshark without tshark
    return (folders.profiles / PROFILE).is_dir()


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What changes when somebody saves a file there."""
    found = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (info.st_ino, info.st_size, info.st_mtime_ns) for name, info in found.items()}


def _run(command: list[str]) -> None:
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            raise WiresharkError(f"{command[0]}: {error.strerror or error}") from error
        with process:
            try:
                code = process.wait()
            except BaseException:
                process.terminate()  # with its file gone it would be of no use
                process.wait()
                raise
        if code:
            log.seek(0)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
            words = next(filter(_BLAMES.search, lines), lines[-1] if lines else "it does not say why")
            raise WiresharkError(f"{command[0]}: ended with code {code}: {words}")
