"""The profile in the real tshark: columns, colours and filters as they will be seen."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import run_wireshark

from pywnv.profile import PROFILES, TCP_TROUBLE, Button

pytestmark = pytest.mark.wireshark

Unpack = Callable[[str], Path]


def test_columns(unpacked: Unpack, config: Path) -> None:
    text = run_wireshark(["tshark", "-C", "WNV", "-n", "-r", unpacked("mix"), "-c", "4"], config)
    last = text.splitlines()[-1].split()
    assert last[2:5] == ["pnic0", "4", "0.000003535"]


def test_colours(unpacked: Unpack, config: Path) -> None:
    """No rule is refused (stderr stays empty), and each frame gets the rule that it should."""
    command = ["tshark", "-C", "WNV", "--color", "-n", "-r", unpacked("lbfo-tcp-wiredup"), "-T", "fields"]
    text = run_wireshark([*command, "-e", "wnv.duplicate", "-e", "frame.coloring_rule.name"], config)
    rules = Counter((bool(mark), rule) for mark, rule in (line.split("\t") for line in text.split("\n")[:-1]))
    assert rules[True, "WNV duplicate"] == 1817
    assert {rule for duplicate, rule in rules if duplicate} == {"WNV duplicate"}
    assert rules[False, "WNV repeat"] > 0


@pytest.mark.parametrize(
    "button", [button for profile in PROFILES for button in profile.buttons], ids=lambda b: b.label
)
def test_buttons(unpacked: Unpack, config: Path, button: Button) -> None:
    shown = run_wireshark(["tshark", "-n", "-r", unpacked("lbfo-tcp-loss"), "-Y", button.filter], config)
    assert 0 < len(shown.splitlines()) < 2932


@pytest.mark.parametrize("name", ["lbfo-tcp", "lbfo-tcp-loss", "v6-loss"])
def test_real_tcp_trouble_is_that_of_a_single_tap(unpacked: Unpack, config: Path, name: str, tmp_path: Path) -> None:
    """The copies raise no alarm, and hide none: as many as where one hop alone was captured."""
    capture = unpacked(name)
    shown = run_wireshark(["tshark", "-n", "-r", capture, "-Y", TCP_TROUBLE], config)
    hop = tmp_path / "pnic0.pcapng"
    hop.write_bytes(_only(capture, "pnic0"))
    alone = run_wireshark(["tshark", "-n", "-r", hop, "-Y", TCP_TROUBLE.replace(" && !wnv.duplicate", "")])
    everything = run_wireshark(["tshark", "-n", "-r", capture, "-Y", "tcp.analysis.flags"])
    assert len(shown.splitlines()) == len(alone.splitlines())
    assert len(everything.splitlines()) > 10 * len(alone.splitlines())


def _only(capture: Path, hop: str) -> bytes:
    command = ["tshark", "-n", "-r", capture, "-Y", f"frame.interface_name == {hop}", "-w", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout
