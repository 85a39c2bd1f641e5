"""What a capture lacks, and the commands that capture it better; docs/capturing.md says more of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pywnv.inspect.fingerprint import ETL2PCAPNG, ETL2TXT, ETWDUMP, OTHER_LENGTHS, PKTMON, PSPKT, PYWNV, Tool, Traits
from pywnv.inspect.tally import Tally
from pywnv.words import count

NETSH = (
    r"netsh trace start capture=yes capturetype=both tracefile=C:\trace.etl maxsize=1024 report=disabled "
    "correlation=disabled",
    "netsh trace stop",
    r"etl2pcapng C:\trace.etl C:\trace.pcapng",
)
NET_EVENT = (
    r"New-NetEventSession -Name wnv -LocalFilePath C:\trace.etl -MaxFileSize 1024",
    "Add-NetEventPacketCaptureProvider -SessionName wnv -CaptureType BothPhysicalAndSwitch",
    "Add-NetEventProvider -SessionName wnv -Name '{67DC0D66-3695-47C0-9642-33F76F7BD7AD}' -Level 0x6",
    "Start-NetEventSession -Name wnv",
    "Stop-NetEventSession -Name wnv",
    "Remove-NetEventSession -Name wnv",
    r"etl2pcapng C:\trace.etl C:\trace.pcapng",
)
PKTMON_WHOLE = r"pktmon start --capture --pkt-size 0 --file-name C:\pktmon.etl"
PKTMON_CONVERT = r"etl2pcapng C:\pktmon.etl C:\pktmon.pcapng"
ETL2TXT_HEX = "pktmon etl2txt pktmon.etl --hex -o pktmon.txt"
PYWNV_CONVERT = "pywnv convert pktmon.etl -o pktmon.pcapng"
PKTMON_NAMES = r"pktmon list --json > C:\pktmon.json"
ADAPTERS = "Get-NetAdapter | Format-Table ifIndex, Name, MacAddress"

LEAST_CUT = 0.01  # of the packets: fewer are odd ones
SAME_CUT = 0.5  # of those that were cut: then it was the tool


class Named(Protocol):
    """A hop, as far as it matters here."""

    @property
    def name(self) -> str | None:
        """As the rows have it."""

    @property
    def role(self) -> str | None:
        """Of the hop."""


class Reasoned(Protocol):
    """A drop, as far as it matters here."""

    @property
    def reason(self) -> int | None:
        """Windows' number."""

    @property
    def text(self) -> str | None:
        """Of the reason."""


@dataclass(frozen=True)
class Finding:
    """Something that the capture lacks.

    Attributes:
        what: is missing, and what that means.
        better: what to do; None if nothing can be done.
        commands: that capture it better, one a line.
    """

    what: str
    better: str | None = None
    commands: tuple[str, ...] = ()


def findings(
    tool: Tool, traits: Traits, tally: Tally, hops: Sequence[Named], drops: Sequence[Reasoned], warnings: Sequence[str]
) -> Iterator[Finding]:
    """What is missing, what hurts most first."""
    for words in filter(lambda words: "is cut off" in words, warnings):
        yield Finding(f"the rest of the file: {words}.", "Copy it again, or stop the capture before you copy it.")
    if not tally.packets:
        yield _no_packets(traits)
        return
    yield from _ways(tool, traits, tally)
    yield from _ids(traits, tally)
    yield from _cut(tool, traits)
    yield from _drops(tool, drops)
    yield from _times(tool, tally)
    yield from _names(tool, traits, hops)


def _no_packets(traits: Traits) -> Finding:
    held = _interfaces(traits)
    if traits.form == "pcapng" and not traits.program:
        return Finding(
            f"packets: this file holds none{held}. etl2pcapng before 1.12 cannot read the packets of a pktmon"
            " trace and writes a file without them.",
            "Use etl2pcapng 1.12 or newer:",
            (PKTMON_CONVERT,),
        )
    return Finding(f"packets: this file holds none{held}.")


def _interfaces(traits: Traits) -> str:
    """What a pcapng without packets does describe."""
    number = sum(traits.snaps.values())
    if traits.form != "pcapng":
        return ""
    if not number:
        return "; it describes no interface"
    names = f" ({', '.join(traits.names)})" if any(traits.names) else ""
    return f"; it describes {count(number, 'interface')}{names}"


