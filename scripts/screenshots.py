"""Takes the README's pictures: Wireshark on the lab capture, as it comes and with pywnv, on a display nobody sees."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, TypeVar

from pywnv.profile import WNV

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CAPTURE = ROOT / "tests/captures/lbfo-tcp.pcapng.gz"
PACKAGES = {
    "wireshark": "wireshark",
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xdotool": "xdotool",
    "import": "imagemagick",
    "convert": "imagemagick",
}

FRAME = 1174  # the last in view, after data one way and ACKs the other way, each seen at three hops
WIDTH, HEIGHT, PACKET_LIST = 1400, 620, 385  # the window, and the height of its packet list
BLACK = bytes.fromhex("12272e")  # behind the frames of Wireshark's colouring rule "Bad TCP"
GREY = next(rule.background for rule in WNV.rules if rule.name == "WNV duplicate").to_bytes(3, "big")
PATIENCE = 60  # seconds for each step
STEP = 0.2  # seconds between two looks
STILL = 5  # looks that must show the same picture

# What keeps Wireshark from asking a question, and where its window goes.
RECENT_COMMON = f"""\
privs.warn_if_elevated: FALSE
gui.geometry_main_x: 0
gui.geometry_main_y: 0
gui.geometry_main_width: {WIDTH}
gui.geometry_main_height: {HEIGHT}
gui.geometry_main_maximized: FALSE
"""
RECENT = f"\ngui.geometry_main_upper_pane: {PACKET_LIST}\n"

T = TypeVar("T")


def fail(why: str) -> NoReturn:
    sys.exit(f"screenshots: {why}")


def look_for_tools() -> None:
    missing = sorted({package for tool, package in PACKAGES.items() if not shutil.which(tool)})
    if missing:
        fail(f"missing here, please run: apt-get install {' '.join(missing)}")


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(STEP)
    fail(f"no {what} within {PATIENCE} s")


def last_words(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]


@contextmanager
def running(command: list[str], env: dict[str, str], log: Path, *fds: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the block lasts, and no longer."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=fds)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def desktop(home: Path) -> Iterator[dict[str, str]]:
    """Run a display of its own with a window manager; gives the environment in which its programs run."""
    env = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),  # whatever the user has set or installed stays out of the pictures
        "XDG_RUNTIME_DIR": str(home),
        "QT_QPA_PLATFORM": "xcb",
        "QT_X11_NO_MITSHM": "1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    reader, writer = os.pipe()
    screen = ["-screen", "0", f"{WIDTH + 100}x{HEIGHT + 100}x24"]
    command = ["Xvfb", "-displayfd", str(writer), *screen, "-nolisten", "tcp"]
    with os.fdopen(reader) as number, running(command, env, home / "Xvfb.log", writer):
        os.close(writer)
        display = number.readline().strip()  # written once the display is up; empty if Xvfb has ended
        if not display:
            fail(f"Xvfb did not start: {last_words(home / 'Xvfb.log')}")
        env["DISPLAY"] = f":{display}"
        with running(["openbox"], env, home / "openbox.log"):
            yield env


def configure(config: Path, profile: str | None) -> None:
    """Make a fresh configuration folder; with a profile, the plugin goes with it."""
    config.mkdir()
    (config / "recent_common").write_text(RECENT_COMMON)
    folder = config
    if profile:
        folder = config / "profiles" / profile
        shutil.copytree(ROOT / "profiles" / profile, folder)
        (config / "plugins").mkdir()
        shutil.copy(ROOT / "lua/wnv.lua", config / "plugins")
    with (folder / "recent").open("a") as recent:
        recent.write(RECENT)


def take_picture(env: dict[str, str], profile: str | None) -> bytes:
    """Show the capture in Wireshark; gives the picture of its window as PPM, three bytes a pixel."""

    def ask(*command: str) -> bytes:
        return subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def windows() -> dict[str, str]:
        ids = ask("xdotool", "search", "--onlyvisible", "--name", ".").decode().split()
        return {ask("xdotool", "getwindowname", window).decode().strip(): window for window in ids}

    def window() -> str | None:
        if wireshark.poll() is not None:
            fail(f"Wireshark ended: {last_words(log)}")
        return windows().get(CAPTURE.name)

    def still_picture() -> bytes | None:
        last_looks.append(ask("import", "-window", shown, "-depth", "8", "ppm:-"))
        del last_looks[:-STILL]
        return last_looks[0] if last_looks.count(last_looks[0]) == STILL else None

    config = Path(env["HOME"]) / (profile or "stock")
    configure(config, profile)
    log = config / "wireshark.log"
    command = ["wireshark", "-o", "gui.update.enabled:FALSE", "-g", str(FRAME), "-r", str(CAPTURE)]
    if profile:
        command += ["-C", profile]
    last_looks: list[bytes] = []
    with running(command, env | {"WIRESHARK_CONFIG_DIR": str(config)}, log) as wireshark:
        shown = wait_for("window of Wireshark that shows the capture", window)
        ask("xdotool", "mousemove", str(WIDTH + 99), str(HEIGHT + 99))  # no row is to look pointed at
        picture = wait_for("picture that stands still", still_picture)
        if others := windows().keys() - {CAPTURE.name}:
            fail(f"Wireshark opened a dialog: {', '.join(sorted(others))}")
    return picture


def share(picture: bytes, colour: bytes) -> float:
    return picture.count(colour) * 3 / len(picture)


def write_png(picture: bytes, target: Path) -> None:
    """Write a small PNG that is the same, byte for byte, for the same picture."""
    options = ["+dither", "-colors", "256", "-strip", "-define", "png:exclude-chunks=date,time"]
    subprocess.run(["convert", "ppm:-", *options, f"png8:{target}"], input=picture, check=True)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # unwinds, so that all we run ends too
    look_for_tools()
    pictures = {}
    for name, profile in (("before", None), ("after", WNV.name)):
        with TemporaryDirectory() as home, desktop(Path(home)) as env:
            pictures[name] = take_picture(env, profile)
    if share(pictures["before"], BLACK) < 0.1:
        fail("Wireshark shows no false alarms here, so there is nothing to picture")
    if share(pictures["after"], BLACK) > 0.01 or share(pictures["after"], GREY) < 0.1:
        fail("no duplicates marked: is the plugin loaded? Wireshark 4.4 and newer silently loads none for root")
    DOCS.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        target = DOCS / f"{name}.png"
        write_png(picture, target)
        print(f"{name}.png: {target.stat().st_size // 1000} kB, {share(picture, BLACK):.0%} alarm black")


if __name__ == "__main__":
    main()
