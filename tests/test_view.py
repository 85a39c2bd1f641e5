"""pywnv view: what Wireshark gets to see, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import etl_writer as w
import pytest
from command import CAPTURES, command, run
from home import Home
from test_convert import FRAME
from test_window import COPY, HEIGHT, WIDTH, version
from window import RECENT_COMMON, Window, desktop, missing_packages, wait_for

from pywnv.view import window_name

CAPTURE = CAPTURES / "deep-dive/acl-drop-pspkt.pcapng"

# What it was given: arguments, modes and bytes.
WIRESHARK = """\
import json, os, shutil, sys
from pathlib import Path
path, folder = Path(sys.argv[-1]), Path({folder!r})
modes = [path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777]
shutil.copy(path, folder / "shown.pcapng")
(folder / "given.json").write_text(json.dumps([os.getpid(), modes, sys.argv[1:]]))
"""


class Fake:
    """A program called wireshark that keeps what it was given, then does as it is told."""

    def __init__(self, home: Home, folder: Path, then: str = "") -> None:
        self.home, self.folder, self.tmp = home, folder / "fake", folder / "tmp"
        self.folder.mkdir()
        self.tmp.mkdir()
        program = self.folder / "wireshark"
        program.write_text(f"#!{sys.executable}\n{WIRESHARK.format(folder=str(self.folder))}\n{then}\n")
        program.chmod(0o755)
        home.path_first(self.folder)
        home.environment |= {"TMPDIR": str(self.tmp), "DISPLAY": ":none"}

    @property
    def shown(self) -> bytes:
        return (self.folder / "shown.pcapng").read_bytes()

    @property
    def given(self) -> tuple[int, list[int], list[str]]:
        return tuple(json.loads((self.folder / "given.json").read_text()))


def annotated(*arguments: object) -> bytes:
    return run("annotate", *arguments, "--format", "pcapng").stdout


@pytest.mark.slow
def test_the_file_is_private_and_goes(home: Home, tmp_path: Path) -> None:
    fake = Fake(home, tmp_path)
    out, words = home.run("view", CAPTURE)
    assert out == ""
    assert words == "pywnv: warning: the profile WNV is missing, so Wireshark looks as usual; run `pywnv install`\n"
    assert fake.shown == annotated(CAPTURE)
    _, modes, arguments = fake.given
    assert modes == [0o600, 0o700]
    assert arguments[:-1] == ["-r"]
    assert Path(arguments[-1]).name == "acl-drop-pspkt.annotated.pcapng"
    assert Path(arguments[-1]).parent.parent == fake.tmp
    assert list(fake.tmp.iterdir()) == []


@pytest.mark.wireshark
def test_the_profile(home: Home, tmp_path: Path) -> None:
    home.run("install")
    fake = Fake(home, tmp_path)
    assert home.run("view", CAPTURE) == ("", "")
    assert fake.given[2][:2] == ["-C", "WNV"]
    home.run("view", CAPTURE, "--profile", "Mine")
    assert fake.given[2][:2] == ["-C", "Mine"]


@pytest.mark.slow
def test_what_is_known_of_the_host(home: Home, tmp_path: Path) -> None:
    fake, topology = Fake(home, tmp_path), CAPTURES / "deep-dive/contoso01.toml"
    home.run("view", CAPTURE, "--topology", topology)
    assert fake.shown == annotated(CAPTURE, "--topology", topology) != annotated(CAPTURE)


@pytest.mark.slow
def test_a_trace_and_a_series(home: Home, tmp_path: Path, unpacked: Callable[[str], Path]) -> None:
    fake, trace = Fake(home, tmp_path), tmp_path / "host.etl"
    trace.write_bytes(w.etl([w.packet(1, 1, FRAME), w.packet(2, 1, FRAME)]))
    home.run("view", trace)
    assert b"first seen" in fake.shown
    assert Path(fake.given[2][-1]).name == "host.annotated.pcapng"
    series = unpacked("udpsame"), unpacked("lbfo-tcp-loss")
    home.run("view", *series)
    assert fake.shown == annotated(*series, "--series")
    assert Path(fake.given[2][-1]).name == "udpsame and 1 more.annotated.pcapng"


@pytest.mark.slow
@pytest.mark.parametrize(
    "then", ["open(path, 'ab').write(b'mine')", "(path.parent / 'mine.pcapng').touch()"], ids=["save", "save as"]
)
def test_what_the_user_saved_there_is_kept(home: Home, tmp_path: Path, then: str) -> None:
    fake = Fake(home, tmp_path, then)
    _, words = home.run("view", CAPTURE)
    (folder,) = fake.tmp.iterdir()
    assert words.endswith(f"pywnv: warning: {folder}: kept, as you saved something there\n")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ended_by_a_signal(home: Home, tmp_path: Path, number: signal.Signals) -> None:
    """Wireshark ends with it, and the file is gone."""
    fake = Fake(home, tmp_path, "import time; time.sleep(60)")
    with subprocess.Popen(command("view", CAPTURE), env=home.environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (fake.folder / "given.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        while not (fake.folder / "given.json").read_text():
            time.sleep(0.02)
        process.send_signal(number)
        _, words = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert b"Traceback" not in words
    assert list(fake.tmp.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(fake.given[0], 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "words"),
    [
        (
            "sys.exit('warning\\nqt: could not connect to display :none\\nAborted')",
            "1: qt: could not connect to display :none",
        ),
        ("sys.exit('first\\nlast\\n')", "1: last"),
        ("sys.exit(3)", "3: it does not say why"),
        ("os.kill(os.getpid(), 9)", "-9: it does not say why"),
    ],
)
def test_a_wireshark_that_fails(home: Home, tmp_path: Path, then: str, words: str) -> None:
    fake = Fake(home, tmp_path, then)
    _, said = home.run("view", CAPTURE, rc=2)
    assert said.splitlines()[1:] == [f"pywnv: {fake.folder / 'wireshark'}: ended with code {words}"]
    assert list(fake.tmp.iterdir()) == []


@pytest.mark.slow
def test_input_that_cannot_be_shown(home: Home, tmp_path: Path) -> None:
    fake, text = Fake(home, tmp_path), tmp_path / "text"
    text.write_text("no capture\n")
    for wrong, said in (
        ([tmp_path / "none"], "No such file"),
        ([text], "is a text file, not a capture"),
        ([tmp_path / "none", CAPTURE], "No such file"),
        ([CAPTURE, CAPTURE], "is given twice; give it once"),
        ([CAPTURE, "--topology", tmp_path / "none"], "No such file"),
    ):
        _, words = home.run("view", *wrong, rc=2)
        assert said in words.splitlines()[-1]
        assert not (fake.folder / "given.json").exists()
        assert list(fake.tmp.iterdir()) == []


@pytest.mark.slow
def test_no_room(home: Home, tmp_path: Path) -> None:
    fake = Fake(home, tmp_path)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    done = run("view", CAPTURE, before=limit, environment=home.environment)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].endswith("File too large")
    assert list(fake.tmp.iterdir()) == []


def test_no_wireshark_or_no_display(home: Home, tmp_path: Path) -> None:
    Fake(home, tmp_path)
    del home.environment["DISPLAY"]
    assert "no display to open a window on (DISPLAY is not set); write a file with `pywnv annotate" in home.refuses(
        "view", CAPTURE
    )
    home.environment["PATH"] = "/nonexistent"
    assert "wireshark: not found in PATH; install Wireshark 4.0 or newer" in home.refuses("view", CAPTURE)


@pytest.mark.parametrize(
    ("captures", "name"),
    [
        (["/a/host.pcapng"], "host"),
        (["host.pcapng.gz"], "host"),
        (["host.1.etl"], "host.1"),
        (["-"], "stdin"),
        (["ring_1.pcapng", "ring_2.pcapng", "ring_3.pcapng"], "ring_1 and 2 more"),
        (["é" * 200 + ".pcap"], "é" * 50),
        (["-rf"], "-rf"),
    ],
)
def test_the_title_says_what_is_shown(captures: list[str], name: str) -> None:
    assert window_name([Path(capture) for capture in captures]) == f"{name}.annotated.pcapng"


@pytest.mark.wireshark
@pytest.mark.gui
def test_the_window(home: Home, tmp_path: Path) -> None:
    """With the profile's colours, under the capture's name; closed, nothing is left."""
    if missing := missing_packages():
        pytest.fail(f"missing here, please run: apt-get install {' '.join(missing)}")
    if version("wireshark") != version("tshark"):
        pytest.skip(f"no window of {version('tshark')} here")
    home.run("install")
    (home.config / "recent_common").write_text(RECENT_COMMON.format(width=WIDTH, height=HEIGHT))
    tmp, log = tmp_path / "tmp", tmp_path / "log"
    tmp.mkdir()
    with desktop(home.path, WIDTH + 50, HEIGHT + 50) as env, log.open("wb") as words:
        env |= home.environment | {"TMPDIR": str(tmp)}
        with subprocess.Popen(
            command("view", CAPTURES / "lbfo-tcp-loss.pcapng.gz"), env=env, stdout=words, stderr=words
        ) as process:
            try:
                window = Window(process, "lbfo-tcp-loss.annotated.pcapng", env, log)
                wait_for("copies in their colour", lambda: window.look().share(COPY) > 0.1)
                assert window.others() == []
                window.quit()
            finally:
                process.terminate()
    assert process.returncode == 0
    assert log.read_text() == ""
    assert list(tmp.glob("pywnv*")) == []
