"""A user's home, in which pywnv is run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from command import run

KEPT = ("PATH", "PYTHONPATH")


class Home:
    """A user's home, and pywnv run in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("COVERAGE_")}
        self.environment = kept | {"HOME": str(path)}

    def run(self, *arguments: object, rc: int = 0, **options: object) -> tuple[str, str]:
        done = run(*arguments, environment=self.environment, **options)
        assert done.returncode == rc, done.stderr
        return done.stdout.decode(), done.stderr.decode()

    def refuses(self, *arguments: object) -> str:
        """Runs pywnv: it ends with code 2 and one line, which is given back, and changes nothing."""
        before = self.tree()
        out, err = self.run(*arguments, rc=2)
        assert out == ""
        assert err.count("\n") == 1
        assert self.tree() == before
        return err

    def tree(self) -> dict[str, bytes | None]:
        """All that is in it: files with their bytes, and folders."""
        return {
            str(path.relative_to(self.path)): path.read_bytes() if path.is_file() else None
            for path in self.path.rglob("*")
        }

    def path_first(self, folder: Path) -> None:
        self.environment["PATH"] = f"{folder}:{os.environ['PATH']}"

    config = property(lambda self: self.path / ".config/wireshark")
    plugin = property(lambda self: self.path / ".local/lib/wireshark/plugins/wnv.lua")
    profile = property(lambda self: self.config / "profiles/WNV")


def fake(folder: Path, script: str) -> Path:
    """A tshark that does what a shell script says; `"$tshark"` is the real one."""
    folder.mkdir()
    tool = folder / "tshark"
    tool.write_text(f"#!/bin/sh\ntshark={shutil.which('tshark')}\n{script}\n")
    tool.chmod(0o755)
    return tool
