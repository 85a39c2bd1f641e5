"""Findings for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pywnv.host.model import EMPTY, Host
from pywnv.words import count

if TYPE_CHECKING:
    from rich.console import Console

    from pywnv.host.lint.finding import Finding

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
MOST_GRAVE = 6
ONLY_OF_A_CAPTURE = ("count", "first_frame", "capture")


def as_json(found: list[Finding]) -> str:
    """A list of objects: id, severity, where, what, why, fix, source; of a capture count, first_frame, capture, too."""
    return json.dumps(as_rows(found), ensure_ascii=False, indent=2)


def as_rows(found: Sequence[Finding]) -> list[dict[str, object]]:
    """Findings as JSON takes them."""
    return [
        {key: value for key, value in vars(one).items() if value is not None or key not in ONLY_OF_A_CAPTURE}
        for one in found
    ]


def _said(one: Finding) -> str:
    return f" {one.id}: {one.where}: {one.what}"


def draw_grave(found: Sequence[Finding], console: Console) -> None:
    """Shows the first warnings and errors, each with the command that repairs it, below what is said of a capture."""
    from rich.text import Text

    grave = [one for one in found if one.severity != "note"]
    for one in grave[:MOST_GRAVE]:
        words = Text.assemble(("  ", ""), (one.severity, STYLES[one.severity]), _said(one))
        console.print(words, soft_wrap=True)
        console.print(Text(f"      {one.fix}", "cyan"), soft_wrap=True)  # for copying
    if len(grave) > MOST_GRAVE:
        console.print(Text(f"  ... and {len(grave) - MOST_GRAVE} more of the host: `pywnv host lint` lists them"))


def draw(found: list[Finding], host: Host, console: Console) -> None:
    """Shows findings, each with why it matters and the command that repairs it."""
    from rich.text import Text

    for one in found:
        console.print(Text.assemble((one.severity, STYLES[one.severity]), _said(one)), soft_wrap=True)
        console.print(Text(f"      why: {one.why} [{one.source}]"), soft_wrap=True)
        console.print(Text.assemble("      fix: ", (one.fix, "cyan")), soft_wrap=True)  # for copying
    numbers = [count(sum(one.severity == each for one in found), each) for each in STYLES]
    nothing = f"nothing was there to check: {EMPTY}" if host.is_empty else "nothing found"
    console.print(Text(", ".join(numbers) if found else nothing, style="bold"))
    for words in host.notes:
        console.print(Text(f"not checked: {words}", style="dim"), soft_wrap=True)
    for cmdlet, reason in host.left_out.items():
        console.print(
            Text(f"not checked, as the inventory left it out: {cmdlet}: {reason}", style="dim"), soft_wrap=True
        )
