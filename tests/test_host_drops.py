"""Which VLAN setting or ACL explains a drop: the article's two, all cases of the table, and what none explains."""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path
from typing import Any

import deep_dive
import host_rules
import pytest
import windows_events as made
from command import run
from conftest import run_wireshark
from deep_dive import DOCKED, DROPPED, GUEST_TEXT, HOST_TEXT, RECEIVED, ROUTED, WIRELESS
from engine import ARP, RUNTIMES, arp, ethernet
from hard_traffic import ip4, ip6
from host_rules import CASES, FOLDER, HOST, NICS, TABLE
from modules import HOSTILE, module, plain
from pcapng_blocks import interface, section
from rows_of import annotated
from windows_tools import Event, Frame, Record

from pywnv.annotate import sinks
from pywnv.annotate.rows import Engine, Format, rows
from pywnv.annotate.walker import Epoch, annotate
from pywnv.capture.source import open_to_join
from pywnv.generate.engine import OF_HOST
from pywnv.generate.plugin import plugin_lua
from pywnv.host import names
from pywnv.host.loading import load

ENGINES = [Engine.LUPA, pytest.param(Engine.TSHARK, marks=pytest.mark.wireshark)]
CONTOSO = FOLDER / "contoso01.json"
VLAN_RULE = "VLAN of host vNIC wireless: Untagged drops packets of VLAN 20"
AS_SENT = f"{VLAN_RULE} (as vmNIC Contoso-Gst sends them)"
ACL_RULE = "port ACL of vmNIC Contoso-Gst: Deny Inbound 192.168.7.99 (longest prefix of 3 that match)"
BEFORE = "; by the packet just before the event"
NOTHING = "no VLAN setting or ACL of this inventory explains it; what else may: "
SPARE = (
    "Nic 0F9E3C57-8A21-4D6B-9B3A-5C7D1E2F3A4B--5D4C3B2A-1F0E-4A9B-8C7D-6E5F4A3B2C1D (Friendly Name: Network Adapter)"
)


def told(found: list[dict[str, Any]]) -> list[str | None]:
    return [row["drop_rule"] for row in found if row["drop"]]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("vlan-drop-etl2pcapng", VLAN_RULE + BEFORE),
        ("vlan-drop-etwdump", VLAN_RULE + BEFORE),
        ("vlan-drop-pktmon", AS_SENT),
        ("vlan-drop-pspkt", AS_SENT),
        ("acl-drop-etl2pcapng", ACL_RULE + BEFORE),
        ("acl-drop-etwdump", ACL_RULE + BEFORE),
        ("acl-drop-pktmon", ACL_RULE),
        ("acl-drop-pspkt", ACL_RULE),
    ],
)
def test_the_drops_of_the_article(name: str, rule: str, engine: Engine) -> None:
    path = deep_dive.FOLDER / f"{name}.pcapng"
    found = annotated(path, engine, load(CONTOSO))
    assert told(found) == [rule] * (4 if "vlan" in name else 3)
    assert all(row["drop_rule"] is None for row in found if not row["drop"])
    assert told(annotated(path, topology=load(deep_dive.FOLDER / "contoso01.toml"))) == [None] * len(told(found))


@pytest.mark.parametrize(("identity", "rule"), [(None, ACL_RULE), ("Microsoft:x\\y", ACL_RULE), (SPARE, None)])
def test_a_port_with_guids_that_the_inventory_does_not_have(
    tmp_path: Path, identity: str | None, rule: str | None
) -> None:
    """The MAC tells the NIC, unless it is known to be another one."""
    made_of = json.loads(CONTOSO.read_text("utf-8"))
    for row in made_of["Get-VMNetworkAdapter"]:
        row["Id"] = identity if row["VMName"] == "Contoso-Gst" else row["Id"]
        row.pop("DeviceId", None)
    for cmdlet in ("Acl", "ExtendedAcl", "Vlan", "Isolation"):
        for row in made_of.get(f"Get-VMNetworkAdapter{cmdlet}", ()):
            row.pop("VMNetworkAdapterId", None)
    path = tmp_path / "host.json"
    path.write_text(json.dumps(made_of), "utf-8")
    found = annotated(deep_dive.FOLDER / "acl-drop-pktmon.pcapng", topology=load(path))
    assert told(found) == [rule] * 3


