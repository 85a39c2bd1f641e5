"""The examples of WNV Deep Dive part 4 as captures, in the layouts that the tools write.

    .venv/bin/python tests/deep_dive.py

writes them to tests/captures/deep-dive, always the same bytes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import windows_tools as tools
from engine import ICMP, TCP, ethernet, ipv4, put, snap
from engine import checksum as internet_checksum
from hard_traffic import ACK, FIN, RST, SYN, header_summed, segment
from windows_tools import SECOND, WIFI, Component, Event, Frame, Place, Port, Record

FOLDER = Path(__file__).parent / "captures" / "deep-dive"

START = 1_513_180_800 * SECOND  # 2017-12-13 16:00, the day of the article


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def ip(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


# psping on TCP 445 with LBFO.

TEAM_MAC, SERVER_MAC = mac("24-6E-96-0A-01-02"), mac("24-6E-96-0B-07-44")
CLIENT, SERVER = ip("192.0.2.10"), ip("192.0.2.20")
PNIC = Place(12, component=Component(9, "e1r68x64.sys", "Intel(R) I350 Gigabit Network Connection #2", mac=TEAM_MAC))
TNIC = Place(
    20, component=Component(14, "NdisImPlatform.sys", "Microsoft Network Adapter Multiplexor Driver", mac=TEAM_MAC)
)
SYN_OPTIONS = bytes.fromhex("020405b4 0103 0308 0101 0402")


class Psping:
    """A client that opens and closes connections to port 445, on a host whose team has one NIC."""

    def __init__(self) -> None:
        self.rng = random.Random(445)
        self.records: list[Record] = []
        self.idents = {CLIENT: 0x2A10, SERVER: 0x6C31}
        self.number = 0

    def show(self, at: int, l3: bytes, *, sent: bool) -> None:
        """One packet, at the team and at its NIC."""
        self.number += 1
        data = ethernet(l3, src=TEAM_MAC if sent else SERVER_MAC, dst=SERVER_MAC if sent else TEAM_MAC)
        gap = self.rng.randrange(61, 148)
        for time, place in zip((at, at + gap), (TNIC, PNIC) if sent else (PNIC, TNIC), strict=True):
            group = 2 << 48 | self.number
            self.records.append(Frame(time, place, data, sent=sent, pid=0 if not sent else 5120, tid=3344, id=group))

    def send(self, at: int, port: int, seq: int, ack: int, flags: int, *, sent: bool = True) -> None:
        src, dst = (CLIENT, SERVER) if sent else (SERVER, CLIENT)
        ports = (port, 445) if sent else (445, port)
        window = 64240 if flags & SYN else 0 if flags & RST else 8212
        made = segment(*ports, seq, ack, flags, b"", SYN_OPTIONS if flags & SYN else b"", window)
        self.idents[src] += 1
        l3 = ipv4(made, TCP, src=src, dst=dst, ident=self.idents[src], ttl=128)
        self.show(at, header_summed(put(l3, 6, 0x4000)), sent=sent)

    def probe(self, at: int, port: int, *, lost: bool = False) -> None:
        """One connection; where its first SYN is lost, it is sent again after a second."""
        mine, theirs = self.rng.randrange(2**32), self.rng.randrange(2**32)
        self.send(at, port, mine, 0, SYN)
        if lost:
            at += SECOND + 137
            self.send(at, port, mine, 0, SYN)
        there, here = self.rng.randrange(1_900, 4_800), 590
        steps = (
            (there, theirs, mine + 1, SYN | ACK, False),
            (here, mine + 1, theirs + 1, ACK, True),
            (here, mine + 1, theirs + 1, FIN | ACK, True),
            (there, theirs + 1, mine + 2, ACK, False),
            (here, theirs + 1, mine + 2, RST | ACK, False),
        )
        for delay, seq, ack, flags, sent in steps:
            at += delay
            self.send(at, port, seq, ack, flags, sent=sent)


def lbfo_psping() -> list[Record]:
    """A warm-up and four probes, a second apart; the first SYN of the third is lost on the wire."""
    psping = Psping()
    for number in range(5):
        psping.probe(START + number * SECOND + 4_711 + (SECOND if number > 3 else 0), 49_731 + number, lost=number == 3)
    return psping.records


# Pings on Contoso01, a Windows 10 host whose vmSwitch "wireless" stands on a bridge to its Wi-Fi.

HOST, GUEST, BING, ARIN = map(ip, ("192.168.7.40", "192.168.7.52", "204.79.197.200", "199.43.0.44"))
HOST_MAC, GUEST_MAC = mac("00-15-5D-28-0A-01"), mac("00-15-5D-28-0A-04")
WIFI_MAC, GATEWAY_MAC, DOCK_MAC = mac("5C-E0-C5-11-22-33"), mac("24-F5-A2-07-07-01"), mac("9C-EB-E8-30-41-05")

MULTIPLEXOR_NAME, DOCK_NAME = "Microsoft Network Adapter Multiplexor Driver", "Realtek USB GbE Family Controller"
VM, HOST_NIC = "7A2C14D0-5B0E-4F7E-9C57-0E8F8B7C2A11", "C3C6B1D9-2B64-43B0-8A5B-6D1E0F3F9A20"
GUEST_NIC = f"{VM}--{HOST_NIC[:-2]}5E"
WIRELESS_SWITCH, DOCKED_SWITCH = "790BF1B4-0AE2-4D9D-8B0E-1C1A2F3B4C5D", "1F0D9B55-92C4-4A47-8F6E-30D7B2C6E8A4"
BRIDGE_NIC, DOCK_NIC = (
    f"/DEVICE/{{{guid}}}" for guid in ("90E7D1A2-6F3B-4C58-A1D4-5E6F7A8B9C0D", "0B6C5D44-7E21-4B8B-9D3F-2C1A0E9F8B7C")
)

HOST_VNIC, MULTIPLEXOR = Place(21), Place(17)
SWITCH = 24  # ifIndex of the extension adapter, at which ndiscap sees the ports
HOST_PORT = Place(SWITCH, port=Port(2, "Internal", HOST_NIC, "wireless"))
GUEST_PORT = Place(SWITCH, port=Port(4, "Synthetic", GUEST_NIC, "Contoso-Gst"))
UPLINK_PORT = Place(SWITCH, port=Port(1, "External", BRIDGE_NIC, "wireless uplink"))
BRIDGED, NATIVE = Place(5), Place(5, linktype=WIFI)  # the Wi-Fi NIC, above and below what makes 802.11 of Ethernet


def nic(name: str, friendly: str) -> str:
    return f"Nic {name} (Friendly Name: {friendly})"


WIRELESS, DOCKED = (
    f"switch {WIRELESS_SWITCH} (Friendly Name: wireless)",
    f"switch {DOCKED_SWITCH} (Friendly Name: docked)",
)
HOST_TEXT, GUEST_TEXT = nic(HOST_NIC, "wireless"), nic(GUEST_NIC, "Network Adapter")
BRIDGE_TEXT, DOCK_TEXT = nic(BRIDGE_NIC, MULTIPLEXOR_NAME), nic(DOCK_NIC, DOCK_NAME)

# As the article prints them; it leaves most names out that are no friendly ones.
BING_TEXTS = (
    "NBL received from Nic (Friendly Name: wireless) in switch (Friendly Name: wireless)",
    "NBL routed from Nic (Friendly Name: wireless) to Nic /DEVICE/(Friendly Name: Microsoft Network Adapter "
    "Multiplexor Driver) on switch (Friendly Name: wireless)",
    "NBL delivered to Nic /DEVICE/ (Friendly Name: Microsoft Network Adapter Multiplexor Driver) in switch "
    "(Friendly Name: wireless)",
)
ARIN_TEXTS = (
    "NBL routed from Nic (Friendly Name: Network Adapter) to Nic /DEVICE/ (Friendly Name: Microsoft Network Adapter "
    "Multiplexor Driver) on switch (Friendly Name: wireless)",
    BING_TEXTS[2],
)
VLAN_TEXT = (
    "NBL destined to Nic (Friendly Name: wireless) was dropped in switch (Friendly Name: wireless), Reason Packet does "
    "not match the packet filter set on the destination NIC."
)
ACL_TEXT = (
    "NBL destined to Nic (Friendly Name: Network Adapter) was dropped in switch (Friendly Name: docked), Reason Failed "
    "Security Policy"
)
RECEIVED, ROUTED, DELIVERED, DROPPED = 56, 57, 58, 55  # event ids


def echo(src: bytes, dst: bytes, seq: int, *, ident: int, ttl: int = 128, answer: bool = False) -> bytes:
    """An ICMP echo as Windows' ping sends it."""
    letters = b"abcdefghijklmnopqrstuvwabcdefghi"
    payload = struct.pack(">BBHHH", 0 if answer else 8, 0, 0, 1, seq) + letters
    payload = put(payload, 2, internet_checksum(payload))
    return ipv4(payload, ICMP, src=src, dst=dst, ident=ident, ttl=ttl)


