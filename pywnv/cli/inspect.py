"""The command `pywnv inspect`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pywnv.annotate.rows import Engine
from pywnv.cli.shared import (
    TopologyFile,
    end_with,
    expanded,
    is_folder,
    load_topology,
    opened_capture,
    progress_bar,
    show,
    show_drawn,
)
from pywnv.errors import OutputError, WnvError

if TYPE_CHECKING:
    from pywnv.host.topology import Topology
    from pywnv.inspect import Report


def inspect(
    captures: Annotated[
        list[Path],
        typer.Argument(
            metavar="CAPTURE",
            help="Any format that annotate takes, or a folder; several captures get a line each, the worst first.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; for several captures a list.")] = False,
    engine: Annotated[Engine | None, typer.Option(help="As for annotate. Default: lupa, or tshark if needed.")] = None,
    topology_file: TopologyFile = None,
) -> None:
    """Show which tool wrote a capture, its hops and drops, what is missing, and how to capture it.

    Exit code 1 if one of several captures cannot be read.

    Example: pywnv inspect host.pcapng
    """
    from pywnv import inspect as inspection

    topology = load_topology(topology_file)
    if len(captures) == 1 and not is_folder(captures[0]):
        report = _report(captures[0], engine, topology)
        if as_json:
            show(inspection.as_json(report), end="", for_programs=True)
        else:
            show_drawn(partial(inspection.render, report))
        return
    reports, errors = [], []
    for capture in expanded(captures):
        try:
            reports.append(_report(capture, engine, topology))
        except OutputError:
            raise
        except WnvError as error:
            errors.append(str(error))
    show(
        inspection.all_as_json(reports) if as_json else inspection.overview(inspection.worst_first(reports)),
        end="",
        for_programs=as_json,
    )
    end_with(errors)


def _report(capture: Path, engine: Engine | None, topology: Topology | None) -> Report:
    from pywnv import inspect as inspection

    with progress_bar([capture], wanted=True) as progress, opened_capture(capture, progress) as opened:
        report = inspection.inspect(opened, engine=engine, topology=topology, progress=progress)
    return replace(report, capture=str(capture))
