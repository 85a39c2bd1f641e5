"""Ways through the engine that are seldom gone, and that `make coverage` or a planted mistake showed to be untested."""

from __future__ import annotations

import pytest
from engine import TCP, Engine, brief, ethernet, ipv4, ipv6, play, runtimes, tcp, udp

STEP = 20e-6
DATA = bytes(range(100, 250))
NOISE = bytes(number * 167 % 256 for number in range(400))
IPV6_IN_IP = 41
STAMPS = b"\1\1\x08\x0a" + bytes(range(8))
PROVED = {
    "IP ID": ethernet(ipv4(udp(DATA), ident=7)),
    "IP ID, TCP": ethernet(ipv4(tcp(DATA), TCP, ident=7)),
    "TCP timestamps": ethernet(ipv6(tcp(DATA, options=STAMPS), TCP)),
}


@runtimes
@pytest.mark.parametrize("frame", PROVED.values(), ids=PROVED)
@pytest.mark.parametrize(("gap", "packets"), [(0.9e-3, 1), (9e-3, 1), (0.19, 1), (0.21, 2)])
def test_an_identity_tells_until_a_sender_would_send_again(
    runtime: str, frame: bytes, gap: float, packets: int
) -> None:
    before = ethernet(ipv4(udp(DATA), ident=6))  # its sender counts
    said = play(runtime, [("A", 0.0, before), ("A", 1.0, frame), ("A", 1.0 + gap, frame)])
    assert [one.packet for one in said] == [1, 2, packets + 1]


@runtimes
def test_tcp_data_without_an_identity_tells_for_two_milliseconds(runtime: str) -> None:
    """Later it may be a sighting, or sent again after all: first no mark, then what TCP sends by its timer."""
    frame = ethernet(ipv6(tcp(DATA), TCP))
    verdicts = [
        play(runtime, [("A", 0.0, frame), ("A", gap, frame)])[1].verdict for gap in (1.9e-3, 2.1e-3, 0.19, 0.21)
    ]
    assert verdicts == ["duplicate", "original", "original", "retransmission"]


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
def test_a_segment_that_a_read_filter_rejected(runtime: str) -> None:
    """Wireshark's read filter dissects each segment and rejects it; then the same comes again.

    Without an IP ID, how much a hop has shown of the larger frame tells that something was sent again.
    """
    size = 1000
    data = bytes(number % 251 for number in range(3 * size))
    engine = Engine(runtime)
    upper, lower = engine.hop("ethernet", "A"), engine.hop("ethernet", "B")
    engine.frame(0.0, upper, ethernet(ipv6(tcp(data), TCP)))
    said = []
    for at in range(0, 3 * size, size):
        segment = ethernet(ipv6(tcp(data[at : at + size], seq=1000 + at), TCP))
        for rejected in (True, False):
            said.append(engine.frame(STEP * (1 + at // size), lower, segment))
            if rejected:
                engine.discard()
    assert [(one.verdict, one.segment_of) for one in said] == [("segment", 1)] * 6


@runtimes
@pytest.mark.parametrize("rejected", [0, 1, 3])
def test_packet_ids_that_a_read_filter_rejected(runtime: str, rejected: int) -> None:
    """Of four ids, one repeats, which is enough to believe in them; what was rejected does not count."""
    engine = Engine(runtime)
    upper, lower = engine.hop("ethernet", "A", 0), engine.hop("ethernet", "B", 1)

    def frame(number: int, tag: str, hop: object, time: float) -> int:
        return engine.frame(time, hop, ethernet(ipv4(udp(bytes([number]) * 40), ident=number)), tag=tag).packet

    for number in range(2):
        frame(number, str(number), upper, 0.01 * number)
    for number in range(rejected):
        frame(90 + number, f"rejected {number}", lower, 0.06)
        engine.discard()
    assert frame(50, "x", upper, 0.07) == frame(51, "x", lower, 0.07)


@runtimes
def test_a_generator_sends_one_frame_on_and_on(runtime: str) -> None:
    """With one IP ID, or with a payload that looks drawn by lot: what repeats for ever tells nothing."""
    rows = [("A", 0.3e-3 * number, ethernet(ipv4(udp(DATA), ident=7))) for number in range(200)]
    rows += [("A", 1 + 0.3e-3 * number, ethernet(ipv6(udp(NOISE)))) for number in range(200)]
    said = play(runtime, rows)
    assert sum(one.verdict == "duplicate" for one in said[:200]) <= 3
    assert sum(one.verdict == "duplicate" for one in said[200:]) <= 3


@runtimes
def test_two_taps_far_apart_of_which_one_is_mirrored_twice(runtime: str) -> None:
    """A step of 3 ms to the other tap is one packet's way."""
    rows = []
    for number in range(1, 30):
        frame = ethernet(ipv4(udp(DATA), ident=number))
        rows += [
            ("A", 0.01 * number, frame),
            ("B", 0.01 * number + 3e-3, frame),
            ("B", 0.01 * number + 3e-3 + STEP, frame),
        ]
    assert [said.appearance for said in play(runtime, rows)] == [1, 2, 3] * 29
