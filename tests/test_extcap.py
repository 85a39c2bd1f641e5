"""The capture interface `pywnv` of Wireshark: what it answers, what it sends, and how it is put and found."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import etl_writer as w
import pytest
from command import CAPTURES, run
from home import Home, fake
from test_convert import FRAME
from test_convert_use import host_trace

from pywnv import extcap
from pywnv.wireshark.doctor import examine
from pywnv.wireshark.interface import starter
from pywnv.wireshark.tshark import find_tshark

CAPTURE = CAPTURES / "deep-dive/acl-drop-pspkt.pcapng"
SHOWN = ("frame.number", "frame.time_epoch", "frame.interface_name", "frame.packet_id", "frame.comment", "frame.len")


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Asks as Wireshark does: the exit code, and what was said."""

    def answer(*arguments: object) -> tuple[int, str, str]:
        handler = signal.getsignal(signal.SIGTERM)
        try:
            code = extcap.main([*map(str, arguments)])
        finally:
            signal.signal(signal.SIGTERM, handler)
        return code, *capfd.readouterr()

    return answer


def test_what_it_offers(ask: Callable[..., tuple[int, str, str]]) -> None:
    code, said, error = ask("--extcap-interfaces", "--extcap-version=4.6")
    assert (code, error) == (0, "")
    assert said.splitlines()[1:] == ["interface {value=pywnv}{display=Windows trace or capture, by pywnv}"]
    code, said, error = ask("--extcap-config", "--extcap-interface", "pywnv", "--of-a-later-version", "7")
    assert (code, error) == (0, "")
    file, host = said.splitlines()
    assert "{call=--file}" in file
    assert "{type=fileselect}{mustexist=true}{required=true}" in file
    assert "{call=--host}" in host
    assert "required" not in host
    assert ask("--extcap-dlts", "--extcap-interface", "pywnv")[1].startswith("dlt {number=1}{name=EN10MB}")
    assert "use a display filter" in ask("--extcap-interface", "pywnv", "--extcap-capture-filter", "tcp")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Wireshark runs this program"),
        (["--extcap-config", "--extcap-interface", "eth0"], "--extcap-interface eth0: there is pywnv only"),
        (["--capture", "--extcap-interface", "pywnv", "--fifo"], "argument --fifo: expected one argument"),
        (["--capture", "--extcap-interface", "pywnv", "--fifo", "/dev"], "/dev: Is a directory"),
    ],
)
def test_asked_wrongly(ask: Callable[..., tuple[int, str, str]], arguments: list[str], words: str) -> None:
    code, said, error = ask(*arguments)
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert words in error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no file was chosen; in tshark: -o extcap.pywnv.file:/whole/path.pcapng"),
        (["--file", "host.pcapng"], "host.pcapng: give its full path"),
        (["--file", CAPTURE, "--host", "host.toml"], "host.toml: give its full path"),
        (["--file", "/none\nat all"], "/none\ufffdat all: No such file or directory"),
        (["--file", "/dev"], "/dev: is a folder; name a file"),
        (["--file", __file__], f"{__file__}: is a text file, not a capture"),
        (["--file", CAPTURE, "--host", "/none"], "/none: No such file or directory"),
        (["--file", CAPTURE, "--extcap-capture-filter", "tcp"], "a capture filter cannot be used on a file"),
    ],
)
def test_what_cannot_be_sent(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path, options: list[object], words: str
) -> None:
    """One line, which Wireshark shows."""
    pipe = tmp_path / "pipe"
    pipe.touch()
    code, said, error = ask("--capture", "--extcap-interface", "pywnv", "--fifo", pipe, *options)
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"pywnv: {words}")
    assert pipe.read_bytes() == b""


