"""Captures made to defeat us, each at its full size: what they hold, and how many frames."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from random import Random
from typing import NamedTuple

from inputs import Capture

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import pcapng_blocks as ng

MILLION = 1_000_000
START = 1_700_000_000 * 10**9  # nanoseconds since 1970
WINDOW = 50_000_000  # nanoseconds
YEAR = 365 * 86400 * 10**9
NANO = 9  # if_tsresol
COMMENT = 1  # opt_comment
PACKET_ID = 5  # epb_packetid
LONG_NAME = 110  # bytes: with what is in front of it, as long as a name is shown
TCP, UDP = 6, 17


class Frame(NamedTuple):
    """One frame of an attack: its interface, nanoseconds since the first, bytes, options."""

    interface: int
    time: int
    data: bytes
    options: bytes = b""


def ip(number: int, transport: bytes, protocol: int = UDP) -> bytes:
    """An Ethernet frame around IPv4, whose MACs, addresses and IP ID are those of a number."""
    low, ident = struct.pack(">I", number)[1:], number % 65535 + 1
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), ident, 0, 64, protocol, 0)
    return (
        b"\x00\x15\x5d" + low + b"\x00\x15\x5e" + low + b"\x08\x00" + head + b"\x0a" + low + b"\x0b" + low + transport
    )


def udp(number: int, size: int = 8) -> bytes:
    """A datagram that is like no other."""
    data = struct.pack(">Q", number * 0x9E3779B97F4A7C15 % 2**64).ljust(size, b"x")
    return ip(number, struct.pack(">HHHH", number % 60000 + 1024, 53, 8 + len(data), 0) + data)


def tcp(flow: int, seq: int, data: bytes, number: int) -> bytes:
    """A segment of a flow; `number` is its IP ID."""
    head = struct.pack(">HHIIBBHHH", 1024 + flow % 60000, 443, seq % 2**32, 1, 0x50, 0x18, 1024, 0, 0)
    made = bytearray(ip(flow, head + data, TCP))
    made[18:20] = struct.pack(">H", number % 65535 + 1)
    return bytes(made)


def interfaces(count: int, name: str = "hop {}") -> bytes:
    return ng.section() + b"".join(ng.interface(name.format(n), resolution=NANO) for n in range(count))


def capture(head: bytes, frames: Iterator[Frame]) -> Iterator[bytes]:
    yield head
    for frame in frames:
        yield ng.packet(frame.interface, START + frame.time, frame.data, options=frame.options)


def different_keys() -> Iterator[bytes]:
    """Each packet of another sender, receiver and flow, all within one window."""
    step = WINDOW // MILLION
    return capture(interfaces(2), (Frame(n % 2, n * step, udp(n // 2)) for n in range(MILLION)))


def different_flows() -> Iterator[bytes]:
    return capture(interfaces(2), (Frame(n % 2, n * 50, tcp(n // 2, 1, b"data", n // 2)) for n in range(MILLION)))


def one_key() -> Iterator[bytes]:
    frame = udp(7)
    return capture(interfaces(2), (Frame(n % 2, n * 50, frame) for n in range(MILLION)))


def one_key_at_one_hop() -> Iterator[bytes]:
    frame = udp(7)
    return capture(interfaces(1), (Frame(0, n * 50, frame) for n in range(MILLION)))


def one_flow_in_segments() -> Iterator[bytes]:
    """A large frame, then segments that could have been cut from it, or from any other."""

    def frames() -> Iterator[Frame]:
        chance = Random(1)
        for n in range(300_000):
            size = 1400 if n % 3 == 0 else 100
            yield Frame(n % 2, n * 150, tcp(1, 1000 + chance.randrange(14) * 100, b"x" * size, chance.randrange(8)))

    return capture(interfaces(2), frames())


def years() -> Iterator[bytes]:
    """Time jumps by up to thirty years, forward and back, at every frame."""
    chance = Random(2)
    jumps = (Frame(n % 2, chance.randrange(30) * YEAR + n, udp(n // 2)) for n in range(MILLION))
    return capture(interfaces(2), jumps)


def many_interfaces() -> Iterator[bytes]:
    """65,000 interfaces with long names, each of which shows the same packet."""
    head = interfaces(65_000, "x" * LONG_NAME + " {}")
    return capture(head, (Frame(n % 65_000, n * 100, udp(n // 65_000)) for n in range(260_000)))


def sections() -> Iterator[bytes]:
    """A section for each five frames, with interfaces of its own."""
    for n in range(200_000):
        names = (f"section {n} hop {hop}" for hop in range(2))
        yield ng.section() + b"".join(ng.interface(name, resolution=NANO) for name in names)
        for at in range(5):
            yield ng.packet(at % 2, START + n * 500 + at * 50, udp(n * 5 + at))


def many_paths() -> Iterator[bytes]:
    """Each packet goes 32 hops that no other has gone."""
    head = interfaces(65_000, "x" * LONG_NAME + " {}")
    return capture(head, (Frame((n // 32 * 37 + n % 32) % 65_000, n * 50, udp(n // 32)) for n in range(500_000)))


def long_comments() -> Iterator[bytes]:
    """At each frame 100 KB of comments, which an option of 64 KB does not hold alone."""

    def frames() -> Iterator[Frame]:
        for n in range(2000):
            words = b"PID=%d TID=1 VlanId=1 SrcPortId=1 SrcNicType=" % n
            note = ng.option(COMMENT, words.ljust(51_200, b"x")) * 2
            yield Frame(n % 2, n * 50, udp(n // 2), note)

    return capture(interfaces(2), frames())


def many_comments() -> Iterator[bytes]:
    """Empty comments, as many as a block holds."""
    note = ng.option(COMMENT, b"") * 2_000_000
    return capture(interfaces(2), (Frame(n % 2, n * 50, udp(n // 2), note) for n in range(20)))


def different_comments() -> Iterator[bytes]:
    """Each frame notes another NIC and port."""
    words = b"PID=%d TID=1 VlanId=1 SrcPortId=%d SrcNicType=Synthetic SrcNicName=n%d SrcPortName=p%d DstNicCount=1"
    return capture(
        interfaces(2),
        (Frame(n % 2, n * 50, udp(n // 2), ng.option(COMMENT, words % (n, n, n, n))) for n in range(MILLION)),
    )


def different_components() -> Iterator[bytes]:
    """Each frame notes another component, as pspkt does."""
    words = b"Group: g\nComponent: c%d (%d)\nEdge: Upper\nDirection: Rx\nCPU: 1\nDrop: reason=0x%x location=0x%x"
    return capture(
        interfaces(1),
        (Frame(0, n * 50, udp(n // 2), ng.option(COMMENT, words % (n, n, n, n))) for n in range(300_000)),
    )


def different_ids() -> Iterator[bytes]:
    """Each packet has a packet id, which repeats once."""
    return capture(
        interfaces(2),
        (Frame(n % 2, n * 50, udp(n // 2), ng.option(PACKET_ID, struct.pack("<Q", n // 2))) for n in range(MILLION)),
    )


def different_events() -> Iterator[bytes]:
    """Each an event of the vmSwitch, with other names and another reason."""
    text = (
        "NBL destined to Nic n{0} (Friendly Name: f{0}) was dropped in switch s{0} (Friendly Name: t{0}), Reason r{0}"
    )
    entry = "__REALTIME_TIMESTAMP={1}\n_COMM=Microsoft-Windows-Hyper-V-VmSwitch\nMESSAGE=" + text + "\n"
    entries = (ng.journal(entry.format(n, START // 1000 + n).encode()) for n in range(300_000))
    return chain([interfaces(1)], entries)


def large_frames() -> Iterator[bytes]:
    """Frames of 256 KB, each seen twice, which differ in their last byte only from one packet to the next."""
    body = bytes(262_144 - 14 - 4)

    def frames() -> Iterator[Frame]:
        for n in range(1000):
            yield Frame(n % 2, n * 50, b"\x00\x15\x5d" * 4 + b"\x88\xb5" + body + struct.pack(">I", n // 2))

    return capture(interfaces(2), frames())


ATTACKS: dict[str, tuple[Callable[[], Iterator[bytes]], int]] = {
    "a million keys in one window": (different_keys, MILLION),
    "a million TCP flows": (different_flows, MILLION),
    "one key a million times, two hops": (one_key, MILLION),
    "one key a million times, one hop": (one_key_at_one_hop, MILLION),
    "segments of one flow": (one_flow_in_segments, 300_000),
    "time jumps by years": (years, MILLION),
    "65,000 interfaces": (many_interfaces, 260_000),
    "200,000 sections": (sections, MILLION),
    "paths of 32 hops, each its own": (many_paths, 500_000),
    "100 KB of comments a frame": (long_comments, 2000),
    "two million comments a frame": (many_comments, 20),
    "a million different comments": (different_comments, MILLION),
    "300,000 components": (different_components, 300_000),
    "a million packet ids": (different_ids, MILLION),
    "300,000 different events": (different_events, 300_000),
    "frames of 256 KB": (large_frames, 1000),
}


def attack(folder: Path, name: str) -> Capture:
    """The capture of that name, made anew where it is not there or older than what makes it."""
    make, frames = ATTACKS[name]
    path = folder / f"attack-{make.__name__}.pcapng"
    if not path.exists() or path.stat().st_mtime < Path(__file__).stat().st_mtime:
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.writelines(make())
        part.replace(path)
    return Capture(name, frames, path)
