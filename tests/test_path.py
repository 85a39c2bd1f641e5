"""Paths where the switch floods: branches, not a line through all VMs."""

from __future__ import annotations

from pathlib import Path

import pcapng_blocks as ng
import pytest
import windows_events as w
from conftest import CAPTURES
from engine import ethernet, ipv4, udp

import pywnv
from pywnv.annotate.rows import Engine
from pywnv.host.loading import load
from pywnv.statistics.collect import collect

LAB = CAPTURES / "lab.toml"
INTERFACES = ("pnic0", "team0", "vport1", "vport2", "other")


def path_of(hops: tuple[str, ...], folder: Path, *, is_group: bool = True) -> str | None:
    data = ethernet(ipv4(udp()), dst=b"\xff" * 6 if is_group else w.ROUTER)
    made = [ng.section(), *map(ng.interface, INTERFACES)]
    made += [w.packet(INTERFACES.index(hop), at * 5, data) for at, hop in enumerate(hops)]
    file = folder / "a.pcapng"
    file.write_bytes(b"".join(made))
    *_, last = pywnv.annotate(file, topology=load(LAB))
    return last.path


@pytest.mark.parametrize(
    ("hops", "path"),
    [
        ("vport1 vport2 team0 pnic0", "vmNIC Contoso-1 > {vmNIC Contoso-2, tNIC Team1 > pNIC Ethernet 2}"),
        ("vport1 team0 pnic0 vport2", "vmNIC Contoso-1 > {tNIC Team1 > pNIC Ethernet 2, vmNIC Contoso-2}"),
        ("pnic0 team0 vport1 vport2", "pNIC Ethernet 2 > tNIC Team1 > {vmNIC Contoso-1, vmNIC Contoso-2}"),
        ("pnic0 team0 vport1", "pNIC Ethernet 2 > tNIC Team1 > vmNIC Contoso-1"),
        ("vport1 team0 pnic0", "vmNIC Contoso-1 > tNIC Team1 > pNIC Ethernet 2"),
        ("team0 vport1 pnic0", "tNIC Team1 > vmNIC Contoso-1 > pNIC Ethernet 2"),  # not in order
        ("other vport1 vport2", "other > vmNIC Contoso-1 > vmNIC Contoso-2"),
    ],
)
def test_branches_of_a_group(hops: str, path: str, tmp_path: Path) -> None:
    assert path_of(tuple(hops.split()), tmp_path) == path


def test_a_packet_to_one_goes_in_a_line(tmp_path: Path) -> None:
    path = path_of(("vport1", "vport2", "team0", "pnic0"), tmp_path, is_group=False)
    assert path == "vmNIC Contoso-1 > vmNIC Contoso-2 > tNIC Team1 > pNIC Ethernet 2"


@pytest.mark.wireshark
def test_tshark_shows_the_same() -> None:
    path, host = CAPTURES / "mix.pcapng.gz", load(LAB)
    by_lupa, by_tshark = ([row.path for row in pywnv.annotate(path, topology=host, engine=one)] for one in Engine)
    assert by_lupa == by_tshark
    assert "vmNIC Contoso-1 > {vmNIC Contoso-2, tNIC Team1 > pNIC Ethernet 2}" in by_lupa


def test_steps_of_branches_begin_where_they_part(tmp_path: Path) -> None:
    path_of(("vport1", "vport2", "team0", "pnic0"), tmp_path)
    found = collect(tmp_path / "a.pcapng", topology=load(LAB))
    assert {(step.from_hop, step.to_hop, step.most) for step in found.steps} == {
        ("vmNIC Contoso-1", "vmNIC Contoso-2", 5e-6),
        ("vmNIC Contoso-1", "tNIC Team1", 1e-5),
        ("tNIC Team1", "pNIC Ethernet 2", 5e-6),
    }
