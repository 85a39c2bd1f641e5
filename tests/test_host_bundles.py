"""What people collect of a host already: Get-SDDCDiagnosticInfo, Get-NetView, WSL's logs, as folder and zip."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from command import run
from host_files import (
    NIC_ID,
    SWITCH_ID,
    VM_ID,
    Row,
    acl,
    adapter,
    clixml,
    format_list,
    inventory,
    netview,
    nic,
    of,
    switch,
    written,
)

from pywnv.errors import TopologyError
from pywnv.host import loading
from pywnv.host.model import Host


def load(path: Path) -> Host:
    host = loading.load(path).host
    assert host is not None
    return host


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


ALPHA = nic(Id=f"Microsoft:{VM_ID}\\{NIC_ID}", MacAddress="00155D010205", IPAddresses=["10.0.0.5", "fe80::1"])


def sddc(folder: Path, node: str = "Node_HV01.contoso.com") -> Path:
    inside = {"VlanSetting": {"OperationMode": (1, "Access"), "AccessVlanId": 7}}
    return put(
        folder,
        {
            f"{node}/GetNetAdapter.XML": clixml([adapter(InterfaceIndex=12, PermanentAddress="00155D010203")]),
            f"{node}/GetVMSwitch.XML": clixml([switch(SwitchType=(2, "External"))]),
            f"{node}/GetVMNetworkAdapter.XML": clixml(
                [{**ALPHA, **inside, "DhcpGuard": (0, "On"), "Status": [(2, "Ok")]}]
            ),
            f"{node}/GetNetLbfoTeam.XML": clixml([]),
            f"{node}/GetNetLbfoTeam.txt": b"Name : never read, since the XML is there\r\nMembers : {a}\r\n",
            f"{node}/SystemInfo.TXT": b"Host Name: HV01",
        },
    )


def test_sddc(tmp_path: Path) -> None:
    folder = sddc(tmp_path / "HealthTest")
    for path in (folder, folder / "Node_HV01.contoso.com", zipped(folder, tmp_path / "HealthTest.zip")):
        host = load(path)
        assert host.computer == "HV01"
        assert [(one.label, one.vlan.access, one.dhcp_guard, one.status) for one in host.nics] == [
            ("vmNIC Alpha", 7, True, "Ok")
        ]
        assert (host.adapters[0].ifindex, host.adapters[0].mac) == (12, "00155d010203")
        assert (host.switches[0].kind, host.switches[0].uplinks, host.teams) == ("external", ["Ethernet 2"], [])


def test_a_cluster_has_several_hosts(tmp_path: Path) -> None:
    folder = sddc(sddc(tmp_path / "HealthTest"), "Node_HV02.contoso.com")
    with pytest.raises(TopologyError, match=r"holds 2 hosts \(HV01, HV02\); name the folder of one"):
        loading.load(folder)


def view(folder: Path) -> Path:
    """Get-NetView's folders: settings of NICs stand beside their NIC, and do not name it."""
    one = "msdbg.HV01/VMSwitch.1.external"
    setting: Row = {"OperationMode": "Trunk", "NativeVlanId": 10, "AllowedVlanIdList": [10, 11, 12, 20, 21, 22]}
    files = {
        "msdbg.HV01/Get-NetAdapter.txt": netview("Get-NetAdapter", [adapter(MacAddress="00-15-5D-01-02-03")]),
        "msdbg.HV01/pNIC.Ethernet 2/Get-NetAdapter.txt": netview("Get-NetAdapter", [adapter(MacAddress="x")]),
        f"{one}/Get-VMSwitch.txt": netview("$(Get-VMSwitch -Id x)", [switch(Extensions=["Microsoft.HyperV.x"])]),
        f"{one}/Get-VMSwitchExtension.txt": netview(
            "Get-VMSwitchExtension",
            [{"SwitchName": "external", "Name": "Guard", "Vendor": "X", "Enabled": True, "Running": True}],
        ),
    }
    for vm, vlan in (("Alpha", setting), ("Beta", {"OperationMode": "Untagged", "AccessVlanId": 0})):
        place = f"{one}/VM.1.{vm}/VMNic.Network Adapter.x"
        identity = f"Microsoft:{VM_ID}\\{vm}"
        files |= {
            f"{place}/Get-VMNetworkAdapter.txt": netview("Get-VMNetworkAdapter", [nic(vm, Id=identity, Status=["Ok"])]),
            f"{place}/Get-VMNetworkAdapterVlan.txt": netview(
                "Get-VMNetworkAdapterVlan",
                [
                    {
                        **vlan,
                        "AllowedVlanIdListString": "10-12,20-22" if vm == "Alpha" else "",
                        "ParentAdapter": "VMNetworkAdapter",
                    }
                ],
            ),
            f"{place}/Get-VMNetworkAdapterAcl.txt": netview(
                "Get-VMNetworkAdapterAcl",
                [{"Action": "Deny", "Direction": "Inbound", "LocalAddress": "", "RemoteAddress": "10.0.0.0/8"}],
            ),
            f"{place}/Get-VMNetworkAdapterExtendedAcl.txt": netview("Get-VMNetworkAdapterExtendedAcl", []),
        }
    return put(folder, files)


