"""Writes Windows traces (.etl) by the documented layout, with the descriptions of events that merged traces carry.

No public trace holds the vmSwitch's events or ndiscap's event 1003: what is written here follows the sources that
docs/etl.md names, not a file that Windows wrote.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

SECOND = 10**7
UNIX_EPOCH = 11_644_473_600 * SECOND
START = 1_763_900_000 * SECOND  # 100 ns since 1970, of every trace here

PKTMON = uuid.UUID("4d4f80d9-c8bd-4d73-bb5b-19c90402c5ac")
NDISCAP = uuid.UUID("2ed6006e-4729-4609-b423-3ee7bcd678ef")
SWITCH = uuid.UUID("67dc0d66-3695-47c0-9642-33f76f7bd7ad")
METADATA = uuid.UUID("bbccf6c1-6cd1-48c4-80ff-839482e37671")
IMAGE_IDENTITY = uuid.UUID("9b79ee91-b5fd-41c0-a243-4248e266e9d0")

SENT, RECEIVED, ETHERNET, WIFI, VMSWITCH = 0x1_0000_0000, 0x2_0000_0000, 0x1, 0x10000, 0x1000000
WHOLE = 0xC0000000  # PacketStart and PacketEnd

WSTR, U16, U32, U64, BINARY = 1, 6, 8, 10, 14
LENGTH_ELSEWHERE = 0x2


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


@dataclass(frozen=True)
class Record:
    """A record of a trace; its time counts 100 ns from the start."""

    provider: uuid.UUID
    id: int
    data: bytes
    time: int = 0
    keywords: int = 0
    pid: int = 4
    tid: int = 208
    classic: bool = False
    extended: bytes = b""

    def bytes(self) -> bytes:
        guid = self.provider.bytes_le
        if self.classic:
            size = 48 + len(self.data)
            head = struct.pack("<HBBBBHIIQ16sQ", size, 0x14, 0xC0, self.id, 0, 0, 0, 0, self.ticks, guid, 0)
        else:
            size = 80 + len(self.extended) + len(self.data)
            flags = 1 if self.extended else 0
            head = struct.pack("<HBBHHIIQ16s", size, 0x13, 0xC0, flags, 0, self.tid, self.pid, self.ticks, guid)
            head += struct.pack("<HBBBBHQQ16s", self.id, 0, 0, 4, 0, 0, self.keywords, 0, b"") + self.extended
        made = head + self.data
        return made + bytes(-len(made) % 8)

    @property
    def ticks(self) -> int:
        return 5_000_000 + self.time


def buffer(records: bytes, *, cpu: int = 0, kind: int = 0, size: int | None = None, flags: int = 0) -> bytes:
    """A buffer (WMI_BUFFER_HEADER), not compressed, its rest filled with 0xFF as Windows does."""
    filled = 72 + len(records)
    size = filled + -filled % 1024 if size is None else size
    head = struct.pack("<IIII", size, filled, 0, 0) + struct.pack("<QqQHHI", 0, 0, 0, cpu, 0, 3)
    head += struct.pack("<IHH16x", filled, flags, kind)
    return (head + records).ljust(min(size, filled + 2**20), b"\xff")


def head(*, build: int = 20348, lost: int = 0, frequency: int = SECOND, clock: int = 1, megahertz: int = 2600) -> bytes:
    """The first buffer: a SYSTEM_TRACE_HEADER and TRACE_LOGFILE_HEADER."""
    start = START + UNIX_EPOCH
    data = struct.pack("<IIIIQIIII", 65536, 0x0500000A, build, 8, start, 156250, 0, 1, 1)
    data += struct.pack("<IIIIQQ", 1, 8, lost, megahertz, 0, 0) + bytes(176)
    data += struct.pack("<QQQII", start, frequency, start, clock, 0) + wide("test session") + wide("C:\\t.etl")
    size = 32 + len(data)
    record = struct.pack("<HBBHBBIIQQ", 2, 2, 0xC0, size, 0, 0, 1, 1, 5_000_000, 0) + data
    return buffer(record + bytes(-len(record) % 8), kind=4)


def etl(*buffers: Iterable[Record], **of_head: int) -> bytes:
    """A trace: one buffer for each list of records, each of another processor."""
    made = [buffer(b"".join(map(Record.bytes, records)), cpu=cpu) for cpu, records in enumerate(buffers)]
    return head(**of_head) + b"".join(made)


# Descriptions.


def description(
    provider: uuid.UUID, name: str, id: int, message: str, properties: Iterable[tuple[str, int, int, str]]
) -> Record:
    """TRACE_EVENT_INFO; properties are (name, in-type, property that holds the length or -1, map)."""
    properties = list(properties)
    texts, at = b"", 112 + 24 * len(properties)

    def put(text: str) -> int:
        nonlocal texts
        offset = at + len(texts)
        texts += wide(text)
        return offset

    provider_at, message_at = put(name), put(message) if message else 0
    made = b""
    for title, kind, length, values in properties:
        flags = LENGTH_ELSEWHERE if length >= 0 else 0
        place, map_at = put(title), put(values) if values else 0
        made += struct.pack("<IIHHIHHI", flags, place, kind, 0, map_at, 1, max(length, 0), 0)
    numbers = [0, provider_at, 0, 0, 0, 0, 0, message_at, 0, 0, 0, 0, 0, len(properties), len(properties), 1]
    data = provider.bytes_le + bytes(16) + struct.pack("<HBBBBHQ", id, 0, 0, 4, 0, 0, 0)
    data += struct.pack("<16I", *numbers) + made + texts
    return Record(METADATA, 32, data, classic=True)


def value_map(provider: uuid.UUID, name: str, values: dict[int, str]) -> Record:
    """EVENT_MAP_INFO."""
    at = 16 + 8 * len(values)
    texts = [wide(name)]
    entries = b""
    for value, text in values.items():
        entries += struct.pack("<II", at + sum(map(len, texts)), value)
        texts.append(wide(text))
    data = provider.bytes_le + struct.pack("<IIII", at, 1, len(values), 0) + entries + b"".join(texts)
    return Record(METADATA, 33, data, classic=True)


# pktmon.


def component(number: int, kind: int, name: str, text: str = "", **properties: int | bytes | str) -> list[Record]:
    """A component (event 20) and its properties, such as IfIndex=12; edges=("Upper", "Lower") are given by `edges`."""
    numbers = {"if_index": 1, "miniport": 2, "lower": 3, "medium": 5, "mac": 6, "switch": 10, "vlan": 16}
    made = [Record(PKTMON, 20, struct.pack("<HH", number, kind) + wide(name) + wide(text), time=9 * SECOND)]
    for key, value in properties.items():
        start = struct.pack("<HH", number, numbers[key])
        if isinstance(value, bytes):
            made.append(Record(PKTMON, 70, start + struct.pack("<I", len(value)) + value, time=9 * SECOND))
        elif isinstance(value, str):
            made.append(Record(PKTMON, 73, start + wide(value), time=9 * SECOND))
        elif key == "medium":
            made.append(Record(PKTMON, 60, start + struct.pack("<H", value), time=9 * SECOND))
        else:
            made.append(Record(PKTMON, 30, start + struct.pack("<I", value), time=9 * SECOND))
    return made


def edge(number: int, name: str, id: int, packets: int = 0) -> Record:
    data = struct.pack("<H", number) + wide(name) + struct.pack("<HHQQHQQ", id, 3, packets, 0, 4, 0, 0)
    return Record(PKTMON, 90, data, time=9 * SECOND)


def packet(
    time: int,
    component: int,
    data: bytes,
    *,
    edge: int = 1,
    id: int = 160,
    group: int = 0,
    appearance: int = 0,
    direction: int = 3,
    kind: int = 1,
    drop: tuple[int, int] = (0, 0),
    original: int | None = None,
    **rest: int,
) -> Record:
    """A packet of pktmon: event 160, or 170 and 240 for a drop."""
    length = len(data) if original is None else original
    fixed = struct.pack(
        "<QHHHHHHHIIHH", group, 1, appearance, direction, kind, component, edge, 1, *drop, length, len(data)
    )
    return Record(PKTMON, id, fixed + data, time=time, keywords=0x10, **rest)


def out_of_band(time: int, component: int, vlan: int, *, edge: int = 1, group: int = 0, appearance: int = 0) -> Record:
    """Event 180: the same prefix, then pointers; the third is Ieee8021Q."""
    prefix = struct.pack("<QHHHHHHHII", group, 1, appearance, 3, 1, component, edge, 1, 0, 0)
    return Record(PKTMON, 180, prefix + struct.pack("<12Q", 0, 0, vlan << 4, *[0] * 9), time=time)


# ndiscap.

Port = tuple[int, str, str, str]  # id, name of the port, name of the NIC, its type


def _port(port: Port) -> bytes:
    return struct.pack("<I", port[0]) + b"".join(map(wide, port[1:]))


def fragment(
    time: int, data: bytes, *, miniport: int = 12, lower: int = 12, keywords: int = WHOLE | ETHERNET | RECEIVED
) -> Record:
    """Event 1001."""
    body = struct.pack("<III", miniport, lower, len(data)) + data
    return Record(NDISCAP, 1001, body, time=time, keywords=keywords)


def switch_fragment(
    time: int,
    data: bytes,
    source: Port,
    destinations: Iterable[Port] = (),
    *,
    vlan: int = 0,
    hash: int = 0,
    miniport: int = 12,
    keywords: int = WHOLE | ETHERNET | VMSWITCH | SENT,
) -> Record:
    """Event 1003, with its destinations and out-of-band data."""
    destinations = list(destinations)
    oob = struct.pack("<12Q", 0, 0, 0, 0, vlan << 4, 0, 0, 0, hash, 0, 0, 0)
    body = struct.pack("<II", miniport, miniport) + _port(source) + struct.pack("<I", len(destinations))
    body += b"".join(map(_port, destinations)) + struct.pack("<I", len(data)) + data + struct.pack("<I", len(oob)) + oob
    return Record(NDISCAP, 1003, body, time=time, keywords=keywords)


# The vmSwitch.

NIC_NAME = ("NicNameLen", "NicName", "NicFNameLen", "NicFName")
SWITCH_NAME = ("SwitchNameLen", "SwitchName", "SwitchFNameLen", "SwitchFName")
SWITCH_PROVIDER = "Microsoft-Windows-Hyper-V-VmSwitch"


def counted(*texts: str) -> bytes:
    """Texts behind their lengths in characters (WCHAR)."""
    data = b""
    for text in texts:
        raw = text.encode("utf-16-le")
        data += struct.pack("<I", len(raw) // 2) + raw
    return data


def switch_descriptions() -> list[Record]:
    """Descriptions of the events of NBLs, with texts as WNV Deep Dive part 4 shows them."""
    nic, to_nic, switch = "Nic %2 (Friendly Name: %4)", "Nic %6 (Friendly Name: %8)", "switch {} (Friendly Name: {})"

    def names(*groups: tuple[str, ...]) -> list[tuple[str, int, int, str]]:
        flat = [name for group in groups for name in group]
        return [(name, WSTR, at - 1, "") if at % 2 else (name, U32, -1, "") for at, name in enumerate(flat)]

    destination = tuple(f"Dest{name}" for name in NIC_NAME)
    one, two = switch.format("%6", "%8"), switch.format("%10", "%12")
    buffer_address, reason = [("BufferAddress", U64, -1, "")], [("DropReason", U32, -1, "VmsDropReason")]
    texts = {
        55: (f"NBL destined to {nic} was dropped in {one}, Reason %9", [*names(NIC_NAME, SWITCH_NAME), *reason]),
        56: (f"NBL received from {nic} in {one}", [*names(NIC_NAME, SWITCH_NAME), *buffer_address]),
        57: (
            f"NBL routed from {nic} to {to_nic} on {two}",
            [*names(NIC_NAME, destination, SWITCH_NAME), *buffer_address],
        ),
        58: (f"NBL delivered to {nic} in {one}", [*names(NIC_NAME, SWITCH_NAME), *buffer_address]),
    }
    made = [description(SWITCH, SWITCH_PROVIDER, id, *rest) for id, rest in texts.items()]
    return [*made, value_map(SWITCH, "VmsDropReason", {9: "Filtered VLAN ", 12: "Failed security policy "})]


def switch_event(time: int, id: int, *texts: str, tail: bytes = bytes(8)) -> Record:
    return Record(SWITCH, id, counted(*texts) + tail, time=time, keywords=0x2)


def adapter(index: int, alias: str, description: str, mac: bytes = b"", flags: int = 5) -> Record:
    """MIB_IF_ROW2."""
    row = bytearray(1352)
    struct.pack_into("<I", row, 8, index)
    row[28 : 28 + 2 * len(alias)] = alias.encode("utf-16-le")
    row[542 : 542 + 2 * len(description)] = description.encode("utf-16-le")
    struct.pack_into("<I6s", row, 1056, len(mac), mac)
    row[1152] = flags
    struct.pack_into("<Q", row, 1192, 10**10)
    return Record(IMAGE_IDENTITY, 36, bytes(row), classic=True)
