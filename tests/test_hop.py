"""What the names of interfaces say: role, name, VLAN, port, NIC type, ifIndex."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import HOSTILE, RUNTIMES, literal, lua, module, plain

from pywnv.host.loading import load
from pywnv.host.topology import Nic, Switch, Team, Topology
from pywnv.host.topology import lua as topology_lua
from pywnv.tables import fields

GUID = "01234567-89AB-CDEF-0123-456789ABCDEF"
MULTIPLEXOR = "Microsoft Network Adapter Multiplexor Driver"
EXTENSION = "Hyper-V Virtual Switch Extension"

# interface name, its description: name as shown, and what else is known
CASES: list[tuple[str, str | None, str, dict[str, object]]] = [
    # etl2pcapng on ndiscap
    ("eth:12:0", None, "Ethernet (ifIndex 12)", {"ifindex": 12}),
    ("eth:12", None, "Ethernet (ifIndex 12)", {"ifindex": 12}),
    ("eth:12:7", None, "Ethernet (ifIndex 12)", {"ifindex": 12, "vlan": 7}),
    ("eth:23:0", "LWF over IfIndex 12", "filter ifIndex 23 over ifIndex 12", {"ifindex": 23, "over": 12}),
    ("eth:23:5", "LWF over IfIndex 12 VlanID=5 ", "filter ifIndex 23 over ifIndex 12", {"vlan": 5}),
    ("wifi:7", None, "pNIC Wi-Fi (ifIndex 7)", {"ifindex": 7}),
    ("mbb:9", None, "pNIC Mobile broadband (ifIndex 9)", {"ifindex": 9}),
    (f"Rras:0:{{{GUID}}}:CONTOSO\\alice b", None, "RAS CONTOSO\\alice b", {}),
    ("Rras:0:::a:b", None, "RAS :a:b", {}),
    (
        "vNIC:Synthetic:Contoso-Gst:12:0",
        None,
        "vmNIC Contoso-Gst",
        {"nic_type": "Synthetic", "port_name": "Contoso-Gst", "vlan": 0, "ifindex": 12, "port": None},
    ),
    ("vNIC:Emulated:old guest:12:0", None, "vmNIC old guest", {"nic_type": "Emulated"}),
    ("vNIC:Internal:a:b:3:c:12:4094", " VlanID=4094 ", "host vNIC a:b:3:c", {"port_name": "a:b:3:c", "vlan": 4094}),
    ("vNIC:External:uplink:12:0", None, "vSwitch uplink", {"nic_type": "External"}),
    ("vNIC:Quantum:x:12:0", None, "x", {"nic_type": "Quantum", "port_name": "x"}),
    ("vNIC:Synthetic::12:0", None, "vmNIC ifIndex 12", {"port_name": "", "ifindex": 12}),
    ("vNIC:Synthetic:名前 ☃:12:-1", None, "vmNIC 名前 ☃", {"vlan": None}),
    ("vNIC:Synthetic:" + "n" * 240, None, "vmNIC " + "n" * 120, {"ifindex": None}),  # cut at 255 bytes
    # etl2pcapng 1.7.0 and etwdump
    ("vidou-pvlan1:Synthetic:4:3", None, "vmNIC vidou-pvlan1", {"port": 4, "vlan": 3, "nic_type": "Synthetic"}),
    ("a:b c:Internal:1:0", None, "host vNIC a:b c", {"port": 1, "vlan": 0, "port_name": "a:b c"}),
    (":Synthetic:4:3", None, "vmNIC port 4", {"port": 4}),
    ("vNIC:Synthetic:4:3", None, "vmNIC vNIC", {"port": 4, "vlan": 3}),
    ("10:20:30:40", None, "10:20:30:40", {"port": None}),
    ("a:Unheard:4:3", None, "a:Unheard:4:3", {"port": None}),
    # etl2pcapng 1.12 on pktmon
    ("pacer.sys", "QoS Packet Scheduler", "filter pacer.sys", {"driver": "pacer.sys"}),
    ("tcpip.sys", "TCP/IPv4 - L3/L4", "protocol tcpip.sys (TCP/IPv4 - L3/L4)", {}),
    ("tcpip.sys", None, "protocol tcpip.sys", {}),
    ("VmsProxyHNic.sys", "Hyper-V Virtual Ethernet Container Adapter #2", None, {"role": "host vNIC"}),
    ("netvsc.sys", "Microsoft Hyper-V Network Adapter", "vmNIC Microsoft Hyper-V Network Adapter", {}),
    ("vmswitch.sys", f"{EXTENSION} Adapter", f"vSwitch {EXTENSION} Adapter", {}),
    ("vmswitch.sys", f"{EXTENSION} Filter", "filter vmswitch.sys", {}),
    ("vmswitch.sys", None, "vmswitch.sys", {}),
    ("vmswitch.sys", GUID, GUID, {}),
    ("vfpext.sys", "VFP Extension", "filter vfpext.sys", {}),
    ("NdisImPlatform.sys", MULTIPLEXOR, f"tNIC {MULTIPLEXOR}", {}),
    ("NdisImPlatform.sys", f"{MULTIPLEXOR} #2", f"tNIC {MULTIPLEXOR} #2", {}),
    ("e1i65x64.sys", "Intel(R) Ethernet Connection I219-LM", "Intel(R) Ethernet Connection I219-LM", {}),
    ("e1i65x64.sys", None, "e1i65x64.sys", {}),
    # pywnv convert
    ("Ethernet 3 [vmNIC, netvsc.sys, component 59, edge 1]", None, "vmNIC Ethernet 3", {"component_id": 59, "edge": 1}),
    ("a [b] Upper on [c] [filter, component 2, edge 9]", None, "filter a [b] Upper on [c]", {"driver": None}),
    ("x [unknown, pacer.sys, component 2, edge 9]", None, "filter x", {"driver": "pacer.sys"}),
    ("x [unknown, vmswitch.sys, component 2, edge 9]", f"{EXTENSION} Adapter", "vSwitch x", {}),
    ("x [unknown, a, b.sys, component 2, edge 9]", None, "x", {"driver": "a, b.sys"}),
    ("x [filter, component 2]", None, "x [filter, component 2]", {"component_id": None}),
    ("eth:12:0", "Ethernet 2", "Ethernet 2", {"ifindex": 12}),
    # dumpcap and others
    ("eth0", None, "eth0", {}),
    ("eth0", "Some NIC", "eth0", {}),
    ("vport1", None, "vport1", {}),
    ("vNIC", None, "vNIC", {}),
    (f"\\Device\\NPF_{{{GUID}}}", "Ethernet 2", "Ethernet 2", {}),
    (f"\\Device\\NPF_{{{GUID}}}", None, f"\\Device\\NPF_{{{GUID}}}", {}),
    (f"\\Device\\NPF_{{{GUID}}}", "vEthernet (Default Switch)", "vEthernet (Default Switch)", {}),
    ("eth:", None, "eth:", {}),
    ("eth:12:0:0", None, "eth:12:0:0", {"ifindex": None}),
    ("eth:99999999999:0", None, "eth:99999999999:0", {"ifindex": None}),
    ("", None, "interface 3", {}),
    (" \0 ", None, "interface 3", {}),
]


def place(runtime: str, name: str | bytes | None, description: str | None = None, id: int | None = 3) -> Any:
    name = name.encode() if isinstance(name, str) else name
    words = None if description is None else description.encode()
    return plain(module(runtime, "hop")[b"new"](b"ethernet", id, name, words))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("name", "description", "shown", "known"), CASES)
def test_names(runtime: str, name: str, description: str | None, shown: str | None, known: dict[str, object]) -> None:
    found = place(runtime, name, description)
    if shown:
        assert found["name"] == shown
        role = next((role for role in fields.ROLES if shown.startswith(role + " ")), "unknown")
        assert fields.ROLES[found["role"]] == role
    assert {key: fields.ROLES[found[key]] if key == "role" else found.get(key) for key in known} == known
    assert (found["kind"], found["id"]) == ("ethernet", 3)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_interface_has_no_name(runtime: str) -> None:
    assert place(runtime, None, id=None) == {"kind": "ethernet", "title": "", "role": 0}
    assert place(runtime, None)["name"] == "interface 3"


def check(found: dict[str, Any]) -> None:
    for text in (value for value in found.values() if isinstance(value, str)):
        assert not any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in text)
        assert len(text.encode()) < 300


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", [b"%s", b"vNIC:%s:%s:1:2", b"vNIC:Synthetic:%s:1:2", b"%s:Synthetic:1:2", b"%s.sys"])
def test_hostile_names(runtime: str, form: bytes, name: bytes) -> None:
    found = place(runtime, form.replace(b"%s", name), "LWF over IfIndex 99999999999")
    check(found)
    assert found["name"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_name_of_lua_stays_a_name(runtime: str) -> None:
    assert place(runtime, 'vNIC:Synthetic:]] os.execute("x") --:12:0')["name"] == 'vmNIC ]] os.execute("x") --'


@given(st.binary(max_size=60), st.none() | st.text(max_size=30), st.sampled_from(RUNTIMES))
@settings(max_examples=300, deadline=None)
def test_any_bytes(name: bytes, description: str | None, runtime: str) -> None:
    description = description and description.encode("utf-8", "replace").decode()
    check(place(runtime, name, description))
    check(place(runtime, b"vNIC:Synthetic:" + name + b":1:2"))


# The registry.


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_names_of_places_that_are_long_gone_take_no_memory(runtime: str) -> None:
    """As of a capture with a section for each frame."""
    body = b"""
    local registry, count = ...
    for number = 1, count do
      registry:commit()
      assert(registry:place("ethernet", 0, "interface of section " .. number, nil).name)
    end
    collectgarbage()
    return collectgarbage("count") / 1024
    """
    assert lua(runtime).execute(body, registry(runtime), 200_000) < 15  # MB


def registry(runtime: str, topology: Topology | None = None) -> Any:
    table = topology and literal(runtime, topology_lua(topology))
    return module(runtime, "hop")[b"registry"](table)


def ask(places: Any, id: int, name: str, description: str | None = None) -> Any:
    return places[b"place"](places, b"ethernet", id, name.encode(), description and description.encode())


def noted(places: Any, base: Any, runtime: str, **note: str | int) -> Any:
    table = literal(runtime, "{}")
    for key, value in note.items():
        table[key.encode()] = value.encode() if isinstance(value, str) else value
    return places[b"noted"](places, base, table)


def shown(found: Any) -> str:
    return found[b"name"].decode()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_places_that_look_the_same_get_their_number(runtime: str) -> None:
    places = registry(runtime)
    names = [shown(ask(places, id, "pacer.sys", "QoS Packet Scheduler")) for id in (4, 7, 9)]
    assert names == ["filter pacer.sys", "filter pacer.sys (interface 7)", "filter pacer.sys (interface 9)"]
    assert shown(ask(places, 1, "eth0")) == "eth0"
    assert shown(ask(places, 4, "pacer.sys", "QoS Packet Scheduler")) == "filter pacer.sys"  # another section


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_components_of_pspkt(runtime: str) -> None:
    places = registry(runtime)
    base = ask(places, 0, "")
    one = noted(places, base, runtime, component="pacer.sys", component_id=12, edge="Ingress")
    other = noted(places, base, runtime, component="pacer.sys", component_id=12, edge="Egress")
    twin = noted(places, base, runtime, component="pacer.sys", component_id=13, edge="Ingress")
    assert shown(one) == "filter pacer.sys Ingress"
    assert shown(other) == "filter pacer.sys Egress"
    assert shown(twin) == "filter pacer.sys (component 13) Ingress"
    again = noted(places, base, runtime, component="pacer.sys", component_id=12, edge="Ingress")
    same = literal(runtime, "function(a, b) return a == b end")
    assert same(again, one)
    assert not same(one, other)
    assert same(noted(places, base, runtime, pid=4), base)
    assert shown(noted(places, base, runtime, component="", component_id=5)) == "component 5"
    port = "7A2C14D0-5B0E-4F7E-9C57-0E8F8B7C2A11--C3C6B1D9-2B64-43B0-8A5B-6D1E0F3F9A5E"
    assert shown(noted(places, base, runtime, component=port, component_id=45)) == f"vmNIC {port}"
    known = noted(places, base, runtime, component=port, component_id=46, group="Alpha", edge="Egress")
    assert shown(known) == "vmNIC Alpha Egress"
    on_alpha = noted(places, base, runtime, component="x", component_id=47, group="Alpha")
    assert shown(on_alpha) == "x on Alpha"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_noted_places_are_not_endless(runtime: str) -> None:
    count = literal(
        runtime,
        """function(places, base)
          local names, count = {}, 0
          for id = 1, 10000 do
            local name = places:noted(base, { component = "x", component_id = id }).name
            places:commit()
            count = count + (names[name] and 0 or 1)
            names[name] = true
          end
          return count
        end""",
    )
    places = registry(runtime)
    assert count(places, ask(places, 0, "")) < 5000


TOPOLOGY = Topology(
    nics=[
        Nic(name="Ethernet 1", role="pNIC", ifindexes=[12], macs=["00-15-5D-00-00-01"]),
        Nic(name="Ethernet 2", role="pNIC", interfaces=["eth:13:0"]),
        Nic(name="Contoso-Gst", role="vmNIC", port_ids=[5], macs=["00155d000002"]),
        Nic(name="Contoso-Two", role="vmNIC", port_names=["F00D"]),
        Nic(name="Scheduler\n", role="filter", component_ids=[57], descriptions=["QoS Packet Scheduler"]),
        Nic(name=']] os.execute("x") --', interfaces=["weird"]),
    ],
    teams=[Team(name="Team1", ifindexes=[20], members=["Ethernet 1", "Ethernet 2"])],
    switches=[Switch(name="wireless", ifindexes=[30], ports=["Team1", "Contoso-Gst"])],
)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("name", "description", "expected"),
    [
        ("eth:12:0", None, "pNIC Ethernet 1"),
        ("eth:13:0", None, "pNIC Ethernet 2"),
        ("eth:20:0", None, "tNIC Team1"),
        ("eth:30:0", None, "vSwitch wireless"),
        ("eth:23:0", "LWF over IfIndex 12", "filter ifIndex 23 over ifIndex 12"),
        ("vNIC:Synthetic:F00D:12:0", None, "vmNIC Contoso-Two"),
        ("vNIC:Synthetic:other:12:0", None, "vmNIC other"),  # the ifIndex is the switch's
        ("any:Synthetic:5:0", None, "vmNIC Contoso-Gst"),
        ("pacer.sys", "QoS Packet Scheduler", "filter Scheduler"),
        ("weird", None, ']] os.execute("x") --'),
        ("eth:99:0", None, "Ethernet (ifIndex 99)"),
    ],
)
def test_the_topology_names_places(runtime: str, name: str, description: str | None, expected: str) -> None:
    assert shown(ask(registry(runtime, TOPOLOGY), 1, name, description)) == expected


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_else_the_topology_tells(runtime: str) -> None:
    places = registry(runtime, TOPOLOGY)
    assert ask(places, 1, "eth:12:0")[b"team"] == b"Team1"
    assert ask(places, 2, "eth:20:0")[b"switch"] == b"wireless"
    port = noted(places, ask(places, 3, "vNIC:Synthetic:x:1:0"), runtime, port=5)
    assert (shown(port), port[b"switch"]) == ("vmNIC Contoso-Gst", b"wireless")
    assert shown(noted(places, ask(places, 0, ""), runtime, component="any", component_id=57)) == "filter Scheduler"
    owner = places[b"owner"](places, bytes.fromhex("00155d000002"))
    assert owner[b"name"] == b"Contoso-Gst"
    assert places[b"owner"](places, b"\0\0\0\0\0\0") is None


@pytest.mark.parametrize(
    ("name", "description", "as_shown"),
    [
        (name, description, shown)
        for name, description, shown in re.findall(
            r"^\| `([^`]+)`(?:, `[^`]+`)?(?:, \"([^\"]*)\")? \|[^|]*\| `([^`]+)`",
            (PROJECT / "docs" / "hops.md").read_text("utf-8"),
            re.MULTILINE,
        )
    ],
)
def test_the_page_is_true(name: str, description: str, as_shown: str) -> None:
    assert place("lua54", name, description or None)["name"] == as_shown


def test_the_topology_of_the_page_is_one(tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "hops.md").read_text("utf-8")
    path = tmp_path / "host.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0], "utf-8")
    assert [nic.name for nic in load(path).nics] == ["Ethernet 1", "Contoso-Gst"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_places_of_a_frame_that_does_not_count(runtime: str) -> None:
    """Their names are free again."""
    places = registry(runtime)
    assert shown(ask(places, 0, "a")) == "a"
    places[b"commit"](places)
    base = ask(places, 1, "a")
    assert shown(base) == "a (interface 1)"
    assert shown(noted(places, base, runtime, component="x", component_id=1)) == "x"
    places[b"discard"](places)
    assert shown(ask(places, 2, "a (interface 1)")) == "a (interface 1)"
    assert shown(noted(places, base, runtime, component="x", component_id=2)) == "x"
    assert shown(ask(places, 0, "a")) == "a"