def on_air(l3: bytes, *, sent: bool, number: int) -> bytes:
    """An 802.11 frame between the Wi-Fi NIC and its access point, which is the gateway too."""
    head = b"\x08\x01\x30\0" if sent else b"\x08\x02\x30\0"
    stations = GATEWAY_MAC + WIFI_MAC if sent else WIFI_MAC + GATEWAY_MAC
    return head + stations + GATEWAY_MAC + struct.pack("<H", number << 4) + snap(l3)


def wire(l3: bytes, src: bytes, dst: bytes) -> bytes:
    return ethernet(l3, src=src, dst=dst)


def at_wifi(at: int, l3: bytes, *, sent: bool, native: bool = False, number: int = 0) -> Frame:
    if native:
        return Frame(at, NATIVE, on_air(l3, sent=sent, number=number), sent=sent)
    src, dst = (WIFI_MAC, GATEWAY_MAC) if sent else (GATEWAY_MAC, WIFI_MAC)
    return Frame(at, BRIDGED, wire(l3, src, dst), sent=sent)


def bing(*, native: bool = False) -> list[Record]:
    """Contoso01 pings Bing.com four times: 54 microseconds to the wire.

    With `native` the Wi-Fi NIC shows 802.11 frames; else Ethernet, with the source MAC that the bridge wrote.
    """
    made: list[Record] = []
    for seq in range(1, 5):
        at = START + 30 * SECOND + seq * (SECOND + 13_370)
        l3 = echo(HOST, BING, seq, ident=0x51A0 + seq)
        data = wire(l3, HOST_MAC, GATEWAY_MAC)
        texts = BING_TEXTS
        if seq > 1:
            texts = (
                f"NBL received from {HOST_TEXT} in {WIRELESS}",
                f"NBL routed from {HOST_TEXT} to {BRIDGE_TEXT} on {WIRELESS}",
                f"NBL delivered to {BRIDGE_TEXT} in {WIRELESS}",
            )
        made += [
            Frame(at, HOST_VNIC, data, pid=6204, tid=5120),
            Event(at + 62, RECEIVED, texts[0]),
            Frame(at + 90, HOST_PORT, data, pid=6204, tid=5120, destinations=1),
            Event(at + 151, ROUTED, texts[1]),
            Frame(at + 240, MULTIPLEXOR, data),
            Event(at + 313, DELIVERED, texts[2]),
            at_wifi(at + 540, l3, sent=True, native=native, number=700 + seq),
        ]
        at += 152_310 + 4_110 * seq
        l3 = echo(BING, HOST, seq, ident=0x0E40 + 977 * seq, ttl=118, answer=True)
        data = wire(l3, GATEWAY_MAC, HOST_MAC)
        made += [
            at_wifi(at, l3, sent=False, native=native, number=2900 + seq),
            Frame(at + 120, MULTIPLEXOR, data, sent=False),
            Event(at + 174, RECEIVED, f"NBL received from {BRIDGE_TEXT} in {WIRELESS}"),
            Frame(at + 201, UPLINK_PORT, data, sent=False, destinations=1),
            Event(at + 260, ROUTED, f"NBL routed from {BRIDGE_TEXT} to {HOST_TEXT} on {WIRELESS}"),
            Event(at + 333, DELIVERED, f"NBL delivered to {HOST_TEXT} in {WIRELESS}"),
            Frame(at + 410, HOST_VNIC, data, sent=False),
        ]
    return made


