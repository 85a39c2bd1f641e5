"""Packets that were cut into segments, or built of several: large sends and coalesced receives."""

from __future__ import annotations

import struct
from itertools import count

import pytest
from engine import MAC_B, MAC_C, RUNTIMES, TCP, Row, ipv4, ipv6, play, put, tcp
from test_engine_evidence import US, framed
from test_engine_nat import translated


def segments(whole: bytes, size: int, mss: int, *, ident: int | None, header: int = 20) -> list[bytes]:
    """The wire segments of a large TCP packet; `ident` counts on, None for IPv6."""
    start = header + 20
    data = whole[start:]
    parts = []
    for number, at in enumerate(range(0, size, mss)):
        part = put(whole[:start], header + 4, struct.pack(">I", 1000 + at)) + data[at : at + mss]
        part = put(part, 2, len(part)) if ident is not None else put(part, 4, len(part) - 40)
        parts.append(part if ident is None else put(part, 4, ident + number))
    return parts


LARGE = bytes(at * 31 % 251 for at in range(4000))
LSO = {
    "IPv4": (ipv4(tcp(LARGE), TCP, ident=50), 50, 20),
    "IPv4, no length (LSOv2)": (put(ipv4(tcp(LARGE), TCP, ident=50), 2, 0), 50, 20),
    "IPv6": (ipv6(tcp(LARGE), TCP), None, 40),
}


def said_of(runtime: str, rows: list[Row]) -> list[tuple[int, str, int | None]]:
    return [(one.packet, one.verdict, one.segment_of) for one in play(runtime, rows)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("whole", "ident", "header"), LSO.values(), ids=LSO)
def test_large_send_offload(runtime: str, whole: bytes, ident: int | None, header: int) -> None:
    parts = [framed(part) for part in segments(whole, 4000, 1448, ident=ident, header=header)]
    clock = count()
    rows: list[Row] = [(hop, 1 + next(clock) * 3 * US, framed(whole)) for hop in "AB"]
    rows += [(hop, 1 + next(clock) * 3 * US, part) for hop in "CD" for part in parts]
    said = said_of(runtime, rows)
    assert said[:2] == [(1, "original", None), (1, "duplicate", None)]
    assert said[2:5] == [(1, "segment", 2)] * 3
    assert said[5:] == [(1, "duplicate", 2)] * 3
    assert [one.path for one in play(runtime, rows)][-1] == "A > B > C > D"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("whole", "ident", "header"), LSO.values(), ids=LSO)
@pytest.mark.parametrize("late", [20, 0], ids=["in the file only", "by its clock, too"])
@pytest.mark.parametrize("size", [1461, 4000])
def test_a_large_frame_behind_its_last_segments(
    runtime: str, whole: bytes, ident: int | None, header: int, size: int, late: int
) -> None:
    """Several queues, each with a buffer of its own, write a file that is out of order: nothing was sent again."""
    parts = [framed(part) for part in segments(whole, size, 1448, ident=ident, header=header)]
    at = 4 if ident is None else 2
    length = struct.unpack_from(">H", whole, at)[0]
    whole = put(whole, at, length and length - 4000 + size)[: header + 20 + size]
    before = put(segments(whole, 1000, 1000, ident=ident and 49, header=header)[0], header + 4, bytes(4))
    rows: list[Row] = [("B", 1.0, framed(before))]
    rows += [("B", 1 + (20 + at) * US, parts[at]) for at in range(1, len(parts))]
    rows += [("A", 1 + (30 - late) * US, framed(whole)), ("B", 1 + 31 * US, parts[0])]
    assert "retransmission" not in [one.verdict for one in play(runtime, rows)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("whole", "ident", "header"), LSO.values(), ids=LSO)
def test_a_segment_lost_and_sent_again(runtime: str, whole: bytes, ident: int | None, header: int) -> None:
    """The retransmission is a packet of its own, no segment of the frame of which it repeats a part."""
    parts = segments(whole, 4000, 1448, ident=ident, header=header)
    again = parts[1] if ident is None else put(parts[1], 4, 99)
    later = 1.02 if ident else 1.3  # without an IP ID, only the time tells
    rows: list[Row] = [("A", 1.0, framed(whole))]
    rows += [("B", 1 + (at + 1) * US, framed(part)) for at, part in enumerate(parts)]
    rows += [("A", later, framed(again)), ("B", later + 3 * US, framed(again))]
    said = play(runtime, rows)
    assert [(one.packet, one.verdict, one.segment_of) for one in said[1:4]] == [(1, "segment", 1)] * 3
    assert [(one.packet, one.verdict, one.segment_of) for one in said[4:]] == [
        (5, "retransmission", None),
        (5, "duplicate", None),
    ]
    assert said[4].repeat_of == 1


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("whole", "ident", "header"), [LSO["IPv4"], LSO["IPv6"]], ids=["IPv4", "IPv6"])
def test_receive_coalescing(runtime: str, whole: bytes, ident: int | None, header: int) -> None:
    parts = [framed(part) for part in segments(whole, 4000, 1448, ident=ident, header=header)]
    rows: list[Row] = [("A", 1 + at * US, part) for at, part in enumerate(parts)]
    rows += [("B", 1 + 20 * US, framed(whole)), ("C", 1 + 25 * US, framed(whole))]
    said = said_of(runtime, rows)
    assert said[3:] == [(1, "coalesced", None), (1, "duplicate", None)]
    assert [one.previous for one in play(runtime, rows)][3] == 1
    # One of them was not seen: the IP ID of the first tells still.
    assert said_of(runtime, [*rows[:1], *rows[2:]])[2][1] == ("coalesced" if ident else "original")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("sizes", [[4, 281], [1448, 1448, 90, 1014]], ids=["small", "large"])
