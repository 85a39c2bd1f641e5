"""Wireshark's window on a display that nobody sees: started, looked at, clicked. For pictures and for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

PACKAGES = {
    "wireshark": "wireshark",
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xdotool": "xdotool",
    "import": "imagemagick",
    "convert": "imagemagick",
}
PATIENCE = 180  # seconds for each step, on a machine that has other things to do
AGAIN = 10  # seconds after which a key or click that shows nothing is taken for lost
STEP = 0.1  # seconds between two looks
STILL = 4  # looks that must show the same picture

# What keeps Wireshark from asking a question, and where its window goes.
RECENT_COMMON = """\
privs.warn_if_elevated: FALSE
gui.geometry_main_x: 0
gui.geometry_main_y: 0
gui.geometry_main_width: {width}
gui.geometry_main_height: {height}
gui.geometry_main_maximized: FALSE
"""
# A window manager with no keys, clicks or menus of its own: a key that comes late is never taken for one of its own.
OPENBOX = '<openbox_config xmlns="http://openbox.org/3.4/rc"><keyboard/><mouse/></openbox_config>'
# Tools > WNV, in the order in which Wireshark shows it.
MENU = ("Capture summary", "Drops by reason and place", "Follow this packet", "Hop latency", "Path of this packet")
ACCEPTED = bytes.fromhex("afffaf")  # behind a display filter that Wireshark takes
DARK = 100  # a colour's channels below this: text
SPACE = 12  # pixels between two buttons at least; between two words of one there are fewer

T = TypeVar("T")


class WindowError(Exception):
    """The window does not show what it should."""


def missing_packages() -> list[str]:
    """The Debian packages that are missing here."""
    return sorted({package for tool, package in PACKAGES.items() if not shutil.which(tool)})


def wait_for(what: str, look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """Looks again and again until there is something to see."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(STEP)
    raise WindowError(f"no {what} within {patience} s")


def act_until(what: str, act: Callable[[], None], look: Callable[[], T | None]) -> T:
    """Presses or clicks until there is something to see: a busy window manager loses keys and clicks."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        act()
        try:
            return wait_for(what, look, AGAIN)
        except WindowError:
            continue
    raise WindowError(f"no {what} within {PATIENCE} s")


def last_words(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]


@contextmanager
def running(command: list[str], env: dict[str, str], log: Path, *fds: int) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program for as long as the block lasts, and no longer."""
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


def is_managed(env: dict[str, str]) -> bool:
    """Whether the window manager is up: only then does a screen know how many desktops it has."""
    return subprocess.run(["xdotool", "get_num_desktops"], env=env, capture_output=True).returncode == 0


@contextmanager
def desktop(home: Path, width: int, height: int) -> Iterator[dict[str, str]]:
    """Runs a display of its own with a window manager; gives the environment in which its programs run."""
    env = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),  # whatever the user has set or installed stays out of the picture
        "XDG_RUNTIME_DIR": str(home),
        "QT_QPA_PLATFORM": "xcb",
        "QT_X11_NO_MITSHM": "1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    reader, writer = os.pipe()
    (home / "openbox.xml").write_text(OPENBOX)
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    command += ["-r", "-noreset"]  # a late key is pressed once; the display stays as it is when no program is left
    with os.fdopen(reader) as number, running(command, env, home / "Xvfb.log", writer):
        os.close(writer)
        display = number.readline().strip()  # written once the display is up; empty if Xvfb has ended
        if not display:
            raise WindowError(f"Xvfb did not start: {last_words(home / 'Xvfb.log')}")
        env["DISPLAY"] = f":{display}"
        with running(["openbox", "--config-file", str(home / "openbox.xml")], env, home / "openbox.log"):
            wait_for("window manager", lambda: is_managed(env))
            yield env


