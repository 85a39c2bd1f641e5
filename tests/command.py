"""Runs the real command line, as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import warm

PYWNV = Path(sys.executable).parent / "pywnv"
CAPTURES = Path(__file__).parent / "captures"
TIMEOUT = 180


def command(*arguments: object, before: str = "") -> list[str]:
    """A command line; `before` is Python that the new process runs before it becomes pywnv."""
    pywnv = [str(PYWNV), *map(str, arguments)]
    start = f"import os, sys; {before}; os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", start, *pywnv] if before else pywnv


def run(
    *arguments: object,
    before: str = "",
    environment: dict[str, str] | None = None,
    timeout: float = TIMEOUT,
    **streams: object,
) -> subprocess.CompletedProcess[bytes]:
    """Runs pywnv to its end; what is not redirected by `streams` is captured."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    environment = dict(os.environ) if environment is None else environment
    arguments = command(*arguments, before=before)
    done = None if before else warm.run(arguments, environment, timeout, **streams)
    return done or subprocess.run(arguments, env=environment, timeout=timeout, check=False, **streams)
