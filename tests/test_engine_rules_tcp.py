"""Rules of TCP in the engine that no other test held: what was sent before, and what was cut from what."""

from __future__ import annotations

import struct

import pytest
from engine import (
    A4,
    A6,
    B4,
    B6,
    DATA,
    MAC_A,
    MAC_B,
    TCP,
    Engine,
    Row,
    brief,
    ethernet,
    ipv4,
    ipv6,
    play,
    put,
    runtimes,
    tcp,
    udp,
)
from test_engine_evidence import PURE_ACK, US, framed, last, lesson
from test_engine_rules import packets, unique
from test_engine_segments import LARGE, segments


def segment(number: int, ident: int) -> bytes:
    return framed(ipv4(tcp(bytes([number]) * 100, seq=1000 + 100 * number), TCP, ident=ident))


@runtimes
def test_segments_that_were_overtaken_were_not_sent_before(runtime: str) -> None:
    order = [0, 2, 4, 6, 1, 5, 3]
    rows: list[Row] = [("A", 1 + at * 50 * US, segment(number, 10 + number)) for at, number in enumerate(order)]
    assert {said.verdict for said in play(runtime, rows)} == {"original"}
    rows += [("A", 1.001 + at * 50 * US, segment(number, 20 + at)) for at, number in enumerate(order)]
    assert {said.verdict for said in play(runtime, rows)[len(order) :]} == {"retransmission"}


@runtimes
@pytest.mark.parametrize(
    ("idents", "verdict"),
    [((10, 12, 11), "original"), ((10, 11, 12), "retransmission"), ((5000, 40000, 40500), "original")],
    ids=["sent first", "sent later", "drawn by lot"],
)
def test_ip_ids_that_count_tell_what_was_sent_later(runtime: str, idents: tuple[int, int, int], verdict: str) -> None:
    """Not those of a sender that draws them by lot, as macOS does."""
    order = zip((0, 2, 1), idents, strict=True)
    rows: list[Row] = [("A", 1 + number * US, segment(number, ident)) for number, ident in order]
    assert verdicts(runtime, rows)[2] == verdict


def dialogue(version: int, number: int, *, back: bool = False, flags: int = 0x18, size: int = 100) -> bytes:
    """A segment of two that talk: the n-th of their data, or an answer that asks for that."""
    payload = put(tcp(bytes([number % 256]) * size, seq=2000 if back else 1000 + 100 * number), 13, bytes([flags]))
    if not back:
        return framed(ipv4(payload, TCP, ident=0) if version == 4 else ipv6(payload, TCP))
    payload = put(payload[2:4] + payload[:2] + payload[4:], 8, struct.pack(">I", 1000 + 100 * number))
    packet = ipv4(payload, TCP, ident=0, src=B4, dst=A4) if version == 4 else ipv6(payload, TCP)
    return framed(packet if version == 4 else packet[:8] + B6 + A6 + packet[40:], src=MAC_B, dst=MAC_A)


def verdicts(runtime: str, rows: list[Row]) -> list[str]:
    return [said.verdict for said in play(runtime, rows)]


@runtimes
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("trip", "after", "asks", "verdict"),
    [
        (50e-3, 40e-3, 4, "original"),
        (50e-3, 60e-3, 4, "retransmission"),
        (50e-3, 60e-3, 1, "original"),
        (None, 1e-3, 4, "original"),
        (None, 4e-3, 4, "retransmission"),
        (None, 4e-3, 0, "original"),
        (None, 0.19, 0, "original"),
        (None, 0.21, 0, "retransmission"),
    ],
)
def test_what_comes_behind_newer_data_was_lost_if_it_was_asked_for(
    runtime: str, version: int, trip: float | None, after: float, asks: int, verdict: str
) -> None:
    """Else the network may have held it back, for less than a sender waits. Nobody answers within a round trip."""
    rows: list[Row] = []
    if trip:
        syn = dialogue(version, 0, flags=2, size=0)
        syn_ack = dialogue(version, 0, back=True, flags=0x12, size=0)
        rows = [
            ("A", 0.5, syn),
            ("A", 0.5 + trip, syn_ack),
            ("A", 0.5 + trip + US, dialogue(version, 0, flags=0x10, size=0)),
        ]
    rows += [("A", 1 + number * US, dialogue(version, number)) for number in (0, 2, 3)]
    ask = dialogue(version, 1, back=True, flags=0x10, size=0)
    rows += [("A", 1.0005 + at * 4e-5, put(ask, 18, 100 + at) if version == 4 else ask) for at in range(asks)]
    if version == 6 and asks:
        verdict = "original"  # without an IP ID, one ACK may have shown four times
    assert verdicts(runtime, [*rows, ("A", 1 + after, dialogue(version, 1))])[-1] == verdict


