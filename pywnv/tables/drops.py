"""The table of drop reasons: Windows' names for them, the part of Windows that dropped, and what to look at."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pywnv.lua.quoting import lua_literal


@dataclass(frozen=True)
class Reason:
    """Why Windows drops a packet.

    Attributes:
        number: that pktmon and the vmSwitch give it.
        name: in Microsoft's headers, without its prefix; None if they do not name it.
        text: that Windows shows.
        spellings: other texts for it, in events of the vmSwitch.
        number_1809: the number that Windows 10 1809 gives it, where that is another one.
        brief: what columns and comments say instead of the text; None where that fits.
        advice: what to look at; None if we know of nothing.
        harmless_because: why such drops do no harm; None if they may.
        harmless_to_group: that this holds only for packets to a group or to all.
    """

    number: int
    name: str | None
    text: str
    spellings: tuple[str, ...]
    number_1809: int | None
    brief: str | None
    advice: str | None
    harmless_because: str | None
    harmless_to_group: bool


@dataclass(frozen=True)
class Family:
    """The part of Windows that a drop location 0xE000LNNN names by its L.

    Attributes:
        number: the L.
        name: of that part.
        advice: for drops without a better one, or None.
    """

    number: int
    name: str
    advice: str | None


@dataclass(frozen=True)
class Table:
    """All that is known of drops."""

    reasons: tuple[Reason, ...]
    families: tuple[Family, ...]
    extension_advice: str


# Where the reasons come from, by the last number of each range.
SECTIONS = (
    (38, "vmSwitch and NDIS"),
    (228, "Adapters"),
    (404, "NetVSC, the NIC of a guest"),
    (614, "TCP/IP, framing"),
    (719, "VFP"),
    (801, "HTTP"),
    (1002, "TCP/IP, network layer"),
    (1232, "TCP/IP, transport"),
    (1327, "SLBMUX"),
    (1418, "IPsec"),
    (1507, "NetAdapterCx"),
    (4000, "HTTP.sys"),
)


@dataclass(frozen=True)
class Section:
    """Reasons that belong together.

    Attributes:
        title: of the section.
        advice: that most of them have, or None.
        reasons: in order of their numbers.
    """

    title: str
    advice: str | None
    reasons: tuple[Reason, ...]


def _numbers(parts: list[int | str]) -> Iterator[int]:
    """The numbers of a list such as [9, "11-13"]."""
    for part in parts:
        first, _, last = str(part).partition("-")
        yield from range(int(first), int(last or first) + 1)


@cache
def table() -> Table:
    """The table, from the files in pywnv/tables/data."""
    data = files("pywnv.tables") / "data"
    advice = tomllib.loads((data / "drop_advice.toml").read_text("utf-8"))
    texts: dict[str, str] = advice["texts"]

    def filled(text: str | None) -> str | None:
        return text and text.format(**texts)

    of: dict[int, str | None] = {}
    for entry in advice["advice"]:
        for number in _numbers(entry["reasons"]):
            of.setdefault(number, filled(entry["text"]))

    harmless = {number: entry for entry in advice["harmless"] for number in _numbers(entry["reasons"])}
    reasons = tuple(
        Reason(
            number=row["number"],
            name=row["name"],
            text=row["text"],
            spellings=tuple(row["spellings"]),
            number_1809=row["number_1809"],
            brief=advice["brief"].get(str(row["number"])),
            advice=of.get(row["number"]),
            harmless_because=harmless.get(row["number"], {}).get("because"),
            harmless_to_group=harmless.get(row["number"], {}).get("to_group", False),
        )
        for row in json.loads((data / "drop_reasons.json").read_text("utf-8"))
    )
    families = tuple(Family(row["number"], row["name"], filled(row.get("text"))) for row in advice["families"])
    return Table(reasons, families, texts["extension"])


def lua() -> str:
    """The table as a Lua table literal, for engine/drop.lua."""
    drops = table()
    times = Counter(text.lower() for reason in drops.reasons for text in {reason.text, *reason.spellings})
    of_reasons = {reason.advice for reason in drops.reasons if reason.advice}
    advice = sorted(of_reasons | {family.advice for family in drops.families if family.advice})
    return lua_literal(
        {
            "texts": {reason.number: reason.text for reason in drops.reasons},
            "numbers": {
                text.lower(): reason.number
                for reason in drops.reasons
                for text in (reason.text, *reason.spellings)
                if times[text.lower()] == 1  # a text that several reasons share tells none of them
            },
            "brief": {reason.number: reason.brief for reason in drops.reasons if reason.brief},
            "families": {family.number: family.name for family in drops.families},
            "advice": advice,
            "advice_of_reason": {
                reason.number: advice.index(reason.advice) + 1 for reason in drops.reasons if reason.advice
            },
            "advice_of_family": {
                family.number: advice.index(family.advice) + 1 for family in drops.families if family.advice
            },
            "extension_advice": drops.extension_advice,
            # by reason: "all", or "group" where only drops of packets to a group do no harm
            "harmless": {
                reason.number: "group" if reason.harmless_to_group else "all"
                for reason in drops.reasons
                if reason.harmless_because
            },
        }
    )


def harmless() -> list[tuple[tuple[Reason, ...], str]]:
    """The reasons of drops that do no harm, those that do none for the same cause together; the cause."""
    found = [reason for reason in table().reasons if reason.harmless_because]
    causes = dict.fromkeys(reason.harmless_because for reason in found)
    return [(tuple(r for r in found if r.harmless_because == cause), cause) for cause in causes if cause]


def sections() -> list[Section]:
    """The reasons as a page shows them."""
    made, first = [], 0
    for last, title in SECTIONS:
        reasons = tuple(reason for reason in table().reasons if first <= reason.number <= last)
        advice, times = Counter(reason.advice for reason in reasons).most_common(1)[0]
        made.append(Section(title, advice if times > 1 and 2 * times >= len(reasons) else None, reasons))
        first = last + 1
    return made
