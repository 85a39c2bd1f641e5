"""One capture as a report knows it: its statistics, the tool that wrote it, what it lacks, the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.inspect import fingerprint
from pywnv.inspect.missing import findings
from pywnv.inspect.tally import Tally
from pywnv.report import story
from pywnv.report.layout import Place
from pywnv.report.text import name

if TYPE_CHECKING:
    from pywnv.host.lint import Finding as HostFinding
    from pywnv.host.topology import Topology
    from pywnv.inspect.fingerprint import Tool
    from pywnv.inspect.missing import Finding
    from pywnv.statistics.model import Statistics

MOST_QUIET = 8  # places that show nothing, in the picture


@dataclass(frozen=True)
class Captured:
    """One capture.

    Attributes:
        name: of the file, as the user typed it.
        statistics: of its packets.
        tool: that wrote it.
        findings: what it lacks.
        topology: names and roles in the host, or None.
        host_findings: what is wrong with the host itself, where its inventory is known; the most severe first.
    """

    name: str
    statistics: Statistics
    tool: Tool
    findings: tuple[Finding, ...] = ()
    topology: Topology | None = None
    host_findings: tuple[HostFinding, ...] = ()

    @property
    def tool_words(self) -> str | None:
        """The tool, its version, and who saved the file again."""
        if not self.tool.shown:
            return None
        words = " ".join(filter(None, (self.tool.shown, self.tool.version)))
        return f"{words}, saved again by {self.tool.saved_by}" if self.tool.saved_by else words

    @property
    def system(self) -> str | None:
        """What the tool ran on."""
        return self.tool.system

    def places(self) -> list[Place]:
        """The places of the host: those that show packets, and some that the user knows of and that show none."""
        bad: dict[str, int] = {}
        harmless: dict[str, int] = {}
        for drop in self.statistics.drops:
            if drop.hop is not None:
                counted = harmless if drop.harmless else bad
                counted[name(drop.hop)] = counted.get(name(drop.hop), 0) + story.lost(drop)
        seen = {name(hop.name): hop for hop in self.statistics.hops}
        places = [
            Place(words, hop.role, hop.packets, bad.get(words, 0), harmless.get(words, 0))
            for words, hop in seen.items()
        ]
        ends = dict.fromkeys(end for _, end, _ in self.losses() if end not in seen)
        places += [Place(end, None, 0, bad.get(end, 0), harmless.get(end, 0)) for end in ends]
        quiet = [(words, role) for words, role in self._known().items() if words not in seen]
        return places + [Place(words, role, 0) for words, role in quiet[:MOST_QUIET]]

    def _known(self) -> dict[str, str | None]:
        """The parts of the host that the user knows of, as hops are called, and their roles; the outer ones first."""
        if self.topology is None:
            return {}
        parts: dict[str, str | None] = {name(f"vSwitch {switch.name}"): "vSwitch" for switch in self.topology.switches}
        parts |= {name(f"tNIC {team.name}"): "tNIC" for team in self.topology.teams}
        nics = sorted(self.topology.nics, key=lambda nic: nic.role != "pNIC")
        return parts | {name(f"{nic.role} {nic.name}" if nic.role else nic.name): nic.role for nic in nics}

    def links(self) -> list[tuple[str, str]]:
        """What is connected: the members of teams, and the ports of switches, each with its switch last."""
        if self.topology is None:
            return []
        called = {}
        for words, role in self._known().items():
            if role != "vSwitch":
                called[words.removeprefix(role or "").strip()] = words
        links = [
            (name(f"tNIC {team.name}"), called[name(member)])
            for team in self.topology.teams
            for member in team.members
            if name(member) in called
        ]
        return links + [
            (called[name(port)], name(f"vSwitch {switch.name}"))
            for switch in self.topology.switches
            for port in switch.ports
            if name(port) in called
        ]

    def losses(self) -> list[tuple[str, str, int]]:
        """Where packets were last seen that an event tells the drop of, where that was, and how many."""
        found = []
        for example in self.statistics.examples:
            at_frame = {one.frame: one for one in example.sightings}
            for last in example.sightings:
                before = at_frame.get(last.after or 0)
                if before and last.dropped:
                    packets = sum(story.lost(drop) for drop in story.harmful(self.statistics) if drop.hop == last.hop)
                    found += [(name(before.hop), name(last.hop), packets)] if packets else []
        shown = {(name(step.from_hop), name(step.to_hop)) for step in self.statistics.steps}
        return [loss for loss in dict.fromkeys(found) if loss[:2] not in shown]


def captured(
    path: Path,
    *,
    window: float | None,
    topology: Topology | None,
    progress: Callable[[int], None],
) -> Captured:
    """Looks through one capture.

    Args:
        path: of the capture.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host.
        progress: called with the number of bytes read so far.

    Raises:
        CaptureError: it is missing, in another format, or broken.
    """
    from pywnv.capture.convert import as_pcapng
    from pywnv.host.lint import Tagged, with_capture
    from pywnv.statistics.collect import collect

    host = topology.host if topology else None
    tagged, scan = Tagged(host), fingerprint.Scan()
    with as_pcapng(path, warn=lambda _: None, progress=progress) as opened:
        statistics = collect(
            [opened],
            window=window,
            topology=topology,
            progress=progress,
            watch=tagged.watch,
            looking=scan.watching,
        )
    tool = fingerprint.tool(scan.traits)
    lacks = findings(tool, scan.traits, _tally(statistics), statistics.hops, statistics.drops, statistics.warnings)
    of_host = with_capture(host, tagged, str(path))
    return Captured(str(path), statistics, tool, tuple(lacks), topology, of_host)


def _tally(statistics: Statistics) -> Tally:
    """The counts that findings are made of."""
    return Tally(
        frames=statistics.all_frames,
        packets=statistics.packets,
        without_time=statistics.without_time,
        steps_back=statistics.steps_back,
        furthest_back=statistics.furthest_back,
        by_id=statistics.by_id,
        events=Counter({"all": statistics.events} if statistics.events else {}),
    )
