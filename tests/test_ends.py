"""Who sends a packet to whom, as rows tell it, and which drops do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pcapng_blocks as ng
import pytest
import windows_events as w
from conftest import CAPTURES
from engine import (
    arp,
    echo,
    ethernet,
    ieee8023,
    ipv4,
    ipv4_fragments,
    lldp,
    runtimes,
    stp,
    tcp,
    udp,
)
from hypothesis import given
from hypothesis import strategies as st
from modules import lua, module

import pywnv
from pywnv.annotate.rows import Engine
from pywnv.lua import lua_text

ENDS = ("length", "protocol", "source", "destination", "source_port", "destination_port")
TCP, UDP, ICMP, IGMP = 6, 17, 1, 2
FRAMES = {
    "tcp": (ethernet(ipv4(tcp(sport=50000, dport=443), TCP)), ("TCP", "192.0.2.1", "192.0.2.2", 50000, 443)),
    "udp": (ethernet(ipv4(udp(sport=5, dport=53), UDP), tags=((0x8100, 7),)), ("UDP", "192.0.2.1", "192.0.2.2", 5, 53)),
    "ping": (ethernet(ipv4(echo(), ICMP)), ("ICMP", "192.0.2.1", "192.0.2.2", None, None)),
    "odd": (ethernet(ipv4(b"x" * 20, 253)), ("IP protocol 253", "192.0.2.1", "192.0.2.2", None, None)),
    "igmp": (ethernet(ipv4(b"\x16" + b"x" * 20, IGMP)), ("IGMP", "192.0.2.1", "192.0.2.2", None, None)),
    "arp": (ethernet(arp(), 0x0806), ("ARP", "192.0.2.1", "192.0.2.2", None, None)),
    "fragment": (
        ethernet(ipv4_fragments(ipv4(udp(b"z" * 900), UDP), 400)[1]),
        ("UDP", "192.0.2.1", "192.0.2.2", None, None),
    ),
    "short": (ethernet(ipv4(b"\1\2", TCP, payload_sum=0)[:22]), ("TCP", "192.0.2.1", "192.0.2.2", None, None)),
    "lldp": (ethernet(lldp(), 0x88CC), ("LLDP", "02:00:00:00:00:0a", "02:00:00:00:00:0b", None, None)),
    "stp": (ieee8023(stp()), ("STP", "02:00:00:00:00:0a", "01:80:c2:00:00:00", None, None)),
    "own": (ethernet(b"x" * 50, 0x88B5), ("0x88b5", "02:00:00:00:00:0a", "02:00:00:00:00:0b", None, None)),
    "broken": (ethernet(b"\x45\0", 0x0800), ("IPv4", "02:00:00:00:00:0a", "02:00:00:00:00:0b", None, None)),
    "runt": (b"\1\2\3", (None, None, None, None, None)),
}


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    made = [ng.section(), ng.interface("eth0")]
    made += [ng.packet(0, at * 1000, data) for at, (data, _) in enumerate(FRAMES.values(), 1)]
    path = tmp_path / "a.pcapng"
    path.write_bytes(b"".join(made))
    return path


def ends(path: Path, engine: Engine | None = None) -> Iterator[tuple[object, ...]]:
    for row in pywnv.annotate(path, engine=engine):
        yield tuple(getattr(row, name) for name in ENDS)


def test_each_kind_of_packet(capture: Path) -> None:
    found = dict(zip(FRAMES, ends(capture), strict=True))
    assert found == {name: (len(data), *wanted) for name, (data, wanted) in FRAMES.items()}


@pytest.mark.wireshark
def test_tshark_says_the_same(capture: Path) -> None:
    assert list(ends(capture, Engine.TSHARK)) == list(ends(capture))


@runtimes
@given(
    address=st.one_of(st.integers(0, 2**128 - 1), st.lists(st.sampled_from([0, 0, 1, 0xABC]), min_size=8, max_size=8))
)
def test_ipv6_addresses_are_written_as_everybody_does(runtime: str, address: int | list[int]) -> None:
    if isinstance(address, list):
        address = int.from_bytes(b"".join(group.to_bytes(2, "big") for group in address), "big")
    ours = lua(runtime).execute(lua_text("writers/ends.lua").encode())[b"ipv6"](address.to_bytes(16, "big"), 1)
    assert ours.decode() == ":".join(_groups(address))


def _groups(address: int) -> list[str]:
    text = IPv6Address(address).compressed
    head, _, tail = text.rpartition(":")
    if "." in tail:  # as newer Pythons write the addresses of IPv4 in them
        number = int(IPv4Address(tail))
        text = f"{head}:{number >> 16:x}:{number & 0xFFFF:x}"
    return text.split(":")


def test_inside_a_tunnel_and_behind_a_nat() -> None:
    inner = {row.source for row in pywnv.annotate(CAPTURES / "lab2" / "vxlan.pcapng.gz") if row.protocol == "TCP"}
    assert inner <= {"10.0.0.1", "10.0.0.2", "10.0.0.9"}
    nat = [
        row for row in pywnv.annotate(CAPTURES / "lab2" / "nat.pcapng.gz") if row.rewritten and "nat" in row.rewritten
    ]
    assert {row.source for row in nat if row.hop == "pnic0"} == {"192.0.2.1"}  # as it was captured there


def test_an_event_has_no_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(w.odd_events())
    events = [row for row in pywnv.annotate(path) if row.verdict == "event"]
    assert events
    assert {tuple(getattr(row, name) for name in ENDS) for row in events} == {(None,) * 6}


@runtimes
def test_drops_that_do_no_harm(runtime: str) -> None:
    is_harmless = module(runtime, "drop")[b"is_harmless"]
    told = {
        (reason, group): is_harmless(reason, group)
        for reason in (12, 34, 902, 1217, 1204, None)
        for group in (True, False)
    }
    assert {key for key, harmless in told.items() if harmless} == {
        *((902, True), (902, False), (1217, True), (1217, False)),
        *((34, True), (1204, True)),  # only where nobody listens to a group
    }


@pytest.mark.parametrize(
    ("frame", "is_to_group"),
    [
        (ethernet(ipv4(udp(), UDP), dst=bytes.fromhex("01005e0000fb")), True),
        (ethernet(ipv4(udp(), UDP), dst=b"\xff" * 6), True),
        (ethernet(ipv4(udp(), UDP)), False),
    ],
)
def test_a_drop_of_a_group(tmp_path: Path, frame: bytes, is_to_group: bool) -> None:
    note = w.comment("wnv: component=5 edge=1 drop=1204 location=0xE0004001")
    path = tmp_path / "a.pcapng"
    path.write_bytes(ng.section() + ng.interface("tcpip.sys") + w.packet(0, 1, frame, note))
    (row,) = pywnv.annotate(path)
    assert (row.drop, row.drop_reason, row.drop_harmless) == (True, 1204, is_to_group)
    (by_tshark,) = pywnv.annotate(path, engine=Engine.TSHARK)
    assert by_tshark.drop_harmless is is_to_group
