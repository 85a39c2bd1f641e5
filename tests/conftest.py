"""What the tests share: captures, the tshark in PATH, goldens."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from home import Home

from pywnv.generate.plugin import plugin_lua

PROJECT = Path(__file__).parent.parent
CAPTURES = PROJECT / "tests" / "captures"
GOLDEN = PROJECT / "tests" / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="take what comes out now for what must come out")
    parser.addoption("--fast", action="store_true", help="no Wireshark, nothing marked slow, only LuaJIT")
    parser.addoption("--lua-coverage", action="store_true", help="report which lines of Lua run under lupa; slow")


def pytest_configure(config: pytest.Config) -> None:
    # `nohup` and `&` ignore signals, and so would all that the tests start; what a handler does is not passed on.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    if config.getoption("--lua-coverage"):
        from lua_coverage import Plugin  # before a test module takes the function that it replaces

        config.pluginmanager.register(Plugin(config))


def _is_fast(item: pytest.Item) -> bool:
    if any(map(item.get_closest_marker, ("gui", "wireshark", "slow"))):
        return False
    given = getattr(item, "callspec", None)
    return given is None or given.params.get("runtime", "luajit21") == "luajit21"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        config.hook.pytest_deselected(items=[item for item in items if not _is_fast(item)])
        items[:] = filter(_is_fast, items)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compares bytes with a file of tests/golden."""

    def compare(name: str, found: bytes) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(found)
        wanted = path.read_bytes() if path.exists() else b""
        test = request.node.nodeid.partition("[")[0]
        how = f"if this is right: .venv/bin/pytest --update-goldens {test}"
        assert found.decode().splitlines() == wanted.decode().splitlines(), how

    return compare


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacks a capture of tests/captures, once a session."""
    folder = tmp_path_factory.mktemp("captures")

    def unpack(name: str) -> Path:
        path = folder / f"{name}.pcapng"
        if not path.exists():
            path.write_bytes(gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes()))
        return path

    return unpack


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A Wireshark configuration folder of its own, with the plugin and our profiles installed."""
    folder = tmp_path / "config"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "wnv.lua").write_text(plugin_lua(), "utf-8")
    shutil.copytree(PROJECT / "profiles", folder / "profiles")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    path = tmp_path / "home"
    path.mkdir()
    return Home(path)


def run_wireshark(command: list[str | Path], config: Path | None = None, *, stdin: str = "") -> str:
    """Runs one of Wireshark's commands, which must succeed without a word on stderr; returns its output."""
    environment = dict(os.environ)
    if config:
        environment["WIRESHARK_CONFIG_DIR"] = str(config)
    run = subprocess.run(
        list(map(str, command)), env=environment, input=stdin, capture_output=True, text=True, check=False
    )
    words = [
        line
        for line in run.stderr.splitlines()
        # sharkd greets; Debian's 4.0 warns root.
        if line and not line.startswith(("Running as user", "Hello in child", "load: filename"))
    ]
    assert not words, words
    assert run.returncode == 0
    return run.stdout


# The plugin keeps an error of its dissector to itself, as it must; where this stands instead, Wireshark gets it.
QUIET, LOUD = "pcall(dissect, tvb, pinfo, tree)", "dissect(tvb, pinfo, tree)"
ON_ERROR = """
local errors = Listener.new("frame", "_ws.lua.error")
function errors.packet(pinfo) io.stderr:write("Lua error in frame ", pinfo.number, "\\n") end
"""


@pytest.fixture
def tshark(tmp_path: Path) -> Callable[..., list[list[str]]]:
    """Runs tshark with the plugin, in which nothing may raise an error: the values of fields, a row a frame."""
    quiet = plugin_lua()
    assert quiet.count(QUIET) == 1
    plugin, listener = tmp_path / "wnv.lua", tmp_path / "on_error.lua"
    plugin.write_text(quiet.replace(QUIET, LOUD), "utf-8")
    listener.write_text(ON_ERROR, "utf-8")
    base = ["tshark", "-n", "-X", f"lua_script:{plugin}", "-X", f"lua_script:{listener}"]

    def run(capture: Path, fields: list[str], *options: str) -> list[list[str]]:
        named = [part for field in fields for part in ("-e", field)]
        text = run_wireshark([*base, "-r", capture, *options, "-T", "fields", *named])
        return [line.split("\t") for line in text.splitlines()]

    return run
