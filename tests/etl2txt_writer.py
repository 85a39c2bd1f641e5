"""Prints packets in the form of `pktmon etl2txt`: a line of its own words, then one like tcpdump's (formats.md B.2)."""

from __future__ import annotations

from collections.abc import Sequence

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

ENGLISH = ("Appearance", "Direction", "Type", "Component", "Edge", "Filter", "DropReason", "DropLocation")
PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
TYPES = {0x0800: "IPv4", 0x86DD: "IPv6", 0x0806: "ARP"}


def line(
    data: bytes,
    *,
    group: int = 562949953421313,
    appearance: int = 1,
    component: int = 1,
    time: str = "2025-03-01 10:00:00.000000000",
    way: str = "Tx",
    drop: tuple[str, int] | None = None,
    labels: Sequence[str] = ENGLISH,
    mark: str = "Drop",
    hexadecimal: bool = False,
    verbose: bool = False,
    prefix: str = "[02]0004.0208::{time} [Microsoft-Windows-PktMon] ",
    length: int | None = None,
) -> str:
    """A packet as it is printed at one component; `drop` is a reason and a location."""
    a, d, t, c, e, f, r, loc = labels
    size = len(data) if length is None else length
    head = f"PktGroupId {group}, PktNumber 1, {a} {appearance}, {d} {way} , {t} Ethernet , {c} {component}, "
    head += f"{f} 0, {r} {drop[0]} , {loc} 0x{drop[1]:08X}, " if drop else f"{e} 1, {f} 0, "
    begin = prefix.format(time=time) + (f"{mark}: " if drop else "")
    text = f"{begin}{head}OriginalSize {size}, LoggedSize {len(data)} \r\n\t"
    text += (f"{mark}: " if drop else "") + body(data, size, verbose=verbose) + "\r\n"
    if hexadecimal:
        text += "".join(f"\t0x{at:04x}:  {_words(data[at : at + 16])}\r\n" for at in range(0, len(data), 16))
    return text


def _words(data: bytes) -> str:
    return " ".join(data[at : at + 2].hex() for at in range(0, len(data), 2))


def body(data: bytes, size: int, *, verbose: bool = False) -> str:
    """A frame as tcpdump would print it."""
    frame = Ether(data)
    text = f"{_mac(frame.src)} > {_mac(frame.dst)}, "
    inner, kind = frame.payload, frame.type
    if isinstance(inner, Dot1Q):
        text += f"ethertype 802.1Q (0x8100), length {size}: vlan {inner.vlan}, p {inner.prio}, "
        kind, inner = inner.type, inner.payload
        return f"{text}ethertype {TYPES.get(kind, 'Unknown')} (0x{kind:04x}), {_layer3(inner, verbose)}"
    return f"{text}ethertype {TYPES.get(kind, 'Unknown')} (0x{kind:04x}), length {size}: {_layer3(inner, verbose)}"


def _mac(text: str) -> str:
    return text.upper().replace(":", "-")


def _layer3(packet: Packet, verbose: bool) -> str:
    if isinstance(packet, ARP):
        if packet.op == 1:
            return f"Request who-has {packet.pdst} tell {packet.psrc}, length 28"
        return f"Reply {packet.psrc} is-at {_mac(packet.hwsrc)}, length 28"
    if isinstance(packet, IP):
        flags = "DF" if packet.flags.DF else "+" if packet.flags.MF else "none"
        more = (
            f"(tos 0x{packet.tos:x}, ttl {packet.ttl}, id {packet.id}, offset {packet.frag * 8}, flags [{flags}], "
            f"proto {PROTOCOLS.get(packet.proto, 'unknown')} ({packet.proto}), length {packet.len})\r\n    "
        )
        return (more if verbose else "") + _layer4(packet, packet.len - 4 * packet.ihl, frag=bool(packet.frag))
    if isinstance(packet, IPv6):
        more = f"(class 0x{packet.tc:02x}, flowlabel 0x{packet.fl:05x}, hlim {packet.hlim}, "
        more += f"next-header {PROTOCOLS.get(packet.nh, 'unknown')} ({packet.nh}) payload length: {packet.plen}) "
        return (more if verbose else "") + _layer4(packet, packet.plen, frag=False)
    return "unknown"


