"""A capture of more than an epoch, as a user annotates it."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import command, run
from engine import ethernet, ipv4, udp

pytestmark = pytest.mark.slow

PACKETS, HOPS = 530_000, 3
FRAMES = PACKETS * HOPS
TICK = ng.SECONDS * 10**6


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packets that pass three hops, each with an IP ID and a number of its own."""
    path = tmp_path_factory.mktemp("large") / "large.pcapng"
    frame = ethernet(ipv4(udp(b"numbered", sport=7), ident=0, payload_sum=0))
    assert len(frame) == 50
    before, between, after = frame[:18], frame[20:42], frame[46:]
    with path.open("wb") as file:
        file.write(ng.section() + b"".join(ng.interface(name) for name in ("vNIC", "vSwitch", "pNIC")))
        for packet in range(PACKETS):
            data = before + struct.pack(">H", packet & 0xFFFF) + between + struct.pack(">I", packet) + after
            for hop in range(HOPS):
                ticks = TICK + packet * 10 + hop
                head = struct.pack("<IIIIIII", 6, 84, hop, ticks >> 32, ticks & 0xFFFFFFFF, 50, 50)
                file.write(head + data + b"\0\0" + struct.pack("<I", 84))
    return path


def test_as_many_processes_as_wanted_give_the_same(large: Path, tmp_path: Path) -> None:
    texts = []
    for jobs in (1, 2):
        done = run("annotate", large, "-j", jobs, "-o", tmp_path / f"{jobs}.csv")
        assert (done.returncode, done.stderr) == (0, b"")
        texts.append((tmp_path / f"{jobs}.csv").read_bytes())
    assert texts[0] == texts[1]
    rows = texts[0].splitlines()
    assert len(rows) == 1 + FRAMES
    assert rows[-1].split(b",")[9:15] == [
        b"%d" % (FRAMES - 2),
        b"3",
        b"true",
        *[b"%d" % (FRAMES - 2)],
        b"%d" % (FRAMES - 1),
        b"duplicate",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_half_way_it_leaves_nothing_behind(large: Path, tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        command("annotate", large, "-j", 2, "-o", tmp_path / "out.csv"),
        env={"TMPDIR": str(temporary), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for folder in temporary.glob("pywnv-*") for path in folder.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert b"Traceback" not in process.communicate(timeout=30)[1]
    assert process.returncode != 0
    assert not list(temporary.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:  # Python's own tracker of resources goes a moment later
            os.killpg(process.pid, 0)
            time.sleep(0.05)
        pytest.fail("a process is left behind")
