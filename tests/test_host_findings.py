"""What is wrong with a host is said beside its captures, too: by `why`, `inspect` and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import CAPTURES, run
from host_files import acl, inventory, nic, of, written

import pywnv
from pywnv.host import loading
from pywnv.inspect import inspect

HOST = CAPTURES / "host" / "contoso01.json"
VLAN_DROP = CAPTURES / "deep-dive" / "vlan-drop-pktmon.pcapng"
ACL_DROP = CAPTURES / "deep-dive" / "acl-drop-pktmon.pcapng"
TAGGED = "host vNIC wireless: untagged mode, but 4 tagged packets of VLAN 20 went to it in"
MENDED = "Set-VMNetworkAdapterVlan -ManagementOS -VMNetworkAdapterName 'wireless' -Access -VlanId 20"
NEVER = "vmNIC Contoso-Gst: Deny Outbound TCP remote port 443 (weight 1) never decides"


@pytest.mark.parametrize(
    "command", [("why", "--nic", "wireless"), ("inspect",), ("report", "-o", "-", "--format", "md")]
)
def test_each_says_them(command: tuple[str, ...]) -> None:
    """Those that only the capture shows, and those of the inventory alone; without a host there are none."""
    name, *options = command
    said = run(name, VLAN_DROP, "--host", HOST, *options).stdout.decode()
    assert TAGGED in said
    assert MENDED in said
    assert NEVER in said
    assert said.index(TAGGED) < said.index(NEVER)
    assert ("Contoso Packet Inspector" in said) == (name == "report")  # a note
    alone = run(name, VLAN_DROP, *options).stdout.decode()
    assert "untagged" not in alone
    assert "never decides" not in alone


@pytest.mark.slow
def test_in_the_page(tmp_path: Path) -> None:
    assert run("report", VLAN_DROP, "--host", HOST, "-o", tmp_path / "x.html").returncode == 0
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "Untagged mode, but 4 tagged packets of VLAN 20" in page


def test_for_programs() -> None:
    why = json.loads(run("why", VLAN_DROP, "--host", HOST, "--ip", "192.168.7.40", "--json").stdout)
    seen = json.loads(run("inspect", VLAN_DROP, "--host", HOST, "--json").stdout)
    for found in (why["host_findings"], seen["host_findings"]):
        assert (found[0]["id"], found[0]["count"], found[0]["first_frame"]) == ("untagged-nic-tagged-traffic", 4, 1)
        assert "count" not in found[-1]
        assert {one["severity"] for one in found} == {"error", "warning", "note"}
    assert json.loads(run("inspect", VLAN_DROP, "--json").stdout)["host_findings"] == []


@pytest.mark.parametrize("asked", [{"nic": "Contoso-Gst"}, {"ip": "192.168.7.52"}, {"ip": "192.168.7.99"}])
def test_those_of_the_asked_nic_come_first(asked: dict[str, Any], tmp_path: Path) -> None:
    """By its name, its address, or since the packets end there; a graver one of another NIC after them."""
    made = json.loads(HOST.read_text("utf-8"))
    made["Get-VMNetworkAdapter"] += [nic("Zeta", MacAddress=mac) for mac in ("00155D000001", "00155D000001")]
    topology = loading.load(written(tmp_path, made))
    found = pywnv.why(ACL_DROP, **asked, topology=topology).host_findings
    places = [one.where for one in found]
    assert set(places[:4]) == {"vmNIC Contoso-Gst"}
    assert found[4].severity == "error"
    assert "Zeta" in places[4]


def test_an_address_in_any_form(tmp_path: Path) -> None:
    """The inventory's fe80::5%12 is the fe80::5 that was asked for."""
    made = inventory(
        Get_VMNetworkAdapter=[nic("One"), nic("Two", IPAddresses=["FE80:0::5%12", "no address"])],
        Get_VMNetworkAdapterAcl=[acl("Inbound", "Deny", "10.0.0.0/8", vm=vm) for vm in ("One", "Two")],
    )
    topology = loading.load(written(tmp_path, made))
    found = pywnv.why(ACL_DROP, ip="fe80::5", topology=topology).host_findings
    assert [one.where for one in found] == ["vmNIC Two", "vmNIC One"]


def test_of_many_the_first(tmp_path: Path) -> None:
    rules = [acl("Inbound", "Deny", f"10.{at}.0.0/16") for at in range(15)]
    nics = [of(OperationMode="Trunk", NativeVlanId=10)]
    path = written(tmp_path, inventory(Get_VMNetworkAdapterAcl=rules, Get_VMNetworkAdapterVlan=nics))
    said = run("inspect", ACL_DROP, "--host", path).stdout.decode()
    assert said.count("acl-one-direction") == 5
    assert "error trunk-without-list" in said
    assert "... and 10 more of the host: `pywnv host lint` lists them" in said
    assert len(inspect(ACL_DROP, topology=loading.load(path)).host_findings) == 17
