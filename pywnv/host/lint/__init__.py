"""What is wrong with a host, before it drops anything: findings from its inventory, and from captures beside it."""

from __future__ import annotations

from collections.abc import Iterable

from pywnv.host.lint import acls, others, teams, vlans
from pywnv.host.lint.finding import KNOWN, Finding
from pywnv.host.lint.traffic import Tagged
from pywnv.host.model import Host

__all__ = ["KNOWN", "Finding", "Tagged", "gravest_first", "lint", "with_capture"]

GRAVE = ("error", "warning", "note")


def lint(host: Host) -> list[Finding]:
    """What its inventory alone tells of a host, the most severe first."""
    return gravest_first(one for room in (teams, vlans, acls, others) for one in room.findings(host))


def with_capture(host: Host | None, tagged: Tagged, capture: str) -> tuple[Finding, ...]:
    """What a host's inventory and a capture tell of it, the most severe first; of no host there is nothing.

    Args:
        host: of the capture.
        tagged: that watched the engine while it read the capture.
        capture: its name.
    """
    return tuple(gravest_first([*tagged.findings(capture), *lint(host)])) if host else ()


def gravest_first(found: Iterable[Finding]) -> list[Finding]:
    """Findings in the order in which they are shown."""
    return sorted(found, key=lambda one: GRAVE.index(one.severity))
