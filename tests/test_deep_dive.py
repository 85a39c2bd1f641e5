"""WNV Deep Dive part 4: each example comes out as the article tells it, whatever tool wrote the capture."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import deep_dive
import pytest
from conftest import run_wireshark
from deep_dive import FOLDER
from modules import RUNTIMES, module, plain
from pcapng_blocks import INTERFACE, JOURNAL, PACKET, blocks

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.capture import pcapng
from pywnv.host.loading import load
from pywnv.tables import fields

ARTICLE = Path(__file__).parents[2] / "shared" / "reference" / "wnv-deep-dive-part-4.txt"
BUILT = dict(deep_dive.captures())
ENGINES = [Engine.LUPA, pytest.param(Engine.TSHARK, marks=pytest.mark.wireshark)]
TOPOLOGIES = {"lbfo-psping": FOLDER / "lbfo-psping.toml"}
CONTOSO = FOLDER / "contoso01.toml"
WITH_EVENTS = ["etl2pcapng", "etwdump"]

VLAN_ADVICE, ACL_ADVICE = "Get-VMNetworkAdapterVlan", "Get-VMNetworkAdapterAcl"
MULTIPLEXOR = deep_dive.MULTIPLEXOR_NAME

Row = dict[str, object]
Tshark = Callable[..., list[list[str]]]


def capture(name: str) -> Path:
    return FOLDER / f"{name}.pcapng"


def topology_of(name: str) -> Path:
    return TOPOLOGIES.get(name[: len("lbfo-psping")], CONTOSO)


@cache
def annotated(name: str, engine: Engine, topology: Path | None = None) -> list[Row]:
    options = {"topology": load(topology)} if topology else {}
    found = b"".join(rows(capture(name), engine=engine, output_format=Format.JSONL, **options))
    return [json.loads(line) for line in found.splitlines()]


def some(found: list[Row], *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[column] for column in columns) for row in found]


def packet(found: list[Row], number: int) -> list[Row]:
    return [row for row in found if row["packet"] == number and row["verdict"] != "event"]


def events(found: list[Row]) -> list[Row]:
    return [row for row in found if row["verdict"] == "event"]


# The captures themselves.


def test_what_is_committed_is_what_is_built() -> None:
    committed = {path.stem: path.read_bytes() for path in FOLDER.glob("*.pcapng")}
    assert committed.keys() == BUILT.keys()
    assert [name for name in BUILT if BUILT[name] != committed[name]] == []


@pytest.mark.skipif(not ARTICLE.exists(), reason="needs ../shared")
def test_the_words_are_the_article_s() -> None:
    article = ARTICLE.read_text("utf-8")
    for text in (*deep_dive.BING_TEXTS, *deep_dive.ARIN_TEXTS, deep_dive.VLAN_TEXT, deep_dive.ACL_TEXT):
        assert text in article


@pytest.mark.wireshark
@pytest.mark.parametrize("name", BUILT)
def test_wireshark_opens_it(name: str) -> None:
    wrong = "_ws.malformed || _ws.unreassembled || data.data && !icmp"
    assert run_wireshark(["tshark", "-n", "-r", capture(name), "-Y", wrong]) == ""
    frames = run_wireshark(["tshark", "-n", "-r", capture(name), "-T", "fields", "-e", "frame.number"]).split()
    assert len(frames) == sum(block.kind in (PACKET, JOURNAL) for block in blocks(BUILT[name]))


@pytest.mark.wireshark
def test_wireshark_shows_what_the_tools_wrote(tshark: Tshark) -> None:
    shown = ["frame.interface_name", "frame.comment", "systemd_journal.message"]
    found = tshark(capture("bing-etl2pcapng"), shown, "-c", "3")
    host = f"VlanId=0 SrcPortId=2 SrcNicType=Internal SrcNicName={deep_dive.HOST_NIC} SrcPortName=wireless"
    assert found == [
        ["eth:21:0", "PID=6204 TID=5120", ""],
        ["", "", deep_dive.BING_TEXTS[0]],
        ["vNIC:Internal:wireless:24:0", f"PID=6204 TID=5120 {host} DstNicCount=1 HashValue=00000000", ""],
    ]
    shown = ["frame.interface_description", "frame.packet_id", "frame.verdict.ebpf_xdp"]
    dropped = tshark(capture("vlan-drop-pktmon"), shown, "-c", "3")[2]
    assert dropped == ["wireless", str(1 << 48 | 1), "1"]
    assert tshark(capture("acl-drop-etwdump"), ["etw.provider_name", "etw.message", "etw.descriptor.id"], "-c", "5")[
        4
    ] == [
        "Microsoft-Windows-Hyper-V-VmSwitch",
        deep_dive.ACL_TEXT,
        "55",
    ]


# What the engine's modules make of each part, one by one.


def bodies(name: str, kind: int) -> Iterator[bytes]:
    return (block.data[8:-4] for block in blocks(BUILT[name]) if block.kind == kind)


def interface_texts(name: str) -> Iterator[tuple[str, str]]:
    for body in bodies(name, INTERFACE):
        found = dict(pcapng.options(body[8:], "<"))
        yield found.get(2, b"").decode(), found.get(3, b"").decode()


def comments(name: str) -> Iterator[str]:
    for body in bodies(name, PACKET):
        (captured,) = struct.unpack_from("<I", body, 12)
        found = dict(pcapng.options(body[20 + (captured + 3 & ~3) :], "<"))
        if 1 in found:
            yield found[1].decode()


HOPS = {
    ("eth:5:0", ""): "Ethernet (ifIndex 5)",
    ("eth:8:0", ""): "Ethernet (ifIndex 8)",
    ("eth:12:0", ""): "Ethernet (ifIndex 12)",
    ("eth:17:0", ""): "Ethernet (ifIndex 17)",
    ("eth:20:0", ""): "Ethernet (ifIndex 20)",
    ("eth:21:0", ""): "Ethernet (ifIndex 21)",
    ("wifi:5", ""): "pNIC Wi-Fi (ifIndex 5)",
    ("vNIC:Internal:wireless:24:0", ""): "host vNIC wireless",
    ("vNIC:Synthetic:Contoso-Gst:24:0", ""): "vmNIC Contoso-Gst",
    ("vNIC:Synthetic:Contoso-Gst:24:20", " VlanID=20 "): "vmNIC Contoso-Gst",
    ("vNIC:External:wireless uplink:24:0", ""): "vSwitch wireless uplink",
    ("vNIC:External:docked uplink:26:0", ""): "vSwitch docked uplink",
    ("wireless:Internal:2:0", ""): "host vNIC wireless",
    ("Contoso-Gst:Synthetic:4:0", ""): "vmNIC Contoso-Gst",
    ("Contoso-Gst:Synthetic:4:20", " VlanID=20 "): "vmNIC Contoso-Gst",
    ("wireless uplink:External:1:0", ""): "vSwitch wireless uplink",
    ("docked uplink:External:1:0", ""): "vSwitch docked uplink",
    ("e1r68x64.sys", "Intel(R) I350 Gigabit Network Connection #2"): "Intel(R) I350 Gigabit Network Connection #2",
    ("NdisImPlatform.sys", MULTIPLEXOR): f"tNIC {MULTIPLEXOR}",
    ("rtux64w10.sys", deep_dive.DOCK_NAME): deep_dive.DOCK_NAME,
    ("vmswitch.sys", "Hyper-V Virtual Switch Extension Filter"): "filter vmswitch.sys",
    ("vmswitch.sys", deep_dive.GUEST_NIC): deep_dive.GUEST_NIC,
    ("vmswitch.sys", "wireless"): "wireless",
}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_names_of_interfaces(runtime: str) -> None:
    new = module(runtime, "hop")[b"new"]
    found = {texts for name in BUILT for texts in interface_texts(name)} - {("", "")}
    assert found == HOPS.keys()
    for texts, hop in HOPS.items():
        name, description = (text.encode() or None for text in texts)
        assert plain(new(b"ethernet", 0, name, description))["name"] == hop


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", BUILT)
def test_comments(runtime: str, name: str) -> None:
    read = module(runtime, "tool_comments")[b"read"]
    notes = [plain(read(comment.encode())) for comment in comments(name)]
    frames = 0 if "pktmon" in name or "etl2pcap" in name.split("-") else sum(1 for _ in bodies(name, PACKET))
    assert len(notes) == frames - BUILT[name].count(deep_dive.tools.SWITCH_GUID)
    assert all(notes)
    if name == "vlan-drop-pspkt":
        drops = [(note["drop_reason"], note["drop_location"]) for note in notes if "drop" in note]
        assert drops == [(34, 0xE000201E)] * 2 + [(9, 0xE0002016)] * 2
    if name == "vlan-drop-etl2pcapng":
        assert {(note["vlan"], note["port"], note["nic_type"], note["port_name"]) for note in notes} == {
            (20, 4, "Synthetic", "Contoso-Gst")
        }


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", [name for name in BUILT if "-etl2pcapng" in name])
def test_messages(runtime: str, name: str) -> None:
    event = module(runtime, "event")
    for body in bodies(name, JOURNAL):
        entry = event[b"journal"](body)
        said = plain(event[b"read"](entry[b"_COMM"], entry[b"MESSAGE"]))
        assert said["nic"] in ("wireless", "Network Adapter", MULTIPLEXOR, deep_dive.DOCK_NAME)
        assert said["switch"] == ("docked" if "acl" in name else "wireless")
        assert ("destination_nic" in said) == (fields.EVENTS[said["event"]] == "routed")


# The rows.


@pytest.mark.wireshark
@pytest.mark.parametrize("topology", [False, True], ids=["alone", "topology"])
@pytest.mark.parametrize("name", BUILT)
def test_both_engines_say_the_same(name: str, topology: bool) -> None:
    file = topology_of(name) if topology else None
    assert annotated(name, Engine.LUPA, file) == annotated(name, Engine.TSHARK, file)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", ["etl2pcapng", "etwdump", "pktmon", "etl2pcap"])
def test_lbfo_shows_two_of_every_packet(engine: Engine, layout: str) -> None:
    found = annotated(f"lbfo-psping-{layout}", engine)
    assert len(found) == 62
    assert some(found, "appearance", "duplicate") == [(1, False), (2, True)] * 31
    assert all(row["packet"] == first["packet"] for first, row in zip(found[::2], found[1::2], strict=True))
    again = [row["frame"] for row in found if row["verdict"] == "retransmission"]
    assert again == [39]  # the SYN that was lost on the wire


@pytest.mark.wireshark
@pytest.mark.parametrize("layout", ["etl2pcapng", "etwdump", "pktmon", "etl2pcap"])
def test_lbfo_raises_no_false_alarm(tshark: Tshark, layout: str) -> None:
    path = capture(f"lbfo-psping-{layout}")
    assert len(tshark(path, ["frame.number"], "-Y", "tcp.analysis.flags")) == 27
    assert tshark(path, ["frame.number", "tcp.flags.str"], "-Y", "tcp.analysis.flags && !wnv.duplicate") == [
        ["39", "··········S·"]
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", ["etl2pcapng", "etwdump", "pktmon"])
def test_lbfo_by_the_names_of_its_topology(engine: Engine, layout: str) -> None:
    found = annotated(f"lbfo-psping-{layout}", engine, TOPOLOGIES["lbfo-psping"])
    team, member = ("tNIC Team1", "tNIC"), ("pNIC Ethernet 2", "pNIC")
    sent, received = [team, member], [member, team]
    assert some(found[:12], "hop", "hop_role") == sent + received + sent + sent + received + received
    assert [row["path"] for row in found[1:4:2]] == ["tNIC Team1 > pNIC Ethernet 2", "pNIC Ethernet 2 > tNIC Team1"]
    if layout != "pktmon":  # where etl2pcapng says of every packet that it came in
        assert some(found[:4], "direction") == [("outbound",)] * 2 + [("inbound",)] * 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", WITH_EVENTS)
def test_bing(engine: Engine, layout: str) -> None:
    """The host's ping: four sightings, and what the vmSwitch did between them."""
    found = annotated(f"bing-{layout}", engine, CONTOSO)
    request = packet(found, 1)
    way = ["host vNIC vEthernet (wireless)", "host vNIC wireless", "tNIC Network Bridge", "pNIC Wi-Fi"]
    assert some(request, "frame", "appearance", "hop", "rewritten") == [
        (frame, number, hop, "mac" if number == 4 else None)
        for frame, number, hop in zip((1, 3, 5, 7), (1, 2, 3, 4), way, strict=True)
    ]
    assert request[-1]["path"] == " > ".join(way)
    assert request[-1]["hop_elapsed"] == 0.000054
    assert request[-1]["direction"] == "outbound"
    columns = ("frame", "event", "event_nic", "event_destination_nic", "event_switch", "event_near", "drop")
    assert some(events(found)[:3], *columns) == [
        (2, "received", "wireless", None, "wireless", 1, None),
        (4, "routed", "wireless", MULTIPLEXOR, "wireless", 3, None),
        (6, "delivered", MULTIPLEXOR, None, "wireless", 5, None),
    ]
    assert len(events(found)) == 24
    answer = packet(found, 8)
    assert some(answer, "frame", "rewritten") == [(8, None), (9, "mac"), (11, None), (14, None)]
    assert answer[-1]["direction"] == "inbound"
    assert len({row["packet"] for row in found if row["verdict"] != "event"}) == 8


