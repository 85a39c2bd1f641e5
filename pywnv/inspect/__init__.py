"""What a capture holds: the tool that wrote it, the hops and how often each shows a packet, drops, what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.capture.source import need_file
from pywnv.inspect import fingerprint
from pywnv.inspect.fingerprint import Tool
from pywnv.inspect.missing import Finding, findings
from pywnv.inspect.show import overview, render
from pywnv.inspect.tally import Drop, Hop, Tally

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

__all__ = ["Drop", "Finding", "Hop", "Report", "Tool", "all_as_json", "as_json", "inspect", "overview", "render"]


@dataclass(frozen=True)
class Report:
    """What a capture holds.

    Attributes:
        capture: the file.
        tool: that wrote it.
        frames: records of all kinds, events too.
        packets: sent once each.
        duplicates: frames that show a packet again.
        duplicate_share: of the frames that show packets, 0 to 1.
        seconds: from the earliest frame to the latest; None without times.
        verdicts: frames by verdict.
        hops: in the order in which they are first seen.
        drops: the most frequent first.
        events: of the vmSwitch, by kind.
        findings: what is missing.
    """

    capture: str
    tool: Tool
    frames: int
    packets: int
    duplicates: int
    duplicate_share: float
    seconds: float | None
    verdicts: dict[str, int]
    hops: tuple[Hop, ...]
    drops: tuple[Drop, ...]
    events: dict[str, int]
    findings: tuple[Finding, ...]


def inspect(
    capture: Path,
    *,
    engine: Engine | None = None,
    topology: Topology | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Looks through a capture.

    Args:
        capture: a file that `rows.rows` takes, but no pipe: it is read twice.
        engine: which body of the engine decides.
        topology: what the user knows of the host.
        progress: is told how many bytes of the file have been read.

    Raises:
        UsageError: the capture is stdin or a pipe.
        CaptureError: it is missing, of another kind, or broken.
        WiresharkError: there is no tshark for a file that only tshark reads.
    """
    need_file(capture)
    tally = Tally()
    warnings: list[str] = []

    def warn(words: str) -> None:
        warnings.append(words.removeprefix(f"{capture}: "))

    pieces = rows(capture, output_format=Format.JSONL, engine=engine, topology=topology, progress=progress, warn=warn)
    for piece in pieces:
        for row in json.loads(b"[" + piece.rstrip().replace(b"\n", b",") + b"]"):  # faster than line by line
            tally.add(row)
    traits = fingerprint.scan(capture)
    tool = fingerprint.tool(traits)
    hops, drops = tally.hops(), tally.drops()
    shown = sum(hop.frames for hop in hops)
    return Report(
        capture=str(capture),
        tool=tool,
        frames=tally.frames,
        packets=tally.packets,
        duplicates=tally.duplicates,
        duplicate_share=round(tally.duplicates / shown, 4) if shown else 0.0,
        seconds=tally.seconds,
        verdicts=dict(tally.verdicts),
        hops=hops,
        drops=drops,
        events=dict(tally.events),
        findings=tuple(findings(tool, traits, tally, hops, drops, warnings)),
    )


def as_json(report: Report) -> str:
    """The report for programs."""
    return json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n"


def all_as_json(reports: list[Report]) -> str:
    """The reports of several captures for programs: a list."""
    return json.dumps([asdict(report) for report in reports], ensure_ascii=False, indent=2) + "\n"
