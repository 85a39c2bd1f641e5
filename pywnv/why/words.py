"""The answer in words: a first sentence as an engineer would say it, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path as File

from pywnv.statistics.loss import loss_words, lost
from pywnv.statistics.model import FROM, TO, Drop, End, Path, Selection, Statistics, Step, Unanswered
from pywnv.statistics.silence import NO_NAME, silences
from pywnv.words import count

OUTER, INNER = ("pNIC", "tNIC"), ("vmNIC", "host vNIC")
LEAST_RETRANSMISSIONS, MANY_RETRANSMISSIONS = 3, 0.01  # of the packets: more is worth the first sentence
FEW = 10  # one in so many is not what matters
LEAST_CUT, SHARE_CUT, MOST_CUT = 3, 0.01, 5  # packets; of those that go on: at least; of ten, at most so many
MOST_NAMED = 5
QUESTIONS = {"handshake": "handshake", "ping": "ping", "arp": "ARP request", "neighbor": "neighbor solicitation"}


def about(selection: Selection) -> str:
    """What was asked for."""
    if selection.ip is not None:
        return selection.ip
    if selection.nic is not None:
        return f"NIC {selection.nic}"
    assert selection.flow is not None  # noqa: S101  # one of the three is there
    one, one_port, other, other_port = selection.flow
    return f"{end_of_flow(one, one_port)} and {end_of_flow(other, other_port)}"


def end_of_flow(address: str | None, port: int | None) -> str:
    """Address and port as people write them."""
    if port is None:
        return address or "?"
    return f"[{address}]:{port}" if address and ":" in address else f"{address}:{port}"


def way_words(selection: Selection | None, way: str) -> str:
    """Which way packets go: "to 192.168.1.60"."""
    if selection is None:
        return way
    if selection.flow:
        one, one_port, other, other_port = selection.flow
        ends = end_of_flow(one, one_port), end_of_flow(other, other_port)
        return " to ".join(["from " + ends[0], ends[1]] if way == FROM else ["from " + ends[1], ends[0]])
    if selection.nic:
        return f"that begin at {about(selection)}" if way == FROM else f"that come to {about(selection)}"
    return f"{way} {about(selection)}"


def _packets(found: Statistics, way: str) -> int:
    return sum(end.packets for end in found.ends if end.way == way)


def _of(number: int, whole: int) -> str:
    return f"{number:,} of {count(whole, 'packet', ',')}"


def reason_words(*drops: Drop) -> str:
    """Why, and by which rule; of several reasons how many packets each."""
    rules = list(dict.fromkeys(drop.rule for drop in drops))
    counts: dict[str, int] = {}
    for drop in drops:
        reason = drop.text or ("the capture does not tell why" if drop.reason is None else f"reason {drop.reason}")
        counts[reason] = counts.get(reason, 0) + drop.packets + drop.near
    words = ", ".join(f"{reason} ({number:,})" if len(counts) > 1 else reason for reason, number in counts.items())
    known = [rule for rule in rules if rule]
    return words + (f", by {'; or by '.join(known)}" if known else "")


def _drop_sentence(found: Statistics, drop: Drop) -> str:
    of_way = [one for one in _harmful(found) if one.way == drop.way]
    here = [one for one in of_way if one.packets and one.hop == drop.hop]
    whole, ways = _packets(found, drop.way), way_words(found.selection, drop.way)
    where = drop.hop or NO_NAME
    number = sum(one.packets for one in here)
    if number:
        ended = sum(end.dropped for end in found.ends if end.way == drop.way and (end.hop or NO_NAME) == where)
        if ended >= number:
            words = f"{_of(number, whole)} {ways} {_verb(number, 'end')} at {where}: dropped there, "
        else:
            words = f"{_of(number, whole)} {ways} {_verb(number, 'is', 'are')} dropped at {where}: "
        return words + reason_words(*here) + "."
    near = [one for one in of_way if one.near]  # a NIC may get its name in the middle of a capture
    number = sum(one.near for one in near)
    last = max((end for end in found.ends if end.way == drop.way and end.near), key=lambda end: end.near, default=None)
    place = (last.hop if last else None) or NO_NAME
    words = f"{_of(number, whole)} {ways} {_verb(number, 'is', 'are')} last seen at {place}; right after"
    words += f" {'it' if number == 1 else 'each of them'} the vmSwitch tells of a drop at {where}: "
    return words + reason_words(*near) + "."


def _verb(number: int, one: str, many: str = "") -> str:
    return (one if many else one + "s") if number == 1 else (many or one)


def worst_drop(found: Statistics) -> Drop | None:
    """The harmful drop of the most packets that were asked for."""
    return max(_harmful(found), key=lambda drop: drop.packets + drop.near, default=None)


def _harmful(found: Statistics) -> list[Drop]:
    return [drop for drop in found.drops if not drop.harmless and drop.packets + drop.near and drop.way != "unknown"]


def question_words(one: Unanswered) -> str:
    """Who asks whom: "3 of 3 handshakes from A to B:443 go unanswered"."""
    kind = QUESTIONS[one.kind]
    if not one.unanswered:
        return (
            f"{one.destination} refuses {count(one.refused, kind, ',')} from {one.source}"
            + (f" to port {one.port}" if one.port else "")
            + ": nothing listens there, or a firewall says so"
        )
    target = end_of_flow(one.destination, one.port)
    asked = f"{one.unanswered:,} of {count(one.asked, kind, ',')} from {one.source} to {target}"
    return f"{asked} {_verb(one.unanswered, 'goes', 'go')} unanswered"


def _question_sentence(found: Statistics, one: Unanswered) -> str:
    words = question_words(one)
    if not one.unanswered or not one.end_hop:
        return words + "."
    role = next((hop.role for hop in found.hops if hop.name == one.end_hop), "unknown")
    last = "it is" if one.unanswered == 1 else "they are"
    words += f": {last} last seen at {one.end_hop}"
    if role in INNER and one.kind != "arp":
        return words + ", so they came to their NIC: look inside the machine behind it."
    if role in OUTER and any(path.direction == "outbound" for path in found.paths):
        return words + ", so they left this host, and nothing comes back: look further out."
    return words + "."


def _hops(path: str, names: set[str]) -> list[str]:
    """The names of a path's hops: of several observers, it names each once for the hops that follow."""
    hops: list[str] = []
    for name in path.split(" > "):
        whole = f"{_observer(hops[-1])}: {name}" if hops and name not in names else name
        hops.append(whole if whole in names else name)
    return hops


