"""Logs of `pktmon etl2txt`: what a text tells becomes a capture, and what it does not tell stays unknown."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pcapng_blocks as ng
import pytest
from command import run
from conftest import CAPTURES
from etl2txt_writer import body, line
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Scapy
from scapy.packet import Raw
from test_convert import Made, made_of

import pywnv
from pywnv.capture.rebuild import rebuilt
from pywnv.errors import CaptureError

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


# In which languages, and in which bytes.


def test_german_words_change_nothing(log: Path) -> None:
    english = made(log, way())
    german = made(log, way(labels=GERMAN, mark="Verworfen"))
    assert german.bytes == english.bytes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be bom", "cp949", "cp1252"])
def test_encodings(log: Path, encoding: str) -> None:
    labels = GERMAN if encoding == "cp1252" else KOREAN
    mark = "Gelöscht" if encoding == "cp1252" else "삭제"
    text = way(labels=labels, mark=mark) + COMPONENTS
    be = encoding == "utf-16-be bom"
    data = codecs.BOM_UTF16_BE + text.encode("utf-16-be") if be else text.encode(encoding)
    assert made(log, data).bytes == made(log, way() + COMPONENTS).bytes


def test_a_reason_in_words_that_we_do_not_know_is_told_as_it_stands(log: Path) -> None:
    log.write_text(way(labels=GERMAN, mark="Verworfen", drop=("Sicherheitsrichtlinie, verletzt", 0xE0002004)), "utf-8")
    *_, third = pywnv.annotate(log)
    assert (third.drop, third.drop_reason, third.drop_location) == (True, None, 0xE0002004)
    assert third.drop_reason_text == "Sicherheitsrichtlinie, verletzt"


def test_a_reason_may_be_a_number(log: Path) -> None:
    log.write_text(way(drop=("228", 0xE000100F)), "utf-8")
    *_, third = pywnv.annotate(log)
    assert third.drop_reason == 228


# As people paste it.


def _quoted(text: str) -> str:
    return "".join(f"> {each}\n" for each in text.replace("\t", "    ").splitlines())


def _wrapped(text: str) -> str:
    return re.sub(r"(.{40,60}) ", r"\1\n", text.replace("\r\n", "\n"))


def _escaped(text: str) -> str:
    return text.replace(">", "&gt;")


def _console(text: str) -> str:
    """As a window of 80 columns shows it."""
    return "\n".join(re.sub(r"(.{80})", r"\1\n", each) for each in text.splitlines())


def _without_tabs(text: str) -> str:
    return "Hello, this is what I see:\n\n" + text.replace("\t", "")


@pytest.mark.parametrize("paste", [_quoted, _wrapped, _escaped, _console, _without_tabs])
@pytest.mark.parametrize("hexadecimal", [False, True])
def test_pasted(log: Path, paste: object, hexadecimal: bool) -> None:
    assert callable(paste)
    text = way(hexadecimal=hexadecimal)
    assert made(log, paste(text)).bytes == made(log, text).bytes


def test_values_that_were_cut_out(log: Path) -> None:
    text = (
        "10:00:00.5 PktGroupId 7, Direction Tx, Type Ethernet,\nComponent 88, Edge 1, OriginalSize 66, LoggedSize 66\n"
    )
    (packet,) = made(log, text + body(SYN, 66)).packets
    assert "component=88 edge=1 direction=Tx" in packet.comment
    assert Ether(packet.data)[TCP].seq == 77


def test_times_without_a_date_go_on_past_midnight(log: Path) -> None:
    times = ["23:59:59.999999900", "00:00:00.000000100"]
    first, second = made(log, "".join(line(SYN, prefix="{time} ", time=each) for each in times)).packets
    assert second.ticks - first.ticks == 2
    assert "cpu=" not in first.comment


def test_what_other_providers_told_stays(log: Path) -> None:
    other = "[01]0004.0008::2025-03-01 10:00:00.000120000 [Microsoft-Windows-Hyper-V-VfpExt] Block rule with ID {7}\n"
    (entry,) = made(log, way() + other).journals
    assert (entry["_COMM"], entry["MESSAGE"]) == ("Microsoft-Windows-Hyper-V-VfpExt", "Block rule with ID {7}")


# The commands.


def test_the_commands(log: Path, tmp_path: Path) -> None:
    log.write_bytes((way() + COMPONENTS).encode("utf-16"))
    out = tmp_path / "out.pcapng"
    done = run("convert", log, "-o", out)
    assert (done.returncode, done.stderr) == (0, b"3 packets, 1 of them dropped, 0 events\n")
    with log.open("rb") as file:
        assert run("convert", "-", "-o", "-", stdin=file).stdout == out.read_bytes()
    told = json.loads(run("inspect", "--json", log).stdout)
    assert told["tool"]["name"] == "pktmon etl2txt"
    assert b"path: vmNIC Gast 1 > filter vfpext.sys > vSwitch LabSwitch" in run("explain", log, 1).stdout
    assert run("annotate", log, "--columns", "frame,packet").stdout == b"frame,packet\n1,1\n2,1\n3,1\n"


def test_a_log_from_a_pipe_or_packed_is_named(log: Path) -> None:
    log.write_bytes(gzip.compress(way().encode()))
    done = run("annotate", log)
    assert done.stderr.decode() == (
        f"pywnv: {log}: is a text log, as `pktmon etl2txt` writes it; give it as a plain file\n"
    )


def test_inspect_says_what_a_log_without_bytes_lacks(log: Path) -> None:
    log.write_text(line(bytes(CASES["data"][0])), "utf-8")
    shown = b" ".join(run("inspect", log).stdout.split())
    assert b"Written by: pktmon etl2txt" in shown
    assert b"the log does not tell them" in shown
    assert b"pktmon etl2txt pktmon.etl --hex -o pktmon.txt" in shown


NO_LOGS = {
    "no packet": ("[Microsoft-Windows-PktMon] hello\n", "holds no packets and no events"),
    "only components": (COMPONENTS, "holds no packets and no events"),
    "another text": ("hello\n", "not a Windows trace (.etl), nor a log of `pktmon etl2txt`"),
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_no_log(log: Path, tmp_path: Path, name: str) -> None:
    log.write_text(NO_LOGS[name][0], "utf-8")
    done = run("convert", log, "-o", tmp_path / "out.pcapng")
    assert (done.returncode, done.stderr.decode()) == (2, f"pywnv: {log}: {NO_LOGS[name][1]}\n")
    assert not (tmp_path / "out.pcapng").exists()


# Hostile ones.


def test_a_damaged_log_gives_frames_or_one_line(log: Path) -> None:
    text = (way(verbose=True) + way(hexadecimal=True) + COMPONENTS).encode()
    random = Random(19)
    read = 0
    for _ in range(300):
        data = bytearray(text)
        for _ in range(random.randrange(1, 30)):
            place = random.randrange(len(data))
            data[place : place + random.choice((0, 1, 40))] = random.choice(
                (b"\n", b"9" * 25, b",", b" > ", b"0x", b"[", b"\xff\xfe", b"length 99999", b"\t0x0010: ", b"=")
            )
        try:
            packets = made(log, bytes(data)).packets
        except CaptureError:
            continue
        read += bool(packets)
        assert all(len(packet.data) <= max(packet.length, 0) for packet in packets)
    assert read > 200


@pytest.mark.parametrize(
    "piece",
    [
        "a" * 10_000,
        "PktGroupId 1, " * 800,
        "1.2.3.4.5 > " * 900,
        "\n\t0x0000:  0011 2233\n" * 500,
        "12:00:00.1 \n" * 900,
        "options [" * 1200,
    ],
)
def test_hostile_logs_take_linear_time_and_flat_memory(log: Path, piece: str) -> None:
    log.write_text(line(SYN) + line(SYN).rstrip() + piece * 20, "utf-8")
    tracemalloc.start()
    began = time.process_time()
    assert len(made_of(log).packets) == 2
    assert time.process_time() - began < 10  # under tracemalloc; what is not linear takes minutes
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
