"""Packets that are worth a look, with all that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DROPPED, SLOWEST, TYPICAL = "dropped", "slowest", "typical"


@dataclass(frozen=True)
class Sighting:
    """One frame of a packet, or the event that tells of its drop.

    Attributes:
        frame: its number.
        hop: where it was seen, or None; of an event, the NIC and the switch.
        elapsed: since the packet's first sighting; None without times.
        rewritten: what a hop changed since the sighting before, or None.
        dropped: whether the packet was dropped here.
        near: whether nothing but the time shows that the event is about this packet.
        text: of the reason, or None.
    """

    frame: int
    hop: str | None
    elapsed: float | None
    rewritten: str | None = None
    dropped: bool = False
    near: bool = False
    text: str | None = None


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
    """By time; the event that tells of the drop last."""
    drop = example.get("drop", {})
    seen = [(one.get("elapsed"), one) for one in reversed(example["sightings"])]
    for elapsed, one in sorted(seen, key=lambda pair: (pair[0] or 0.0, pair[1]["frame"])):
        is_drop = drop.get("frame") == one["frame"]
        text = drop.get("text") if is_drop else None
        yield Sighting(one["frame"], names[one["hop"] - 1], elapsed, one.get("rewritten"), is_drop, text=text)
    if drop.get("is_event"):
        after = drop.get("after")
        elapsed = None if after is None else max(elapsed or 0.0 for elapsed, _ in seen) + after
        yield Sighting(drop["frame"], drop.get("place"), elapsed, None, True, drop["is_near"], drop.get("text"))
