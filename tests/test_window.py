"""The profiles in Wireshark's own window, on a display nobody sees: colours, buttons, and nothing left behind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from home import Home
from window import RECENT_COMMON, Window, act_until, desktop, is_managed, missing_packages, wait_for, wireshark

from pywnv.annotate.rows import Format, rows
from pywnv.generate.profiles import ALL, ANNOTATED, ONE_PER_PACKET, THIS_HOP, TROUBLE, WNV, Button, Profile
from pywnv.lua.quoting import quote_lua
from pywnv.tables import palette

WIDTH, HEIGHT = 1400, 700
COPY = palette.duplicate("unknown").background.to_bytes(3, "big")
HIGHLIGHT = bytes.fromhex("ffff00")  # what a text window finds
BLACK = palette.TROUBLE.background.to_bytes(3, "big")

# At each display filter that was applied and run through: frames, marked ones, Lua errors, the filter.
WATCH = """
local packet, broken = Field.new("wnv.packet"), Field.new("_ws.lua.error")
local tap = Listener.new("frame")
local frames, marked, errors = 0, 0, 0
function tap.packet()
  frames = frames + 1
  marked = marked + (packet() and 1 or 0)
  errors = errors + (broken() and 1 or 0)
end
function tap.reset()
  frames, marked, errors = 0, 0, 0
end
function tap.draw()
  local file = io.open({path}, "a")
  file:write(string.format("%d %d %d %s\\n", frames, marked, errors, get_filter()))
  file:close()
end
"""


def version(tool: str) -> str:
    words = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\d+\.\d+\.\d+", words)[0]


@pytest.fixture(scope="module", autouse=True)
def _window_of_this_version() -> None:
    """`make test` brings a window; `make test-next` for the newest version only."""
    if missing := missing_packages():
        pytest.fail(f"missing here, please run: apt-get install {' '.join(missing)}")
    if version("wireshark") != version("tshark"):
        pytest.skip(f"no window of {version('tshark')} here")


pytestmark = [pytest.mark.wireshark, pytest.mark.gui]


@contextmanager
def shown(home: Home, capture: Path, profile: Profile, *options: str) -> Iterator[Window]:
    """Shows a capture in Wireshark."""
    home.config.mkdir(parents=True, exist_ok=True)
    (home.config / "recent_common").write_text(RECENT_COMMON.format(width=WIDTH, height=HEIGHT))
    with (
        desktop(home.path, WIDTH + 50, HEIGHT + 50) as env,
        wireshark(capture, home.config, env, "-C", profile.name, *options) as window,
    ):
        yield window


def test_the_desktop_is_ready(tmp_path: Path) -> None:
    """Windows that come before the window manager may be lost to it, and it to them."""
    with desktop(tmp_path, 300, 200) as env:
        assert is_managed(env)


def test_colours_buttons_and_nothing_left(home: Home, unpacked: Callable[[str], Path], tmp_path: Path) -> None:
    capture, seen = unpacked("lbfo-tcp-loss"), tmp_path / "seen"
    watch = tmp_path / "watch.lua"
    watch.write_text(WATCH.format(path=quote_lua(str(seen))))
    seen.touch()
    seen.chmod(0o666)
    home.run("install")

    def applied(button: Button) -> bool:
        """Whether the button's filter was taken, and all frames went through plugin and taps without an error."""
        return f"2932 2932 0 {button.filter}" in seen.read_text().splitlines()

    with shown(home, capture, WNV, "-X", f"lua_script:{watch}") as window:
        wait_for("copies in their colour", lambda: window.look().share(COPY) > 0.1)
        assert window.still_picture().share(BLACK) < 0.02  # of a hundred false alarms in view, none
        window.filter("wnv")
        places = dict(zip((button.label for button in WNV.buttons), window.buttons(len(WNV.buttons)), strict=True))
        for button, looks_right in (
            (ONE_PER_PACKET, lambda: window.look().share(COPY) < 0.01),
            (TROUBLE, lambda: window.look().share(BLACK) > 0.2),
            (ALL, lambda: window.look().share(COPY) > 0.1),
            (THIS_HOP, lambda: window.look().share(COPY) > 0.01),
        ):
            act_until(
                f"effect of the button {button.label}",
                lambda button=button: window.click(*places[button.label]),
                lambda button=button: applied(button),
            )
            wait_for(f"picture of the button {button.label}", looks_right)
        assert window.others() == []  # no dialog of errors
        window.quit()

    log = (home.config / "wireshark.log").read_text()
    assert "Lua" not in log
    assert "WNV" not in log
    assert ONE_PER_PACKET.filter in (home.config / "recent_common").read_text()

    home.run("uninstall")
    left = [path.relative_to(home.path).as_posix() for path in home.path.rglob("*") if path.is_file()]
    ours = [path for path in left if "WNV" in path or "wnv" in path]
    assert not ours


