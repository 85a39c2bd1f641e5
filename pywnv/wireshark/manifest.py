"""The manifest: which files pywnv put into Wireshark's folders, and their hashes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pywnv.errors import OutputError
from pywnv.version import __version__

MANIFEST = "pywnv.json"  # in the personal configuration
RECENT = "recent"  # in each profile: Wireshark itself writes it at every end

# What Wireshark adds when it saves preferences, or words anew from version to version.
_WIRESHARKS_OWN = re.compile(rb"\s*(#|gui\.(qt\.|gui_)?font_name|gui\.column\.hid|extcap\.|$)", re.IGNORECASE)
_ADDED = re.compile(rb',"disabled"$')  # a column of graphs that 4.6 has more


def _words(data: bytes) -> bytes:
    lines = [b" ".join(line.split()).lower() for line in data.splitlines() if not _WIRESHARKS_OWN.match(line)]
    return b"\n".join(_ADDED.sub(b"", line) for line in lines)


def says_nothing(data: bytes) -> bool:
    """Whether a file of a profile holds comments only."""
    return not _words(data)


def fingerprints(path: Path, data: bytes) -> list[str]:
    """By which we know again what we put: of the bytes, and for a profile of what its lines say.

    Wireshark saves the files of a profile in words of its own; that is no change of the user's.
    """
    found = [hashlib.sha256(data).hexdigest()]
    if path.suffix != ".lua":
        found.append(hashlib.sha256(_words(data)).hexdigest())
    return found


@dataclass
class Manifest:
    """What was put, so that it is known again.

    Attributes:
        pywnv: the version of pywnv that put it.
        wireshark: the series of Wireshark it was made for, as "4.4".
        files: SHA-256 fingerprints of what was put at each path; of old and new where an install was cut off.
        made: the folders that were made for them.
        names: the file from which the plugin has names of a host; empty: it has none.
    """

    pywnv: str = __version__
    wireshark: str = ""
    files: dict[Path, list[str]] = field(default_factory=dict)
    made: list[Path] = field(default_factory=list)
    names: str = ""

    @classmethod
    def read(cls, config: Path) -> Manifest | None:
        """The manifest in a configuration folder; None if there is none.

        Raises:
            OutputError: it cannot be read.
        """
        path = config / MANIFEST
        try:
            data: Any = json.loads(path.read_bytes())
            files = {config / name: [str(hash) for hash in hashes] for name, hashes in data["files"].items()}
            made = [config / name for name in data["made"]]
            return cls(str(data["pywnv"]), str(data["wireshark"]), files, made, str(data.get("names", "")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(f"{path}: is damaged; delete it and run `pywnv install --force`") from error

    def text(self, config: Path) -> bytes:
        """As it is written: paths below the configuration folder are relative, so that it can be moved."""

        def name(path: Path) -> str:
            return path.relative_to(config).as_posix() if path.is_relative_to(config) else str(path)

        data = {
            "pywnv": self.pywnv,
            "wireshark": self.wireshark,
            "files": {name(path): hashes for path, hashes in self.files.items()},
            "made": [name(path) for path in self.made],
            "names": self.names,
        }
        return json.dumps(data, indent=2).encode() + b"\n"

    def knows(self, path: Path, data: bytes) -> bool:
        """Whether this is what we put there, or says the same."""
        return not set(fingerprints(path, data)).isdisjoint(self.files.get(path, ()))
