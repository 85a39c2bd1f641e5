"""Makes the model of what lua/statistics has counted."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log
from typing import Any

from pywnv.statistics.example import example_of
from pywnv.statistics.gaps import Clock, Found, clock_of, gaps
from pywnv.statistics.loss import Loss
from pywnv.statistics.model import (
    OTHERS,
    Between,
    Drop,
    End,
    Flow,
    Gap,
    Hop,
    Path,
    Selection,
    Statistics,
    Step,
    Stranger,
    Timeline,
    Unanswered,
)
from pywnv.tables import drops as drop_reasons
from pywnv.tables import fields

BUCKETS = 100 / log(10)  # as lua/statistics/places.lua has them: a hundred a decade
COARSE = 10  # of these are told as one
NANO = 1e9
MEDIAN = 0.5
MOST_NAMES = 20  # of addresses, and of hops of the whole capture


def build(found: Found, selection: Selection | None, warnings: tuple[str, ...]) -> Statistics:
    """The model, from the JSON of lua/statistics/count.lua."""
    clock, total, series = clock_of(found["start"]), found["total"], found["series"]
    names = [hop.get("name") for hop in found["hops"]]
    roles = [fields.ROLES[hop["role"]] for hop in found["hops"]]
    silent = gaps(found, clock)
    return Statistics(
        selection=selection,
        all_frames=total["all_frames"],
        frames=total["frames"],
        packets=total["packets"],
        duplicates=total["duplicates"],
        octets=total["octets"],
        events=total["events"],
        retransmissions=total["retransmissions"],
        repeats=total["repeats"],
        first_retransmission=total.get("first_retransmission"),
        first_repeat=total.get("first_repeat"),
        first_time=clock(total.get("first_time")),
        last_time=clock(total.get("last_time")),
        seconds=total["last_time"] - total["first_time"] if "first_time" in total else None,
        first_frame=total.get("first_frame"),
        verdicts={fields.VERDICTS[code]: count for code, count in sorted(found["verdicts"])},
        protocols=_most(found["protocols"], None),
        addresses=_most(found["addresses"], MOST_NAMES),
        all_hops=_most({hop["name"]: hop["all_frames"] for hop in found["hops"] if "name" in hop}, MOST_NAMES),
        hops=tuple(_hop(hop, silent[number], clock) for number, hop in enumerate(found["hops"]) if hop["frames"]),
        paths=tuple(
            sorted((_path(path) for path in found["paths"]), key=lambda path: (-path.packets, path.first_frame))
        ),
        others_at=tuple(sorted((_stranger(group, names) for group in found["strangers"]), key=repr)),
        ends=tuple(sorted((_end(end, names, roles) for end in found["ends"]), key=lambda end: (end.way, -end.packets))),
        drops=tuple(
            sorted(
                map(_drop, found["drops"]), key=lambda d: (d.harmless, -(d.packets + d.near), -d.frames, d.first_frame)
            )
        ),
        steps=tuple(sorted((_step(step, names) for step in found["steps"]), key=lambda step: -step.count)),
        unanswered=tuple(
            sorted(_unanswered(found["questions"], names), key=lambda one: (-one.unanswered, one.first_frame))
        ),
        losses=tuple(
            sorted((_loss(loss, names) for loss in found["losses"]), key=lambda loss: (-loss.packets, loss.first_frame))
        ),
        flows=tuple(sorted(map(_flow, found["flows"]), key=_importance)),
        timeline=Timeline(clock(0), found["width"], found["bins"]),
        packets_over_time=tuple(series["packets"]),
        duplicates_over_time=tuple(series["duplicates"]),
        drops_over_time=tuple(series["drops"]),
        harmless_over_time=tuple(series["harmless"]),
        retransmissions_over_time=tuple(series["retransmissions"]),
        octets_over_time=tuple(series["octets"]),
        translated=total["translated"],
        late=total["late"],
        by_id=total["by_id"],
        without_time=total["without_time"],
        steps_back=total["steps_back"],
        furthest_back=total["furthest_back"],
        warnings=warnings,
        examples=tuple(example_of(example, names) for example in found["examples"]),
    )


def _most(counts: dict[str, int], most: int | None) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])


def _hop(hop: Found, gaps: tuple[Gap, ...], clock: Clock) -> Hop:
    return Hop(
        name=hop.get("name"),
        role=fields.ROLES[hop["role"]],
        frames=hop["frames"],
        packets=hop["packets"],
        dropped=hop["dropped"],
        first_frame=hop["first_frame"],
        last_frame=hop["last_frame"],
        first_time=clock(hop.get("first_time")),
        last_time=clock(hop.get("last_time")),
        gaps=gaps,
        over_time=tuple(hop["times"]),
    )


def _path(path: Found) -> Path:
    name = OTHERS if path.get("is_others") else path.get("path")
    counts = (path["packets"], path["first_frame"], path["last_frame"], path["unfinished"])
    between = tuple(Between(pair["source"], pair["destination"], pair["packets"]) for pair in path["between"])
    return Path(name, path["way"], path["direction"], *counts, between)


def _stranger(group: Found, names: list[str | None]) -> Stranger:
    hops = tuple(name or "" for at, name in enumerate(names) if int(group["mask"]) >> at & 1)
    return Stranger(hops, group["packets"], group.get("source"), group.get("destination"))


def _end(end: Found, names: list[str | None], roles: list[str]) -> End:
    at = end["hop"] - 1
    hop = OTHERS if end.get("is_others") else names[at]
    counts = (end["packets"], end["dropped"], end["dropped_harmless"], end["near"])
    return End(end["way"], hop, roles[at], *counts, end["first_frame"])


def _drop(drop: Found) -> Drop:
    reason = drop.get("reason")
    known = _reasons().get(reason) if drop["harmless"] else None
    return Drop(
        way=drop["way"],
        reason=reason,
        text=OTHERS if drop.get("is_others") else drop.get("text"),
        hop=drop.get("hop"),
        rule=drop.get("rule"),
        harmless=drop["harmless"],
        harmless_because=known.harmless_because if known else None,
        advice=drop.get("advice"),
        packets=drop["packets"],
        near=drop["near"],
        frames=drop["frames"],
        first_frame=drop["first_frame"],
        last_frame=drop["last_frame"],
        over_time=tuple(drop["times"]),
    )


def _reasons() -> dict[int | None, drop_reasons.Reason]:
    return {reason.number: reason for reason in drop_reasons.table().reasons}


def _seconds(bucket: float) -> float:
    """The time where a bucket begins."""
    return (exp(bucket / BUCKETS) - 1) / NANO


def _quantile(buckets: list[list[int]], share: float, least: float, most: float) -> float:
    """The least time that so many of all do not exceed; if that is exactly half, between it and the next."""
    wanted = share * sum(count for _, count in buckets)
    found = [bucket for bucket, upto in _upto(buckets) if upto > wanted - 1e-9][:1]
    found += [bucket for bucket, upto in _upto(buckets) if upto > wanted + 1e-9][:1]
    times = [min(max(_seconds(bucket + 0.5), least), most) for bucket in found]
    return sum(times) / len(times) if share == MEDIAN else times[0]


def _upto(buckets: list[list[int]]) -> Iterator[tuple[int, int]]:
    """Each bucket, and how many times are in it and in those before."""
    upto = 0
    for bucket, count in buckets:
        upto += count
        yield bucket, upto


def _step(step: Found, names: list[str | None]) -> Step:
    buckets = sorted(step["histogram"])
    least, most = step["least"], step["most"]
    coarse: dict[int, int] = {}
    for bucket, count in buckets:
        coarse[bucket // COARSE] = coarse.get(bucket // COARSE, 0) + count
    return Step(
        from_hop=names[step["from"] - 1],
        to_hop=names[step["to"] - 1],
        count=step["count"],
        least=least,
        median=_quantile(buckets, MEDIAN, least, most),
        p95=_quantile(buckets, 0.95, least, most),
        most=most,
        slowest_frame=step["slowest_frame"],
        slowest_packet=step["slowest_packet"],
        histogram=tuple((_seconds(at * COARSE), _seconds((at + 1) * COARSE), coarse[at]) for at in sorted(coarse)),
        over_time=tuple(step["times"]),
        most_over_time=tuple(step.get("longest", ())),
    )


def _unanswered(groups: list[Found], names: list[str | None]) -> Iterator[Unanswered]:
    for group in groups:
        if group["unanswered"] > 0 or group["refused"] > 0:
            end = group.get("end_hop")
            yield Unanswered(
                kind=group["kind"],
                source=group["source"],
                destination=group["destination"],
                port=group.get("port"),
                asked=group["asked"],
                unanswered=group["unanswered"],
                refused=group["refused"],
                end_hop=names[end - 1] if end else None,
                dropped=group["dropped"],
                first_frame=group.get("first_frame", 0),
            )


def _loss(loss: Found, names: list[str | None]) -> Loss:
    known: dict[str, Any] = {name: loss.get(name) for name in Loss.__dataclass_fields__}
    known |= {"way": loss["way"] or None, "hop": names[loss["hop"] - 1]}
    known |= {"from_observer": loss["from"], "to_observer": loss["to"]}
    return Loss(**known)


def _flow(flow: Found) -> Flow:
    known: dict[str, Any] = {name: flow.get(name) for name in Flow.__dataclass_fields__}
    known["dropped"] = flow["dropped"] + flow["near"]
    return Flow(**known)


def _importance(flow: Flow) -> tuple[bool, int, int]:
    trouble = flow.dropped + flow.retransmissions + flow.unanswered
    return not trouble, -trouble, -(flow.packets + flow.back)
