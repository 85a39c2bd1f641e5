"""How a host is drawn, and the script that collects it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import CAPTURES, run
from host_files import acl, adapter, extended, inventory, nic, of, switch, written

from pywnv.host import loading

TEAM_NIC = "Microsoft Network Adapter Multiplexor Driver"
HOST = inventory(
    collected="2026-11-28T12:00:00Z",
    left_out={"Get-MpPreference": "not on this system"},
    Get_NetAdapter=[
        adapter("Ethernet 1", ifIndex=12, MacAddress="00-15-5D-01-02-01", HardwareInterface=True),
        adapter("Ethernet 2", ifIndex=13, MacAddress="00-15-5D-01-02-02", HardwareInterface=True, VlanID=9),
        adapter("Team1", InterfaceDescription=TEAM_NIC, ifIndex=20),
        adapter("Wi-Fi", ifIndex=5, HardwareInterface=True),
    ],
    Get_NetLbfoTeam=[{"Name": "Team1", "Members": ["Ethernet 1", "Ethernet 2"], "TeamingMode": 1}],
    Get_NetLbfoTeamNic=[
        {"Name": "Team1", "Team": "Team1", "Primary": True},
        {"Name": "Team1 - VLAN 42", "Team": "Team1", "Primary": False, "VlanID": 42},
    ],
    Get_VMSwitch=[switch(uplink=TEAM_NIC)],
    Get_VMSwitchExtension=[{"SwitchName": "external", "Name": "Guard", "Vendor": "Contoso", "Enabled": True}],
    Get_VMNetworkAdapter=[
        nic(MacAddress="00155D010205", IPAddresses=["10.0.0.5"], MacAddressSpoofing=0),
        nic("Beta"),
        nic("Lost", SwitchName=None),
        nic(None, "Management"),
    ],
    Get_VMNetworkAdapterVlan=[
        of(OperationMode=2, NativeVlanId=10, AllowedVlanIdList=[10, 20, 21]),
        of("Beta", OperationMode=3, PrivateVlanMode=1, PrimaryVlanId=10, SecondaryVlanId=200),
    ],
    Get_VMNetworkAdapterAcl=[acl("Inbound", "Deny", "10.0.0.0/8"), acl("Outbound", "Deny", "10.0.0.0/8")],
    Get_VMNetworkAdapterExtendedAcl=[extended("Inbound", "Allow", 1)],
)

TEXT = """\
HV01, build 17763, collected 2026-11-28T12:00:00Z
├── vSwitch external, type external
│   ├── extension Guard of Contoso
│   ├── vmNIC Alpha, Trunk (native VLAN 10, allowed 10, 20-21), 00-15-5D-01-02-05, 10.0.0.5, 2 port
│   │   ACLs, 1 extended ACL, MAC spoofing
│   ├── vmNIC Beta, Isolated (primary VLAN 10, secondary 200)
│   ├── host vNIC Management, Untagged
│   └── uplink tNIC Team1, SwitchIndependent, also Team1 - VLAN 42
│       ├── pNIC Ethernet 1, NIC of Ethernet 1, ifIndex 12, 00-15-5D-01-02-01, Up
│       └── pNIC Ethernet 2, NIC of Ethernet 2, ifIndex 13, 00-15-5D-01-02-02, VLAN 9, Up
├── on no vSwitch
│   └── vmNIC Lost, Untagged
└── pNIC Wi-Fi, NIC of Wi-Fi, ifIndex 5, Up
left out: Get-MpPreference: not on this system
"""


def show(path: Path, form: str = "text") -> str:
    done = run("host", "show", path, "--format", form)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_text(tmp_path: Path) -> None:
    said = show(written(tmp_path, HOST))
    assert [line.rstrip() for line in said.splitlines()] == TEXT.splitlines()


def test_toml_is_a_topology(tmp_path: Path) -> None:
    path = written(tmp_path, HOST)
    names = tmp_path / "names.toml"
    names.write_text(show(path, "toml"), "utf-8")
    made, known = loading.load(names), loading.load(path)
    assert made == known.model_copy(update={"host": None})


def test_json_is_all_that_was_understood(tmp_path: Path) -> None:
    told = json.loads(show(written(tmp_path, HOST), "json"))
    (alpha,) = (one for one in told["nics"] if one["title"] == "Alpha")
    assert (alpha["vlan"]["allowed"], alpha["acls"][0]["remote"]) == ([10, 20, 21], "10.0.0.0/8")


def test_svg_shows_all_and_runs_nothing(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    told = {**HOST, "Get-VMNetworkAdapter": [nic(evil), nic(None, "a & b")], "Get-VMSwitch": [switch(evil)]}
    for value in (HOST, told):
        picture = ElementTree.fromstring(show(written(tmp_path, value), "svg"))
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert {element.tag.rpartition("}")[2] for element in picture.iter()} <= {
            "svg",
            "g",
            "title",
            "rect",
            "text",
            "line",
        }
    texts = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert f"vmNIC {evil}" in texts
    assert "host vNIC a & b" in texts


def test_svg_says_all_of_a_switch_and_colours_what_is_on_none(tmp_path: Path) -> None:
    """Names that are longer than the switch's box go on in the next line; a NIC on no switch has its role's colour."""
    name, extension = "A switch of the finance department", "Contoso Packet Filter Extension"
    more = [{"SwitchName": name, "Name": extension, "Vendor": "Contoso", "Enabled": True}]
    told = {**HOST, "Get-VMSwitch": [switch(name, TEAM_NIC)], "Get-VMSwitchExtension": more}
    picture = ElementTree.fromstring(show(written(tmp_path, told), "svg"))
    texts = [element.text or "" for element in picture.iter() if element.tag.endswith("text")]
    assert not [text for text in texts if "…" in text]
    assert f"vSwitch {name}" in " ".join(texts)
    assert f"extension {extension}" in " ".join(texts)
    fills = {group[2].text: group[1].get("fill") for group in picture.iter() if group.tag.endswith("}g")}
    assert fills["pNIC Wi-Fi"] == fills["pNIC Ethernet 1"]


def test_a_list_of_pktmon_is_drawn_too() -> None:
    said = show(CAPTURES / "deep-dive" / "contoso01.toml")
    assert "├── vSwitch wireless" in said
    assert "vmNIC Contoso-Gst, 00-15-5D-28-0A-04" in said
    assert "Untagged" not in said  # nothing tells


def test_what_steers_a_terminal_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "host.toml"
    path.write_text('[[nics]]\nname = "a\\u001b[31mb"\nrole = "vmNIC"\n[[switches]]\nname = "\\u0007s"\nports = []\n')
    for form in ("text", "svg", "json"):
        said = show(path, form)
        assert "a [31mb" in said
        assert not {"\x1b", "\x07"} & set(said)
    ElementTree.fromstring(show(path, "svg"))


# The script


def test_the_script_parses() -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    text = run("host", "script").stdout
    tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(text)
    assert not tree.root_node.has_error
    broken = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(text.replace(b"catch {", b"catch ("))
    assert broken.root_node.has_error


def test_the_script_only_reads() -> None:
    """Each command that it names is one that gets, tells or makes text; and ASCII reads the same on any code page."""
    import re

    text = run("host", "script").stdout.decode("ascii")
    code = re.sub(r"<#.*?#>|#[^\n]*", "", text, flags=re.S)
    verbs = {verb for verb, _ in re.findall(r"\b([A-Z][A-Za-z]+)-([A-Z]\w+)", code)}
    assert verbs == {"Get", "Add", "ConvertTo", "Where", "Write", "New", "Set"}
    own = set(re.findall(r"function ([\w-]+)", code))
    assert set(re.findall(r"\bAdd-\w+", code)) <= own
    assert set(re.findall(r"\bNew-\w+ \w+[.\w]*", code)) == {"New-Object Text.UTF8Encoding"}
    assert set(re.findall(r"\bWrite-\w+", code)) == {"Write-Warning"}
    assert set(re.findall(r"\bSet-\w+ [-\w]+", code)) == {"Set-StrictMode -Off"}


def test_the_script_leaves_the_session_alone() -> None:
    """No strict mode of the session hinders it, and it clears no errors and sets no variable of PowerShell itself."""
    import re

    text = run("host", "script").stdout.decode("ascii")
    code = re.sub(r"<#.*?#>|#[^\n]*", "", text, flags=re.S)
    assert code.index("Set-StrictMode -Off") < code.index("function")
    own = "args|error|event|foreach|host|input|matches|switch|this|global:\\w+|env:\\w+|\\w+Preference"
    assert not re.findall(rf"\$({own})\b", code, re.I)


def test_the_script_asks_what_the_readers_read() -> None:
    from pywnv.host import inventory as reading

    text = run("host", "script").stdout.decode()
    asked = {cmdlet for cmdlet in reading.CMDLETS if f"'{cmdlet}'" in text}
    members = {"Get-NetLbfoTeamMember", "Get-VMSwitchTeam", "Win32_OperatingSystem"}  # what others tell, too
    assert asked == set(reading.CMDLETS) - members


def test_the_script_goes_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "Get-WnvHost.ps1"
    assert run("host", "script", "-o", path).returncode == 0
    assert path.read_bytes() == run("host", "script").stdout
    again = run("host", "script", "-o", path)
    assert again.returncode == 2
    assert b"--force" in again.stderr
