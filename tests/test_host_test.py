"""`pywnv host test`: whether a packet would pass, as a user asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from command import CAPTURES, run
from host_rules import FOLDER

from pywnv.cli.main import main
from pywnv.host import evaluate, loading
from pywnv.host.model import ExtendedAcl, Host, PortAcl, VirtualNic

CONTOSO = FOLDER / "contoso01.json"
DEEP_DIVE = CAPTURES / "deep-dive"
STRANGER = ("--source", "192.168.7.99", "--destination", "192.168.7.52")
RULE = "port ACL of vmNIC Contoso-Gst: Deny Inbound 192.168.7.99 (longest prefix of 3 that match)"


Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Asked:
    """Runs the command with `--json`, in this process; gives what it says."""

    def ask(*options: object, nic: str = "Contoso-Gst") -> dict[str, Any]:
        words = ["host", "test", CONTOSO, "--nic", nic, *options, "--json"]
        monkeypatch.setattr("sys.argv", ["pywnv", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        told = capfd.readouterr()
        assert (left.value.code, told.err) == (0, "")
        return json.loads(told.out)

    return ask


@pytest.mark.parametrize("nic", ["vmNIC Contoso-Gst", "Contoso-Gst", "contoso-gst"])
def test_by_a_port_acl(nic: str, asked: Asked) -> None:
    found = asked("--direction", "inbound", *STRANGER, "--vlan", 20, nic=nic)
    assert found == {
        "passes": False,
        "decided_by": "port-acl",
        "rule": RULE,
        "matched": [
            "port ACL of vmNIC Contoso-Gst: Allow Inbound ANY",
            "port ACL of vmNIC Contoso-Gst: Allow Inbound 192.168.7.0/24",
        ],
    }


def test_by_what_identifies_a_nic(asked: Asked) -> None:
    """Its Id, the GUID in it, its MAC in any form."""
    nic = next(nic for nic in loading.load(CONTOSO).host.nics if nic.vm == "Contoso-Gst")
    mac = "-".join(nic.mac[at : at + 2] for at in range(0, 12, 2)).upper()
    dotted = ".".join(nic.mac[at : at + 4] for at in range(0, 12, 4))
    names = (f"Microsoft:{nic.id.upper()}", nic.id.rpartition("\\")[2], "{" + nic.id[-36:] + "}", mac, dotted)
    for name in names:
        assert asked("--direction", "inbound", *STRANGER, "--vlan", 20, nic=name)["rule"] == RULE


def test_by_the_vm_and_its_adapter() -> None:
    """However the two are put together; a NIC of the host also by the name that Windows gives it."""
    nics = [
        VirtualNic(vm="VM A", name="LAN", title="VM A (LAN)"),
        VirtualNic(vm="VM A", name="Back up", title="VM A (Back up)"),
        VirtualNic(vm=None, name="Mgmt", title="Mgmt"),
    ]
    host = Host(nics=nics)
    for name in ("VM A Back up", "VM A/Back up", "vm a\\back up", "VM A: Back up", "vmNIC VM A Back up"):
        assert evaluate.find_nic(host, name) is nics[1]
    assert evaluate.find_nic(host, "vEthernet (Mgmt)") is nics[2]


@pytest.mark.parametrize(
    ("allows", "way", "vlan", "rule"),
    [
        (True, "inbound", 20, None),
        (True, "outbound", None, None),
        (True, "inbound", 21, "VLAN of vmNIC Alpha: Isolation VLAN 20 drops packets of VLAN 21"),
        (True, "inbound", None, "VLAN of vmNIC Alpha: Isolation VLAN 20 drops untagged packets"),
        (False, "outbound", None, "VLAN of vmNIC Alpha: Isolation by VLAN drops untagged packets"),
        (False, "outbound", 20, None),
    ],
)
def test_isolation_by_vlan(allows: bool, way: str, vlan: int | None, rule: str | None) -> None:
    """Its default id is the VLAN of what has no tag, where that is allowed."""
    isolation = {"isolation": "vlan", "isolation_id": 20, "allows_untagged": allows}
    nic = VirtualNic(vm="Alpha", name="Network Adapter", title="Alpha", **isolation)
    assert evaluate.evaluate(nic, evaluate.packet_of(way, "10.0.0.7", "10.0.0.5", vlan=vlan)).rule == rule


@pytest.mark.parametrize(
    ("ports", "passes"),
    [((443, 50000), True), ((443, 5000), True), ((53, 53), True), ((12345, 445), False), ((50000, 443), False)],
)
def test_what_may_be_an_answer(ports: tuple[int, int], passes: bool) -> None:
    """To a rule that names no port: what goes from the higher port to a server's is a question."""
    rules = [
        ExtendedAcl(direction="outbound", action="allow", weight=10, stateful=True),
        ExtendedAcl(direction="inbound", action="deny", weight=1),
    ]
    nic = VirtualNic(vm="Alpha", name="Network Adapter", extended_acls=rules)
    packet = evaluate.packet_of(
        "inbound", "10.0.0.7", "10.0.0.5", protocol="tcp", source_port=ports[0], destination_port=ports[1]
    )
    assert evaluate.evaluate(nic, packet).passes is passes


def test_a_tag_of_the_nic_itself_in_access_mode(asked: Asked) -> None:
    """The port gives the VLAN; what comes tagged from the NIC is dropped, also with the same VLAN."""
    out = ("--direction", "outbound", "--source", "192.168.7.52", "--destination", "203.0.113.9")
    assert asked(*out, "--vlan", 20)["rule"] == (
        "VLAN of vmNIC Contoso-Gst: Access VLAN 20 drops packets that the NIC sends tagged (VLAN 20)"
    )
    assert asked(*out, "--vlan", 0)["passes"] is True


