"""Inventories of hosts: what people have is read, whatever its shape; what is wrong is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from host_files import NIC_ID, SWITCH_ID, VM_ID, acl, adapter, extended, inventory, nic, of, switch, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pywnv.errors import TopologyError, WnvError
from pywnv.host import loading, topology
from pywnv.host.model import Host, PortAcl

ID = f"Microsoft:{VM_ID.upper()}\\{NIC_ID.upper()}"


def load(path: Path) -> Host:
    host = loading.load(path).host
    assert host is not None
    return host


def read(folder: Path, **rows: Any) -> Host:
    return load(written(folder, inventory(**rows)))


def wrong(folder: Path, value: Any) -> str:
    path = folder / "hv01.json"
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    with pytest.raises(TopologyError) as error:
        loading.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


WHOLE = inventory(
    collected="2026-11-28T12:00:00Z",
    left_out={"Get-NetLbfoTeam": "not on this system"},
    Get_NetAdapter=[
        adapter(ifIndex=12, MacAddress="00-15-5D-01-02-03", InterfaceGuid="{" + SWITCH_ID + "}", HardwareInterface=True)
    ],
    Get_NetAdapterBinding=[{"Name": "Ethernet 2", "ComponentID": "vms_pp", "Enabled": True}],
    Get_VMSwitch=[switch()],
    Get_VMNetworkAdapter=[
        nic(Id=ID, MacAddress="00155D010205", IPAddresses=["10.0.0.5"], MacAddressSpoofing="Off", DhcpGuard="On"),
        nic(None, "Management", MacAddress="00155D010206", Status=["Ok"]),
    ],
    Get_VMNetworkAdapterVlan=[
        of(OperationMode="Trunk", NativeVlanId=10, AllowedVlanIdList=[10, 20], PrivateVlanMode=None),
        of(None, "Management", OperationMode="Access", AccessVlanId=7),
    ],
    Get_VMNetworkAdapterAcl=[acl("Inbound", "Deny", "10.0.0.0/8"), acl("Outbound", "Allow", "00-15-5D-AA-BB-CC")],
    Get_VMNetworkAdapterExtendedAcl=[
        extended("Inbound", "Allow", 10, LocalPort="443", Protocol="TCP", Stateful=True, IdleSessionTimeout=255)
    ],
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_of_powershell(tmp_path: Path, encoding: str) -> None:
    host = load(written(tmp_path, WHOLE, encoding=encoding))
    alpha, management = host.nics
    assert (alpha.label, management.label) == ("vmNIC Alpha", "host vNIC Management")
    assert (alpha.vlan.mode, alpha.vlan.native, alpha.vlan.allowed) == ("trunk", 10, [10, 20])
    assert (management.vlan.mode, management.vlan.access) == ("access", 7)
    assert alpha.acls == [
        PortAcl(direction="inbound", action="deny", remote="10.0.0.0/8"),
        PortAcl(direction="outbound", action="allow", remote="00155daabbcc"),
    ]
    (rule,) = alpha.extended_acls
    assert (rule.protocol, rule.local_port, rule.remote_port, rule.weight) == ("TCP", "443", "ANY", 10)
    assert (rule.stateful, rule.idle_timeout) == (True, 255)
    assert (alpha.dhcp_guard, alpha.mac_spoofing, alpha.id) == (True, False, f"{VM_ID}\\{NIC_ID}")
    assert host.switches[0].uplinks == ["Ethernet 2"]
    assert (host.computer, host.build, host.product_type) == ("HV01", 17763, 3)
    assert host.left_out == {"Get-NetLbfoTeam": "not on this system"}


def test_numbers_for_enums_and_one_object_for_a_list(tmp_path: Path) -> None:
    """As ConvertTo-Json of Windows PowerShell 5.1 writes them."""
    host = read(
        tmp_path,
        Get_VMSwitch=switch(SwitchType=2, NetAdapterInterfaceDescriptions="Some NIC"),
        Get_VMSwitchExtension={"SwitchName": "external", "Name": "X", "ExtensionType": 2, "Enabled": True},
        Get_NetLbfoTeam={"Name": "T", "Members": "Ethernet 2", "TeamingMode": 1, "LoadBalancingAlgorithm": 5},
        Get_VMNetworkAdapter=nic(
            MacAddressSpoofing=0, DhcpGuard=1, RouterGuard={"value": 0, "Value": "On"}, PortMirroringMode=2, Status=[2]
        ),
        Get_VMNetworkAdapterVlan=of(OperationMode=3, PrivateVlanMode=2, PrimaryVlanId=10, SecondaryVlanId=200),
        Get_VMNetworkAdapterIsolation=of(IsolationMode=3, DefaultIsolationID=5, AllowUntaggedTraffic=False),
        Get_VMNetworkAdapterAcl={"value": [acl(1, 2), acl(2, 1), acl(3, 3)], "Count": 3},  # type: ignore[arg-type]
        Get_VMNetworkAdapterExtendedAcl=extended(2, 1, 7, Stateful="True"),  # type: ignore[arg-type]
    )
    (alpha,) = host.nics
    assert (alpha.mac_spoofing, alpha.dhcp_guard, alpha.router_guard) == (True, False, True)
    assert (alpha.port_mirroring, alpha.status) == ("source", "Ok")
    assert (alpha.vlan.mode, alpha.vlan.primary, alpha.vlan.secondary) == ("community", 10, [200])
    assert (alpha.isolation, alpha.isolation_id, alpha.allows_untagged) == ("vlan", 5, False)
    both = [("inbound", "deny"), ("outbound", "allow"), ("inbound", "meter"), ("outbound", "meter")]
    assert [(rule.direction, rule.action) for rule in alpha.acls] == both
    assert [(rule.direction, rule.action, rule.stateful) for rule in alpha.extended_acls] == [
        ("outbound", "allow", True)
    ]
    assert (host.switches[0].kind, host.switches[0].uplinks) == ("external", ["Some NIC"])
    assert host.switches[0].extensions[0].kind == "filter"
    assert (host.teams[0].mode, host.teams[0].balancing, host.teams[0].members) == (
        "SwitchIndependent",
        "Dynamic",
        ["Ethernet 2"],
    )


@pytest.mark.parametrize(
    ("number", "name", "mode"),
    [(0, "Untagged", "untagged"), (1, "Access", "access"), (2, "Trunk", "trunk"), ("2", "TRUNK", "trunk")],
)
def test_modes_of_vlans(tmp_path: Path, number: object, name: str, mode: str) -> None:
    for value in (number, name):
        host = read(tmp_path, Get_VMNetworkAdapter=nic(), Get_VMNetworkAdapterVlan=of(OperationMode=value))
        assert host.nics[0].vlan.mode == mode


@pytest.mark.parametrize(
    ("value", "vlans"),
    [([10, 20], [10, 20]), (10, [10]), ("10,20-22", [10, 20, 21, 22]), ("10 20", [10, 20]), (None, []), ([], [])],
)
def test_lists_of_vlans(tmp_path: Path, value: object, vlans: list[int]) -> None:
    made = of(OperationMode="Trunk", AllowedVlanIdList=value)
    assert read(tmp_path, Get_VMNetworkAdapterVlan=[made]).nics[0].vlan.allowed == vlans


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        *[("ANY", "ANY"), (None, "ANY"), ("*", "ANY"), ("10.0.0.5/32", "10.0.0.5"), ("10.1.2.3/8", "10.0.0.0/8")],
        *[("FE80::1", "fe80::1"), ("2001:DB8::/32", "2001:db8::/32"), ("::/0", "::/0"), ("0.0.0.0/0", "0.0.0.0/0")],
        *[
            ("00-15-5D-01-02-03", "00155d010203"),
            ("00155D010203", "00155d010203"),
            ("00:15:5d:01:02:03", "00155d010203"),
            ("0015.5d01.0203", "00155d010203"),
        ],
    ],
)
def test_ends_of_acls(tmp_path: Path, text: str, read_as: str) -> None:
    (rule,) = read(tmp_path, Get_VMNetworkAdapterAcl=acl("Inbound", "Deny", text)).nics[0].acls
    assert (rule.remote, rule.local) == (read_as, "ANY")


def test_nothing_as_windows_powershell_writes_it(tmp_path: Path) -> None:
    """ConvertTo-Json of 5.1 writes what a cmdlet did not return as an empty object."""
    host = read(
        tmp_path,
        Get_VMNetworkAdapter=nic(IPAddresses={}, MacAddress={}),
        Get_VMNetworkAdapterAcl={},
        Get_VMNetworkAdapterExtendedAcl={"value": [{}], "Count": 1},
        Get_NetLbfoTeam=[{}],
    )
    assert (host.nics[0].addresses, host.nics[0].acls, host.nics[0].extended_acls, host.teams) == ([], [], [], [])
    assert {"Get-VMNetworkAdapterAcl", "Get-NetLbfoTeam"} <= set(host.told)


@pytest.mark.parametrize(
    "shape",
    [
        lambda made: [made],
        lambda made: {**made, "wnv_host": "1"},
        lambda made: {**made, "wnv_host": 1.0},
        lambda made: {**made, "Get-VMSwitchExtension": "", "left_out": [], "windows": None},
    ],
    ids=["a list of one", "a text as number", "a float", "an empty text for nothing"],
)
def test_other_shapes_of_the_whole(tmp_path: Path, shape: Callable[[dict[str, Any]], object]) -> None:
    made = inventory(Get_VMNetworkAdapterAcl=acl("Inbound", "Deny", "10.0.0.0/8"))
    (tmp_path / "host.json").write_text(json.dumps(shape(made)))
    assert len(load(tmp_path / "host.json").nics[0].acls) == 1


@pytest.mark.parametrize(
    ("value", "when"),
    [
        ("/Date(1764331200000)/", "2025-11-28T12:00:00Z"),
        (
            {"value": "/Date(1764331200000)/", "DisplayHint": 2, "DateTime": "Freitag, 28. November"},
            "2025-11-28T12:00:00Z",
        ),
        ("/Date(99999999999999999999)/", "/Date(99999999999999999999)/"),
        ("/Date(-62135596800001)/", "/Date(-62135596800001)/"),
        ("2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z"),
    ],
)
def test_times_as_windows_powershell_writes_them(tmp_path: Path, value: object, when: str) -> None:
    assert read(tmp_path, collected=value).collected == when


def test_names_that_are_too_long(tmp_path: Path) -> None:
    """Longer than a topology allows, shorter than Windows does, wherever a name may stand."""
    long = "x" * 200
    written(
        tmp_path,
        inventory(
            Get_NetAdapter=[adapter(long)],
            Get_NetLbfoTeam=[{"Name": f"t{long}", "Members": [long, f"m{long}"], "TeamNics": [f"t{long}"]}],
            Get_VMSwitch=[switch(f"s{long}", f"NIC of {long}")],
            Get_VMSwitchExtension=[{"SwitchName": f"e{long}", "Name": long}],
            Get_VMNetworkAdapter=[nic(long, long, SwitchName=f"n{long}")],
        ),
    )
    made = loading.load(tmp_path / "hv01.json")
    assert {len(part.name) for part in (*made.nics, *made.teams, *made.switches)} <= {120, 112}
    assert made.switches[0].ports == [long[:120]]
    assert made.teams[0].members == [long[:120], f"m{long}"[:120]]


def test_nics_are_told_apart_by_id(tmp_path: Path) -> None:
    """Two NICs of one name in one VM, and VMs of one name."""
    ids = [f"Microsoft:{VM_ID}\\{at}" for at in range(3)]
    host = read(
        tmp_path,
        Get_VMNetworkAdapter=[nic(Id=ids[0]), nic(Id=ids[1]), nic("Beta", Id=ids[2])],
        Get_VMNetworkAdapterVlan=[of(VMNetworkAdapterId=ids[1], OperationMode="Access", AccessVlanId=5)],
        Get_VMNetworkAdapterAcl=[
            acl("Inbound", "Deny", VMNetworkAdapterId=ids[1]),
            {"ParentAdapter": {"Id": ids[0], "VMName": "Alpha"}, "Direction": 1, "Action": 1},
            acl("Inbound", "Deny"),
        ],
    )
    first, second, beta = host.nics
    assert [one.title for one in host.nics] == ["Alpha (Network Adapter)", "Alpha (Network Adapter) #2", "Beta"]
    assert (first.vlan.mode, second.vlan.access) == ("untagged", 5)
    assert ([rule.action for rule in first.acls], [rule.action for rule in second.acls]) == (["allow"], ["deny"])
    assert beta.acls == []
    assert host.notes == ["Get-VMNetworkAdapterAcl[3]: left out: VM Alpha has 2 NICs 'Network Adapter'"]


def test_settings_alone_make_a_nic(tmp_path: Path) -> None:
    """An inventory may lack Get-VMNetworkAdapter; then nothing says whether it is connected."""
    host = read(tmp_path, Get_VMNetworkAdapterVlan=[of("Beta", OperationMode="Access", AccessVlanId=5)])
    assert [(one.label, one.connected, one.switch) for one in host.nics] == [("vmNIC Beta", None, None)]


def test_settings_inside_of_the_nic(tmp_path: Path) -> None:
    """As `Get-VMNetworkAdapter | ConvertTo-Json -Depth 3` gives them."""
    inside = {"VlanSetting": {"OperationMode": 1, "AccessVlanId": 9}, "AclList": [{"Direction": 1, "Action": 2}]}
    host = read(tmp_path, Get_VMNetworkAdapter=[nic(**inside)])
    assert (host.nics[0].vlan.access, len(host.nics[0].acls)) == (9, 1)
    assert "Get-VMNetworkAdapterVlan" in host.told


def test_the_answer_of_one_cmdlet(tmp_path: Path) -> None:
    path = written(tmp_path, [of(OperationMode=0)], "Get-VMNetworkAdapterVlan.json", "utf-16")
    assert load(path).nics[0].vlan.mode == "untagged"


def test_names_and_keys(tmp_path: Path) -> None:
    made = loading.load(written(tmp_path, WHOLE))
    parts = {(part.name, part.role): part for part in made.nics}
    alpha = parts["Alpha", "vmNIC"]
    assert (alpha.macs, alpha.guids) == (["00155d010205"], [NIC_ID])
    assert alpha.port_names == ["Alpha", "Network Adapter"]
    ethernet = parts["Ethernet 2", "pNIC"]
    assert (ethernet.ifindexes, ethernet.macs) == ([12], ["00155d010203"])
    assert made.switches[0].ports == ["Alpha", "Management", "Ethernet 2"]
    assert 'guid"] = ' in topology.lua(made)


def test_a_name_of_two_names_neither(tmp_path: Path) -> None:
    made = loading.load(written(tmp_path, inventory(Get_VMNetworkAdapter=[nic(), nic("Beta")])))
    assert [part.port_names for part in made.nics] == [["Alpha"], ["Beta"]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"Get_NetAdapter": "text"}, "Get-NetAdapter[1]: 'text' must be an object with properties"),
        ({"Get_NetAdapter": [adapter(), 7]}, "Get-NetAdapter[2]: 7 must be an object with properties"),
        ({"Get_NetAdapter": [adapter(ifIndex="x")]}, "Get-NetAdapter[1].ifIndex: 'x' must be a whole number"),
        ({"Get_NetAdapter": [adapter(VlanID=-1)]}, "Get-NetAdapter[1].VlanID: -1 must be a whole number"),
        (
            {"Get_VMNetworkAdapterVlan": [of(OperationMode=4)]},
            "Get-VMNetworkAdapterVlan[1].OperationMode: 4 must be one of: 0 untagged, 1 access, 2 trunk, 3 private",
        ),
        ({"Get_VMNetworkAdapterVlan": [of(OperationMode=3)]}, ".PrivateVlanMode: None must be Isolated, Community or"),
        (
            {"Get_VMNetworkAdapterVlan": [of(AccessVlanId=5000)]},
            ".AccessVlanId: 5000 must be a whole number from 0 to 4095",
        ),
        ({"Get_VMNetworkAdapterVlan": [of(AllowedVlanIdList=[1, 9999])]}, "[1, 9999] must be a list of VLANs"),
        (
            {"Get_VMNetworkAdapterAcl": [acl("Inbound", "Explode")]},
            "Action: 'Explode' must be one of: 1 allow, 2 deny, 3 meter",
        ),
        ({"Get_VMNetworkAdapterAcl": [acl("Sideways", "Deny")]}, ".Direction: 'Sideways' must be one of"),
        ({"Get_VMNetworkAdapterAcl": [of(Action=1)]}, "Get-VMNetworkAdapterAcl[1].Direction: None is missing"),
        (
            {"Get_VMNetworkAdapterAcl": [acl("Inbound", "Deny", "10.0.0.0/99")]},
            "'10.0.0.0/99' must be ANY, an address, a",
        ),
        ({"Get_VMNetworkAdapterExtendedAcl": [extended("Inbound", "Meter", 1)]}, ".Action: 'Meter' must be one of"),
        (
            {"Get_VMNetworkAdapterExtendedAcl": [extended("Inbound", "Deny", 1, LocalPort="99999")]},
            "'99999' must be ANY, a",
        ),
        ({"computer": {"name": "HV01"}}, "computer: {'name': 'HV01'} must be a text"),
        ({"windows": 7}, "windows: 7 must be an object"),
        ({"wnv_host": 2}, "wnv_host: 2 is newer than this pywnv, which reads 1: update it"),
    ],
)
def test_wrong_values(tmp_path: Path, rows: dict[str, Any], words: str) -> None:
    assert words in wrong(tmp_path, inventory(**rows))


@pytest.mark.slow
def test_cut_off_and_endless(tmp_path: Path) -> None:
    text = json.dumps(WHOLE)
    assert "line 1 column" in wrong(tmp_path, text[:-20].encode())
    assert wrong(tmp_path, b'{"wnv_host": 1, "x": ' + b"[" * 200_000) == "brackets are nested too deep"
    endless = b'{"wnv_host": 1, "Get-NetAdapter": [{"Name": "x", "ifIndex": ' + b"9" * 5000 + b"}]}"
    assert wrong(tmp_path, endless).startswith("Get-NetAdapter[1].ifIndex: inf must be a whole number")
    assert wrong(tmp_path, b"\x7fELF\x02\x01") == "is not valid JSON: Expecting value: line 1 column 1 (char 0)"
    rules = [acl("Inbound", "Deny", f"10.{at >> 8 & 255}.{at & 255}.0/24") for at in range(30_000)]
    assert wrong(tmp_path, inventory(Get_VMNetworkAdapterAcl=rules)) == "has 30000 ACLs; 20000 are the limit"


HOSTILE = [
    "'; Remove-Item C:\\ #",
    "]] os.execute('x') --",
    "<script>alert(1)</script>",
    "[bold]x[/bold]",
    "\x1b[31mred\x07",
    "a\nb",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(tmp_path: Path, name: str) -> None:
    host = read(
        tmp_path,
        Get_VMSwitch=[switch(name)],
        Get_VMNetworkAdapter=[nic(name, name, SwitchName=name)],
        Get_NetAdapter=[adapter(name)],
    )
    assert all(text.isprintable() for text in (host.nics[0].title, host.switches[0].name, host.adapters[0].name))
    from pywnv.lua.runtime import lua_runtime

    made = loading.load(tmp_path / "hv01.json")
    entries = lua_runtime(None).execute(f"return {topology.lua(made)}".encode())[b"entries"]
    assert {entry[b"name"].decode() for entry in entries.values()} >= {host.nics[0].title}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=8,
)
KEYS = sorted({key for rows in WHOLE.values() if isinstance(rows, list) for row in rows for key in row})


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([key for key in WHOLE if key.startswith("Get-")] + ["windows", "left_out", "computer"]),
        st.lists(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6), max_size=3) | JSON,
        max_size=4,
    )
)
def test_whatever_it_says_it_is_read_or_refused(tmp_path: Path, rows: dict[str, Any]) -> None:
    path = written(tmp_path, {"wnv_host": 1, **rows})
    try:
        topology.lua(loading.load(path))
    except WnvError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
