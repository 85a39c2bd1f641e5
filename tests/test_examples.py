"""The scripts in examples/ run, and answer what their page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples"
ANSWERS = {
    "black_and_red.py": ["3013 frames show 1004 packets:", "2009 duplicate", "1004 original"],
    "dropped.py": ["Frame 2: packet 1 was dropped: Failed security policy", "Get-VMNetworkAdapterAcl"],
    "folder.py": ["6 3 2 3 acl-drop-pspkt.pcapng"],
    "latency.py": ["team0 pnic0 505"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
def test_an_example(name: str) -> None:
    if name == "latency.py":
        pytest.importorskip("duckdb")
        pytest.importorskip("pyarrow")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, FOLDER / name], env=environment, capture_output=True, check=True)
    printed = " ".join(run.stdout.decode().split())
    assert run.stderr == b""
    for words in ANSWERS[name]:
        assert words in printed


def test_drops_of_events() -> None:
    """An event's packet has a path; whoever reads the first lines only, as `head` does, sees no traceback."""
    capture = FOLDER.parent / "tests" / "captures" / "rules" / "journal-flood-n.pcapng.gz"
    command = [sys.executable, FOLDER / "dropped.py", capture]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"Frame 29: packet 28 was dropped: Failed security policy\n    its path: vmNIC BCA371BB-" in done.stdout
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert gone.stderr == b""


def test_every_example_is_listed_and_tried() -> None:
    scripts = {path.name for path in FOLDER.glob("*.py")}
    assert scripts == set(ANSWERS)
    assert scripts == set(re.findall(r"\]\((\w+\.py)\)", (FOLDER / "README.md").read_text("utf-8")))
