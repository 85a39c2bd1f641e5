"""The capture interface in Wireshark's list: makes the small program that starts `pywnv.extcap`, and checks it."""

from __future__ import annotations

import importlib.metadata
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pywnv.version import __version__

NAME = "pywnv"  # of the interface, as in `tshark -i pywnv`
STEM = "pywnv-extcap"
PATIENCE = 60  # seconds for an answer: a virus scanner may look at Python first

SHELL = """\
#!/bin/sh
# Put here by `pywnv install`: lets Wireshark read what pywnv annotates.
exec {python} -P -m pywnv.extcap "$@"
"""


@dataclass(frozen=True)
class Starter:
    """The program to put: its file name and its bytes."""

    name: str
    data: bytes


def starter(system: str = sys.platform) -> Starter | None:
    """The program that starts this pywnv, by the absolute path of its Python; None if its installer made none."""
    if system != "win32":
        return Starter(STEM, SHELL.format(python=shlex.quote(sys.executable)).encode(errors="surrogateescape"))
    # Not a batch file: for that, Wireshark leaves a file's name to cmd, where `a&b.etl` would run a program b.
    for file in importlib.metadata.files("pywnv") or ():
        if file.name.lower() == f"{STEM}.exe":
            return Starter(f"{STEM}.exe", Path(str(file.locate())).read_bytes())
    return None


def ask(program: Path) -> str | None:
    """Asks a program that was put what it offers; what is wrong with the answer, or None."""
    command = [str(program), "--extcap-interfaces"]
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    except OSError as error:
        return f"it does not run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"it does not answer within {PATIENCE} s"
    if f"{{value={NAME}}}".encode() not in run.stdout:
        lines = run.stderr.decode(errors="replace").split("\n")
        return f"it does not run: {next((line for line in reversed(lines) if line.strip()), 'it does not say why')}"
    return None if f"{{version={__version__}}}".encode() in run.stdout else "of another version"
