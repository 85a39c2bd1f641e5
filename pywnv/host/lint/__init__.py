"""What is wrong with a host, before it drops anything: findings from its inventory, and from captures beside it."""

from __future__ import annotations

from collections.abc import Iterable

from pywnv.host.lint import acls, others, teams, vlans
from pywnv.host.lint.finding import KNOWN, Finding
from pywnv.host.model import Host

__all__ = ["KNOWN", "Finding", "gravest_first", "lint"]

GRAVE = ("error", "warning", "note")


def lint(host: Host) -> list[Finding]:
    """What its inventory alone tells of a host, the gravest first."""
    return gravest_first(one for room in (teams, vlans, acls, others) for one in room.findings(host))


def gravest_first(found: Iterable[Finding]) -> list[Finding]:
    """Findings in the order in which they are shown."""
    return sorted(found, key=lambda one: GRAVE.index(one.severity))