def _observer(hop: str) -> str:
    return hop.partition(": ")[0] if ": " in hop else ""


def cut_short(found: Statistics) -> tuple[Path, Path, int] | None:
    """Where packets are seen no more on a way that others go on: the usual way, the part of it, how many packets."""
    if silences(found) or any(found.verdicts.get(verdict) for verdict in ("segment", "coalesced")):
        return None  # what is not captured, or built anew, only seems to be lost
    names = {hop.name or "" for hop in found.hops}
    hops = {path.path: _hops(path.path or "", names) for path in found.paths}
    at: dict[tuple[str, str], int] = {}
    for path in found.paths:
        where = path.way, " | ".join(sorted(hops[path.path]))
        at[where] = at.get(where, 0) + path.packets
    best: tuple[Path, Path, int] | None = None
    for usual in (path for path in found.paths if names.issuperset(hops[path.path])):
        for part in found.paths:
            if not usual.path or not part.path or not usual.path.startswith(f"{part.path} > "):
                continue
            shown, whole = hops[part.path], hops[usual.path]
            if _observer(shown[-1]) != _observer(whole[len(shown)]):
                continue  # `Statistics.losses` tells that, with better proof
            # Packets that show the rest of the way only may be the same, which nothing has proved.
            elsewhere = " | ".join(sorted(set(whole) - set(shown)))
            lost = part.packets - at.get((part.way, elsewhere), 0) - found.others_at.get(elsewhere, 0)
            is_usual = usual.way == part.way and part.packets * FEW <= usual.packets * MOST_CUT
            if is_usual and lost >= max(LEAST_CUT, SHARE_CUT * usual.packets, best[2] + 1 if best else 0):
                best = usual, part, lost
    return best


def _cut_sentence(found: Statistics, usual: Path, part: Path, number: int) -> str:
    assert usual.path is not None  # noqa: S101  # `cut_short` compares the names
    assert part.path is not None  # noqa: S101
    last = part.path.rpartition(" > ")[2]
    following = usual.path.removeprefix(f"{part.path} > ").partition(" > ")[0]
    least = "" if number == part.packets else "At least "
    words = f"{least}{_of(number, number + usual.packets)} that go the way {usual.path}"
    words += f" {_verb(number, 'is', 'are')} last seen at {last}: between {last} and {following}"
    return f"{words} this host loses them, or the capture has missed them; nothing tells of a drop."


