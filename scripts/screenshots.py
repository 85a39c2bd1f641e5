"""Takes the pictures of the docs: Wireshark on lab captures, as it comes and with pywnv, on a display nobody sees."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from window import RECENT_COMMON, Picture, Window, WindowError, desktop, missing_packages, wait_for, wireshark

from pywnv.generate.plugin import plugin_lua
from pywnv.generate.profiles import DROPS_PROFILE, WNV, Profile
from pywnv.host.loading import load
from pywnv.tables import palette

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CAPTURES = ROOT / "tests/captures"

WIDTH, HEIGHT, PACKET_LIST = 1400, 620, 385  # the window, and the height of its packet list

TEXT_WINDOW = 720, 340


@dataclass(frozen=True)
class Shot:
    """A picture to take: of which frame of which capture, with which profile, and what colours it must have.

    With `menu`, it is of the window that this title in Tools > WNV opens.
    """

    name: str
    capture: Path
    frame: int
    profile: Profile | None = None
    topology: Path | None = None
    menu: str = ""
    much: tuple[int, ...] = ()
    little: tuple[int, ...] = ()


LBFO = CAPTURES / "lbfo-tcp.pcapng.gz"
FRAME = 1174  # the last in view, after data one way and ACKs the other way, each seen at three hops
SHOTS = (
    Shot("before", LBFO, FRAME, much=(palette.TROUBLE.background,)),
    Shot(
        "after",
        LBFO,
        FRAME,
        WNV,
        CAPTURES / "lab.toml",
        much=(palette.duplicate("tNIC").background, palette.duplicate("pNIC").background),
        little=(palette.TROUBLE.background,),
    ),
    Shot(
        "drops",
        CAPTURES / "deep-dive/acl-drop-etl2pcapng.pcapng",
        5,
        DROPS_PROFILE,
        CAPTURES / "deep-dive/contoso01.toml",
        much=(palette.DROP.background, palette.EVENT.background),
    ),
    Shot(
        "rule",
        CAPTURES / "deep-dive/acl-drop-pspkt.pcapng",
        2,
        DROPS_PROFILE,
        CAPTURES / "host/contoso01.json",
        much=(palette.DROP.background,),
    ),
    Shot(
        "path",
        CAPTURES / "deep-dive/acl-drop-pspkt.pcapng",
        2,
        WNV,
        CAPTURES / "deep-dive/contoso01.toml",
        menu="Path of this packet",
        much=(0xFFFFFF,),
    ),
)


def configure(config: Path, shot: Shot) -> None:
    """Makes a fresh configuration folder; with a profile, the plugin goes with it."""
    config.mkdir()
    (config / "recent_common").write_text(RECENT_COMMON.format(width=WIDTH, height=HEIGHT))
    folder = config
    if shot.profile:
        folder = config / "profiles" / shot.profile.name
        shutil.copytree(ROOT / "profiles" / shot.profile.name, folder)
        (config / "plugins").mkdir()
        plugin = plugin_lua(load(shot.topology) if shot.topology else None)
        (config / "plugins/wnv.lua").write_text(plugin, "utf-8")
    with (folder / "recent").open("a") as recent:
        recent.write(f"\ngui.geometry_main_upper_pane: {PACKET_LIST}\n")


def opened(window: Window) -> Picture:
    """The only other window, made wide enough for its text."""
    title = wait_for("window", window.others)[0]
    window.ask("xdotool", "windowsize", "--sync", window.all()[title], *map(str, TEXT_WINDOW))
    return window.still_picture(title)


def take(shot: Shot) -> Picture:
    """Shows the capture in Wireshark; gives the picture of its window."""
    with TemporaryDirectory() as home, desktop(Path(home), WIDTH + 100, HEIGHT + 100) as env:
        config = Path(home) / "config"
        configure(config, shot)
        options = ["-g", str(shot.frame), *(("-C", shot.profile.name) if shot.profile else ())]
        with wireshark(shot.capture, config, env, *options) as window:
            window.ask("xdotool", "mousemove", str(WIDTH + 99), str(HEIGHT + 99))  # no row is to look pointed at
            picture = window.still_picture()
            if others := window.others():
                raise WindowError(f"Wireshark opened a dialog: {', '.join(others)}")
            if shot.menu:
                window.choose(shot.menu, window.others)
                picture = opened(window)
    for colour in shot.much:
        if picture.share(colour.to_bytes(3, "big")) < 0.02:
            raise WindowError(f"{shot.name}: hardly any #{colour:06x}; as root, Wireshark 4.4 and newer load no plugin")
    for colour in shot.little:
        if picture.share(colour.to_bytes(3, "big")) > 0.01:
            raise WindowError(f"{shot.name}: too much #{colour:06x}")
    return picture


def write_png(picture: Picture, target: Path) -> None:
    """Writes a small PNG that is the same, byte for byte, for the same picture."""
    options = ["+dither", "-colors", "256", "-strip", "-define", "png:exclude-chunks=date,time"]
    subprocess.run(["convert", "ppm:-", *options, f"png8:{target}"], input=picture.ppm, check=True)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # unwinds, so that all we run ends too
    if missing := missing_packages():
        sys.exit(f"screenshots: missing here, please run: apt-get install {' '.join(missing)}")
    for shot in SHOTS:
        target = DOCS / f"{shot.name}.png"
        try:
            write_png(take(shot), target)
        except WindowError as error:
            sys.exit(f"screenshots: {error}")
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
