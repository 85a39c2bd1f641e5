"""Which rule of a host decides about a packet: a table of cases, and a second evaluation of any."""

from __future__ import annotations

import string
from typing import Any

import host_rules
import pytest
from engine import RUNTIMES
from host_rules import CASES, IDS, NICS, TABLE
from hypothesis import given, settings
from hypothesis import strategies as st

from pywnv.host import rules
from pywnv.host.evaluate import Packet, evaluate
from pywnv.host.inventory import MOST_RULES
from pywnv.host.model import ExtendedAcl, PortAcl, VirtualNic, Vlan


def test_enough_cases_with_sources() -> None:
    assert len(CASES) >= 60
    assert {case["from"] for case in CASES} <= set(TABLE["sources"])
    assert {case["nic"] for case in CASES} == set(NICS)
    assert {NICS[case["nic"]].vlan.mode for case in CASES} == set(Vlan.model_fields["mode"].annotation.__args__)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_case(case: dict[str, Any], runtime: str) -> None:
    found = evaluate(NICS[case["nic"]], host_rules.packet(case), runtime=runtime)
    assert (found.passes, found.decided_by) == (not case["by"].startswith("!"), case["by"].removeprefix("!"))
    assert case.get("rule", "") in (found.rule or "")
    assert (found.rule is None) == (found.decided_by == "none")
    if "lost" in case:
        assert len(found.matched) == case["lost"]


def test_a_vlan_that_is_not_known_drops_nothing() -> None:
    found = evaluate(
        NICS["all_kinds"], Packet("inbound", None, None, None, bytes([10, 0, 0, 9]), bytes(4), hides_vlan=True)
    )
    assert (found.decided_by, found.passes) == ("port-acl", False)


V4 = st.tuples(st.sampled_from([10, 11, 192]), *[st.integers(0, 3)] * 3).map(bytes)
V6 = st.tuples(st.sampled_from([0x20, 0xFE]), *[st.integers(0, 1)] * 15).map(bytes)
MAC = st.integers(0, 3).map(lambda number: bytes([0, 0x15, 0x5D, 0, 0, number]))
PORT = st.sampled_from([22, 80, 443, 32767, 32768, 50000])
VLAN = st.sampled_from([None, 0, 10, 20, 21, 200, 201])


def _text(address: bytes) -> str:
    return str(rules.ipaddress.ip_address(address))


ADDRESS = st.one_of(
    st.just("ANY"),
    V4.map(_text),
    V6.map(_text),
    st.tuples(V4, st.integers(0, 32)).map(lambda pair: f"{_text(pair[0])}/{pair[1]}"),
    st.tuples(V6, st.integers(0, 128)).map(lambda pair: f"{_text(pair[0])}/{pair[1]}"),
)
SIDE = st.one_of(ADDRESS, MAC.map(bytes.hex))
WAY = st.sampled_from(["inbound", "outbound"])
PORTS = st.one_of(st.just("ANY"), PORT.map(str), st.tuples(PORT, PORT).map(lambda pair: f"{min(pair)}-{max(pair)}"))
MODE = st.sampled_from(["untagged", "access", "trunk", "isolated", "community", "promiscuous"])

