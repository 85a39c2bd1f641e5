"""pywnv validate finds what is broken: plugins that were spoilt, and the samples in a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import CAPTURES
from validating import UDPSAME, VLAN_LOSS, Settings, found, truth_of

from pywnv.generate.plugin import plugin_lua

# What stands between Wireshark and the engine, and spoils it.
MAIN = "return modules.engine, modules.drops"
BEFORE_EACH_FRAME = (
    """
local new = modules.engine.new
modules.engine.new = function(...)
  local engine = new(...)
  local read, look, first = engine.read, engine.look, nil
  engine.read = function(frame)
    %s
    read(frame)
  end
  engine.look = function(frame)
    %s
    look(frame)
  end
  return engine
end
"""
    + MAIN
)
MERGES_EQUAL = BEFORE_EACH_FRAME % (
    "first = first or { frame.buf, frame.stop, frame.length }"
    " frame.buf, frame.stop, frame.length = first[1], first[2], first[3]",
    "",
)
MARKS_NOTHING = BEFORE_EACH_FRAME % ("", "frame.time = nil")
RAISES = BEFORE_EACH_FRAME % ("", "error('no')")
MERGES_NEAR = (
    """
local describe = modules.engine.describe
modules.engine.describe = function(into, node, packet, ...)
  return describe(into, node, packet - (packet - 1) % 8, ...)
end
"""
    + MAIN
)


@pytest.fixture
def spoil(config: Path) -> Callable[..., Settings]:
    """Installs a plugin that is broken in a way: the settings in which Wireshark loads it."""

    def install(how: str, instead_of: str = MAIN) -> Settings:
        whole = plugin_lua()
        assert whole.count(instead_of) == 1
        (config / "plugins" / "wnv.lua").write_text(whole.replace(instead_of, how), "utf-8")
        return {**os.environ, "WIRESHARK_CONFIG_DIR": str(config)}

    return install


@pytest.mark.wireshark
def test_an_engine_that_merges_too_much(spoil: Callable[..., Settings]) -> None:
    environment = spoil(MERGES_EQUAL)
    one = found(VLAN_LOSS, truth_of(VLAN_LOSS), rc=1, environment=environment)
    assert one["measures"]["packets"]["precision"] < 0.9
    why = one["differences"][0]["why"]
    assert why[0].startswith("Wireshark shows something else than this pywnv decides: is another plugin installed?")


@pytest.mark.wireshark
def test_an_engine_that_compares_no_data(spoil: Callable[..., Settings]) -> None:
    environment = spoil("if false then", instead_of="if known ~= content then")
    capture = CAPTURES / "hard/same_headers.pcapng.gz"
    one = found(capture, truth_of(capture), rc=1, environment=environment)
    assert one["measures"]["packets"]["precision"] < 0.99


@pytest.mark.wireshark
def test_an_engine_that_marks_nothing(spoil: Callable[..., Settings], tmp_path: Path) -> None:
    environment, junit = spoil(MARKS_NOTHING), tmp_path / "found.xml"
    one = found(VLAN_LOSS, truth_of(VLAN_LOSS), "--junit", junit, rc=1, environment=environment)
    assert one["measures"]["packets"] == {"right": 0, "shown": 0, "true": 1362, "precision": 1, "recall": 0}
    assert not one["passed"]
    (failure,) = ElementTree.parse(junit).getroot().iter("failure")
    assert failure.get("message") == "recall of packets 0, wanted 1"
    assert failure.text.startswith("Frame 2 is another packet than frame 1, as shown; in truth it is the same\n")
    found(VLAN_LOSS, truth_of(VLAN_LOSS), "--min-recall", "0", environment=environment)


@pytest.mark.wireshark
def test_a_plugin_that_raises_errors(spoil: Callable[..., Settings]) -> None:
    one = found(UDPSAME, truth_of(UDPSAME), rc=1, environment=spoil(RAISES))
    assert one["measures"]["packets"]["recall"] == one["measures"]["hop"]["recall"] == 0


# The samples as they are shipped.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a wheel of this package is unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=Path(__file__).parent.parent, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 1_500_000
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, folder / "site"], check=True)
    return folder / "site"


@pytest.mark.wireshark
def test_a_wheel_runs_its_own_samples(site: Path, spoil: Callable[..., Settings], tmp_path: Path) -> None:
    """All are there; three are run, first with the plugin as it is, then with one that merges what is near."""
    listed = (site / "pywnv/samples/samples.csv").read_text("utf-8").splitlines(keepends=True)
    for line in listed[1:]:
        capture = site / "pywnv/samples" / line.partition(",")[0]
        assert capture.is_file()
        assert truth_of(capture).is_file()
    (site / "pywnv/samples/samples.csv").write_text("".join(listed[:4]), "utf-8")

    def validate(environment: Settings) -> tuple[int, list[str]]:
        code = "from pywnv.cli.main import main; import sys; sys.argv = ['pywnv', 'validate']; main()"
        environment = environment | {"PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    code, lines = validate(dict(os.environ))
    assert (code, lines[4]) == (0, "3 of 3 samples are shown as they should be.")
    code, lines = validate(spoil(MERGES_NEAR))
    assert (code, lines[4]) == (1, "0 of 3 samples are shown as they should be.")
    assert "which is installed" in lines[0]
    assert [line.partition(":")[0] for line in lines[1:4]] == [
        "wrong  udpsame",
        "wrong  single-udpsame",
        "wrong  vlan-loss",
    ]
    assert lines[1].endswith("; Frame 5 is one packet with frame 4, as shown; in truth it is another")
