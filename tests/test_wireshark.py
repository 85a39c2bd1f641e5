"""What pywnv says of a tshark that cannot do the work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import run

from pywnv.wireshark.tshark import LUA_SKIPS_ROOT, find_tshark, version

pytestmark = pytest.mark.wireshark

CAPTURE = Path(__file__).parent / "captures" / "udpsame.pcapng.gz"


def test_version() -> None:
    assert version(find_tshark()) >= (4, 0, 0)


def test_root_is_told_why_the_plugin_is_missing() -> None:
    """From 4.4 on, tshark run as root skips Lua scripts without a word; before, the plugin works for root too."""
    done = run("annotate", CAPTURE, "--engine", "tshark", environment={**os.environ, "PYWNV_KEEP_ROOT": "1"})
    if os.geteuid() == 0 and version(find_tshark()) >= LUA_SKIPS_ROOT:
        assert done.returncode == 2
        assert b"run as root, it loads no Lua plugin" in done.stderr
        assert done.stdout == b""
    else:
        assert done.returncode == 0
        assert done.stderr == b""


def test_no_tshark(tmp_path: Path) -> None:
    done = run("annotate", CAPTURE, "--engine", "tshark", environment={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.startswith(b"pywnv: tshark: not found in PATH; install Wireshark 4.0 or newer")
    assert done.stderr.count(b"\n") == 1
