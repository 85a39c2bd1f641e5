"""Topology files: what they may say, and in one line what is wrong and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modules import RUNTIMES, literal

from pywnv.errors import TopologyError, WnvError
from pywnv.host import loading, pktmon_list, topology, topology_file

TOML = """
[[nics]]
name = "Ethernet 1"
role = "pNIC"
ifindexes = [12]
macs = ["00-15-5D-00-00-01", "0015.5d00.0003"]

[[nics]]
name = "Contoso-Gst"
role = "vmNIC"
port_ids = [5]
port_names = ["F00D"]
interfaces = ["vNIC:Synthetic:x:12:0"]
component_ids = [57]
descriptions = ["a \\" b"]

[[teams]]
name = "Team1"
members = ["Ethernet 1"]

[[switches]]
name = "Contoso-Gst"
ports = ["Team1", "Contoso-Gst"]
"""
YAML = """
nics:
  - name: Ethernet 1
    role: pNIC
    ifindexes: [12]
    macs: [00:15:5D:00:00:01, 00-15-5D-00-00-03]
  - {name: Contoso-Gst, role: vmNIC, port_ids: [5], port_names: [F00D], interfaces: ["vNIC:Synthetic:x:12:0"],
     component_ids: [57], descriptions: ['a " b']}
teams:
  - name: Team1
    members: [Ethernet 1]
switches:
  - name: Contoso-Gst
    ports: [Team1, Contoso-Gst]
"""


def load(folder: Path, text: str | bytes, name: str = "host.toml") -> topology.Topology:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return loading.load(path)


def wrong(folder: Path, text: str | bytes, name: str = "host.toml") -> str:
    with pytest.raises(TopologyError) as caught:
        load(folder, text, name)
    message = str(caught.value)
    assert "\n" not in message
    assert "\r" not in message
    assert len(message) < 300 + len(str(folder))
    start = f"{folder / name}: "
    assert message.startswith(start)
    return message.removeprefix(start)


def test_roles_and_keys_in_any_case(tmp_path: Path) -> None:
    typed = (
        TOML.replace("nics", "NICs").replace("name =", "Name =").replace("macs", "MACs").replace('"vmNIC"', '"vmnic"')
    )
    assert typed != TOML
    assert load(tmp_path, typed) == load(tmp_path, TOML)
    nic = '[[nics]]\nname = "Management"\nrole = "{}"\n'
    assert load(tmp_path, nic.format("HOST-VNIC")) == load(tmp_path, nic.format("host vNIC"))
    assert wrong(tmp_path, nic.format("filter") + 'Role = "filter"\n').startswith("nics[1]: ")
    assert wrong(tmp_path, nic.format("filter") + 'Rule = "filter"\n').startswith("nics[1].Rule: is unknown")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_topology_in_each_language(tmp_path: Path, encoding: str) -> None:
    found = load(tmp_path, TOML.encode(encoding))
    assert load(tmp_path, YAML.encode(encoding), "host.yaml") == found
    assert load(tmp_path, found.model_dump_json().encode(encoding), "host.json") == found
    assert found.nics[0].macs == ["00155d000001", "00155d000003"]


def test_yaml_words_stay_words(tmp_path: Path) -> None:
    found = load(tmp_path, "nics: [{name: no, macs: [10:15:20:30:40:50]}, {name: 12, ifindexes: [7]}]", "host.yml")
    assert [(nic.name, nic.macs) for nic in found.nics] == [("no", ["101520304050"]), ("12", [])]


def test_nothing_is_a_topology_too(tmp_path: Path) -> None:
    assert load(tmp_path, "") == topology.Topology()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[nics]", "Expected ']]' at the end of an array declaration (at line 1, column 7)"),
        ("a = 1\na = 2", "Cannot overwrite a value (at end of document)"),
        ("nic = 1", "nic: is unknown: check the spelling"),
        ("nics = 1", "nics: 1 must be a valid list"),
        ("[[nics]]", "nics[1].name: is missing"),
        ('[[nics]]\nname = " "', "nics[1].name: '' must have at least 1 character"),
        ('[[nics]]\nname = "a"\nnmae = 1', "nics[1].nmae: is unknown"),
        ('[[nics]]\nname = "a"\nrole = "phys"', "nics[1].role: 'phys' must be 'pNIC', 'tNIC', "),
        ('[[nics]]\nname = "a"\nifindexes = [1, -1]', "nics[1].ifindexes[2]: -1 must be greater than or equal to 0"),
        ('[[nics]]\nname = "a"\nifindexes = [4294967296]', "nics[1].ifindexes[1]: "),
        (
            '[[nics]]\nname = "a"\n[[nics]]\nname = "b"\nmacs = ["x"]',
            "nics[2].macs[1]: 'x' is not a MAC address; write it like 00-15-5D-01-02-03",
        ),
        ('[[nics]]\nname = "a"\nmacs = ["x", "y"]\nrole = 3', "nics[1].macs[1]: 'x' is not a MAC address"),
        ('[[nics]]\nname = "a"\n[[nics]]\nname = "a"', "nics[2].name: 'a' is already the name of nics[1]"),
        ('[[nics]]\nname = "a"\n[[teams]]\nname = "a"', "teams[1].name: 'a' is already the name of nics[1]"),
        (
            '[[nics]]\nname = "a"\nifindexes = [1]\n[[switches]]\nname = "a"\nifindexes = [2, 1]',
            "switches[1].ifindexes[2]: '1' is already used for nics[1]",
        ),
        ('[[teams]]\nname = "t"\nmembers = ["x\\ny"]', "teams[1].members[1]: no NIC 'x y' in nics"),
        ('[[switches]]\nname = "s"\nports = ["x"]', "switches[1].ports[1]: no 'x' in nics or teams"),
        ("\xff".encode("latin-1"), "is not text: byte 0 cannot be read as utf-8"),
        ("a = " + "[" * 10000, "brackets are nested too deep"),
        ('[[nics]]\nname = "' + "a" * 9000 + '"', "nics[1].name: '" + "a" * 59 + "…' must have at most 120"),
    ],
)
def test_wrong_toml(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert wrong(tmp_path, text).startswith(words)


def test_how_many_more_are_wrong(tmp_path: Path) -> None:
    text = '[[nics]]\nname = "a"\nmacs = ["x", "y"]\nrole = 3'
    assert wrong(tmp_path, text).endswith(" (and 2 more)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nics: [", "expected the node content, but found '<stream end>' (at line 1, column 8)"),
        ("nics: []\nnics: []", "a key occurs twice (at line 1, column 1)"),
        ("? [a]\n: b", "found unhashable key (at line 1, column 3)"),
        ("- a", "the file: must be a table of names and values"),
        ("just words", "the file: 'just words' must be a table"),
        ("a: *b", "found undefined alias"),
        ("a: \0", "unacceptable character"),
        pytest.param("[" * 5000, "brackets are nested too deep", marks=pytest.mark.slow),
        ("nics: &a [*a]", "found unconstructable recursive node (at line 1, column 7)"),
        ("nics: !!python/object/apply:os.system [x]", "nics[1]: 'x' must be a table"),
    ],
)
def test_wrong_yaml(tmp_path: Path, text: str, words: str) -> None:
    assert wrong(tmp_path, text, "host.yaml").startswith(words)


def test_a_billion_laughs(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "is unknown" in wrong(tmp_path, "\n".join(lines), "host.yaml")
    lines.append("nics: [{name: a, interfaces: *a11}]")
    wrong(tmp_path, "\n".join(lines), "host.yaml")


def test_wrong_files(tmp_path: Path) -> None:
    assert "is none of these" in wrong(tmp_path, "", "host.txt")
    assert wrong(tmp_path, "[", "host.json") == "is not valid JSON: Expecting value: line 1 column 2 (char 1)"
    assert wrong(tmp_path, b" " * (topology_file.LARGEST_FILE + 1)) == "larger than 8 MB, too large for a topology file"
    many = {"nics": [{"name": "a", "ifindexes": list(range(20_001))}]}
    assert "20000 are the limit" in wrong(tmp_path, json.dumps(many), "host.json")
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(WnvError, match=str(path)):
            loading.load(path)


@given(st.binary(max_size=80), st.sampled_from(["a.toml", "a.yaml", "a.json"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file(tmp_path: Path, data: bytes, name: str) -> None:
    try:
        load(tmp_path, data, name)
    except TopologyError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", [']] os.execute("x") --', 'a"b\\', "line\nbreak", "名前 ☃", "%s {{ 7 * 7 }}"])
def test_a_name_stays_a_name(tmp_path: Path, runtime: str, name: str) -> None:
    made = topology.Topology(nics=[topology.Nic(name=name, interfaces=[name], descriptions=[name])])
    text = topology.lua(made)
    assert text.isascii()
    table = literal(runtime, text)
    assert table[b"entries"][1][b"name"].decode() == name
    assert table[b"interface"][name.encode()] == 1


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_largest_topology_is_lua(runtime: str) -> None:
    nics = [topology.Nic(name=f"n{n}", interfaces=[f"i{n}"]) for n in range(loading.MOST_KEYS)]
    assert literal(runtime, topology.lua(topology.Topology(nics=nics)))[b"interface"][b"i19999"] == 20_000


def test_lua_of_a_shared_mac() -> None:
    nics = [topology.Nic(name=name, macs=["00-15-5D-00-00-01"]) for name in "ab"]
    assert '["mac"] = {  }' in topology.lua(topology.Topology(nics=nics))


def test_the_schema_is_up_to_date() -> None:
    schema = json.loads((PROJECT / "docs" / "topology.schema.json").read_text())
    assert schema == json.loads(topology.schema())
    assert set(schema["properties"]) == {"nics", "teams", "switches"}
    assert set(topology.KEYS) < set(schema["$defs"]["Nic"]["properties"])


# pktmon list --json


def component(id: int, name: str, kind: str, **properties: object) -> dict[str, object]:
    listed = []
    for key, value in properties.items():
        for each in value if isinstance(value, list) else [value]:
            listed.append({"Name": key.replace("_", " "), "Value": each})
    return {"Id": id, "Name": name, "Type": kind, "Properties": listed}


MAC = {"MAC_Address": "00-15-5D-00-00-01"}
GROUPS = [
    {
        "Group": "wireless",
        "Components": [
            component(10, "", "VMS Protocol Nic", Switch_name="wireless", Ext_ifIndex=20, Nic_ifIndex=[7, 8]),
            component(11, "Hyper-V Virtual Switch Extension Adapter", "Miniport", ifIndex=20),
            component(12, "wireless", "Host vNic", Ext_ifIndex=20, ifIndex=21, **MAC),
            {
                **component(13, "Contoso-Gst", "VM Nic", Ext_ifIndex=20, MAC_Address="00-15-5D-00-00-02"),
                "SecondaryId": 14,
            },
        ],
    },
    {
        "Group": "others",
        "Components": [
            component(15, "Hyper-V Virtual Ethernet Adapter", "Miniport", ifIndex="21", **MAC),
            component(16, "Microsoft Network Adapter Multiplexor Driver", "Miniport", ifIndex=7),
            component(17, "Intel(R) Ethernet", "Miniport", ifIndex=8, MAC_Address="0x001122334455"),
            component(18, "Realtek", "Miniport", ifIndex=9),
            component(19, "QoS Packet Scheduler", "Filter", ifIndex=40, Miniport_ifIndex=8),
            component(20, "QoS Packet Scheduler", "Filter", ifIndex=41, Miniport_ifIndex=9),
            component(21, "TCP/IPv4", "Protocol", EtherType=[2048, 2054]),
        ],
    },
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("flat", [False, True])
def test_pktmon_list(tmp_path: Path, encoding: str, flat: bool) -> None:
    rows = [row for group in GROUPS for row in group["Components"]] if flat else GROUPS
    found = load(tmp_path, json.dumps(rows).encode(encoding), "pktmon.json")
    nics = {nic.name: (nic.role, nic.component_ids, nic.ifindexes, nic.macs) for nic in found.nics}
    assert nics == {
        "wireless": ("host vNIC", [12, 15], [21], ["00155d000001"]),
        "Contoso-Gst": ("vmNIC", [13, 14], [], ["00155d000002"]),
        "Microsoft Network Adapter Multiplexor Driver": ("tNIC", [16], [7], []),
        "Intel(R) Ethernet": ("pNIC", [17], [8], ["001122334455"]),
        "Realtek": (None, [18], [9], []),
        "QoS Packet Scheduler": ("filter", [19, 20], [], []),
        "TCP/IPv4": ("protocol", [21], [], []),
    }
    (switch,) = found.switches
    assert (switch.name, switch.component_ids) == ("wireless", [10, 11])
    assert switch.descriptions == ["Hyper-V Virtual Switch Extension Adapter"]
    assert switch.ports == [
        "wireless",
        "Contoso-Gst",
        "Microsoft Network Adapter Multiplexor Driver",
        "Intel(R) Ethernet",
    ]
    topology.lua(found)


def test_what_two_of_pktmon_claim_names_neither() -> None:
    rows = [component(1, "a", "VM Nic", **MAC), component(2, "b", "Filter"), component(2, "c", "Filter", **MAC)]
    rows.append(component(3, "a", "Filter"))
    found = pktmon_list.topology(rows)
    keys = {(nic.name, nic.role): (nic.component_ids, nic.descriptions) for nic in found.nics}
    assert keys == {
        ("a", "vmNIC"): ([1], []),
        ("b", "filter"): ([], ["b"]),
        ("c", "filter"): ([], ["c"]),
        ("a", "filter"): ([3], []),
    }


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 2**40) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Group", "Components", "Id", "SecondaryId", "Name", "Type", "Properties", "Value", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@pytest.mark.slow
@given(anything, anything, anything, st.sampled_from(["VM Nic", "Filter", "Miniport", "VMS Protocol Nic", ""]))
@settings(max_examples=300, deadline=None)
def test_any_list_of_pktmon(name: object, id: object, properties: object, kind: str) -> None:
    row = {"Id": id, "Name": name, "Type": kind, "Properties": properties}
    for value in (row, [row], [{"Components": row}], [{"Group": name, "Components": [row, row]}], properties):
        if pktmon_list.is_list(value):
            topology.lua(pktmon_list.topology(value))
