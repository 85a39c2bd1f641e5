"""Packets whose last sighting is in the middle of a path that others follow to its end, without a recorded drop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pywnv.statistics.model import Path, Statistics, Stranger
from pywnv.statistics.silence import silences
from pywnv.words import count

LEAST, SHARE, MOST = 3, 0.01, 0.5  # packets; of those that go on: at least, at most


@dataclass(frozen=True)
class Cut:
    """Packets that are not seen again on a path that others follow further.

    Attributes:
        packets: how many, at least.
        part: the part of it that they show.
        hops: of the whole path, which most others take.
        seen: the first of them, which they show.
        following: how many packets go on from there, on this path or on others.
        ends: the last hops of these, those of the most packets first.
    """

    packets: int
    part: Path
    hops: tuple[str, ...]
    seen: tuple[str, ...]
    following: int
    ends: tuple[str, ...]

    def words(self, which: str = "") -> str:
        """What is seen, without the end of a sentence.

        Args:
            which: packets, as words behind that: "to 192.168.1.60".
        """
        last = self.seen[-1]
        least = "" if self.packets == self.part.packets else "At least "
        whole = " ".join(filter(None, (count(self.packets + self.following, "packet", ","), which)))
        ends = f"{', '.join(self.ends[:-1])} or {self.ends[-1]}" if len(self.ends) > 1 else self.ends[0]
        path = f"on the path from {self.hops[0]} to {ends}"
        return f"{least}{self.packets:,} of {whole} {path} {'is' if self.packets == 1 else 'are'} last seen at {last}"

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
        ways = {(one.source, one.destination) for one in part.between}
        following = [path for path in following if any(_between(path, ways))]
        if not following:
            continue
        follow_on = {(one.source, one.destination) for path in following for one in path.between}
        usual = max(following, key=lambda path: path.packets)
        if _observer(hops[part][-1]) != _observer(hops[usual][len(hops[part])]):
            continue  # `Statistics.losses` tells that, with better proof
        lost = sum(_between(part, follow_on)) - part.unfinished - _may_be_the_rest(found, hops, part, following)
        enough = max(LEAST, SHARE * usual.packets, best.packets + 1 if best else 0)
        if lost >= enough and part.packets <= MOST * usual.packets:
            ends = dict.fromkeys(hops[path][-1] for path in following)
            others = sum(sum(_between(path, ways)) for path in following)
            best = Cut(lost, part, hops[usual], hops[part], others, tuple(ends))
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
    same = [one for path in found.paths if path.way == part.way and seen.isdisjoint(hops[path]) for one in _all(path)]
    others = [one for one in found.others_at if behind.issuperset(one.hops)]
    return sum(one.packets for one in [*same, *others] if not _goes_back(part, one.source, one.destination))


def _all(path: Path) -> list[Stranger]:
    """The packets of a path, by their addresses."""
    known = [Stranger((), one.packets, one.source, one.destination) for one in path.between]
    return [*known, Stranger((), path.packets - sum(one.packets for one in known), None, None)]


def _between(path: Path, pairs: Collection[tuple[str, str]]) -> Iterator[int]:
    """The numbers of packets of a path that go from an address to another of some pairs."""
    return (one.packets for one in path.between if (one.source, one.destination) in pairs)


def _goes_back(part: Path, source: str | None, destination: str | None) -> bool:
    """Whether packets between these addresses go the other way than some packets, and can be no rest of them."""
    sources, destinations = ({getattr(one, end) for one in part.between} for end in ("source", "destination"))
    is_whole = sum(one.packets for one in part.between) == part.packets
    is_forth = source in sources or destination in destinations
    return is_whole and not is_forth and (source in destinations or destination in sources)
