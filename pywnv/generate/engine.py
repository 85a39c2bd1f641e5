"""The engine as one piece of Lua: its modules and rules, in their order."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pywnv.generate.render import render
from pywnv.lua import lua_text
from pywnv.lua.quoting import lua_literal
from pywnv.tables import fields
from pywnv.tables.fields import Type

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

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
    ("tool_comments", ("text",)),
    ("drop", ("drops", "text")),
    ("words", ("codes", "drop")),
    ("comment_defaults", ("codes", "drop", "hop_name")),
    ("comment_values", ("text",)),
    ("annotation", ("comment", "codes", "comment_defaults", "comment_values")),
    ("event_text", ("codes", "text", "drop")),
    ("event", ("codes", "text", "drop", "event_text")),
    ("vfp", ("codes", "text")),
    ("record", ("codes", "event", "text", "drop", "vfp", "annotation")),
    ("facts", ("drop",)),
    ("direction", ("codes",)),
    ("steps", ("limits",)),
    ("path", ("codes", "steps", "limits")),
    ("mutable_fields", ("codes", "link")),
    ("identity", ("frame", "limits")),
    ("checksums", ("frame",)),
    ("packet_store", ("limits",)),
    ("routes", ("limits",)),
    ("places", ("link", "routes", "limits")),
    ("order", ("limits",)),
    ("teaching", ("order", "path", "routes", "limits")),
    ("flows", ("frame", "path", "limits")),
    ("losses", ("limits",)),
    ("queue", ("identity", "losses", "order", "path", "limits")),
    ("candidates", ("identity", "queue", "routes", "limits")),
    ("tcp", ("frame", "identity", "limits")),
    ("segmentation", ("identity", "tcp", "limits")),
    ("nat", ("frame", "identity", "order", "tcp", "limits")),
    ("networks", ("limits",)),
    ("context", ("candidates", "self", "limits")),
    ("grouper", ("codes", "path", "mutable_fields", "decide", "self")),
    ("chains", ("codes", "drop", "limits")),
    ("decider", ("frame", "grouper", "direction", "chains")),
    ("describe", ("codes", "path", "decide", "facts")),
    ("host_vlan", ()),
    ("host_acl", ()),
    ("host_rules", ("host_vlan", "host_acl")),
    ("host_packet", ("link",)),
    ("host_nics", ("codes",)),
    ("host_drops", ("codes", "host", "host_vlan", "host_rules", "host_packet", "host_nics")),
    (
        "engine",
        (
            *("hop", "decider", "tool_comments", "annotation", "record", "facts", "direction"),
            *("limits", "topology", "describe", "host_drops"),
        ),
    ),
)

# What evaluates the rules of a host: left out where none are known.
OF_HOST = ("host_vlan", "host_acl", "host_rules", "host_packet", "host_nics", "host_drops")
NO_RULES = "{}"

# The rules in their order. First those that say of a packet and a frame that they are two; then those that say which
# packet a frame shows, or that it is a new one.
DIFFERENCES = ("too_late", "other_id", "other_content", "other_network", "other_outer_id", "returned", "ttl_counts")
RULES = (
    "packet_id",
    "appended",
    "radio_retry",
    "went_on",
    "same_identity",
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


# How a comment holds a value, by the type of its field.
COMMENT_KINDS = {
    Type.UINT8: "count",
    Type.UINT16: "count",
    Type.UINT32: "count",
    Type.FRAME: "count",
    Type.BOOL: "bool",
    Type.STRING: "text",
    Type.SECONDS: "nanos",
}


def comment_columns() -> list[dict[str, object]]:
    """The columns of a packet comment, as annotation.lua takes them."""
    return [
        {
            "name": column,
            "key": said.key,
            "kind": "name" if (field := fields.BY_COLUMN[column]).names else COMMENT_KINDS[field.type],
            "varies": said.varies,
            "names": {name: code for code, name in enumerate(field.names)} or None,
        }
        for column, said in fields.COMMENT.items()
    ]


def engine_lua(topology: Topology | None = None) -> str:
    """The engine as one piece of Lua that leaves its modules in the local table `modules`.

    Args:
        topology: names and roles in the host, or None.
    """
    return _of_topology(topology) if topology else _of_no_topology()


@cache
def _of_no_topology() -> str:
    return _of_topology(None)


def _of_topology(topology: Topology | None) -> str:
    from pywnv.tables import drops

    known, host_rules = "{}", NO_RULES
    if topology:
        from pywnv.host import rules as rules_of_host
        from pywnv.host.topology import lua as topology_lua  # needs pydantic, which takes its time

        known = topology_lua(topology)
        host_rules = rules_of_host.lua(topology.host) if topology.host else NO_RULES
    codes = {
        "verdict": fields.VERDICTS,
        "evidence": fields.EVIDENCE,
        "rewritten": fields.REWRITTEN,
        "role": fields.ROLES,
        "direction": fields.DIRECTIONS,
        "event": fields.EVENTS,
    }
    tables = {"drops": drops.lua(), "topology": known, "host": host_rules, "comment": lua_literal(comment_columns())}
    modules = [
        (name, needs, lua_text(f"engine/{name}.lua"))
        for name, needs in ENGINE
        if host_rules != NO_RULES or name not in OF_HOST
    ]
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
