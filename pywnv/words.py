"""Words that a number decides, a time in the unit that suits it, and text that keeps to its line."""

from __future__ import annotations

from unicodedata import category

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, lone surrogates, line breaks
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def count(number: int, noun: str, form: str = "", *, plural: str | None = None) -> str:
    """So many of something: 1 packet, 2 packets.

    Args:
        number: how many.
        noun: in the singular.
        form: how the number is written, as `format` takes it; "," groups its digits.
        plural: of the noun; None: it ends with s.
    """
    return f"{number:{form}} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A time with three digits: 35.5 µs."""
    rounded = float(f"{seconds:.3g}")  # before the unit is chosen: 999.9999 ns are 1 µs
    for unit, name in UNITS:
        if abs(rounded) >= unit:
            return f"{rounded / unit:.3g} {name}" if abs(rounded) < 1000 else f"{seconds:,.0f} s"
    return f"{rounded * 1e9:.3g} ns"


def one_line(text: str) -> str:
    """Text that neither breaks its line nor commands a terminal; what would becomes U+FFFD."""
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if category(one) in UNSEEN else one for one in text)
