"""What is wrong with a capture, in plain words: the sentences at the top of a report, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pywnv.report.text import clean, duration, moment, name, number
from pywnv.statistics.cut import cut_short
from pywnv.statistics.loss import loss_words
from pywnv.statistics.model import Drop, Statistics, Unanswered
from pywnv.statistics.pairs import JUDGED, QUESTIONS, questions
from pywnv.statistics.silence import silences
from pywnv.words import count

MOST_DROPS, MOST_LOSSES, MOST_UNANSWERED = 3, 4, 2  # sentences about each; the tables hold the rest
SECONDS_SHOW = 10.0  # of a shorter capture, the times of day have milliseconds


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong.

    Attributes:
        words: one sentence.
        is_bad: whether packets or answers were lost; else it is worth a look.
        rule: the setting of the host that explains it, or None.
        advice: what to look at, or None.
        cause: what may be the cause, or None.
        is_daily: whether every network has it every day: no headline.
    """

    words: str
    is_bad: bool
    rule: str | None = None
    advice: str | None = None
    cause: str | None = None
    is_daily: bool = False

    @property
    def more(self) -> list[str]:
        """What is said of it below the headline, one sentence for each."""
        rule = [f"The rule: {clean(self.rule, 500)}."] if self.rule else []
        cause = [clean(self.cause, 1000)] if self.cause else []
        return rule + cause + ([f"What to look at: {clean(self.advice, 1000)}"] if self.advice else [])


def troubles(statistics: Statistics) -> list[Trouble]:
    """All that is wrong, the worst first."""
    found = list(_drop_troubles(statistics))
    found += [Trouble(f"{clean(loss_words(loss), 500)}.", loss.is_told) for loss in statistics.losses[:MOST_LOSSES]]
    found += [Trouble(f"{clean(silence.words, 500)}.", True, cause=silence.cause) for silence in silences(statistics)]
    cut = None if any(drop.packets + drop.near for drop in harmful(statistics)) else cut_short(statistics)
    if cut:
        found.append(Trouble(f"{clean(cut.words(), 1000)}.", True, cause=cut.cause[:1].upper() + cut.cause[1:]))
    asked = questions(statistics)
    judged = [pair for pair in asked if pair[0].kind in JUDGED]
    others = [pair for pair in asked if pair[0].kind not in JUDGED]
    found += [Trouble(words, True) for words in _unanswered_words(judged)]
    if statistics.retransmissions:
        found.append(Trouble(f"{again_words(statistics)}.", False))
    found += [Trouble(words, False, is_daily=True) for words in _unanswered_words(others)]
    return found


def tcp(statistics: Statistics) -> int:
    """How many packets are TCP."""
    return statistics.protocols.get("TCP") or statistics.packets


def again_words(statistics: Statistics) -> str:
    """How many packets TCP really sent again; a sentence without its end."""
    again, whole = statistics.retransmissions, tcp(statistics)
    words = "is a real retransmission" if again == 1 else "are real retransmissions"
    return f"{number(again)} of {count(whole, 'TCP packet', ',')} {words}"


def headline(statistics: Statistics, found: Sequence[Trouble]) -> str:
    """The one sentence that says it."""
    if not statistics.frames and not statistics.events:
        return "There are no packets in this capture."
    if found and not found[0].is_daily:
        return found[0].words
    if any(drop.harmless for drop in statistics.drops):
        return "No problem found: Windows drops such packets every day."
    return "No problem found: the capture records no drop, and no packet had to be sent again."


def below(found: Sequence[Trouble]) -> list[str]:
    """What the headline does not say, one sentence for each."""
    told = [] if not found or found[0].is_daily else found[:1]
    words = [words for one in told for words in one.more]
    others = found[len(told) :]
    return words + [f"{one.words} The rule: {clean(one.rule, 500)}." if one.rule else one.words for one in others]


def lead(statistics: Statistics, tool: str | None) -> str:
    """What the capture is, in a sentence or two."""
    by = f" by {clean(tool)}" if tool else ""
    if not statistics.frames:
        return f"A capture{by} of {count(statistics.all_frames, 'frame', ',')}."
    seconds = statistics.seconds
    over = f" in {duration(seconds)}" if seconds is not None else ""
    places = count(len(statistics.hops), "place", ",")
    frames, packets = count(statistics.frames, "frame", ","), count(statistics.packets, "packet", ",")
    words = f"A capture{by}: {frames} {'shows' if statistics.frames == 1 else 'show'} {packets}{over}, at {places}"
    if not statistics.duplicates:
        return f"{words}. No packet shows twice."
    each = statistics.frames / max(statistics.packets, 1)
    return f"{words} in the host. A packet shows {each:.1f} times on average."


