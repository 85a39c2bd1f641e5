"""All generated files of the project, and those for one host: written, or compared with what is there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.errors import OutputError
from pywnv.generate.plugin import plugin_lua
from pywnv.generate.profiles import PROFILES, profile_texts
from pywnv.generate.render import render
from pywnv.tables import fields
from pywnv.version import __version__

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

LONGEST_NAME = 60  # of a host, in names of files

# By a field's type; the others are whole numbers.
PYTHON_TYPES = {"bool": "bool", "string": "str", "relative_time": "float"}


def generated() -> dict[str, str]:
    """Every generated file: its path below the project's folder, and its text."""
    from pywnv.generate.rules import limits, rules
    from pywnv.host import topology
    from pywnv.tables import drops

    texts = {"lua/wnv.lua": plugin_lua()}
    texts["docs/fields.md"] = render(
        "fields.md.j2", fields=fields.FIELDS, ends=fields.ENDS, slow=fields.HOP_SLOW, version=__version__
    )
    texts["docs/deciding.md"] = render("deciding.md.j2", rules=rules().values(), limits=limits().values())
    about_drops = {"table": drops.table(), "sections": drops.sections(), "harmless": drops.harmless()}
    texts["docs/drops.md"] = render("drops.md.j2", **about_drops, version=__version__)
    texts["docs/topology.schema.json"] = topology.schema()
    texts["pywnv/tables/annotation.py"] = render(
        "annotation.py.j2", fields=(*fields.ENDS, *fields.FIELDS), types=PYTHON_TYPES
    )
    return texts | {f"profiles/{name}": text for name, text in profile_texts().items()}


def generated_for(topology: Topology, name: str) -> dict[str, str]:
    """A plugin and profiles that know a host: their paths below a folder, and their texts.

    Args:
        topology: names and roles in the host.
        name: of the host, in any letters.
    """
    safe = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:LONGEST_NAME] or "host"  # Wireshark loads no a.b.lua
    texts = {f"lua/wnv_{safe}.lua": plugin_lua(topology)}
    profiles = [replace(profile, name=f"{profile.name} {safe}") for profile in PROFILES]
    return texts | {f"profiles/{name}": text for name, text in profile_texts(profiles).items()}


def write(texts: dict[str, str], folder: Path) -> list[Path]:
    """Writes generated files below a folder, all or none of them; returns their paths.

    Raises:
        OutputError: one cannot be written.
    """
    from pywnv.files.transaction import Transaction

    wanted = {folder / name: text.encode() for name, text in texts.items()}
    try:
        with Transaction() as transaction:
            for path, data in wanted.items():
                transaction.put(path, data)
    except OSError as error:
        raise OutputError(f"{error.filename}: {error.strerror or error}") from error
    return list(wanted)


def stale(texts: dict[str, str], folder: Path) -> list[Path]:
    """Those of some generated files that are missing below a folder, or differ."""
    wanted = {folder / name: text.encode() for name, text in texts.items()}
    return [path for path, text in wanted.items() if not path.is_file() or path.read_bytes() != text]


def differing(folder: Path) -> list[Path]:
    """The generated files below a folder that are missing, differ, or should not be there."""
    texts = generated()
    wanted = {folder / name for name in texts}
    found = (path for room in ("lua", "profiles") for path in sorted((folder / room).rglob("*")) if path.is_file())
    return stale(texts, folder) + [path for path in found if path not in wanted]
