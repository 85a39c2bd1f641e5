"""Finds the folders of profiles and Lua plugins, as `tshark -G folders` prints them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pywnv.errors import WiresharkError

GIVE_PROGRAM = "give --tshark the program, tshark or tshark.exe"
CONFIG_VARIABLE = "WIRESHARK_CONFIG_DIR"


@dataclass(frozen=True)
class Folders:
    """The folders of one user's Wireshark.

    Attributes:
        config: the personal configuration; profiles are below it.
        plugins: where a Lua plugin of the user's goes.
        searched: every folder whose Lua files this Wireshark loads.
        moved: the folder that stands in WIRESHARK_CONFIG_DIR when this Wireshark runs; None: its usual one.
        extcap: where a capture interface of the user's goes; None: the configuration was moved, and it would not be
            there.
    """

    config: Path
    plugins: Path
    searched: tuple[Path, ...]
    moved: Path | None = None
    extcap: Path | None = None

    @property
    def profiles(self) -> Path:
        """Where profiles are, a folder each."""
        return self.config / "profiles"

    def holds(self, path: Path) -> bool:
        """Whether a file is below these folders, whatever links there are on the way to it."""
        # The capture interface of another version of Wireshark may be beside the plugins.
        roots = (self.config, self.plugins, self.extcap or self.config, self.plugins.with_name("extcap"))
        root = next(filter(path.is_relative_to, roots), None)
        return root is not None and path.parent.resolve().is_relative_to(root.resolve())

    def environment(self) -> dict[str, str]:
        """The environment in which its tshark finds these folders."""
        return dict(os.environ) | ({CONFIG_VARIABLE: str(self.moved)} if self.moved else {})


def portable_config(tshark: str) -> Path | None:
    """The configuration folder of a Wireshark from PortableApps: its launcher names it, its tshark does not know."""
    program = Path(tshark).absolute().parent
    app = program.parent
    return app.parent / "Data" if app.name == "App" and (app / "AppInfo").is_dir() else None


def find_folders(tshark: str) -> Folders:
    """The folders that a tshark names.

    Raises:
        WiresharkError: it does not name them.
    """
    set_here = os.environ.get(CONFIG_VARIABLE)
    moved = Path(set_here).absolute() if set_here else portable_config(tshark)
    environment = dict(os.environ) | ({CONFIG_VARIABLE: str(moved)} if moved else {})
    try:
        run = subprocess.run([tshark, "-G", "folders"], env=environment, capture_output=True, check=False)
    except OSError as error:
        words = f"cannot be run ({error.strerror or error}); {GIVE_PROGRAM}"
        raise WiresharkError(f"{tshark}: {words}") from error
    named = parse(run.stdout.decode(errors="surrogateescape"))
    config = named.get("personal configuration")
    if not config:
        raise WiresharkError(f"{tshark}: `tshark -G folders` prints no folders; install Wireshark 4.0 or newer")
    # Wireshark 4.0 does not name it: there it is in the configuration.
    extcap = named.get("personal extcap path", config / "extcap")
    return _folders(config, named.get("personal lua plugins"), named.get("global lua plugins"), moved, extcap)


def usual_folders(system: str = sys.platform, environment: Mapping[str, str] = os.environ) -> Folders:
    """The folders of a Wireshark that is no longer there to ask."""
    home = Path(environment.get("USERPROFILE" if system == "win32" else "HOME") or Path.home())
    moved = Path(environment[CONFIG_VARIABLE]).absolute() if environment.get(CONFIG_VARIABLE) else None
    if system == "win32":
        config = Path(environment.get("APPDATA") or home / "AppData/Roaming") / "Wireshark"
        return _folders(moved or config, None, None, moved, (moved or config) / "extcap")
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "wireshark"
    old = home / ".wireshark"
    if old.is_dir() and not config.is_dir():
        config = old
    personal = home / ".local/lib/wireshark"
    return _folders(moved or config, personal / "plugins", None, moved, personal / "extcap")


def parse(words: str) -> dict[str, Path]:
    """What `tshark -G folders` says: folders by their names in small letters, the first of each."""
    named: dict[str, Path] = {}
    for line in words.splitlines():
        name, colon, folder = line.partition(":")
        if colon and folder.strip():
            named.setdefault(name.strip().lower(), Path(folder.strip()).absolute())
    return named


def _folders(config: Path, personal: Path | None, shared: Path | None, moved: Path | None, extcap: Path) -> Folders:
    # Wireshark loads <configuration>/plugins everywhere; where the configuration was moved, the plugin moves with it.
    beside = config / "plugins"
    plugins = personal if personal and not moved else beside
    searched = [folder for folder in (personal, beside, shared) if folder]
    moves_along = not moved or extcap.is_relative_to(config)
    return Folders(config, plugins, tuple(dict.fromkeys(searched)), moved, extcap if moves_along else None)
