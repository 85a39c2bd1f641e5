"""Text as Windows writes it: UTF-8 or UTF-16, with or without a byte order mark, or in a code page; and JSON."""

from __future__ import annotations

import json
from typing import Any

LONGEST_NUMBER = 20  # digits; Python refuses those of thousands with an error about itself


def decoded(data: bytes) -> str:
    """The text of a file; what fits no encoding is read as that of Western Windows."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if data[:3] != b"\xef\xbb\xbf" and b"\0" in data[:2]:  # our texts begin with ASCII
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parsed(text: str) -> Any:
    """The value of a JSON text; a whole number of very many digits comes as a float.

    Raises:
        json.JSONDecodeError: it is none.
        RecursionError: its brackets are nested too deep.
    """
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_NUMBER else float(digits))
