"""Runs the real command line, as a user would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PYWNV = Path(sys.executable).parent / "pywnv"
CAPTURES = Path(__file__).parent / "captures"
TIMEOUT = 180


def command(*arguments: object, before: str = "pass") -> list[str]:
    """A command line; `before` is Python that the new process runs before it becomes pywnv."""
    start = f"import os, sys; {before}; os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", start, str(PYWNV), *map(str, arguments)]


def run(
    *arguments: object,
    before: str = "pass",
    environment: dict[str, str] | None = None,
    timeout: float = TIMEOUT,
    **streams: object,
) -> subprocess.CompletedProcess[bytes]:
    """Runs pywnv to its end; what is not redirected by `streams` is captured."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(command(*arguments, before=before), env=environment, timeout=timeout, check=False, **streams)