def harmful(statistics: Statistics) -> list[Drop]:
    """Drops that matter, by reason, place and rule, both ways together."""
    return [drop for drop in joined(statistics.drops) if not drop.harmless]


def joined(drops: Sequence[Drop]) -> list[Drop]:
    """Drops of one reason, place and rule as one, whichever way the packets went; harmful first, then the most."""
    made: dict[tuple[object, ...], Drop] = {}
    for drop in drops:
        key = (drop.reason, drop.text, drop.hop, drop.rule, drop.harmless, drop.harmless_because)
        other = made.get(key)
        made[key] = drop if other is None else _both(other, drop)
    return sorted(made.values(), key=lambda drop: (drop.harmless, -lost(drop), drop.first_frame))


def _both(one: Drop, other: Drop) -> Drop:
    return replace(
        one,
        advice=one.advice or other.advice,
        packets=one.packets + other.packets,
        near=one.near + other.near,
        frames=one.frames + other.frames,
        first_frame=min(one.first_frame, other.first_frame),
        last_frame=max(one.last_frame, other.last_frame),
        over_time=tuple(map(sum, zip(one.over_time, other.over_time, strict=True))),
    )


def lost(drop: Drop) -> int:
    """How many packets were dropped; where it is unknown which, how many events say so."""
    return drop.packets + drop.near or drop.frames


def reason(drop: Drop) -> str:
    """Why, in Windows' words."""
    if drop.text is not None:
        return clean(drop.text)
    return "no reason given" if drop.reason is None else f"reason {drop.reason}"


def _drop_words(drop: Drop, statistics: Statistics) -> str:
    where = f" at {name(drop.hop)}" if drop.hop is not None else ""
    why = f": {reason(drop)}" if drop.text is not None or drop.reason is not None else f"; {reason(drop)}"
    if drop.packets:
        return f"{_of(drop.packets, statistics.packets, 'is', 'are')} dropped{where}{why}."
    if not drop.near:
        return f"The vmSwitch reports {count(drop.frames, 'drop', ',')}{where}{why}."
    ends = [end for end in statistics.ends if end.way == drop.way and end.near]
    last = name(max(ends, key=lambda end: end.near).hop) if ends else name(None)
    each = "it" if drop.near == 1 else "each of them"
    seen = f"{_of(drop.near, statistics.packets, 'is', 'are')} last seen at {last}"
    return f"{seen}; right after {each} the vmSwitch reports a drop{where}{why}."


def _of(part: int, whole: int, one: str, many: str) -> str:
    """So many of all packets, and a verb."""
    if part == whole and whole > 1:
        return f"All {number(whole)} packets {many}"
    return f"{number(part)} of {count(whole, 'packet', ',')} {one if part == 1 else many}"


def _drop_troubles(statistics: Statistics) -> Iterator[Trouble]:
    drops = harmful(statistics)
    for drop in drops[:MOST_DROPS]:
        yield Trouble(_drop_words(drop, statistics), True, drop.rule, drop.advice)
    if more := drops[MOST_DROPS:]:
        packets = sum(map(lost, more))
        amount = count(packets, "more packet is", ",", plural="more packets are")
        yield Trouble(f"{amount} dropped for {count(len(more), 'other reason', ',')} or at other places.", True)


def _unanswered_words(asked: Sequence[tuple[Unanswered, int]]) -> Iterator[str]:
    shown = [pair for pair in asked if pair[0].unanswered][:MOST_UNANSWERED]
    for row, ports in shown:
        noun = QUESTIONS[row.kind]
        whole = count(row.asked, noun, ",")
        amount = f"{number(row.unanswered)} of {whole}"
        if row.unanswered == row.asked:
            amount = f"The only {noun}" if row.asked == 1 else f"Both {noun}s" if row.asked == 2 else f"All {whole}"
        verb = "gets" if row.unanswered == 1 else "get"
        seen = f"; last seen at {name(row.end_hop)}" if row.end_hop is not None else ""
        yield f"{amount} from {clean(row.source)} to {asked_of(row, ports)} {verb} no answer{seen}."


def asked_of(row: Unanswered, ports: int) -> str:
    """Who is asked, and at which port or how many."""
    whom = clean(row.destination)
    return f"{number(ports)} ports of {whom}" if ports > 1 else f"{whom} port {row.port}" if row.port else whom


def when(statistics: Statistics) -> str:
    """The time span."""
    if statistics.first_time is None or statistics.last_time is None:
        return "the capture has no times"
    is_short = statistics.last_time - statistics.first_time < SECONDS_SHOW
    first, last = (moment(at, milliseconds=is_short) for at in (statistics.first_time, statistics.last_time))
    if first[:10] == last[:10]:
        last = last[11:]
    return first if first == last else f"{first.removesuffix(' UTC')} to {last}"