@pytest.mark.parametrize(
    ("way", "to", "passes"),
    [("inbound", "10.0.0.5", False), ("outbound", "10.0.0.9", False), ("inbound", "239.1.2.3", True)],
)
def test_the_end_of_the_nic_has_its_mac(way: str, to: str, passes: bool) -> None:
    rules = [PortAcl(direction=one, action="deny", local="00155d010203") for one in ("inbound", "outbound")]
    nic = VirtualNic(vm="Alpha", name="Network Adapter", mac="00155d010203", acls=rules)
    packet = evaluate.packet_of(way, "10.0.0.7", to, nic_mac=nic.mac)
    assert evaluate.evaluate(nic, packet).passes is passes


def test_in_words() -> None:
    done = run("host", "test", CONTOSO, "--nic", "Contoso-Gst", "--direction", "inbound", *STRANGER, "--vlan", "20")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[:2] == ["is dropped: inbound, 192.168.7.99 to 192.168.7.52, VLAN 20", f"decided by {RULE}"]
    assert all(line.startswith("matched too: port ACL of vmNIC Contoso-Gst: Allow") for line in lines[2:])


def test_by_the_others(asked: Asked) -> None:
    by_vlan = asked("--direction", "inbound", *STRANGER)
    assert (by_vlan["passes"], by_vlan["decided_by"]) == (False, "vlan")
    https = ("--protocol", "tcp", "--source-port", 50000, "--destination-port", 443)
    out = ("--direction", "outbound", "--source", "192.168.7.52", "--destination", "203.0.113.9")
    by_weight = asked(*out, *https)
    assert (by_weight["passes"], by_weight["decided_by"]) == (True, "extended-acl")
    assert "stateful" not in str(by_weight["rule"])
    assert len(by_weight["matched"]) == 1
    none = asked(*out, "--protocol", "udp", "--source-port", 1, "--destination-port", 443)
    assert none == {"passes": True, "decided_by": "none", "rule": None, "matched": []}
    v6 = asked("--direction", "inbound", "--source", "fe80::1", "--destination", "fe80::2", nic="host vNIC wireless")
    assert v6["decided_by"] == "none"


def test_of_a_capture(asked: Asked) -> None:
    """The direction by MACs, the VLAN by what the tool noted; where none is, no VLAN setting decides."""
    vlan = DEEP_DIVE / "vlan-drop-etl2pcapng.pcapng"
    found = asked("--capture", vlan, "--frame", 1, nic="wireless")
    assert found["rule"] == "VLAN of host vNIC wireless: Untagged drops packets of VLAN 20"
    assert asked("--capture", vlan, "--frame", 1)["passes"] is True
    acl = DEEP_DIVE / "acl-drop-pktmon.pcapng"
    assert asked("--capture", acl, "--frame", 1)["rule"] == RULE
    assert asked("--capture", acl, "--frame", 1, "--vlan", 4)["decided_by"] == "vlan"
    assert asked("--capture", acl, "--frame", 1, "--direction", "outbound")["passes"] is True


GIVEN = ("--direction", "inbound", "--source", "10.0.0.9", "--destination", "10.0.0.5")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--nic", "Network Adapter", *GIVEN), "2 NICs are called that; there are vmNIC Contoso-Gst, vmNIC Spare"),
        (("--nic", "x\x1b[31m", *GIVEN), "--nic x [31m: no such NIC; there are host vNIC wireless, vmNIC"),
        (("--nic", "Spare", *GIVEN, "--source", "x"), "--source x: is not an IP address"),
        (("--nic", "Spare", *GIVEN, "--source", "::1"), "one is IPv4, the other IPv6"),
        (("--nic", "Spare", *GIVEN, "--source-mac", "255.255.255.255"), "is not a MAC address; write it like"),
        (("--nic", "Spare", *GIVEN, "--protocol", "256"), "--protocol 256: is neither tcp"),
        (("--nic", "Spare", *GIVEN, "--source-port", "5"), "need --protocol tcp"),
        (("--nic", "Spare", *GIVEN, "--protocol", "udp", "--source-port", "65536"), "must be from 0 to 65535"),
        (("--nic", "Spare", *GIVEN, "--vlan", "4095"), "--vlan 4095: must be from 0 to 4094"),
        (("--nic", "Spare"), "needs --direction, --source and --destination, or --capture and --frame"),
        (("--nic", "Spare", "--frame", "5"), "--capture and --frame belong together"),
        (("--nic", "Spare", *GIVEN, "--capture", "x", "--frame", "5"), "the packet comes from the frame"),
        (("--nic", "Spare", "--capture", DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", "--frame", "1"), "give --direction"),
        (("--nic", "Spare", "--capture", DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", "--frame", "2"), "is not a packet"),
        (("--nic", "Spare", "--capture", DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", "--frame", "99"), "has no frame 99"),
        (("--nic", "Spare", "--capture", DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", "--frame", "0"), "frame 0"),
        (("--nic", "Spare", "--capture", "not there", "--frame", "1"), "not there"),
    ],
)
def test_what_makes_no_sense(
    options: tuple[object, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pywnv", "host", "test", str(CONTOSO), *map(str, options)])
    with pytest.raises(SystemExit) as left:
        main()
    told = capsys.readouterr()
    assert (left.value.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert words in told.err


def test_no_inventory() -> None:
    done = run("host", "test", DEEP_DIVE / "contoso01.toml", "--nic", "x", *GIVEN)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"holds only names, no VLANs and ACLs" in done.stderr