VLAN_SETTING = st.builds(
    Vlan,
    mode=MODE,
    access=st.sampled_from([10, 20]),
    native=st.sampled_from([0, 10]),
    allowed=st.lists(st.sampled_from([0, 10, 20, 21]), max_size=3),
    primary=st.just(10),
    secondary=st.lists(st.sampled_from([200, 201]), min_size=1, max_size=2),
)
PORT_ACL = st.builds(
    PortAcl, direction=WAY, action=st.sampled_from(["allow", "deny", "meter"]), local=SIDE, remote=SIDE
)
EXTENDED_ACL = st.builds(
    ExtendedAcl,
    direction=WAY,
    action=st.sampled_from(["allow", "deny"]),
    local_address=ADDRESS,
    remote_address=ADDRESS,
    local_port=PORTS,
    remote_port=PORTS,
    protocol=st.sampled_from(["ANY", "TCP", "UDP", "ICMPv4", "ICMPv6"]),
    weight=st.integers(0, 2**31 - 1),
    stateful=st.booleans(),
)
NIC = st.builds(
    VirtualNic,
    vm=st.just("Alpha"),
    name=st.just("Network Adapter"),
    title=st.just("Alpha"),
    vlan=VLAN_SETTING,
    acls=st.lists(PORT_ACL, max_size=6),
    extended_acls=st.lists(EXTENDED_ACL, max_size=6, unique_by=lambda acl: acl.weight),
)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    address = draw(st.sampled_from([V4, V6, st.none()]))
    protocol = draw(st.sampled_from([None, 1, 6, 17, 58]))
    port = PORT if protocol in (6, 17) else st.none()
    return Packet(
        draw(WAY),
        draw(VLAN),
        *(draw(st.one_of(MAC, st.none())) for _ in range(2)),
        *(draw(address) for _ in range(2)),
        protocol,
        *(draw(port) for _ in range(2)),
        begins=protocol == 6 and draw(st.booleans()),
        hides_vlan=draw(st.booleans()),
    )


@pytest.mark.slow
@given(NIC, packets(), st.sampled_from(RUNTIMES))
@settings(max_examples=250, deadline=None)
def test_any_rules_and_packet(nic: VirtualNic, packet: Packet, runtime: str) -> None:
    passes, decided_by, rule = host_rules.naive(nic, packet)
    found = evaluate(nic, packet, runtime=runtime)
    assert (found.passes, found.decided_by) == (passes, decided_by)
    if isinstance(rule, PortAcl):
        # Of rules that are equal but for their side, either may be told.
        best = [one for one in host_rules.port_acls(nic, packet) if one.action == rule.action]
        assert any(rules.port_acl_words(one) in found.rule for one in best)
    elif rule:
        assert rules.extended_acl_words(rule) in found.rule
    assert evaluate(nic, packet, runtime="lua52") == found


@given(st.text(max_size=60), st.text(max_size=60), st.text(string.printable, max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_texts(name: str, address: str, port: str) -> None:
    nic = VirtualNic(
        vm=name,
        name=name,
        title=name,
        id=name,
        switch=address,
        acls=[PortAcl(direction="inbound", action="deny", local=address, remote=name)],
        extended_acls=[
            ExtendedAcl(direction="inbound", action="deny", local_address=name, local_port=port, protocol=address)
        ],
    )
    found = evaluate(nic, Packet("inbound", source=bytes(4), destination=bytes(4), protocol=6, source_port=5))
    for words in (found.rule or "", *found.matched):
        assert words.isprintable()


def test_a_name_is_no_code() -> None:
    odd = ']] os.execute("x") --'
    nic = VirtualNic(vm=odd, name=odd, title=odd, acls=[PortAcl(direction="inbound", action="deny", remote="ANY")])
    assert evaluate(nic, Packet("inbound", destination=bytes(4))).rule == f"port ACL of vmNIC {odd}: Deny Inbound ANY"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_as_many_rules_as_an_inventory_may_have(runtime: str) -> None:
    """No Lua takes so many constants in one function."""
    like = ExtendedAcl(direction="inbound", action="allow", protocol="TCP")
    many = [
        like.model_copy(
            update={
                "local_address": f"10.{number >> 8}.{number & 255}.1",
                "remote_address": f"11.{number >> 8}.{number & 255}.0/24",
                "local_port": f"{number}-{number + 1}",
                "remote_port": str(number + 1),
                "weight": number,
            }
        )
        for number in range(MOST_RULES)
    ]
    nic = VirtualNic(vm="a", name="a", title="a", extended_acls=many)
    packet = Packet("inbound", None, None, None, bytes([11, 0, 0, 9]), bytes([10, 0, 0, 1]), 6, 1, 0)
    found = evaluate(nic, packet, runtime=runtime)
    assert found.rule == f"extended ACL of vmNIC a: {rules.extended_acl_words(many[0])} (weight 0)"