@pytest.mark.parametrize("engine", ENGINES)
def test_bing_over_the_air(engine: Engine) -> None:
    """The Wi-Fi NIC may show 802.11 frames: another link header, still the same packet."""
    request = packet(annotated("bing-wifi", engine), 1)
    assert some(request, "hop_role", "rewritten")[-1] == ("pNIC", "link")
    assert request[-1]["hop"] == "pNIC Wi-Fi (ifIndex 5)"
    assert request[-1]["hop_elapsed"] == 0.000054


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("layout", "elapsed"),
    [
        ("100ns", 0.0000355),
        # These tools write whole microseconds: 35.5 cannot be seen.
        ("etl2pcapng", 0.000035),
        ("etwdump", 0.000035),
    ],
)
def test_arin(engine: Engine, layout: str, elapsed: float) -> None:
    """The guest's ping takes the shorter way."""
    found = annotated(f"arin-{layout}", engine, CONTOSO)
    request = packet(found, 1)
    way = ["vmNIC Contoso-Gst", "tNIC Network Bridge", "pNIC Wi-Fi"]
    assert [row["hop"] for row in request] == way
    assert request[-1]["path"] == " > ".join(way)
    assert request[-1]["hop_elapsed"] == elapsed
    assert request[-1]["rewritten"] == "mac"
    assert some(events(found)[:2], "frame", "event", "event_nic", "event_destination_nic", "event_switch") == [
        (2, "routed", "Network Adapter", MULTIPLEXOR, "wireless"),
        (4, "delivered", MULTIPLEXOR, None, "wireless"),
    ]
    assert len({row["packet"] for row in found if row["verdict"] != "event"}) == 8


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", WITH_EVENTS)
@pytest.mark.parametrize(
    ("name", "nic", "switch", "reason", "text", "advice", "count"),
    [
        ("vlan-drop", "wireless", "wireless", 34, "Packet does not match", VLAN_ADVICE, 4),
        ("acl-drop", "Network Adapter", "docked", 12, "Failed security policy", ACL_ADVICE, 3),
    ],
)
def test_dropped_by_the_switch(
    engine: Engine, layout: str, name: str, nic: str, switch: str, reason: int, text: str, advice: str, count: int
) -> None:
    drops = [row for row in annotated(f"{name}-{layout}", engine) if row["drop"]]
    assert len(drops) == count
    for row in drops:
        assert (row["verdict"], row["event"]) == ("event", "dropped")
        assert (row["event_nic"], row["event_switch"], row["drop_reason"]) == (nic, switch, reason)
        assert str(row["drop_reason_text"]).lower().startswith(text.lower())
        assert advice in str(row["drop_advice"])


