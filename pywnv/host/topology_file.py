"""Reads topology files, TOML or YAML, and says in one line what is wrong and where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pywnv.errors import TopologyError
from pywnv.host.topology import KEYS, Switch, Team, Topology, parts

LARGEST_FILE = 8 * 1024 * 1024
LONGEST_VALUE = 60  # of a wrong value, as an error shows it
ENDINGS = (".toml", ".yaml", ".yml")


def checked(path: Path, value: object) -> Topology:
    """The topology that a file says.

    Raises:
        TopologyError: it is invalid; the message names the place, in one line.
    """
    try:
        topology = Topology.model_validate(value)
    except ValidationError as error:
        raise TopologyError(f"{path}: {_words(error)}") from None
    if topology.host:
        raise TopologyError(f"{path}: host: is unknown: check the spelling")
    problem = next(_problems(topology), None)
    if problem:
        raise TopologyError(f"{path}: {problem}")
    return topology


def read(path: Path) -> object:
    """What a TOML or YAML file says.

    Raises:
        TopologyError: it cannot be read; the message names the place, in one line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TopologyError(f"{path}: {error.strerror or error}") from error
    if len(data) > LARGEST_FILE:
        raise TopologyError(f"{path}: larger than {LARGEST_FILE >> 20} MB, too large for a topology file")
    try:
        # PowerShell's > writes UTF-16.
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TopologyError(f"{path}: is not text: byte {error.start} cannot be read as {error.encoding}") from error
    try:
        return _parsed(path, text)
    except RecursionError:
        raise TopologyError(f"{path}: brackets are nested too deep") from None


def _parsed(path: Path, text: str) -> object:
    if path.suffix.lower() != ".toml":
        return _yaml(path, text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TopologyError(f"{path}: {_one_line(str(error))}") from None


def _yaml(path: Path, text: str) -> object:
    import yaml

    class Loader(yaml.BaseLoader):  # every scalar stays text: MAC addresses are no numbers, "no" is a name
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            mapping = super().construct_mapping(node, deep)
            if len(mapping) < len(node.value):
                raise yaml.constructor.ConstructorError(None, None, "a key occurs twice", node.start_mark)
            return mapping

    try:
        return yaml.load(text, Loader)  # noqa: S506 - BaseLoader makes nothing but texts, lists and mappings
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise TopologyError(f"{path}: {_one_line(error.problem or str(error))}{place}") from None
    except yaml.YAMLError as error:
        raise TopologyError(f"{path}: {_one_line(str(error))}") from None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _place(location: tuple[int | str, ...]) -> str:
    """The place of a value, such as nics[2].macs[0]; lists count from 1 for people."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{_shown(part)}" for part in location]
    return "".join(parts).removeprefix(".") or "the file"


def _shown(value: object) -> str:
    text = _one_line(str(value))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _words(error: ValidationError) -> str:
    """The first thing that is wrong, and how many more there are, in one line."""
    first, *more = error.errors(include_url=False)
    kind, words, value = first["type"], first["msg"], first["input"]
    if kind == "missing":
        words = "is missing"
    elif kind == "extra_forbidden":
        words = "is unknown: check the spelling"
    elif kind in ("model_type", "dict_type"):
        words = "must be a table of names and values"
    elif kind == "value_error":
        words = words.removeprefix("Value error, ")
    else:
        words = re.sub(r"^\w+ should", "must", words)
    if isinstance(value, str) and kind != "extra_forbidden":
        words = f"{_shown(value)!r} {words}"
    elif isinstance(value, int | float) and kind != "extra_forbidden":
        words = f"{_shown(value)} {words}"
    place = _place(first["loc"])
    return f"{place}: {_one_line(words)}" + (f" (and {len(more)} more)" if more else "")


def _problems(topology: Topology) -> Iterator[str]:
    """What a topology says that cannot be, each with its place."""
    claimed: dict[tuple[str, str | int], str] = {}
    named: dict[tuple[bool, str], str] = {}
    for place, part in parts(topology):
        is_switch = isinstance(part, Switch)  # which may be called as one of its NICs
        other = named.setdefault((is_switch, part.name), place)
        if other != place:
            yield f"{place}.name: {_shown(part.name)!r} is already the name of {other}"
        for key in KEYS.keys() - {"macs"}:  # a host vNIC has the MAC of its pNIC
            for at, value in enumerate(getattr(part, key)):
                other = claimed.setdefault((key, value), place)
                if other != place:
                    yield f"{place}.{key}[{at + 1}]: {_shown(value)!r} is already used for {other}"
    nics = {nic.name for nic in topology.nics}
    connectable = nics | {team.name for team in topology.teams}
    for place, part in parts(topology):
        if isinstance(part, Team):
            for at, name in enumerate(part.members):
                if name not in nics:
                    yield f"{place}.members[{at + 1}]: no NIC {_shown(name)!r} in nics"
        elif isinstance(part, Switch):
            for at, name in enumerate(part.ports):
                if name not in connectable:
                    yield f"{place}.ports[{at + 1}]: no {_shown(name)!r} in nics or teams"
