"""What a topology file changes: the rows, and a plugin and profile of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import windows_events as made
from command import run
from conftest import run_wireshark
from pcapng_blocks import interface, section

from pywnv.annotate.rows import Engine
from pywnv.generate.profiles import PROFILES

TOPOLOGY = f"""
[[nics]]
name = '{made.ODD}'
role = "pNIC"
interfaces = ["eth0"]
"""
CAPTURE = section() + interface("eth0") + made.packet(0, 0, made.ping(1))
HOP = f"pNIC {made.ODD}"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(CAPTURE)
    return path


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    path = tmp_path / "host.toml"
    path.write_text(TOPOLOGY)
    return path


@pytest.mark.parametrize("engine", [Engine.LUPA, pytest.param(Engine.TSHARK, marks=pytest.mark.wireshark)])
def test_annotate(capture: Path, topology: Path, engine: Engine) -> None:
    done = run("annotate", capture, "--topology", topology, "--engine", engine, "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, b"")
    row = json.loads(done.stdout)
    assert (row["hop"], row["hop_role"], row["path"]) == (HOP, "pNIC", HOP)


def test_annotate_with_a_list_of_pktmon(capture: Path, tmp_path: Path) -> None:
    mac = {"Name": "MAC Address", "Value": made.GUEST.hex("-")}
    other = {"Name": "MAC Address", "Value": made.ROUTER.hex("-")}
    listed = [
        {"Group": "g", "Components": [{"Id": 1, "Name": "a", "Type": "VM Nic", "Properties": [mac]}]},
        {"Group": "h", "Components": [{"Id": 2, "Name": "b", "Type": "VM Nic", "Properties": [other]}]},
    ]
    path = tmp_path / "pktmon.json"
    path.write_text(json.dumps(listed), "utf-16")  # as PowerShell's > does
    done = run("annotate", capture, "--topology", path, "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["direction"] == "internal"


@pytest.mark.parametrize("command", ["annotate", "generate"])
def test_a_wrong_topology(capture: Path, tmp_path: Path, command: str) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[[nics]]\nname = 5\n")
    before = set(tmp_path.iterdir())
    arguments = [capture, "-o", tmp_path / "out.csv"] if command == "annotate" else ["--folder", tmp_path]
    done = run(command, *arguments, "--topology", wrong)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"pywnv: {wrong}: nics[1].name: 5 must be a valid string\n"
    assert set(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("host", "host"),
        ("my.host-1", "my_host_1"),
        ('a]] os.execute("x") --', "a_os_execute_x"),
        ("\u4e3b\u673a", "host"),
        ("x" * 200, "x" * 60),
    ],
)
def test_generate(tmp_path: Path, topology: Path, stem: str, name: str) -> None:
    named = topology.rename(tmp_path / f"{stem}.toml")
    folder = tmp_path / "made"
    folder.mkdir()
    done = run("generate", "--topology", named, "--folder", folder, "--check")
    assert done.returncode == 1
    done = run("generate", "--topology", named, "--folder", folder)
    assert (done.returncode, done.stderr) == (0, b"")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    folders = {str(Path(file).parent) for file in files}
    assert folders == {"lua", *(f"profiles/{profile.name} {name}" for profile in PROFILES)}
    assert f"lua/wnv_{name}.lua" in files
    assert run("generate", "--topology", named, "--folder", folder, "--check").returncode == 0
    named.write_text(TOPOLOGY.replace("pNIC", "tNIC"))
    stale = run("generate", "--topology", named, "--folder", folder, "--check")
    assert (stale.returncode, stale.stderr.count(b"\n")) == (1, 1)


@pytest.mark.wireshark
def test_the_plugin_and_profile_made(tmp_path: Path, capture: Path, topology: Path) -> None:
    folder = tmp_path / "made"
    assert run("generate", "--topology", topology, "--folder", folder).returncode == 0
    config = tmp_path / "config"
    shutil.copytree(folder / "lua", config / "plugins")
    shutil.copytree(folder / "profiles", config / "profiles")
    shown = ["tshark", "-C", "WNV host", "-n", "-r", capture, "-T", "fields", "-e", "wnv.hop"]
    assert run_wireshark(shown, config) == f"{HOP}\n"
    assert f" {HOP} " in run_wireshark(["tshark", "-C", "WNV host", "-n", "-r", capture], config)
