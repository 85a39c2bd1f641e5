"""The command line at first sight."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pywnv import __version__

PYWNV = Path(sys.executable).with_name("pywnv")


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("annotate", "view", "generate", "install"))]
)
def test_help(arguments: list[str]) -> None:
    run = subprocess.run([PYWNV, *arguments], capture_output=True, text=True, check=True)
    assert "Usage: pywnv" in run.stdout
    assert run.stderr == ""
    if arguments[1:]:
        assert "Example: pywnv" in run.stdout


@pytest.mark.parametrize("group", [[], ["host"]], ids=" ".join)
def test_help_is_not_cut(group: list[str]) -> None:
    run = subprocess.run([PYWNV, *group, "--help"], capture_output=True, text=True, check=True)
    assert not [line for line in run.stdout.splitlines()[1:] if line.endswith("...")]
    assert max(map(len, run.stdout.splitlines())) <= 80


def test_the_default_window_has_its_unit() -> None:
    from pywnv.lua import lua_text
    from pywnv.lua.runtime import lua_runtime

    window = lua_runtime().execute(lua_text("engine/limits.lua").encode())[b"window"]
    run = subprocess.run([PYWNV, "annotate", "--help"], capture_output=True, text=True, check=True)
    assert f"Default: {window:g} seconds." in " ".join(run.stdout.split())


def test_version() -> None:
    run = subprocess.run([PYWNV, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"pywnv {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, pywnv.cli; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"lupa", "jinja2", "rich.progress", "asyncio", "pyshark"}
    assert heavy.isdisjoint(run.stdout.split())


@pytest.mark.parametrize(
    ("typed", "wanted"), [("in", {"inspect", "install"}), ("host ", {"lint", "script", "show", "test"})]
)
def test_tab_completes_commands(typed: str, wanted: set[str]) -> None:
    words = f"pywnv {typed}"
    asked = {"_PYWNV_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    run = subprocess.run([PYWNV], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert set(run.stdout.split()) == wanted
