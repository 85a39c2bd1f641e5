"""Mistakes that the engine once made, one test each."""

from __future__ import annotations

import pytest
from engine import (
    ARP,
    DATA,
    HOP_BY_HOP,
    SCTP,
    TCP,
    Engine,
    arp,
    at_most,
    brief,
    bundle,
    ethernet,
    ieee8023,
    ipv4,
    ipv6,
    lua_function,
    play,
    put,
    sctp,
    snap,
    stp,
    tcp,
    udp,
)
from test_engine_bursts import DELAY, ORDERS, groups
from test_engine_cut import cut
from test_engine_link import CASES, SURROUNDINGS, network

VLAN = (0x8100, 5)
STEP = 20e-6
SAME = ethernet(ipv4(udp(), ident=0))
LONG = DATA * 2


def briefs(rows, runtime="lua54"):
    return list(map(brief, play(runtime, rows)))


def pair(one, two):
    one, two = (x if isinstance(x, tuple) else (x,) for x in (one, two))
    return briefs([("A", 0.0, *one), ("B", STEP, *two)])


def different(count, start=1):
    return [
        ("A", 0.0, ethernet(ipv4(udp(DATA[:2], sport=n // 60000), ident=n % 60000)))
        for n in range(start, start + count)
    ]


# 1 high: packets.shorten() keeps ids that next_generation() then forgets
def test_01_error_after_shorten():
    stp_frame, full = ieee8023(stp()), ethernet(ipv6(udp(LONG)))
    rows = [("A", 0.0, stp_frame)]
    rows += [("A", n * 1e-3, frame) for n, (_, _, frame) in enumerate(different(2100))]
    rows += [("A", 2.1, full[:68], len(full))]
    rows += [("A", 2.1 + n * 1e-3, frame) for n, (_, _, frame) in enumerate(different(2100, 3000))]
    rows += [("A", 4.3, stp_frame)]
    assert briefs(rows)[-1].endswith("original")  # LuaError: attempt to get length of a nil value


def test_01_arp_is_called_a_copy_of_udp():
    full = ethernet(ipv4(udp(LONG), ident=65000))
    rows = [("A", 0.0, ethernet(arp(), ARP)), *different(16393), ("A", 0.0, full[:50], len(full))]
    rows += [*different(32757, 20000), ("B", 0.0, ethernet(arp(), ARP))]
    assert briefs(rows, "luajit21")[-1].endswith("original")


# 2: a step that was never learned is believed
def test_02_drop_before_anything_is_learned():
    assert briefs([("A", 0.0, SAME), ("A", 0.01, SAME), ("B", 0.01002, SAME)])[2] != "1 duplicate bytes"


# 3 high: once the step gets slower, a burst's copies go to its last packets, and the rest are lost
def test_03_a_burst_that_queues():
    rows = []
    for n in range(5):
        rows += [(hop, n * 0.01 + at * STEP, ethernet(ipv4(udp(), ident=n + 1))) for at, hop in enumerate("AB")]
    rows += [("A", 1 + n * 50e-6, SAME) for n in range(10)] + [("B", 1.0005 + n * 50e-6, SAME) for n in range(10)]
    assert [said.packet for said in play("lua54", rows)][20:] == list(range(11, 21))


@pytest.mark.parametrize("gap", [0.0, 1e-6, 30e-6])
@pytest.mark.parametrize("order", [name for name in ORDERS if "interleaved" in name])
def test_03_interleaved_burst(order, gap):
    """A regression: passed with BELIEVABLE = 4 and `if not peak then return try`."""
    sightings = ORDERS[order]([(n * gap + delay, hop, n) for n in range(20) for hop, delay in DELAY.items()])
    said = play("lua54", [(hop, time, SAME) for time, hop, _ in sightings])
    assert sorted(groups(sightings, said).values()) == [[n] * 3 for n in range(20)]


# 4 high: a checksum that the copy does not hold counts as 0
# 5: a key that holds the whole payload is not shortened: its copies are missed
@pytest.mark.parametrize(
    ("packet", "size"), [(ipv6(udp(LONG)), 60), (ipv4(tcp(LONG), TCP), 50), (ipv4(udp(DATA[:12])), 48)]
)
def test_04_05_cut_before_the_content(packet, size):
    """From the first frame on that was cut so short, no more is compared than what it holds."""
    frame = ethernet(packet)
    rows = [("A", 0.0, *cut(frame, size)), ("A", 1.0, frame), ("B", 1.0 + STEP, *cut(frame, size))]
    assert briefs(rows)[2] == "2 duplicate bytes"


def test_05_a_stranger_is_cut():
    frame, stranger = ethernet(ipv4(udp(DATA[:12]))), ethernet(ipv4(udp(LONG), ident=9))
    rows = [("A", 0.0, *cut(stranger, 48)), ("A", 1.0, frame), ("B", 1.0 + STEP, frame)]
    assert briefs(rows)[2] == "2 duplicate bytes"


# 6: with IP length 0 (LSOv2), ipv4() and ipv6() never see that the frame is cut
@pytest.mark.parametrize("packet", [put(ipv4(tcp(LONG * 9), TCP), 2, 0), put(ipv6(tcp(LONG * 9), TCP), 4, 0)])
def test_06_lso_cut(packet):
    frame = ethernet(packet)
    assert pair(cut(frame, 128), cut(frame, 96))[1] == "1 duplicate bytes"


# 7: non-IP frames whose length on the wire proves them different
def test_07_length_on_the_wire():
    assert pair(ethernet(LONG, 0x88B5), cut(ethernet(LONG + b"x", 0x88B5), 60))[1] == "2 original"


# 8: hop.clean takes 0xF8..0xFF for the start of four bytes
@pytest.mark.parametrize("name", [b"a\xf9\x80\x80\x80", b"\xfc\x80\x80\x80"])
def test_08_invalid_utf8(name):
    bundle("lua54")[1][b"hop"](b"ethernet", 3, name)[b"name"].decode()


# 9: past_snap reads behind `stop`
@pytest.mark.parametrize("name", [name for name in CASES if "SNAP" in name and name.startswith("ethernet")])
def test_09_snap_cut(name):
    kind, frame, _ = CASES[name]
    for size in range(len(frame)):
        for around in (*SURROUNDINGS, frame[size:]):
            assert network("lua52", kind, frame[:size] + around, 1, size) == network(
                "lua52", kind, frame[:size], 1, size
            )


# 10: what a hop shows again is compared with the last sighting only, as another hop rewrote it
def test_10_repeat_after_a_routed_copy():
    frame, lower = (ethernet(ipv4(udp(), ident=7, ttl=ttl)) for ttl in (64, 63))
    said = play("lua54", [("A", 0.0, frame), ("B", STEP, lower), ("A", 1e-3, frame)])[2]
    assert (said.packet, said.verdict) == (3, "original")


# 11: a frame that was taken back leaves a trace
def test_11_a_rejected_frame_leaves_no_trace():
    said = []
    for is_rejected in (False, True):
        engine = Engine("lua54")
        a, b = engine.hop(name="A"), engine.hop(name="B")
        engine.frame(0.0, a, SAME)
        if is_rejected:
            engine.frame(2e-3, b, SAME)
            engine.discard()
        said.append(engine.frame(2e-3, b, SAME))
    assert said[0] == said[1]
    assert said[0].packet == 1


# 12: `bytes` counts contents only; keys (IPv6 extension headers) and links (radiotap, stacked tags) may be 256 KB each
@pytest.mark.slow
@pytest.mark.parametrize("wide", ["link", "key"])
def test_12_memory(wide):
    bundle.cache_clear()  # what other tests have left there does not count
    lua, _ = bundle("luajit21")
    engine = Engine("luajit21")
    hop = engine.hop(name="A")
    extension = (HOP_BY_HOP, b"\xff" + bytes(4 + 2042))
    first = (
        ethernet(ipv4(udp(b"x")), tags=((0x8100, 0), (0x8100, 0), *((VLAN,) * 1000)))
        if wide == "link"
        else ethernet(ipv6(udp(b"x"), extensions=(extension,) * 2))
    )
    for n in range(32000):
        number = n.to_bytes(4, "big")
        frame = (
            put(put(first, 14, n >> 8), 18, n & 255)
            if wide == "link"
            else put(put(first, 56, number), 56 + 2048, number)
        )
        engine.frame(n * 1e-6, hop, frame)
    assert lua.execute(b"collectgarbage() return (collectgarbage('count'))") < 100 * 1024


# 13: a new hop walks the whole queue of a key: 65,000 interfaces, one datagram, a time that ran back once
def test_13_hops_quadratic():
    run = lua_function(
        "lua52",
        """local frame, other, n = ...
      local e, a = driver.new_engine(), driver.hop("ethernet", 0)
      e.frame(1, 1e6, a, other, 1, #other, #other)
      e.frame(2, 0, a, other, 1, #other, #other)
      for i = 1, n do e.frame(i + 2, i * 0.06, driver.hop("ethernet", i), frame, 1, #frame, #frame) end""",
    )
    with at_most("lua52", 5_000 * 16_000):  # twice what it takes
        run(SAME, ethernet(ipv4(udp(), ident=7)), 5_000)


# 14: keys of different protocols may be equal: an ARP frame and an IPv4 packet of protocol 0, made to be
def test_14_made_to_collide():
    packet = ipv4(DATA[:12], 0, ident=2)
    fake = b"\0" + packet[1:8] + packet[12:]
    assert pair(ethernet(packet), ethernet(fake, ARP))[1] == "2 original"


# 15: small names: SNAP to Ethernet II is no VLAN; only half of SCTP's checksum is looked at
def test_15_snap_is_no_vlan():
    packet = ipv4(udp())
    two = ethernet(packet, dst=bytes.fromhex("0180c2000000"))
    assert "vlan" not in pair(ieee8023(snap(packet)), two)[1]


def test_15_sctp_checksum():
    other = put(sctp(), 10, b"\1\1")
    assert pair(ethernet(ipv4(sctp(), SCTP)), ethernet(ipv4(other, SCTP)))[1] == "1 duplicate rewritten checksum"
