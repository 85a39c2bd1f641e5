"""Which tool wrote a capture: what its blocks show beside the packets.

Sources: microsoft/etl2pcapng src/main.c and its history, Wireshark extcap/etl.c, JamesKehr/pspkt class/pspkt.cs,
files that `pktmon etl2pcap` wrote.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pywnv.capture import pcapng
from pywnv.capture.source import Capture, open_capture, open_file
from pywnv.capture.text import LOG_COMMENT
from pywnv.errors import UnknownFormatError
from pywnv.words import one_line

PACKET, SIMPLE_PACKET = 6, 3
LARGEST_BLOCK = 16 * 1024 * 1024
HEAD = {order: struct.Struct(order + "II").unpack_from for order in "<>"}  # of a block: kind and length; or two lengths
PACKET_HEAD = {order: struct.Struct(order + "IIIII").unpack_from for order in "<>"}
LINKTYPE_ETW = 290
PCAP_RECORD = 16  # bytes of a record's header

COMMENT, SYSTEM, PROGRAM = 1, 3, 4  # options of a section
PACKET_ID, VERDICT = 5, 7  # options of a packet

LOOKED_AT = 20_000  # packets whose options are read
MOST_NAMES = 1000  # of interfaces; only a capture made to defeat us has more
MOST_LENGTHS, OTHER_LENGTHS = 1000, -1  # that are told apart

ETL2PCAPNG, ETWDUMP, PKTMON, PSPKT = "etl2pcapng", "Wireshark's etwdump", "pktmon", "pspkt"
PYWNV, ETL2TXT, NDISCAP = "pywnv", "pktmon etl2txt", "netsh trace or NetEventPacketCapture"
PSPKT_COMMENT = "pspkt capture via Windows Packet Monitor"
PKTMON_PROGRAM = "Packet Monitor"
NETMON_MAGIC = b"GMBU"

OLD_PORT = re.compile(r".*:(Synthetic|Emulated|Internal|External):\d+:-?\d+")
EDGE = re.compile(r" \[.*, component \d+, edge \d+\]$")  # as `pywnv convert` names interfaces
VERSION = re.compile(r"^(.*?)[ /]v?(\d+(?:\.\d+)+)")

Version = tuple[int, int]


@dataclass(frozen=True)
class Tool:
    """What wrote a capture.

    Attributes:
        name: of the tool; None if the file does not say.
        version: of the tool as far as it can be told, such as "1.9 or newer"; None if it cannot.
        saved_by: the program that saved the file again, where there is one.
        system: that it ran on, where the file tells.
        known_by: what in the file shows this, for people.
        recorded_by: of a Windows trace that pywnv has converted, what recorded it.
    """

    name: str | None = None
    version: str | None = None
    saved_by: str | None = None
    system: str | None = None
    known_by: tuple[str, ...] = ()
    recorded_by: str | None = None

    @property
    def shown(self) -> str | None:
        """What people know as the tool: of a trace, what recorded it."""
        return self.recorded_by or self.name


@dataclass
class Traits:
    """What the blocks of a capture show.

    Attributes:
        form: "pcapng", "pcap", or "other", which only tshark reads.
        magic: the first bytes of a file of another form.
        program, system, comment: options of the first section.
        snaps: of the interfaces, counted.
        names: of the interfaces, up to MOST_NAMES.
        used: interfaces that have packets, as (section, number).
        etw: numbers of interfaces that hold ETW records.
        packets, journals: blocks of these kinds.
        cut: packets that were cut, by the length that was kept; of very many lengths some are OTHER_LENGTHS.
        marks: what the options of packets hold, counted over the first LOOKED_AT.
    """

    form: str = "pcapng"
    magic: bytes = b""
    program: str | None = None
    system: str | None = None
    comment: str | None = None
    snaps: Counter[int] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    used: set[tuple[int, int]] = field(default_factory=set)
    etw: set[tuple[int, int]] = field(default_factory=set)
    packets: int = 0
    journals: int = 0
    cut: Counter[int] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    @property
    def has_ports(self) -> bool:
        """Whether ports of a vmSwitch are among the interfaces."""
        return any(name.startswith("vNIC:") or OLD_PORT.fullmatch(name) for name in self.names)

    @property
    def is_pktmon_trace(self) -> bool:
        """Whether the interfaces are components of pktmon."""
        return any(name.lower().endswith(".sys") or EDGE.search(name) for name in self.names)


def _add(interfaces: set[tuple[int, int]], interface: tuple[int, int]) -> None:
    if len(interfaces) < MOST_NAMES:
        interfaces.add(interface)


def _count_length(counts: Counter[int], length: int) -> None:
    known = length in counts or len(counts) < MOST_LENGTHS
    counts[length if known else OTHER_LENGTHS] += 1


def _text(value: bytes) -> str | None:
    text = one_line(re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", value.decode(errors="replace")).strip())
    return text[:200] or None


def _mark_comment(comment: str, marks: Counter[str]) -> None:
    if comment.startswith("PID="):
        marks["PID"] += 1
        for word in ("TID", "ProcessorNumber", "VlanId", "HashValue"):
            marks[word] += f" {word}=" in comment
        marks["VlanId without HashValue"] += " VlanId=" in comment and " HashValue=" not in comment
    elif comment.startswith("wnv: "):
        marks["wnv"] += 1
    elif comment.startswith("Group:") and "\nComponent:" in comment:
        marks["pspkt"] += 1


def _mark_packet(body: bytes, captured: int, order: str, marks: Counter[str]) -> None:
    for code, value in pcapng.options(body[20 + (captured + 3 & ~3) :], order):
        if code == COMMENT:
            _mark_comment(value.decode(errors="replace"), marks)
        elif code == PACKET_ID:
            marks["packet id"] += 1
        elif code == VERDICT:
            marks["verdict"] += 1


def _read_section(body: bytes, order: str, traits: Traits) -> None:
    for code, value in pcapng.options(body[16:], order):
        if code == COMMENT:
            traits.comment = traits.comment or _text(value)
        elif code == SYSTEM:
            traits.system = _text(value)
        elif code == PROGRAM:
            traits.program = _text(value)


class Scan:
    """Looks at the bytes of a capture on their way to the engine, up to where they break.

    Attributes:
        traits: what they show.
    """

    def __init__(self) -> None:
        self.traits = Traits()
        self._rest = b""  # of what was seen
        self._order = "<"  # of bytes
        self._sections = self._interfaces = 0
        self._last: int | None = None  # the interface of the packet before
        self._is_broken = False

    def watching(self, captures: Iterable[Capture]) -> Iterator[Capture]:
        """The captures, of which all that is read is looked at."""
        for capture in captures:
            if capture.pcap:
                self.traits.form, self._order = "pcap", capture.pcap.order
                self.traits.used.add((0, 0))
            capture.look = self._take_records if capture.pcap else self._take_blocks
            yield capture

    def _take_blocks(self, piece: bytes) -> None:
        if self._is_broken:
            return
        data, at, order = self._rest + piece, 0, self._order
        size = len(data)
        while at + 12 <= size:
            kind, length = HEAD[order](data, at)
            if kind == pcapng.SECTION_HEADER:  # the same in both orders
                order = ">" if data[at + 8 : at + 12] == pcapng.BIG_ENDIAN_MAGIC else "<"
                kind, length = HEAD[order](data, at)
            if not 12 <= length <= LARGEST_BLOCK:
                self._is_broken = True
                return
            if at + length > size:
                break
            if kind == PACKET and length >= 32:
                self._take_packet(data, at, length, order)
            else:
                self._take_block(kind, data[at + 8 : at + length - 4], order)
            at += length
        self._rest, self._order = data[at:], order

    def _take_packet(self, data: bytes, at: int, length: int, order: str) -> None:
        traits = self.traits
        number, _, _, captured, whole = PACKET_HEAD[order](data, at + 8)
        traits.packets += 1
        if number != self._last:
            _add(traits.used, (self._sections, number))
            self._last = number
        if captured < whole:
            _count_length(traits.cut, captured)
        if traits.packets <= LOOKED_AT:
            _mark_packet(data[at + 8 : at + length - 4], captured, order, traits.marks)

    def _take_block(self, kind: int, body: bytes, order: str) -> None:
        traits = self.traits
        if kind == SIMPLE_PACKET:
            traits.packets += 1
            _add(traits.used, (self._sections, 0))
        elif kind == pcapng.JOURNAL:
            traits.journals += 1
        elif kind == pcapng.INTERFACE and len(body) >= 8:
            linktype, _, snap = struct.unpack_from(order + "HHI", body)
            if linktype == LINKTYPE_ETW:
                _add(traits.etw, (self._sections, self._interfaces))
            name = next((value for code, value in pcapng.options(body[8:], order) if code == pcapng.IF_NAME), b"")
            _count_length(traits.snaps, snap)
            if len(traits.names) < MOST_NAMES:
                traits.names.append(_text(name) or "")
            self._interfaces += 1
        elif kind == pcapng.SECTION_HEADER:
            self._sections, self._interfaces, self._last = self._sections + 1, 0, None
            if self._sections == 1:
                _read_section(body, order, traits)

    def _take_records(self, piece: bytes) -> None:
        if self._is_broken:
            return
        data, at = self._rest + piece, 0
        size = len(data)
        while at + PCAP_RECORD <= size:
            captured, length = HEAD[self._order](data, at + 8)
            if captured > LARGEST_BLOCK:
                self._is_broken = True
                return
            if at + PCAP_RECORD + captured > size:
                break
            self.traits.packets += 1
            if captured < length:
                _count_length(self.traits.cut, captured)
            at += PCAP_RECORD + captured
        self._rest = data[at:]


def scan(path: Path) -> Traits:
    """What the blocks of a capture show, up to where it breaks.

    Raises:
        CaptureError: there is no such file, or it cannot be read.
    """
    looking = Scan()
    try:
        with open_capture(path) as opened:
            for capture in looking.watching([opened]):
                for _ in capture.pieces(lambda _: None):
                    pass
    except UnknownFormatError:
        return foreign(path)
    return looking.traits


def foreign(path: Path) -> Traits:
    """What is seen of a capture that only tshark reads."""
    with open_file(path) as file:
        return Traits("other", file.read(4))


def _etl2pcapng_versions(traits: Traits) -> tuple[Version, Version | None]:
    """The oldest and the newest version of etl2pcapng that writes this; None: no newest."""
    names, marks = traits.names, traits.marks
    # Each thing it writes, and the versions that do so.
    oldest = [
        ((1, 3), bool(marks["PID"])),
        ((1, 5), any(name.startswith(("eth:", "wifi:", "mbb:")) for name in names)),
        ((1, 7), any(re.fullmatch(r"eth:\d+:-?\d+", name) for name in names) or bool(marks["VlanId"])),
        ((1, 8), any(name.startswith("vNIC:") for name in names) or bool(marks["HashValue"])),
        ((1, 9), any(name.startswith("Rras:") for name in names) or bool(marks["TID"])),
        ((1, 12), traits.is_pktmon_trace or bool(traits.journals) or bool(marks["packet id"])),
    ]
    newest = [
        ((1, 6), any(re.fullmatch(r"eth:\d+", name) for name in names)),
        ((1, 7), bool(marks["VlanId without HashValue"]) or any(OLD_PORT.fullmatch(name) for name in names)),
        ((1, 8), marks["PID"] > marks["TID"]),
    ]
    low = max((version for version, seen in oldest if seen), default=(1, 0))
    high = min((version for version, seen in newest if seen), default=None)
    return low, high


def _shown_versions(low: Version, high: Version | None) -> str:
    first, last = f"{low[0]}.{low[1]}", high and f"{high[0]}.{high[1]}"
    if high is None:
        return f"{first} or newer"
    if high <= low:
        return first
    return f"{first} or {last}" if high[1] - low[1] == 1 else f"{first} to {last}"


def _etl2pcapng(traits: Traits) -> Tool | None:
    known = []
    kinds = [
        kind for kind in ("eth:", "wifi:", "mbb:", "vNIC:", "Rras:") if any(n.startswith(kind) for n in traits.names)
    ]
    if kinds:
        known.append(f"interfaces named {', '.join(f'{kind}…' for kind in kinds)}")
    if traits.is_pktmon_trace and (traits.marks["packet id"] or traits.snaps[65535]):
        known.append("interfaces named after drivers, as of a pktmon trace")
    if not kinds and any(OLD_PORT.fullmatch(name) for name in traits.names):
        known.append("interfaces named PORT:TYPE:NUMBER:VLAN")
    if not known:
        return None
    if traits.marks["PID"]:
        words = [word for word in ("PID", "TID", "HashValue") if traits.marks[word]]
        known.append(f"comments with {', '.join(words)}")
    if traits.journals:
        known.append("events as journal entries")
    return Tool(ETL2PCAPNG, _shown_versions(*_etl2pcapng_versions(traits)), known_by=tuple(known))


def _by_blocks(traits: Traits) -> Tool | None:
    """The tool that Windows' traces were converted with, whoever saved the file since."""
    if traits.comment and traits.comment.startswith(PSPKT_COMMENT):
        return Tool(PSPKT, known_by=("the section's comment",))
    if traits.marks["pspkt"]:
        return Tool(PSPKT, known_by=("comments that name group, component and edge",))
    if traits.etw:
        return Tool(ETWDUMP, known_by=("an interface for ETW records",))
    return _etl2pcapng(traits)


