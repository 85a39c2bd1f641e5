"""Requests without an answer or refused, put together by who asks whom."""

from __future__ import annotations

from dataclasses import replace

from pywnv.statistics.model import Statistics, Unanswered

# What people call each kind of request.
QUESTIONS = {"handshake": "TCP handshake", "ping": "ping", "arp": "ARP request", "neighbor": "neighbor solicitation"}

JUDGED = ("handshake", "ping")  # the others ask for what need not be there, every day


def unanswered(found: Statistics) -> int:
    """How many handshakes and pings get no answer."""
    return sum(one.unanswered for one in found.unanswered if one.kind in JUDGED)


def questions(found: Statistics) -> list[tuple[Unanswered, int]]:
    """What goes unanswered or is refused, the most first: of each pair of addresses, and to how many ports."""
    groups: dict[tuple[object, ...], list[Unanswered]] = {}
    for one in found.unanswered:
        groups.setdefault((one.kind, one.source, one.destination, one.unanswered > 0), []).append(one)
    return sorted(map(_together, groups.values()), key=lambda group: (-group[0].unanswered, group[0].first_frame))


def _together(group: list[Unanswered]) -> tuple[Unanswered, int]:
    if len(group) == 1:
        return group[0], 1
    sums = {name: sum(getattr(one, name) for one in group) for name in ("asked", "unanswered", "refused", "dropped")}
    return replace(group[0], port=None, **sums), len(group)