@runtimes
@pytest.mark.parametrize(("by_sender", "verdict"), [(True, "original"), (False, "retransmission")])
def test_a_scanner_begins_anew_behind_its_own_reset(runtime: str, verdict: str, *, by_sender: bool) -> None:
    """It asks from one port with one sequence number. What the other end has reset, a host tries again."""
    syn, reset = dialogue(4, 0, flags=2, size=0), dialogue(4, 1, back=not by_sender, flags=4, size=0)
    rows: list[Row] = [("A", 1.0, put(syn, 18, 7)), ("A", 1.001, put(reset, 18, 8)), ("A", 5.0, put(syn, 18, 9))]
    assert verdicts(runtime, rows)[-1] == verdict


@runtimes
@pytest.mark.parametrize(("ident", "asks", "same"), [(0, 1, True), (0, 4, False), (7, 4, True)])
def test_what_was_asked_for_since_may_be_another_packet(runtime: str, ident: int, asks: int, *, same: bool) -> None:
    """Three duplicate ACKs have it sent again at once (RFC 5681 3.2). But what is sent again gets a new IP ID."""
    data, ask = put(dialogue(4, 1), 18, ident), dialogue(4, 1, back=True, flags=0x10, size=0)
    rows: list[Row] = [("A", 1.0, data)]
    rows += [("A", 1.0001 + at * 4e-5, put(ask, 18, 100 + at)) for at in range(asks)]
    assert (packets(runtime, [*rows, ("A", 1.0005, data)])[-1] == 1) == same


# flags and bytes of data, sequence number: whether the same again was sent before
TCP_AGAIN = {
    "SYN": (2, 0, 0, True),
    "FIN": (0x11, 0, 0, True),
    "data": (0x18, 9, 0, True),
    "RST": (4, 0, 0, False),
    "acknowledgement": (0x10, 0, 0, False),
}


@runtimes
@pytest.mark.parametrize(("flags", "size", "seq", "again"), TCP_AGAIN.values(), ids=TCP_AGAIN)
def test_what_tcp_sends_again(runtime: str, flags: int, size: int, seq: int, *, again: bool) -> None:
    frame = dialogue(6, seq, flags=flags, size=size)
    rows: list[Row] = [("A", 1.0, frame), ("A", 1.3, frame)]
    assert verdicts(runtime, rows) == ["original", "retransmission" if again else "original"]


@runtimes
@pytest.mark.parametrize(
    ("size", "seq", "again"), [(0, 1099, False), (1, 1099, False), (1, 1098, True), (9, 1091, True)]
)
def test_a_keep_alive_repeats_the_last_byte(runtime: str, size: int, seq: int, *, again: bool) -> None:
    rows: list[Row] = [("A", 1.0, framed(ipv6(tcp(bytes(100), seq=1000), TCP)))]
    rows += [("A", 2.0, framed(ipv6(tcp(bytes(size), seq=seq), TCP)))]
    assert verdicts(runtime, rows)[1] == ("retransmission" if again else "original")


WHOLE = ipv4(tcp(LARGE), TCP, ident=50)
PARTS = segments(WHOLE, 4000, 1448, ident=50)


@runtimes
@pytest.mark.parametrize(("part", "same"), [(PARTS[0], True), (put(PARTS[0], 40, b"\xff"), False)])
def test_one_hop_shows_segments_and_what_they_were_cut_from(runtime: str, part: bytes, *, same: bool) -> None:
    """As far as data tells, each byte counts."""
    rows: list[Row] = [("A", 1.0, framed(WHOLE)), ("A", 1 + 5 * US, framed(part))]
    assert (verdicts(runtime, rows)[1] == "segment") == same


