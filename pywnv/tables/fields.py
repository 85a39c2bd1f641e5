"""The table of fields: all that pywnv says about a frame.

The plugin's ProtoFields, the columns of CSV and JSONL, the engine's codes and the profile are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache


class Type(Enum):
    """The type of a value, in Wireshark and in files."""

    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    BOOL = "bool"
    STRING = "string"
    FRAME = "framenum"
    SECONDS = "relative_time"


VERDICTS = ("original", "duplicate", "segment", "coalesced", "repeat", "retransmission", "event")
EVIDENCE = ("none", "packet-id", "bytes", "rewritten", "segment", "learned")
REWRITTEN = ("vlan", "mac", "ttl", "id", "checksum", "nat", "link")
ROLES = ("unknown", "pNIC", "tNIC", "vSwitch", "vmNIC", "host vNIC", "filter", "protocol")
DIRECTIONS = ("unknown", "outbound", "inbound", "internal")
EVENTS = ("none", "received", "routed", "delivered", "dropped")


@dataclass(frozen=True)
class Field:
    """One field of a frame.

    Attributes:
        name: what follows ``wnv.`` in Wireshark.
        type: of its value.
        title: what the packet details show before the value.
        help: one sentence for users.
        names: of the values 0, 1, 2 ... where they are named; files hold the name.
    """

    name: str
    type: Type
    title: str
    help: str
    names: tuple[str, ...] = ()

    @property
    def abbreviation(self) -> str:
        """The field's name in a display filter."""
        return f"wnv.{self.name}"

    @property
    def column(self) -> str:
        """Its column in CSV and JSONL."""
        return self.name.replace(".", "_")


FIELDS = (
    Field("packet", Type.UINT32, "Packet", "The packet, as the number of its first frame"),
    Field("appearance", Type.UINT16, "Appearance", "Which sighting of the packet this is: 1, 2, 3 ... in file order"),
    Field("duplicate", Type.BOOL, "Duplicate", "A further sighting of a packet"),
    Field("duplicate_of", Type.FRAME, "Duplicate of", "The first frame of the packet"),
    Field("previous", Type.FRAME, "Previous appearance", "The sighting before this one"),
    Field("verdict", Type.UINT8, "Verdict", "What this frame is", VERDICTS),
    Field("evidence", Type.UINT8, "Evidence", "What proves that it is the same packet", EVIDENCE),
    Field("rule", Type.STRING, "Rule", "The engine's rule that decided, see docs/deciding.md"),
    Field(
        "repeat_of",
        Type.FRAME,
        "Repeat of",
        "For a repeat or a retransmission: the first frame of the packet that carried the same content before",
    ),
    Field("rewritten", Type.STRING, "Rewritten", "What differs from the previous sighting"),
    Field("segment_of", Type.FRAME, "Segment of", "The larger frame that this one was cut from"),
    Field("hop", Type.STRING, "Hop", "The place in the host where the frame was seen"),
    Field("hop.role", Type.UINT8, "Role", "What kind of place the hop is", ROLES),
    Field("hop.delta", Type.SECONDS, "Since previous appearance", "Time since the previous sighting"),
    Field("hop.elapsed", Type.SECONDS, "Since first appearance", "Time since the first sighting"),
    Field("path", Type.STRING, "Path", "The packet's hops so far; where the switch floods, its branches in braces"),
    Field("direction", Type.UINT8, "Direction", "The direction of the packet, seen from the host", DIRECTIONS),
    Field("vlan", Type.UINT16, "VLAN", "VLAN that the capture tool recorded"),
    Field("port", Type.UINT32, "Port", "Port of the vSwitch"),
    Field("nic", Type.STRING, "NIC", "Name of the NIC that the capture tool recorded"),
    Field("nic.type", Type.STRING, "NIC type", "Type of the NIC that the capture tool recorded"),
    Field("pid", Type.UINT32, "Process", "Id of the process that was running when the frame was captured"),
    Field("event", Type.UINT8, "Event", "What the vmSwitch did with a packet", EVENTS),
    Field("event.nic", Type.STRING, "Event NIC", "The NIC that the event names first"),
    Field(
        "event.destination_nic", Type.STRING, "Event destination NIC", "The NIC that the event says the packet went to"
    ),
    Field("event.switch", Type.STRING, "Event switch", "The vmSwitch"),
    Field(
        "event.near",
        Type.FRAME,
        "Event near",
        "The packet just before the event, by at most a millisecond; the event may be about another one",
    ),
    Field(
        "event.packet",
        Type.FRAME,
        "Event packet",
        "The packet that the event is about, where the buffer's address and the order of events prove it",
    ),
    Field("drop", Type.BOOL, "Dropped", "The packet was dropped here"),
    Field("drop.reason", Type.UINT32, "Drop reason", "Why it was dropped, as the number that Windows uses"),
    Field("drop.reason.text", Type.STRING, "Drop reason in words", "Why it was dropped, in Windows' words"),
    Field("drop.location", Type.UINT32, "Drop location", "Where in the network stack it was dropped"),
    Field(
        "drop.harmless",
        Type.BOOL,
        "Drop is harmless",
        "A drop that Windows makes every day: not for this host, nobody listens to this group, a duplicate segment",
    ),
    Field("drop.advice", Type.STRING, "Drop advice", "What to look at for this drop"),
    Field(
        "drop.rule",
        Type.STRING,
        "Drop rule",
        "The VLAN setting or ACL of the host that explains the drop; for VFP's own drops, VFP's rule",
    ),
)

