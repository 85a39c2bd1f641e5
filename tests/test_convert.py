"""Windows traces as pcapng: what a trace holds must come out, and come back through the engine."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import etl_writer as w
import pcapng_blocks as ng
import pytest
from conftest import run_wireshark
from modules import RUNTIMES, module, plain

from pywnv.capture.convert import Converted, convert
from pywnv.capture.pcapng import options
from pywnv.errors import CaptureError

FRAME = ng.ethernet(ng.udp(b"one", 1))
OTHER = ng.ethernet(ng.udp(b"two", 2))
MAC = bytes.fromhex("00155d0a0001")
UPLINK: w.Port = (1, "uplink", "/DEVICE/{1}", "External")
GUEST: w.Port = (5, "Gast 1", "F00D--C0DE", "Synthetic")
HOST: w.Port = (6, "主机 ⇄ 50%", "host=nic", "Internal")


class Packet:
    """A packet of a pcapng, taken apart."""

    def __init__(self, body: bytes) -> None:
        self.interface, high, low, captured, self.length = struct.unpack_from("<IIIII", body)
        self.ticks = high << 32 | low
        self.data = body[20 : 20 + captured]
        self.options = list(options(body[20 + (captured + 3 & ~3) :], "<"))

    def option(self, code: int) -> bytes | None:
        return next((value for number, value in self.options if number == code), None)

    @property
    def comment(self) -> str:
        return (self.option(1) or b"").decode()


class Made:
    """A converted trace."""

    def __init__(self, made: bytes, done: Converted, warnings: list[str]) -> None:
        self.bytes, self.done, self.warnings = made, done, warnings
        parts = [(block.kind, block.data[8:-4]) for block in ng.blocks(made)]
        self.section = dict(options(parts[0][1][16:], "<"))
        self.interfaces = [list(options(body[8:], "<")) for kind, body in parts if kind == ng.INTERFACE]
        self.linktypes = [struct.unpack_from("<H", body)[0] for kind, body in parts if kind == ng.INTERFACE]
        self.names = [dict(each)[2].decode() for each in self.interfaces]
        self.packets = [Packet(body) for kind, body in parts if kind == ng.PACKET]
        self.journals = [
            dict(line.split("=", 1) for line in body.decode().split("\0")[0].splitlines())
            for kind, body in parts
            if kind == ng.JOURNAL
        ]


def made_of(path: Path) -> Made:
    out = io.BytesIO()
    warnings: list[str] = []
    done = convert(path, out, warn=warnings.append)
    return Made(out.getvalue(), done, warnings)


@pytest.fixture
def trace(tmp_path: Path) -> Callable[..., Made]:
    def make(*buffers: list[w.Record], **of_head: int) -> Made:
        path = tmp_path / "made.etl"
        path.write_bytes(w.etl(*buffers, **of_head))
        return made_of(path)

    return make


# pktmon.


def stack() -> list[w.Record]:
    """A host: a team of one NIC, a vmSwitch above it, a VM."""
    return [
        *w.component(1, 2, "e1i65x64.sys", "Intel(R) Ethernet", if_index=12, mac=MAC),
        *w.component(2, 3, "pacer.sys", "QoS Packet Scheduler", if_index=20, miniport=12, lower=12),
        w.edge(2, "Upper", 1, 3),
        w.edge(2, "Lower", 2, 4),
        *w.component(3, 2, "NdisImPlatform.sys", "Microsoft Network Adapter Multiplexor Driver", if_index=13),
        *w.component(4, 8, "vmswitch.sys", "", miniport=13, switch="wireless"),
        *w.component(5, 5, "vmswitch.sys", "F00D--C0DE", mac=MAC[:5] + b"\2", vlan=7),
        *w.component(6, 6, "vmswitch.sys", "Default Switch", if_index=30),
        *w.component(7, 11, "tcpip.sys", "TCP/IPv4 - L3/L4", miniport=13),
        *w.component(8, 2, "NULL", "Strange"),
        w.adapter(12, "以太网 2", "Intel(R) Ethernet", MAC),
        w.adapter(13, "Team1", "Microsoft Network Adapter Multiplexor Driver", MAC, flags=0),
        w.adapter(30, "vEthernet (Default Switch)", "Hyper-V Virtual Ethernet Adapter", flags=0),
    ]


def test_places_of_pktmon_have_names_and_roles(trace: Callable[..., Made]) -> None:
    packets = [w.packet(at, at, FRAME) for at in range(1, 9)]
    made = trace([*packets, w.packet(9, 2, FRAME, edge=2), w.packet(10, 99, FRAME), *stack()])
    hops = [plain(module("lua54", "hop")[b"new"](b"ethernet", 0, name.encode(), None)) for name in made.names]
    hops.sort(key=lambda hop: (hop["component_id"], hop["edge"]))
    assert [hop["name"] for hop in hops] == [
        "pNIC 以太网 2",
        "filter pacer.sys Upper on 以太网 2",
        "filter pacer.sys Lower on 以太网 2",
        "tNIC Team1",
        "vSwitch wireless",
        "vmNIC F00D--C0DE",
        "host vNIC vEthernet (Default Switch)",
        "protocol tcpip.sys (TCP/IPv4 - L3/L4) on Team1",
        "Strange",
        "component 99",
    ]
    # From the wire up: the NIC, its filter's lower and upper edge; then the next adapter.
    assert [name.split(" [")[0] for name in made.names][:4] == [
        "以太网 2",
        "pacer.sys Upper on 以太网 2",
        "pacer.sys Lower on 以太网 2",
        "Team1",
    ]


def test_what_pktmon_notes_of_a_packet_is_kept(trace: Callable[..., Made]) -> None:
    made = trace(
        [
            w.packet(10, 5, FRAME, group=2 << 48 | 1, appearance=3, direction=5, original=1500),
            w.packet(20, 5, OTHER, id=170, drop=(12, 0xE0002004), direction=4),
            w.packet(30, 5, OTHER, id=240, drop=(0, 0xE0002005)),
            *stack(),
        ],
        frequency=3_000_000,
    )
    whole, dropped, again = made.packets
    assert whole.comment == (
        "wnv: pid=4 tid=208 cpu=0 component=5 edge=1 direction=Ingress number=1 appearance=3 filter=1 vlan=7"
    )
    assert (whole.data, whole.length, whole.ticks) == (FRAME, 1500, w.START + 33)
    assert whole.option(2) is None  # into a vmSwitch is neither in nor out
    assert whole.option(5) == struct.pack("<Q", 2 << 48 | 1)
    assert whole.option(7) is None
    assert dropped.comment.endswith(" drop=12 location=0xE0002004")
    assert dropped.option(2) == struct.pack("<I", 2)
    assert dropped.option(7) == b"\2" + struct.pack("<Q", 1)
    assert again.comment.endswith(" drop=0 location=0xE0002005 again=1")
    assert (made.done.packets, made.done.drops) == (3, 2)


def test_packet_types_have_link_types(trace: Callable[..., Made]) -> None:
    wifi = ng.WIFI + ng.udp()
    kinds = [(1, FRAME), (2, wifi), (2, FRAME), (3, ng.udp()), (4, b"GET / HTTP/1.1\r\n"), (0, b"?")]
    made = trace([w.packet(at, 1, data, kind=kind) for at, (kind, data) in enumerate(kinds)])
    assert [made.linktypes[packet.interface] for packet in made.packets] == [1, 105, 1, 101, 147, 147]
    assert [packet.data for packet in made.packets] == [data for _, data in kinds]
    assert "type=2" in made.packets[1].comment


def test_out_of_band_data_tells_the_vlan(trace: Callable[..., Made]) -> None:
    for order in (1, -1):
        pair = [w.packet(1, 1, FRAME, group=9), w.out_of_band(1, 1, 42, group=9)][::order]
        made = trace(pair)
        assert " vlan=42" in made.packets[0].comment
        assert len(made.journals) == 1


def test_processors_are_merged_by_time(trace: Callable[..., Made]) -> None:
    times = [[5, 1, 9], [2, 3, 10], [4], [], [3, 8]]
    made = trace(*[[w.packet(time, 1, bytes([time]) * 20) for time in each] for each in times])
    assert [packet.ticks - w.START for packet in made.packets] == sorted(chain(*times))
    assert all(packet.data[0] == packet.ticks - w.START for packet in made.packets)


# ndiscap.


def test_ports_and_destinations_of_the_vmswitch_are_kept(trace: Callable[..., Made]) -> None:
    made = trace(
        [
            w.fragment(1, FRAME),
            w.fragment(2, FRAME, lower=23),
            w.switch_fragment(3, FRAME, GUEST, [UPLINK, HOST], vlan=3, hash=0xE12B2124),
            w.switch_fragment(4, OTHER, HOST),
            w.adapter(12, "Ethernet 2", "Intel", MAC),
        ]
    )
    assert sorted(made.names) == ["eth:12:0", "eth:23:0", "vNIC:Internal:主机 ⇄ 50%:12:0", "vNIC:Synthetic:Gast 1:12:3"]
    routed = made.packets[2]
    assert routed.comment == (
        "wnv: pid=4 tid=208 cpu=0 vlan=3 port=5 nic_type=Synthetic nic=F00D--C0DE port_name=Gast%201 destinations=2 "
        "oob=4:30,8:e12b2124 to=1:External:/DEVICE/{1}:uplink to=6:Internal:host%3Dnic:主机%20⇄%2050%25"
    )
    assert routed.option(2) == struct.pack("<I", 2)
    assert [packet.option(2) for packet in made.packets[:2]] == [struct.pack("<I", 1)] * 2
    descriptions = {dict(each)[2]: dict(each).get(3) for each in made.interfaces}
    assert descriptions[b"eth:12:0"] == b"Ethernet 2"
    assert descriptions[b"eth:23:0"] == b"LWF over IfIndex 23"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_engine_reads_the_comment_back(trace: Callable[..., Made], runtime: str) -> None:
    ports = trace([w.switch_fragment(3, FRAME, HOST, [UPLINK, GUEST], vlan=3)])
    drop = trace([w.packet(20, 5, OTHER, id=170, drop=(12, 0xE0002004), direction=4)])
    read = module(runtime, "tool_comments")[b"read"]
    assert plain(read(ports.packets[0].option(1))) == {
        "pid": 4,
        "tid": 208,
        "cpu": 0,
        "vlan": 3,
        "port": 6,
        "nic": "host=nic",
        "nic_type": "Internal",
        "port_name": "主机 ⇄ 50%",
        "destinations": 2,
    }
    assert plain(read(drop.packets[0].option(1))) == {
        "pid": 4,
        "tid": 208,
        "cpu": 0,
        "component_id": 5,
        "edge": "1",
        "direction": "Tx",
        "drop": True,
        "drop_reason": 12,
        "drop_location": 0xE0002004,
    }


def test_a_flood_has_more_comments(trace: Callable[..., Made]) -> None:
    made = trace([w.switch_fragment(1, FRAME, GUEST, [(at, "p" * 40, "n" * 40, "Synthetic") for at in range(200)])])
    comments = [value.decode() for code, value in made.packets[0].options if code == 1]
    assert comments[0].startswith("wnv: ")
    assert all(each.startswith("wnv+ ") for each in comments[1:])
    assert sum(each.count(" to=") for each in comments) == 200
    assert max(len(each) for each in comments) <= 4096


def test_packets_in_parts_are_put_together(trace: Callable[..., Made]) -> None:
    start, end = 0x40000001, 0x80000001
    made = trace(
        [
            w.fragment(1, b"a" * 20, keywords=start),
            w.fragment(2, b"x" * 20, miniport=9, lower=9, keywords=start | end),
            w.fragment(3, b"b" * 20, keywords=end),
            w.fragment(4, b"c" * 20, keywords=start),
        ]
    )
    assert [packet.data for packet in made.packets] == [b"x" * 20, b"a" * 20 + b"b" * 20, b"c" * 20]


def test_radio_data_goes_to_the_next_packet(trace: Callable[..., Made]) -> None:
    context = struct.pack("<4sIIIHxxiB23x", b"", 1, 8, 5180, 1, -47, 13)
    radio = w.Record(w.NDISCAP, 1002, struct.pack("<III", 7, 7, len(context)) + context, time=1)
    protected = bytes([0x08, 0x41]) + ng.WIFI[2:] + ng.udp()
    keywords = w.WHOLE | w.WIFI | w.RECEIVED
    made = trace([radio, w.fragment(2, FRAME), w.fragment(3, protected, miniport=7, lower=7, keywords=keywords)])
    assert "radio=" not in made.packets[0].comment
    assert made.packets[1].comment.endswith(" radio=flags:1,phy:8,channel:5180,mpdus:1,rssi:-47,rate:13")
    assert made.packets[1].data[1] == 0x01  # what Windows has decrypted
    assert made.names[made.packets[1].interface] == "wifi:7"


# Other events.

GUEST_NAMES = ("F00D--C0DE", "Contoso-Gst")
SWITCH_NAMES = ("0B5A", "wireless")


def test_events_of_the_vmswitch_become_journal_entries(trace: Callable[..., Made]) -> None:
    made = trace(
        [
            *w.switch_descriptions(),
            w.switch_event(10, 56, *GUEST_NAMES, *SWITCH_NAMES),
            w.switch_event(20, 57, *GUEST_NAMES, "/DEVICE/{1}", "Team 1 (x)", *SWITCH_NAMES),
            w.switch_event(30, 55, *GUEST_NAMES, *SWITCH_NAMES, tail=struct.pack("<I", 9)),
        ]
    )
    assert [entry["MESSAGE"] for entry in made.journals] == [
        "NBL received from Nic F00D--C0DE (Friendly Name: Contoso-Gst) in switch 0B5A (Friendly Name: wireless)",
        "NBL routed from Nic F00D--C0DE (Friendly Name: Contoso-Gst) to Nic /DEVICE/{1} (Friendly Name: Team 1 (x)) on "
        "switch 0B5A (Friendly Name: wireless)",
        "NBL destined to Nic F00D--C0DE (Friendly Name: Contoso-Gst) was dropped in switch 0B5A (Friendly Name: "
        "wireless), Reason Filtered VLAN",
    ]
    assert {entry["_COMM"] for entry in made.journals} == {w.SWITCH_PROVIDER}
    assert made.journals[0]["__REALTIME_TIMESTAMP"] == str(w.START // 10 + 1)
    read = module("lua54", "event")[b"read"]
    said = [plain(read(w.SWITCH_PROVIDER.encode(), entry["MESSAGE"].encode())) for entry in made.journals]
    assert [each["event"] for each in said] == [1, 2, 4]
    assert said[2]["reason"] == 9
    # What is in the entry beside the text is what the engine decodes without any language.
    data = [bytes.fromhex(entry["ETW_DATA"]) for entry in made.journals]
    ids = [int(entry["ETW_EVENT"].split()[0]) for entry in made.journals]
    decoded = [plain(module("lua54", "event")[b"user_data"](*each)) for each in zip(ids, data, strict=True)]
    assert [each["nic"] for each in decoded] == ["Contoso-Gst"] * 3
    assert decoded[2]["reason"] == 9


def test_an_event_without_a_description_is_kept(trace: Callable[..., Made]) -> None:
    made = trace([w.Record(w.SWITCH, 4711, b"\1\2\n"), w.packet(1, 1, FRAME), w.Record(w.SWITCH, 0, b"")])
    assert made.journals[0]["MESSAGE"] == ""
    assert made.journals[0]["_COMM"] == f"{{{w.SWITCH}}}"
    assert made.journals[0]["ETW_DATA"] == "01020a"
    assert made.done.skipped == 1


def test_extended_data_is_no_data(trace: Callable[..., Made]) -> None:
    extended = struct.pack("<HHHH5s3x", 16, 1, 1, 5, b"first") + struct.pack("<HHHH8s", 16, 2, 0, 8, b"second")
    made = trace([w.Record(w.SWITCH, 1, b"data", extended=extended)])
    assert made.journals[0]["ETW_DATA"] == b"data".hex()


@pytest.mark.wireshark
def test_wireshark_reads_all_of_it(
    trace: Callable[..., Made], tmp_path: Path, tshark: Callable[..., list[list[str]]]
) -> None:
    made = trace(
        [
            *stack(),
            *w.switch_descriptions(),
            w.packet(1, 5, FRAME, group=7, id=170, drop=(12, 0xE0002004)),
            w.switch_event(10, 56, *GUEST_NAMES, *SWITCH_NAMES),
            w.switch_fragment(30, FRAME, GUEST, [UPLINK, HOST], vlan=3),
            w.packet(40, 5, ng.WIFI + ng.udp(), kind=2),
        ]
    )
    path = tmp_path / "all.pcapng"
    path.write_bytes(made.bytes)
    fields = ["frame.time_epoch", "frame.interface_name", "frame.packet_id", "frame.comment", "systemd_journal.message"]
    rows = tshark(path, [*fields, "_ws.malformed"])
    assert [row[0] for row in rows] == [f"1763900000.{at:07d}00" for at in (1, 10, 30, 40)]
    assert rows[1][4].startswith("NBL received from")
    assert rows[2][3].startswith("wnv: ")
    # Events are frames, but no packets.
    assert "Number of packets:   3" in run_wireshark(["capinfos", "-c", "-M", path])


def test_a_trace_without_packets(trace: Callable[..., Made]) -> None:
    with pytest.raises(CaptureError, match="holds no packets and no events"):
        trace(stack())
    assert trace([w.Record(w.SWITCH, 1, b"")]).warnings[0].endswith("holds events, but no packets")
