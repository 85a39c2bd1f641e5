"""What a capture made to defeat the engine may cost: time, memory, and what its names may do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from time import process_time
from typing import Any

import pytest
from engine import DATA, RUNTIMES, Engine, at_most, bundle, ethernet, ipv4, lua_function, udp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Of many frames, LuaJIT may take as long as this: many times what it takes, far less than anything quadratic.
# Of fewer, Lua 5.2 may run so many instructions: what is quadratic in one is so in all.
SLOW = 60  # seconds of CPU
INSTRUCTIONS = 40_000  # a frame: the dearest here takes 15,000
MOST = 250  # megabytes: somewhat more than all that is remembered, far less than what grows with the capture
MOST_TAUGHT = 165  # megabytes: somewhat more than what is taught takes, 155; without a limit of `ways`, 176
FRAME = ethernet(ipv4(udp(), ident=0))


@contextmanager
def bounded(runtime: str, frames: int) -> Iterator[None]:
    """So many frames must not take long."""
    if runtime == "lua52":
        with at_most(runtime, frames * INSTRUCTIONS):
            yield
    else:
        start = process_time()
        yield
        assert process_time() - start < SLOW


def counted(runtime: str, frames: int, body: str, *args: Any) -> Any:
    """Calls Lua, which must not take long."""
    with bounded(runtime, frames):
        return lua_function(runtime, body)(*args)


DIFFERENT = """
collectgarbage()
local before = collectgarbage("count") -- of what ran here before
local count, head, tail = ...
local running, char, floor = driver.new_engine(), string.char, math.floor
local hops = { driver.hop("ethernet", 0, "A"), driver.hop("ethernet", 1, "B") }
local joined, used = 0, {}
for packet = 1, count do
  local frame = head .. char(floor(packet / 65536), floor(packet / 256) % 256, packet % 256) .. tail
  for at, hop in ipairs(hops) do
    running.frame(packet * 2 + at - 2, packet * 1e-5 + at * 1e-6, hop, frame, 1, #frame, #frame)
    joined = joined + (running.found.previous and 1 or 0)
  end
  if packet % 25000 == 0 then
    collectgarbage()
    used[#used + 1] = (collectgarbage("count"))
  end
end
return joined, table.concat(used, " ")
"""


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    for tail in (DATA, DATA * 14):
        frame = ethernet(ipv4(udp(b"abc" + tail), payload_sum=0))
        at = frame.index(b"abc")
        joined, used = counted("luajit21", 200_000, DIFFERENT, 100_000, frame[:at], frame[at + 3 :])
        megabytes = [float(text) / 1024 for text in used.split()]
        assert joined == 100_000
        assert max(megabytes) < MOST
        earlier, later = megabytes[:2], megabytes[2:]  # it swings as generations come and go
        assert max(later) < max(earlier) * 1.1 + 1


ONE_KEY = """
local count, hops, step, frame = ...
local running, places, joined = driver.new_engine(), {}, 0
for hop = 1, hops do
  places[hop] = driver.hop("ethernet", hop, "hop " .. hop)
end
for number = 1, count do
  running.frame(number, number * step, places[number % hops + 1], frame, 1, #frame, #frame)
  joined = joined + (running.found.previous and 1 or 0)
end
return joined
"""


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "count"), [("luajit21", 50_000), ("lua52", 6_000)])
@pytest.mark.parametrize(("hops", "step"), [(1, 1e-7), (2, 1e-7), (2, 1e-3), (3, 0.0), (3, 0.06)])
def test_one_key_again_and_again(runtime: str, count: int, hops: int, step: float) -> None:
    joined = counted(runtime, count, ONE_KEY, count, hops, step, FRAME)
    assert joined == (0 if hops == 1 or step > 0.05 else count * (hops - 1) // hops)


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "count"), [("luajit21", 100_000), ("lua52", 10_000)])
def test_one_key_whose_packets_differ_far_behind(runtime: str, count: int) -> None:
    body = """
    local count, frame = ...
    local running = driver.new_engine()
    local hops = { driver.hop("ethernet", 1, "A"), driver.hop("ethernet", 2, "B") }
    for number = 1, count do
      local longer = frame .. ("%06d"):format(number)
      running.frame(number, number * 1e-7, hops[number % 2 + 1], longer, 1, #longer, #longer)
      assert(not running.found.previous)
    end
    """
    counted(runtime, count, body, count, ethernet(DATA, 0x88B5))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "count", "step"), [("luajit21", 65_000, 0.0), ("luajit21", 17_000, 1e-6), ("lua52", 17_000, 0.0)]
)
def test_a_packet_at_65000_hops(runtime: str, count: int, step: float) -> None:
    engine = Engine(runtime)
    with bounded(runtime, count):
        for number in range(count):
            said = engine.frame(number * step, engine.hop(id=number), FRAME)
            # No path is longer than 64; those behind say nothing, until so many made the first one forgotten.
            if number < 16_384:
                assert (said.packet, said.appearance) == ((1, number + 1) if number < 64 else (number + 1, 1))
            assert said.appearance == said.path.count(" > ") + 1 <= 64
            assert said.hop == f"interface {number}"


@pytest.mark.slow
def test_paths_that_no_other_packet_goes_make_others_forgotten() -> None:
    """Also the packet of the frame that comes just then."""
    order = Random(1)
    engine = Engine("luajit21")
    packets = [
        ethernet(ipv4(udp(number.to_bytes(4, "big") + DATA), ident=number % 65_535 + 1)) for number in range(3_000)
    ]
    number = 0
    for hop in range(64):
        for at, frame in enumerate(packets):
            said = engine.frame(number * 1e-7, engine.hop(id=(hop * 37 + order.randrange(64)) % 64), frame)
            number += 1
            assert said.packet <= number, at
        if number > 40_000:
            return


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "count"), [("luajit21", 20_000), ("lua52", 3_000)])
def test_many_different_paths(runtime: str, count: int) -> None:
    engine = Engine(runtime)
    hops = [engine.hop(name=f"hop {at}") for at in range(100)]
    with bounded(runtime, 3 * count):
        for number in range(count):
            frame = ethernet(ipv4(udp(), ident=number + 1))
            for at in (0, 1, 2):
                hop = (number * 7 + at * (number // 100 % 99 + 1)) % 100
                said = engine.frame(number * 1e-3 + at * 1e-5, hops[hop], frame)
                assert said.path.endswith(f"hop {hop}")
                assert said.path.count(" > ") == said.appearance - 1


TEACHERS = """
collectgarbage()
local before = collectgarbage("count") -- of what ran here before
local count, head, tail = ...
local running, char, floor = driver.new_engine(), string.char, math.floor
local hops, used = {}, 0
for hop = 0, 9999 do
  hops[hop] = driver.hop("ethernet", hop, "hop " .. hop)
end
for number = 1, count do
  local ident = char(floor(number / 256) % 256, number % 256)
  local sender = char(number % 31, number % 61)
  local frame = char(2, 0, 0, 0) .. sender .. char(2, 0, 0, 1) .. sender .. head .. ident .. tail
  running.frame(2 * number, number * 1e-3, hops[number % 10000], frame, 1, #frame, #frame)
  local other = hops[(number * 7 + floor(number / 10000)) % 10000]
  running.frame(2 * number + 1, number * 1e-3 + 1e-5, other, frame, 1, #frame, #frame)
  if number % 25000 == 0 then
    collectgarbage()
    used = math.max(used, (collectgarbage("count")))
  end
end
return (used - before) / 1024
"""


@pytest.mark.slow
def test_memory_of_what_many_senders_teach_of_many_hops() -> None:
    """Each packet goes another way: from one of 10,000 hops to another one."""
    frame = ethernet(ipv4(udp()))
    assert counted("luajit21", 200_000, TEACHERS, 100_000, frame[12:18], frame[20:]) < MOST_TAUGHT


PATHS = """
collectgarbage()
local before = collectgarbage("count")
local packets, length, head, tail = ...
local take, char, floor = driver.new(), string.char, math.floor
local hops, used = {}, 0
for hop = 0, 4999 do
  hops[hop] = driver.hop("ethernet", hop, ("x"):rep(110) .. hop)
end
for packet = 1, packets do
  local frame = head .. char(floor(packet / 65536), floor(packet / 256) % 256, packet % 256) .. tail
  for step = 0, length - 1 do
    local place = hops[(packet * 37 + step) % 5000]
    local said = { take((packet - 1) * length + step + 1, packet * 1e-6 + step * 1e-9, place, frame, #frame) }
    assert(said[2] == step + 1 and said[8]:sub(-#place.name) == place.name)
  end
  if packet % 500 == 0 then
    collectgarbage()
    used = math.max(used, (collectgarbage("count")))
  end
end
return (used - before) / 1024
"""


@pytest.mark.slow
def test_memory_of_paths_that_no_other_packet_goes() -> None:
    """Within one window; each node of each path is another one, and the text of a path has kilobytes."""
    frame = ethernet(ipv4(udp(b"abc" + DATA), payload_sum=0))
    at = frame.index(b"abc")
    assert counted("luajit21", 3000 * 32, PATHS, 3000, 32, frame[:at], frame[at + 3 :]) < MOST


REPLACED = "\N{REPLACEMENT CHARACTER}"

# What a capture calls an interface, and what is shown.
NAMES = {
    b"Ethernet 2": "Ethernet 2",
    "vEthernet (Größe 日本 🖧)".encode(): "vEthernet (Größe 日本 🖧)",
    b"a\0b\x1b[31mc\r\nd\x7fe\tf": "a b [31mc  d e f",
    "a\x9b31mb\x85c".encode(): "a 31mb c",
    b"a\xffb\xc0\xafc\x80d": f"a{REPLACED}b{REPLACED * 2}c{REPLACED}d",
    b"a\xed\xa0\x80b": f"a{REPLACED * 3}b",  # a surrogate
    b"a\xe0\x80\x80b\xf4\x90\x80\x80c": f"a{REPLACED * 3}b{REPLACED * 4}c",  # overlong; past the last code point
    b"a\xe2\x82": f"a{REPLACED}",
    b"a\xf0\x9f\x96": f"a{REPLACED}",
    "a\u202eb\u2066c\u200fd\u061ce\u2028f\ufeffg\u200bh".encode(): "a b c d e f g h",
    b'a]] os.execute("x") --': 'a]] os.execute("x") --',
    b'",=cmd()\\x1b%s%d%1': '",=cmd()\\x1b%s%d%1',
    b"  padded  ": "padded",
    b"x" * 10_240: "x" * 120,
    b" " * 10_240 + b"x": "interface 3",
    b"": "interface 3",
    b"\0\n \x1b": "interface 3",
    None: "interface 3",
}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_names_as_they_may_be_shown(runtime: str) -> None:
    for name, shown in NAMES.items():
        engine = Engine(runtime)
        hops = [engine.hop(name=name, id=3), engine.hop(name="B")]
        assert engine.frame(0.0, hops[0], FRAME).hop == shown, name
        assert engine.frame(1e-5, hops[1], FRAME).path == f"{shown} > B"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_long_name_is_not_cut_inside_a_character(runtime: str) -> None:
    for character in "é日🖧":
        engine = Engine(runtime)
        shown = engine.frame(0.0, engine.hop(name=character * 5000), FRAME).hop
        assert shown == character * len(shown)
        assert 118 <= len(shown.encode()) <= 123


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_without_interfaces_there_is_no_hop(runtime: str) -> None:
    engine = Engine(runtime)
    nowhere, somewhere = engine.hop(), engine.hop(name="B")
    said = engine.frame(0.0, nowhere, FRAME), engine.frame(1e-5, somewhere, FRAME)
    assert [(one.hop, one.path, one.packet) for one in said] == [(None, None, 1), ("B", None, 1)]


# Bytes from 0xF8 on begin no character of UTF-8.
BYTES = st.binary(max_size=150).map(lambda data: bytes(byte if byte < 0xF8 else byte - 0x80 for byte in data))


@pytest.mark.slow
@settings(
    database=None, deadline=None, derandomize=True, max_examples=300, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.one_of(BYTES, st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_name_is_shown_on_one_line(name: bytes) -> None:
    for runtime in RUNTIMES:
        shown = bundle(runtime)[1][b"hop"](b"ethernet", 3, name)[b"name"].decode()
        assert 0 < len(shown.encode()) <= 123
        assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in shown)
        assert not any(unicodedata.bidirectional(char) in ("LRE", "RLE", "PDF", "LRO", "RLO") for char in shown)
        assert not any(unicodedata.bidirectional(char) in ("LRI", "RLI", "FSI", "PDI") for char in shown)