class Picture:
    """What a screen shows: rows of pixels, three bytes each."""

    def __init__(self, ppm: bytes) -> None:
        kind, width, height, _ = ppm[:40].split(maxsplit=3)
        if kind != b"P6":
            raise WindowError("no picture of the screen")
        self.ppm, self.width, self.height = ppm, int(width), int(height)
        self.pixels = ppm[-3 * self.width * self.height :]

    def row(self, y: int) -> bytes:
        return self.pixels[3 * self.width * y : 3 * self.width * (y + 1)]

    def share(self, colour: bytes) -> float:
        """How much of it has a colour."""
        return self.pixels.count(colour) * 3 / len(self.pixels)

    def band(self, colour: bytes, least: int) -> tuple[range, int]:
        """The rows in which at least so many pixels have a colour, and where in them it ends to the right."""
        rows = [y for y in range(self.height) if self.row(y).count(colour) >= least]
        if not rows:
            raise WindowError(f"nowhere the colour {colour.hex()}")
        end = max(self.row(y).rfind(colour) for y in rows) // 3
        return range(rows[0], rows[-1] + 1), end

    def words(self, rows: range, start: int) -> list[int]:
        """The middles of the texts in some rows, from left to right; words of one text stand close."""
        dark = (x for x in range(start, self.width) if any(max(self.row(y)[3 * x : 3 * x + 3]) < DARK for y in rows))
        groups: list[list[int]] = []
        for x in dark:
            if groups and x - groups[-1][-1] < SPACE:
                groups[-1].append(x)
            else:
                groups.append([x])
        return [(group[0] + group[-1]) // 2 for group in groups]


class Window:
    """A Wireshark that shows a capture."""

    def __init__(self, process: subprocess.Popen[bytes], title: str, env: dict[str, str], log: Path) -> None:
        self.process, self.title, self.env, self.log = process, title, env, log
        self.id = wait_for("window of Wireshark that shows the capture", self._find)

    def ask(self, *command: str) -> bytes:
        return subprocess.run(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def all(self) -> dict[str, str]:
        """Every window on the screen: titles and ids."""
        ids = self.ask("xdotool", "search", "--onlyvisible", "--name", ".").decode().split()
        return {self.ask("xdotool", "getwindowname", window).decode().strip(): window for window in ids}

    def _find(self) -> str | None:
        if self.process.poll() is not None:
            raise WindowError(f"Wireshark ended: {last_words(self.log)}")
        return self.all().get(self.title)

    def others(self) -> list[str]:
        """The titles of dialogs and further windows."""
        return sorted(self.all().keys() - {self.title})

    def _shot(self, title: str | None) -> bytes:
        window = wait_for(f"window {title}", lambda: self.all().get(title)) if title else self.id
        return self.ask("import", "-window", window, "-depth", "8", "ppm:-")

    def look(self, title: str | None = None) -> Picture:
        """What the window, or the one of another title once it is there, shows now, without its frame."""
        return Picture(self._shot(title))

    def still_picture(self, title: str | None = None) -> Picture:
        """What the window, or the one of another title, shows once it stands still."""
        looks: list[bytes] = []

        def still() -> bytes | None:
            looks.append(self._shot(title))
            del looks[:-STILL]
            return looks[0] if looks.count(looks[0]) == STILL else None

        return Picture(wait_for("picture that stands still", still))

    def click(self, x: int, y: int, button: int = 1) -> None:
        self.ask("xdotool", "mousemove", "--window", self.id, str(x), str(y), "click", str(button))

    def keys(self, *names: str) -> None:
        self.ask("xdotool", "key", "--delay", "60", *names)

    def take_focus(self, title: str | None = None) -> None:
        """Gives the window, or the one of another title while it is there, the focus."""
        window = self.all().get(title, "") if title else self.id

        def has_focus() -> bool:
            active = self.ask("xdotool", "getactivewindow").decode().strip()
            return active == window or window not in self.all().values()

        def activate() -> None:
            if not has_focus():
                self.keys("Escape", "Escape")  # a menu that a lost key left open keeps the focus
                self.ask("xdotool", "windowactivate", window)

        self._act_until(f"focus of {title or self.title}", activate, has_focus)

    def _act_until(self, what: str, act: Callable[[], None], look: Callable[[], T | None]) -> None:
        try:
            act_until(what, act, look)
        except WindowError as error:
            raise WindowError(f"{error}; the screen shows: {', '.join(self.all())}") from None

    def close_others(self) -> None:
        """Closes dialogs and further windows."""

        def close() -> None:
            for title in self.others():
                self.take_focus(title)
                self.keys("Escape")

        self._act_until("end of the other windows", close, lambda: not self.others())

    def choose(self, title: str, look: Callable[[], object]) -> None:
        """Chooses from Tools > WNV, which stands last, until something shows."""

        def press() -> None:
            self.take_focus()
            self.keys("Escape", "Escape", "alt+t", "Up", "Right", *["Down"] * MENU.index(title), "Return")

        self._act_until(f"effect of the menu {title}", press, look)

    def filter(self, text: str) -> None:
        """Types a display filter and applies it."""
        self.take_focus()
        self.keys("ctrl+slash", "ctrl+a")
        self.ask("xdotool", "type", text)
        self.keys("Return")

    def quit(self) -> None:
        """Ends it as its user would, so that it saves what it remembers."""

        def press() -> None:
            self.take_focus()
            self.keys("ctrl+q")

        self._act_until("end of Wireshark", press, lambda: self.process.poll() is not None)

    def filter_bar(self) -> tuple[range, int]:
        """The rows of the display filter, and where it ends; it must hold a filter that is accepted."""

        def green() -> tuple[range, int] | None:
            try:
                return self.look().band(ACCEPTED, least=200)
            except WindowError:
                return None

        return wait_for("accepted display filter", green)

    def buttons(self, number: int) -> list[tuple[int, int]]:
        """Where the last filter buttons are."""
        rows, end = self.filter_bar()
        middle = rows[len(rows) // 2]
        found = self.look().words(range(rows[0] + 3, rows[-1] - 2), end + 10)
        if len(found) < number:
            raise WindowError(f"{len(found)} filter buttons instead of {number}")
        return [(x, middle) for x in found[-number:]]


@contextmanager
def wireshark(capture: Path, config: Path, env: dict[str, str], *options: str) -> Iterator[Window]:
    """Shows a capture in Wireshark, with a configuration folder."""
    log = config / "wireshark.log"
    command = ["wireshark", "-o", "gui.update.enabled:FALSE", *options, "-r", str(capture)]
    with running(command, env | {"WIRESHARK_CONFIG_DIR": str(config)}, log) as process:
        yield Window(process, capture.name, env, log)
