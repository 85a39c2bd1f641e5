"""The command `pywnv join`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pywnv.cli.shared import (
    Force,
    PcapngOutput,
    is_quiet,
    need_ending,
    opened_capture,
    progress_bar,
    show,
    tell,
    warn,
    write_whole,
)
from pywnv.errors import UsageError
from pywnv.files.output import STDOUT
from pywnv.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pywnv.host.topology import Topology
    from pywnv.join import Aligned
    from pywnv.statistics.loss import Loss

MOST_COUNTED = 200_000  # frames of which losses are told at once, in less than a second


def join(
    captures: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]CAPTURE",
            help="One for each observer: pcapng or pcap (also gzipped), or .etl; for a ring buffer a folder or "
            "'hv1_*.pcapng'.",
        ),
    ],
    output: PcapngOutput,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: offset and drift of the clocks, and losses.")
    ] = False,
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--host", metavar="NAME=FILE", help="A file about an observer's host: its inventory or a topology file."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write captures of several hosts, or of host and guest, as one: clocks aligned by the packets that both saw.

    Example: pywnv join HV01=host1.pcapng HV02=host2.pcapng -o both.pcapng
    """
    from pywnv.capture.source import need_file
    from pywnv.join import Join, Observer, observers_of
    from pywnv.statistics.loss import loss_words

    if as_json and output == STDOUT:
        raise UsageError("--json: the capture already goes to stdout; name a file with -o")
    need_ending(output, ".pcapng")
    observers = observers_of(captures)
    topologies = dict(map(_host, hosts or []))
    files = [file for observer in observers for file in observer.files]
    for file in files:
        need_file(file)
    with ExitStack() as stack:
        progress = stack.enter_context(progress_bar(files, wanted=is_quiet(output), passes=2))
        opened = [
            Observer(
                observer.name,
                tuple(stack.enter_context(opened_capture(file, lambda _: None)) for file in observer.files),
            )
            for observer in observers
        ]
        joined = Join(opened, topologies=topologies, warn=warn)
        write_whole(joined.pieces(progress), output, force=force, sources=files)
    for one in joined.aligned:
        tell(_words(one))
    losses = _losses(output, joined.aligned)
    if losses is None and not is_quiet(output):
        tell(f"to see what was lost between them: pywnv report {output} -o REPORT.html")
    for loss in losses or ():
        tell(loss_words(loss))
    if as_json:
        rows = [asdict(one) | {"losses": _of(one, losses)} for one in joined.aligned]
        show(json.dumps(rows, ensure_ascii=False, indent=2), for_programs=True)


def _losses(output: Path, aligned: Sequence[Aligned]) -> tuple[Loss, ...] | None:
    """What was lost between observers; None: stdout has the capture, or to count takes much longer than to join."""
    if output == STDOUT or not output.is_file() or sum(one.frames for one in aligned) > MOST_COUNTED:
        return None
    from pywnv.statistics.collect import collect

    return collect(output).losses


def _of(one: Aligned, losses: Sequence[Loss] | None) -> list[dict[str, Any]] | None:
    """What left an observer and never came, for programs."""
    return None if losses is None else [loss.as_dict() for loss in losses if loss.from_observer == one.name]


def _host(argument: str) -> tuple[str, Topology]:
    from pywnv.host.loading import load

    name, is_named, file = argument.partition("=")
    if not is_named or not name or not file:
        raise UsageError(f"--host {argument}: use NAME=FILE, with the name of an observer")
    return name, load(Path(file))


def _words(one: Aligned) -> str:
    """What was found of a clock, in a sentence."""
    if one.by is None:
        words = f"{one.name}: {count(one.frames, 'frame', ',')}; its clock is the reference"
    else:
        place = "behind" if one.offset < 0 else "ahead of"
        words = (
            f"{one.name}: {count(one.frames, 'frame', ',')}, {count(one.packets, 'packet', ',')} matched with "
            f"{one.by}; its clock is {abs(one.offset):.6f} s {place} the first, {_bounds(one)}, "
            f"and drifts {one.drift_ppm:+.1f} ppm"
        )
        if one.known_from is not None:
            words += (
                f"; all that is known from frame {one.known_from:,} on: one of both clocks may have been set before "
                "that, and then the times of earlier frames are wrong"
            )
    if one.known_to is not None:
        words += (
            f"; behind frame {one.known_to:,}, times in its file run back, and no packet in common follows: its clock "
            "may have been set, and then the times of later frames are wrong"
        )
    for step in one.steps:
        to = "back" if step.by < 0 else "forward"
        words += f"; it was set {to} by {abs(step.by):.6f} s before frame {step.packet:,}"
    return words


def _bounds(one: Aligned) -> str:
    """How sure the offset is."""
    if one.known_from is not None:
        return "without bounds"
    if one.lowest is not None and one.highest is not None:
        return f"between {one.lowest:.6f} and {one.highest:.6f}"
    if one.highest is not None:
        return f"at most {one.highest:.6f} (packets went one way only)"
    if one.lowest is not None:
        return f"at least {one.lowest:.6f} (packets went one way only)"
    return "without limits (nothing shows how long packets took)"