@pytest.mark.parametrize("engine", ENGINES)
def test_dropped_as_pspkt_says(engine: Engine) -> None:
    found = annotated("vlan-drop-pspkt", engine, CONTOSO)
    drops = [row for row in found if row["drop"]]
    assert some(drops, "frame", "drop_reason", "drop_location", "verdict") == [
        (3, 34, 0xE000201E, "duplicate"),
        (6, 34, 0xE000201E, "duplicate"),
        (9, 9, 0xE0002016, "duplicate"),
        (12, 9, 0xE0002016, "duplicate"),
    ]
    assert {row["drop_reason_text"] for row in drops[2:]} == {"Filtered VLAN"}
    assert all(VLAN_ADVICE in str(row["drop_advice"]) for row in drops)
    assert drops[0]["path"] == (
        "vmNIC Contoso-Gst Ingress > filter Hyper-V Virtual Switch Extension Filter on wireless Ingress > "
        "host vNIC vEthernet (wireless) Egress"
    )
    drops = [row for row in annotated("acl-drop-pspkt", engine, CONTOSO) if row["drop"]]
    assert some(drops, "frame", "hop", "drop_reason") == [
        (frame, "vmNIC Contoso-Gst Egress", 12) for frame in (2, 4, 6)
    ]
    assert all(ACL_ADVICE in str(row["drop_advice"]) for row in drops)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "frames"), [("vlan-drop", [3, 6, 9, 12]), ("acl-drop", [2, 4, 6])])
