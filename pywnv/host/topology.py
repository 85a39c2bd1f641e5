"""What the user knows of a host: names and roles for what captures call eth:12:0, port 4 or component 57."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from pywnv.host.model import Host, Role
from pywnv.lua.quoting import lua_literal
from pywnv.tables import fields

# The keys by which a capture is matched: here, and as engine/hop.lua calls them.
KEYS = {
    "interfaces": "interface",
    "ifindexes": "ifindex",
    "macs": "mac",
    "port_ids": "port_id",
    "port_names": "port_name",
    "component_ids": "component_id",
    "descriptions": "description",
    "guids": "guid",
}


def _guid(text: str) -> str:
    guid = text.strip("{}").lower()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", guid):
        raise ValueError("is not a GUID; write it like 790BF1B4-1234-4321-8888-0123456789AB")
    return guid


def _mac(text: str) -> str:
    digits = re.sub(r"[-:.]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError("is not a MAC address; write it like 00-15-5D-01-02-03")
    return digits


def _any_case(role: object) -> object:
    """A role as we write it, where it is one, such as of "VMNIC" or "host-vnic"."""
    words = role.replace("-", " ").casefold() if isinstance(role, str) else role
    return next((known for known in get_args(Role) if known.casefold() == words), role)


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Number = Annotated[int, Field(ge=0, le=2**32 - 1)]
Mac = Annotated[str, AfterValidator(_mac)]
Guid = Annotated[str, AfterValidator(_guid)]


class _Table(BaseModel):
    """A table of a topology file; its keys count in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        known: dict[object, object] = {}
        for key, item in value.items():
            lower = key.lower() if isinstance(key, str) else key
            name = lower if lower in cls.model_fields else key
            if name in known:
                raise ValueError(f"{name} is there twice")
            known[name] = item
        return known


class _Part(_Table):
    """A part of the host, and how captures name it."""

    name: Name = Field(description="The name to show")
    interfaces: list[Text] = Field([], description="Names of interfaces in captures, such as eth:12:0")
    ifindexes: list[Number] = Field([], description="ifIndex of the adapter, as Get-NetAdapter shows it")
    macs: list[Mac] = Field([], description="Its MAC addresses")
    port_ids: list[Number] = Field([], description="Numbers of its ports on the vmSwitch (SrcPortId)")
    port_names: list[Text] = Field([], description="Names of its ports on the vmSwitch (SrcPortName)")
    component_ids: list[Number] = Field([], description="Ids of its components in pktmon list")
    descriptions: list[Text] = Field([], description="Descriptions of interfaces in captures: what pktmon list shows")
    guids: list[Guid] = Field(
        [], description="GUIDs in interface names: InterfaceGuid, or the last GUID in the Id of a VM's NIC"
    )


class Nic(_Part):
    """An adapter, or another place where packets are seen."""

    role: Annotated[Role | None, BeforeValidator(_any_case)] = Field(None, description="What kind of place it is")


class Team(_Part):
    """A NIC team (LBFO): a tNIC and the NICs that carry its packets."""

    members: list[Name] = Field([], description="Names of the NICs in the team")


class Switch(_Part):
    """A vmSwitch and what is connected to it."""

    ports: list[Name] = Field([], description="Names of the NICs and teams connected to it, the uplink too")


class Topology(_Table):
    """Names and roles for the places in a host where packets are seen."""

    nics: list[Nic] = []
    teams: list[Team] = []
    switches: list[Switch] = []
    host: SkipJsonSchema[Host | None] = None  # of an inventory: its VLANs and ACLs; a topology file has none


def parts(topology: Topology) -> Iterator[tuple[str, _Part]]:
    """All parts, with the place of each in the file."""
    for room in ("nics", "teams", "switches"):
        for at, part in enumerate(getattr(topology, room)):
            yield f"{room}[{at + 1}]", part


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
    nics = topology.host.nics if topology.host else []
    number_of = {(str(nic.role), nic.title): number for number, nic in enumerate(nics, 1)}  # in the rules
    for _, part in parts(topology):
        role = _role(part)
        connects = not isinstance(part, Switch)
        entries.append(
            {
                "name": part.name,
                "role": role and fields.ROLES.index(role),
                "team": team_of.get(part.name) if connects else None,
                "switch": switch_of.get(part.name) if connects else None,
                "nic": number_of.get((role, part.name)) if role else None,
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
