"""What our Wireshark profiles hold: columns, colours, filter buttons, macros and graphs, in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pywnv.generate.render import render
from pywnv.tables import fields, palette
from pywnv.tables.palette import Shade
from pywnv.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

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

FITTING = -1  # a width: as wide as Wireshark thinks fit

NO_DUPLICATE = "!wnv.duplicate"
# An ACK of what the file shows later or never: it says that the capture missed a frame or has it late, as across a NAT,
# where the hops of one packet are flows of their own. What was acknowledged has arrived.
ONLY_UNSEEN = (
    "tcp.analysis.ack_lost_segment && !tcp.analysis.retransmission && !tcp.analysis.out_of_order"
    " && !tcp.analysis.lost_segment && !tcp.analysis.zero_window && !tcp.analysis.window_full"
)
# Flags of Wireshark's TCP analysis that tell of loss or disorder; it raises them for duplicates, too.
TCP_ALARM = (
    "tcp.analysis.flags && !tcp.analysis.window_update && !tcp.analysis.keep_alive && !tcp.analysis.keep_alive_ack"
    f" && !({ONLY_UNSEEN})"
)
TCP_RESET = "tcp.flags.reset == 1"
TCP_TROUBLE = f"{TCP_ALARM} && {NO_DUPLICATE}"
SLOW = fields.HOP_SLOW.abbreviation

# The kinds of hop that share a tint.
KINDS = {
    "pNIC": ("pNIC",),
    "tNIC": ("tNIC",),
    "vSwitch": ("vSwitch",),
    "vNIC": ("vmNIC", "host vNIC"),
    "stack": ("filter", "protocol"),
}


@dataclass(frozen=True)
class Column:
    """A column of the packet list: its title, Wireshark's format, and its width in pixels."""

    title: str
    format: str
    width: int = FITTING
    hidden: bool = False

    @classmethod
    def of(cls, title: str, field: str, width: int, *, hidden: bool = False) -> Column:
        """A column that shows a field."""
        return cls(title, f"%Cus:{field}:0:R", width, hidden)

    @property
    def key(self) -> str:
        """By which the file `recent` knows it: a field's name in quotes, else the format."""
        return f'"{self.format.removesuffix(":0:R")}"' if ":" in self.format else self.format


@dataclass(frozen=True)
class Rule:
    """A colouring rule; the first rule that fits a frame wins."""

    name: str
    filter: str
    shade: Shade

    @property
    def channels(self) -> tuple[str, str]:
        """Background and text as the file wants them: three numbers of 16 bits each."""
        background, foreground = (
            ",".join(str((colour >> shift & 0xFF) * 0x101) for shift in (16, 8, 0)) for colour in self.shade
        )
        return background, foreground


@dataclass(frozen=True)
class Button:
    """A filter button."""

    label: str
    filter: str
    help: str


@dataclass(frozen=True)
class Macro:
    """A display filter with a parameter, $1; in a filter: ${name:value}."""

    name: str
    filter: str


@dataclass(frozen=True)
class Graph:
    """A line of Statistics > I/O Graphs: frames, or what is made of a field's values."""

    name: str
    filter: str
    colour: int
    axis: str = "Packets"
    field: str = ""
    style: str = "Line"


@dataclass(frozen=True)
class Profile:
    """A Wireshark profile.

    Attributes:
        name: of it, and of its folder.
        purpose: what it is for, in a few words.
        switch: a display filter; Wireshark 4.4 and newer choose the profile by themselves where it fits a frame.
        stays: whether who has chosen it keeps it, whatever fits `switch` of another one of ours.
        apart: whether it is worth its CPU to keep the TCP conversations of each interface apart, where Wireshark can.
    """

    name: str
    purpose: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    buttons: tuple[Button, ...]
    macros: tuple[Macro, ...] = ()
    graphs: tuple[Graph, ...] = ()
    switch: str = ""
    stays: bool = False
    apart: bool = False


def _role(names: tuple[str, ...]) -> str:
    return " || ".join(f'wnv.hop.role == "{name}"' for name in names)


def _duplicates() -> tuple[Rule, ...]:
    """Duplicates by the kind of hop, paler, then what is left: first sightings."""
    duplicates = [
        Rule(f"WNV duplicate {kind}", f"wnv.duplicate && ({_role(roles)})", palette.duplicate(kind))
        for kind, roles in KINDS.items()
    ]
    firsts = [
        Rule(f"WNV {kind}", f"wnv.packet && ({_role(roles)})", palette.original(kind)) for kind, roles in KINDS.items()
    ]
    return (
        *duplicates,
        Rule("WNV duplicate", "wnv.duplicate", palette.duplicate("unknown")),
        *firsts,
        Rule("WNV first", "wnv.packet", palette.original("unknown")),
    )