def _layer4(packet: Packet, size: int, *, frag: bool) -> str:
    inner = packet.payload
    if isinstance(inner, TCP) and not frag:
        return f"{packet.src}.{inner.sport} > {packet.dst}.{inner.dport}: {_tcp(inner, size - 4 * inner.dataofs)}"
    if isinstance(inner, UDP) and not frag:
        return f"{packet.src}.{inner.sport} > {packet.dst}.{inner.dport}: UDP, length {inner.len - 8}"
    ends = f"{packet.src} > {packet.dst}: "
    if isinstance(inner, ICMP) and inner.type in (0, 8) and not frag:
        kind = "reply" if inner.type == 0 else "request"
        return f"{ends}ICMP echo {kind}, id {inner.id}, seq {inner.seq}, length {size}"
    if isinstance(inner, (ICMPv6EchoRequest, ICMPv6EchoReply)):
        kind = "reply" if isinstance(inner, ICMPv6EchoReply) else "request"
        return f"{ends}ICMP6, echo {kind}, id {inner.id}, seq {inner.seq}, length {size}"
    if isinstance(inner, ICMPv6ND_NS):
        return f"{ends}ICMP6, neighbor solicitation, who has {inner.tgt}, length {size}"
    return ends + PROTOCOLS.get(getattr(packet, "proto", getattr(packet, "nh", 0)), "ip-proto-99").lower()


def _tcp(tcp: TCP, size: int) -> str:
    letters = "".join(mark for mark, flag in zip("FSRPUEW", "FSRPUEC", strict=True) if flag in str(tcp.flags))
    text = f"Flags [{letters}{'.' if 'A' in str(tcp.flags) else ''}]"
    if size or set("FSR") & set(letters):
        text += f", seq {tcp.seq}" + (f":{(tcp.seq + size) % 2**32}" if size else "")
    text += f", ack {tcp.ack}" if "A" in str(tcp.flags) else ""
    text += f", win {tcp.window}"
    names = [_option(*option) for option in tcp.options]
    return text + (f", options [{','.join(names)}]" if names else "") + f", length {size}"


def _option(name: str, value: object) -> str:
    if name == "Timestamp":
        return "TS val {} ecr {}".format(*value)  # type: ignore[misc]
    if name == "SAck":
        pairs = list(value)  # type: ignore[call-overload]
        edges = "".join(f"{{{left}:{right}}}" for left, right in zip(pairs[::2], pairs[1::2], strict=True))
        return f"sack {len(pairs) // 2} {edges}"
    plain = {"NOP": "nop", "EOL": "eol", "SAckOK": "sackOK", "MSS": f"mss {value}", "WScale": f"wscale {value}"}
    return plain[name]


LINK = {"src": "00:15:5d:01:02:03", "dst": "00:15:5d:0a:0b:0c"}
ENDS = {"src": "10.0.0.1", "dst": "10.0.0.2"}
SYN_OPTIONS = [("MSS", 1460), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
SYN = bytes(Ether(**LINK) / IP(**ENDS, id=46774, flags="DF") / TCP(sport=50000, dport=443, seq=77, options=SYN_OPTIONS))
GROUP = 562949953421313

GERMAN = ("Auftreten", "Richtung", "Typ", "Komponente", "Rand", "Filter", "Grund", "Ort des Verlusts")
KOREAN = ("모양", "방향", "유형", "구성 요소", "에지", "필터", "삭제 이유", "삭제 위치")

WHAT_IT_SAYS_OF_COMPONENTS = (  # each value ends with a blank
    "Component 84, Type VmsVmNic , Name vmswitch.sys, Gast 1 ",
    "Property: Component 84, PhysAddress  = 0x00155D010203 ",
    "Component 36, Type Filter , Name vfpext.sys, VFP Extension ",
    "Flow Counters: Component 36, Edge Upper, Edge Id 1, Direction In = Rx , Packets In 3, Bytes In 158, "
    "Direction Out = Tx , Packets Out 4, Bytes Out 162 ",
    "Component 7, Type VmsExtMiniport , Name vmswitch.sys, NULL ",
    "Property: Component 7, VMSwitchName  = LabSwitch ",
    "Drop Counters: Component 7, Direction In = Rx , Packets In 0, Bytes In 0, "
    "Direction Out = Tx , Packets Out 5, Bytes Out 330 ",
)
COMPONENTS = "".join(
    f"[00]0004.0208::2025-03-01 10:00:09.{number:09} [Microsoft-Windows-PktMon] {words}\r\n"
    for number, words in enumerate(WHAT_IT_SAYS_OF_COMPONENTS)
)


def at(micros: int) -> str:
    return f"2025-03-01 10:00:00.{micros:06}100"


def way(data: bytes = SYN, **options: object) -> str:
    """One packet at a VM's NIC, in an extension of the switch, and dropped by the switch."""
    drop = options.pop("drop", ("Failed security policy", 0xE0002004))
    parts = [
        line(data, appearance=1, component=84, time=at(100), **options),  # type: ignore[arg-type]
        line(data, appearance=2, component=36, time=at(112), **options),  # type: ignore[arg-type]
        line(data, appearance=3, component=7, time=at(132), drop=drop, **options),  # type: ignore[arg-type]
    ]
    return "".join(parts)
