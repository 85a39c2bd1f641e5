"""An answer for people: the sentence, then short tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywnv.statistics.loss import loss_words
from pywnv.statistics.model import Drop, Statistics
from pywnv.statistics.pairs import questions
from pywnv.statistics.silence import NO_NAME
from pywnv.why.words import question_words, reason_words, way_words
from pywnv.words import count, duration, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from pywnv.why.answer import Answer

MOST_ROWS = 12  # of a table
MOST_QUESTIONS = 6


def render(answer: Answer, console: Console) -> None:
    """Shows an answer."""
    from rich.padding import Padding
    from rich.text import Text

    from pywnv.host.lint.show import draw_grave

    found = answer.statistics

    def line(words: str, style: str = "") -> None:
        console.print(Padding(Text(words, style), (0, 0, 0, 2)))

    console.print(Text(answer.sentence, "bold"))
    if found.packets:
        console.print(_ends(found))
    if found.drops:
        console.print(_drops(found))
        for words in dict.fromkeys(_advice(found.drops)):
            line(words)
    for words in _trouble(answer):
        line(words)
    for silence in answer.silences:
        line(f"{silence.words}. {silence.cause}")
    draw_grave(answer.host_findings, console)
    if answer.next:
        line("Next:", "bold")
        for words, command in answer.next:
            console.print(Text.assemble("    ", (one_line(command), "cyan"), f"  # {words}"), soft_wrap=True)


def _duration(seconds: float) -> str:
    """A time, as captures count it: less than a nanosecond is none."""
    return duration(seconds) if abs(seconds) >= 1e-9 else "0 s"


def _advice(drops: tuple[Drop, ...]) -> Iterator[str]:
    for drop in drops:
        if drop.harmless and drop.harmless_because:
            yield f"{drop.text}: harmless. {drop.harmless_because}"
        elif drop.advice and drop.way != "unknown":
            yield f"{drop.text or 'Dropped'}: {drop.advice}"


def _trouble(answer: Answer) -> Iterator[str]:
    found = answer.statistics
    for loss in found.losses[:MOST_ROWS]:
        yield f"{loss_words(loss, way_words(found.selection, loss.way or '', loss.packets))}."
    asked = questions(found)
    for one, ports in asked[:MOST_QUESTIONS]:
        first = f" (first: frame {one.first_frame:,})" if one.first_frame else ""
        yield f"{question_words(one, ports)}{first}."
    if len(asked) > MOST_QUESTIONS:
        others = count(len(asked) - MOST_QUESTIONS, "other pair", ",")
        yield f"... and the same for {others} of addresses; --json has all."
    if found.first_retransmission:
        again = count(found.retransmissions, "real retransmission", ",")
        yield f"{again} (first: frame {found.first_retransmission:,})."
    if found.first_repeat:
        again = count(found.repeats, "repeat", ",")
        yield f"{again}: sent twice or doubled by the network (first: frame {found.first_repeat:,})."
    slowest = answer.slowest
    if slowest:
        name = f"{slowest.from_hop or NO_NAME} > {slowest.to_hop or NO_NAME}"
        if slowest.from_hop == slowest.to_hop:
            name = "from one sighting to the next" + (f" at {slowest.to_hop}" if slowest.to_hop else "")
        words = f"Slowest step: {name}, {_duration(slowest.most)} in frame {slowest.slowest_frame:,}"
        if slowest.count > 1:
            words += f" (median {_duration(slowest.median)} of {slowest.count:,})"
        yield f"{words}."


def _ends(found: Statistics) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Where packets are seen last", title_justify="left")
    table.add_column("Packets", justify="right")
    table.add_column("Which", overflow="fold")
    table.add_column("Last hop", overflow="fold")
    table.add_column("Dropped there", justify="right")
    table.add_column("First frame", justify="right")
    for end in sorted(found.ends, key=lambda end: (end.way != "to", -end.packets))[:MOST_ROWS]:
        parts = [f"{end.dropped:,}"] if end.dropped else []
        parts += [f"perhaps {end.near:,}: an event right after"] if end.near else []
        parts += [f"{end.dropped_harmless:,} harmless"] if end.dropped_harmless else []
        which = Text(way_words(found.selection, end.way))
        hop = Text(end.hop or "(the capture has no name for it)")
        table.add_row(f"{end.packets:,}", which, hop, ", ".join(parts), f"{end.first_frame:,}")
    return table


def _drops(found: Statistics) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Drops", title_justify="left")
    table.add_column("Packets", justify="right")
    for title in ("Why", "Where"):
        table.add_column(title, overflow="fold")
    table.add_column("Harm")
    table.add_column("First frame", justify="right")
    for drop in found.drops[:MOST_ROWS]:
        number = f"{drop.packets + drop.near:,}" if drop.packets + drop.near else f"{count(drop.frames, 'event', ',')}"
        is_told = drop.text or drop.reason is not None or drop.rule
        harm = "harmless" if drop.harmless else "yes" if is_told else "not known"
        table.add_row(number, Text(reason_words(drop)), Text(drop.hop or "not given"), harm, f"{drop.first_frame:,}")
    return table
