"""What the engine's tests share: the engine under each Lua, and builders of frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import pytest

from pywnv.generate.engine import engine_lua
from pywnv.lua.runtime import lua_runtime
from pywnv.tables import fields

RUNTIMES = ("lua52", "lua54", "luajit21")
runtimes = pytest.mark.parametrize("runtime", RUNTIMES)
KINDS = ("ethernet", "sll", "sll2", "raw", "null", "wifi", "radiotap", "unknown")

# The modules of the bundle, reached from Python with one call a frame.
DRIVER = """
local engine = modules.engine
local M = { hop = engine.hop, network = modules.link.network }
local function fill(frame, number, time, hop, buf, at, stop, length, tag)
  frame.number, frame.time, frame.hop, frame.tag, frame.kind = number, time, hop, tag, hop.kind
  frame.buf, frame.at, frame.stop, frame.length = buf, at, stop, length
  return frame
end
function M.read(kind, buf, at, stop, length, span)
  local frame = fill({}, 1, 0, { kind = kind }, buf, at, stop, length)
  modules.frame.read(frame, span)
  return frame.key, frame.content, frame.mutable, frame.room, frame.cut, frame.l3, frame.has_transport, frame.link
end
function M.new_engine(...)
  local running, frame = engine.new(...), {}
  function running.frame(...)
    running.commit()
    running.read(fill(frame, ...))
    running.look(frame)
    return running.decide()
  end
  return running
