"""A report of one capture or of several, the worst first."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pywnv.errors import OutputError, WnvError
from pywnv.report import story
from pywnv.report.capture import Captured, captured
from pywnv.report.text import clean, duration, number
from pywnv.report.view import view
from pywnv.statistics.loss import lost
from pywnv.statistics.pairs import unanswered
from pywnv.words import count

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

MOST_DETAILS = 25  # captures that get a chapter of their own, the worst

Rank = tuple[bool, int, int, int, float]


class Row(NamedTuple):
    """A capture among several.

    Attributes:
        name: of the capture.
        headline: what is wrong with it, in a sentence.
        packets, duplicates, dropped, again, unanswered: counts; dropped are those that matter, again TCP's, unanswered
            handshakes and pings.
        lost: between observers.
        slowest: step: what 95 % of its packets do not exceed, in seconds; None if there is no step.
    """

    name: str
    headline: str
    packets: int
    duplicates: int
    dropped: int
    again: int
    unanswered: int
    lost: int
    slowest: float | None

    @property
    def rank(self) -> Rank:
        """The greater, the worse."""
        lost = self.dropped + self.unanswered + self.lost
        return bool(lost), lost, self.again, self.packets, self.slowest or 0.0


@dataclass(frozen=True)
class Report:
    """A report of one capture or several.

    Attributes:
        captures: what is known of each, the worst first; of very many, of the worst only.
        rows: a line for each capture, in the same order.
        title: of the report, or None.
        unread: why captures could not be read, one line each.
    """

    captures: tuple[Captured, ...]
    rows: tuple[Row, ...]
    title: str | None = None
    unread: tuple[str, ...] = ()

    def html(self) -> str:
        """The page: one file that asks the network for nothing.

        Raises:
            MissingExtraError: what draws its charts is not installed.
        """
        from pywnv.report import charts, page

        charts.need()
        values = self._values()
        views = values["views"]
        drawn = [page.drawings(*pair) for pair in zip(self.captures, views, strict=True)]
        if self._is_one:
            contents = list(views[0].sections.items())
        else:
            contents = [("overview", "The captures"), *((one.id, one.name) for one in views)]
        return page.html(contents=contents, drawn=drawn, **values)

    def markdown(self) -> str:
        """The same in Markdown, for a ticket."""
        from pywnv.report import page

        return page.markdown(**self._values())

    @property
    def _is_one(self) -> bool:
        return len(self.rows) == 1 and not self.unread

    def _values(self) -> dict[str, Any]:
        if self._is_one:
            (only,) = views = [view(self.captures[0], id_="c1")]
            title, shown = self.title or only.name, self.rows
            words = {"headline": only.headline, "lead": only.lead}
        else:
            folder, shown = _short_names(self.rows)
            views = [view(one, id_=f"c{at}", short_name=shown[at - 1].name) for at, one in enumerate(self.captures, 1)]
            title = self.title or f"Report of {count(len(self.rows), 'capture', ',')}{folder}"
            words = _words_of_several(shown, self.unread)
        notes = [clean(f"Not read: {words}", 500) for words in self.unread]
        if more := len(self.rows) - len(views):
            notes.append(f"The {len(views)} worst have a chapter below. For the other {more}: pywnv report CAPTURE.")
        rows = [] if self._is_one else [_shown(row, at, len(views)) for at, row in enumerate(shown, 1)]
        return {"title": clean(title), "views": views, "overview": rows, "overview_notes": notes, **words}


def _short_names(rows: Sequence[Row]) -> tuple[str, tuple[Row, ...]]:
    """Where all captures are, in words, and the rows with their names from there on."""
    folders = {Path(row.name).parent for row in rows}
    try:
        folder = Path(os.path.commonpath(folders)) if folders else Path()
    except ValueError:  # on several drives
        folder = Path()
    if folder == Path():
        return "", tuple(rows)
    return f" in {folder}", tuple(row._replace(name=str(Path(row.name).relative_to(folder))) for row in rows)


def _shown(row: Row, at: int, chapters: int) -> dict[str, str]:
    return {
        "id": f"c{at}" if at <= chapters else "",
        "name": clean(row.name),
        "headline": row.headline,
        "packets": number(row.packets),
        "duplicates": number(row.duplicates),
        "dropped": number(row.dropped),
        "again": number(row.again),
        "unanswered": number(row.unanswered),
        "slowest": duration(row.slowest),
    }


def _words_of_several(rows: Sequence[Row], unread: Sequence[str]) -> dict[str, str]:
    bad = sum(row.rank[0] for row in rows)
    who = f"{bad or 'None'} of {count(len(rows), 'capture', ',')} {'show' if bad > 1 else 'shows'}"
    headline = f"{who} drops, losses, or requests without an answer."
    lead = f"The worst is {clean(rows[0].name)}: {rows[0].headline}" if bad else ""
    if unread:
        lead = f"{lead} {count(len(unread), 'capture', ',')} could not be read.".strip()
    return {"headline": headline, "lead": lead}


def _row(one: Captured) -> Row:
    statistics = one.statistics
    slowest = max((step.p95 for step in statistics.steps), default=None)
    return Row(
        one.name,
        story.headline(statistics, story.troubles(statistics)),
        statistics.packets,
        statistics.duplicates,
        sum(story.lost(drop) for drop in story.harmful(statistics)),
        statistics.retransmissions,
        unanswered(statistics),
        sum(loss.packets for loss in lost(statistics.losses)),
        slowest,
    )


def report(
    captures: Iterable[Path],
    *,
    title: str | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Looks through captures, one after the other.

    Args:
        captures: pcapng, pcap or .etl, each read once; stdin or a pipe, too.
        title: of the report; None: the name of the capture.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host.
        progress: called with the number of bytes read so far.

    Raises:
        CaptureError: the only capture is missing, in another format, or broken; of several, they are named in `unread`.
    """
    paths = list(captures)
    found: list[tuple[Row, Captured | None]] = []
    unread: list[str] = []
    done = 0
    for path in paths:
        before = done

        def count(read: int, before: int = before) -> None:
            nonlocal done
            done = before + read
            progress(done)

        try:
            one = captured(path, window=window, topology=topology, progress=count)
        except OutputError:
            raise
        except WnvError as error:
            if len(paths) == 1:
                raise
            unread.append(str(error))
            continue
        found.append((_row(one), one))
        found.sort(key=lambda pair: pair[0].rank, reverse=True)
        found[MOST_DETAILS:] = [(row, None) for row, _ in found[MOST_DETAILS:]]
    kept = tuple(one for _, one in found if one is not None)
    return Report(kept, tuple(row for row, _ in found), title, tuple(unread))
