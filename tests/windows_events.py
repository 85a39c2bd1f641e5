"""What `windows_tools` never writes: broken events, binary ones, names of whoever wants to do harm, files of Netmon."""

from __future__ import annotations

import struct

import pcapng_blocks as ng
import windows_tools as tools
from deep_dive import ACL_TEXT, BING_TEXTS, VLAN_TEXT
from engine import ARP, ICMP, arp, echo, ethernet, ipv4

SECONDS = 1_763_900_000
START = SECONDS * 10**6

PROVIDER = tools.SWITCH_PROVIDER.encode()
OTHER_GUID = bytes(range(16))
ODD = ']] os.execute("x") --'
FRIENDLY = "\u53cb\u597d\u540d\u79f0"
CHINESE = f"NBL \u4ece Nic ({FRIENDLY}:\u65e0\u7ebf) \u6536\u5230 \u4ea4\u6362\u673a ({FRIENDLY}:s)"

GUEST, GUEST2, HOST, ROUTER = (bytes.fromhex(f"00155d0a00{last}") for last in ("01", "02", "03", "fe"))


def ping(ident: int, src: bytes = GUEST, dst: bytes = ROUTER) -> bytes:
    """An echo request that is like no other."""
    return ethernet(ipv4(echo(seq=ident), ICMP, ident=ident), src=src, dst=dst)


