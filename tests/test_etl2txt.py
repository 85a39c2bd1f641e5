"""Logs of `pktmon etl2txt`: what a text tells becomes a capture, and what it does not tell stays unknown."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pcapng_blocks as ng
import pytest
from conftest import CAPTURES
from etl2txt_writer import (
    COMPONENTS,
    ENDS,
    GROUP,
    LINK,
    SYN,
    SYN_OPTIONS,
    at,
    body,
    line,
    way,
)
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Scapy
from scapy.packet import Raw
from test_convert import Made, made_of

import pywnv
from pywnv.capture.rebuild import rebuilt


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def made(log: Path, text: str | bytes) -> Made:
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return made_of(log)


# What a text tells.


def test_one_packet_with_its_appearances_its_path_and_its_drop(log: Path) -> None:
    log.write_text(way() + COMPONENTS, "utf-8")
    first, second, third = pywnv.annotate(log)
    assert [said.packet for said in (first, second, third)] == [1, 1, 1]
    assert [said.appearance for said in (first, second, third)] == [1, 2, 3]
    assert third.path == "vmNIC Gast 1 > filter vfpext.sys > vSwitch LabSwitch"
    assert third.hop_delta == pytest.approx(20e-6)
    assert third.rule == "packet_id"
    assert (third.drop, third.drop_reason, third.drop_reason_text) == (True, 12, "Failed security policy")
    assert third.drop_location == 0xE0002004
    assert not first.drop


def test_the_second_of_three_equal_datagrams_is_dropped(log: Path) -> None:
    """A drop has no edge; the first one has passed that component, and what is dropped goes no further."""
    ends = Ether(src="00:15:5d:00:00:05", dst="00:15:5d:00:00:08")
    data = bytes(ends / IPv6(src="fd00::5", dst="fd00::8") / UDP(sport=5000, dport=5060) / bytes(40))
    drop = ("Failed security policy", 0xE0002004)
    lines = [
        line(data, group=10 * number + place, component=component, time=at(number * 2000 + place), drop=dropped)
        for number in range(3)
        for place, (component, dropped) in enumerate([(84, None), (36, drop if number == 1 else None), (7, None)])
        if number != 1 or place < 2
    ]
    log.write_text("".join(lines) + COMPONENTS, "utf-8")
    said = [*pywnv.annotate(log)]
    assert [one.packet for one in said] == [1, 1, 1, 4, 4, 6, 6, 6]
    assert [one.drop for one in said].index(True) == 4


def test_two_lines_of_a_log_are_enough(log: Path) -> None:
    log.write_text(line(SYN, component=84).strip(), "utf-8")
    (said,) = pywnv.annotate(log)
    assert said.hop == "component 84"
    assert said.path == "component 84"


def test_a_rewritten_mac_is_told_and_splits_no_packet(log: Path) -> None:
    other = bytes.fromhex("00155d112233") + SYN[6:]
    log.write_text(line(SYN, appearance=14, time=at(0)) + line(other, appearance=29, component=9, time=at(1305)))
    first, second = pywnv.annotate(log)
    assert first.packet == second.packet == 1
    assert second.rewritten == "mac"


def test_the_log_gives_times_ids_directions_threads_and_counters(log: Path) -> None:
    made_log = made(log, way() + COMPONENTS)
    first, _, third = made_log.packets
    assert first.ticks == 17408232000001001  # 2025-03-01 10:00:00.000100100, as the log has it
    assert first.option(5) == GROUP.to_bytes(8, "little")
    assert first.option(2) == (2).to_bytes(4, "little")
    assert first.comment.startswith("wnv: pid=4 tid=520 cpu=2 component=84 edge=1 direction=Tx number=1 appearance=1")
    assert "drop=12 location=0xE0002004" in third.comment
    assert made_log.done.drops == 1
    assert set(made_log.names) == {
        "Gast 1 [vmNIC, vmswitch.sys, component 84, edge 1]",
        "LabSwitch [vSwitch, vmswitch.sys, component 7, edge 0]",
        "vfpext.sys [filter, vfpext.sys, component 36, edge 1]",
    }
    assert made_log.section[1].startswith(b"log of pktmon etl2txt")
    assert {nic.name: nic.macs for nic in made_log.done.topology.nics}["Gast 1"] == ["00155d010203"]


def test_with_hex_the_bytes_are_those_of_the_packet(log: Path) -> None:
    random = Random(1)
    frames = [bytes(Ether(**LINK) / IP(**ENDS) / UDP(sport=1, dport=2) / random.randbytes(n)) for n in range(0, 200, 7)]
    text = "".join(line(data, group=number, hexadecimal=True) for number, data in enumerate(frames, 1))
    packets = made(log, text).packets
    assert [packet.data for packet in packets] == frames
    assert not any("rebuilt" in packet.comment for packet in packets)


def test_a_type_in_unknown_words_is_known_by_the_text(log: Path) -> None:
    made_log = made(log, line(SYN, hexadecimal=True).replace("Type Ethernet", "Тип Проводной"))
    assert (made_log.linktypes, made_log.packets[0].data) == ([1], SYN)


def test_a_hex_dump_that_is_cut_or_has_a_gap_ends_there(log: Path) -> None:
    data = SYN + bytes(range(60))
    whole = line(data, hexadecimal=True)
    gap = re.sub(r"\t0x0020.*\r\n", "", whole)
    assert made(log, gap).packets[0].data == data[:32]
    assert made(log, whole.rstrip()[:-10]).packets[0].data == data[: len(data) - 4]


TCP_DATA = IP(**ENDS, id=9) / TCP(sport=50000, dport=443, seq=1000, ack=2000, flags="PA", window=501)
STAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (123456, 654321))]
SACKS = [("NOP", None), ("NOP", None), ("SAck", (100, 200, 300, 400))]
ENDS_6 = {"src": "2001:db8::1", "dst": "2001:db8::2"}
CASES: dict[str, tuple[Scapy, int]] = {  # a frame, and how many of its bytes the text tells
    "syn": (Ether(SYN), 66),
    "data": (Ether(**LINK) / TCP_DATA / Raw(b"x" * 110), 54),
    "timestamps": (Ether(**LINK) / IP(**ENDS) / TCP(seq=5, ack=6, flags="PA", options=STAMPS) / Raw(b"x" * 10), 66),
    "sack": (Ether(**LINK) / IP(**ENDS) / TCP(seq=5, ack=6, flags="FA", options=SACKS), 74),
    "udp": (Ether(**LINK) / IP(**ENDS) / UDP(sport=5000, dport=443) / Raw(b"x" * 103), 42),
    "echo": (Ether(**LINK) / IP(**ENDS) / ICMP(id=1, seq=45) / Raw(b"x" * 32), 42),
    "vlan": (Ether(**LINK) / Dot1Q(vlan=5, prio=3) / IP(**ENDS) / TCP(seq=7, options=SYN_OPTIONS), 70),
    "fragment": (Ether(**LINK) / IP(**ENDS, frag=185, flags="MF", proto=17) / Raw(b"x" * 100), 34),
    "ask": (Ether(**LINK) / ARP(psrc="10.0.0.1", pdst="10.0.0.2", hwsrc=LINK["src"], hwdst="0:0:0:0:0:0"), 42),
    "tcp6": (Ether(**LINK) / IPv6(**ENDS_6) / TCP(seq=5, ack=6, flags="FA"), 74),
    "echo6": (Ether(**LINK) / IPv6(**ENDS_6, fl=7, tc=16) / ICMPv6EchoRequest(id=1, seq=3, data=b"x" * 32), 62),
    "solicitation": (
        Ether(**LINK) / IPv6(**ENDS_6) / ICMPv6ND_NS(tgt="2001:db8::2") / ICMPv6NDOptSrcLLAddr(lladdr=LINK["src"]),
        78,
    ),
}


def _without_checksum(frame: Scapy) -> bytes:
    """The bytes of a frame whose checksum the text does not tell."""
    again = Ether(bytes(frame))
    for layer in (TCP, UDP, ICMP, ICMPv6EchoRequest, ICMPv6ND_NS):
        if layer in again:
            setattr(again[layer], "cksum" if "cksum" in again[layer].fields else "chksum", 0)
    return bytes(again)


@pytest.mark.parametrize("name", CASES)
def test_verbose_text_gives_the_headers_as_they_were_and_nothing_beyond(name: str) -> None:
    frame, known = CASES[name]
    data = bytes(frame)
    found = rebuilt(" ".join(body(data, len(data), verbose=True).split()), 1, len(data))
    assert found.length == len(data)
    assert len(found.data) == known
    assert found.data == _without_checksum(frame)[:known]


def test_what_the_text_does_not_tell_is_zero_and_named(log: Path) -> None:
    ack = bytes(Ether(**LINK) / IP(**ENDS, id=9, ttl=128) / TCP(sport=1, dport=2, seq=5, ack=6, flags="A", window=7))
    (packet,) = made(log, line(ack)).packets
    again = IP(packet.data[14:])
    assert (again.id, again.ttl, again[TCP].seq, again[TCP].ack, again[TCP].window) == (0, 0, 0, 6, 7)
    assert packet.comment.endswith("rebuilt=1 untold=tos,ttl,id,df,seq,checksum")
    (packet,) = made(log, line(ack, verbose=True)).packets
    assert (IP(packet.data[14:]).id, IP(packet.data[14:]).ttl) == (9, 128)
    assert packet.comment.endswith("rebuilt=1 untold=seq,checksum")


def test_data_that_is_not_told_is_cut_off(log: Path) -> None:
    data = bytes(CASES["data"][0])
    (packet,) = made(log, line(data)).packets
    assert (len(packet.data), packet.length) == (54, 164)


HEAD = "00-15-5D-01-02-03 > 00-15-5D-0A-0B-0C, ethertype IPv4 (0x0800), length 120: "
FORMS = {  # what is printed, the type that pktmon calls it, and: its type, how many bytes are told, its length
    "dropped, of IP": ("Drop: ip: 192.168.5.88.50005 > 192.168.5.68.50005: UDP, length 374", 3, (3, 28, 402)),
    "brief": ("IPv4, length 60: 192.0.2.1.5000 > 198.51.100.2.443: tcp 0", 1, (3, 24, 388)),
    "Wi-Fi unknown to pktmon": ("unknown 802.11 frame type (3)", 2, (2, 0, 402)),
    "ESP": (HEAD + "10.0.0.1 > 10.0.0.2: ESP(spi=0x12345678,seq=0x1f), length 86", 1, (1, 42, 402)),
    "a port that nobody has": (HEAD + "10.0.0.1 > 10.0.0.2: ICMP 10.0.0.1 udp port 9 unreachable", 1, (1, 38, 402)),
    "DNS": (HEAD + "10.0.0.1.5000 > 8.8.8.8.53: 40123+ A? example.com. (78)", 1, (1, 44, 402)),
    "another EtherType": (
        "00-15-5D-01-02-03 > 01-80-C2-00-00-0E, ethertype LLDP (0x88cc), length 60: x",
        1,
        (1, 14, 402),
    ),
    "an unknown option": (
        HEAD + "10.0.0.1.1 > 10.0.0.2.2: Flags [S], seq 1, win 2, options [md5 valid], length 0",
        1,
        (1, 54, 402),
    ),
    "nothing": ("", 1, (1, 0, 402)),
}


@pytest.mark.parametrize("name", FORMS)
def test_other_forms_of_text(name: str) -> None:
    text, kind, expected = FORMS[name]
    found = rebuilt(text, kind, 402)
    assert (found.kind, len(found.data), found.length) == expected


def test_a_tunnel_shows_what_is_in_it() -> None:
    inner = Ether(**LINK) / TCP_DATA / Raw(b"x" * 20)
    outer = bytes(Ether(**LINK) / IP(**ENDS) / UDP(sport=5, dport=4789) / VXLAN(vni=5001, flags=8) / inner)
    text = body(outer, len(outer)).split(": UDP")[0] + ": VXLAN, flags [I] (0x08), vni 5001\r\n"
    found = rebuilt(" ".join((text + body(bytes(inner), len(inner))).split()), 1, len(outer))
    again = Ether(found.data)
    assert (again[VXLAN].vni, again[VXLAN][TCP].seq, again[VXLAN][IP].dst) == (5001, 1000, "10.0.0.2")
    assert len(found.data) == 50 + 54


@pytest.mark.parametrize("verbose", [False, True])
def test_without_ids_that_repeat_packets_are_found_by_what_the_text_tells(
    log: Path, unpacked: Callable[[str], Path], verbose: bool
) -> None:
    frames = list(ng.packets(unpacked("mix-loss").read_bytes()))[:600]
    with (CAPTURES / "mix-loss.truth.csv").open(newline="") as file:
        truth = list(csv.DictReader(file))[: len(frames)]
    hops = sorted({row["hop"] for row in truth})
    texts = []
    for number, ((ticks, data, length), row) in enumerate(zip(frames, truth, strict=True), 1):
        moment = f"{datetime.fromtimestamp(ticks // 10**9, UTC):%Y-%m-%d %H:%M:%S}.{ticks % 10**9:09}"
        place = {"component": hops.index(row["hop"]), "time": moment, "length": length, "verbose": verbose}
        texts.append(line(data, group=number, **place))  # type: ignore[arg-type]
    log.write_text("".join(texts), "utf-8")
    said: dict[object, set[int]] = {}
    true: dict[object, set[int]] = {}
    for each, row in zip(pywnv.annotate(log), truth, strict=True):
        said.setdefault(each.packet, set()).add(each.frame)
        true.setdefault(row["packet"], set()).add(int(row["frame"]))
    assert max(map(len, true.values())) == 4
    assert list(said.values()) == list(true.values())