def test_netview(tmp_path: Path) -> None:
    folder = view(tmp_path / "view")
    for path in (folder, zipped(folder, tmp_path / "msdbg.HV01.zip")):
        host = load(path)
        alpha, beta = host.nics
        assert (host.computer, alpha.label, beta.label) == ("HV01", "vmNIC Alpha", "vmNIC Beta")
        # The list was cut after four; its text was not.
        assert (alpha.vlan.mode, alpha.vlan.allowed) == ("trunk", [10, 11, 12, 20, 21, 22])
        assert (beta.vlan.mode, len(alpha.acls), len(beta.acls)) == ("untagged", 1, 1)
        assert [one.name for one in host.adapters] == ["Ethernet 2"]
        assert [one.name for one in host.switches[0].extensions] == ["Guard"]
        assert host.notes == []


def test_wsl(tmp_path: Path) -> None:
    rows = [
        {"Name": "vEthernet (WSL)", "ifIndex": 40, "NetLuid": 1, "InterfaceGuid": "{" + SWITCH_ID + "}", "Status": "Up"}
    ]
    table = "\r\n".join(
        [
            *["", f"Name {'Id':<36} SwitchType", f"---- {'--':<36} ----------"],
            *[f"WSL  {SWITCH_ID} Internal", "", ""],
        ]
    )
    folder = put(
        tmp_path / "WslLogs-2026",
        {
            "Get-NetAdapter_before_repro.log": format_list(rows).encode("utf-16"),
            "Get-NetAdapter_after_repro.log": format_list(rows).encode("utf-16"),
            "Get-VMSwitch_before_repro.log": table.encode("utf-16"),
            "pktmon.etl": b"\0" * 64,
        },
    )
    host = load(folder)
    assert [(one.name, one.ifindex) for one in host.adapters] == [("vEthernet (WSL)", 40)]
    assert [(one.name, one.kind, one.id) for one in host.switches] == [("WSL", "internal", SWITCH_ID)]


def test_a_folder_of_json(tmp_path: Path) -> None:
    put(tmp_path, {"Get-VMNetworkAdapterVlan.json": json.dumps(of(OperationMode=1, AccessVlanId=4)).encode("utf-16")})
    assert load(tmp_path).nics[0].vlan.access == 4


def wrong(path: Path) -> str:
    with pytest.raises(TopologyError) as error:
        loading.load(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def test_hostile_zips(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Get-NetAdapter.txt", b"A" * 80_000_000)
    assert bomb.stat().st_size < 100_000
    assert wrong(bomb) == "Get-NetAdapter.txt: too large for a file about a host"

    climbing = tmp_path / "climbing.zip"
    with zipfile.ZipFile(climbing, "w") as archive:
        archive.writestr("../../../etc/Get-NetAdapter.json", json.dumps([adapter()]))
        archive.writestr("/etc/passwd", "root")
    assert [one.name for one in load(climbing).adapters] == ["Ethernet 2"]  # only looked at
    assert not (tmp_path.parent / "etc").exists()

    whole = climbing.read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[:-30])
    assert "is not a readable zip" in wrong(cut)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(whole.replace(b'"Ethernet 2"', b'"Ethernet 9"'))
    assert wrong(broken).startswith("is not a readable zip: Bad CRC-32")
    empty = tmp_path / "empty.zip"
    zipfile.ZipFile(empty, "w").close()
    empty_words = wrong(empty)
    assert "holds nothing" in empty_words or "is none of these" in empty_words


def test_hostile_files(tmp_path: Path) -> None:
    assert wrong(tmp_path).startswith("holds nothing that Get-SDDCDiagnosticInfo, Get-NetView or WSL's")
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><Objs/>'
    for data, words in (
        (entity, "Get-NetAdapter.xml: has a DOCTYPE, which CliXml never has"),
        (b"<Objs><Obj>", "Get-NetAdapter.xml: is not CliXml: the output of Export-Clixml begins with Objs"),
        (clixml([adapter()])[:-20], "Get-NetAdapter.xml: is not valid XML: broken at line 1, column"),
        (b"", "Get-NetAdapter.xml: is not valid XML: broken at line 1, column 1"),
        (b"<Objs xmlns='http://schemas.microsoft.com/powershell/2004/04'>" + b"<Obj>" * 3000, "is not valid XML"),
    ):
        put(tmp_path, {"Get-NetAdapter.xml": data})
        assert words in wrong(tmp_path)
    (tmp_path / "Get-NetAdapter.xml").unlink()
    (tmp_path / "Get-NetAdapter.json").symlink_to("/etc/passwd")
    assert wrong(tmp_path).startswith("holds nothing")  # links may lead out of the folder


def test_commands_say_it_in_one_line(tmp_path: Path) -> None:
    broken = written(tmp_path, inventory(Get_VMNetworkAdapterAcl=[acl("Inbound", "Explode")]))
    for arguments in (("host", "show", broken), ("host", "lint", broken), ("annotate", "-", "--host", broken)):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == (
            f"pywnv: {broken}: Get-VMNetworkAdapterAcl[1].Action: 'Explode' must be one of: 1 allow, 2 deny, 3 meter\n"
        )
