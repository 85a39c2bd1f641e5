"""Ways through the engine that are seldom gone, and that `make coverage` or a planted mistake showed to be untested."""

from __future__ import annotations

import pytest
from engine import MAC_C, TCP, Engine, brief, ethernet, ipv4, ipv6, play, runtimes, tcp, udp

STEP = 20e-6
DATA = bytes(range(100, 250))
NOISE = bytes(number * 167 % 256 for number in range(400))
IPV6_IN_IP = 41
AGAIN = {
    "IPv6": ethernet(ipv6(tcp(DATA), TCP)),
    "IPv4 with an IP ID": ethernet(ipv4(tcp(DATA), TCP, ident=7)),
    "UDP": ethernet(ipv4(udp(DATA), ident=7)),
}


@runtimes
@pytest.mark.parametrize("frame", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("gap", [1.1e-3, 2e-3, 5e-3, 9e-3])
def test_a_hop_shows_a_packet_again_within_a_millisecond(runtime: str, frame: bytes, gap: float) -> None:
    """Later it was sent again, as TCP does in a LAN after some milliseconds."""
    soon = play(runtime, [("A", 0.0, frame), ("A", 0.9e-3, frame)])
    assert [said.packet for said in soon] == [1, 1]
    later = play(runtime, [("A", 0.0, frame), ("A", gap, frame)])
    assert [said.packet for said in later] == [1, 2]


@runtimes
@pytest.mark.parametrize("shared", [0, 3, 4, 40])
@pytest.mark.parametrize(("time", "tells"), [(1.0000123457, True), (1.000012, False)], ids=["ns", "us"])
def test_the_same_nanosecond(runtime: str, time: float, tells: bool, shared: int) -> None:
    """It tells, unless the clock counts only microseconds, or four different frames have shared a moment before."""
    ack = ethernet(ipv4(tcp(), TCP, ident=0))
    others = [("A", 0.5 + at // 2 * 1e-3, ethernet(ipv4(udp(), ident=1 + at), src=MAC_C)) for at in range(2 * shared)]
    said = play(runtime, [*others, ("A", time, ack), ("A", time, ack)])
    assert said[-1].packet == len(said) - (1 if tells and shared < 4 else 0)


@runtimes
def test_ipv6_in_ipv4_without_anything_between(runtime: str) -> None:
    inside = ipv6(tcp(DATA), TCP)
    outside = ethernet(ipv4(inside, IPV6_IN_IP, ident=99))
    said = play(runtime, [("A", 0.0, ethernet(inside)), ("B", STEP, outside)])
    assert brief(said[1]) == "1 duplicate bytes link"
    # Protocol 41 around what is no IPv6 is an ordinary packet.
    other = ethernet(ipv4(b"\x45" + inside[1:], IPV6_IN_IP, ident=99))
    assert [s.packet for s in play(runtime, [("A", 0.0, ethernet(inside)), ("B", STEP, other)])] == [1, 2]


@runtimes
def test_a_segment_is_taken_back(runtime: str) -> None:
    """Wireshark's read filter dissects a segment that it rejects; then the same comes again.

    Without an IP ID, what a hop has shown of the larger frame already would tell that it was sent again.
    """
    size = 1000
    data = bytes(number % 251 for number in range(3 * size))
    frames = [ethernet(ipv6(tcp(data), TCP))]
    frames += [ethernet(ipv6(tcp(data[at : at + size], seq=1000 + at), TCP)) for at in range(0, 3 * size, size)]
    engine = Engine(runtime)
    upper, lower = engine.hop("ethernet", "A"), engine.hop("ethernet", "B")
    said = []
    engine.frame(0.0, upper, frames[0])
    for number, frame in enumerate(frames[1:], 1):
        for rejected in (True, False):
            said.append(engine.frame(STEP * number, lower, frame))
            if rejected:
                engine.undo()
    assert [(one.verdict, one.segment_of) for one in said] == [("segment", 1)] * 6


@runtimes
@pytest.mark.parametrize("rejected", [0, 1, 3])
def test_a_packet_id_is_taken_back(runtime: str, rejected: int) -> None:
    """Ids of five pairs of equal frames are believed of one pair that differs; what was rejected does not count."""
    engine = Engine(runtime)
    upper, lower = engine.hop("ethernet", "A", 0), engine.hop("ethernet", "B", 1)

    def frame(number: int, tag: str, hop: object, time: float) -> int:
        return engine.frame(time, hop, ethernet(ipv4(udp(bytes([number]) * 40), ident=number)), tag=tag).packet

    for number in range(5):
        one, other = (frame(number, str(number), hop, 0.01 * number) for hop in (upper, lower))
        assert one == other
    for _ in range(rejected):
        frame(99, "0", lower, 0.06)
        engine.undo()
    assert frame(50, "x", upper, 0.07) == frame(51, "x", lower, 0.07)


@runtimes
def test_a_generator_sends_one_frame_on_and_on(runtime: str) -> None:
    """Each within a millisecond of the one before, with one IP ID: beyond a millisecond they are no copies."""
    rows = [("A", 0.3e-3 * number, ethernet(ipv4(udp(DATA), ident=7))) for number in range(200)]
    rows += [("A", 1 + 0.3e-3 * number, ethernet(ipv6(udp(NOISE)))) for number in range(200)]
    said = play(runtime, rows)
    assert sum(one.verdict == "duplicate" for one in said[:200]) <= 3
    assert sum(one.verdict == "duplicate" for one in said[200:]) <= 3


@runtimes
def test_two_taps_far_apart_of_which_one_is_mirrored_twice(runtime: str) -> None:
    """A step of 3 ms to the other tap is no storm there."""
    rows = []
    for number in range(1, 30):
        frame = ethernet(ipv4(udp(DATA), ident=number))
        rows += [
            ("A", 0.01 * number, frame),
            ("B", 0.01 * number + 3e-3, frame),
            ("B", 0.01 * number + 3e-3 + STEP, frame),
        ]
    assert [said.appearance for said in play(runtime, rows)] == [1, 2, 3] * 29


@runtimes
def test_a_clock_that_stands_still(runtime: str) -> None:
    """A capture made of a text has no times: what TCP sent again without an IP ID, it sent again."""
    segments = [ethernet(ipv6(tcp(DATA, seq=1000 + 150 * number), TCP)) for number in range(20)]
    said = play(runtime, [("A", 0.0, frame) for frame in [*segments, segments[15]]])
    assert (said[-1].packet, said[-1].verdict) == (21, "retransmission")
    copied = [ethernet(ipv4(tcp(DATA, seq=1000 + 150 * number), TCP, ident=5 + number)) for number in range(20)]
    assert play(runtime, [("A", 0.0, frame) for frame in [*copied, copied[15]]])[-1].packet == 16