def test_in_csv_and_in_a_comment(tmp_path: Path) -> None:
    capture = deep_dive.FOLDER / "acl-drop-pspkt.pcapng"
    done = run("annotate", capture, "--topology", CONTOSO)
    assert [row["drop_rule"] for row in csv.DictReader(done.stdout.decode().splitlines())] == ["", ACL_RULE] * 3
    out = tmp_path / "out.pcapng"
    assert run("annotate", capture, "--topology", CONTOSO, "--format", "pcapng", "-o", out).returncode == 0
    assert f'drop_rule="{ACL_RULE}"'.encode() in out.read_bytes()


@pytest.mark.wireshark
def test_in_wireshark(tmp_path: Path) -> None:
    assert run("generate", "--topology", CONTOSO, "--folder", tmp_path).returncode == 0
    plugin = tmp_path / "lua" / "wnv_contoso01.lua"
    capture = deep_dive.FOLDER / "acl-drop-etl2pcapng.pcapng"
    shown = ["tshark", "-n", "-r", capture, "-X", f"lua_script:{plugin}", "-Y", 'wnv.drop.rule contains "Deny"']
    assert run_wireshark([*shown, "-T", "fields", "-e", "wnv.drop.rule"]) == f"{ACL_RULE}{BEFORE}\n" * 3
    assert f"Drop rule: {ACL_RULE}" in run_wireshark([*shown, "-O", "wnv"])


@pytest.mark.parametrize("name", ["acl-drop-etl2pcapng", "vlan-drop-etl2pcapng", "vlan-drop-pspkt"])
def test_in_epochs(name: str) -> None:
    path = deep_dive.FOLDER / f"{name}.pcapng"
    with open_to_join(path) as capture:
        given = {"sink": sinks.jsonl, "window": None, "topology": load(CONTOSO), "epoch": Epoch(8, 4)}
        pieces = b"".join(annotate([capture], progress=lambda _: None, warn=lambda _: None, **given))
    assert told([json.loads(line) for line in pieces.splitlines()]) == told(annotated(path, topology=load(CONTOSO)))


# Every case of the table, dropped in a capture: as `pywnv convert` writes it, the VLAN in the note or as a tag.

KINDS = {"!vlan": "VLAN", "!port-acl": "port ACL", "!extended-acl": "extended ACL"}
ELSEWHERE = "020000ffff01"


def transport(case: dict[str, Any]) -> bytes:
    ports = struct.pack(">HH", *case.get("ports", (0, 0)))
    if case.get("protocol") == 6:
        return ports + struct.pack(">IIBBHHH", 1, 1, 0x50, 0x02 if case.get("begins") else 0x10, 8192, 0, 0)
    return ports + bytes(12)


def frame_of(number: int, case: dict[str, Any]) -> bytes:
    source, destination = case.get("ips", ("10.0.0.9", "10.0.0.5"))
    if "ips" not in case and "macs" in case:
        return ethernet(arp(), ARP, **dict(zip(("src", "dst"), map(bytes.fromhex, case["macs"]), strict=True)))
    ends = [host_rules.ipaddress.ip_address(text).packed for text in (source, destination)]
    protocol = case.get("protocol", 253)
    if len(ends[0]) == 4:
        l3 = ip4(*ends, protocol, transport(case), ident=number + 1)
    else:
        l3 = ip6(*ends, protocol, transport(case), hops=9)
    mine, other = NICS[case["nic"]].mac, ELSEWHERE
    macs = case.get("macs") or ((other, mine) if case["way"] == "inbound" else (mine, other))
    tagged = case.get("vlan") == 0 or (number % 2 and case.get("vlan") is not None)
    tags = ((0x8100, case["vlan"]),) if tagged else ()
    src, dst = map(bytes.fromhex, macs)
    return ethernet(l3, src=src, dst=dst, tags=tags)