@pytest.mark.parametrize("ident", [50, 0])
def test_what_was_coalesced_is_not_sent_again_where_a_clock_shows_it_first(
    runtime: str, sizes: list[int], ident: int
) -> None:
    """Two observers: the frame that was built of several, with the last ACK of them, comes before them."""
    whole = ipv4(tcp(LARGE[: sum(sizes)]), TCP, ident=ident)
    rows: list[Row] = [("A", 1.0, framed(put(whole, 20 + 8, struct.pack(">I", 2500))))]
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        part = put(whole[:40], 24, struct.pack(">I", 1000 + start)) + whole[40 + start : 40 + start + size]
        part = put(put(part, 2, len(part)), 4, ident and ident + number)
        rows.append(("B", 1 + (500 + number) * US, framed(part)))
    assert "retransmission" not in [one.verdict for one in play(runtime, rows)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("whole", "ident", "header", "later"), [(*LSO["IPv4"], 1.02), (*LSO["IPv6"], 1.3)], ids=["IPv4", "IPv6"]
)
def test_what_a_hop_has_seen_in_parts_is_sent_again_as_one(
    runtime: str, whole: bytes, ident: int | None, header: int, later: float
) -> None:
    """With another IP ID or, without one, later than any sender waits."""
    parts = [framed(part) for part in segments(whole, 4000, 1448, ident=ident, header=header)]
    rows: list[Row] = [("A", 1 + at * US, part) for at, part in enumerate(parts)]
    again = framed(put(whole, 4, 99) if ident else whole)
    said = play(runtime, [*rows, ("A", later, again)])[3]
    assert (said.packet, said.verdict, said.repeat_of) == (4, "retransmission", 1)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("last", "ident", "is_segment"),
    [(last, ident, ident == 52) for last in (1104, 724) for ident in (49, 50, 52, 53)] + [(1104, 54, False)],
)
def test_the_last_segment_alone(runtime: str, last: int, ident: int, *, is_segment: bool) -> None:
    """Two of 1448 bytes come before it, so its IP ID is two more; with four more, they would be shorter than itself."""
    whole = ipv4(tcp(LARGE[: 2 * 1448 + last]), TCP, ident=50)
    part = segments(whole, 2 * 1448 + last, 1448, ident=50)[2]
    said = said_of(runtime, [("A", 1.0, framed(whole)), ("B", 1 + 5 * US, framed(put(part, 4, ident)))])
    assert said[1][2] == (1 if is_segment else None)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_not_cut_from_that(runtime: str) -> None:
    whole, ident, _ = LSO["IPv4"]
    parts = segments(whole, 4000, 1448, ident=ident)
    others = {
        "IP ID": put(parts[1], 4, 60),
        "data": put(parts[1], -1, b"\xff"),
        "acknowledgement": put(parts[1], 30, 9),
        "beyond it": put(parts[1], 26, 6000),
        "another flow": put(parts[1], 20, 5),
    }
    for name, part in others.items():
        said = said_of(runtime, [("A", 1.0, framed(whole)), ("B", 1 + 5 * US, framed(part))])
        assert (name, said[1][0], said[1][2]) == (name, 2, None)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("behind", "hop", "late", "verdict"),
    [("B", "A", 1, "retransmission"), ("A", "A", 1, "retransmission"), ("B", "B", 0, "segment")],
)
def test_its_timestamp_tells_what_was_sent_again(runtime: str, behind: str, hop: str, late: int, verdict: str) -> None:
    """Some milliseconds later, without an IP ID: segments have the timestamp of the large frame."""

    def stamped(data: bytes, seq: int, sent: int) -> bytes:
        options = struct.pack(">BBBBII", 1, 1, 8, 10, sent, 7)
        return framed(ipv6(tcp(data, seq=seq, options=options), TCP))

    rows: list[Row] = [("A", 1.0, stamped(LARGE, 1000, 500)), (behind, 1 + 5 * US, stamped(LARGE[:1428], 1000, 500))]
    again = stamped(LARGE[1428:2856], 2428, 500 + late)
    assert [one.verdict for one in play(runtime, [*rows, (hop, 1.02, again)])][1:] == ["segment", verdict]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_segment_sent_again_through_a_nat(runtime: str) -> None:
    """Its segments were seen behind the NAT only: their packet begins where the large frame did, all the same."""
    whole = ipv4(tcp(LARGE), TCP, ident=50)
    parts = segments(whole, 4000, 1448, ident=50)
    rows: list[Row] = [("A", 1.0, framed(whole)), ("B", 1 + 5 * US, framed(translated(whole), src=MAC_B, dst=MAC_C))]
    rows += [("C", 1 + (10 + at) * US, framed(translated(part), src=MAC_B, dst=MAC_C)) for at, part in enumerate(parts)]
    rows.append(("A", 1.06, framed(put(parts[0], 4, 99))))
    assert [one.verdict for one in play(runtime, rows)][2:] == ["segment"] * 3 + ["retransmission"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("order", "is_known"), [("CBA", True), ("BCA", True), ("CB", False)])
def test_a_segment_sent_again_where_its_data_was_in_a_large_frame(runtime: str, order: str, *, is_known: bool) -> None:
    """In a file out of order: the segment itself was seen elsewhere only."""
    whole = ipv4(tcp(LARGE), TCP, ident=50)
    parts = segments(whole, 4000, 1448, ident=50)
    shown = {"A": [whole], "B": [whole], "C": parts}
    rows: list[Row] = [
        (place, 1 + "ABC".index(place) * 20 * US + at * US, framed(packet))
        for place in order
        for at, packet in enumerate(shown[place])
    ]
    rows.append(("A", 1.06, framed(put(parts[1], 4, 150))))
    assert (play(runtime, rows)[-1].verdict == "retransmission") == is_known
