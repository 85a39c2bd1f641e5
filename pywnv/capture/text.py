"""Knows a text that was given for a capture, such as the log that `pktmon etl2txt` writes."""

from __future__ import annotations

import codecs

ENOUGH = 4096  # bytes that show what a file is
PKTMON = ("[Microsoft-Windows-PktMon]", "PktGroupId")  # in each line of its log
SPACES = "\t\n\r\f"


def text_words(head: bytes) -> str | None:
    """What a file is called that begins so, if it is a text; None: it is none."""
    text = _text(head)
    if text is None:
        return None
    if any(word in text for word in PKTMON):
        return "is a text log, as `pktmon etl2txt` writes it, not a capture; give the .etl itself"
    return "is a text file, not a capture"


def _text(head: bytes) -> str | None:
    is_wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if is_wide else "utf-8-sig")()
    try:
        text = decoder.decode(head)  # may end inside of a character
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in SPACES for character in text) else None