def _ways(tool: Tool, traits: Traits, tally: Tally) -> Iterator[Finding]:
    """One interface, no ports of a vmSwitch, or none of its events."""
    if tool.name == PKTMON:
        yield Finding(
            "hops, drops and packet ids: pktmon writes all components into one interface.",
            "Convert the .etl with pywnv:",
            (PYWNV_CONVERT,),
        )
    elif tool.name == PSPKT or traits.is_pktmon_trace:
        return
    elif tool.name in (ETL2PCAPNG, ETWDUMP, PYWNV):
        if not traits.has_ports:
            yield Finding(
                "ports of a vmSwitch: only NICs were captured.", "If this host has a vmSwitch, capture both:", NETSH
            )
        elif not tally.events:
            yield Finding(
                "what the vmSwitch did: its events (received, routed, delivered, dropped) are not in the file.",
                "Capture its provider too, and convert with etl2pcapng 1.12 or newer:",
                NET_EVENT,
            )
    elif traits.form != "other" and len(traits.used) == 1:
        yield Finding(
            "other places in the host: there is only one interface, so no packet's path can be seen.",
            "On a Windows host this captures at every NIC and vmSwitch port:",
            NETSH,
        )


def _ids(traits: Traits, tally: Tally) -> Iterator[Finding]:
    if not traits.is_pktmon_trace or tally.by_id:
        return
    if traits.marks["packet id"]:
        if tally.frames == tally.packets:
            return  # no packet shows twice, so no id can repeat
        yield Finding(
            "packet ids that repeat: this build of Windows gives every frame its own (11 24H2 and newer do), so "
            "duplicates are told by their bytes."
        )
    else:
        yield Finding("packet ids: this build of Windows writes none, so pywnv recognizes duplicates by their bytes.")


def _cut(tool: Tool, traits: Traits) -> Iterator[Finding]:
    cut = traits.cut.total()
    if cut < LEAST_CUT * max(traits.packets, 1):
        return
    ((length, times),) = traits.cut.most_common(1)
    where = f" at {length} bytes" if times >= SAME_CUT * cut and length != OTHER_LENGTHS else ""
    what = f"the ends of packets: {cut:,} of {traits.packets:,} are cut{where}. What is cut off cannot be compared."
    if tool.name == ETL2TXT:
        yield Finding(
            f"the bytes of {cut:,} of {traits.packets:,} packets, or their ends: the log does not give them.",
            "Give pywnv the .etl itself, or a log with the bytes:",
            (ETL2TXT_HEX,),
        )
    elif tool.name in (PKTMON, PSPKT) or traits.is_pktmon_trace:
        yield Finding(what, "Capture whole packets:", (PKTMON_WHOLE,))
    elif tool.name in (ETL2PCAPNG, ETWDUMP, PYWNV):
        yield Finding(what, "Leave out packettruncatebytes= of netsh trace, and -TruncationLength:", NETSH)
    else:
        yield Finding(what, "Do not limit the length of packets (dumpcap -s 0).")


def _drops(tool: Tool, drops: Sequence[Reasoned]) -> Iterator[Finding]:
    if tool.name == ETL2PCAPNG and any(drop.reason is None and drop.text is None for drop in drops):
        yield Finding(
            "why packets were dropped: etl2pcapng leaves the reasons out.",
            "pywnv keeps them:",
            (PYWNV_CONVERT,),
        )


def _times(tool: Tool, tally: Tally) -> Iterator[Finding]:
    if tally.without_time:
        yield Finding(
            f"times: {tally.without_time:,} of {tally.frames:,} frames have none, and cannot be grouped.",
            "Paste whole lines, including the time at their start."
            if tool.name == ETL2TXT
            else "Save the capture as pcapng with the tool that took it.",
        )
    if tally.steps_back:
        yield Finding(
            f"order: time runs back {tally.steps_back:,} times, by up to {tally.furthest_back:.3g} s, as when several "
            "interfaces are written in batches. pywnv allows for that; this sorts the file:",
            None,
            ("reordercap IN.pcapng OUT.pcapng",),
        )


def _names(tool: Tool, traits: Traits, hops: Sequence[Named]) -> Iterator[Finding]:
    unknown = sum(hop.name is not None and hop.role == "unknown" for hop in hops)
    if not unknown or len(traits.names) < 2:
        return
    what = f"the roles of {unknown} of {len(hops)} hops: their names do not tell them."
    if tool.system and "Windows" not in tool.system:
        yield Finding(what, "Give names with --host: a topology file (docs/hops.md).")
        return
    inventory = "Give names with --host: the host's inventory, which the script from `pywnv host script` collects, or"
    if traits.is_pktmon_trace:
        yield Finding(what, f"{inventory} what this writes:", (PKTMON_NAMES,))
    else:
        yield Finding(what, f"{inventory} a topology file (docs/hops.md) with what this shows:", (ADAPTERS,))
