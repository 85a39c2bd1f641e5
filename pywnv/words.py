"""Words that a number decides."""

from __future__ import annotations


def count(number: int, noun: str, form: str = "") -> str:
    """So many of something: 1 packet, 2 packets.

    Args:
        number: how many.
        noun: in the singular; its plural ends with s.
        form: how the number is written, as `format` takes it; "," groups its digits.
    """
    return f"{number:{form}} {noun}{'' if number == 1 else 's'}"