@pytest.mark.parametrize("frame", [1, 60])
def test_colours_of_rows_that_come_into_view(home: Home, unpacked: Callable[[str], Path], frame: int) -> None:
    """Rows without a colour follow rows that have one, for which Wireshark asks for fewer fields."""
    home.run("install", "--no-deinterlace")
    with shown(home, unpacked("lbfo-tcp"), WNV, "-g", str(frame)) as window:
        wait_for("copies in their colour", lambda: window.look().share(COPY) > 0.05)
        assert window.still_picture().share(BLACK) < 0.02  # texts; no packet was lost


def test_annotated_without_the_plugin(home: Home, unpacked: Callable[[str], Path], tmp_path: Path) -> None:
    """A file with our comments shows its colours where no plugin is, and no dialog."""
    home.run("install")
    home.plugin.unlink()
    capture = tmp_path / "annotated.pcapng"
    capture.write_bytes(b"".join(rows(unpacked("mix"), output_format=Format.PCAPNG)))
    with shown(home, capture, ANNOTATED) as window:
        wait_for("copies in their colour", lambda: window.look().share(COPY) > 0.1)
        window.still_picture()
        assert window.others() == []


def test_profiles_are_chosen_by_themselves(home: Home, unpacked: Callable[[str], Path]) -> None:
    """From 4.4 on, a capture with copies brings up the profile."""
    if version("wireshark") < "4.4":
        pytest.skip("Wireshark 4.0 chooses no profile by itself")
    home.run("install")
    default = Profile("Default", "", (), (), ())
    with shown(home, unpacked("lbfo-tcp-loss"), default) as window:
        wait_for("copies in their colour", lambda: window.look().share(COPY) > 0.1)
        assert window.others() == []


def assert_says(window: Window, title: str, text: str, choose: Callable[[], object]) -> None:
    """A window of text alone opens, and finds a text; then it is closed."""

    def search() -> None:
        window.close_others()  # what was typed there was lost
        choose()
        wait_for(f"window {title}", lambda: window.others() == [title])
        plain.append(window.still_picture(title).share(HIGHLIGHT))
        window.take_focus(title)
        window.keys("Tab")
        window.ask("xdotool", "type", text)

    plain: list[float] = []
    found = 0.0001 * len(text)
    act_until(f"{text} in {title}", search, lambda: window.look(title).share(HIGHLIGHT) > plain[-1] + found)
    window.close_others()


def test_menus(home: Home, unpacked: Callable[[str], Path], tmp_path: Path) -> None:
    """The path of the selected packet in a window, its filter, and the other windows; no error."""
    capture, seen = unpacked("lbfo-tcp-loss"), tmp_path / "seen"
    watch = tmp_path / "watch.lua"
    watch.write_text(WATCH.format(path=quote_lua(str(seen))))
    seen.touch()
    seen.chmod(0o666)
    home.run("install")

    with shown(home, capture, WNV, "-g", "8", "-X", f"lua_script:{watch}") as window:
        window.still_picture()
        for title, name, text in (
            ("Path of this packet", "path of the packet", "vport1 > team0 > pnic0"),
            ("Hop latency", "hop latency", "vport1 > team0"),
            ("Drops by reason and place", "drops", "no drop"),
            ("Capture summary", "capture summary", "2932"),
        ):
            assert_says(
                window, f"Wireshark · WNV: {name}", text, lambda title=title: window.choose(title, window.others)
            )
        window.choose("Follow this packet", lambda: "2932 2932 0 wnv.packet == 8" in seen.read_text().splitlines())
        assert window.others() == []
        if version("wireshark") > "4.2":

            def from_the_list() -> None:
                def press() -> None:
                    window.take_focus()
                    window.keys("Escape", "Escape")
                    window.click(300, 140, button=3)  # one of the three; WNV stands sixth
                    window.keys(*["Down"] * 6, "Right", "Down", "Return")

                act_until("window from the packet list", press, window.others)

            assert_says(window, "Wireshark · WNV: path of the packet", "vport1 > team0 > pnic0", from_the_list)
        window.quit()
    assert "Lua" not in (home.config / "wireshark.log").read_text()
