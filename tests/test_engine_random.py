"""Any bytes at all: no error, no mark that contradicts itself, and each Lua says the same."""

from __future__ import annotations

import pytest
from engine import (
    ARP,
    DATA,
    KINDS,
    LLDP,
    TCP,
    Engine,
    Said,
    arp,
    ethernet,
    ieee8023,
    ipv4,
    ipv4_fragments,
    ipv6,
    lldp,
    null,
    put,
    radiotap,
    read_frame,
    sll,
    sll2,
    snap,
    stp,
    tcp,
    udp,
    wifi,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The same examples every time: a test that fails must fail again.
examples = settings(
    database=None, deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)

V4, V6 = ipv4(udp(), ident=0), ipv6(tcp(DATA[:8]), TCP)
# What random bytes stand behind, so that they get past the link header.
STARTS = {
    "ethernet": (b"", ethernet(b""), ethernet(V4)[:-40], ethernet(V6)[:20], ieee8023(snap(b""))[:22]),
    "sll": (b"", sll(V4)[:17], sll(V6)[:30]),
    "sll2": (b"", sll2(V4)[:21], sll2(V6)[:30]),
    "raw": (b"", b"\x45", V4[:24], V6[:41]),
    "null": (b"", null(V4)[:24], null(V6)[:5]),
    "wifi": (b"", wifi(snap(b"", 0x800)), wifi(snap(V4), qos=True)[:50]),
    "radiotap": (b"", b"\0\0\x08\0" + bytes(4), radiotap(wifi(snap(V6)))[:60]),
    "unknown": (b"",),
}


@st.composite
def any_frames(draw: st.DrawFn) -> tuple[str, bytes, int]:
    kind = draw(st.sampled_from(KINDS))
    frame = draw(st.sampled_from(STARTS[kind])) + draw(st.binary(max_size=80))
    return kind, frame, draw(st.sampled_from((len(frame), 0, 1500, 2**32 - 1)))


@examples
@given(st.lists(any_frames(), max_size=20))
def test_any_bytes_are_no_error(frames: list[tuple[str, bytes, int]]) -> None:
    for runtime in ("lua52", "luajit21"):
        engine = Engine(runtime)
        hops = {kind: engine.hop(kind, kind) for kind in KINDS}
        for at, (kind, frame, length) in enumerate(frames):
            for _ in range(2):
                said = engine.frame(at * 1e-6, hops[kind], frame, length)
                assert (said.previous is None) == (said.verdict not in ("duplicate", "segment", "coalesced"))


@examples
@given(any_frames(), st.binary(max_size=40), st.binary(max_size=40))
def test_what_stands_around_a_frame_says_nothing(frame: tuple[str, bytes, int], before: bytes, after: bytes) -> None:
    kind, data, length = frame
    for runtime in ("lua52", "luajit21"):
        alone = read_frame(runtime, kind, data, 1, len(data), length)
        buf, at = before + data + after, len(before) + 1
        assert read_frame(runtime, kind, buf, at, at + len(data) - 1, length) == alone


# Few frames, hops and times, so that they meet.
ALPHABET = (
    (ethernet(V4), 142),
    (ethernet(ipv4(udp(), ident=0, ttl=63)), 142),
    (ethernet(ipv4(udp(), ident=0, payload_sum=7), tags=((0x8100, 5),)), 146),
    (ethernet(V4)[:96], 142),
    (ethernet(V4)[:48], 142),
    (ethernet(ipv4(udp(put(DATA, 50, b"x")), ident=0, payload_sum=0)), 142),
    (ethernet(V6), 82),
    (ethernet(V6)[:80], 82),
    (ethernet(arp(), ARP), 42),
    (ethernet(arp(), ARP, least=60), 60),
    (ethernet(lldp(), LLDP), 37),
    (ieee8023(stp()), 60),
    (ethernet(ipv4_fragments(V4, 64)[1]), 78),
    (ethernet(ipv4(udp(b"ab"), ident=0), least=60), 60),
    (b"\x81\0" * 20, 40),
)
TIMES = (None, 0.0, 1e-6, 20e-6, 1e-3, 0.01, 0.03)
SIGHTINGS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(TIMES), st.sampled_from(ALPHABET)), min_size=1, max_size=60
)


def replay(runtime: str, sightings: list, rejected: list | None = None) -> list[Said]:
    """What is said of each frame; before each, a read filter may reject another one."""
    engine, time = Engine(runtime), 0.0
    hops = [engine.hop(name="ABC"[at]) for at in range(3)] + [engine.hop("raw", "R")]

    def take(hop: int, step: float | None, frame: bytes, length: int) -> Said:
        # Hop B's clock is behind: times in a file run back between interfaces.
        now = None if step is None else time + step - 0.005 if hop == 1 else time + step
        cut = 14 if hop == 3 else 0
        return engine.frame(now, hops[hop], frame[cut:], length - cut)

    said = []
    for at, (hop, step, sent) in enumerate(sightings):
        if rejected:
            other_hop, other_step, other = rejected[at % len(rejected)]
            take(other_hop, other_step, *other)
            engine.discard()
        said.append(take(hop, step, *sent))
        time += step or 0
    return said


@pytest.mark.slow
@settings(examples, max_examples=300)
@given(SIGHTINGS)
def test_marks_agree_with_each_other_and_on_every_lua(sightings: list) -> None:
    said = replay("luajit21", sightings)
    assert replay("lua52", sightings) == said
    assert replay("lua54", sightings) == said
    last = {}
    for number, one in enumerate(said, 1):
        if one.previous is None:
            assert (one.packet, one.appearance, one.path) == (number, 1, one.hop)
            assert one.verdict in ("original", "repeat", "retransmission")
            assert (one.evidence, one.rewritten, one.delta, one.elapsed) == ("none", None, None, None)
        else:
            before = last[one.packet]
            assert one.previous == before[0]
            assert (one.verdict, one.appearance) == ("duplicate", before[1].appearance + 1)
            way = before[1].path
            assert one.path == (way if one.hop == before[1].hop else f"{way} > {one.hop}")
            assert abs(one.delta) <= 0.2  # the window
            assert (one.evidence == "rewritten") == bool({"ttl", "checksum"} & {*(one.rewritten or "").split(",")})
        last[one.packet] = number, one


@pytest.mark.slow
@examples
@given(SIGHTINGS, SIGHTINGS)
def test_frames_that_a_read_filter_rejects_change_nothing(sightings: list, rejected: list) -> None:
    assert replay("luajit21", sightings, rejected) == replay("luajit21", sightings)
