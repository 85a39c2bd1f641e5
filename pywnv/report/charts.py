"""Charts of numbers over time, drawn by Vega in Python: still pictures that need no script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pywnv.errors import MissingExtraError
from pywnv.extras import install_command
from pywnv.report import svg
from pywnv.report.text import duration

if TYPE_CHECKING:
    from markupsafe import Markup

LIBRARIES = "altair vl-convert-python"
WIDTH, HEIGHT = 420, 170  # with the axes
SIZE = {"type": "fit", "contains": "padding"}
# Colours that stand for classes of the page, which knows light and dark.
COLOURS = {
    "ink": "#000001",
    "muted": "#000002",
    "rule": "#000003",
    "main": "#000004",
    "pale": "#000005",
    "drop": "#000006",
    "quiet": "#000007",
}
CLASSES = {colour: name for name, colour in COLOURS.items()}
MOST_TICKS, MOST_COUNTS = 6, 4


def need() -> None:
    """Asks for what draws charts before any work.

    Raises:
        MissingExtraError: it is not installed.
    """
    if not all(map(find_spec, ("altair", "vl_convert"))):
        how = install_command("report", LIBRARIES)
        raise MissingExtraError(f"report: HTML needs altair and vl-convert, Markdown (.md) does not; run: {how}")


@contextmanager
def _unchecked() -> Iterator[None]:
    """Altair checks all it makes against a schema, which takes longer than to make it; ours is always the same."""
    from altair.utils import schemapi

    with schemapi.debug_mode(arg=False):
        yield


def _drawn(chart: Any, label: str) -> Markup:
    import vl_convert

    text = {"labelFontSize": 11, "titleFontSize": 11, "labelColor": COLOURS["muted"], "titleColor": COLOURS["muted"]}
    axis = {
        **text,
        "domain": False,
        "gridColor": COLOURS["rule"],
        "tickColor": COLOURS["rule"],
        "titleFontWeight": "normal",
        "labelPadding": 6,
        "titlePadding": 10,
        "labelFont": "Arial",
        "titleFont": "Arial",
    }
    config = {
        "axis": axis,
        "axisX": {"grid": False, "ticks": True, "tickSize": 4},
        "axisY": {"ticks": False, "tickCount": 4},
        "view": {"stroke": None},
        "legend": {"disable": True},
    }
    # Not by Altair's methods, each of which copies all of the chart.
    look = {"width": WIDTH, "height": HEIGHT, "background": "transparent", "padding": 2, "autosize": SIZE}
    spec = chart.to_dict(validate=False) | look | {"config": config}
    return svg.adopted(vl_convert.vegalite_to_svg(spec), CLASSES, label)


def _labelled(values: Sequence[float], unit: tuple[float, str] | None = None) -> dict[str, Any]:
    """Ticks of an axis of seconds, in one unit or in those that suit them."""
    labels = ",".join(
        f"'{value / unit[0]:.10g} {unit[1]}'" if unit and value else f"'{duration(value) if value else '0'}'"
        for value in values
    )
    numbers = ",".join(repr(float(value)) for value in values)
    return {"values": list(values), "labelExpr": f"[{labels}][indexof([{numbers}], datum.value)]"}


def _unit(span: float) -> tuple[float, str]:
    units = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))
    return next((unit for unit in units if span >= 3 * unit[0]), (1e-6, "µs"))


def clock_ticks(span: float) -> list[float]:
    """Ticks of a time axis from 0 on, at round numbers of its unit."""
    unit, _ = _unit(span)
    span = max(span, 1e-9)
    rough = span / unit / MOST_TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(step for step in (1, 2, 5, 10) if step * power >= rough) * power * unit
    return [round(number * step, 12) for number in range(int(span / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = math.ceil((last - first) / MOST_TICKS) or 1
    return [10.0**power for power in range(first, last + 1, every)]


@_unchecked()
def distribution(buckets: Sequence[tuple[float, float, int]], domain: tuple[float, float], label: str) -> Markup:
    """How often which times occur.

    Args:
        buckets: from, to, in seconds, and how many.
        domain: of the logarithmic axis, in seconds.
        label: what it shows.
    """
    import altair as alt

    rows = [{"from": low, "to": high, "count": number, "zero": 0} for low, high, number in buckets]
    scale = alt.Scale(type="log", domain=list(domain), nice=False, clamp=True)
    axis = alt.Axis(title=None, **_labelled([tick for tick in decades(*domain) if domain[0] <= tick <= domain[1]]))
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(color=COLOURS["main"], aria=False)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=axis),
            x2="to:Q",
            y=alt.Y("zero:Q", title="packets", axis=_count_axis(max((number for *_, number in buckets), default=1))),
            y2="count:Q",
        )
    )
    return _drawn(chart, label)


def _count_axis(most: int) -> Any:
    """An axis of whole numbers."""
    import altair as alt

    step = max(10 ** math.floor(math.log10(most / MOST_COUNTS)) if most > MOST_COUNTS else 1, 1)
    step = next(factor * step for factor in (1, 2, 5, 10) if factor * step * MOST_COUNTS >= most)
    return alt.Axis(values=list(range(0, most + 1, step)), format=",d")


def _time_axis(span: float) -> Any:
    import altair as alt

    return alt.X(
        "time:Q",
        scale=alt.Scale(domain=[0, span], nice=False),
        axis=alt.Axis(title=None, **_labelled(clock_ticks(span), _unit(span))),
    )


@_unchecked()
def longest(points: Iterable[tuple[float, float]], span: float, label: str) -> Markup:
    """The longest time of a step over time, on a logarithmic axis.

    Args:
        points: when, in seconds from the beginning, and how long, in seconds.
        span: of the capture.
        label: what it shows.
    """
    import altair as alt

    rows = [{"time": at, "value": value} for at, value in points]
    values = [row["value"] for row in rows]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)) + 1e-9)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_circle(color=COLOURS["main"], size=14, opacity=0.8, aria=False)
        .encode(
            x=_time_axis(span),
            y=alt.Y(
                "value:Q",
                title=None,
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
                axis=alt.Axis(**_labelled(decades(low, high))),
            ),
        )
    )
    return _drawn(chart, label)


@_unchecked()
def line(points: Iterable[tuple[float, float]], span: float, title: str, label: str) -> Markup:
    """A number over time.

    Args:
        points: when, in seconds from the beginning, and what.
        span: of the capture, in seconds.
        title: of the axis.
        label: what it shows.
    """
    import altair as alt

    rows = [{"time": at, "value": value} for at, value in points]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(stroke=COLOURS["main"], strokeWidth=2, interpolate="step", aria=False)
        .encode(x=_time_axis(span), y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=True)))
    )
    return _drawn(chart, label)


@_unchecked()
def stacked(
    series: Sequence[tuple[str, Sequence[int]]], bin_seconds: float, span: float, title: str, label: str
) -> Markup:
    """Counts over time, one on the other.

    Args:
        series: the colour and the counts of each, the lowest first.
        bin_seconds: how long a bin is.
        span: of the capture, in seconds.
        title: of the axis.
        label: what it shows.
    """
    import altair as alt

    rows, most = [], 1
    for at, values in enumerate(zip(*(counts for _, counts in series), strict=True)):
        begin, high = at * bin_seconds, 0
        for (colour, _), value in zip(series, values, strict=True):
            low, high = high, high + value
            if value:
                end = min(begin + bin_seconds, span)
                rows.append({"time": begin, "end": end, "low": low, "high": high, "colour": COLOURS[colour]})
        most = max(most, high)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(aria=False)
        .encode(
            x=_time_axis(span),
            x2="end:Q",
            y=alt.Y("low:Q", title=title, axis=_count_axis(most)),
            y2="high:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    return _drawn(chart, label)