def text(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def packet(number: int, micros: int, data: bytes, *options: tuple[int, bytes], order: str = "<") -> bytes:
    """A packet, so many microseconds after START."""
    made = b"".join(ng.option(code, value, order) for code, value in options)
    return ng.packet(number, START + micros, data, order, options=made + ng.option(0, b"", order) if options else b"")


def comment(value: str | bytes) -> tuple[int, bytes]:
    return tools.COMMENT, text(value)


def flags(value: int, order: str = "<") -> tuple[int, bytes]:
    return tools.FLAGS, struct.pack(order + "I", value)


def port(nic_type: str, name: str = "x", *, number: int = 5) -> tuple[int, bytes]:
    """What etl2pcapng notes of a packet at a vmSwitch's port."""
    return comment(
        f"PID=4 TID=8 VlanId=0 SrcPortId={number} SrcNicType={nic_type} SrcNicName={name} SrcPortName={name}"
    )


def journal(micros: int, message: str | bytes, provider: bytes = PROVIDER) -> bytes:
    entry = b"__REALTIME_TIMESTAMP=%d\n_COMM=%s\nMESSAGE=%s\n\0" % (START + micros, provider, text(message))
    return ng.journal(entry)


def event_header(guid: bytes, ident: int) -> bytes:
    descriptor = struct.pack("<HBBBBHQ", ident, 0, 16, 4, 0, 0, 2)
    return struct.pack("<HHHHIIQ", 80, 0, 0, 0, 8, 4, 0) + guid + descriptor + bytes(8 + 16)


def etw_record(message: str = "", *, guid: bytes = tools.SWITCH_GUID, ident: int = 0, data: bytes = b"") -> bytes:
    """An ETW record as Wireshark's etwdump writes it."""
    coded = (f"{message}\0" if message else "").encode("utf-16-le", "surrogatepass")
    parts = (data, coded, "provider\0".encode("utf-16-le"))
    sizes = struct.pack("<III", *map(len, parts))
    return event_header(guid, ident) + bytes(4) + sizes + b"".join(map(ng.pad, parts))


def event_data(*names: str, tail: bytes = bytes(8)) -> bytes:
    """The binary data of an event of the vmSwitch."""
    coded = (name.encode("utf-16-le") for name in names)
    return b"".join(struct.pack("<I", len(name) // 2) + name for name in coded) + tail


def net_event(ident: int, data: bytes, *, guid: bytes = tools.SWITCH_GUID, extended: bytes = b"") -> bytes:
    """An event as Netmon's files hold it."""
    items = struct.pack("<HHHH", 0, 1, 0, len(extended)) + extended if extended else b""
    return event_header(guid, ident) + bytes(4) + struct.pack("<HHB", bool(extended), len(data), 0) + items + data


def netmon(records: list[tuple[int, int, bytes]]) -> bytes:
    """A Netmon 2.3 file of records: microseconds from START, media type, bytes (Wireshark's wiretap/netmon.c)."""
    body, offsets = b"", []
    for micros, media, data in records:
        offsets.append(128 + len(body))
        filetime = (START + micros + tools.SINCE_1601 * 10**6) * 10
        body += struct.pack("<QII", micros, len(data), len(data)) + data
        body += struct.pack("<HIQB", media, 0, filetime, 0)
    table = b"".join(struct.pack("<I", offset) for offset in offsets)
    header = b"GMBU" + struct.pack("<BBH8H", 3, 2, 1, 2025, 11, 0, 23, 12, 0, 0, 0)
    header += struct.pack("<II", 128 + len(body), len(table))
    return header.ljust(128, b"\0") + body + table


NET_EVENT, NETMON_ETHERNET = 0xFFE0, 1
ROUTED_DATA = event_data("a", "left", "b", "right", "s", "middle")
DROP_DATA = event_data("n", "nic", "s", "sw", tail=struct.pack("<I", 12))


def netmon_file() -> bytes:
    """Events as binary data among packets, as Netmon and Message Analyzer save them."""
    return netmon(
        [
            (0, NET_EVENT, net_event(56, event_data("n", "wireless", "s", "switch"))),
            (5, NETMON_ETHERNET, ping(1)),
            (9, NET_EVENT, net_event(57, ROUTED_DATA)),
            (12, NETMON_ETHERNET, ethernet(arp(), ARP)),
            (13, NETMON_ETHERNET, ping(2)),
            (20, NET_EVENT, net_event(55, DROP_DATA, extended=b"sid")),
            (21, NET_EVENT, net_event(55, DROP_DATA, guid=OTHER_GUID)),
            (22, NET_EVENT, net_event(55, b"xx")),
            (23, NET_EVENT, net_event(55, DROP_DATA)[:95]),
        ]
    )


def odd_events() -> bytes:
    """Journal entries: near a packet and not, in a language that nobody here reads, broken, of others."""
    return b"".join(
        (
            ng.section(),
            ng.interface("vNIC:Synthetic:Contoso-Gst:12:3"),
            journal(0, BING_TEXTS[0]),
            packet(0, 10, ping(1), flags(2)),
            journal(13, VLAN_TEXT),
            packet(0, 2000, ping(2), flags(2)),
            journal(3000, ACL_TEXT),
            journal(3001, BING_TEXTS[1]),
            journal(3002, CHINESE),
            journal(3003, "Port X created on switch (Friendly Name: s)"),
            journal(3004, BING_TEXTS[0], b"Microsoft-Windows-Other"),
            journal(3005, "NBL received from Nic (Friendly Name: a)\r\nin switch (Friendly Name: b)"),
            journal(3006, "NBL dropped Nic (Friendly Name: a) in switch (Friendly Name: b), Reason never heard of"),
            journal(3007, "NBL from Nic (Friendly Name: a) was filtered by extension X in switch (Friendly Name: b)"),
            ng.journal(b"__REALTIME_TIMESTAMP=x\n_COMM=%s\nMESSAGE=%s\n" % (PROVIDER, BING_TEXTS[0].encode())),
            ng.journal(b"MESSAGE=%s\n_COMM=%s\n" % (BING_TEXTS[0].encode(), PROVIDER)),
            ng.journal(b"__REALTIME_TIMESTAMP=1\n" + bytes(8)),
            ng.custom(),
            packet(0, 3009, ping(3), flags(2)),
        )
    )


def etw_records() -> bytes:
    """ETW records: text, data, both, neither; of another provider, and cut off."""
    records = (
        etw_record(BING_TEXTS[0]),
        etw_record(BING_TEXTS[1], ident=57, data=ROUTED_DATA),
        etw_record(ident=57, data=ROUTED_DATA),
        etw_record(CHINESE, ident=57, data=ROUTED_DATA),
        etw_record(CHINESE),
        etw_record(ident=55, data=DROP_DATA),
        etw_record(BING_TEXTS[0], guid=OTHER_GUID),
        etw_record(BING_TEXTS[0])[:70],
        etw_record(BING_TEXTS[0])[:120],
        b"",
    )
    made = [ng.section(), ng.interface(linktype=tools.ETW), ng.interface("Contoso-Gst:Synthetic:4:3")]
    made += [packet(1, 0, ping(1), port("Synthetic"), flags(1))]
    made += [packet(0, at, record, flags(2)) for at, record in enumerate(records, 1)]
    made += [packet(1, 20, ping(2), port("Synthetic"), flags(1))]
    return b"".join(made)


HOSTILE_NAMES: tuple[str | bytes, ...] = (
    ODD,
    f"vNIC:Synthetic:{ODD}:4:3",
    f"vNIC:External:{ODD}:4:3",
    "vNIC:" * 60,
    "\\Device\\NPF_{X}",
    "\u540d\u524d:1",
    b"\xff\xfe\x80 x",
    "%s%n%d",
    "pacer.sys",
)
HOSTILE_COMMENTS: tuple[str | bytes, ...] = (
    port("Synthetic", ODD)[1],
    port(ODD, "x SrcPortName=y DstNicCount=99999999999")[1],
    f"PID=-1 TID=-1 VlanId=-5 SrcPortId=-1 SrcNicType={ODD} SrcNicName=\x1b[31m SrcPortName=\u202e1",
    b"PID=5 TID=6 VlanId=1 SrcPortId=2 SrcNicType=Synthetic SrcNicName=\xff\xfe SrcPortName=\xe4",
    b"PID=7\0 TID=8",
    "PID=7 TID=8\tSrcNicType=\\",
    f"Group: {ODD} (1)\nComponent: {ODD} (2)\nEdge: {ODD}\nDrop: reason=0x{'F' * 99}",
    f"Group: x (1)\nComponent: {ODD}\\ (3)\nDrop: reason=0xFFFFFFFF location=0x1",
    "Group: x\nComponent: \nEdge:\nDrop:",
    "Component: x",
    "PID=" + "9" * 5000,
    "",
)
HOSTILE_MESSAGES: tuple[str | bytes, ...] = (
    f"NBL received from Nic (Friendly Name: {ODD}) in switch (Friendly Name: {ODD})",
    b"NBL received from Nic (Friendly Name: \xff\xfe) in switch (Friendly Name: \xe4)",
    "NBL received from Nic (Friendly Name: \x1b[31m\u202e) in switch (Friendly Name: a\tb)",
    f"NBL dropped at Nic (Friendly Name: %s) in switch (Friendly Name: \\n\\), Reason {ODD}",
    "NBL dropped Nic (Friendly Name: x) " + "(" * 3000,
    "NBL routed from Nic (Friendly Name: a), to Nic (Friendly Name: b), on switch (Friendly Name: " + "c" * 9000,
)


def hostile() -> bytes:
    """Names, comments and events of whoever wants to harm the reader of a capture."""
    count = len(HOSTILE_NAMES)
    made = [ng.section(), *(ng.interface(name, more=ng.option(3, ODD.encode())) for name in HOSTILE_NAMES)]
    made += [
        packet(n % count, 10 * n, ping(1 + n // count), comment(value), comment("another"), flags(n))
        for n, value in enumerate(HOSTILE_COMMENTS)
    ]
    made += [journal(200 + n, message) for n, message in enumerate(HOSTILE_MESSAGES)]
    return b"".join(made)


def big_endian() -> bytes:
    """What an option holds is in the byte order of its section."""
    verdict = tools.VERDICT, b"\2" + struct.pack(">Q", 1)
    made = [ng.section(">"), ng.interface("eth:12:0", ">"), ng.interface("wifi:7", ">")]
    made += [packet(0, 0, ping(1), comment("PID=4"), flags(2, ">"), order=">")]
    made += [packet(1, 5, ping(1), (tools.PACKET_ID, struct.pack(">Q", 7)), flags(1, ">"), verdict, order=">")]
    return b"".join(made)


def late_notes() -> bytes:
    """Comments that begin after a thousand frames without: they are no tool's, and not read."""
    made = [ng.section(), ng.interface("eth0")]
    made += [packet(0, at * 1000, ping(at)) for at in range(1, 1001)]
    made += [packet(0, at * 1000, ping(at), comment("PID=4 TID=8"), flags(2)) for at in range(1001, 1004)]
    return b"".join(made)


def late_drops() -> bytes:
    """In a trace of pktmon, the first drop may come late."""
    made = [ng.section(), ng.interface("tcpip.sys")]
    made += [packet(0, at * 1000, ping(at), flags(1)) for at in range(1, 1002)]
    made += [packet(0, 1_010_000, ping(1010), flags(1), (tools.VERDICT, b"\2" + struct.pack("<Q", 1)))]
    return b"".join(made)


CAPTURES = {
    "odd-events": odd_events(),
    "etw": etw_records(),
    "hostile": hostile(),
    "big-endian": big_endian(),
    "late-notes": late_notes(),
    "late-drops": late_drops(),
}
