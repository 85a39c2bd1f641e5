"""The answer in words: a first sentence as an engineer would say it, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path as File

from pywnv.statistics.cut import cut_short
from pywnv.statistics.loss import doubtful, loss_words, lost
from pywnv.statistics.model import FROM, TO, Drop, End, Selection, Statistics, Step, Unanswered
from pywnv.statistics.pairs import QUESTIONS, questions
from pywnv.statistics.silence import NO_NAME, silences
from pywnv.tables import fields
from pywnv.words import count

OUTER, INNER = ("pNIC", "tNIC"), ("vmNIC", "host vNIC")
LEAST_RETRANSMISSIONS, MANY_RETRANSMISSIONS = 3, 0.01  # of the packets: more is worth the first sentence
FEW = 10  # one in so many is not what matters
DAILY, SHARE_DAILY = ("arp", "neighbor"), 0.1  # of the packets: fewer are not what matters
MOST_NAMED, MOST_ENDS = 5, 4
KINDS = tuple(f"{role} " for role in (*fields.ROLES, "interface"))  # with which the name of a hop may begin


def about(selection: Selection) -> str:
    """What was asked for."""
    if selection.ip is not None:
        return selection.ip
    if selection.nic is not None:
        says_its_kind = selection.nic.startswith(KINDS)
        return selection.nic if says_its_kind else f"NIC {selection.nic}"
    assert selection.flow is not None  # noqa: S101  # one of the three is there
    one, one_port, other, other_port = selection.flow
    return f"{end_of_flow(one, one_port)} and {end_of_flow(other, other_port)}"


def end_of_flow(address: str | None, port: int | None) -> str:
    """Address and port as people write them."""
    if port is None:
        return address or "?"
    return f"[{address}]:{port}" if address and ":" in address else f"{address}:{port}"


def way_words(selection: Selection | None, way: str, number: int = 2) -> str:
    """Which way so many packets go: "to 192.168.1.60"."""
    if selection is None:
        return way
    if selection.flow:
        one, one_port, other, other_port = selection.flow
        ends = end_of_flow(one, one_port), end_of_flow(other, other_port)
        return " to ".join(["from " + ends[0], ends[1]] if way == FROM else ["from " + ends[1], ends[0]])
    if selection.nic:
        verb = _verb(number, "begin" if way == FROM else "come")
        return f"that {verb} {'at' if way == FROM else 'to'} {about(selection)}"
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
        reason = drop.text or ("the capture does not say why" if drop.reason is None else f"reason {drop.reason}")
        counts[reason] = counts.get(reason, 0) + drop.packets + drop.near
    words = ", ".join(f"{reason} ({number:,})" if len(counts) > 1 else reason for reason, number in counts.items())
    known = [rule for rule in rules if rule]
    if known and not any(drop.text or drop.reason is not None for drop in drops):
        return f"{words}; as the host is set up, by {'; or by '.join(known)}"
    return words + (f", by {'; or by '.join(known)}" if known else "")


def _drop_sentence(found: Statistics, drop: Drop) -> str:
    of_way = [one for one in _harmful(found) if one.way == drop.way]
    here = [one for one in of_way if one.packets and one.hop == drop.hop]
    whole = _packets(found, drop.way)
    ways = way_words(found.selection, drop.way, whole)
    where = drop.hop or NO_NAME
    number = sum(one.packets for one in here)
    if number:
        ended = sum(end.dropped for end in found.ends if end.way == drop.way and (end.hop or NO_NAME) == where)
        if ended >= number:
            words = f"{_of(number, whole)} {ways} {_verb(number, 'end')} at {where}: dropped there, "
        else:
            words = f"{_of(number, whole)} {ways} {_verb(number, 'is', 'are')} dropped at {where}: "
        elsewhere = sum(one.packets + one.near for one in of_way) - number
        more = f"; {elsewhere:,} more {_verb(elsewhere, 'is', 'are')} dropped elsewhere" if elsewhere else ""
        return f"{words}{reason_words(*here)}{more}."
    near = [one for one in of_way if one.near]  # a NIC may get its name in the middle of a capture
    number = sum(one.near for one in near)
    last = max((end for end in found.ends if end.way == drop.way and end.near), key=lambda end: end.near, default=None)
    place = (last.hop if last else None) or NO_NAME
    words = f"{_of(number, whole)} {ways} {_verb(number, 'is', 'are')} last seen at {place}; right after"
    words += f" {'it' if number == 1 else 'each of them'} the vmSwitch reports a drop at {where}: "
    return words + reason_words(*near) + "."


def _verb(number: int, one: str, many: str = "") -> str:
    return (one if many else one + "s") if number == 1 else (many or one)


def worst_drop(found: Statistics) -> Drop | None:
    """The harmful drop of the most packets that were asked for."""
    return max(_harmful(found), key=lambda drop: drop.packets + drop.near, default=None)


def _harmful(found: Statistics) -> list[Drop]:
    return [drop for drop in found.drops if not drop.harmless and drop.packets + drop.near and drop.way != "unknown"]


def question_words(one: Unanswered, ports: int) -> str:
    """Who asks whom: "3 of 3 TCP handshakes from A to B:443 go unanswered"."""
    kind = QUESTIONS[one.kind]
    if not one.unanswered:
        to_ports = f" to {ports:,} ports" if ports > 1 else f" to port {one.port}" if one.port else ""
        words = f"{one.destination} refuses {count(one.refused, kind, ',')} from {one.source}{to_ports}"
        return f"{words}: nothing listens there, or a firewall rejects it"
    target = f"{ports:,} ports of {one.destination}" if ports > 1 else end_of_flow(one.destination, one.port)
    asked = f"The only {kind}" if one.asked == 1 else f"{one.unanswered:,} of {count(one.asked, kind, ',')}"
    return f"{asked} from {one.source} to {target} {_verb(one.unanswered, 'goes', 'go')} unanswered"


def _question_sentence(found: Statistics, one: Unanswered, ports: int) -> str:
    words = question_words(one, ports)
    if not one.unanswered or not one.end_hop:
        return words + "."
    role = next((hop.role for hop in found.hops if hop.name == one.end_hop), "unknown")
    last = "it is" if one.unanswered == 1 else "they are"
    words += f": {last} last seen at {one.end_hop}"
    if role in INNER and one.kind != "arp":
        return words + ", so they reached their NIC: look inside the machine behind it."
    if role in OUTER and any(path.direction == "outbound" for path in found.paths):
        return words + ", so they left this host, and no answer came back: look further out."
    return words + "."


def _good_sentence(found: Statistics, name: str) -> str:
    harmless = sum(drop.packets + drop.near for drop in found.drops if drop.harmless)
    whole = count(found.packets, "packet", ",")
    asked, refused = (sum(getattr(one, kind) for one in found.unanswered) for kind in ("unanswered", "refused"))
    if harmless:
        reasons = dict.fromkeys(drop.text or "no reason given" for drop in found.drops if drop.harmless)
        causes = ", ".join(list(reasons)[:2]) + (" ..." if len(reasons) > 2 else "")
        words = f"Nothing that matters is lost: of {whole} {name}, {harmless:,} are dropped harmlessly ({causes})"
    else:
        here = " in this host" if asked or found.retransmissions else ""
        words = f"No loss found{here}: of {whole} {name} none is known to be dropped"
        words += "" if asked else ", and none goes unanswered"
    seldom = [f"{asked:,} {_verb(asked, 'asks', 'ask')} for an address that does not answer"] if asked else []
    if refused:
        seldom.append(f"{count(refused, QUESTIONS['handshake'], ',')} {_verb(refused, 'is', 'are')} refused")
    if found.retransmissions:
        again = count(found.retransmissions, "packet", ",")
        seldom.append(f"{again} {_verb(found.retransmissions, 'is', 'are')} TCP data sent again")
    words += f"; {', '.join(seldom)}" if seldom else ""
    missing = silences(found)
    if missing:
        return f"{words}. But {missing[0].words}."
    if len(found.hops) == 1:
        return f"{words}. {_one_place(found)}"
    if not any(end.hop for end in found.ends):
        return f"{words}. The capture does not name its hops."
    ends = [_end_words(found, way) for way in (TO, FROM) if _packets(found, way)]
    return f"{words}; {' and '.join(ends)}.{_other_sizes(found)}"


def _one_place(found: Statistics) -> str:
    where = found.hops[0].name
    if found.duplicates:
        known = f"gives all of them one name, {where}" if where else "does not name its hops"
        return f"The capture shows packets more than once and {known}, so it does not show where they go."
    where = f", {where}" if where else ""
    return f"They were captured at one place only{where}, so it does not show where they go from there."


def _other_sizes(found: Statistics) -> str:
    """What Windows makes of frames on their way: each counts, so not all seem to go on."""
    made = {"segment": "cut large frames (LSO)", "coalesced": "join small frames (RSC)"}
    how = " and ".join(words for verdict, words in made.items() if found.verdicts.get(verdict))
    return f" NICs or the switch {how} on the way: the result counts as another packet." if how else ""


def _end_words(found: Statistics, way: str) -> str:
    ends = sorted((end for end in found.ends if end.way == way), key=lambda end: -end.packets)
    which = way_words(found.selection, way)
    if len(ends) == 1:
        return f"all {which} end at {ends[0].hop or NO_NAME}"
    named = ends if len(ends) <= MOST_ENDS else ends[: MOST_ENDS - 1]
    places = [f"{end.hop or NO_NAME} ({end.packets:,})" for end in named]
    if len(named) < len(ends):
        places.append(f"elsewhere ({sum(end.packets for end in ends[len(named) :]):,})")
    return f"those {which} end at {', '.join(places[:-1])} or {places[-1]}"


def sentence(found: Statistics) -> str:
    """The answer in plain words."""
    assert found.selection is not None  # noqa: S101  # `why` asks for some packets
    name = f"{'between' if found.selection.flow else 'of'} {about(found.selection)}"
    if not found.packets:
        return _nothing(found, name)
    drop = worst_drop(found)
    asked = questions(found)
    question, ports = _worst_question(found, asked) or (None, 0)
    dropped = sum(one.packets + one.near for one in _harmful(found) if drop and one.way == drop.way)
    losses = lost(found.losses)
    missing = sum(loss.packets for loss in losses)
    if drop and dropped >= missing and (question is None or dropped >= question.unanswered - question.dropped):
        return _drop_sentence(found, drop)
    if losses and missing >= (question.unanswered if question else 0):
        return f"{loss_words(losses[0], way_words(found.selection, losses[0].way or '', losses[0].packets))}."
    cut = cut_short(found)
    if cut and not drop and cut.packets >= (question.unanswered if question else 0):
        return f"{cut.words(way_words(found.selection, cut.part.way))}: {cut.cause}"
    is_lossy = found.retransmissions >= max(LEAST_RETRANSMISSIONS, MANY_RETRANSMISSIONS * found.packets)
    if question and not (is_lossy and found.retransmissions > FEW * question.unanswered):
        return _question_sentence(found, question, ports)
    refused = max(asked, key=lambda group: group[0].refused, default=None)
    if refused and not refused[0].unanswered and refused[0].refused * FEW >= found.packets:
        return _question_sentence(found, *refused)
    if is_lossy:
        words = f"{found.retransmissions:,} of {count(found.packets, 'packet', ',')} {name} are TCP data sent again"
        return f"{words}, so others were lost or late; none is known to be dropped in this host."
    if perhaps := doubtful(found.losses):
        return f"{loss_words(perhaps[0], way_words(found.selection, perhaps[0].way or '', perhaps[0].packets))}."
    return _good_sentence(found, name)


def _worst_question(found: Statistics, asked: list[tuple[Unanswered, int]]) -> tuple[Unanswered, int] | None:
    """What goes unanswered the most: a handshake or a ping before what every network asks in vain every day."""
    vain = [group for group in asked if group[0].unanswered]
    worst = next((group for group in vain if group[0].kind not in DAILY), next(iter(vain), None))
    if worst and worst[0].kind in DAILY and found.selection and found.selection.ip != worst[0].destination:
        return worst if worst[0].unanswered >= SHARE_DAILY * found.packets else None
    return worst


def _nothing(found: Statistics, name: str) -> str:
    if found.selection and found.selection.nic:
        if found.drops:
            drops = count(sum(drop.frames for drop in found.drops), "drop", ",")
            where = ", ".join(dict.fromkeys(drop.hop or NO_NAME for drop in found.drops))
            reasons = ", ".join(dict.fromkeys(map(reason_words, found.drops)))
            return f"The vmSwitch reports {drops} at {where}: {reasons}. It is not known of which packets."
        if found.events:
            events = f"{count(found.events, 'event', ',')} of the vmSwitch {_verb(found.events, 'names', 'name')}"
            return (
                f"{events} {about(found.selection)}, but nothing proves about which packets, and no packet shows there."
            )
        hops = ", ".join(list(found.all_hops)[:MOST_NAMED])
        return f"No packet {name} in this capture" + (f"; there are {hops}." if hops else ".")
    most = ", ".join(f"{address} ({number:,})" for address, number in list(found.addresses.items())[:MOST_NAMED])
    return f"No packet {name} in this capture" + (
        f"; most packets are of {most}." if most else ": it has none with addresses."
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
    steps: list[tuple[str, int]] = []
    drop = worst_drop(found)
    if drop:
        steps.append(("the path of a dropped packet", _explained(found, drop)))
    elif losses := lost(found.losses):
        steps.append(("the path of a lost packet", losses[0].first_frame))
    elif losses := doubtful(found.losses):
        steps.append(("the path of a missing packet", losses[0].first_frame))
    elif found.unanswered and found.unanswered[0].first_frame:
        steps.append(("the path of a request without an answer", found.unanswered[0].first_frame))
    if found.first_retransmission:
        steps.append(("the first real retransmission", found.first_retransmission))
    if slowest and slowest.count > 1:
        steps.append(("the slowest step", slowest.slowest_frame))
    whys: dict[int, list[str]] = {}
    for why, frame in steps:
        whys.setdefault(frame, []).append(why)
    commands = [(", and ".join(some), f"pywnv explain {name} {frame}") for frame, some in whys.items()]
    if drop and not drop.text and drop.reason is None:
        commands.append(("how to learn the reasons of drops", f"pywnv inspect {name}"))
    elif len(found.hops) == 1:
        commands.append(("how to capture at more places", f"pywnv inspect {name}"))
    return tuple(commands)


def _explained(found: Statistics, drop: Drop) -> int:
    if drop.packets:
        return drop.first_frame
    ends: list[End] = [end for end in found.ends if end.way == drop.way and end.near]
    return ends[0].first_frame if ends else drop.first_frame
