"""What pywnv writes, as files in tests/golden: a change of the output is seen in review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CAPTURES, run_wireshark

from pywnv.annotate.rows import Format, rows

Golden = Callable[[str, bytes], None]


@pytest.mark.parametrize("output_format", [Format.CSV, Format.JSONL])
@pytest.mark.parametrize("name", ["udpsame", "mix-unsorted"])
def test_rows(golden: Golden, name: str, output_format: Format) -> None:
    """Equal datagrams in bursts; ARP, VM to VM, rewritten checksums and times that run back: the first 200 rows."""
    found = b"".join(rows(CAPTURES / f"{name}.pcapng.gz", output_format=output_format))
    golden(f"{name}.{output_format}", b"".join(found.splitlines(keepends=True)[:200]))


@pytest.mark.wireshark
def test_packet_list(golden: Golden, unpacked: Callable[[str], Path], config: Path) -> None:
    """Our columns as Wireshark shows them; its own differ between versions."""
    shown = ["frame.number", "_ws.col.Time", "wnv.hop", "wnv.appearance", "wnv.hop.delta", "wnv.path", "wnv.rewritten"]
    named = [part for field in shown for part in ("-e", field)]
    text = run_wireshark(
        ["tshark", "-C", "WNV", "-n", "-r", unpacked("vlan"), "-T", "fields", "-c", "60", *named], config
    )
    golden("packet-list.txt", text.encode())
