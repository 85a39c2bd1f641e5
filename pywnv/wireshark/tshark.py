"""Finds tshark, runs it with the plugin, and turns its error messages into pywnv's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pywnv.capture.source import STDIN
from pywnv.errors import CaptureError, WiresharkError
from pywnv.files.descriptor import descriptor
from pywnv.generate.plugin import QUIET, plugin_lua

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

OLDEST = (4, 0)
HOME_PAGE = "https://www.wireshark.org/download.html"

# Where installers put Wireshark and tshark without telling PATH.
USUAL_FOLDERS = {
    "win32": (r"C:\Program Files\Wireshark", r"C:\Program Files (x86)\Wireshark"),
    "darwin": ("/Applications/Wireshark.app/Contents/MacOS",),
}

ESCAPES_BACKSLASHES = (4, 2)  # in `-T fields`; measured on 4.0 (no), 4.4 and 4.6 (yes)
LUA_SKIPS_ROOT = (4, 4)  # from this version on, Lua scripts are silently not loaded for root


def find_tshark() -> str:
    """The path of the tshark to use: the one in PATH, else where installers put it.

    Raises:
        WiresharkError: there is none.
    """
    if found := _find("tshark"):
        return found
    raise WiresharkError(_not_found("tshark"))


def find_wireshark() -> str:
    """The path of the Wireshark to use, which has windows, found likewise.

    Raises:
        WiresharkError: there is none.
    """
    if found := _find("Wireshark" if sys.platform in USUAL_FOLDERS else "wireshark"):
        return found
    raise WiresharkError(_not_found("wireshark"))


def _not_found(program: str) -> str:
    usual = USUAL_FOLDERS.get(sys.platform, ())
    where = f"(from {HOME_PAGE})" if usual else f"(Debian: apt-get install {program})"
    return f"{program}: not found in {' or '.join(('PATH', *usual))}; install Wireshark 4.0 or newer {where}"


def _find(program: str) -> str | None:
    usual = USUAL_FOLDERS.get(sys.platform, ())
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(usual))


@cache
def version(tshark: str) -> tuple[int, int, int]:
    """The version of a tshark, as (4, 0, 17); (0, 0, 0) where it does not say."""
    run = subprocess.run([tshark, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", run.stdout)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def _escapes_backslashes(tshark: str) -> bool:
    return version(tshark) >= ESCAPES_BACKSLASHES


def plain_text(value: str) -> str:
    """A text as the plugin gave it, from how this tshark writes it in `-T fields`.

    The engine leaves no control characters in names, so only backslashes are ever escaped.
    """
    if "\\" in value and _escapes_backslashes(find_tshark()):
        return value.replace("\\\\", "\\")
    return value


def _complain(tshark: str, capture: Path, words: str) -> NoReturn:
    """Raises the error that tshark's words mean."""
    if "unknown preference" in words:  # the one we set, so the plugin is not there
        raise WiresharkError(_why_no_plugin(tshark))
    if "wnv.ends" in words:  # which only the plugin for rows has
        raise WiresharkError(f"{capture}: tshark has loaded an older plugin that is installed; run `pywnv install`")
    lines = [line.removeprefix("tshark: ") for line in words.splitlines() if not line.startswith("Running as user")]
    raise CaptureError(f"{capture}: tshark: {' '.join(lines) or 'failed without a message'}")


def _why_no_plugin(tshark: str) -> str:
    found = version(tshark)
    name = f"{tshark} {'.'.join(map(str, found))}"
    if found < OLDEST:
        return f"{name}: too old for the plugin; install Wireshark 4.0 or newer"
    if found >= LUA_SKIPS_ROOT and hasattr(os, "geteuid") and os.geteuid() == 0:
        return (
            f"{name}: run as root, it loads no Lua plugin; run it as an ordinary user, or annotate with --engine lupa"
        )
    return f"{name}: did not load the plugin; is it built with Lua? see `tshark --version`"


@contextmanager
def plugin_file(topology: Topology | None, *, for_rows: bool = False) -> Iterator[Path]:
    """The plugin as a file for `-X lua_script:`, in a folder that is private and goes afterwards.

    Args:
        topology: names and roles in the host, or None.
        for_rows: as `plugin_lua` takes it.
    """
    with tempfile.TemporaryDirectory(prefix="pywnv-") as folder:
        plugin = Path(folder) / "wnv.lua"
        plugin.write_text(plugin_lua(topology, for_rows=for_rows), "utf-8", newline="\n")
        yield plugin


def field_lines(
    capture: Path,
    fields: Sequence[str],
    *,
    window: float | None,
    topology: Topology | None,
    display_filter: str | None,
    warn: Callable[[str], None],
) -> Iterator[list[bytes]]:
    """What tshark, with the plugin, shows of each frame.

    Args:
        capture: a file in any format that tshark opens.
        fields: names of fields, frame.number first; their first values come back, empty if there is none.
        window: longest time between two sightings of one packet, in whole microseconds, as seconds; None for the
            plugin's own.
        topology: names and roles in the host, or None.
        display_filter: which frames to show; all are looked at.
        warn: called if the capture is cut off.

    Yields:
        The values of a frame, as tshark writes them.

    Raises:
        CaptureError: tshark cannot read the capture, or does not accept the filter.
        WiresharkError: tshark is missing, or did not load the plugin.
    """
    tshark = find_tshark()
    with plugin_file(topology, for_rows=True) as plugin, tempfile.TemporaryFile() as errors:
        command = [tshark, "-n", "-r", str(capture), "-X", f"lua_script:{plugin}", "-o", "wnv.enabled:TRUE"]
        command += ["-o", "wnv.decide_anew:TRUE"]
        if window is not None:
            command += ["-o", f"wnv.window_us:{round(window * 10**6)}"]
        if display_filter:
            command += ["-Y", display_filter]
        command += ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]
        for field in fields:
            command += ["-e", field]
        handle = 0 if capture == STDIN else descriptor(capture)
        stdin = None if handle == 0 else subprocess.DEVNULL
        passed = (handle,) if handle else ()
        environment = {**os.environ, QUIET: "1"}
        with subprocess.Popen(
            command, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=errors, pass_fds=passed
        ) as process:
            assert process.stdout is not None  # noqa: S101  # asked for above
            values = [b"0"]
            try:
                for line in process.stdout:
                    values = line.rstrip(b"\r\n").split(b"\t")
                    yield values
            except BaseException:
                process.terminate()  # nobody reads on: do not wait for the rest
                raise
        if values == [b"0"] and not display_filter and process.returncode == 0:
            warn(f"{capture}: holds no packets")
        if process.returncode != 0:
            errors.seek(0)
            words = errors.read().decode(errors="replace")
            if "cut short" not in words:
                _complain(tshark, capture, words)
            warn(f"{capture}: is cut off in the middle of a frame, after frame {values[0].decode()}")
