"""Findings about hosts: each is found where it is so, and nothing is found on a healthy host."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from command import CAPTURES, run
from host_files import NIC_ID, VM_ID, acl, extended, inventory, nic, of, written
from lint_cases import CASES, HEALTHY, NOT_SO

from pywnv.host import loading
from pywnv.host.lint import KNOWN, Finding, lint
from pywnv.host.lint.finding import quoted
from pywnv.inspect.host import lint_capture

DEEP_DIVE = CAPTURES / "deep-dive"
CONTOSO = CAPTURES / "host" / "contoso01.json"


def found(folder: Path, *, build: int = 17763, product: int = 3, **rows: Any) -> list[Finding]:
    windows = {"caption": "", "build": build, "product_type": product}
    host = loading.load(written(folder, {**inventory(**rows), "windows": windows})).host
    assert host is not None
    return lint(host)


def ids(findings: list[Finding]) -> set[str]:
    return {one.id for one in findings}


def only(findings: list[Finding], kind: str) -> Finding:
    (one,) = [one for one in findings if one.id == kind]
    return one


def test_nothing_on_a_healthy_host(tmp_path: Path) -> None:
    assert found(tmp_path, **HEALTHY) == []


@pytest.mark.parametrize(
    ("kind", "where", "what", "rows"), CASES, ids=[f"{at}-{case[0]}" for at, case in enumerate(CASES)]
)
def test_found(tmp_path: Path, kind: str, where: str, what: str, rows: dict[str, Any]) -> None:
    here = [one for one in found(tmp_path, **rows) if one.id == kind and one.where == where]
    assert here
    assert what in here[0].what
    assert (here[0].why, here[0].source) == KNOWN[kind][1:]
    assert here[0].fix


def test_each_kind_has_a_case() -> None:
    assert {case[0] for case in CASES} | {"untagged-nic-tagged-traffic"} == KNOWN.keys()


@pytest.mark.parametrize(("kind", "rows"), NOT_SO, ids=[f"{at}-{case[0]}" for at, case in enumerate(NOT_SO)])
def test_not_found(tmp_path: Path, kind: str, rows: dict[str, Any]) -> None:
    assert kind not in ids(found(tmp_path, **rows))


def test_an_allow_of_one_direction(tmp_path: Path) -> None:
    """Without a Deny that it would go before, the like of an Allow changes nothing, and that is said."""
    allow, wall = acl("Inbound", "Allow", "10.0.0.0/8"), acl("Outbound", "Deny", "10.0.0.0/16")
    kind = "acl-one-direction"
    alone = only(found(tmp_path, Get_VMNetworkAdapterAcl=[allow]), kind)
    assert (alone.severity, "while no rule denies Outbound" in alone.what) == ("warning", True)
    grave = [one for one in found(tmp_path, Get_VMNetworkAdapterAcl=[allow, wall]) if one.id == kind]
    assert [(one.severity, "no rule denies" in one.what) for one in grave] == [("warning", False)] * 2


def test_a_native_vlan_that_the_list_does_not_hold(tmp_path: Path) -> None:
    rows = found(
        tmp_path, Get_VMNetworkAdapterVlan=[of(OperationMode="Trunk", NativeVlanId=10, AllowedVlanIdList=[20])]
    )
    assert only(rows, "trunk-without-list").severity == "error"


def test_a_native_vlan_without_a_list(tmp_path: Path) -> None:
    """The command names what is to be filled in, not a list called none."""
    rows = found(tmp_path, Get_VMNetworkAdapterVlan=[of(OperationMode="Trunk", NativeVlanId=10)])
    assert "none" not in only(rows, "native-vlan-changed").fix


@pytest.mark.slow
def test_many_rules_are_few_findings(tmp_path: Path) -> None:
    """10,000 ACLs in the time of a breath; the last finding counts the others."""
    rules = [acl("Inbound", "Deny", f"10.{at >> 8}.{at & 255}.0/24") for at in range(10_000)]
    more = [
        extended("Inbound", "Allow", at, LocalPort=str(at), RemoteIPAddress=f"10.0.{at & 255}.0/24")
        for at in range(5000)
    ]
    made = found(tmp_path, Get_VMNetworkAdapterAcl=rules, Get_VMNetworkAdapterExtendedAcl=more)
    assert len(made) == 20
    assert made[-1].what.endswith("(and 9980 more rules of this NIC)")


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    twins = inventory(
        Get_VMNetworkAdapter=[nic(), nic()], Get_VMNetworkAdapterAcl=[acl("Inbound", "Deny", "10.0.0.0/8")]
    )
    said = run("host", "lint", written(tmp_path, twins)).stdout.decode()
    assert "not checked: Get-VMNetworkAdapterAcl[1]: left out: VM Alpha has 2 NICs 'Network Adapter'" in said


def test_names_cannot_leave_their_quotes(tmp_path: Path) -> None:
    name = "x'; Remove-Item C:\\ \u2019 #"
    one = only(found(tmp_path, Get_VMNetworkAdapter=[nic(name, SwitchName=None)]), "nic-not-connected")
    assert "-VMName 'x''; Remove-Item C:\\ \u2019\u2019 #' -Name" in one.fix
    assert quoted("it's") == "'it''s'"


@pytest.mark.parametrize("ending", ["etl2pcapng", "etwdump", "pktmon", "pspkt"])
def test_tagged_packets_to_an_untagged_nic(ending: str) -> None:
    """The article's example: from the VM's VLAN 20 to the host, whose NIC is untagged."""
    made = loading.load(CONTOSO)
    capture = DEEP_DIVE / f"vlan-drop-{ending}.pcapng"
    (one,) = lint_capture(made, capture)
    assert (one.id, one.where, one.count, one.first_frame) == (
        "untagged-nic-tagged-traffic",
        "host vNIC wireless",
        4,
        1,
    )
    assert "4 tagged packets of VLAN 20" in one.what
    assert one.fix == "Set-VMNetworkAdapterVlan -ManagementOS -VMNetworkAdapterName 'wireless' -Access -VlanId 20"


def test_no_tagged_packets_no_finding(tmp_path: Path) -> None:
    made = loading.load(CONTOSO)
    for name in ("acl-drop-pktmon", "bing-etl2pcapng", "arin-etl2pcapng"):
        assert list(lint_capture(made, DEEP_DIVE / f"{name}.pcapng")) == []
    unknown = json.loads(CONTOSO.read_text())
    del unknown["Get-VMNetworkAdapterVlan"]
    silent = loading.load(written(tmp_path, unknown))
    assert list(lint_capture(silent, DEEP_DIVE / "vlan-drop-pktmon.pcapng")) == []


def test_tags_on_the_wire(tmp_path: Path) -> None:
    """The lab's capture with VLAN tags: they arrive at the pNIC for a VM whose NIC is untagged."""
    capture = tmp_path / "vlan.pcapng"
    capture.write_bytes(gzip.decompress((CAPTURES / "vlan.pcapng.gz").read_bytes()))
    import subprocess

    shown = subprocess.run(
        [
            "tshark",
            "-r",
            str(capture),
            "-Y",
            "vlan && eth.dst.ig == 0",
            "-T",
            "fields",
            "-e",
            "eth.dst",
            "-e",
            "vlan.id",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    (mac, vlan), *_ = (line.split("\t") for line in shown.stdout.splitlines())
    identity = f"Microsoft:{VM_ID}\\{NIC_ID}"
    value = inventory(
        Get_VMNetworkAdapter=[nic("Gst", Id=identity, MacAddress=mac)],
        Get_VMNetworkAdapterVlan=[of("Gst", OperationMode=0)],
    )
    findings = list(lint_capture(loading.load(written(tmp_path, value)), capture))
    assert [(one.where, f"VLAN {vlan}" in one.what) for one in findings] == [("vmNIC Gst", True)]


# The command


def test_lint_says_and_ends(tmp_path: Path) -> None:
    capture = DEEP_DIVE / "vlan-drop-pktmon.pcapng"
    done = run("host", "lint", CONTOSO, capture, "--json")
    rows = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, b"")
    plain = ["id", "severity", "where", "what", "why", "fix", "source"]
    assert [list(row) for row in rows if "count" not in row] == [plain] * (len(rows) - 1)
    assert (rows[0]["id"], rows[0]["count"], rows[0]["first_frame"]) == ("untagged-nic-tagged-traffic", 4, 1)
    assert rows[0]["capture"] == str(capture)
    said = run("host", "lint", CONTOSO, capture).stdout.decode()
    assert said.startswith("error untagged-nic-tagged-traffic: host vNIC wireless: untagged mode, but 4 tagged packets")
    healthy = run("host", "lint", written(tmp_path, inventory(**HEALTHY)))
    assert (healthy.returncode, healthy.stdout) == (0, b"nothing found\n")
    nothing = tmp_path / "nothing.json"
    nothing.write_text('{"wnv_host": 1}')
    done = run("host", "lint", nothing)
    empty = "the file holds no adapters, teams, switches or NICs"
    assert (done.returncode, done.stdout.decode()) == (1, f"nothing was there to check: {empty}\n")
    assert empty in run("host", "show", nothing).stdout.decode()
    names = tmp_path / "names.toml"
    names.write_text('[[nics]]\nname = "a"\n')
    done = run("host", "lint", names)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"holds only names, no VLANs and ACLs; `pywnv host script` collects them\n" in done.stderr
    done = run("host", "lint", written(tmp_path, inventory(**HEALTHY)), tmp_path / "none.pcapng")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"No such file" in done.stderr
