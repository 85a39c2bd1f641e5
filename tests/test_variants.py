"""Kinds of pcap that only their records tell from the ordinary one: the rows are those of the ordinary one."""

from __future__ import annotations

import gzip
import struct
import subprocess
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import TIMEOUT, command

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.capture.order import first_time
from pywnv.capture.variants import ORDINARY, layout
from pywnv.dedup import Dedup
from pywnv.errors import CaptureError, UnknownFormatError
from pywnv.inspect.fingerprint import scan

T = ng.SECONDS
CAUGHT = 60  # bytes of each frame
FRAMES = [
    (T + number, 20 * again, ng.ethernet(ng.udp(bytes(40), number + 1))) for number in range(4) for again in (0, 1)
]
RED_HAT = struct.pack("<IHBB", 2, 0x0800, 0, 0)
HEADER = 24


def pcap(
    more: bytes = b"", version: tuple[int, int] = (2, 4), order: str = "<", *, swapped: bool = False, linktype: int = 1
) -> bytes:
    """A pcap whose records have `more` in their headers, or the length on the wire first."""
    made = struct.pack(order + "IHHiIII", 0xA1B2C3D4, *version, 0, 0, 65535, linktype)
    for seconds, micros, data in FRAMES:
        lengths = (len(data), CAUGHT) if swapped else (CAUGHT, len(data))
        made += struct.pack(order + "IIII", seconds, micros, *lengths) + more + data[:CAUGHT]
    return made


USUAL = pcap()
KINDS = {
    "Nokia": pcap(bytes.fromhex("01d6bf9f")),
    "Nokia by editcap": pcap(bytes(4)),
    "Red Hat": pcap(RED_HAT),
    "Red Hat, big-endian": pcap(struct.pack(">IHBB", 2, 0x0800, 0, 0), order=">"),
    "2.2": pcap(version=(2, 2), swapped=True),
    "2.2, big-endian": pcap(version=(2, 2), order=">", swapped=True),
    "2.3": pcap(version=(2, 3)),
    "2.3, swapped": pcap(version=(2, 3), swapped=True),
    "DG/UX": pcap(version=(543, 0), swapped=True),
}
ALL = pytest.mark.parametrize("kind", KINDS)


def text(folder: Path, capture: bytes, engine: Engine = Engine.LUPA, output: Format = Format.CSV) -> bytes:
    path = folder / "capture"
    path.write_bytes(capture)
    warnings: list[str] = []
    found = b"".join(rows(path, engine=engine, output_format=output, warn=warnings.append))
    assert warnings == []
    return found


@pytest.mark.slow
@ALL
def test_the_rows_are_those_of_the_ordinary_pcap(tmp_path: Path, kind: str) -> None:
    expected = text(tmp_path, USUAL)
    assert expected.count(b",duplicate,") == len(FRAMES) // 2 + 1  # a column is called so, too
    assert text(tmp_path, KINDS[kind]) == expected
    assert text(tmp_path, gzip.compress(KINDS[kind])) == expected
    done = subprocess.run(command("annotate", "-"), input=KINDS[kind], capture_output=True, timeout=TIMEOUT)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")


@pytest.mark.wireshark
@pytest.mark.parametrize("kind", ["Nokia", "Red Hat", "2.2", "2.3, swapped"])
def test_tshark_says_the_same(tmp_path: Path, kind: str) -> None:
    assert text(tmp_path, KINDS[kind], Engine.TSHARK) == text(tmp_path, KINDS[kind])


@ALL
def test_all_that_read_records_know_them(tmp_path: Path, kind: str) -> None:
    usual, path = tmp_path / "usual", tmp_path / "path"
    usual.write_bytes(USUAL)
    path.write_bytes(KINDS[kind])
    assert first_time(path) == first_time(usual) == T
    traits = scan(path)
    assert (traits.packets, traits.cut) == (len(FRAMES), {CAUGHT: len(FRAMES)})
    if "big" not in kind:
        assert text(tmp_path, KINDS[kind], output=Format.PCAPNG) == text(tmp_path, USUAL, output=Format.PCAPNG)
        assert b"".join(Dedup(path).pieces()) == b"".join(Dedup(usual).pieces())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Nokia", "Red Hat", "2.2"])
def test_one_that_is_cut_at_every_byte(tmp_path: Path, kind: str) -> None:
    path, whole = tmp_path / "capture", text(tmp_path, USUAL).splitlines()
    size = (len(KINDS[kind]) - HEADER) // len(FRAMES)
    for cut in range(3 * size, 5 * size):
        path.write_bytes(KINDS[kind][: HEADER + cut])
        warnings: list[str] = []
        found = b"".join(rows(path, engine=Engine.LUPA, warn=warnings.append)).splitlines()
        assert found == whole[: 1 + cut // size]
        assert len(warnings) == (1 if cut % size else 0)


def test_one_with_a_packet_that_is_too_long(tmp_path: Path) -> None:
    record = struct.pack("<IIII", T + 9, 0, 2**25, 2**25) + RED_HAT + bytes(100)
    with pytest.raises(CaptureError, match="after frame 8: a packet that claims to be 33554432 bytes long"):
        text(tmp_path, KINDS["Red Hat"] + record)


def test_a_large_packet_comes_in_pieces(tmp_path: Path) -> None:
    data = ng.ethernet() + bytes(300_000)
    usual, other = (
        capture + struct.pack("<IIII", T + 9, 0, len(data), len(data)) + more + data
        for capture, more in ((USUAL, b""), (KINDS["Red Hat"], RED_HAT))
    )
    assert text(tmp_path, other) == text(tmp_path, usual)


@pytest.mark.parametrize("cut", range(4 * (16 + CAUGHT)))
def test_an_ordinary_one_that_is_cut_is_no_other(cut: int) -> None:
    assert layout((2, 4), 10**6, USUAL[HEADER : HEADER + cut], "<", ends=True) == ORDINARY


@pytest.mark.parametrize(
    "record", [(T, 1_000_046, CAUGHT, CAUGHT), (T, 5, CAUGHT, 10), (T, 5, 2**31, 2**31), (0, 2**31, 0, 0)]
)
def test_an_ordinary_one_with_an_odd_record_is_no_other(record: tuple[int, int, int, int]) -> None:
    odd = struct.pack("<IIII", *record) + bytes(CAUGHT)
    for before in range(3):
        at = HEADER + before * (16 + CAUGHT)
        for ends in (True, False):
            data = USUAL[HEADER:at] + odd + USUAL[at:]
            assert layout((2, 4), 10**6, data, "<", ends=ends) == ORDINARY
            assert layout((2, 4), 10**6, USUAL[HEADER:at] + odd, "<", ends=ends) == ORDINARY


def test_one_of_aix_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match="a pcap of AIX; --engine tshark reads it"):
        text(tmp_path, pcap(version=(2, 2), linktype=6))
