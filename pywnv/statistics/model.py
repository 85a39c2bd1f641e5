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

# Which way packets went. Of a selection by address or flow, as seen from it; else by the host.
TO, FROM = "to", "from"


@dataclass(frozen=True)
class Selection:
    """Whose packets count; at most one of the three.

    Attributes:
        ip: an address; its packets, and what ARP asks of it.
        nic: the name of a hop, or a part of one that names no other.
        flow: address, port, address, port: both ways of one TCP or UDP flow.
    """

    ip: str | None = None
    nic: str | None = None
    flow: tuple[str, int, str, int] | None = None


@dataclass(frozen=True)
class Timeline:
    """The bins that all `over_time` lists share; each list has `bins` numbers.

    Attributes:
        start: of the first bin; None where the capture has no times.
        width: of a bin.
        bins: how many there are, at most 256.
    """

    start: float | None
    width: float
    bins: int


@dataclass(frozen=True)
class Gap:
    """From where to where a hop showed nothing while another hop of the same packets went on.

    Attributes:
        from_frame, from_time: the first frame after the hop's last one before it; 1 where it had shown none yet.
        to_frame, to_time: the hop's next frame; None where it showed none any more.
        others: packets that others showed meanwhile, and that would have passed this hop as before.
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
        name: as `wnv.hop` has it; None where the capture names no interface.
        role: of the hop, as `wnv.hop.role` names it.
        frames: seen here.
        packets: seen here; one that shows twice counts once.
        dropped: frames that were dropped here.
        first_frame, last_frame, first_time, last_time: of the frames here.
        gaps: the longest first.
        over_time: frames.
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
class Path:
    """A way that packets took: the whole of it, as their last sighting tells it.

    Attributes:
        path: as `wnv.path` has it; where the switch floods, with branches in braces. None where a hop has no name.
        way: as of `End`.
        direction: outbound, inbound, internal or unknown.
        packets: that went it.
        first_frame: of the first of these packets.
        last_frame: the last sighting of that packet.
        unfinished: how many of them began so late that the rest of the way may lie behind the end of the capture.
    """

    path: str | None
    way: str
    direction: str
    packets: int
    first_frame: int
    last_frame: int
    unfinished: int


@dataclass(frozen=True)
class End:
    """The hop where packets were seen last, by time.

    Attributes:
        way: TO or FROM of a selection; else outbound, inbound, internal or unknown.
        hop: its name, or None.
        role: of the hop.
        packets: that were seen here last.
        dropped: how many of them were dropped here, with harm; dropped_harmless: without.
        near: how many of them an event of the vmSwitch follows within a millisecond that tells of a drop. Nothing but
            the time shows that it is about them.
        first_frame: of the first of these packets, the sighting here.
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
        way: as of `End`; unknown for an event that is about no known packet.
        reason: Windows' number; None where the capture does not tell.
        text: of the reason, or None.
        hop: where, or the NIC and the switch that an event names; None where the capture does not tell.
        rule: the setting of the host that explains it, or None.
        harmless: a drop that Windows makes every day, of a flow that is answered, or that nobody has to answer.
        harmless_because: why, of a harmless one; else None.
        advice: what to look at, or None.
        packets: that were dropped.
        near: packets that were seen no more when an event told of this drop, within a millisecond: as of `End`.
        frames: sightings or events that say so.
        first_frame, last_frame: of these frames.
        over_time: frames.
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
    """From one hop to the next of the same packets; of branches, from where they part.

    Attributes:
        from_hop, to_hop: names, or None.
        count: how often.
        least, median, p95, most: durations; median and p95 to 2 %.
        slowest_frame: the sighting at `to_hop` that took the most; slowest_packet: its packet.
        histogram: (lower bound, upper bound, count) of each bin that is not empty, ten bins a decade.
        over_time: how often.
        most_over_time: the longest in each bin; 0 where there is none.
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
    """Questions that got no answer in this capture.

    Attributes:
        kind: "handshake" (TCP SYN), "ping" (ICMP echo), "arp" (who has) or "neighbor" (the same of IPv6).
        source, destination: addresses.
        port: of the destination, of a handshake; else None.
        asked: packets that ask, those sent again too.
        unanswered: how many of them nothing answers; of a handshake that was refused, 0.
        refused: handshakes that a reset answers.
        end_hop: where the last unanswered one was seen last.
        dropped: how many of them were dropped.
        first_frame: of the first one without an answer.
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
    """Both ways of a flow, or the packets between two addresses that have no ports; those with trouble first.

    Attributes:
        protocol, source, destination, source_port, destination_port: as the columns of rows; of its first packet.
        packets, back: from the source, and from the destination.
        octets: on the wire, both ways, once a packet.
        dropped, dropped_harmless: packets.
        retransmissions: TCP data really sent again; repeats: other packets that show again.
        unanswered: handshakes and pings.
        first_frame, last_frame: of its packets' first sightings.
        first_trouble: the first frame of a drop that is not harmless, a retransmission or an unanswered question.
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
    """All of it.

    Attributes:
        selection: whose packets count; None: all.
        all_frames: records of the whole capture, whatever was selected.
        frames: that show packets of the selection.
        packets: sent once each.
        duplicates: frames that show a packet again.
        octets: on the wire, once a packet.
        events: of the vmSwitch, of the selection as far as they tell.
        retransmissions, repeats: packets; first_retransmission, first_repeat: frames, or None.
        first_time, last_time: None where the capture has no times.
        first_frame: of the selection; None where there is nothing.
        verdicts: frames, by verdict.
        protocols: packets, by protocol, the most frequent first.
        addresses: packets from or to each address, the most frequent first, at most 20; of the whole capture.
        all_hops: frames at each hop, the most frequent first, at most 20; of the whole capture.
        hops: in the order in which they are first seen.
        paths: the most frequent first.
        others_at: packets that were not selected, by the hops that they show: their names in order, " | " between.
        ends: by way, the most frequent first.
        drops: harmful before harmless, the most packets first.
        steps: the most frequent first.
        unanswered: the most first.
        losses: between observers, the most packets first.
        flows: those with trouble first, then the most packets.
        timeline: of all `over_time`.
        packets_over_time, duplicates_over_time, drops_over_time, harmless_over_time, retransmissions_over_time,
            octets_over_time: of the first sightings; of drops, frames.
        translated: sightings behind a NAT, of the whole capture.
        late: frames that came so late that they count for no path and no end.
        by_id: duplicates that a packet id shows.
        without_time: frames that have no time.
        steps_back, furthest_back: how often time runs back, and by how many seconds at most.
        warnings: what the user should know of the capture, a line each.
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
    first_frame: int | None
    verdicts: dict[str, int]
    protocols: dict[str, int]
    addresses: dict[str, int]
    all_hops: dict[str, int]
    hops: tuple[Hop, ...]
    paths: tuple[Path, ...]
    others_at: dict[str, int]
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

    @property
    def seconds(self) -> float | None:
        """From the first frame to the last."""
        if self.first_time is None or self.last_time is None:
            return None
        return self.last_time - self.first_time

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)