RULES = (
    Rule("WNV harmless drop", "wnv.drop.harmless == 1", palette.HARMLESS),
    Rule("WNV drop", "wnv.drop", palette.DROP),
    Rule("WNV real TCP trouble", TCP_TROUBLE, palette.TROUBLE),
    Rule("WNV TCP reset", f"{TCP_RESET} && {NO_DUPLICATE}", palette.RESET),
    Rule("WNV repeat", 'wnv.verdict == "repeat"', palette.REPEAT),
    Rule("WNV retransmission", 'wnv.verdict == "retransmission"', palette.RETRANSMISSION),
    Rule("WNV segment", 'wnv.verdict == "segment" || wnv.verdict == "coalesced"', palette.SEGMENT),
    Rule("WNV event", 'wnv.verdict == "event"', palette.EVENT),
    *_duplicates(),
)

ONE_PER_PACKET = Button("One per packet", NO_DUPLICATE, "The first sighting of each packet")
DUPLICATES = Button("Duplicates", "wnv.duplicate", "All further sightings")
THIS_PACKET = Button("This packet", "wnv.packet == ${wnv.packet}", "Every sighting of the selected packet")
THIS_HOP = Button("This hop only", "wnv.hop == ${wnv.hop}", "What was seen at the hop of the selected frame")
DROPS = Button("Drops", "wnv.drop", "What was dropped")
SLOW_HOPS = Button("Slow hops", SLOW, "Steps inside the host that took far longer than they mostly do")
TROUBLE = Button("Real TCP trouble", TCP_TROUBLE, "Loss and disorder that duplicates did not cause")
EVENTS = Button("Events", 'wnv.verdict == "event"', "What the vmSwitch said that it did with packets")
ALL = Button("All", "frame", "Every frame")

MACROS = (
    Macro("wnv_packet", "wnv.packet == $1"),
    Macro("wnv_at", "wnv.hop contains $1"),
    Macro("wnv_slower", "wnv.hop.delta > $1"),
    Macro("wnv_reason", "wnv.drop.reason == $1"),
)

GRAPHS = (
    Graph("Packets", NO_DUPLICATE, 0x4A6FA5),
    Graph("Duplicates", "wnv.duplicate", 0x9AA3AD),
    Graph("Drops", "wnv.drop", palette.DROP.background, style="Bar"),
    Graph("Hop latency, mean", "wnv.duplicate", 0x2B7A78, "AVG(Y Field)", "wnv.hop.delta"),
    Graph("Hop latency, largest", "wnv.duplicate", 0xA40000, "MAX(Y Field)", "wnv.hop.delta"),
)

# Widths in Wireshark's monospaced font: the packet list of a window of 1400 pixels leaves 40 characters to Info.
NUMBER = Column("No.", "%m", 76)
TIME = Column("Time", "%t", 96)
HOP = Column.of("Hop", fields.LIST_HOP.abbreviation, 260)
SHORT_HOP = replace(HOP, width=204)  # of a team and its NICs, beside one column more
PACKET = Column.of("Packet", "wnv.packet or wnv.event.packet", 58)
DELTA = Column.of("Delta us", fields.LIST_DELTA.abbreviation, 68)
VERDICT = Column.of("Verdict", fields.LIST_VERDICT.abbreviation, 118)
PATH = Column.of("Path", "wnv.path", 320, hidden=True)
SOURCE = Column("Source", "%s", 120)
DESTINATION = Column("Destination", "%d", 120)
PROTOCOL = Column("Protocol", "%p", 60)
LENGTH = Column("Length", "%L", 52)
INFO = Column("Info", "%i", 120)  # at least: the last column takes what the others leave

WNV = Profile(
    name="WNV",
    purpose="general use",
    columns=(
        *(NUMBER, TIME, PACKET, HOP, DELTA, VERDICT, PATH),
        *(SOURCE, DESTINATION, PROTOCOL, LENGTH, INFO),
    ),
    rules=RULES,
    buttons=(ONE_PER_PACKET, THIS_PACKET, THIS_HOP, DROPS, SLOW_HOPS, TROUBLE, EVENTS, ALL),
    macros=MACROS,
    graphs=GRAPHS,
    switch=fields.LIST_SWITCH.abbreviation,
    apart=True,
)

