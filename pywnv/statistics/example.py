"""Packets that are worth a look, with all that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DROPPED, SLOWEST, TYPICAL = "dropped", "slowest", "typical"


@dataclass(frozen=True)
class Sighting:
    """One frame of a packet, or the event that reports its drop.

    Attributes:
        frame: its number.
        hop: where it was seen, or None; of an event, the NIC and the switch.
        elapsed: since the packet's first sighting; None without times.
        rewritten: what a hop changed since the sighting before, or None.
        dropped: whether the packet was dropped here.
        near: whether only the time shows that the event is about this packet.
        text: of the reason, or None.
        after: the frame of the sighting that this one follows: the one before, or where the switch floods, that of
            the hop from which it does. None for the first.
    """

    frame: int
    hop: str | None
    elapsed: float | None
    rewritten: str | None = None
    dropped: bool = False
    near: bool = False
    text: str | None = None
    after: int | None = None


@dataclass(frozen=True)
class Example:
    """A packet that is worth a look, with all that shows it.

    Attributes:
        kind: DROPPED, SLOWEST or TYPICAL.
        packet: the number of its first frame.
        protocol, source, destination, source_port, destination_port: as the columns of rows.
        sightings: by time.
    """

    kind: str
    packet: int
    protocol: str | None
    source: str | None
    destination: str | None
    source_port: int | None
    destination_port: int | None
    sightings: tuple[Sighting, ...]


def example_of(example: dict[str, Any], names: list[str | None]) -> Example:
    """The model of what lua/statistics/examples.lua has kept; `names` are those of the hops."""
    return Example(
        kind=example["kind"],
        packet=example["packet"],
        protocol=example.get("protocol"),
        source=example.get("source"),
        destination=example.get("destination"),
        source_port=example.get("source_port"),
        destination_port=example.get("destination_port"),
        sightings=tuple(_sightings(example, names)),
    )


def _sightings(example: dict[str, Any], names: list[str | None]) -> Iterator[Sighting]:
    """By time; the events that report a drop last."""
    drops = {drop["frame"]: drop for drop in example["drops"]}
    seen = [(one.get("elapsed"), one) for one in reversed(example["sightings"])]
    in_file = [(one["frame"], names[one["hop"] - 1]) for _, one in seen]
    branches, before = _branches(example.get("path"), in_file), None
    for elapsed, one in sorted(seen, key=lambda pair: (pair[0] or 0.0, pair[1]["frame"])):
        frame = one["frame"]
        text = drops.get(frame, {}).get("text")
        after = branches.get(frame, before)
        yield Sighting(
            frame, names[one["hop"] - 1], elapsed, one.get("rewritten"), frame in drops, text=text, after=after
        )
        before = frame
    for drop in drops.values():
        if drop.get("is_event"):
            late = drop.get("after")
            elapsed = None if late is None else max(elapsed or 0.0 for elapsed, _ in seen) + late
            near, text = drop["is_near"], drop.get("text")
            yield Sighting(drop["frame"], drop.get("place"), elapsed, None, True, near, text, before)


def _branches(path: str | None, in_file: list[tuple[int, str | None]]) -> dict[int, int]:
    """Of each frame that a branch of a path with branches shows, the frame that it follows; none if that is unclear.

    Args:
        path: as `wnv.path` has it: `a > {b, c > d}`.
        in_file: frame and hop of the sightings, in the order of the file.
    """
    trunk, has_branches, rest = (path or "").partition(" > {")
    if not has_branches:
        return {}
    shown = trunk.split(" > ")
    fork, starts = len(shown) - 1, set()
    for branch in rest.removesuffix("}").split(", "):
        starts.add(len(shown))
        shown += branch.split(" > ")
    follows: dict[int, int] = {}
    at, last, forked = -1, 0, 0
    for frame, hop in in_file:
        is_again = at >= 0 and hop == shown[at]
        if not is_again:
            at += 1
            if at == len(shown) or hop != shown[at]:
                return {}
        if last:
            follows[frame] = forked if at in starts and not is_again else last
        if at == fork:
            forked = frame
        last = frame
    return follows if at == len(shown) - 1 else {}
