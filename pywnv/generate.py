"""Generates Lua and Wireshark profiles from the templates and tables of this package."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv import __version__, fields
from pywnv.capture.links import KIND_OF_ENCAP
from pywnv.errors import OutputError
from pywnv.profile import PROFILES, SLOW_SECONDS, Profile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

    from jinja2 import Environment

    from pywnv.topology import Topology

TITLE = "Windows Network Virtualization"

ODD = re.compile(r"[^ !#-\[\]-~]")  # bytes that a Lua string literal of ours escapes
LONGEST_NAME = 60  # of a host, in names of files

# The files of a profile, each with the part of a profile that it shows: without that, it is not there.
PROFILE_FILES = {
    "preferences": "columns",
    "recent": "columns",
    "colorfilters": "rules",
    "dfilter_buttons": "buttons",
    "dfilter_macros": "macros",
    "dmacros": "macros",
    "io_graphs": "graphs",
    "profile_settings": "switch",
}

# By a field's type; the others are whole numbers.
PYTHON_TYPES = {"bool": "bool", "string": "str", "relative_time": "float"}

# The modules of the engine, in order, with the modules that each is given.
ENGINE = (
    ("link", ()),
    ("tunnel", ("link",)),
    ("key", ("link", "tunnel")),
    ("text", ()),
    ("hop", ("codes", "text")),
    ("note", ("text",)),
    ("drop", ("drops", "text")),
    ("event", ("codes", "text", "drop")),
    ("record", ("codes", "event", "text", "drop")),
    ("facts", ("drop",)),
    ("direction", ("codes",)),
    ("path", ()),
    ("changes", ("codes", "link")),
    ("proof", ()),
    ("memory", ()),
    ("tally", ()),
    ("again", ("codes", "link", "proof")),
    ("match", ("proof", "memory", "again")),
    ("ids", ()),
    ("tcp", ("proof",)),
    ("cut", ("proof",)),
    ("nat", ("proof",)),
    ("packets", ("codes", "path", "changes", "proof", "memory", "tally", "again", "match", "ids", "tcp", "cut", "nat")),
    ("decider", ("key", "packets", "direction")),
    ("engine", ("codes", "hop", "path", "decider", "note", "record", "facts", "direction", "topology")),
)

# What the plugin's windows show.
REPORTS = ("table", "summary", "latency", "drops", "path")


def quote_lua(text: str) -> str:
    """A Lua string literal for any text: the one way in which foreign text enters Lua source."""
    return '"' + ODD.sub(lambda match: f"\\{ord(match[0]):03d}", text.encode().decode("latin-1")) + '"'


def lua_literal(value: object) -> str:
    """A Lua literal for a value made of dicts, lists, texts, whole numbers and booleans; None in a dict is left out."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return quote_lua(value)
        case dict():
            members = (f"[{lua_literal(key)}] = {lua_literal(item)}" for key, item in value.items() if item is not None)
            return "{ " + ", ".join(members) + " }"
        case list() | tuple():
            return "{ " + ", ".join(map(lua_literal, value)) + " }"
    raise TypeError(f"no Lua literal for {type(value).__name__}")


@cache
def _templates() -> Traversable:
    return files("pywnv") / "templates"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    # Templates make Lua, not HTML: `lua` is the escape that fits.
    environment = Environment(  # noqa: S701
        loader=FunctionLoader(lambda name: (_templates() / name).read_text("utf-8")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["lua"] = quote_lua
    return environment


def template_text(name: str) -> str:
    """The text of a file in templates/ that is no template."""
    return (_templates() / name).read_text("utf-8")


def render(template: str, **values: object) -> str:
    """A template of templates/, filled."""
    return _environment().get_template(template).render(**values)


def engine_lua(topology: Topology | None = None) -> str:
    """The engine as one piece of Lua that leaves its modules in the local table `modules`.

    Args:
        topology: what the user knows of the host, or None.
    """
    from pywnv import drops

    known = "{}"
    if topology:
        from pywnv.topology import lua as topology_lua  # needs pydantic, which takes its time

        known = topology_lua(topology)
    codes = {
        "verdict": fields.VERDICTS,
        "evidence": fields.EVIDENCE,
        "rewritten": fields.REWRITTEN,
        "role": fields.ROLES,
        "direction": fields.DIRECTIONS,
        "event": fields.EVENTS,
    }
    tables = {"drops": drops.lua(), "topology": known}
    modules = [(name, needs, template_text(f"engine/{name}.lua")) for name, needs in ENGINE]
    return render("engine.lua.j2", codes=codes, tables=tables, modules=modules)


def plugin_lua(topology: Topology | None = None) -> str:
    """The plugin lua/wnv.lua.

    Args:
        topology: what the user knows of the host, or None.
    """
    return render(
        "plugin.lua.j2",
        title=TITLE,
        version=__version__,
        engine=engine_lua(topology),
        fields=fields.FIELDS,
        tree=[fields.BY_COLUMN[column] for column in fields.TREE],
        encaps=KIND_OF_ENCAP,
        repeat=fields.VERDICTS.index("repeat"),
        slow_us=round(SLOW_SECONDS * 1e6),
        reports={name: template_text(f"report/{name}.lua") for name in REPORTS},
        windows=template_text("windows.lua"),
    )


def profile_texts(profiles: Iterable[Profile] = PROFILES, *, deinterlace: bool = False) -> dict[str, str]:
    """The files of the profiles: their paths below the folder of profiles, and their texts.

    Args:
        profiles: which ones.
        deinterlace: whether Wireshark keeps the conversations of each interface apart; 4.4 and newer know how.
    """
    return {
        f"{profile.name}/{name}": render(
            f"profile/{name}.j2", profile=profile, version=__version__, deinterlace=deinterlace
        )
        for profile in profiles
        for name, part in PROFILE_FILES.items()
        if getattr(profile, part)
    }


def generated() -> dict[str, str]:
    """Every generated file: its path below the project's folder, and its text."""
    from pywnv import drops, topology

    texts = {"lua/wnv.lua": plugin_lua()}
    texts["docs/fields.md"] = render("fields.md.j2", fields=fields.FIELDS, version=__version__)
    texts["docs/drops.md"] = render("drops.md.j2", table=drops.table(), sections=drops.sections(), version=__version__)
    texts["docs/topology.schema.json"] = topology.schema()
    texts["pywnv/annotation.py"] = render("annotation.py.j2", fields=fields.FIELDS, types=PYTHON_TYPES)
    return texts | {f"profiles/{name}": text for name, text in profile_texts().items()}


def generated_for(topology: Topology, name: str) -> dict[str, str]:
    """A plugin and profiles that know a host: their paths below a folder, and their texts.

    Args:
        topology: what the user knows of the host.
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
    from pywnv.placing import Placing

    wanted = {folder / name: text.encode() for name, text in texts.items()}
    try:
        with Placing() as placing:
            for path, data in wanted.items():
                placing.put(path, data)
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
