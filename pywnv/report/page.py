"""The page of a report: its drawings, and the templates that all of it goes into."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pywnv.report import charts, ladder, picture, svg
from pywnv.report.text import clean, duration, name
from pywnv.report.view import Figure, View
from pywnv.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

    from pywnv.report.capture import Captured
    from pywnv.statistics.model import Statistics, Step

LEAST_FOR_CHARTS = 5  # packets of a step
SHORTEST = 1e-8  # seconds: what a logarithmic axis begins with where steps take no time at all
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="none" stroke="#1c6a86" stroke-width="2">\
<path d="M3 2v12M8 2v12M13 2v12"/></g><g fill="#c2410c"><circle cx="3" cy="4" r="2"/><circle cx="8" cy="8" r="2"/>\
<circle cx="13" cy="12" r="2"/></g></svg>'


def markdown_text(value: object) -> str:
    """A text in Markdown: the one way in which foreign text enters it."""
    return MARKDOWN.sub(r"\\\1", clean(value, 2000))


def code(value: object, *, in_table: bool = False) -> Markup:
    """A text in Markdown that is shown as it stands, such as a filter."""
    words = clean(value, 2000)
    fence = "`" * (max((len(run) for run in re.findall("`+", words)), default=0) + 1)
    pad = " " if "`" in words else ""
    text = f"{fence}{pad}{words}{pad}{fence}"
    return Markup(text.replace("|", "\\|") if in_table else text)  # noqa: S704 - not HTML


@cache
def _environment(*, html: bool) -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    templates = files("pywnv.report") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda template: (templates / template).read_text("utf-8")),
        undefined=StrictUndefined,
        autoescape=html,  # noqa: S701 - Markdown has its own escape, of all that is written
        finalize=None if html else lambda value: value if isinstance(value, Markup) else markdown_text(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    environment.filters["start"] = lambda words: words[:1].upper() + words[1:]
    environment.filters["clean"] = lambda value: clean(value, 1000)
    return environment


def markdown(**values: Any) -> str:
    """The report for a ticket."""
    text = _environment(html=False).get_template("report.md.j2").render(version=__version__, **values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def html(*, contents: Sequence[tuple[str, str]], **values: Any) -> str:
    """The page."""
    style = (files("pywnv.report") / "templates" / "report.css").read_text("utf-8")
    style = re.sub(r"\s*\n\s*", "\n", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    icon = "data:image/svg+xml;base64," + base64.b64encode(ICON.encode()).decode()
    text = (
        _environment(html=True)
        .get_template("report.html.j2")
        .render(
            version=__version__,
            style=Markup(style),  # noqa: S704 - ours
            style_hash=f"sha256-{digest}",
            icon=icon,
            contents=contents,
            **values,
        )
    )
    return re.sub(r"\n\s*\n+", "\n", text)


def drawings(captured: Captured, view: View) -> dict[str, Any]:
    """The drawings of a capture, by the names that the template has for them."""
    statistics = captured.statistics
    return {
        "picture": _picture(captured, view),
        "path_bars": [_bar(row.part) for row in view.paths],
        "step_charts": _step_charts(statistics, view),
        "strips": _strips(statistics, view),
        "duplicate_charts": _duplicate_charts(statistics),
        "drop_chart": _drop_chart(statistics),
        "tcp_chart": _tcp_chart(statistics),
        "ladders": [ladder.draw(row.rungs, row.words) for row in view.ladders],
    }


def _picture(captured: Captured, view: View) -> tuple[Markup, int] | None:
    steps = [(name(step.from_hop), name(step.to_hop), step.count) for step in captured.statistics.steps]
    label = f"The host. {view.host_words.rstrip('.')}"
    return picture.draw(captured.places(), steps, captured.losses(), captured.links(), label)


def _bar(part: float) -> Markup:
    drawn = svg.element(
        "svg", xmlns=svg.NAMESPACE, viewBox="0 0 100 4", preserveAspectRatio="none", class_="bar", aria_hidden="true"
    )
    svg.element("rect", drawn, width=max(100 * part, 0.5), height=4, class_="fill-pale")
    return svg.markup(drawn)


def _times(statistics: Statistics) -> tuple[float, float] | None:
    """The width of a bin, and that of all bins, where the capture has times."""
    timeline = statistics.timeline
    if timeline.start is None or not timeline.bins:
        return None
    return timeline.width, timeline.bins * timeline.width


def _step_charts(statistics: Statistics, view: View) -> list[list[Figure]]:
    steps = [row.step for row in view.steps if row.step.count >= LEAST_FOR_CHARTS]
    lows = [max(low, SHORTEST) for step in steps for low, high, _ in step.histogram if high > SHORTEST]
    highs = [high for step in steps for _, high, _ in step.histogram if high > SHORTEST]
    if not lows:
        return [[] for _ in view.steps]
    domain = (10 ** math.floor(math.log10(min(lows)) + 1e-9), 10 ** math.ceil(math.log10(max(highs)) - 1e-9))
    return [
        list(_charts_of(row.step, statistics, domain)) if row.step.count >= LEAST_FOR_CHARTS else []
        for row in view.steps
    ]


def _charts_of(step: Step, statistics: Statistics, domain: tuple[float, float]) -> Any:
    what = f"{name(step.from_hop)} to {name(step.to_hop)}"
    shown = [(max(low, SHORTEST), high, count) for low, high, count in step.histogram if high > SHORTEST]
    without = step.count - sum(count for _, _, count in shown)
    caption = "How many packets took how long."
    if without > 0:
        caption += f" {without:,} took less time than the capture can show."
    if shown:
        yield Figure(charts.distribution(shown, domain, f"How long the step {what} takes"), caption)
    times = _times(statistics)
    if times is None or not any(step.most_over_time):
        return
    width, span = times
    points = [((at + 0.5) * width, most) for at, most in enumerate(step.most_over_time) if most > 0]
    if len(points) > 1:
        yield Figure(
            charts.longest(points, span, f"The longest time of the step {what}, over time"),
            f"The longest in each {duration(width)}.",
        )


def _strips(statistics: Statistics, view: View) -> list[Markup]:
    most = max((max(hop.over_time, default=0) for hop in view.hops), default=0)
    return [_strip(hop.over_time, most, hop.name) for hop in view.hops]


def _strip(over_time: Sequence[int], most: int, hop: str) -> Markup:
    """A bar of a hop's frames over time: the stronger its colour, the more."""
    bins = max(len(over_time), 1)
    drawn = svg.element(
        "svg",
        xmlns=svg.NAMESPACE,
        viewBox=f"0 0 {bins} 10",
        preserveAspectRatio="none",
        class_="strip",
        role="img",
        aria_label=clean(f"Frames at {hop} over time"),
        shape_rendering="crispEdges",
    )
    svg.element("rect", drawn, width=bins, height=10, class_="s0")
    levels = [_level(count, most) for count in over_time]
    at = 0
    while at < len(levels):
        end = at
        while end < len(levels) and levels[end] == levels[at]:
            end += 1
        if levels[at]:
            svg.element("rect", drawn, x=at, width=end - at, height=10, class_=f"s{levels[at]}")
        at = end
    return svg.markup(drawn)