def test_dropped_as_etl2pcapng_marks_it(engine: Engine, name: str, frames: list[int]) -> None:
    """Of a pktmon trace it writes that a packet was dropped, and not why."""
    found = annotated(f"{name}-pktmon", engine)
    drops = [row for row in found if row["drop"]]
    assert [row["frame"] for row in drops] == frames
    assert {row["evidence"] for row in found if row["duplicate"]} == {"packet-id"}
    assert some(drops, "drop_reason", "drop_reason_text") == [(None, None)] * len(frames)


@pytest.mark.wireshark
@pytest.mark.parametrize("name", ["bing", "arin", "vlan-drop", "acl-drop"])
@pytest.mark.parametrize("layout", WITH_EVENTS)
def test_the_packet_list_reads_as_message_analyzer_s(config: Path, name: str, layout: str) -> None:
    text = run_wireshark(["tshark", "-n", "-r", capture(f"{name}-{layout}")], config)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    messages = {
        "bing": deep_dive.BING_TEXTS,
        "arin": deep_dive.ARIN_TEXTS,
        "vlan-drop": [deep_dive.VLAN_TEXT],
        "acl-drop": [deep_dive.ACL_TEXT],
    }
    for message in messages[name]:
        shown = [line for line in lines if line.endswith(message)]
        assert len(shown) == 1
        assert " Microsoft_Windows_Hyper_V_VmSwitch " in shown[0]
