"""Packets whose last sighting is in the middle of a path that others follow to its end, without a recorded drop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pywnv.statistics.model import Path, Statistics
from pywnv.statistics.silence import silences
from pywnv.words import count

LEAST, SHARE, MOST = 3, 0.01, 0.5  # packets; of those that go on: at least, at most


@dataclass(frozen=True)
class Cut:
    """Packets that are not seen again on a path that others follow further.

    Attributes:
        packets: how many, at least.
        usual: the whole path.
        part: the part of it that they show.
        hops: of the whole path.
        seen: the first of them, which they show.
    """

    packets: int
    usual: Path
    part: Path
    hops: tuple[str, ...]
    seen: tuple[str, ...]

    @property
    def words(self) -> str:
        """What is seen, without the end of a sentence."""
        hops, last = self.hops, self.seen[-1]
        least = "" if self.packets == self.part.packets else "At least "
        whole = count(self.packets + self.usual.packets, "packet", ",")
        return f"{least}{self.packets:,} of {whole} from {hops[0]} to {hops[-1]} are last seen at {last}"

    @property
    def cause(self) -> str:
        """What that means, a sentence without its capital."""
        return (
            f"between {self.seen[-1]} and {self.hops[len(self.seen)]} this host loses them, or the capture missed"
            " them; no drop is recorded."
        )


def cut_short(found: Statistics) -> Cut | None:
    """The most packets that end like this; None if none do, or where that proves nothing."""
    is_built_anew = any(found.verdicts.get(verdict) for verdict in ("segment", "coalesced"))
    if silences(found) or is_built_anew or found.translated:
        return None  # what is not captured, built anew, or kept by the NAT itself, only seems to be lost
    names = {hop.name for hop in found.hops}
    hops = {path: _hops(path, names) for path in found.paths}
    whole = [path for path in found.paths if names.issuperset(hops[path])]
    best: Cut | None = None
    for part in whole:
        following = [path for path in whole if path.way == part.way and (path.path or "").startswith(f"{part.path} > ")]
        if not following:
            continue
        usual = max(following, key=lambda path: path.packets)
        if _observer(hops[part][-1]) != _observer(hops[usual][len(hops[part])]):
            continue  # `Statistics.losses` tells that, with better proof
        lost = part.packets - part.unfinished - _may_be_the_rest(found, hops, part, following)
        enough = max(LEAST, SHARE * usual.packets, best.packets + 1 if best else 0)
        if lost >= enough and part.packets <= MOST * usual.packets:
            best = Cut(lost, usual, part, hops[usual], hops[part])
    return best


def _hops(path: Path, names: Collection[str | None]) -> tuple[str, ...]:
    """The names of a path's hops; of several observers, it names each once for the hops that follow."""
    hops: list[str] = []
    for name in (path.path or "").split(" > "):
        whole = f"{_observer(hops[-1])}: {name}" if hops and name not in names else name
        hops.append(whole if whole in names else name)
    return tuple(hops)


def _observer(hop: str) -> str:
    return hop.partition(": ")[0] if ": " in hop else ""


def _may_be_the_rest(
    found: Statistics, hops: Mapping[Path, tuple[str, ...]], part: Path, following: Sequence[Path]
) -> int:
    """Packets that show nothing but hops behind a part of a way: they may be the same, which nothing has proved."""
    seen = set(hops[part])
    behind = {hop for path in following for hop in hops[path]} - seen
    same = sum(path.packets for path in found.paths if path.way == part.way and seen.isdisjoint(hops[path]))
    return same + sum(number for others, number in found.others_at.items() if behind.issuperset(others.split(" | ")))
