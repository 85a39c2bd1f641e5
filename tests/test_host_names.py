"""Hops by an inventory: the NICs of VMs are told apart by their GUIDs, though all are called Network Adapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import CAPTURES, run
from host_files import SWITCH_ID, adapter, inventory, nic, written
from pcapng_blocks import interface, option, packet, section

VMS = {
    vm: (f"{at}aaaaaaa-0000-0000-0000-00000000000a", f"{at}bbbbbbb-0000-0000-0000-00000000000b")
    for at, vm in enumerate(("Alpha", "Beta"))
}
NIC_OF = {vm: f"{ids[0]}--{ids[1]}".upper() for vm, ids in VMS.items()}
HOST = inventory(
    Get_NetAdapter=[
        adapter("Ethernet 2", ifIndex=12, InterfaceGuid="{" + SWITCH_ID.upper() + "}", HardwareInterface=True)
    ],
    Get_VMNetworkAdapter=[nic(vm, Id="Microsoft:" + "\\".join(ids).upper()) for vm, ids in VMS.items()],
)
COMMENT, DESCRIPTION = 1, 3  # options
FRAME = bytes.fromhex("00155d00000200155d0000010800") + bytes(46)


def hops(folder: Path, engine: str, content: bytes) -> list[str]:
    capture = folder / "host.pcapng"
    capture.write_bytes(content)
    done = run("annotate", capture, "--host", written(folder, HOST), "--format", "jsonl", "--engine", engine)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line)["hop"] for line in done.stdout.splitlines()]


@pytest.mark.wireshark
@pytest.mark.parametrize("engine", ["lupa", "tshark"])
def test_by_guid(tmp_path: Path, engine: str) -> None:
    names = [
        f"vNIC:Synthetic:{NIC_OF['Beta']}:12:0",
        "vmswitch.sys",
        f"\\Device\\NPF_{{{SWITCH_ID}}}",
        "vNIC:Synthetic:x:12:0",
    ]
    descriptions = ["", NIC_OF["Alpha"], "", ""]
    told = [option(DESCRIPTION, words.encode()) if words else b"" for words in descriptions]
    content = section() + b"".join(interface(name, more=more) for name, more in zip(names, told, strict=True))
    content += b"".join(packet(number, number, FRAME) for number in range(4))
    assert hops(tmp_path, engine, content) == ["vmNIC Beta", "vmNIC Alpha", "pNIC Ethernet 2", "vmNIC x"]


@pytest.mark.wireshark
@pytest.mark.parametrize("engine", ["lupa", "tshark"])
def test_one_interface_two_vms(tmp_path: Path, engine: str) -> None:
    """Ports of one name share an interface; the NIC that is noted with each frame tells them apart."""
    noted = "PID=4 VlanId=0 SrcPortId=%d SrcNicType=Synthetic SrcNicName=%s SrcPortName=Network Adapter DstNicCount=1"
    comments = [noted % (at + 4, NIC_OF[vm]) for at, vm in enumerate(VMS)] + [noted % (9, "F00D--C0DE")]
    content = section() + interface("vNIC:Synthetic:Network Adapter:12:0")
    content += b"".join(
        packet(0, at, FRAME, options=option(COMMENT, words.encode())) for at, words in enumerate(comments)
    )
    assert hops(tmp_path, engine, content) == ["vmNIC Alpha", "vmNIC Beta", "vmNIC Network Adapter"]


@pytest.mark.wireshark
@pytest.mark.parametrize("engine", ["lupa", "tshark"])
def test_events(engine: str) -> None:
    """An event calls each VM's NIC Network Adapter; the GUIDs before that tell whose it is."""
    capture = CAPTURES / "deep-dive" / "vlan-drop-etl2pcapng.pcapng"
    host = CAPTURES / "host" / "contoso01.json"
    done = run("annotate", capture, "--host", host, "--format", "jsonl", "--engine", engine)
    rows = [json.loads(line) for line in done.stdout.splitlines()[1:4]]
    assert [(row["event"], row["event_nic"], row["event_destination_nic"]) for row in rows] == [
        ("received", "Contoso-Gst", None),
        ("routed", "Contoso-Gst", "wireless"),
        ("dropped", "wireless", None),
    ]
