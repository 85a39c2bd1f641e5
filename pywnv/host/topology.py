"""What the user knows of a host: names and roles for what captures call eth:12:0, port 4 or component 57."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pywnv.errors import TopologyError
from pywnv.lua.quoting import lua_literal
from pywnv.tables import fields

LARGEST_FILE = 8 * 1024 * 1024
MOST_KEYS = 20_000  # Lua takes some 60,000 constants in one literal
LONGEST_VALUE = 60  # of a wrong value, as an error shows it

# The keys by which a capture is matched: here, and as engine/hop.lua calls them.
KEYS = {
    "interfaces": "interface",
    "ifindexes": "ifindex",
    "macs": "mac",
    "port_ids": "port_id",
    "port_names": "port_name",
    "component_ids": "component_id",
    "descriptions": "description",
}


def _mac(text: str) -> str:
    digits = re.sub(r"[-:.]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError("is no MAC address; write it like 00-15-5D-01-02-03")
    return digits


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Number = Annotated[int, Field(ge=0, le=2**32 - 1)]
Mac = Annotated[str, AfterValidator(_mac)]
Role = Literal["pNIC", "tNIC", "vSwitch", "vmNIC", "host vNIC", "filter", "protocol"]


class _Part(BaseModel):
    """A part of the host, and how captures name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="What people call it")
    interfaces: list[Text] = Field([], description="Names of interfaces in captures, such as eth:12:0")
    ifindexes: list[Number] = Field([], description="ifIndex of the adapter, as Get-NetAdapter shows it")
    macs: list[Mac] = Field([], description="Its MAC addresses")
    port_ids: list[Number] = Field([], description="Numbers of its ports on the vmSwitch (SrcPortId)")
    port_names: list[Text] = Field([], description="Names of its ports on the vmSwitch (SrcPortName)")
    component_ids: list[Number] = Field([], description="Ids of its components in pktmon list")
    descriptions: list[Text] = Field([], description="Descriptions of interfaces in captures: what pktmon list shows")


class Nic(_Part):
    """An adapter, or another place where packets are seen."""

    role: Role | None = Field(None, description="What kind of place it is")


class Team(_Part):
    """A NIC team (LBFO): a tNIC and the NICs that carry its packets."""

    members: list[Name] = Field([], description="Names of the NICs in the team")


class Switch(_Part):
    """A vmSwitch and what is connected to it."""

    ports: list[Name] = Field([], description="Names of the NICs and teams connected to it, the uplink too")