def tool(traits: Traits) -> Tool:
    """Which tool wrote a capture, by its traits."""
    if traits.form == "other":
        name = "Network Monitor or Message Analyzer" if traits.magic == NETMON_MAGIC else None
        return Tool(name, known_by=("the file's first bytes",) if name else ())
    if traits.marks["wnv"]:
        saved_by = None if traits.program and traits.program.startswith(f"{PYWNV} ") else traits.program
        if traits.comment and traits.comment.startswith(LOG_COMMENT):
            return Tool(ETL2TXT, saved_by=saved_by, system=traits.system, known_by=("a text log",))
        recorded_by = PKTMON if traits.is_pktmon_trace else NDISCAP
        known_by = (f"the {'components' if recorded_by == PKTMON else 'interfaces'} of the trace",)
        return Tool(PYWNV, saved_by=saved_by, system=traits.system, known_by=known_by, recorded_by=recorded_by)
    if traits.program == PKTMON_PROGRAM:
        return Tool(PKTMON, system=traits.system, known_by=("the section's program",))
    found = _by_blocks(traits)
    if found:
        return Tool(found.name, found.version, traits.program, traits.system, found.known_by)
    if traits.program:
        match = VERSION.match(traits.program)
        name, version = match.groups() if match else (traits.program, None)
        return Tool(name, version, None, traits.system, ("the section's program",))
    return Tool(system=traits.system)