end
function M.new(...)
  local running, said = M.new_engine(...), {}
  local function frame(number, time, place, buf, length, tag)
    local node = running.frame(number, time, place, buf, 1, #buf, length, tag)
    local found = running.found
    engine.describe(said, node, found.packet, found.previous, found.rule, found.rewritten, found.delta, found.elapsed,
      found.segment_of, found.repeat_of)
    return said.packet, said.appearance, said.previous, said.verdict, said.evidence or 0, said.rewritten, said.hop,
      said.path, said.rule, said.hop_delta, said.hop_elapsed, said.segment_of, said.repeat_of
  end
  return frame, running.discard
end
return M
"""


class Said(NamedTuple):
    """What the engine says of a frame."""

    packet: int
    appearance: int
    previous: int | None
    verdict: str
    evidence: str
    rewritten: str | None
    hop: str | None
    path: str | None
    rule: str | None
    delta: float | None
    elapsed: float | None
    segment_of: int | None = None
    repeat_of: int | None = None


@cache
def bundle(runtime: str) -> tuple[Any, Any]:
    """A Lua runtime, and the driver with the engine in it."""
    lua = lua_runtime(runtime)
    return lua, lua.execute((engine_lua() + DRIVER).encode())


def lua_function(runtime: str, body: str) -> Any:
    """A Lua function that is called with the driver and what else it is given: for loops too long for Python."""
    lua, driver = bundle(runtime)
    function = lua.execute(f"return function(driver, ...) {body} end".encode())
    return lambda *args: function(driver, *args)


INSTRUCTIONS = """
local count = 0
debug.sethook(function() count = count + 1 end, "", 1000)
return function()
  debug.sethook()
  return count * 1000
end
"""


@contextmanager
def at_most(runtime: str, instructions: int) -> Iterator[None]:
    """Lua may run so many instructions of its own in here: unlike seconds, as many on a busy machine (not LuaJIT)."""
    stop = bundle(runtime)[0].execute(INSTRUCTIONS.encode())
    try:
        yield
    finally:
        count = stop()
    assert count < instructions


def read_frame(runtime: str, kind: str, buf: bytes, at: int, stop: int, length: int) -> tuple[object, ...]:
    """What `frame.read` gives, with the network header counted from `at` (an index from 1, as Lua counts)."""
    key, content, mutable, room, cut, l3, *rest = bundle(runtime)[1][b"read"](kind.encode(), buf, at, stop, length, 16)
    return key, content, mutable, room, cut, None if l3 is None else l3 - at, *rest


class Engine:
    """An engine for one capture, under one of lupa's Luas."""

    def __init__(self, runtime: str, window: float | None = None, epoch: tuple[int, int] | tuple[()] = ()) -> None:
        _, self._driver = bundle(runtime)
        self._frame, self._discard = self._driver[b"new"](window, *epoch)
        self._number = 0

    def hop(self, kind: str = "ethernet", name: str | bytes | None = None, id: int | None = None) -> Any:
        name = name.encode() if isinstance(name, str) else name
        return self._driver[b"hop"](kind.encode(), id, name)

    def frame(
        self, time: float | None, hop: Any, data: bytes, length: int | None = None, tag: str | None = None
    ) -> Said:
        self._number += 1
        found = self._frame(
            self._number, time, hop, data, len(data) if length is None else length, tag and tag.encode()
        )
        packet, appearance, previous, verdict, evidence, *texts, delta, elapsed, segment_of, repeat_of = found
        rewritten, name, path, rule = (text if text is None else text.decode() for text in texts)
        return Said(
            int(packet),
            int(appearance),
            None if previous is None else int(previous),
            fields.VERDICTS[int(verdict)],
            fields.EVIDENCE[int(evidence)],
            rewritten,
            name,
            path,
            rule,
            delta,
            elapsed,
            None if segment_of is None else int(segment_of),
            None if repeat_of is None else int(repeat_of),
        )

    def discard(self) -> None:
        """Forgets the frame that came last, as a read filter of Wireshark has it."""
        self._discard()
        self._number -= 1


Row = tuple[str, float | None, bytes] | tuple[str, float | None, bytes, int]  # hop, time, frame, length

# The first letter of a hop's name says its link header.
KIND = {"W": "wifi", "T": "radiotap", "S": "sll", "L": "sll2", "R": "raw", "N": "null", "U": "unknown"}


def play(
    runtime: str, rows: list[Row], window: float | None = None, epoch: tuple[int, int] | tuple[()] = ()
) -> list[Said]:
    """What a fresh engine says of these frames."""
    engine = Engine(runtime, window, epoch)
    hops = {name: engine.hop(KIND.get(name[0], "ethernet"), name) for name in sorted({row[0] for row in rows})}
    return [engine.frame(time, hops[name], *frame) for name, time, *frame in rows]


def brief(said: Said) -> str:
    """What tables of cases expect."""
    words = [str(said.packet), said.verdict, said.evidence if said.previous else "", said.rewritten or ""]
    return " ".join(filter(None, words))


# Frames, from the inside out.

A4, B4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
A6, B6 = bytes.fromhex("20010db8" + 23 * "0" + "1"), bytes.fromhex("20010db8" + 23 * "0" + "2")
MAC_A, MAC_B, MAC_C = (bytes([2, 0, 0, 0, 0, last]) for last in (0xA, 0xB, 0xC))
IPV4, IPV6, ARP, LLDP = 0x0800, 0x86DD, 0x0806, 0x88CC
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
CHECKSUM_AT = {ICMP: 2, TCP: 16, UDP: 6, ICMPV6: 2}
DATA = bytes(range(1, 101))


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def put(data: bytes, at: int, value: int | bytes) -> bytes:
    """The data with a 16-bit number, or some bytes, written over it; counts from the end below 0."""
    value = value if isinstance(value, bytes) else struct.pack(">H", value)
    at %= len(data)
    return data[:at] + value + data[at + len(value) :]


def _summed(protocol: int, addresses: bytes, payload: bytes, value: int | None) -> bytes:
    at = CHECKSUM_AT.get(protocol)
    if at is None:
        return payload
    if value is None:
        pseudo = b"" if protocol == ICMP else addresses + struct.pack(">II", len(payload), protocol)
        value = checksum(pseudo + payload) or (0xFFFF if protocol == UDP else 0)
    return put(payload, at, value)


def tcp(data: bytes = b"", *, seq: int = 1000, sport: int = 50000, dport: int = 443, options: bytes = b"") -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return struct.pack(">HHIIBBHHH", sport, dport, seq, 2000, offset, 0x18, 1024, 0, 0) + options + data


def udp(data: bytes = DATA, *, sport: int = 50000, dport: int = 53) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data


def echo(data: bytes = DATA[:32], *, seq: int = 1, kind: int = 8) -> bytes:
    return struct.pack(">BBHHH", kind, 0, 0, 7, seq) + data


def sctp(data: bytes = DATA) -> bytes:
    chunk = struct.pack(">BBHIHHI", 0, 3, 16 + len(data), 1, 0, 0, 0) + data
    header = struct.pack(">HHI", 5000, 5001, 99)
    return header + struct.pack("<I", crc32c(header + bytes(4) + chunk)) + chunk


def ipv4(
    payload: bytes,
    protocol: int = UDP,
    *,
    src: bytes = A4,
    dst: bytes = B4,
    ident: int = 1,
    ttl: int = 64,
    tos: int = 0,
    options: bytes = b"",
    header_sum: int | None = None,
    payload_sum: int | None = None,
) -> bytes:
    """An IPv4 packet; both checksums are right unless given."""
    payload = _summed(protocol, src + dst, payload, payload_sum)
    size = 20 + len(options)
    head = struct.pack(">BBHHHBBH", 0x40 + size // 4, tos, size + len(payload), ident, 0, ttl, protocol, 0)
    head += src + dst + options
    return put(head, 10, checksum(head) if header_sum is None else header_sum) + payload


def ipv4_fragments(packet: bytes, size: int) -> list[bytes]:
    """An IPv4 packet without options, cut into fragments of so many bytes."""
    parts = []
    for start in range(20, len(packet), size):
        part = packet[start : start + size]
        more = 0x2000 if start + size < len(packet) else 0
        head = put(put(put(packet[:20], 2, 20 + len(part)), 6, more + (start - 20) // 8), 10, 0)
        parts.append(put(head, 10, checksum(head)) + part)
    return parts


def ipv6(
    payload: bytes,
    protocol: int = UDP,
    *,
    extensions: tuple[tuple[int, bytes], ...] = (),
    hops: int = 64,
    payload_sum: int | None = None,
) -> bytes:
    """An IPv6 packet; each extension header is its number and what follows the byte that names the next one."""
    body, after = b"", protocol
    for number, rest in reversed(extensions):
        body, after = bytes([after]) + rest + body, number
    whole = not any(number == FRAGMENT and rest[1:3] >= b"\0\x08" for number, rest in extensions)
    body += _summed(protocol, A6 + B6, payload, payload_sum) if whole else payload
    return struct.pack(">IHBB", 0x60000000, len(body), after, hops) + A6 + B6 + body


def ipv6_fragments(payload: bytes, protocol: int, size: int) -> list[bytes]:
    payload = _summed(protocol, A6 + B6, payload, None)
    parts = []
    for start in range(0, len(payload), size):
        field = start | (start + size < len(payload))
        extension = (FRAGMENT, struct.pack(">BHI", 0, field, 77))
        value = struct.unpack_from(">H", payload, CHECKSUM_AT[protocol])[0] if start == 0 else None
        parts.append(ipv6(payload[start : start + size], protocol, extensions=(extension,), payload_sum=value))
    return parts


def arp(*, kind: int = 1) -> bytes:
    return struct.pack(">HHBBH", 1, IPV4, 6, 4, kind) + MAC_A + A4 + bytes(6) + B4


def lldp(*, ttl: int = 120) -> bytes:
    tlvs = ((1, b"\4" + MAC_A), (2, b"\5port 7"), (3, struct.pack(">H", ttl)), (0, b""))
    return b"".join(struct.pack(">H", kind << 9 | len(value)) + value for kind, value in tlvs)


def stp(*, cost: int = 4) -> bytes:
    """An LLC header and a BPDU."""
    return b"\x42\x42\3" + struct.pack(">HBBB", 0, 0, 0, 0) + bytes(8) + struct.pack(">I", cost) + bytes(18)


def ethertype_of(payload: bytes) -> int:
    return IPV6 if payload[:1] >= b"\x60" else IPV4


def ethernet(
    payload: bytes,
    ethertype: int | None = None,
    *,
    tags: tuple[tuple[int, int], ...] = (),
    src: bytes = MAC_A,
    dst: bytes = MAC_B,
    least: int = 0,
) -> bytes:
    """An Ethernet frame; tags are (TPID, VLAN), least is the length to pad to."""
    header = dst + src + b"".join(struct.pack(">HH", *tag) for tag in tags)
    last = ethertype_of(payload) if ethertype is None else ethertype
    return (header + struct.pack(">H", last) + payload).ljust(least, b"\0")


def ieee8023(payload: bytes, *, least: int = 60, tags: tuple[tuple[int, int], ...] = ()) -> bytes:
    """An 802.3 frame: its type field is a length."""
    return ethernet(payload, len(payload), tags=tags, dst=bytes.fromhex("0180c2000000"), least=least)


def snap(payload: bytes, ethertype: int | None = None) -> bytes:
    return b"\xaa\xaa\3\0\0\0" + struct.pack(">H", ethertype_of(payload) if ethertype is None else ethertype) + payload


def sll(payload: bytes, ethertype: int | None = None) -> bytes:
    last = ethertype_of(payload) if ethertype is None else ethertype
    return struct.pack(">HHH8sH", 0, 1, 6, MAC_A, last) + payload


def sll2(payload: bytes, ethertype: int | None = None) -> bytes:
    first = ethertype_of(payload) if ethertype is None else ethertype
    return struct.pack(">HHIHBB8s", first, 0, 3, 1, 0, 6, MAC_A) + payload


def null(payload: bytes, *, family: bytes = b"\2\0\0\0") -> bytes:
    return family + payload


def wifi(body: bytes, *, flags: int = 1, qos: bool = False, subtype: int = 0, kind: int = 2) -> bytes:
    """An 802.11 frame; the flags add the headers that they stand for."""
    control = (subtype | qos << 3) << 4 | kind << 2
    header = struct.pack("<BBH", control, flags, 44) + MAC_B + MAC_A + MAC_C + struct.pack("<H", 16)
    header += MAC_C if flags & 3 == 3 else b""
    if qos:
        header += b"\0\0" + (bytes(4) if flags & 0x80 else b"")
    return header + body


def radiotap(frame: bytes, *, extra: bytes = b"\0") -> bytes:
    return struct.pack("<BBHI", 0, 0, 8 + len(extra), 2) + extra + frame
