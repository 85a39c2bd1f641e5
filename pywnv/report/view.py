"""What a report shows of one capture, as its templates take it: texts ready to be read, drawings ready to be placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pywnv.report import rows, story, words
from pywnv.report.text import clean, duration, number, share
from pywnv.statistics.loss import lost
from pywnv.statistics.pairs import unanswered

if TYPE_CHECKING:
    from markupsafe import Markup

    from pywnv.host.lint import Finding as HostFinding
    from pywnv.inspect.missing import Finding
    from pywnv.report.capture import Captured
    from pywnv.statistics.example import Example
    from pywnv.statistics.model import Drop, Statistics


class Figure(NamedTuple):
    """A drawing with its words.

    Attributes:
        drawing: itself.
        caption: below it.
        key: colours and what they stand for.
    """

    drawing: Markup
    caption: str
    key: tuple[tuple[str, str], ...] = ()


class Fact(NamedTuple):
    """A number that everybody asks for."""

    label: str
    value: str
    is_bad: bool = False


@dataclass
class View:
    """What is said of one capture; `sections` has the titles of those that have something to say."""

    id: str
    name: str
    headline: str
    lead: str
    troubles: list[str]
    is_bad: bool
    facts: list[Fact]
    about: list[tuple[str, str]]
    host_words: str
    paths: list[rows.PathRow]
    has_directions: bool
    path_notes: list[str]
    latency_words: str
    steps: list[rows.StepRow]
    more_steps: list[rows.StepRow]
    slowest: list[rows.SlowRow]
    duplicate_words: str
    gaps: list[str]
    hops: list[rows.HopRow]
    drop_words: str
    drops: list[rows.DropRow]
    has_rules: bool
    losses: list[rows.LossRow]
    advice: list[rows.Advice]
    tcp_words: str
    unanswered: list[rows.UnansweredRow]
    flows: list[rows.FlowRow]
    findings: Sequence[HostFinding]
    ladders: list[rows.LadderRow]
    filters: list[tuple[str, str]]
    missing: Sequence[Finding]
    sections: dict[str, str] = field(default_factory=dict)


def view(captured: Captured, *, id_: str = "", short_name: str | None = None) -> View:
    """All that is said of a capture, without the drawings; the short name is that among several."""
    statistics = captured.statistics
    found = story.troubles(statistics)
    drops = story.joined(statistics.drops)
    made = View(
        id=id_,
        name=clean(short_name or captured.name),
        headline=story.headline(statistics, found),
        lead=story.lead(statistics, captured.tool_words),
        troubles=story.below(found),
        is_bad=any(trouble.is_bad for trouble in found),
        facts=_facts(statistics, drops),
        about=list(_about(captured)),
        host_words=words.host(captured.places()),
        paths=rows.paths(statistics),
        has_directions=any(path.direction != "unknown" for path in statistics.paths[: rows.MOST_PATHS]),
        path_notes=words.path_notes(statistics),
        latency_words=words.latency(statistics),
        steps=[rows.step_row(step) for step in statistics.steps[: rows.MOST_STEPS]],
        more_steps=[
            rows.step_row(step) for step in statistics.steps[rows.MOST_STEPS : rows.MOST_STEPS + rows.MOST_MORE_STEPS]
        ],
        slowest=rows.slowest(statistics),
        duplicate_words=words.duplicates(statistics),
        gaps=words.gaps(statistics),
        hops=rows.hops(statistics),
        drop_words=words.drops(statistics, drops),
        drops=[rows.drop_row(drop) for drop in drops[: rows.MOST_DROPS]],
        has_rules=any(drop.rule for drop in drops),
        losses=[rows.loss_row(loss) for loss in statistics.losses[: rows.MOST_LOSSES]],
        advice=rows.advice(drops),
        tcp_words=words.tcp(statistics),
        unanswered=rows.unanswered(statistics),
        flows=[rows.flow_row(flow) for flow in statistics.flows if flow.first_trouble is not None][: rows.MOST_FLOWS],
        findings=captured.host_findings,
        ladders=[rows.ladder_row(example) for example in _shown_once(statistics.examples)],
        filters=list(words.filters(statistics, drops)),
        missing=captured.findings,
    )
    made.sections = dict(_sections(made, statistics))
    return made


def _shown_once(examples: Sequence[Example]) -> list[Example]:
    """Examples; of one packet the first, which tells the most."""
    return list({example.packet: example for example in reversed(examples)}.values())[::-1]


def _sections(view: View, statistics: Statistics) -> Iterator[tuple[str, str]]:
    yield "capture", "The capture"
    if statistics.frames:
        if len(statistics.hops) > 1:
            yield "host", "The host"
        yield "paths", "The usual paths"
        if view.steps:
            yield "latency", "How long each step takes"
        yield "duplicates", "Duplicates over time"
        yield "hops", "When each hop shows packets"
    yield "drops", "Drops"
    if view.losses:
        yield "losses", "Lost between observers"
    if statistics.frames:
        yield "tcp", "Sent again, or never answered"
    if view.findings:
        yield "findings", "The host, as it is set up"
    if view.ladders:
        yield "ladders", "Single packets, hop by hop"
    yield "filters", "Filters for Wireshark"
    if view.missing:
        yield "missing", "What is missing, and how to capture better"


def _facts(statistics: Statistics, drops: Sequence[Drop]) -> list[Fact]:
    dropped = sum(story.lost(drop) for drop in drops if not drop.harmless)
    harmless = sum(story.lost(drop) for drop in drops if drop.harmless)
    asked = unanswered(statistics)
    facts = [
        Fact("packets", number(statistics.packets)),
        Fact("frames that show them", number(statistics.frames)),
        Fact("of the frames are duplicates", share(statistics.duplicates, statistics.frames)),
    ]
    if statistics.seconds is not None:
        facts.append(Fact("from first to last frame", duration(statistics.seconds)))
    what = "packets dropped" if all(drop.packets + drop.near for drop in drops) else "dropped"  # events of no packet
    facts.append(Fact(what, number(dropped), bool(dropped)))
    if harmless:
        facts.append(Fact(f"{what} without harm", number(harmless)))
    missing = sum(loss.packets for loss in lost(statistics.losses))
    if missing:
        facts.append(Fact("lost between observers", number(missing), True))
    facts.append(Fact("sent again by TCP", number(statistics.retransmissions)))
    if asked:
        facts.append(Fact("handshakes and pings without an answer", number(asked), True))
    return facts


def _about(captured: Captured) -> Iterator[tuple[str, str]]:
    statistics = captured.statistics
    yield "File", clean(captured.name)
    yield "Written by", captured.tool_words or "the file does not say"
    if captured.system:
        yield "Captured on", clean(captured.system)
    yield "Time", story.when(statistics)
    if statistics.octets:
        yield "Data", f"{_octets(statistics.octets)} on the wire, each packet counted once"
    if statistics.protocols:
        shown = sorted(statistics.protocols.items(), key=lambda pair: -pair[1])[:8]
        yield "Protocols", ", ".join(f"{clean(protocol)} {number(packets)}" for protocol, packets in shown)
    if statistics.addresses:
        shown = list(statistics.addresses.items())[:5]
        yield "Busiest addresses", ", ".join(f"{clean(address)} ({number(packets)})" for address, packets in shown)
    if statistics.events:
        yield "Events of the vmSwitch", number(statistics.events)
    for warning in statistics.warnings:
        yield "Note", clean(warning, 500)


def _octets(octets: int) -> str:
    value = float(octets)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{octets} bytes" if unit == "bytes" else f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
