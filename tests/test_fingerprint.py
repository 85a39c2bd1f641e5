"""Which tool wrote a capture, and which version of it."""

from __future__ import annotations

from pathlib import Path

import pcapng_blocks as ng
import pytest
from conftest import CAPTURES

from pywnv.inspect.fingerprint import MOST_LENGTHS, OTHER_LENGTHS, Tool, scan, tool

TICK = ng.SECONDS * 10**6

SNAP = 65535  # of etl2pcapng
VM_PORT = "VlanId=3 SrcPortId=5 SrcNicType=Synthetic SrcNicName=n SrcPortName=p"


def noted(comment: str) -> bytes:
    return ng.option(1, comment.encode()) + ng.option(0, b"")


def etl(name: str, comment: str = "") -> bytes:
    """A capture as some etl2pcapng writes it."""
    options = noted(comment) if comment else b""
    return ng.section() + ng.interface(name, snap=SNAP) + ng.packet(0, TICK, ng.ethernet(), options=options)


def program(name: str) -> bytes:
    return ng.section(options=ng.option(3, b"Windows 11") + ng.option(4, name.encode()) + ng.option(0, b""))


def told(tmp_path: Path, data: bytes) -> Tool:
    path = tmp_path / "capture"
    path.write_bytes(data)
    return tool(scan(path))


@pytest.mark.parametrize(
    ("capture", "version"),
    [
        (etl("eth:10", "PID=4"), "1.5 or 1.6"),
        (etl("eth:10"), "1.5 or 1.6"),
        (etl("wifi:10", "PID=4"), "1.5 to 1.8"),
        (etl("eth:10:0", "PID=4"), "1.7 or 1.8"),
        (etl("vidou-pvlan1:Synthetic:4:3", f"PID=4 {VM_PORT}"), "1.7"),
        (etl("vNIC:Synthetic:p:5:3", f"PID=4 {VM_PORT} HashValue=00000000"), "1.8"),
        (etl("vNIC:Synthetic:p:5:3", f"PID=4 TID=8 {VM_PORT} HashValue=00000000"), "1.9 or newer"),
        (etl("Rras:0:{x}:alice", "PID=4 TID=8"), "1.9 or newer"),
        (etl("eth:10:0", "PID=4 TID=8"), "1.9 or newer"),
        (etl("eth:10:0", "PID=4 TID=8") + ng.journal(ng.JOURNAL_ENTRY), "1.12 or newer"),
        (etl("tcpip.sys"), "1.12 or newer"),
    ],
)
def test_versions_of_etl2pcapng(tmp_path: Path, capture: bytes, version: str) -> None:
    found = told(tmp_path, capture)
    assert (found.name, found.version, found.saved_by) == ("etl2pcapng", version, None)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("etl2pcapng", "etl2pcapng"),
        ("pktmon", "etl2pcapng"),
        ("etl2pcap", "pktmon"),
        ("etwdump", "Wireshark's etwdump"),
        ("pspkt", "pspkt"),
    ],
)
def test_tools(layout: str, name: str) -> None:
    paths = list((CAPTURES / "deep-dive").glob(f"*-{layout}.pcapng"))
    assert paths
    for path in paths:
        assert tool(scan(path)).name == name


@pytest.mark.parametrize("order", ["<", ">"])
def test_programs(tmp_path: Path, order: str) -> None:
    words = "Dumpcap (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3)"
    options = ng.option(3, b"an OS\x1b[31m\0", order) + ng.option(4, words.encode(), order)
    found = told(tmp_path, ng.section(order, options) + ng.interface("eth0", order))
    assert (found.name, found.version, found.system) == ("Dumpcap (Wireshark)", "4.0.17", "an OS [31m")
    assert told(tmp_path, program("a tool")).name == "a tool"


def test_a_file_that_was_saved_again(tmp_path: Path) -> None:
    data = (
        program("Editcap 4.4.1") + ng.interface("eth:3:0") + ng.packet(0, TICK, ng.ethernet(), options=noted("PID=4"))
    )
    assert told(tmp_path, data) == Tool(
        "etl2pcapng", "1.7 or 1.8", "Editcap 4.4.1", "Windows 11", ("interfaces named eth:…", "comments with PID")
    )


def test_a_file_that_tells_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, ng.pcap([(1, 2, ng.ethernet())])) == Tool()
    assert told(tmp_path, ng.section() + ng.interface()) == Tool()
    assert told(tmp_path, b"GMBU" + bytes(200)).name == "Network Monitor or Message Analyzer"
    assert told(tmp_path, b"\0what is this") == Tool()


def test_every_odd_capture_is_scanned(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    for data in ng.odd_captures().values():
        for stop in (len(data) // 2, len(data) - 3, len(data)):
            path.write_bytes(data[:stop])
            scan(path)
    for name, packets in (
        ("blocks-little.pcapng", 6),
        ("blocks-big.pcapng", 6),
        ("us-big.pcap", 3),
        ("ns-little.pcap", 3),
    ):
        path.write_bytes(ng.odd_captures()[name])
        assert scan(path).packets == packets


def test_pieces_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = ng.odd_captures()
    for name, data in odd.items():
        (tmp_path / name).write_bytes(data)
    seen = {name: scan(tmp_path / name) for name in odd}
    monkeypatch.setattr("pywnv.capture.source.PIECE", 13)
    assert {name: scan(tmp_path / name) for name in odd} == seen
    assert any(traits.packets > 5 for traits in seen.values())


def test_of_very_many_lengths_some_are_told_as_one(tmp_path: Path) -> None:
    records = b"".join(ng.packet(0, ng.SECONDS, bytes(size), length=9000) for size in range(14, 14 + 1500))
    (tmp_path / "capture").write_bytes(ng.section() + ng.interface() + records)
    traits = scan(tmp_path / "capture")
    assert traits.cut.total() == 1500
    assert len(traits.cut) == MOST_LENGTHS + 1
    assert traits.cut[OTHER_LENGTHS] == 1500 - MOST_LENGTHS
