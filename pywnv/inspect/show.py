"""A report for people: short tables and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pywnv.inspect.tally import Drop, Hop
from pywnv.words import count, duration, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from pywnv.inspect.fingerprint import Tool
    from pywnv.inspect.model import Report

NOTABLE = {  # verdicts that people ask for, and what one of them is called
    "segment": "segment",
    "coalesced": "coalesced frame",
    "repeat": "repeat",
    "retransmission": "retransmission",
}


def render(report: Report, console: Console) -> None:
    """Shows the report to people."""
    from rich.padding import Padding
    from rich.text import Text

    from pywnv.host.lint.show import draw_grave

    def line(title: str, words: str) -> None:
        console.print(Padding(Text.assemble((f"{title}: ", "bold"), words), (0, 0, 0, 2)))

    console.print(Text(one_line(report.capture), "bold"))
    line("Written by", _tool_words(report.tool))
    line("Holds", _frame_words(report))
    if report.events:
        line("vmSwitch", ", ".join(f"{count} {kind}" for kind, count in report.events.items()))
    if report.hops:
        console.print(_hop_table(report.hops))
    if report.drops:
        console.print(_drop_table(report.drops))
        for about, advice in dict.fromkeys((drop.reason, drop.advice) for drop in report.drops):
            if advice:
                line("Drops" if about is None else f"Reason {about}", advice)
    for silence in report.trouble.silences if report.trouble else ():
        line("Silent", f"{silence.words}. {silence.cause}")
    for finding in report.findings:
        words = finding.what + (f" {finding.better}" if finding.better else "")
        line("Missing", words)
        for command in finding.commands:
            console.print(Text(f"      {command}", "cyan"), soft_wrap=True)  # for copying
    draw_grave(report.host_findings, console)


def overview(reports: list[Report]) -> str:
    """A line for each of several captures."""
    from pywnv.annotate.table import Table

    counted = (
        "frames",
        "packets",
        "duplicates",
        "hops",
        "drop frames",
        "harmful",
        "unanswered",
        "sent again",
        "slow",
        "silent",
    )
    lines = [["capture", *counted, "written by"]]
    for report in reports:
        drops, trouble = sum(drop.count for drop in report.drops), report.trouble
        numbers: list[object] = [report.frames, report.packets, report.duplicates, len(report.hops), drops]
        if trouble:
            silent = sum(len(silence.hops) for silence in trouble.silences)
            numbers += [trouble.harmful, trouble.unanswered, trouble.retransmissions, trouble.slow, silent]
        else:
            numbers += ["?"] * 5  # tshark alone reads it
        tool = " ".join(filter(None, (report.tool.shown, report.tool.version))) or "the file does not say"
        lines.append([report.capture, *map(str, numbers), tool])
    longest = max(2 * len(cell) for line in lines for cell in line)  # a letter may be two columns wide
    return Table(len(lines[0]), most=longest).text(lines)


def _tool_words(tool: Tool) -> str:
    words = tool.shown or "the file does not say"
    words += f" {tool.version}" if tool.version else ""
    words += f", saved again by {tool.saved_by}" if tool.saved_by else ""
    words += f", on {tool.system}" if tool.system else ""
    return words + (f" (recognized by {'; '.join(tool.known_by)})" if tool.known_by else "")


def _frame_words(report: Report) -> str:
    frames, packets = count(report.frames, "frame", ","), count(report.packets, "packet", ",")
    words = f"{frames}, {packets}"
    if report.seconds is not None:
        words += f" in {duration(report.seconds)}"
    if not report.packets:
        return words
    if report.duplicates:
        words += f"; {report.duplicate_share:.1%} duplicates"
    elif not report.ambiguous:
        words += "; no packet shows twice"
    if report.ambiguous:
        words += f"; {count(report.ambiguous, 'frame', ',')} may be duplicates, but nothing proves it"
    special = [(report.verdicts.get(verdict, 0), noun) for verdict, noun in NOTABLE.items()]
    return words + "".join(f", {count(number, noun, ',')}" for number, noun in special if number)


def _times(times: dict[int, int]) -> str:
    """How often a hop shows a packet, such as "twice", "once to 4 times, mostly twice"."""
    words = {1: "once", 2: "twice"}

    def word(number: int) -> str:
        return words.get(number, f"{number} times")

    usual = max(times, key=lambda number: times[number])
    if len(times) == 1:
        return word(usual)
    return f"{word(min(times))} to {word(max(times))}, mostly {word(usual)}"


def _hop_table(hops: tuple[Hop, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("Hop", "Role", title="Hops", title_justify="left")
    for title in ("Frames", "Packets"):
        table.add_column(title, justify="right")
    table.add_column("Shows a packet")
    for title in ("Median step", "99 % within"):
        table.add_column(title, justify="right")
    for hop in hops:
        steps = ["" if value is None else duration(value) for value in (hop.median, hop.p99)]
        name = Text(hop.name or "(the capture has no name for it)", overflow="fold")
        table.add_row(name, hop.role or "", f"{hop.frames:,}", f"{hop.packets:,}", _times(hop.times), *steps)
    return table


def _drop_table(drops: tuple[Drop, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Drops", title_justify="left")
    table.add_column("Frames", justify="right")
    for title in ("Reason", "At"):
        table.add_column(title, overflow="fold")
    for drop in drops:
        reason = drop.text or "not given"
        if drop.reason is not None:
            reason = f"{drop.reason} {drop.text or ''}".rstrip()
        table.add_row(f"{drop.count:,}", Text(reason), Text(drop.place or "not given"))
    return table
