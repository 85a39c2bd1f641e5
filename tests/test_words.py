"""What the engine says, as words for people: hops in a column, marks in the packet list, sentences of comments."""

from __future__ import annotations

import pytest
from modules import RUNTIMES, literal, module, plain

from pywnv.lua.quoting import lua_literal
from pywnv.tables.drops import table
from pywnv.words import one_line

PACER = "filter pacer.sys {} on Ethernet 2"
TCPIP = "protocol tcpip.sys ({} - L3/L4) on Ethernet 2"
DOCK = "Realtek USB GbE Family Controller on Ethernet (dock) {}"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("vmNIC Contoso-Gst (component 4)", "vmNIC Contoso-Gst (component 4)"),
        (PACER.format("Upper"), "pacer.sys Upper on Ethernet 2"),
        (PACER.format("Lower"), "pacer.sys Lower on Ethernet 2"),
        ("filter xdp.sys Upper on Team1", "xdp.sys Upper on Team1"),  # as all filters of Team1 look
        ("filter pacer.sys", "filter pacer.sys"),
        ("HV01: " + PACER.format("Lower"), "HV01: pacer Lower on Ethernet 2"),
        ("filter wfplwfs.sys Lower on vEthernet (Management)", "wfplwfs Lower on vEthern…gement)"),
        ("filter NdisImPlatform.sys Lower on Ethernet 2", "NdisIm…tform Lower on Ethernet 2"),
        (TCPIP.format("TCP/IPv4"), "TCP/IPv4 - L3/L4 on Ethernet 2"),
        (TCPIP.format("TCP/IPv6"), "TCP/IPv6 - L3/L4 on Ethernet 2"),
        (DOCK.format("Ingress"), "Realt…ller on Ether…ock) Ingress"),
        (DOCK.format("Egress"), "Realt…ller on Ether…dock) Egress"),
        ("pNIC " + "x" * 40 + " #2", "pNIC xxxxxxxxxxx…xxxxxxxxxxxx #2"),
    ],
)
def test_hops_in_a_column(runtime: str, name: str, short: str) -> None:
    said = literal(runtime, lua_literal({"hop": name}))
    assert plain(module(runtime, "words")[b"place"](said, 32)) == short
    assert len(short) <= 32


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_step_names_both_hops(runtime: str) -> None:
    words = module(runtime, "words")
    said = words[b"step"](DOCK.format("Ingress").encode(), b"vmNIC Contoso-Gst Egress", 39)
    assert plain(said) == "Realt\u2026ock) Ingress > vmNIC\u2026o-Gst Egress"
    lower, upper = (PACER.format(edge).encode() for edge in ("Lower", "Upper"))
    assert plain(words[b"step"](lower, upper, 50)) == "pacer Lower > pacer Upper on Ethernet 2"
    assert plain(words[b"step"](lower, upper, 32)) == "pacer Lower > pacer Upp\u2026hernet 2"
    assert plain(words[b"step"](b"pnic0", b"team0", 39)) == "pnic0 > team0"


def test_text_keeps_to_its_line() -> None:
    assert one_line("日本語\u3000Ethernet é\u00a02") == "日本語\u3000Ethernet é\u00a02"
    assert one_line("a\r\n\x1b[31m\x9b\u2028\u202e\ufeff\udcffb") == "a\ufffd\ufffd\ufffd[31m" + "\ufffd" * 5 + "b"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("drop", "words"),
    [
        ({"drop_reason": 9, "drop_reason_text": "Filtered VLAN"}, "dropped: Filtered VLAN"),
        (
            {"drop_reason": 34, "drop_reason_text": "Packet does not match destination NIC packet filter"},
            "dropped: destination NIC packet filter",
        ),
        ({"drop_reason": 506}, "dropped: reason 506"),
        ({}, "dropped: reason not given"),
    ],
)
def test_why_a_frame_was_dropped(runtime: str, drop: dict[str, object], words: str) -> None:
    said = literal(runtime, lua_literal({"drop": True, **drop}))
    assert plain(module(runtime, "words")[b"dropped"](said)) == words


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("drop", "words"),
    [
        ({}, "Failed security policy"),
        ({"drop_rule": "port ACL of vmNIC A: Deny Inbound 192.0.2.1"}, "port ACL: Deny Inbound 192.0.2.1, at vmNIC A"),
        ({"drop_rule": "isolation of vmNIC A (VLAN) lets no untagged packets pass"}, None),
        ({"drop_rule": "extended ACL of vmNIC A: Deny"}, "extended ACL: Deny, at vmNIC A"),
        ({"drop_rule": "VLAN of vmNIC A: Access VLAN 9 drops"}, "VLAN: Access VLAN 9 drops, at vmNIC A"),
        ({"drop_rule": "no VLAN setting or ACL of this inventory explains it; VFP"}, "Failed security policy"),
        ({"drop_rule": "VFP: block rule 7 (layer A: group B)"}, None),
        ({"drop": None, "drop_rule": "port ACL of vmNIC A: Deny"}, ""),
    ],
)
def test_what_explains_a_drop_begins_with_the_rule(runtime: str, drop: dict[str, str], words: str | None) -> None:
    dropped = {"drop": True, "drop_reason_text": "Failed security policy"} | drop
    said = literal(runtime, lua_literal({name: value for name, value in dropped.items() if value is not None}))
    why = module(runtime, "words")[b"why"](said)
    assert ((why and plain(why)) or "") == (drop.get("drop_rule") if words is None else words)


def test_brief_reasons_fit_into_a_column() -> None:
    briefs = [reason.brief for reason in table().reasons if reason.brief]
    assert briefs
    assert all(len(f"[dropped: {brief}") <= 42 for brief in briefs)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_duplicate_is_as_late_as_the_sighting_that_it_names(runtime: str) -> None:
    """Of a third sighting, too: its number and time are those of the first, not of the one before it."""
    third = '{ verdict = 1, packet = 26, previous = 27, hop = "pnic0", hop_delta = 6e-7, hop_elapsed = 1.9e-6 }'
    words, said = module(runtime, "words"), literal(runtime, third)
    assert plain(words[b"mark"](said)) == "duplicate of 26, +1.9 us"
    assert plain(words[b"sentence"](said)) == "duplicate of 26 at pnic0, +1.9 us"
