"""What `inspect` tells of a capture."""

from __future__ import annotations

from dataclasses import dataclass

from pywnv.host.lint.finding import Finding as HostFinding
from pywnv.inspect.fingerprint import Tool
from pywnv.inspect.missing import Finding
from pywnv.inspect.tally import Drop, Hop
from pywnv.inspect.trouble import Trouble


@dataclass(frozen=True)
class Report:
    """What a capture holds.

    Attributes:
        capture: the file.
        tool: that wrote it.
        frames: records of all kinds, events too.
        packets: sent once each.
        duplicates: frames that show a packet again.
        ambiguous: frames that may show a packet again, or another one with the same bytes: nothing tells.
        duplicate_share: of the frames that show packets, 0 to 1.
        seconds: from the earliest frame to the latest; None without times.
        verdicts: frames by verdict.
        hops: in the order in which they are first seen.
        drops: the most frequent first.
        events: of the vmSwitch, by kind.
        findings: what is missing.
        trouble: what is wrong; None of a capture that only tshark reads.
        host_findings: what is wrong with the host itself, where its inventory is known; the most severe first.
    """

    capture: str
    tool: Tool
    frames: int
    packets: int
    duplicates: int
    ambiguous: int
    duplicate_share: float
    seconds: float | None
    verdicts: dict[str, int]
    hops: tuple[Hop, ...]
    drops: tuple[Drop, ...]
    events: dict[str, int]
    findings: tuple[Finding, ...]
    trouble: Trouble | None = None
    host_findings: tuple[HostFinding, ...] = ()
