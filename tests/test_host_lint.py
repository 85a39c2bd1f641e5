"""Findings about hosts: each is found where it is so, and nothing is found on a healthy host."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from command import CAPTURES, run
from host_files import NIC_ID, VM_ID, Row, acl, adapter, extended, inventory, nic, of, switch, written

from pywnv.host import loading
from pywnv.host.lint import KNOWN, Finding, lint
from pywnv.host.lint.finding import quoted
from pywnv.inspect.host import lint_capture

TEAM_NIC = "Microsoft Network Adapter Multiplexor Driver"
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


def team(members: int = 2, vlan: int | None = None, **more: Any) -> dict[str, Any]:
    """An LBFO team below a vmSwitch; `more` is another interface of it."""
    names = [f"Ethernet {at}" for at in range(1, members + 1)]
    interfaces: list[Row] = [{"Name": "Team1", "Team": "Team1", "Primary": True, "VlanID": vlan}]
    interfaces += [{"Team": "Team1", "Primary": False, **more}] if more else []
    return {
        "Get_NetAdapter": [adapter(name) for name in names] + [adapter("Team1", InterfaceDescription=TEAM_NIC)],
        "Get_NetLbfoTeam": [{"Name": "Team1", "Members": names, "TeamNics": ["Team1"]}],
        "Get_NetLbfoTeamNic": interfaces,
    }


DEFENDER = {
    "Get_MpPreference": {
        "ExclusionPath": ["C:\\ProgramData\\Microsoft\\Windows\\Hyper-V"],
        "ExclusionProcess": [
            "%systemroot%\\System32\\Vmms.exe",
            "vmwp.exe",
            "VMSP.EXE",
            "C:\\Windows\\System32\\vmcompute.exe",
        ],
        "ExclusionExtension": [".vhd", "vhdx", "*.avhd", "avhdx", "vsv", ".iso", "rct", "VMCX", "vmrs"],
    },
    "Get_MpComputerStatus": {"RealTimeProtectionEnabled": True},
}
# What a good admin has: a team below a switch, VLANs at NICs, ACLs for both directions.
HEALTHY: dict[str, Any] = {
    **team(),
    **DEFENDER,
    "Get_NetAdapterBinding": [
        {"Name": "Team1", "ComponentID": "vms_pp", "Enabled": True},
        {"Name": "Ethernet 9", "ComponentID": "vms_pp", "Enabled": False},
    ],
    "Get_VMSwitch": [switch(uplink=TEAM_NIC)],
    "Get_VMSwitchExtension": [
        {
            "SwitchName": "external",
            "Name": "Microsoft NDIS Capture",
            "Vendor": "Microsoft",
            "Enabled": True,
            "Running": True,
        },
        {"SwitchName": "external", "Name": "Old Filter", "Vendor": "Somebody", "Enabled": False, "Running": False},
    ],
    "Get_VMNetworkAdapter": [
        nic(MacAddress="00155D010201"),
        nic("Beta", MacAddress="00155D010202"),
        nic("Gamma", MacAddress="00155D010202", SwitchName="other"),
        nic("Off", MacAddress="000000000000"),
        nic("Off too", MacAddress="000000000000"),
        nic(None, "Management", MacAddress="00155D010203"),
    ],
    "Get_VMNetworkAdapterVlan": [
        of(OperationMode=2, NativeVlanId=0, AllowedVlanIdList=[10, 20]),
        of("Beta", OperationMode=1, AccessVlanId=10),
        of(None, "Management", OperationMode=1, AccessVlanId=5),
    ],
    "Get_VMNetworkAdapterAcl": [
        *[acl(way, "Deny", "ANY") for way in ("Inbound", "Outbound")],
        *[acl(way, "Allow", "10.0.0.0/8") for way in ("Inbound", "Outbound")],
        *[acl(way, "Deny", "10.0.0.0/9") for way in ("Inbound", "Outbound")],
        acl("Inbound", "Meter", "10.0.0.0/8"),
        acl("Outbound", "Meter", "2001:db8::/32"),
    ],
    "Get_VMNetworkAdapterExtendedAcl": [
        extended("Inbound", "Deny", 1),
        extended("Outbound", "Allow", 10, Stateful=True),
        extended("Inbound", "Allow", 10, LocalPort="443", Protocol="TCP"),
        extended("Inbound", "Deny", 20, LocalPort="443", Protocol="TCP", RemoteIPAddress="10.9.0.0/16"),
    ],
}


def test_nothing_on_a_healthy_host(tmp_path: Path) -> None:
    assert found(tmp_path, **HEALTHY) == []


def healthy_but(**changes: Any) -> dict[str, Any]:
    return {**HEALTHY, **changes}


SECONDARY = {"Name": "Team1 - VLAN 42", "VlanID": 42}
BINDING = [{"Name": "Team1", "ComponentID": "vms_pp", "Enabled": True}]
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("team-subinterface-under-switch", "tNIC Team1 - VLAN 42", "VLAN 42", healthy_but(**team(**SECONDARY))),
    ("vlan-on-adapter-under-switch", "tNIC Team1", "VLAN 7", healthy_but(**team(vlan=7))),
    (
        "vlan-on-adapter-under-switch",
        "pNIC Ethernet 1",
        "VLAN 9",
        {"Get_NetAdapter": [adapter("Ethernet 1", VlanID=9)], "Get_VMSwitch": [switch(uplink="NIC of Ethernet 1")]},
    ),
    (
        "vlan-on-adapter-under-switch",
        "pNIC Ethernet 1",
        "VLAN 9",
        {
            "Get_NetAdapter": [adapter("Ethernet 1", VlanID=9)],
            "Get_NetAdapterBinding": [{"Name": "Ethernet 1", "ComponentID": "vms_pp", "Enabled": True}],
        },
    ),
    (
        "vlan-on-adapter-under-switch",
        "pNIC Ethernet 2",
        "through the team 'Team1'",
        healthy_but(Get_NetAdapter=[adapter("Ethernet 2", VlanID=9), adapter("Team1", InterfaceDescription=TEAM_NIC)]),
    ),
    ("team-primary-vlan", "tNIC Team1", "VLAN 7", team(vlan=7)),
    ("team-on-client", "tNIC Team1", "a client", {**team(), "product": 1}),
    ("team-under-switch-2022", "tNIC Team1", "build 20348", healthy_but(build=20348)),
    ("team-single-member", "tNIC Team1", "Ethernet 1", team(members=1)),
    ("trunk-without-list", "vmNIC Beta", "empty list", {"Get_VMNetworkAdapterVlan": [of("Beta", OperationMode=2)]}),
    (
        "trunk-without-list",
        "vmNIC Beta",
        "does not hold the native VLAN 9",
        {"Get_VMNetworkAdapterVlan": [of("Beta", OperationMode=2, NativeVlanId=9, AllowedVlanIdList=[10])]},
    ),
    (
        "native-vlan-changed",
        "vmNIC Beta",
        "VLAN 10",
        {"Get_VMNetworkAdapterVlan": [of("Beta", OperationMode=2, NativeVlanId=10, AllowedVlanIdList=[10, 20])]},
    ),
    (
        "several-vlans-one-nic",
        "host vNIC Management",
        "10, 20",
        {"Get_VMNetworkAdapterVlan": [of(None, "Management", OperationMode=2, AllowedVlanIdList=[10, 20])]},
    ),
    (
        "acl-one-direction",
        "vmNIC Alpha",
        "Deny Inbound 10.0.0.0/8, but no Deny Outbound 10.0.0.0/8",
        {
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Deny", "10.0.0.0/8"),
                acl("Outbound", "Allow", "10.0.0.0/8"),
                acl("Inbound", "Allow", "10.0.0.0/8"),
            ]
        },
    ),
    (
        "acl-never-wins",
        "vmNIC Alpha",
        "Allow Inbound 10.0.0.5 never decides: a Deny",
        {"Get_VMNetworkAdapterAcl": [acl("Inbound", "Deny", "10.0.0.5"), acl("Inbound", "Allow", "10.0.0.5/32")]},
    ),
    (
        "acl-never-wins",
        "vmNIC Alpha",
        "Deny Inbound fd00::/8 never decides: longer prefixes",
        {
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Deny", "fd00::/8"),
                acl("Inbound", "Allow", "fd00::/9"),
                acl("Inbound", "Allow", "fd80::/10"),
                acl("Inbound", "Deny", "fdc0::/10"),
            ]
        },
    ),
    (
        "acl-never-wins",
        "vmNIC Alpha",
        "Allow Inbound ANY never decides: 0.0.0.0/0 and ::/0 are more specific",
        {
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Allow"),
                acl("Inbound", "Deny", "::/0"),
                acl("Inbound", "Deny", "0.0.0.0/1"),
                acl("Inbound", "Deny", "128.0.0.0/1"),
                acl("Inbound", "Deny", "0.0.0.0/0"),
            ]
        },
    ),
    (
        "acl-never-wins",
        "vmNIC Alpha",
        "this NIC's own MAC",
        {
            "Get_VMNetworkAdapter": [nic(MacAddress="00155D010201")],
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Allow", "ANY", "00-15-5D-01-02-01"),
                acl("Inbound", "Deny", "10.0.0.0/8"),
            ],
        },
    ),
    (
        "acl-never-wins",
        "vmNIC Alpha",
        "Deny Inbound TCP 10.1.0.0/16, local port 81 (weight 5)",
        {
            "Get_VMNetworkAdapterExtendedAcl": [
                extended("Inbound", "Allow", 10, LocalPort="80-90", RemoteIPAddress="10.0.0.0/8"),
                extended("Inbound", "Deny", 5, LocalPort="81", Protocol="TCP", RemoteIPAddress="10.1.0.0/16"),
            ]
        },
    ),
    (
        "acl-never-wins",
        "vmNIC Alpha",
        "Allow Inbound TCP local port 443 (weight 5) never decides: Deny Inbound 6 (weight 10)",
        {
            "Get_VMNetworkAdapterExtendedAcl": [
                extended("Inbound", "Deny", 10, Protocol="6"),
                extended("Inbound", "Allow", 5, Protocol="TCP", LocalPort="443"),
            ]
        },
    ),
    (
        "acl-mac-beats-subnet",
        "vmNIC Alpha",
        "Allow Inbound 00-15-5D-AA-BB-CC decides, although Deny Inbound 10",
        {"Get_VMNetworkAdapterAcl": [acl("Inbound", "Allow", "00155DAABBCC"), acl("Inbound", "Deny", "10.0.0.0/8")]},
    ),
    (
        "acl-denies-all",
        "vmNIC Alpha",
        "Deny Inbound ANY, and no Allow Inbound",
        {"Get_VMNetworkAdapterAcl": [acl("Inbound", "Deny"), acl("Outbound", "Allow", "10.0.0.0/8")]},
    ),
    (
        "acl-denies-all",
        "vmNIC Alpha",
        "0.0.0.0/0 and Deny Outbound ::/0",
        {"Get_VMNetworkAdapterAcl": [acl("Outbound", "Deny", "0.0.0.0/0"), acl("Outbound", "Deny", "::/0")]},
    ),
    (
        "acl-denies-all",
        "vmNIC Alpha",
        "no Allow Inbound of a higher weight",
        {
            "Get_VMNetworkAdapterExtendedAcl": [
                extended("Inbound", "Deny", 9),
                extended("Inbound", "Allow", 5, LocalPort="443", Protocol="TCP"),
            ]
        },
    ),
    (
        "extension-in-path",
        "vSwitch external",
        "'Guard' of Contoso (filter)",
        {
            "Get_VMSwitchExtension": [
                {
                    "SwitchName": "external",
                    "Name": "Guard",
                    "Vendor": "Contoso",
                    "ExtensionType": 2,
                    "Enabled": True,
                    "Running": True,
                }
            ]
        },
    ),
    (
        "antivirus-exclusions",
        "host HV01",
        "processes vmwp.exe",
        healthy_but(
            Get_MpPreference={
                **DEFENDER["Get_MpPreference"],
                "ExclusionProcess": ["vmms.exe", "vmsp.exe", "vmcompute.exe"],
            }
        ),
    ),
    (
        "antivirus-exclusions",
        "host HV01",
        "files .vhd, .vhdx",
        healthy_but(Get_MpPreference={"ExclusionPath": [], "ExclusionProcess": [], "ExclusionExtension": []}),
    ),
    (
        "duplicate-mac",
        "vmNIC Alpha, vmNIC Beta",
        "00-15-5D-01-02-01",
        {"Get_VMNetworkAdapter": [nic(MacAddress="00155D010201"), nic("Beta", MacAddress="00-15-5d-01-02-01")]},
    ),
    (
        "nic-not-connected",
        "vmNIC Beta",
        "no vmSwitch",
        {"Get_VMNetworkAdapter": [nic("Beta", SwitchName=None, Connected=False)]},
    ),
]


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


NOT_SO: list[tuple[str, dict[str, Any]]] = [
    ("team-subinterface-under-switch", team(**SECONDARY)),  # no switch
    ("team-under-switch-2022", {**team(), "build": 26100}),
    ("team-under-switch-2022", healthy_but(build=26100, product=1)),  # a client has never had it
    ("team-on-client", {**team(), "product": 2}),
    ("vlan-on-adapter-under-switch", {"Get_NetAdapter": [adapter(VlanID=9)], "Get_VMSwitch": [switch(uplink="other")]}),
    (
        "duplicate-mac",
        {
            "Get_VMNetworkAdapter": [
                nic(MacAddress="00155D010201"),
                nic("B", MacAddress="00155D010201", Connected=False),
            ]
        },
    ),
    ("nic-not-connected", {"Get_VMNetworkAdapterVlan": [of()]}),  # nothing tells
    (
        "acl-one-direction",
        {
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Deny"),
                acl("Outbound", "Deny", "0.0.0.0/0"),
                acl("Outbound", "Deny", "::/0"),
                acl("Both", "Allow", "10.0.0.5"),
            ]
        },
    ),
    ("nic-not-connected", {"Get_VMNetworkAdapter": [nic(None, "Host", SwitchName=None)]}),
    (
        "acl-never-wins",
        {
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Deny", "10.0.0.0/8"),
                acl("Inbound", "Allow", "10.0.0.0/9"),
                acl("Outbound", "Allow", "10.128.0.0/9"),
            ]
        },
    ),
    (
        "acl-never-wins",
        {
            "Get_VMNetworkAdapterAcl": [
                acl("Inbound", "Deny", "10.0.0.0/8"),
                acl("Inbound", "Allow", "ANY", "10.0.0.0/9"),
                acl("Inbound", "Allow", "10.128.0.0/9"),
            ]
        },
    ),
    (
        "acl-never-wins",
        {
            "Get_VMNetworkAdapterExtendedAcl": [
                extended("Inbound", "Allow", 10, Protocol="TCP"),
                extended("Inbound", "Deny", 5),
            ]
        },
    ),
    (
        "acl-never-wins",
        {
            "Get_VMNetworkAdapterExtendedAcl": [
                extended("Inbound", "Allow", 5),
                extended("Inbound", "Deny", 5, Protocol="TCP"),
            ]
        },
    ),
    (
        "acl-never-wins",
        {"Get_VMNetworkAdapterExtendedAcl": [extended("Outbound", "Allow", 10), extended("Inbound", "Deny", 5)]},
    ),
    (
        "acl-denies-all",
        {
            "Get_VMNetworkAdapterExtendedAcl": [
                extended("Inbound", "Deny", 9),
                extended("Outbound", "Allow", 5, Stateful=True),
            ]
        },
    ),
    (
        "acl-mac-beats-subnet",
        {"Get_VMNetworkAdapterAcl": [acl("Inbound", "Allow", "00155DAABBCC"), acl("Inbound", "Deny", "ANY")]},
    ),
    (
        "antivirus-exclusions",
        healthy_but(Get_MpPreference={"ExclusionPath": "N/A: Must be an administrator to view exclusions"}),
    ),
    ("antivirus-exclusions", healthy_but(Get_MpPreference={"ExclusionPath": [], "DisableAutoExclusions": False})),
    ("antivirus-exclusions", {**DEFENDER, "Get_MpPreference": {"ExclusionPath": []}}),  # no Hyper-V here
    (
        "antivirus-exclusions",
        healthy_but(Get_MpComputerStatus={"RealTimeProtectionEnabled": False}, Get_MpPreference={"ExclusionPath": []}),
    ),
    ("several-vlans-one-nic", {"Get_VMNetworkAdapterVlan": [of(OperationMode=2, AllowedVlanIdList=[10, 20])]}),
]


@pytest.mark.parametrize(("kind", "rows"), NOT_SO, ids=[f"{at}-{case[0]}" for at, case in enumerate(NOT_SO)])
def test_not_found(tmp_path: Path, kind: str, rows: dict[str, Any]) -> None:
    assert kind not in ids(found(tmp_path, **rows))


def test_an_allow_of_one_direction_is_grave_where_the_other_denies(tmp_path: Path) -> None:
    """Without a Deny that it would go before, the like of an Allow changes nothing."""
    allow, wall = acl("Inbound", "Allow", "10.0.0.0/8"), acl("Outbound", "Deny", "10.0.0.0/16")
    kind = "acl-one-direction"
    alone = only(found(tmp_path, Get_VMNetworkAdapterAcl=[allow]), kind)
    assert (alone.severity, "while nothing is denied Outbound" in alone.what) == ("note", True)
    grave = [one for one in found(tmp_path, Get_VMNetworkAdapterAcl=[allow, wall]) if one.id == kind]
    assert [(one.severity, "nothing is denied" in one.what) for one in grave] == [("warning", False)] * 2


def test_a_native_vlan_without_a_list(tmp_path: Path) -> None:
    """The command names what is to be filled in, not a list called none."""
    rows = found(tmp_path, Get_VMNetworkAdapterVlan=[of(OperationMode="Trunk", NativeVlanId=10)])
    assert "none" not in only(rows, "native-vlan-changed").fix


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
    names = tmp_path / "names.toml"
    names.write_text('[[nics]]\nname = "a"\n')
    done = run("host", "lint", names)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"has names only, no VLANs and ACLs; `pywnv host script` collects them\n" in done.stderr
    done = run("host", "lint", written(tmp_path, inventory(**HEALTHY)), tmp_path / "none.pcapng")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"No such file" in done.stderr
