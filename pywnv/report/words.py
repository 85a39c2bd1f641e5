"""The sentences of a report's sections, and its filters for Wireshark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pywnv.report import story
from pywnv.report.rows import MOST_PATHS
from pywnv.report.text import clean, duration, name, number, share
from pywnv.statistics.pairs import QUESTIONS
from pywnv.statistics.silence import silences
from pywnv.words import count

if TYPE_CHECKING:
    from pywnv.report.layout import Place
    from pywnv.statistics.model import Drop, Statistics

LEAST_FOR_LATE = 20  # packets of a step: of fewer, the slowest five of a hundred are none


def host(places: Sequence[Place]) -> str:
    """Where the picture begins."""
    is_known = any(place.role in ("pNIC", "tNIC") for place in places)
    return (
        "Where packets were seen, from the wire downwards."
        if is_known
        else "Where packets were seen. The capture does not say which place is next to the wire; use --host FILE."
    )


def path_notes(statistics: Statistics) -> list[str]:
    """What the table of paths leaves out."""
    notes = []
    if more := statistics.paths[MOST_PATHS:]:
        packets = sum(path.packets for path in more)
        notes.append(f"{count(packets, 'more packet', ',')} took {count(len(more), 'other path', ',')}.")
    if statistics.late:
        notes.append(f"{count(statistics.late, 'frame', ',')} came too late to be counted in a path.")
    return notes


def latency(statistics: Statistics) -> str:
    """Which step is the slowest."""
    counted = [step for step in statistics.steps if step.count > 1] or list(statistics.steps)
    slowest = max(counted, key=lambda step: step.p95, default=None)
    if slowest is None:
        return ""
    step = f"{name(slowest.from_hop)} to {name(slowest.to_hop)}"
    if slowest.from_hop == slowest.to_hop:
        step = (
            f"from one record of {name(slowest.to_hop)} to the next" if slowest.to_hop else "from a record to the next"
        )
    return (
        f"The slowest step is {step}: 95\u00a0% take at most {duration(slowest.p95)}. "
        "Times are differences between the capture tool's timestamps, not times on the wire."
    )


def duplicates(statistics: Statistics) -> str:
    """What duplicates there are."""
    if not statistics.duplicates:
        return "No packet shows twice: one place in the host was captured, or each packet passed only one."
    each = statistics.frames / max(statistics.packets, 1)
    frames = f"{count(statistics.duplicates, 'frame', ',')} of {number(statistics.frames)}"
    return (
        f"{frames} ({share(statistics.duplicates, statistics.frames)}) show a packet that an earlier frame showed: "
        f"{each:.1f} sightings a packet. That is normal for this kind of capture, not a fault of the network."
    )


def gaps(statistics: Statistics) -> list[str]:
    """Which hops fall silent."""
    found = silences(statistics)
    if found:
        return [clean(f"{one.words}. {one.cause}", 1000) for one in found]
    return ["No hop falls silent while others still show packets." if len(statistics.hops) > 1 else ""]


def drops(statistics: Statistics, found: Sequence[Drop]) -> str:
    """All drops, in a sentence."""
    if not found:
        return (
            "The capture records no drop. Only pktmon, pspkt and events of the vmSwitch record drops: "
            "without them, a capture cannot show any."
        )
    bad = [drop for drop in found if not drop.harmless]
    lost = sum(story.lost(drop) for drop in bad)
    harmless = sum(story.lost(drop) for drop in found if drop.harmless)
    if not bad:
        amount = count(harmless, "packet was", ",", plural="packets were")
        return f"{amount} dropped, all without harm: Windows drops such packets every day."
    if any(drop.packets + drop.near for drop in bad):
        amount = f"{number(lost)} of {count(statistics.packets, 'packet', ',')}"
        words = f"{amount} {'was' if lost == 1 else 'were'} dropped"
    else:
        words = f"Events of the vmSwitch report {count(lost, 'drop', ',')}"
    return words + (f"; {count(harmless, 'more is', ',', plural='more are')} harmless." if harmless else ".")


def tcp(statistics: Statistics) -> str:
    """What was sent again, and what got no answer."""
    unanswered: dict[str, int] = {}
    for row in statistics.unanswered:
        unanswered[row.kind] = unanswered.get(row.kind, 0) + row.unanswered
    asked = [count(many, QUESTIONS[kind], ",") for kind, many in unanswered.items() if many]
    words = f"{story.again_words(statistics)}." if statistics.retransmissions else "No TCP packet was sent again."
    if statistics.duplicates:
        words += " Stock Wireshark counts duplicates as retransmissions; this page does not."
    if statistics.repeats:
        repeats = count(statistics.repeats, "other packet repeats", ",", plural="other packets repeat")
        words += f" {repeats} what was sent before."
    if asked:
        verb = "gets" if sum(unanswered.values()) == 1 else "get"
        listed = " and ".join(filter(None, (", ".join(asked[:-1]), asked[-1])))
        return f"{words} {listed} {verb} no answer."
    return words


def quoted(text: str) -> str:
    """A text in a display filter."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def filters(statistics: Statistics, found: Sequence[Drop]) -> Iterator[tuple[str, str]]:
    """What to look at in Wireshark, and the display filter that shows it."""
    yield "Each packet once", "!wnv.duplicate"
    if any(drop.harmless for drop in found):
        yield "Drops that matter", "wnv.drop && !wnv.drop.harmless"
    elif found:
        yield "All drops", "wnv.drop"
    for drop in [drop for drop in found if not drop.harmless][:3]:
        if drop.reason is not None:
            yield f"Dropped: {story.reason(drop)}", f"wnv.drop.reason == {drop.reason}"
    if statistics.retransmissions:
        yield "TCP packets that were really sent again", 'wnv.verdict == "retransmission"'
    slow = max(statistics.steps, key=lambda step: step.most, default=None)
    if slow is not None and slow.most > 0:
        yield "Every sighting of the slowest packet", f"wnv.packet == {slow.slowest_packet}"
        if slow.to_hop is not None and slow.count >= LEAST_FOR_LATE and 0 < slow.p95 < slow.most:
            words = f"Packets that came late to {name(slow.to_hop)}"
            yield words, f"wnv.hop == {quoted(slow.to_hop)} && wnv.hop.delta > {slow.p95:.9f}".rstrip("0")
    for silence in silences(statistics)[:2]:
        hop, gap = silence.hops[0], silence.gap
        if hop is not None:
            yield (
                f"Around where {name(hop)} falls silent",
                f"frame.number >= {max(gap.from_frame - 20, 1)} && frame.number <= {gap.from_frame + 20}",
            )
    for row in statistics.unanswered[:2]:
        if row.unanswered:
            kind = QUESTIONS[row.kind]
            yield f"The first {kind} without an answer", f"wnv.packet == {row.first_frame}"
