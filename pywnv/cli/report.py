"""The command `pywnv report`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pywnv.cli.shared import (
    Force,
    TopologyFile,
    Window,
    checked_window,
    end_with,
    expanded,
    is_ending_of_none,
    is_terminal,
    load_topology,
    progress_bar,
)
from pywnv.errors import UsageError
from pywnv.files.output import STDOUT, whole_file


class Form(StrEnum):
    """How a report is written."""

    HTML = "html"
    MD = "md"


FORM_OF_SUFFIX = {".html": Form.HTML, ".htm": Form.HTML, ".md": Form.MD}


def _form_of(output: Path) -> Form:
    """The form that an output's name asks for.

    Raises:
        UsageError: its ending is that of none.
    """
    if output == STDOUT and is_terminal():
        return Form.MD
    if is_ending_of_none(output, output.suffix.lower(), FORM_OF_SUFFIX):
        endings = ", ".join(FORM_OF_SUFFIX)
        raise UsageError(f"{output}: unknown ending; use one of {endings}, or --format")
    return FORM_OF_SUFFIX.get(output.suffix.lower(), Form.HTML)


def report(
    captures: Annotated[
        list[Path],
        typer.Argument(metavar="CAPTURE", help="pcapng or pcap (also gzipped), .etl, or a folder of them."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="File to write; - is stdout.")],
    form: Annotated[
        Form | None,
        typer.Option(
            "--format",
            case_sensitive=False,
            help="html: a page with pictures; md: text for a ticket. Default: by the output's ending.",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Title of the report. Default: the name of the capture.")
    ] = None,
    window: Window = None,
    topology_file: TopologyFile = None,
    force: Force = False,
) -> None:
    """Write a page to share: what is wrong, the host, paths, latency, drops.

    HTML needs altair and vl-convert-python; Markdown (.md) needs neither.

    Exit code 1 if one of several captures cannot be read.

    Example: pywnv report host.pcapng -o host.html
    """
    window = checked_window(window)
    form = form or _form_of(output)
    paths = expanded(captures)
    topology = load_topology(topology_file)
    with whole_file(output, force=force, sources=paths) as file:
        # Opened first: a file that is in the way is known before the work; so is what is not installed.
        from pywnv.report import build, charts

        if form is Form.HTML:
            charts.need()
        with progress_bar(paths, wanted=True) as progress:
            made = build.report(paths, title=title, window=window, topology=topology, progress=progress)
        file.write((made.html() if form is Form.HTML else made.markdown()).encode())
    end_with(made.unread)