# What the packet list shows instead of a field, in columns: made by the plugin, in no file.
LIST_HOP = Field("list.hop", Type.STRING, "Hop, short", "The hop, or the NICs of an event, short enough for a column")
LIST_VERDICT = Field("list.verdict", Type.STRING, "Verdict, with drops", "What the frame is, or dropped")
LIST_DELTA = Field("list.delta", Type.STRING, "Delta", "Microseconds since the previous sighting")
HOP_SLOW = Field("hop.slow", Type.BOOL, "Slow", "This step took far longer than it usually does")
LIST_WHY = Field("list.why", Type.STRING, "Why dropped", "The rule of the host that dropped the frame, else the reason")
LIST_SWITCH = Field(
    "list.switch", Type.BOOL, "Fits the profile WNV", "A duplicate or an event: a frame to show with that profile"
)
LIST = (LIST_HOP, LIST_VERDICT, LIST_DELTA, LIST_WHY, LIST_SWITCH, HOP_SLOW)

BY_COLUMN = {field.column: field for field in FIELDS}

# Who sends a packet to whom: columns of files only, as Wireshark has its own fields for them.
ENDS = (
    Field("length", Type.UINT32, "Length", "Bytes of the packet on the wire"),
    Field(
        "protocol", Type.STRING, "Protocol", "The highest protocol that the engine knows: ARP, ICMP, TCP, UDP, IGMP ..."
    ),
    Field("source", Type.STRING, "Source", "The address of the sender, in the innermost packet"),
    Field("destination", Type.STRING, "Destination", "The address of the receiver, in the innermost packet"),
    Field("source_port", Type.UINT16, "Source port", "The port of the sender"),
    Field("destination_port", Type.UINT16, "Destination port", "The port of the receiver"),
)
END_OF_COLUMN = {field.column: field for field in ENDS}

# Columns of a file that are not fields of pywnv.
FRAME_COLUMNS = ("frame", "time", "interface", *END_OF_COLUMN)


# The order in the packet details: why it was dropped; what, where, how long, why.
TREE = (
    *("drop", "drop_reason", "drop_reason_text", "drop_harmless", "drop_rule", "drop_advice", "drop_location"),
    *("verdict", "packet", "appearance", "duplicate", "duplicate_of", "previous", "segment_of", "repeat_of"),
    *("event", "event_nic", "event_destination_nic", "event_switch", "event_packet", "event_near"),
    *("hop", "hop_role", "path", "direction", "vlan", "port", "nic", "nic_type", "pid"),
    *("hop_delta", "hop_elapsed"),
    *("evidence", "rule", "rewritten"),
)


@dataclass(frozen=True)
class Said:
    """A column as a packet comment says it.

    Attributes:
        key: what it is called there.
        varies: whether it is another in each comment.
    """

    key: str
    varies: bool = False


# What a packet comment says, by column, in this order; what can be told from the rest is left out.
# `duplicate` and `duplicate_of` are told by the others.
COMMENT = {
    **{column: Said(column, varies=True) for column in ("packet", "previous", "appearance")},
    "hop_delta": Said("delta_ns", varies=True),
    "hop_elapsed": Said("elapsed_ns", varies=True),
    **{column: Said(column, varies=True) for column in ("segment_of", "repeat_of", "event_near", "event_packet")},
    "verdict": Said("verdict"),
    "path": Said("path"),
    "hop": Said("hop"),
    "hop_role": Said("role"),
    **{
        field.column: Said(field.column)
        for field in FIELDS
        if field.name.startswith(("direction", "evidence", "rule", "rewritten", "vlan", "port", "nic", "pid"))
    },
    **{column: Said(column) for column in ("event", "event_nic", "event_destination_nic", "event_switch")},
    **{field.column: Said(field.column) for field in FIELDS if field.name.startswith("drop")},
}


@cache  # asked for with every row
def columns() -> tuple[str, ...]:
    """The columns of CSV and JSONL, in order."""
    return *FRAME_COLUMNS, *(field.column for field in FIELDS)
