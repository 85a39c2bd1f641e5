"""The command `pywnv why`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from pywnv.cli.shared import (
    Captures,
    TopologyFile,
    Window,
    checked_window,
    expanded,
    load_topology,
    need_different,
    progress_bar,
    show,
    show_drawn,
)
from pywnv.cli.shared import warn as tell
from pywnv.errors import Exit


def why(
    captures: Captures,
    ip: Annotated[str | None, typer.Option("--ip", metavar="ADDRESS", help="Packets from and to this address.")] = None,
    nic: Annotated[
        str | None,
        typer.Option("--nic", metavar="NAME", help="Packets at this hop or NIC; a part of the name is enough."),
    ] = None,
    flow: Annotated[
        str | None,
        typer.Option(
            "--flow",
            metavar="A:PORT-B:PORT",
            help="Both directions of this flow; IPv6 as [fd00::1]:443-[fd00::2]:50000.",
        ),
    ] = None,
    window: Window = None,
    topology_file: TopologyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many packets end where, why they were dropped, and by which rule.

    Exit code 1 if the capture has no such packets, and no drops at this NIC.

    Example: pywnv why host.pcapng --ip 192.168.1.60
    """
    import json

    from pywnv.why.answer import ask, selection_of
    from pywnv.why.show import render

    selection = selection_of(ip, nic, flow)  # before anything is read
    paths = expanded(captures)
    need_different(paths, "why")
    with progress_bar(paths, wanted=True) as progress:
        answer = ask(
            paths,
            selection,
            window=checked_window(window),
            topology=load_topology(topology_file),
            topology_file=topology_file,
            progress=progress,
            warn=tell,
        )
    if as_json:
        show(json.dumps(answer.as_dict(), ensure_ascii=False, indent=2), for_programs=True)
    else:
        show_drawn(partial(render, answer))
    if not answer.statistics.packets and not answer.drops:
        raise typer.Exit(Exit.DIFFERENT)