def _level(count: int, most: int) -> int:
    """How strong, 0 to 4, by the logarithm."""
    if not count:
        return 0
    return min(1 + int(3.999 * math.log1p(count) / math.log1p(most)), 4)


def _duplicate_charts(statistics: Statistics) -> list[Figure]:
    times = _times(statistics)
    if times is None or not statistics.frames:
        return []
    first, again = statistics.packets_over_time, statistics.duplicates_over_time
    drawn = charts.stacked(
        (("main", first), ("pale", again)), *times, "frames", "Frames over time: first sightings and duplicates"
    )
    key = (("main", "first sightings"), ("pale", "duplicates"))
    made = [Figure(drawn, f"Each bar: {duration(times[0])}.", key)]
    points = [
        ((at + 0.5) * times[0], (one + more) / one)
        for at, (one, more) in enumerate(zip(first, again, strict=True))
        if one
    ]
    if statistics.duplicates and len(points) > 1:
        drawn = charts.line(points, times[1], "sightings", "Sightings a packet, over time")
        made.append(Figure(drawn, "How many frames show one packet, on average."))
    return made


def _drop_chart(statistics: Statistics) -> Figure | None:
    times = _times(statistics)
    bad, harmless = statistics.drops_over_time, statistics.harmless_over_time
    if times is None or not (any(bad) or any(harmless)):
        return None
    drawn = charts.stacked((("drop", bad), ("quiet", harmless)), *times, "drops", "Drops over time")
    key = [("drop", "drops that matter")] if any(bad) else []
    key += [("quiet", "harmless")] if any(harmless) else []
    return Figure(drawn, f"Each bar: {duration(times[0])}.", tuple(key))


def _tcp_chart(statistics: Statistics) -> Figure | None:
    times = _times(statistics)
    if times is None or not statistics.retransmissions:
        return None
    drawn = charts.stacked(
        (("drop", statistics.retransmissions_over_time),), *times, "packets", "TCP packets sent again, over time"
    )
    return Figure(drawn, f"TCP packets that were really sent again. Each bar: {duration(times[0])}.")