LBFO = Profile(
    name="WNV LBFO",
    purpose="teams: what is real TCP trouble, and what is a duplicate",
    columns=(
        *(NUMBER, TIME, PACKET, SHORT_HOP, DELTA, VERDICT, Column.of("Stream", "tcp.stream", 54)),
        *(SOURCE, DESTINATION, PROTOCOL, LENGTH, INFO),
    ),
    rules=RULES,
    buttons=(ONE_PER_PACKET, DUPLICATES, THIS_PACKET, THIS_HOP, SLOW_HOPS, TROUBLE, ALL),
    macros=MACROS,
    graphs=GRAPHS,
    stays=True,
    apart=True,
)

DROPS_PROFILE = Profile(
    name="WNV Drops",
    purpose="what was dropped, where and why",
    columns=(  # in a window of 1024 pixels, all up to the reason is in view; of 1280, they leave enough to Info
        *(NUMBER, TIME, PACKET, replace(HOP, width=226)),
        Column.of("Why dropped", fields.LIST_WHY.abbreviation, 288),
        *(SOURCE, DESTINATION, PROTOCOL, INFO),
        Column.of("NIC", "wnv.event.nic", 160, hidden=True),
        Column.of("To NIC", "wnv.event.destination_nic", 130, hidden=True),
        Column.of("Advice", "wnv.drop.advice", 320, hidden=True),
    ),
    rules=RULES,
    buttons=(DROPS, EVENTS, THIS_PACKET, THIS_HOP, ONE_PER_PACKET, ALL),
    macros=MACROS,
    graphs=GRAPHS,
    stays=True,
)


COMMENTS = ("frame.comment", "systemd_journal.field.value")  # an event's block may be a journal entry


def _says(words: str) -> str:
    """A filter for what `pywnv annotate --format pcapng` writes into packet comments and journal entries."""
    return " || ".join(f'{field} matches "{words}"' for field in COMMENTS)


SAYS_DROP = _says("^dropped.*[(]wnv frame=")
SAYS_DUPLICATE = _says("[(]wnv frame=[0-9]+ packet=")
SAYS_TROUBLE = f"{TCP_ALARM} && !({SAYS_DUPLICATE})"
SAYS_EVENT = _says("[(]wnv frame=.* verdict=event")


# For files that pywnv has annotated, opened where the plugin is not: rules on wnv.* would raise a dialog there.
ANNOTATED = Profile(
    name="WNV annotated",
    purpose="files that pywnv has annotated, without the plugin",
    columns=(
        *(NUMBER, TIME, replace(PACKET, format="%Cus:frame.packet_id:0:R")),
        Column.of("What pywnv says", " or ".join(COMMENTS), 560),
        *(SOURCE, DESTINATION, PROTOCOL, replace(LENGTH, hidden=True), INFO),
    ),
    rules=(
        Rule("WNV harmless drop", _says("^dropped [(]harmless[)].*[(]wnv frame="), palette.HARMLESS),
        Rule("WNV drop", SAYS_DROP, palette.DROP),
        Rule("WNV real TCP trouble", SAYS_TROUBLE, palette.TROUBLE),
        Rule("WNV TCP reset", f"{TCP_RESET} && !({SAYS_DUPLICATE})", palette.RESET),
        Rule("WNV repeat", _says("^repeat.*[(]wnv frame="), palette.REPEAT),
        Rule("WNV retransmission", _says("^retransmission.*[(]wnv frame="), palette.RETRANSMISSION),
        Rule("WNV segment", _says("^(segment|coalesced).*[(]wnv frame="), palette.SEGMENT),
        Rule("WNV event", SAYS_EVENT, palette.EVENT),
        Rule("WNV duplicate", SAYS_DUPLICATE, palette.duplicate("unknown")),
        Rule("WNV first", f"{_says('[(]wnv frame=')} || frame.packet_id", palette.original("unknown")),
    ),
    buttons=(
        Button("One per packet", f"!({SAYS_DUPLICATE})", ONE_PER_PACKET.help),
        Button("This packet", "frame.packet_id == ${frame.packet_id}", THIS_PACKET.help),
        Button("Drops", SAYS_DROP, DROPS.help),
        Button(TROUBLE.label, SAYS_TROUBLE, TROUBLE.help),
        Button("Events", SAYS_EVENT, EVENTS.help),
        ALL,
    ),
)

PROFILES = (WNV, LBFO, DROPS_PROFILE, ANNOTATED)


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