def arin() -> list[Record]:
    """Contoso-Gst pings ARIN.net four times: the shorter way, 35.5 microseconds to the wire."""
    made: list[Record] = []
    for seq in range(1, 5):
        at = START + 60 * SECOND + seq * (SECOND + 9_420)
        l3 = echo(GUEST, ARIN, seq, ident=0x7710 + seq)
        data = wire(l3, GUEST_MAC, GATEWAY_MAC)
        texts = ARIN_TEXTS
        if seq > 1:
            texts = (
                f"NBL routed from {GUEST_TEXT} to {BRIDGE_TEXT} on {WIRELESS}",
                f"NBL delivered to {BRIDGE_TEXT} in {WIRELESS}",
            )
        made += [
            Frame(at, GUEST_PORT, data, destinations=1),
            Event(at + 81, ROUTED, texts[0]),
            Frame(at + 142, MULTIPLEXOR, data),
            Event(at + 219, DELIVERED, texts[1]),
            at_wifi(at + 355, l3, sent=True),
        ]
        at += 391_020 + 6_050 * seq
        l3 = echo(ARIN, GUEST, seq, ident=0, ttl=52, answer=True)
        data = wire(l3, GATEWAY_MAC, GUEST_MAC)
        made += [
            at_wifi(at, l3, sent=False),
            Frame(at + 113, MULTIPLEXOR, data, sent=False),
            Frame(at + 187, UPLINK_PORT, data, sent=False, destinations=1),
            Event(at + 236, ROUTED, f"NBL routed from {BRIDGE_TEXT} to {GUEST_TEXT} on {WIRELESS}"),
            Event(at + 301, DELIVERED, f"NBL delivered to {GUEST_TEXT} in {WIRELESS}"),
        ]
    return made


