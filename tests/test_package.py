"""What other projects rely on: `python -m pywnv`, and types."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command import CAPTURES
from hatchling.builders.wheel import WheelBuilder
from release import PROJECT, plugin_zip

from pywnv import __version__
from pywnv.generate.profiles import PROFILES


def test_python_m_pywnv() -> None:
    run = subprocess.run([sys.executable, "-m", "pywnv", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"pywnv {__version__}\n"
    run = subprocess.run([sys.executable, "-m", "pywnv", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: python -m pywnv" in run.stdout


@pytest.mark.slow
def test_python_m_pywnv_with_processes(tmp_path: Path) -> None:
    """Processes that it starts import its main module again: they must not run the command again."""
    captures = [CAPTURES / "vlan.pcapng.gz", CAPTURES / "v6.pcapng.gz"]
    command = [sys.executable, "-m", "pywnv", "annotate", *map(str, captures), "-o", str(tmp_path / "rows"), "-j", "2"]
    subprocess.run(command, capture_output=True, check=True)
    assert len(list((tmp_path / "rows").glob("*.csv"))) == 2


def test_the_wheel_says_that_it_has_types(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(PROJECT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"pywnv/py.typed", "pywnv/__main__.py", "pywnv/lua/engine/engine.lua"} <= set(names)
    assert len(names) == len(set(names))


def test_the_zip_for_wireshark_holds_what_it_needs() -> None:
    with zipfile.ZipFile(io.BytesIO(plugin_zip())) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held.pop("plugins/wnv.lua") == (PROJECT / "lua/wnv.lua").read_bytes()
    assert b"GNU GENERAL PUBLIC LICENSE" in held.pop("LICENSE.txt")
    words = held.pop("README.txt").decode("ascii")  # any editor of Windows shows it
    assert "\r\n" in words
    for place in ("Help > About Wireshark > Folders", "Personal Lua Plugins", "Personal configuration"):
        assert place in words
    assert held == {
        path.relative_to(PROJECT).as_posix(): path.read_bytes()
        for path in (PROJECT / "profiles").rglob("*")
        if path.is_file()
    }
    assert {profile.name for profile in PROFILES} == {Path(name).parts[1] for name in held}


@pytest.mark.wireshark
def test_the_unpacked_zip_marks_a_capture(tmp_path: Path) -> None:
    """WIRESHARK_CONFIG_DIR has plugins and profiles side by side, as the usual folder on Windows does."""
    with zipfile.ZipFile(io.BytesIO(plugin_zip())) as archive:
        archive.extractall(tmp_path)
    show = ["tshark", "-C", "WNV", "-r", CAPTURES / "vlan.pcapng.gz", "-Y", "wnv.duplicate", "-c", "20"]
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(tmp_path)}
    run = subprocess.run([*map(str, show)], env=environment, capture_output=True, text=True, check=True)
    assert "duplicate" in run.stdout


def test_a_checkout_that_is_not_installed() -> None:
    command = [sys.executable, "-S", "-m", "pywnv", "--help"]  # -S: without what is installed
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("pywnv: not installed for ")
    assert run.stderr.count("\n") == 1


def test_ctrl_c_while_the_command_line_loads() -> None:
    code = (
        "import builtins, pywnv.__main__ as start\n"
        "real = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name == 'pywnv.cli.main': raise KeyboardInterrupt\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = interrupted\n"
        "start.main()"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "")