def test_warnings_name_the_file_that_was_chosen(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """Wireshark shows each as an error: those that are none are not shown."""
    pipe, trace = tmp_path / "pipe", tmp_path / "host.etl"
    pipe.touch()
    asked = ("--capture", "--extcap-interface", "pywnv", "--fifo", pipe, "--file", trace)
    host_trace(trace)
    assert ask(*asked) == (0, "", "")  # though its event can hold no comment
    trace.write_bytes(w.etl([w.packet(1, 1, FRAME)], lost=3))
    assert ask(*asked) == (0, "", f"pywnv: warning: {trace}: Windows lost 3 events while it was recorded\n")
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(CAPTURE.read_bytes()[:-300])
    code, _, error = ask(*asked[:-1], cut)
    assert (code, error.count("\n")) == (0, 1)
    assert error.startswith(f"pywnv: warning: {cut}: ")
    assert pipe.stat().st_size > 0


@pytest.mark.parametrize("how", ["closed", signal.SIGTERM, signal.SIGINT])
def test_stopped(home: Home, tmp_path: Path, how: str | signal.Signals) -> None:
    """When the user stops the capture, there is no noise, and nothing is left."""
    pipe, tmp, trace = tmp_path / "pipe", tmp_path / "tmp", tmp_path / "many.etl"
    os.mkfifo(pipe)
    tmp.mkdir()
    trace.write_bytes(w.etl([w.packet(number, 1, FRAME) for number in range(1, 3000)]))  # more than a pipe holds
    program = tmp_path / "program"
    program.write_bytes(starter().data)
    program.chmod(0o755)
    asked = ["--capture", "--extcap-interface", "pywnv", "--fifo", pipe, "--file", trace]
    with subprocess.Popen(
        [program, *asked], env=home.environment | {"TMPDIR": str(tmp)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        with pipe.open("rb", buffering=0) as file:
            assert file.read(4) == b"\x0a\x0d\x0d\x0a"
            time.sleep(0.1)
            if how != "closed":
                process.send_signal(how)
                process.wait(60)
        assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == (128 + how if how == signal.SIGTERM else 0)
    assert list(tmp.iterdir()) == []


def test_the_path_of_python_may_be_odd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    odd = tmp_path / "it's $(touch here) `touch here` \"&\\ %PATH% é"
    odd.mkdir()
    (odd / "python").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (odd / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(odd / "python"))
    program = tmp_path / "program"
    program.write_bytes(starter("linux").data)
    program.chmod(0o755)
    said = subprocess.run([program, "--file", "a b $(touch here)"], capture_output=True, cwd=tmp_path, text=True)
    assert said.stdout == "-P|-m|pywnv.extcap|--file|a b $(touch here)|"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([odd.name, "program"])


def test_on_windows_it_is_what_pip_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Made(PurePosixPath):
        def locate(self) -> Path:
            return tmp_path / self.name

    (tmp_path / "pywnv-extcap.exe").write_bytes(b"MZ")
    made = [Made("../../Scripts/pywnv.exe"), Made("../../Scripts/pywnv-extcap.exe")]
    monkeypatch.setattr(importlib.metadata, "files", lambda _: made)
    program = starter("win32")
    assert (program.name, program.data) == ("pywnv-extcap.exe", b"MZ")
    monkeypatch.setattr(importlib.metadata, "files", lambda _: None)
    assert starter("win32") is None


def put(home: Home) -> list[Path]:
    return list(home.path.rglob("pywnv-extcap"))


@pytest.fixture
def findings(home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, str | None]]]:
    """What doctor finds without loading the plugin: words and remedies."""
    monkeypatch.setenv("HOME", str(home.path))
    monkeypatch.delenv("WIRESHARK_CONFIG_DIR", raising=False)
    monkeypatch.setattr("pywnv.wireshark.doctor.try_plugin", lambda *_: (True, []))
    return lambda: [(finding.words, finding.remedy) for finding in examine(find_tshark())]


@pytest.mark.wireshark
def test_put_found_and_removed(home: Home, findings: Callable[[], list[tuple[str, str | None]]]) -> None:
    listed = home.run("install")[0].splitlines()
    (program,) = put(home)
    assert str(program) in listed
    assert os.access(program, os.X_OK)
    name = f"{program}: the capture interface pywnv"
    assert (name, None) in findings()
    for broken, words in (
        (b"#!/bin/sh\necho warm >&2; echo cold >&2; exit 1\n", "it does not run: cold"),
        (b"#!/bin/sh\n", "it does not run: it does not say why"),
        (b"#!/nowhere\n", "it does not run: No such file or directory"),
        (b"#!/bin/sh\necho 'extcap {version=0.0.1}'; echo 'interface {value=pywnv}'\n", "of another version"),
    ):
        program.write_bytes(broken)
        assert (f"{name}, but {words}", "pywnv install --force") in findings()
    program.unlink()
    assert (f"{program}: no capture interface pywnv", "pywnv install") in findings()
    home.run("install")
    assert (name, None) in findings()
    # Wireshark keeps the file that was chosen in the preferences of the profile: no change of the user's.
    with (home.profile / "preferences").open("a") as file:
        file.write("extcap.pywnv.file: /captures/host.etl\n")
    assert not [words for words, _ in findings() if "with your changes" in words]
    home.run("uninstall")
    assert home.tree() == {}


@pytest.mark.wireshark
def test_it_moves_with_the_version(home: Home, tmp_path: Path) -> None:
    """Wireshark 4.0 looks in the configuration, newer ones beside the plugins."""
    beside, within = home.plugin.parent.with_name("extcap"), home.config / "extcap"
    folders = '"$tshark" -G folders | grep -v "^Personal Extcap path"'
    old = fake(tmp_path / "old", f'if [ "$1" = -G ]; then {folders}; else exec "$tshark" "$@"; fi')
    new = fake(
        tmp_path / "new",
        f'if [ "$1" = -G ]; then {folders}; echo "Personal Extcap path: {beside}"; else exec "$tshark" "$@"; fi',
    )
    for tool, folder in ((old, within), (new, beside), (old, within)):
        home.run("install", "--tshark", tool)
        assert put(home) == [folder / "pywnv-extcap"]
        assert beside.exists() == (folder == beside)
    home.run("uninstall", "--tshark", old)
    assert home.tree() == {}


@pytest.fixture
def open_home() -> Iterator[Home]:
    """A home with pywnv installed that all may enter: a newer tshark that root starts is nobody."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Home(Path(folder))
        home.run("install")
        yield home


@pytest.fixture
def captured(open_home: Home, tmp_path: Path) -> Callable[..., tuple[Path, str]]:
    """What `tshark -i pywnv` writes, and what it says."""

    def capture(*options: str) -> tuple[Path, str]:
        out = tmp_path / "out.pcapng"
        command = ["tshark", "-Q", "-i", "pywnv", *options, "-w", "-"]
        with out.open("wb") as file:
            done = subprocess.run(
                command, env=open_home.environment, stdout=file, stderr=subprocess.PIPE, text=True, timeout=120
            )
        if "Couldn't run" in done.stderr:
            pytest.skip("this tshark has no dumpcap")
        words = [line for line in done.stderr.splitlines() if line.removeprefix("tshark: ").strip()]
        return out, "\n".join(line for line in words if not line.startswith("Running as user"))

    return capture


def shown(capture: Path) -> str:
    named = [part for name in SHOWN for part in ("-e", name)]
    return subprocess.run(["tshark", "-r", capture, "-T", "fields", *named], capture_output=True, text=True).stdout


@pytest.mark.wireshark
def test_tshark_gets_what_annotate_writes(
    captured: Callable[..., tuple[Path, str]], unpacked: Callable[[str], Path], tmp_path: Path
) -> None:
    """Of a capture and of a trace, with and without a topology file, and from a file of any name."""
    odd, trace = tmp_path / 'a & b\'s "$(c)" : é.pcapng', tmp_path / "host.etl"
    shutil.copy(unpacked("lbfo-tcp-loss"), odd)
    host_trace(trace)
    topology = CAPTURES / "lab.toml"
    for capture, host in ((odd, None), (odd, topology), (trace, None)):
        wanted, known = tmp_path / "wanted.pcapng", ("--topology", host) if host else ()
        assert run("annotate", capture, "-o", wanted, "--force", *known).returncode == 0
        out, words = captured("-o", f"extcap.pywnv.file:{capture}", "-o", f"extcap.pywnv.host:{host or ''}")
        assert words == ""
        assert shown(out) == shown(wanted) != ""
        assert run("annotate", out, *known).stdout == run("annotate", capture, *known).stdout


@pytest.mark.wireshark
def test_tshark_says_what_is_wrong(captured: Callable[..., tuple[Path, str]], open_home: Home) -> None:
    _, words = captured("-o", "extcap.pywnv.file:host.pcapng")
    assert words.endswith(" extcap pipe: pywnv: host.pcapng: give its full path")
    # Wireshark's dialog, or the user's hand, has written it to the preferences.
    with (open_home.config / "preferences").open("a") as file:
        file.write("extcap.pywnv.file: /none.etl\n")
    assert captured()[1].endswith(" extcap pipe: pywnv: /none.etl: No such file or directory")