# Drops. Components are those of pktmon; for a vmNIC it knows only GUIDs.

PACKET_FILTER, FILTERED_VLAN, SECURITY_POLICY = 34, 9, 12
ROUTER_DESTINATION, ROUTER_FORWARD, POLICY_ENFORCER = 0xE000201E, 0xE0002016, 0xE000204E

GUEST_PART = Component(45, "vmswitch.sys", GUEST_NIC, "Contoso-Gst", 45, GUEST_MAC)
HOST_PART = Component(38, "vmswitch.sys", "wireless", "vEthernet (wireless)", 36, HOST_MAC)
FILTER_PART = Component(31, "vmswitch.sys", "Hyper-V Virtual Switch Extension Filter", "wireless", 30)
DOCK_PART = Component(7, "rtux64w10.sys", DOCK_NAME, "Ethernet (dock)", 7, DOCK_MAC)

TAGGED_PORT = Place(SWITCH, port=Port(4, "Synthetic", GUEST_NIC, "Contoso-Gst", 20), component=GUEST_PART)
DOCK_UPLINK = Place(26, port=Port(1, "External", DOCK_NIC, "docked uplink"))


def vlan_drop() -> list[Record]:
    """Contoso-Gst, in VLAN 20, pings Contoso01, whose vNIC takes no tagged packets: in vain, four times.

    pktmon's reason is the packet filter for the first two, the VLAN for the others.
    """
    made: list[Record] = []
    for seq in range(1, 5):
        at = START + 90 * SECOND + seq * 5 * SECOND + 1_230 * seq
        data = wire(echo(GUEST, HOST, seq, ident=0x7A00 + seq), GUEST_MAC, HOST_MAC)
        text = VLAN_TEXT
        if seq > 1:
            text = f"NBL destined to {HOST_TEXT} was dropped in {WIRELESS}, {VLAN_TEXT[VLAN_TEXT.index('Reason') :]}"
        drop = (PACKET_FILTER, ROUTER_DESTINATION) if seq < 3 else (FILTERED_VLAN, ROUTER_FORWARD)
        made += [
            Frame(at, TAGGED_PORT, data, sent=False, destinations=1, id=1 << 48 | seq, edge="Ingress"),
            Event(at + 51, RECEIVED, f"NBL received from {GUEST_TEXT} in {WIRELESS}"),
            Frame(at + 60, Place(component=FILTER_PART), data, id=1 << 48 | seq, edge="Ingress"),
            Event(at + 92, ROUTED, f"NBL routed from {GUEST_TEXT} to {HOST_TEXT} on {WIRELESS}"),
            Event(at + 130, DROPPED, text),
            Frame(at + 135, Place(component=HOST_PART), data, id=1 << 48 | seq, drop=drop),
        ]
    return made