def _good_sentence(found: Statistics, name: str) -> str:
    harmless = sum(drop.packets + drop.near for drop in found.drops if drop.harmless)
    whole = count(found.packets, "packet", ",")
    if harmless:
        reasons = dict.fromkeys(drop.text or "no reason told" for drop in found.drops if drop.harmless)
        causes = ", ".join(list(reasons)[:2]) + (" ..." if len(reasons) > 2 else "")
        words = f"Nothing that matters is lost: of {whole} of {name}, {harmless:,} are dropped harmlessly ({causes})"
    else:
        words = f"Nothing tells of a loss: of {whole} of {name} none is known to be dropped, and none goes unanswered"
    missing = silences(found)
    if missing:
        return f"{words}. But {missing[0].words}."
    if len(found.hops) == 1:
        where = found.hops[0].name
        where = f", {where}" if where else ""
        return f"{words}. They were captured at one place only{where}: nothing tells where they go from there."
    if not any(end.hop for end in found.ends):
        return f"{words}. The capture does not name the places where it was made."
    ends = [_end_words(found, way) for way in (TO, FROM) if _packets(found, way)]
    return f"{words}; {' and '.join(ends)}."


def _end_words(found: Statistics, way: str) -> str:
    ends = [end for end in found.ends if end.way == way]
    most = max(ends, key=lambda end: end.packets)
    share = "all" if most.packets == _packets(found, way) else f"{most.packets:,} of {_packets(found, way):,}"
    return f"{share} {way_words(found.selection, way)} end at {most.hop or NO_NAME}"


def sentence(found: Statistics) -> str:
    """The answer in plain words."""
    assert found.selection is not None  # noqa: S101  # `why` asks for some packets
    name = about(found.selection)
    if not found.packets:
        return _nothing(found, name)
    drop = worst_drop(found)
    question = next((one for one in found.unanswered if one.unanswered and one.kind != "arp"), None)
    question = question or next((one for one in found.unanswered if one.unanswered), None)
    dropped = sum(one.packets + one.near for one in _harmful(found) if drop and one.way == drop.way)
    losses = lost(found.losses)
    missing = sum(loss.packets for loss in losses)
    if drop and dropped >= missing and (question is None or dropped >= question.unanswered - question.dropped):
        return _drop_sentence(found, drop)
    if losses and missing >= (question.unanswered if question else 0):
        return f"{loss_words(losses[0], way_words(found.selection, losses[0].way or ''))}."
    cut = cut_short(found)
    if cut and not drop and cut[2] >= (question.unanswered if question else 0):
        return _cut_sentence(found, *cut)
    is_lossy = found.retransmissions >= max(LEAST_RETRANSMISSIONS, MANY_RETRANSMISSIONS * found.packets)
    if question and not (is_lossy and found.retransmissions > FEW * question.unanswered):
        return _question_sentence(found, question)
    refused = next(iter(found.unanswered), None)
    if refused and refused.refused * FEW >= found.packets:
        return _question_sentence(found, refused)
    if is_lossy:
        words = f"{found.retransmissions:,} of {count(found.packets, 'packet', ',')} of {name} are TCP data sent again"
        return f"{words}, so others were lost or late; none is known to be dropped in this host."
    return _good_sentence(found, name)


def _nothing(found: Statistics, name: str) -> str:
    if found.selection and found.selection.nic:
        hops = ", ".join(list(found.all_hops)[:MOST_NAMED])
        return f"No packet of {name} in this capture" + (f"; there are {hops}." if hops else ".")
    most = ", ".join(f"{address} ({number:,})" for address, number in list(found.addresses.items())[:MOST_NAMED])
    return f"No packet of {name} in this capture" + (
        f"; the most are of {most}." if most else ": it has none with addresses."
    )


def next_steps(
    found: Statistics, slowest: Step | None, captures: Sequence[File], topology_file: File | None
) -> tuple[tuple[str, str], ...]:
    """What to type next: why, and the command."""
    if len(captures) != 1 or not found.packets:
        return ()
    name = shlex.quote(str(captures[0]))
    if topology_file:
        name += f" --host {shlex.quote(str(topology_file))}"
    steps = []
    drop = worst_drop(found)
    if drop:
        steps.append(("the path of a dropped packet", f"pywnv explain {name} {_explained(found, drop)}"))
    elif losses := lost(found.losses):
        steps.append(("the path of a lost packet", f"pywnv explain {name} {losses[0].first_frame}"))
    elif found.unanswered and found.unanswered[0].first_frame:
        steps.append(("the path of one without an answer", f"pywnv explain {name} {found.unanswered[0].first_frame}"))
    if found.first_retransmission:
        steps.append(("the first real retransmission", f"pywnv explain {name} {found.first_retransmission}"))
    if slowest and slowest.count > 1:
        steps.append(("the slowest step", f"pywnv explain {name} {slowest.slowest_frame}"))
    return tuple(steps)


def _explained(found: Statistics, drop: Drop) -> int:
    if drop.packets:
        return drop.first_frame
    ends: list[End] = [end for end in found.ends if end.way == drop.way and end.near]
    return ends[0].first_frame if ends else drop.first_frame
