"""The command view: a capture, annotated, in Wireshark's window."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pywnv.cli.shared import (
    Captures,
    TopologyFile,
    expanded,
    load_topology,
    need_different,
    opened_capture,
    progress_bar,
    warn,
    write_whole,
)


def view(
    captures: Captures,
    topology_file: TopologyFile = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Wireshark's profile. Default: WNV.")] = None,
) -> None:
    """Annotate a capture and open it in Wireshark; the capture itself is not changed.

    Example: pywnv view host.pcapng
    """
    from pywnv import view as viewing
    from pywnv.annotate.rows import Format, rows
    from pywnv.parallel.parts import by

    captures = expanded(captures)
    need_different(captures, "view")
    topology = load_topology(topology_file)

    def make(path: Path) -> None:
        with ExitStack() as stack:
            progress = stack.enter_context(progress_bar(captures, wanted=True))
            pieces = rows(
                [stack.enter_context(opened_capture(capture, progress)) for capture in captures],
                output_format=Format.PCAPNG,
                topology=topology,
                in_parts=by(os.cpu_count() or 1),
                progress=progress,
                warn=warn,
            )
            write_whole(pieces, path, force=False, sources=captures)

    viewing.view(viewing.window_name(captures), make, profile=profile, warn=warn)