def acl_drop() -> list[Record]:
    """A stranger asks for Contoso-Gst's port 3389 through the docking station; an ACL on its port denies it."""
    made: list[Record] = []
    source, mine = ip("192.168.7.99"), 0x6E1F0A33
    for number, delay in enumerate((0, 1, 3)):  # seconds: the first SYN, and when it is sent again
        at = START + 150 * SECOND + delay * SECOND + 4_470 * number
        syn = segment(52_119, 3389, mine, 0, SYN, b"", SYN_OPTIONS, 64240)
        l3 = header_summed(put(ipv4(syn, TCP, src=source, dst=GUEST, ident=0x1B52 + number, ttl=128), 6, 0x4000))
        data = wire(l3, SERVER_MAC, GUEST_MAC)
        text = ACL_TEXT
        if number:
            text = f"NBL destined to {GUEST_TEXT} was dropped in {DOCKED}, Reason Failed Security Policy"
        seen = {"id": 3 << 48 | number + 1, "sent": False}
        made += [
            Frame(at, Place(8, component=DOCK_PART), data, **seen, edge="Ingress"),
            Event(at + 70, RECEIVED, f"NBL received from {DOCK_TEXT} in {DOCKED}"),
            Frame(at + 88, DOCK_UPLINK, data, **seen, destinations=1),
            Event(at + 140, ROUTED, f"NBL routed from {DOCK_TEXT} to {GUEST_TEXT} on {DOCKED}"),
            Event(at + 171, DROPPED, text),
            Frame(at + 176, Place(component=GUEST_PART), data, **seen, drop=(SECURITY_POLICY, POLICY_ENFORCER)),
        ]
    return made


EXAMPLES = {"bing": bing, "arin": arin, "lbfo-psping": lbfo_psping, "vlan-drop": vlan_drop, "acl-drop": acl_drop}
TOOLS: dict[str, tools.Writer] = {
    "etl2pcapng": tools.etl2pcapng,
    "etwdump": tools.etwdump,
    "100ns": lambda records: tools.etl2pcapng(records, exact=True),
    "wifi": tools.etl2pcapng,
    "pktmon": tools.etl2pcapng_pktmon,
    "etl2pcap": tools.pktmon_etl2pcap,
    "pspkt": tools.pspkt,
}
OF_PKTMON = ("pktmon", "etl2pcap", "pspkt")  # these show components, and no events
LAYOUTS = {
    "bing": ("etl2pcapng", "etwdump", "wifi"),
    "arin": ("etl2pcapng", "etwdump", "100ns"),
    "lbfo-psping": ("etl2pcapng", "etwdump", "pktmon", "etl2pcap"),
    "vlan-drop": ("etl2pcapng", "etwdump", "pktmon", "pspkt"),
    "acl-drop": ("etl2pcapng", "etwdump", "pktmon", "pspkt"),
}


def seen(example: str, tool: str) -> list[Record]:
    """What a tool shows of an example, in order."""
    records = bing(native=True) if tool == "wifi" else EXAMPLES[example]()
    if tool not in OF_PKTMON:
        return [record for record in records if isinstance(record, Event) or record.place.ifindex]
    frames = [record for record in records if isinstance(record, Frame) and record.place.component]
    return [frame for frame in frames if tool != "etl2pcap" or not frame.drop]


def names() -> Iterator[tuple[str, str, str]]:
    """Each capture: its name, its example, its tool."""
    for example, layouts in LAYOUTS.items():
        for tool in layouts:
            yield f"{example}-{tool}", example, tool


def captures() -> Iterator[tuple[str, bytes]]:
    """Each example in each layout: its name, and its bytes."""
    for name, example, tool in names():
        yield name, TOOLS[tool](seen(example, tool))


def truth(example: str, tool: str) -> str:
    """What is known of the frames that a tool shows: frame, packet, drop, drop_reason."""
    lines, first = ["frame,packet,drop,drop_reason"], {}
    for number, record in enumerate(seen(example, tool), 1):
        if isinstance(record, Event):
            dropped, reason = record.id == DROPPED, SECURITY_POLICY if example == "acl-drop" else PACKET_FILTER
            packet = ""
        else:
            dropped, reason = bool(record.drop), record.drop[0] if record.drop and tool == "pspkt" else ""
            # Each packet was built once: behind the link header it is the same wherever it shows.
            l3 = record.data[32 if record.place.linktype == WIFI else 14 :]
            packet = first.setdefault(l3, number)
        lines.append(f"{number},{packet},{'true' if dropped else ''},{reason if dropped else ''}")
    return "\n".join(lines) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in captures():
        (FOLDER / f"{name}.pcapng").write_bytes(data)
    for name, example, tool in names():
        (FOLDER / f"{name}.truth.csv").write_text(truth(example, tool), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
