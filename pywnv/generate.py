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
    ("limits", ()),
    ("link", ()),
    ("tunnel", ("link",)),
    ("key", ()),
    ("frame", ("link", "tunnel", "key")),
    ("text", ()),
    ("hop_name", ("codes", "text")),
    ("hop", ("text", "hop_name")),
    ("note", ("text",)),
    ("drop", ("drops", "text")),
    ("event_text", ("codes", "text", "drop")),
    ("event", ("codes", "text", "drop", "event_text")),
    ("record", ("codes", "event", "text", "drop")),
    ("facts", ("drop",)),
    ("direction", ("codes",)),
    ("path", ("limits",)),
    ("mutable_fields", ("codes", "link")),
    ("identity", ("frame", "limits")),
    ("checksums", ("frame",)),
    ("packet_store", ("limits",)),
    ("routes", ("limits",)),
    ("places", ("routes", "limits")),
    ("order", ("limits",)),
    ("teaching", ("order", "path", "routes", "limits")),
    ("flows", ("frame", "path", "limits")),
    ("candidates", ("frame", "identity", "link", "order", "path", "routes", "limits")),
    ("tcp", ("frame", "identity", "limits")),
    ("segmentation", ("identity", "tcp", "limits")),
    ("nat", ("frame", "identity", "tcp", "limits")),
    ("networks", ("limits",)),
    ("context", ("candidates", "self", "limits")),
    ("grouper", ("codes", "path", "mutable_fields", "decide", "self")),
    ("chains", ("codes", "limits")),
    ("decider", ("frame", "grouper", "direction", "chains")),
    ("describe", ("codes", "path", "decide", "facts")),
    (
        "engine",
        *(("codes", "hop", "decider", "note", "record", "facts", "direction", "limits", "topology", "describe"),),
    ),
)

# The rules in their order. First those that say of a packet and a frame that they are two; then those that say which
# packet a frame shows, or that it is a new one.
DIFFERENCES = ("too_late", "other_id", "other_content", "other_network", "other_outer_id", "returned", "ttl_counts")
RULES = (
    "packet_id",
    "radio_retry",
    "went_on",
    "same_identity",
    "appended",
    "rebuilt",
    "soon_again",
    "another_shape",
    "learned",
    "routed",
    "another_hop",
    "segment",
    "coalesced",
    "translated",
    "sent_before",
    "overtaken",
    "known_once",
    "ambiguous",
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


def lua_text(name: str) -> str:
    """The text of a file in lua/."""
    return (files("pywnv") / "lua" / name).read_text("utf-8")


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
    modules = [(name, needs, lua_text(f"engine/{name}.lua")) for name, needs in ENGINE]
    rules = [
        {
            "name": name,
            "source": (source := lua_text(f"engine/rules/{name}.lua")),
            "is_difference": name in DIFFERENCES,
            "has_commit": "function rule.commit(" in source,
            "number": RULES.index(name) + 1 if name in RULES else 0,
        }
        for name in DIFFERENCES + RULES
    ]
    return render("engine.lua.j2", codes=codes, tables=tables, modules=modules, rules=rules)


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
        rewritten=2 ** len(fields.REWRITTEN),
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
    from pywnv.rules import limits, rules

    texts = {"lua/wnv.lua": plugin_lua()}
    texts["docs/fields.md"] = render("fields.md.j2", fields=fields.FIELDS, version=__version__)
    texts["docs/deciding.md"] = render("deciding.md.j2", rules=rules().values(), limits=limits().values())
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
