"""The examples of docs/batch.md run, and print what the page says."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import CAPTURES
from test_dedup import ROLES
from test_deep_dive import capture as deep_dive

PROJECT = Path(__file__).parent.parent
PAGE = (PROJECT / "docs" / "batch.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, re.M | re.S)
SHOWN = re.findall(r"^    ((?:pywnv: |wnv ).*)$", PAGE, re.M)


@pytest.mark.wireshark
def test_the_examples(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("polars")
    (tmp_path / "captures").mkdir()
    loss, mix = (gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes()) for name in ("lbfo-tcp-loss", "mix"))
    for name in ("host.pcapng", "large.pcapng", "ring_00001.pcapng", "captures/host.pcapng"):
        (tmp_path / name).write_bytes(loss)
    for name in ("ring_00002.pcapng", "captures/mix.pcapng"):
        (tmp_path / name).write_bytes(mix)
    for name in ("vlan-drop-pspkt", "acl-drop-etwdump"):
        shutil.copy(deep_dive(name), tmp_path / "captures")
    nics = (f'[[nics]]\nname = "{name}"\nrole = "{role}"\ninterfaces = ["{name}"]\n' for name, role in ROLES.items())
    (tmp_path / "host.toml").write_text("".join(nics), "utf-8")
    shutil.copytree(PROJECT / "lua", tmp_path / "lua")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = ""
    assert len(EXAMPLES) >= 10
    for kind, text in EXAMPLES:
        arguments = ["sh", "-ec", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            arguments, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout or " -o " in text
        printed += done.stdout + done.stderr
    print(printed)
    for line in SHOWN:
        assert line in printed