class Topology(BaseModel):
    """Names and roles for the places in a host where packets are seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nics: list[Nic] = []
    teams: list[Team] = []
    switches: list[Switch] = []


def load(path: Path) -> Topology:
    """Reads a topology: a TOML or YAML file, or what ``pktmon list --json`` printed.

    Raises:
        TopologyError: the file cannot be read or is wrong; the message names the place, in one line.
    """
    from pywnv.host import pktmon_list

    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TopologyError(f"{path}: {error.strerror or error}") from error
    if len(data) > LARGEST_FILE:
        raise TopologyError(f"{path}: larger than {LARGEST_FILE >> 20} MB, which no topology is")
    try:
        # PowerShell's > writes UTF-16.
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TopologyError(f"{path}: is not text: byte {error.start} cannot be read as {error.encoding}") from error
    try:
        value = _parsed(path, text)
    except RecursionError:
        raise TopologyError(f"{path}: brackets are nested too deep") from None
    if path.suffix.lower() == ".json" and pktmon_list.is_list(value):
        topology = pktmon_list.topology(value)
    else:
        try:
            topology = Topology.model_validate(value)
        except ValidationError as error:
            raise TopologyError(f"{path}: {_words(error)}") from None
        problem = next(_problems(topology), None)
        if problem:
            raise TopologyError(f"{path}: {problem}")
    keys = sum(len(getattr(part, key)) for _, part in _parts(topology) for key in KEYS)
    if keys > MOST_KEYS:
        raise TopologyError(f"{path}: names {keys} interfaces, ports and the like; {MOST_KEYS} are the limit")
    return topology


def _parsed(path: Path, text: str) -> object:
    suffix = path.suffix.lower()
    if suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TopologyError(f"{path}: {_one_line(str(error))}") from None
    if suffix in (".yaml", ".yml"):
        return _yaml(path, text)
    if suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise TopologyError(f"{path}: {_one_line(str(error))}") from None
    raise TopologyError(f"{path}: what is in it is told by its ending: .toml, .yaml, .yml, or .json for pktmon list")


def _yaml(path: Path, text: str) -> object:
    import yaml

    class Loader(yaml.BaseLoader):  # every scalar stays text: MAC addresses are no numbers, "no" is a name
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            mapping = super().construct_mapping(node, deep)
            if len(mapping) < len(node.value):
                raise yaml.constructor.ConstructorError(None, None, "a key is there twice", node.start_mark)
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
        words = "is not known here: look for a typing error"
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


def _parts(topology: Topology) -> Iterator[tuple[str, _Part]]:
    """All parts, with the place of each in the file."""
    for room in ("nics", "teams", "switches"):
        for at, part in enumerate(getattr(topology, room)):
            yield f"{room}[{at + 1}]", part


def _problems(topology: Topology) -> Iterator[str]:
    """What a topology says that cannot be, each with its place."""
    claimed: dict[tuple[str, str | int], str] = {}
    named: dict[tuple[bool, str], str] = {}
    for place, part in _parts(topology):
        is_switch = isinstance(part, Switch)  # which may be called as one of its NICs
        other = named.setdefault((is_switch, part.name), place)
        if other != place:
            yield f"{place}.name: {_shown(part.name)!r} is the name of {other} already"
        for key in KEYS.keys() - {"macs"}:  # a host vNIC has the MAC of its pNIC
            for at, value in enumerate(getattr(part, key)):
                other = claimed.setdefault((key, value), place)
                if other != place:
                    yield f"{place}.{key}[{at + 1}]: {_shown(value)!r} stands for {other} already"
    nics = {nic.name for nic in topology.nics}
    connectable = nics | {team.name for team in topology.teams}
    for place, part in _parts(topology):
        if isinstance(part, Team):
            for at, name in enumerate(part.members):
                if name not in nics:
                    yield f"{place}.members[{at + 1}]: there is no NIC {_shown(name)!r} in nics"
        elif isinstance(part, Switch):
            for at, name in enumerate(part.ports):
                if name not in connectable:
                    yield f"{place}.ports[{at + 1}]: there is no {_shown(name)!r} in nics or teams"


def _role(part: _Part) -> str | None:
    if isinstance(part, Nic):
        return part.role
    return "tNIC" if isinstance(part, Team) else "vSwitch"


def lua(topology: Topology) -> str:
    """The topology as a Lua table literal, for engine/hop.lua."""
    team_of = {name: team.name for team in topology.teams for name in team.members}
    switch_of = {name: switch.name for switch in topology.switches for name in switch.ports}
    entries: list[dict[str, object]] = []
    indexes: dict[str, dict[str | int, int]] = {index: {} for index in KEYS.values()}
    shared: set[str | int] = set()
    for _, part in _parts(topology):
        role = _role(part)
        connects = not isinstance(part, Switch)
        entries.append(
            {
                "name": part.name,
                "role": role and fields.ROLES.index(role),
                "team": team_of.get(part.name) if connects else None,
                "switch": switch_of.get(part.name) if connects else None,
            }
        )
        for key, index in KEYS.items():
            for value in getattr(part, key):
                if indexes[index].setdefault(value, len(entries)) != len(entries):
                    shared.add(value)
    for mac in shared:  # tells nobody
        del indexes["mac"][mac]
    return lua_literal({"entries": entries, **indexes})


def schema() -> str:
    """The JSON Schema of a topology file."""
    made = Topology.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **made}, indent=2) + "\n"
