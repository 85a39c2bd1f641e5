"""Texts as a report shows them: names of captures made harmless, numbers with their units."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pywnv import words

# What no XML may hold, and what turns the direction of the text around it; a report shows that something was there.
ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\uffff\ud800-\udfff]+"
)
LONGEST = 200  # of a name; longer ones are cut
SPACE = "\u00a0"  # between a number and its unit
NO_NAME = "(no name)"


def clean(text: object, longest: int = LONGEST) -> str:
    """A text of a capture as a page may hold it: one line, not too long, nothing that is no letter."""
    line = ODD.sub("\ufffd", str(text)).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def name(text: str | None) -> str:
    """The name of a hop."""
    return NO_NAME if text is None else clean(text)


def number(value: int) -> str:
    """A whole number, its digits in groups."""
    return f"{value:,}"


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it, to three digits."""
    if seconds is None:
        return ""
    rounded = float(f"{seconds:.3g}")  # before the unit is chosen: 999.9999 ns are 1 µs
    if abs(rounded) >= 60:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours:,}{SPACE}h {minutes}{SPACE}min" if minutes else f"{hours:,}{SPACE}h"
        return f"{minutes}{SPACE}min {rest}{SPACE}s" if rest else f"{minutes}{SPACE}min"
    return (words.duration(seconds) if rounded else "0 s").replace(" ", SPACE)


def share(part: int, whole: int) -> str:
    """A part of a whole in percent."""
    if not whole:
        return f"0{SPACE}%"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.9 < percent < 100:
        return f">{SPACE}99.9{SPACE}%"
    return f"{percent:.{0 if percent in (0, 100) else 1}f}{SPACE}%"


def moment(seconds: float | None, *, milliseconds: bool = False) -> str:
    """A day and its time."""
    if seconds is None:
        return ""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
        return f"{at:%Y-%m-%d %H:%M:%S}{f'.{at.microsecond // 1000:03}' if milliseconds else ''} UTC"
    except (OverflowError, OSError, ValueError):
        return f"{seconds:.0f} s since 1970"
