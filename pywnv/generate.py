"""Generates Lua and Wireshark profiles from the templates and tables of this package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv import __version__, fields
from pywnv.capture.links import KIND_OF_ENCAP
from pywnv.errors import OutputError
from pywnv.profile import PROFILES

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Environment

TITLE = "Windows Network Virtualization"

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

# The modules of the engine, in order, with the modules that each is given.
ENGINE = (
    ("link", ()),
    ("tunnel", ("link",)),
    ("key", ("link", "tunnel")),
    ("text", ()),
    ("hop", ("codes", "text")),
    ("path", ()),
    ("changes", ("codes", "link")),
    ("proof", ()),
    ("memory", ()),
    ("tally", ()),
    ("again", ("codes", "link", "proof")),
    ("ids", ()),
    ("tcp", ("proof",)),
    ("cut", ("proof",)),
    ("nat", ("changes", "proof")),
    ("packets", ("codes", "path", "changes", "proof", "memory", "tally", "again", "ids", "tcp", "cut", "nat")),
    ("engine", ("codes", "key", "hop", "packets")),
)
# What the engine says today; the other fields stay empty until it does.
ENGINE_COLUMNS = (
    "packet",
    "appearance",
    "duplicate",
    "duplicate_of",
    "previous",
    "verdict",
    "evidence",
    "rewritten",
    "segment_of",
    "hop",
    "hop_role",
    "hop_delta",
    "hop_elapsed",
    "path",
)


def quote_lua(text: str) -> str:
    """A Lua string literal for any text: the one way in which foreign text enters Lua source."""

    def safe(byte: int) -> str:
        character = chr(byte)
        plain = 0x20 <= byte < 0x7F and character not in '"\\'
        return character if plain else f"\\{byte:03d}"

    return '"' + "".join(map(safe, text.encode())) + '"'


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


def engine_lua() -> str:
    """The engine as one piece of Lua that leaves its modules in the local table `modules`."""
    codes = {
        "verdict": fields.VERDICTS,
        "evidence": fields.EVIDENCE,
        "rewritten": fields.REWRITTEN,
        "role": fields.ROLES,
    }
    modules = [(name, needs, template_text(f"engine/{name}.lua")) for name, needs in ENGINE]
    return render("engine.lua.j2", codes=codes, modules=modules)


def plugin_lua() -> str:
    """The plugin lua/wnv.lua."""
    return render(
        "plugin.lua.j2",
        title=TITLE,
        version=__version__,
        engine=engine_lua(),
        fields=fields.FIELDS,
        engine_columns=ENGINE_COLUMNS,
        encaps=KIND_OF_ENCAP,
    )


def profile_texts(*, deinterlace: bool = False) -> dict[str, str]:
    """The files of the profiles: their paths below the folder of profiles, and their texts.

    Args:
        deinterlace: whether Wireshark keeps the conversations of each interface apart; 4.4 and newer know how.
    """
    return {
        f"{profile.name}/{name}": render(
            f"profile/{name}.j2", profile=profile, version=__version__, deinterlace=deinterlace
        )
        for profile in PROFILES
        for name, part in PROFILE_FILES.items()
        if getattr(profile, part)
    }


def generated() -> dict[str, str]:
    """Every generated file: its path below the project's folder, and its text."""
    from pywnv import drops, topology

    texts = {"lua/wnv.lua": plugin_lua()}
    texts["docs/fields.md"] = render("fields.md.j2", fields=fields.FIELDS, said=ENGINE_COLUMNS, version=__version__)
    texts["docs/drops.md"] = render("drops.md.j2", table=drops.table(), sections=drops.sections(), version=__version__)
    texts["docs/topology.schema.json"] = topology.schema()
    return texts | {f"profiles/{name}": text for name, text in profile_texts().items()}


def write_all(folder: Path) -> list[Path]:
    """Writes every generated file below a folder; returns their paths.

    Raises:
        OutputError: one cannot be written.
    """
    written = []
    for name, text in generated().items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror or error}") from error
        written.append(path)
    return written


def differing(folder: Path) -> list[Path]:
    """The generated files below a folder that are missing, differ, or should not be there."""
    wanted = {folder / name: text.encode() for name, text in generated().items()}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_bytes() != text]
    found = (path for room in ("lua", "profiles") for path in sorted((folder / room).rglob("*")) if path.is_file())
    return stale + [path for path in found if path not in wanted]
