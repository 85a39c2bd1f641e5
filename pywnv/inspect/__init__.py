"""What a capture holds: the tool that wrote it, the hops and how often each shows a packet, drops, what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.annotate import sinks
from pywnv.annotate.columns import unpacked
from pywnv.annotate.rows import Engine, batches
from pywnv.annotate.walker import annotate
from pywnv.capture.source import is_stream, need_file, opened_each
from pywnv.errors import UnknownFormatError
from pywnv.host.lint import Tagged, with_capture
from pywnv.host.lint.show import as_rows
from pywnv.inspect import fingerprint
from pywnv.inspect.fingerprint import Tool
from pywnv.inspect.missing import Finding, findings
from pywnv.inspect.model import Report
from pywnv.inspect.show import overview, render
from pywnv.inspect.tally import Drop, Hop, Tally
from pywnv.inspect.trouble import Trouble, trouble_of
from pywnv.statistics.build import build
from pywnv.statistics.collect import collect, sink

if TYPE_CHECKING:
    from pywnv.host.topology import Topology
    from pywnv.statistics.model import Statistics

__all__ = [
    "Drop",
    "Finding",
    "Hop",
    "Report",
    "Tool",
    "Trouble",
    "all_as_json",
    "as_json",
    "inspect",
    "overview",
    "render",
]


def inspect(
    capture: Path,
    *,
    engine: Engine | None = None,
    topology: Topology | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Looks through a capture.

    Args:
        capture: a file that `rows.rows` takes. It is read once, but by TSHARK, which cannot read a pipe here.
        engine: which body of the engine decides.
        topology: names and roles in the host.
        progress: called with the number of bytes of the file read so far.

    Raises:
        UsageError: by TSHARK, the capture is stdin or a pipe.
        CaptureError: it is missing, in another format, or broken.
        WiresharkError: there is no tshark for a file that only tshark reads.
    """
    tally, looking = Tally(), fingerprint.Scan()
    host = topology.host if topology else None
    tagged = Tagged(host)
    warnings: list[str] = []

    def warn(words: str) -> None:
        warnings.append(words.removeprefix(f"{capture}: "))

    trouble = None
    try:
        if engine is Engine.TSHARK:
            need_file(capture)
            tally.add(batches(capture, engine=engine, topology=topology, warn=warn))
            trouble = trouble_of(collect(capture, topology=topology))
            traits = fingerprint.scan(capture)
        else:
            trouble = trouble_of(_counted(capture, tally, looking, topology, tagged, progress, warn))
            traits = looking.traits
    except UnknownFormatError:
        if engine is Engine.LUPA or is_stream(capture):  # what was read from a pipe is gone
            raise
        if engine is None:
            tally.add(batches(capture, engine=Engine.TSHARK, topology=topology, warn=warn))
        traits = fingerprint.foreign(capture)
    tool = fingerprint.tool(traits)
    hops, drops = tally.hops(), tally.drops()
    shown = sum(hop.frames for hop in hops)
    return Report(
        capture=str(capture),
        tool=tool,
        frames=tally.frames,
        packets=tally.packets,
        duplicates=tally.duplicates,
        ambiguous=tally.ambiguous,
        duplicate_share=round(tally.duplicates / shown, 4) if shown else 0.0,
        seconds=tally.seconds,
        verdicts=dict(tally.verdicts),
        hops=hops,
        drops=drops,
        events=dict(tally.events),
        findings=tuple(findings(tool, traits, tally, hops, drops, warnings)),
        trouble=trouble,
        host_findings=with_capture(host, tagged, str(capture)),
    )


def _counted(
    capture: Path,
    tally: Tally,
    looking: fingerprint.Scan,
    topology: Topology | None,
    tagged: Tagged,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
) -> Statistics:
    """Reads a capture once: its bytes are looked at, its rows counted, and what they add up to comes back."""
    with closing(opened_each([capture], of_any_format=True)) as opened:
        pieces = annotate(
            looking.watching(opened),
            sink=sinks.both(sinks.columns, sink),
            window=None,
            topology=topology,
            progress=progress,
            warn=warn,
            watch=tagged.watch,
        )
        with closing(pieces):
            last = [next(pieces)]
            tally.add(unpacked(_all_but_last(pieces, last)))
    return build(json.loads(last[0]), None, ())


def _all_but_last(pieces: Iterator[bytes], last: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield last[0]
        last[0] = piece


def worst_first(reports: list[Report]) -> list[Report]:
    """The reports of several captures, those with the most problems first."""
    return sorted(reports, key=lambda report: report.trouble.order if report.trouble else (1,))


def _as_row(report: Report) -> dict[str, Any]:
    return {**asdict(report), "host_findings": as_rows(report.host_findings)}


def as_json(report: Report) -> str:
    """The report for programs."""
    return json.dumps(_as_row(report), ensure_ascii=False, indent=2) + "\n"


def all_as_json(reports: list[Report]) -> str:
    """The reports of several captures for programs: a list, the worst first."""
    return json.dumps([_as_row(report) for report in worst_first(reports)], ensure_ascii=False, indent=2) + "\n"
