"""The engine's bounds against captures made to defeat us: time and memory stay in proportion."""

from __future__ import annotations

from time import process_time

import pytest
from engine import DATA, TCP, Row, ethernet, ipv4, ipv6, lua_function, play, tcp, udp
from modules import RUNTIMES, lua, module

runtimes = pytest.mark.parametrize("runtime", RUNTIMES)

NUMBERED = """
local number, frame = ...
local take = driver.new()
local hops = { driver.hop("ethernet", 0, "A"), driver.hop("ethernet", 1, "B") }
take(1, 1, hops[1], frame, #frame)
return (take(number, 1.1, hops[2], frame, #frame))
"""


@runtimes
def test_a_packet_is_over_before_dedup_has_chosen(runtime: str) -> None:
    """Which of its frames stays is chosen 2^20 frames behind the first one."""
    found = lua_function(runtime, NUMBERED)
    frame = ethernet(ipv4(udp(), ident=7))
    assert [found(number, frame) for number in (2**20, 2**20 + 1)] == [1, 2**20 + 1]


@runtimes
def test_long_payloads_are_looked_at_as_far_as_short_ones(runtime: str) -> None:
    def seconds(size: int) -> float:
        rows: list[Row] = [("A", at * 1e-3, ethernet(ipv6(udp(DATA * (size // 100))))) for at in range(100)]
        start = process_time()
        play(runtime, rows)
        return process_time() - start

    seconds(1_000)  # what is done once
    assert seconds(60_000) < 20 * seconds(1_000) + 0.1


@runtimes
def test_a_flow_of_large_frames_takes_time_in_proportion(runtime: str) -> None:
    def seconds(count: int) -> float:
        frames = [ethernet(ipv4(tcp(DATA * 16, seq=at * 10_000), TCP, ident=at % 60_000 + 1)) for at in range(count)]
        rows: list[Row] = [("A", at * 1e-4, frame) for at, frame in enumerate(frames)]
        start = process_time()
        play(runtime, rows)
        return process_time() - start

    seconds(100)
    assert seconds(4_000) < 12 * seconds(1_000) + 0.2


@runtimes
@pytest.mark.parametrize("way", [1, -1], ids=["up", "down"])
def test_a_flow_has_so_many_holes_at_most(runtime: str, way: int) -> None:
    count = lua(runtime).execute(
        b"""
        local tcp, way, sent = ...
        for number = 1, 1000 do
          sent = tcp.note({ seq = 10000 + 2 * way * number, size = 1, flags = 16 }, sent, nil, number, number)
        end
        return #sent.holes
        """,
        module(runtime, "tcp"),
        way,
    )
    assert count == 32


@runtimes
def test_buffers_that_never_arrive_are_forgotten(runtime: str) -> None:
    kilobytes = lua(runtime).execute(
        b"""
        local chains, codes = ...
        local known = chains.new()
        collectgarbage()
        local before = collectgarbage("count")
        for number = 1, 100000 do
          known.note({ event = codes.event.received, buffer = "0x" .. number, nic_id = "nic " .. number }, number)
        end
        collectgarbage()
        return collectgarbage("count") - before
        """,
        module(runtime, "chains"),
        module(runtime, "codes"),
    )
    assert kilobytes < 5_000
