"""Hosts for the lint: a healthy one, one for each finding, and some that only look wrong."""

from __future__ import annotations

from typing import Any

from host_files import Row, acl, adapter, extended, nic, of, switch

TEAM_NIC = "Microsoft Network Adapter Multiplexor Driver"


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
