"""The table of drop reasons, in Python, in Lua and on its page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT
from hypothesis import given
from hypothesis import strategies as st
from modules import HOSTILE, RUNTIMES, module

from pywnv.tables import drops

TABLE = drops.table()
REASONS = {reason.number: reason for reason in TABLE.reasons}


def test_the_numbers_that_matter() -> None:
    texts = {
        9: "Filtered VLAN",
        12: "Failed security policy",
        29: "Windows Network Virtualization error",
        34: "Packet does not match destination NIC packet filter",
        204: "Unsupported EtherType",
        1204: "INET: transport endpoint was not found",
    }
    assert {number: REASONS[number].text for number in texts} == texts
    assert len(REASONS) == len(TABLE.reasons) == 402
    moved = {reason.number_1809: reason.number for reason in TABLE.reasons if reason.number_1809}
    assert moved == {101: 201, 102: 202, 103: 203, 104: 204, 201: 401, 202: 402, 203: 403, 204: 404}


def test_every_reason_stands_on_the_page() -> None:
    shown = [reason.number for section in drops.sections() for reason in section.reasons]
    assert shown == sorted(REASONS)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (9, "Get-VMNetworkAdapterVlan untagged access trunk native VLAN, 0"),
        (10, "Get-VMNetworkAdapterVlan trunk"),
        (25, "Get-VMNetworkAdapterVlan"),
        (34, "Get-VMNetworkAdapterVlan untagged (the default) drops native"),
        (36, "Get-VMNetworkAdapterIsolation -AllowUntaggedTraffic"),
        (12, "Get-VMNetworkAdapterAcl Get-VMNetworkAdapterExtendedAcl longest prefix MAC before subnet direction"),
        (21, "Get-VMSwitchExtension anti-virus exclusions"),
        (16, "-MacAddressSpoofing On"),
        (17, "-DhcpGuard Off"),
        (18, "-RouterGuard Off"),
        (23, "MTU"),
        (30, "-StormLimit"),
        (38, "Get-NetAdapterPowerManagement"),
        (212, "driver"),
        (1220, "TCP/IP"),
        (3006, "HTTPERR"),
    ],
)
def test_advice(number: int, words: str) -> None:
    advice = REASONS[number].advice or ""
    assert [word for word in words.split() if word not in advice] == []


def test_advice_is_short_and_plain() -> None:
    for part in (*TABLE.reasons, *TABLE.families):
        if part.advice:
            assert re.fullmatch(r"[A-Z][^{}\n\"]*\.", part.advice), part.advice
            assert len(part.advice) < 350
    assert "anti-virus" in TABLE.extension_advice


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_lua_says_the_same(runtime: str) -> None:
    drop = module(runtime, "drop")
    for reason in TABLE.reasons:
        assert drop[b"texts"][reason.number].decode() == reason.text
        assert (drop[b"advice"](reason.number) or b"").decode() == (reason.advice or "")
    assert drop[b"extension_advice"].decode() == TABLE.extension_advice


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Failed Security Policy", 12),
        ("failed security policy", 12),
        (" FAILED  SECURITY\tPOLICY. ", 12),
        ("Packet does not match the packet filter set on the destination NIC", 34),
        ("Packet does not match the packet filter set on the destination NIC.", 34),
        ("Packet does not match destination NIC packet filter", 34),
        ("HTTP: Error. Invalid Host. The host is not found. Check the URL to make sure it is valid.", 3006),
        ("12", 12),
        ("99999999999", None),
        ("Echec de la strategie", None),
        (
            "ICMP: router advertisement came from a router that is not part of the potential router list",
            None,
        ),  # of four
        ("", None),
    ],
)
def test_numbers_by_text(runtime: str, text: str, number: int | None) -> None:
    assert module(runtime, "drop")[b"number"](text.encode()) == number


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_locations(runtime: str) -> None:
    drop = module(runtime, "drop")
    families = {0xE0001001: b"NDIS", 0xE0002078: b"vmSwitch", 0xE0004FFF: b"TCP/IP", 0xE0009007: b"NetAdapterCx"}
    assert {place: drop[b"family"](place) for place in families} == families
    for place in (None, 0, 0xE0000001, 0xE000A000, 0xF0002000, 2**32 - 1, -1):
        assert drop[b"family"](place) is None
    assert b"Virtual Filtering Platform" in drop[b"advice"](None, 0xE0006001)
    assert b"ACL" in drop[b"advice"](12, 0xE0006001)
    assert drop[b"advice"](None, None) is None
    assert drop[b"advice"](123456, 0xE0002001) is None


@given(st.binary(max_size=100) | st.sampled_from(HOSTILE), st.sampled_from(RUNTIMES))
def test_any_text(text: bytes, runtime: str) -> None:
    found = module(runtime, "drop")[b"number"](text)
    assert found is None or 0 <= found < 2**32


def test_the_script_makes_the_data(tmp_path: Path) -> None:
    maps = {"26100": {"DropReason": {"9": "Filtered VLAN ", "3": "x"}}, "19042": {"DropReason": {"3": "old"}}}
    enums = {"PKTMON_DROP_REASON": {"PktMonDrop_FilteredVLAN": 9}}
    for name, content in (("maps", maps), ("enums", enums)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "scripts").mkdir()
    (tmp_path / "pywnv" / "tables" / "data").mkdir(parents=True)
    script = tmp_path / "scripts" / "drop_reasons.py"
    script.write_text((PROJECT / "scripts" / "drop_reasons.py").read_text())
    subprocess.run([sys.executable, script, tmp_path / "maps.json", tmp_path / "enums.json"], check=True)
    rows = {row["number"]: row for row in json.loads((tmp_path / "pywnv/tables/data/drop_reasons.json").read_text())}
    assert (rows[9]["text"], rows[9]["name"], rows[3]["text"]) == ("Filtered VLAN", "FilteredVLAN", "x")