@runtimes
def test_a_fin_alone_repeats_no_part_of_a_larger_frame(runtime: str) -> None:
    fin = framed(ipv6(put(tcp(seq=5000), 13, b"\x11"), TCP))
    said = play(runtime, [("A", 1.0, framed(ipv6(tcp(LARGE), TCP))), ("A", 1.1, fin), ("A", 1.4, fin)])
    assert (said[2].verdict, said[2].segment_of) == ("retransmission", None)


HOLE = [("A", 1 + number * US, dialogue(6, number)) for number in (0, 2, 3, 4)]
ASK = dialogue(6, 1, back=True, flags=0x10, size=0)
INSIDE, TAG = ipv4(udp(), ident=9), ((0x8100, 7),)
ROUTED = [ethernet(put(INSIDE, 8, bytes([ttl])), tags=tags) for ttl, tags in ((64, ()), (62, TAG), (63, ()))]
TOLD: dict[str, list[Row]] = {
    "TCP": [*HOLE, ("A", 1.0001, ASK), ("A", 1.0002, ASK), ("A", 1.001, dialogue(6, 1)), ("A", 1.3, dialogue(6, 2))],
    "segments": [("A", 1.0, framed(WHOLE)), *(("B", 1 + (5 + at) * US, framed(part)) for at, part in enumerate(PARTS))],
    "rewritten": [(hop, 1 + at * 10 * US, frame) for at, (hop, frame) in enumerate(zip("ABB", ROUTED, strict=True))],
    "IP IDs": [("A", 1 + at * 50e-3, unique(1 + at // 2)) for at in range(6)],
    "learned": [*lesson(2, 0.1, 4), ("A", 1.0, framed(PURE_ACK)), ("A", 1 + 3 * US, framed(PURE_ACK))],
    "NAT": [("A", 1.0, framed(INSIDE)), ("B", 1.01, framed(put(INSIDE, 12, bytes([203, 0, 113, 9]))))],
}


@runtimes
@pytest.mark.parametrize("rows", TOLD.values(), ids=TOLD)
def test_a_frame_that_was_discarded_changes_nothing(runtime: str, rows: list[Row]) -> None:
    """Wireshark's read filter rejects frames, and gives the number of each to the next one."""
    engine = Engine(runtime)
    hops = {hop: engine.hop(name=hop) for hop in "AB"}
    said = []
    for hop, time, frame, *_ in rows:
        for other_hop, other_time, other, *_ in rows:
            engine.frame(other_time, hops[other_hop], other)
            engine.discard()
        said.append(engine.frame(time, hops[hop], frame))
    assert said == play(runtime, rows)


@runtimes
def test_segments_are_rewritten_only_by_what_their_link_header_says(runtime: str) -> None:
    moved = framed(PARTS[1], src=MAC_B, dst=MAC_A)
    rows: list[Row] = [("A", 1.0, framed(WHOLE)), ("B", 1 + 5 * US, framed(PARTS[0])), ("B", 1 + 6 * US, moved)]
    assert [brief(said) for said in play(runtime, rows)[1:]] == ["1 segment segment", "1 segment segment mac"]
    parts: list[Row] = [("A", 1 + at * US, framed(part)) for at, part in enumerate(PARTS)]
    assert brief(play(runtime, [*parts, ("B", 1 + 9 * US, framed(WHOLE))])[3]) == "1 coalesced segment"


@runtimes
@pytest.mark.parametrize("flags", [0x10, 0x11], ids=["acknowledgement", "FIN"])
@pytest.mark.parametrize("seq", [1000, 2448, 5000])
def test_what_has_no_data_was_cut_from_nothing(runtime: str, seq: int, flags: int) -> None:
    empty = framed(ipv6(put(tcp(seq=seq), 13, bytes([flags])), TCP))
    assert packets(runtime, [("A", 1.0, framed(ipv6(tcp(LARGE), TCP))), ("B", 1 + 9 * US, empty)]) == [1, 2]


@runtimes
@pytest.mark.parametrize("size", [1104, 1448])
def test_a_segment_lies_inside_what_it_was_cut_from(runtime: str, size: int) -> None:
    """The last one ends where that ends."""
    data = (LARGE + bytes(1000))[2896 : 2896 + size]
    part = framed(ipv4(tcp(data, seq=1000 + 2896), TCP, ident=52))
    rows: list[Row] = [("A", 1.0, framed(WHOLE)), ("B", 1 + 5 * US, part)]
    assert packets(runtime, rows) == [1, 1 if size == 1104 else 2]


@runtimes
def test_an_acknowledgement_is_no_part_of_a_larger_frame(runtime: str) -> None:
    """It was overtaken by the data that was sent after it."""
    parts = [framed(part) for part in segments(ipv6(tcp(LARGE), TCP), 4000, 1448, ident=None, header=40)]
    ack = framed(ipv6(put(tcp(seq=2448), 13, b"\x10"), TCP))
    rows: list[Row] = [("A", 1 + at * US, frame) for at, frame in enumerate([*parts[:2], ack, parts[2]])]
    said = play(runtime, [*rows, ("B", 1 + 20 * US, framed(ipv6(tcp(LARGE), TCP)))])
    assert (said[4].packet, said[4].verdict) == (1, "coalesced")


def wrapped(packet: bytes, at: int) -> bytes:
    """The packet of a sequence number as if the flow had begun 2000 bytes before that wraps."""
    (seq,) = struct.unpack_from(">I", packet, at)
    return framed(put(packet, at, struct.pack(">I", (seq - 1000 - 2000) % 2**32)))


@runtimes
def test_sequence_numbers_that_wrap(runtime: str) -> None:
    whole, *parts = (wrapped(packet, 24) for packet in (WHOLE, *PARTS))
    clock = [1 + at * US for at in range(4)]
    rows: list[Row] = [("A", time, frame) for time, frame in zip(clock, (whole, *parts), strict=True)]
    assert verdicts(runtime, rows[1:]) == ["original"] * 3
    assert verdicts(runtime, [*rows[1:], ("A", 1.1, put(parts[1], 18, 99))])[3] == "retransmission"
    assert verdicts(runtime, [*rows[1:], ("B", 1.1, put(parts[1], 18, 99))])[3] == "original"
    assert verdicts(runtime, [*rows[1:], ("B", 1 + 5 * US, whole)])[3] == "coalesced"
    assert verdicts(runtime, rows[:1] + [("B", *row[1:]) for row in rows[1:]]) == ["original"] + ["segment"] * 3


@runtimes
@pytest.mark.parametrize("size", [1460, 1461])
@pytest.mark.parametrize("ident", [50, 51])
def test_a_part_at_the_start_has_the_ip_id_of_the_whole(runtime: str, size: int, ident: int) -> None:
    """Whether or not Ethernet carries the whole."""
    whole, part = (framed(ipv4(tcp(LARGE[:end]), TCP, ident=at)) for end, at in ((size, 50), (700, ident)))
    assert packets(runtime, [("A", 1.0, whole), ("B", 1 + 5 * US, part)]) == [1, 1 if ident == 50 else 2]


@runtimes
@pytest.mark.parametrize("size", range(34, 60))
def test_a_tcp_header_that_was_cut_proves_nothing(runtime: str, size: int) -> None:
    """Behind the flags it is known whether there is data."""
    frame = framed(ipv4(tcp(DATA), TCP, ident=0))
    rows: list[Row] = [("A", 1 + at * 20 * US, frame[:size], len(frame)) for at in range(2)]
    assert packets(runtime, rows) == [1, 1 if size > 47 else 2]


@runtimes
def test_an_acknowledgement_without_data_was_not_asked_for(runtime: str) -> None:
    """Both ends say again, at once, where they stand; one of them is recorded twice."""
    ack, ask = (dialogue(4, 1, back=back, flags=0x10, size=0) for back in (False, True))
    rows = lesson(2, 0.1) + [("A", 1 + at * US, frame) for at, frame in enumerate([ack, ask, ask, ack])]
    assert last(runtime, rows, 4)[3] == "1 duplicate learned"


@runtimes
@pytest.mark.parametrize(
    ("start", "end", "verdict"),
    [
        (1100, 1200, "original"),
        (1100, 1150, "original"),
        (1150, 1200, "original"),
        (1050, 1200, "retransmission"),
        (1100, 1250, "retransmission"),
    ],
)
def test_what_repeats_a_byte_was_sent_before(runtime: str, start: int, end: int, verdict: str) -> None:
    """What fills a gap, no more, was overtaken."""
    rows: list[Row] = [("A", 1 + number * US, dialogue(6, number)) for number in (0, 2, 3)]
    late = framed(ipv6(tcp(bytes(end - start), seq=start), TCP))
    assert verdicts(runtime, [*rows, ("A", 1 + 50 * US, late)])[3] == verdict


@runtimes
def test_a_socket_connected_to_itself(runtime: str) -> None:
    """As a loopback shows where a client gets the port that it asks for; what it acknowledges is its own."""
    frames = [
        ethernet(ipv6(tcp(DATA, seq=1000 + at, sport=443), TCP), src=bytes(6), dst=bytes(6)) for at in (0, 100, 0)
    ]
    frames = [put(frame, 22, A6 + A6) for frame in frames]
    said = play(runtime, [("A", 1.0 + 0.15 * at, frame) for at, frame in enumerate(frames)])
    assert [one.verdict for one in said] == ["original", "original", "retransmission"]


@runtimes
def test_segments_that_overtake(runtime: str) -> None:
    """With an IP ID, it tells which is which."""
    order = [PARTS[0], PARTS[2], PARTS[1]]
    rows: list[Row] = [("A", 1.0, framed(WHOLE))]
    rows += [("B", 1 + (5 + at) * US, framed(part)) for at, part in enumerate(order)]
    assert verdicts(runtime, rows)[1:] == ["segment"] * 3


@runtimes
def test_a_segment_without_an_ip_id_that_comes_again(runtime: str) -> None:
    """It is another packet: the hop has shown that part, and what is behind."""
    whole = ipv6(tcp(LARGE), TCP)
    parts = [framed(part) for part in segments(whole, 4000, 1448, ident=None, header=40)]
    rows: list[Row] = [("A", 1.0, framed(whole))]
    rows += [("B", 1 + (5 + at) * US, part) for at, part in enumerate(parts)]
    assert packets(runtime, [*rows, ("B", 1.02, parts[1])]) == [1, 1, 1, 1, 5]


@runtimes
def test_a_flow_is_known_while_thousands_of_others_begin(runtime: str) -> None:
    frame = dialogue(6, 0)
    rows: list[Row] = [("A", 1.0, frame)]
    rows += [("A", 1.1 + at * US, put(frame, 54, at)) for at in range(1, 6000)]
    assert verdicts(runtime, [*rows, ("A", 1.3, frame)])[-1] == "retransmission"


@runtimes
def test_how_long_a_segment_took(runtime: str) -> None:
    """Since the larger frame was seen last, and since it was seen first."""
    rows: list[Row] = [("A", 1.0, framed(WHOLE)), ("B", 1 + 5 * US, framed(WHOLE)), ("C", 1 + 9 * US, framed(PARTS[0]))]
    said = play(runtime, rows)[2]
    assert said.previous == 2
    assert said.delta == pytest.approx(4 * US)
    assert said.elapsed == pytest.approx(9 * US)


@runtimes
@pytest.mark.parametrize("number", [2, 3])
def test_two_parts_are_enough(runtime: str, number: int) -> None:
    data = LARGE[: number * 1000]
    parts = segments(ipv4(tcp(data), TCP, ident=50), len(data), 1000, ident=50)
    rows: list[Row] = [("A", 1 + at * US, framed(part)) for at, part in enumerate(parts)]
    assert verdicts(runtime, [*rows, ("B", 1 + 9 * US, framed(ipv4(tcp(data), TCP, ident=50)))])[-1] == "coalesced"
