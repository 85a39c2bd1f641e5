"""What one pass over a capture counts: the numbers behind `why`, `inspect` and `report`.

`Statistics.as_dict()` gives plain lists, dicts and numbers, as JSON takes them. All of it is bounded, however large the
capture: the most frequent of each kind are told apart, the rest is one row named OTHERS.

Words: a *frame* is a record of the capture, a *packet* was sent once, its *sightings* are the frames that show it.
Times are seconds since 1970, durations are seconds. `first_frame` and the like are frame numbers, from 1, of the
capture (of a series: counted on from file to file).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pywnv.statistics.example import Example
from pywnv.statistics.loss import Loss

OTHERS = "(others)"

# Which way packets went: for a selection by address or flow, as seen from it; otherwise as seen from the host.
TO, FROM = "to", "from"


@dataclass(frozen=True)
class Selection:
    """Whose packets count; at most one of the three.

    Attributes:
        ip: an address: packets from and to it, and ARP requests for it.
        nic: the name of a hop, or a part of it.
        flow: address, port, address, port: both directions of one TCP or UDP flow.
    """

    ip: str | None = None
    nic: str | None = None
    flow: tuple[str, int, str, int] | None = None


@dataclass(frozen=True)
class Timeline:
    """The bins that all `over_time` lists share; each list has `bins` numbers.

    Attributes:
        start: of the first bin; None if the capture has no times.
        width: of a bin.
        bins: how many there are, at most 256.
    """

    start: float | None
    width: float
    bins: int


@dataclass(frozen=True)
class Gap:
    """A range of frames in which a hop showed nothing while another hop still showed packets of the same path.

    Attributes:
        from_frame, from_time: the frame after the hop's last frame before the gap; 1 if the hop had shown none yet.
        to_frame, to_time: the hop's next frame; None if it showed no more frames.
        others: packets in the gap that other hops showed, and that this hop would have shown before.
        beside: the hop that shows them.
    """

    from_frame: int
    from_time: float | None
    to_frame: int | None
    to_time: float | None
    others: int
    beside: str


@dataclass(frozen=True)
class Hop:
    """A place in the host where frames were seen.

    Attributes:
        name: as in `wnv.hop`; None if the capture names no interface.
        role: as in `wnv.hop.role`.
        frames: number of frames seen here.
        packets: number of packets seen here; a packet that shows twice counts once.
        dropped: number of frames that were dropped here.
        first_frame, last_frame, first_time, last_time: of the frames seen here.
        gaps: where the hop showed nothing, the longest first.
        over_time: frames in each bin.
    """

    name: str | None
    role: str
    frames: int
    packets: int
    dropped: int
    first_frame: int
    last_frame: int
    first_time: float | None
    last_time: float | None
    gaps: tuple[Gap, ...]
    over_time: tuple[int, ...]


@dataclass(frozen=True)
class Between:
    """Packets from one address to another.

    Attributes:
        source, destination: the addresses.
        packets: how many.
    """

    source: str
    destination: str
    packets: int


@dataclass(frozen=True)
class Path:
    """A path that packets took, complete, as their last sighting shows it.

    Attributes:
        path: as in `wnv.path`; where the switch floods, with branches in braces. None if a hop has no name.
        way: as in `End`.
        direction: outbound, inbound, internal or unknown.
        packets: number of packets that took it.
        first_frame: first sighting of the first of these packets.
        last_frame: last sighting of that packet.
        unfinished: how many of them began so late that the capture may end before the rest of their path.
        between: the first 16 pairs of addresses between which they go; packets of others, or without, are missing.
    """

    path: str | None
    way: str
    direction: str
    packets: int
    first_frame: int
    last_frame: int
    unfinished: int
    between: tuple[Between, ...]


@dataclass(frozen=True)
class Stranger:
    """Packets that were not selected, by the hops that they show and by their addresses.

    Attributes:
        hops: their names.
        packets: how many.
        source, destination: their addresses; None if these are not known.
    """

    hops: tuple[str, ...]
    packets: int
    source: str | None
    destination: str | None


@dataclass(frozen=True)
class End:
    """The hop where packets were last seen, by time.

    Attributes:
        way: TO or FROM for a selection; otherwise outbound, inbound, internal or unknown.
        hop: its name, or None.
        role: of the hop.
        packets: number of packets last seen here.
        dropped, dropped_harmless: how many of them were dropped here with harm, and without.
        near: how many of them an event of the vmSwitch that reports a drop follows within a millisecond. Only the time
            connects it with them.
        first_frame: the sighting here of the first of these packets.
    """

    way: str
    hop: str | None
    role: str
    packets: int
    dropped: int
    dropped_harmless: int
    near: int
    first_frame: int


@dataclass(frozen=True)
class Drop:
    """Packets that were dropped for one reason at one place.

    Attributes:
        way: as in `End`; unknown for an event whose packet is not known.
        reason: Windows' number; None if the capture does not say.
        text: of the reason, or None.
        hop: where, or the NIC and the switch that an event names; None if the capture does not say.
        rule: the setting of the host that explains the drop, or None.
        harmless: whether Windows makes such drops every day, and no answer is missing because of them.
        harmless_because: why a drop is harmless; None if it is not.
        advice: what to look at, or None.
        packets: number of packets that were dropped.
        near: packets not seen again after an event, within a millisecond, reported this drop: see `End`.
        frames: number of sightings and events that report it.
        first_frame, last_frame: of these frames.
        over_time: frames in each bin.
    """

    way: str
    reason: int | None
    text: str | None
    hop: str | None
    rule: str | None
    harmless: bool
    harmless_because: str | None
    advice: str | None
    packets: int
    near: int
    frames: int
    first_frame: int
    last_frame: int
    over_time: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """The step of packets from one hop to the next; in a branch, from the hop where it begins.

    Attributes:
        from_hop, to_hop: names, or None.
        count: how many packets made this step.
        least, median, p95, most: how long it took, in seconds; median (of an even
            number, between the two in the middle) and p95 are exact to 2 %.
        slowest_frame, slowest_packet: the sighting at `to_hop` that took longest, and its packet.
        histogram: (lower bound, upper bound, count) of each bin that is not empty, in seconds; ten bins a decade.
        over_time: steps in each bin.
        most_over_time: the longest in each bin, in seconds; 0 if there is none.
    """

    from_hop: str | None
    to_hop: str | None
    count: int
    least: float
    median: float
    p95: float
    most: float
    slowest_frame: int
    slowest_packet: int
    histogram: tuple[tuple[float, float, int], ...]
    over_time: tuple[int, ...]
    most_over_time: tuple[float, ...]


@dataclass(frozen=True)
class Unanswered:
    """Requests that got no answer in this capture.

    Attributes:
        kind: "handshake" (TCP SYN), "ping" (ICMP echo), "arp" (who has) or "neighbor" (IPv6 neighbor solicitation).
        source, destination: addresses.
        port: destination port of a handshake; None for others.
        asked: number of requests, including those sent again.
        unanswered: how many of them got no answer; 0 for a handshake that was refused.
        refused: how many handshakes a reset answered.
        end_hop: where the last unanswered request was last seen.
        dropped: how many of them were dropped.
        first_frame: of the first request without an answer.
    """

    kind: str
    source: str
    destination: str
    port: int | None
    asked: int
    unanswered: int
    refused: int
    end_hop: str | None
    dropped: int
    first_frame: int


@dataclass(frozen=True)
class Flow:
    """Both directions of a flow; for protocols without ports, the packets between two addresses.

    Attributes:
        protocol, source, destination, source_port, destination_port: of its first packet, as the columns of rows.
        packets, back: number of packets from the source, and from the destination.
        octets: bytes on the wire in both directions; each packet counts once.
        dropped, dropped_harmless: packets dropped with harm, and without.
        retransmissions, repeats: packets that TCP really sent again, and other packets with the same bytes.
        unanswered: handshakes and pings without an answer.
        first_frame, last_frame: of its packets' first sightings.
        first_trouble: the first frame of a drop that is not harmless, a retransmission or an unanswered request.
    """

    protocol: str
    source: str | None
    destination: str | None
    source_port: int | None
    destination_port: int | None
    packets: int
    back: int
    octets: int
    dropped: int
    dropped_harmless: int
    retransmissions: int
    repeats: int
    unanswered: int
    first_frame: int
    last_frame: int
    first_trouble: int | None


@dataclass(frozen=True)
class Statistics:
    """All that one pass counts.

    Attributes:
        selection: whose packets count; None for all.
        all_frames: records of the whole capture, also those not selected.
        frames: frames that show packets of the selection.
        packets: number of packets.
        duplicates: frames that show a packet again.
        octets: bytes on the wire; each packet counts once.
        events: vmSwitch events about the selection, as far as they name it.
        retransmissions, repeats: packets; first_retransmission, first_repeat: frames, or None.
        first_time, last_time: None if the capture has no times.
        seconds: from the first frame to the last, more exact than the difference of the two.
        first_frame: of the selection; None if there is nothing.
        verdicts: frames, by verdict.
        protocols: packets by protocol, the most frequent first.
        addresses: packets from or to each address, the most frequent first, at most 20; of the whole capture.
        all_hops: frames at each hop, the most frequent first, at most 20; of the whole capture.
        hops: in the order in which they are first seen.
        paths: the most frequent first.
        others_at: packets that were not selected.
        ends: by way, the most frequent first.
        drops: harmful before harmless, the most packets first.
        steps: the most frequent first.
        unanswered: the most first.
        losses: between observers, the most packets first.
        flows: those with problems first, then the most packets.
        timeline: of all `over_time`.
        packets_over_time, duplicates_over_time, drops_over_time, harmless_over_time, retransmissions_over_time,
            octets_over_time: of the first sightings; of drops, frames.
        translated: sightings behind a NAT, of the whole capture.
        late: frames that came too late to count for a path or an end.
        by_id: duplicates that a packet id proves.
        without_time: frames that have no time.
        steps_back, furthest_back: how often time runs back, and by how many seconds at most.
        warnings: one line each, such as that the capture is cut off.
        examples: packets that are worth a look.
    """

    selection: Selection | None
    all_frames: int
    frames: int
    packets: int
    duplicates: int
    octets: int
    events: int
    retransmissions: int
    repeats: int
    first_retransmission: int | None
    first_repeat: int | None
    first_time: float | None
    last_time: float | None
    seconds: float | None
    first_frame: int | None
    verdicts: dict[str, int]
    protocols: dict[str, int]
    addresses: dict[str, int]
    all_hops: dict[str, int]
    hops: tuple[Hop, ...]
    paths: tuple[Path, ...]
    others_at: tuple[Stranger, ...]
    ends: tuple[End, ...]
    drops: tuple[Drop, ...]
    steps: tuple[Step, ...]
    unanswered: tuple[Unanswered, ...]
    losses: tuple[Loss, ...]
    flows: tuple[Flow, ...]
    timeline: Timeline
    packets_over_time: tuple[int, ...]
    duplicates_over_time: tuple[int, ...]
    drops_over_time: tuple[int, ...]
    harmless_over_time: tuple[int, ...]
    retransmissions_over_time: tuple[int, ...]
    octets_over_time: tuple[int, ...]
    translated: int = 0
    late: int = 0
    by_id: int = 0
    without_time: int = 0
    steps_back: int = 0
    furthest_back: float = 0.0
    warnings: tuple[str, ...] = field(default=())
    examples: tuple[Example, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)