def dropped(cases: list[dict[str, Any]]) -> bytes:
    numbers = {name: number for number, name in enumerate(NICS)}
    capture = section()
    for name, number in numbers.items():
        capture += interface(f"{name} [vmNIC, vmswitch.sys, component {number}, edge 1]")
    for number, case in enumerate(cases):
        at = numbers[case["nic"]]
        way = "Egress" if case["way"] == "inbound" else "Ingress"
        reason = 34 if case in TABLE["cases"]["vlan"] or case["by"] == "!vlan" else 12
        note = f"wnv: component={at} direction={way} vlan={case.get('vlan') or 0} drop={reason} location=0xe0002016"
        capture += made.packet(at, number * 1000, frame_of(number, case), made.comment(note))
    return capture


def expected(case: dict[str, Any]) -> str:
    packet = host_rules.packet(case)
    own = host_rules.extended_acls(NICS[case["nic"]], packet, case["way"])
    if case["by"].startswith("!"):
        return case.get("rule", f"{KINDS[case['by']]} of vmNIC {case['nic']}: ")
    if own and own[0].action == "deny":
        return "(stateful) let through it would pass"
    return NOTHING


@pytest.mark.parametrize("engine", ENGINES)
def test_every_case_as_a_drop(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "cases.pcapng"
    path.write_bytes(dropped(CASES))
    found = told(annotated(path, engine, names.topology(HOST)))
    wrong = [
        (case, rule)
        for case, rule in zip(CASES, found, strict=True)
        if expected(case) not in (rule or "") or (rule or "").count("explains it") != (expected(case) == NOTHING)
    ]
    assert wrong == []


# What an event proves, and what it leaves open.


def events(*records: Record) -> bytes:
    return deep_dive.tools.etl2pcapng(list(records))


def seen(at: int, data: bytes, place: deep_dive.tools.Place = deep_dive.DOCK_UPLINK) -> Frame:
    return Frame(deep_dive.START + at, place, data, sent=False, destinations=1)


def said(at: int, text: str, number: int = DROPPED) -> Event:
    return Event(deep_dive.START + at, number, text)


def syn(source: str, *, to: bytes = deep_dive.GUEST_MAC, ident: int = 1) -> bytes:
    data = ip4(
        deep_dive.ip(source), deep_dive.GUEST, 6, transport({"ports": (52119, 3389), "protocol": 6}), ident=ident
    )
    return ethernet(data, src=deep_dive.SERVER_MAC, dst=to)


def rules_of(tmp_path: Path, capture: bytes) -> list[str | None]:
    path = tmp_path / "made.pcapng"
    path.write_bytes(capture)
    return told(annotated(path, topology=load(CONTOSO)))


DENIED = f"destined to {GUEST_TEXT} was dropped in {DOCKED}, Reason Failed Security Policy"


def test_an_event_that_is_proved(tmp_path: Path) -> None:
    port, nic = deep_dive.DOCK_UPLINK, deep_dive.DOCK_TEXT
    capture = events(
        said(0, f"NBL 0xA1 received from {nic} in {DOCKED}", RECEIVED),
        seen(10, syn("192.168.7.99"), port),
        said(20, f"NBL 0xA1 routed from {nic} to {GUEST_TEXT} on {DOCKED}", ROUTED),
        seen(25, syn("192.168.7.99"), port),
        seen(30, syn("198.51.100.1", to=deep_dive.DOCK_MAC, ident=9), deep_dive.Place(8)),
        said(40, f"NBL 0xA1 {DENIED}"),
        said(50, f"NBL 0xB1 {DENIED}"),
    )
    assert rules_of(tmp_path, capture) == [ACL_RULE, None]  # of the second, the packet before is another NIC's


@pytest.mark.parametrize(
    ("packet", "text", "rule"),
    [
        (syn("192.168.7.98"), f"NBL {DENIED}", f"{NOTHING}the extension Contoso Packet Inspector, DHCP guard, an"),
        (syn("192.168.7.99", to=deep_dive.DOCK_MAC), f"NBL {DENIED}", None),
        (None, f"NBL {DENIED}", None),
        (None, f"NBL destined to {SPARE} was dropped in {WIRELESS}, Reason Failed Security Policy", NOTHING),
        (
            None,
            f"NBL destined to {SPARE} was dropped in {WIRELESS}, Reason Filtered VLAN",
            "VLAN of vmNIC Spare: Untagged; the capture does not show the VLAN of the packet",
        ),
        (syn("192.168.7.99"), f"NBL {DENIED}".replace("Failed Security Policy", "Storm limit exceeded"), None),
        (syn("192.168.7.99"), f"NBL {DENIED}".replace("Failed Security Policy", "QoS drop"), None),
        (
            syn("192.168.7.99"),
            f"NBL from {GUEST_TEXT} was filtered by extension Contoso Packet Inspector in {DOCKED}",
            None,
        ),
        # Two NICs are called that, and nothing tells which.
        (
            syn("192.168.7.99", to=deep_dive.DOCK_MAC),
            "NBL destined to Nic (Friendly Name: Network Adapter) was dropped in switch (Friendly Name: wireless), "
            "Reason Failed Security Policy",
            None,
        ),
        # A GUID that the inventory has not is no NIC of it, whatever its name.
        (
            syn("192.168.7.99"),
            f"NBL {DENIED}".replace(deep_dive.GUEST_NIC, "00000000-0000-0000-0000-000000000000"),
            None,
        ),
        (syn("192.168.7.99"), f"NBL destined to {HOST_TEXT} was dropped in {WIRELESS}, Reason Filtered", None),
    ],
)
def test_an_event(tmp_path: Path, packet: bytes | None, text: str, rule: str | None) -> None:
    records: list[Record] = [said(500, text)]
    if packet:
        records.insert(0, seen(100, packet))
    (found,) = rules_of(tmp_path, events(*records))
    assert (found is None) == (rule is None)
    assert found is None or found.startswith(rule or "")


def test_in_the_switch(tmp_path: Path) -> None:
    """A drop of the switch itself is looked up at the NICs of sender and receiver; ARP and broken packets too."""
    name = "Hyper-V Virtual Switch Extension Adapter [vSwitch, vmswitch.sys, component 3, edge 1]"
    guest, spare = deep_dive.GUEST_MAC, bytes.fromhex("00155d280a09")
    frames = [
        (syn("192.168.7.99"), 12),
        (ethernet(arp(), ARP, src=guest, dst=b"\xff" * 6), 12),
        (ethernet(b"\x45" + bytes(5), 0x0800, src=guest, dst=spare), 9),
        (ethernet(arp(), ARP, src=deep_dive.SERVER_MAC, dst=deep_dive.DOCK_MAC), 12),
        (guest + spare, 12),
        (syn("192.168.7.99"), 26),
    ]
    capture = section() + interface(name)
    for number, (data, reason) in enumerate(frames):
        note = f"wnv: component=3 drop={reason} location=0xe0002016"
        capture += made.packet(0, number * 1000, data, made.comment(note))
    found = rules_of(tmp_path, capture)
    assert found[0] == ACL_RULE
    assert str(found[1]).startswith(NOTHING)
    assert found[2] == "VLAN of vmNIC Spare: Untagged drops packets of VLAN 20 (as vmNIC Contoso-Gst sends them)"
    assert found[3:] == [None, None, None]


def test_isolation(tmp_path: Path) -> None:
    """A NIC whose isolation lets no untagged packets pass, and a drop that says so."""
    topology = load(CONTOSO)
    nics = [nic.model_copy(update={"isolation": "vlan", "allows_untagged": False}) for nic in topology.host.nics]
    topology = topology.model_copy(update={"host": topology.host.model_copy(update={"nics": nics})})
    path = tmp_path / "made.pcapng"
    records = seen(100, syn("192.168.7.98")), said(150, f"NBL {DENIED.partition(', Reason ')[0]}, Reason 36")
    path.write_bytes(events(*records))
    assert told(annotated(path, topology=topology)) == [
        f"isolation of vmNIC Contoso-Gst (vlan) lets no untagged packets pass{BEFORE}"
    ]


# VFP names its own rule.

RULE_ID = "{C761F2A3-729E-4AF4-B74F-CEA59EF8F7D9}_LOCAL"
VFP_TEXT = (
    f"Block rule with ID {RULE_ID} processed inbound packets on port 2 (Name = A8D1AA24-7D81-4553-80BE-7D76F5887F4E, "
    "FriendlyName = wsl) with status = Unknown NTSTATUS Error code: 0x10003 and statusLocation = 0: flow id {src ip = "
    "8.8.8.8, dst ip = 10.2.0.2, protocol = 1, icmp type = V4EchoReply }, rule {layer = MPSSVC_VFP_LAYER_FW, group = "
    f"MPSSVC_VFP_GROUP_IPV4_IN, rule id = {RULE_ID}, gftFlags = 0}}"
)
VFP_RULE = f"VFP: block rule {RULE_ID} (group MPSSVC_VFP_GROUP_IPV4_IN, layer MPSSVC_VFP_LAYER_FW, inbound at port 2)"
VFP_PROVIDER = b"Microsoft-Windows-Hyper-V-VfpExt"
VFP_GUID = struct.pack("<IHH8s", 0x9F2660EA, 0xCFE7, 0x428F, bytes.fromhex("9850aeca612619b0"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_drop_of_vfp(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "vfp.pcapng"
    capture = section() + interface() + interface(linktype=290) + made.packet(0, 0, made.ping(1))
    capture += made.journal(100, VFP_TEXT, VFP_PROVIDER) + made.journal(150, VFP_TEXT, b"another")
    capture += made.packet(1, 200, made.etw_record(VFP_TEXT, guid=VFP_GUID))
    capture += made.journal(300, "Allow rule with ID 1", VFP_PROVIDER)
    path.write_bytes(capture)
    found = [json.loads(line) for line in b"".join(rows(path, engine=engine, output_format=Format.JSONL)).splitlines()]
    assert told(found) == [VFP_RULE, VFP_RULE]
    assert {(row["event"], row["event_nic"]) for row in found if row["drop"]} == {("dropped", "wsl")}
    assert [row["frame"] for row in found if row["drop"]] == [2, 4]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("odd", HOSTILE)
def test_hostile_texts_of_vfp(odd: bytes, runtime: str) -> None:
    read = module(runtime, "vfp")[b"read"]
    for part in (b"MPSSVC_VFP_LAYER_FW", b"wsl", b"port 2", RULE_ID.encode(), b"rule {", b"with status"):
        plain(read(VFP_TEXT.encode().replace(part, odd)))
    assert module(runtime, "vfp")[b"is_vfp"](odd) is False


# The host itself may be hostile, and costs nothing where it is not known.


def test_hostile_names(tmp_path: Path) -> None:
    odd = made.ODD
    nic = HOST.nics[0].model_copy(update={"vm": odd, "name": odd, "title": odd, "mac": "00155d280a04", "switch": odd})
    path = tmp_path / "made.pcapng"
    note = "wnv: component=3 vlan=20 drop=34 location=0xe0002016"
    path.write_bytes(section() + interface(odd) + made.packet(0, 0, syn("192.168.7.99"), made.comment(note)))
    topology = names.topology(HOST.model_copy(update={"nics": [nic]}))
    assert told(annotated(path, topology=topology)) == [f"VLAN of vmNIC {odd}: Untagged drops packets of VLAN 20"]


def test_the_plugin_without_rules() -> None:
    plain_plugin, known = plugin_lua(), plugin_lua(load(CONTOSO))
    for name in OF_HOST:
        assert f"modules.{name} = " not in plain_plugin
        assert f"modules.{name} = " in known
    assert "modules.host_drops = " not in plugin_lua(load(deep_dive.FOLDER / "contoso01.toml"))
