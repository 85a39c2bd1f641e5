"""What became of the packets that somebody asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.errors import UsageError
from pywnv.host.lint.show import as_rows
from pywnv.statistics.collect import collect
from pywnv.statistics.model import Drop, Selection, Statistics, Step
from pywnv.statistics.silence import Silence, silences
from pywnv.why.words import about, next_steps, sentence
from pywnv.words import one_line

if TYPE_CHECKING:
    from pywnv.host.lint import Finding
    from pywnv.host.model import Host
    from pywnv.host.topology import Topology

_END = r"(\[[^\[\]]+\]|[^\[\]:]+):(\d{1,5})"
FLOW = re.compile(f"{_END}-{_END}")
MOST_PORT = 65535


@dataclass(frozen=True)
class Answer:
    """What happened to the selected packets.

    Attributes:
        sentence: the answer in plain words.
        about: the selection in words: "192.168.1.60", "NIC Contoso-Gst".
        statistics: what was counted for these packets.
        slowest: the step with the longest single time; None if no packet shows twice.
        next: what to run next: (words, command).
        host_findings: what is wrong with the host, if its inventory is known; the selection's NICs first.
    """

    sentence: str
    about: str
    statistics: Statistics
    slowest: Step | None
    next: tuple[tuple[str, str], ...]
    host_findings: tuple[Finding, ...] = ()

    @property
    def drops(self) -> tuple[Drop, ...]:
        """Harmful before harmless, the most packets first."""
        return self.statistics.drops

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Where hops fell silent or began while others still showed packets."""
        return silences(self.statistics)

    def as_dict(self) -> dict[str, Any]:
        """For programs, as JSON takes it."""
        found = self.statistics.as_dict()
        dropped = ("way", "reason", "text", "hop", "rule", "harmless", "harmless_because", "advice")
        counted = ("packets", "near", "frames", "first_frame")
        return {
            "sentence": self.sentence,
            "about": self.about,
            "packets": found["packets"],
            "frames": found["frames"],
            "ends": found["ends"],
            "drops": [{name: drop[name] for name in (*dropped, *counted)} for drop in found["drops"]],
            "losses": [loss.as_dict() for loss in self.statistics.losses],
            "unanswered": found["unanswered"],
            "retransmissions": found["retransmissions"],
            "first_retransmission": found["first_retransmission"],
            "repeats": found["repeats"],
            "slowest": self.slowest
            and {
                "from": self.slowest.from_hop,
                "to": self.slowest.to_hop,
                "seconds": self.slowest.most,
                "median": self.slowest.median,
                "count": self.slowest.count,
                "frame": self.slowest.slowest_frame,
                "packet": self.slowest.slowest_packet,
            },
            "paths": found["paths"],
            "silent": [asdict(silence) for silence in self.silences],
            "addresses": found["addresses"],
            "next": [{"why": words, "command": command} for words, command in self.next],
            "host_findings": as_rows(self.host_findings),
            "warnings": found["warnings"],
        }


def _address(text: str, option: str) -> str:
    """An address as rows have it.

    Args:
        text: the address.
        option: that it was given with, for the error.

    Raises:
        UsageError: it is none.
    """
    try:
        return ip_address(text.strip().strip("[]").partition("%")[0]).compressed
    except ValueError:
        raise UsageError(f"{option} {text}: must be one IPv4 or IPv6 address, such as 10.0.0.1") from None


def selection_of(ip: str | None, nic: str | None, flow: str | None) -> Selection:
    """What was asked for.

    Raises:
        UsageError: it is not one of the three, or makes no sense.
    """
    if sum(value is not None for value in (ip, nic, flow)) != 1:
        raise UsageError("why: choose packets with exactly one of --ip ADDRESS, --nic NAME, --flow A:PORT-B:PORT")
    if ip is not None:
        return Selection(ip=_address(ip, "--ip"))
    if nic is not None:
        if not nic.strip():
            raise UsageError("--nic: is empty; `pywnv inspect` names the hops of a capture")
        return Selection(nic=one_line(nic.strip()))
    assert flow is not None  # noqa: S101  # one of the three is there
    match = FLOW.fullmatch(flow.strip())
    if not match or max(int(match[2]), int(match[4])) > MOST_PORT:
        raise UsageError(
            f"--flow {flow}: must be A:PORT-B:PORT, such as 10.0.0.1:50000-10.0.0.9:443 or "
            "[fd00::1]:50000-[fd00::9]:443"
        )
    return Selection(flow=(_address(match[1], "--flow"), int(match[2]), _address(match[3], "--flow"), int(match[4])))


def ask(
    captures: Sequence[Path],
    selection: Selection,
    *,
    window: float | None = None,
    topology: Topology | None = None,
    topology_file: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Says where some packets end, how many, and why.

    Args:
        captures: as `pywnv.why` takes them.
        selection: which packets.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host.
        topology_file: where that stands, for what to type next.
        progress: called with the number of bytes read so far.
        warn: called with each warning, one line for the user.

    Raises:
        CaptureError: a capture is missing, in a format that pywnv cannot read without tshark, or broken.
        UsageError: one of several captures is a pipe.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
    """
    from pywnv.host.lint import Tagged, with_capture

    host = topology.host if topology else None
    tagged = Tagged(host)
    found = collect(
        captures,
        selection=selection,
        window=window,
        topology=topology,
        progress=progress,
        warn=warn,
        watch=tagged.watch,
    )
    slowest = max(found.steps, key=lambda step: step.most, default=None)
    of_host = with_capture(host, tagged, ", ".join(map(str, captures)))
    next_ = next_steps(found, slowest, captures, topology_file)
    return Answer(sentence(found), about(selection), found, slowest, next_, _asked_first(of_host, host, found))


def _asked_first(of_host: tuple[Finding, ...], host: Host | None, found: Statistics) -> tuple[Finding, ...]:
    """The findings of the NICs that were asked for, then of those where their packets end, then the others."""
    selection = found.selection
    nic = (selection.nic or "").casefold() if selection else ""
    asked: set[str] = set()
    if host and selection and not nic:
        addresses = {selection.ip, *(selection.flow or ())}
        asked = {one.label for one in host.nics if addresses.intersection(map(_plain, one.addresses))}
    ends = {end.hop for end in found.ends}

    def rank(one: Finding) -> int:
        places = set(one.where.split(", "))
        is_asked = nic in one.where.casefold() if nic else places & asked
        return 0 if is_asked else 1 if places & ends else 2

    return tuple(sorted(of_host, key=rank))


def _plain(text: str) -> str:
    """An address of an inventory as rows have it; what is none stays as it is."""
    try:
        return _address(text, "")
    except UsageError:
        return text
