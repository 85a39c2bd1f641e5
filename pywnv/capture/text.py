"""Recognizes text files that a user gives as a capture, and among them the logs of `pktmon etl2txt`."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

ENOUGH = 4096  # bytes that show what a file is
ENOUGH_OF_LOG = 64 * 1024  # what a log says of its trace comes first
SPACES = "\t\n\r\f"
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
LOG = re.compile(r"PktGroupId \d|\[Microsoft-Windows-PktMon\]|\[MSNT_SystemTrace\]")
# What stands below each packet's first line.
BODY = re.compile(r"(?:[0-9A-F]{2}-){5}[0-9A-F]{2} > (?:[0-9A-F]{2}-){5}[0-9A-F]{2}, ethertype ")
LOG_COMMENT = "log of pktmon etl2txt"  # how the comment of a section begins that was made of one


def text_words(head: bytes) -> str | None:
    """What a file is called that begins so, if it is a text; None: it is none."""
    if log_encoding(head):
        return "is a text log, as `pktmon etl2txt` writes it; give it as a plain file"
    return None if _text(head) is None else half_a_log(head) or "is a text file, not a capture"


def half_a_log(head: bytes) -> str | None:
    """What a text that begins so lacks, if it holds only the second lines of a log's packets; None: it does not."""
    lacks = "lacks the lines of `pktmon etl2txt` that say where each packet was seen; take those with PktGroupId, too"
    return lacks if BODY.search(_text(head) or "") else None


def log_encoding(head: bytes) -> str | None:
    """How a log of `pktmon etl2txt` is encoded that begins so; None: it is none. latin-1 stands for any code page."""
    if head.startswith(WIDE):
        encoding = "utf-16"
    elif head[1:200:2].count(0) * 2 > len(head[1:200:2]):
        encoding = "utf-16-le"
    else:
        encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "latin-1"
    text = head.decode(encoding, "replace")
    return encoding if LOG.search(text) and not CONTROLS.search(text) else None


def is_log(path: Path) -> bool:
    """Whether a file is such a log, whatever its name; false if it cannot be read or is a pipe."""
    try:
        if path == Path("-") or not path.is_file():
            return False
        with path.open("rb") as file:
            return log_encoding(file.read(ENOUGH_OF_LOG)) is not None
    except OSError:
        return False


def _text(head: bytes) -> str | None:
    decoder = codecs.getincrementaldecoder("utf-16" if head.startswith(WIDE) else "utf-8-sig")()
    try:
        text = decoder.decode(head)  # may end inside of a character
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in SPACES for character in text) else None
