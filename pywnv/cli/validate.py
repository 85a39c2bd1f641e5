"""The command `pywnv validate`."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pywnv.cli.shared import TopologyFile, load_topology, need_ending, opened_capture, show, show_drawn, warn
from pywnv.errors import Exit, UsageError
from pywnv.files.output import STDOUT, whole_file

if TYPE_CHECKING:
    from pywnv.validate import Result
    from pywnv.validate.report import Setting


def validate(
    capture: Annotated[
        Path | None,
        typer.Argument(metavar="CAPTURE", help="A capture in any format that Wireshark opens. Default: the samples."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth", metavar="FILE", help="CSV: frame, packet and, if known, hop, segment_of, drop, drop_reason."
        ),
    ] = None,
    least_precision: Annotated[
        float, typer.Option("--min-precision", metavar="SHARE", min=0, max=1, help="Exit code 1 below this precision.")
    ] = 1.0,
    least_recall: Annotated[
        float, typer.Option("--min-recall", metavar="SHARE", min=0, max=1, help="Exit code 1 below this recall.")
    ] = 1.0,
    topology_file: TopologyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML for CI to this file; - is stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing --junit file.")] = False,
) -> None:
    """Check what your Wireshark shows of a capture with known truth, or of the samples of this package.

    Exit code 1 if precision or recall is too low.

    Example: pywnv validate host.pcapng --truth host.truth.csv
    """
    if (capture is None) != (truth is None):
        raise UsageError("validate: takes a capture and --truth together, or neither for the samples")
    if capture is None and topology_file:
        raise UsageError("validate: --host is for a capture; the samples have none")
    if junit_file:
        need_ending(junit_file, ".xml")
    if as_json and junit_file == STDOUT:
        raise UsageError("validate: --json and --junit - both write to stdout")
    with ExitStack() as stack:
        # Opened first: a file that is in the way is known before the work.
        xml = stack.enter_context(whole_file(junit_file, force=force)) if junit_file else None
        from pywnv.validate import report

        about = report.setting(least_precision, least_recall)
        lines = not as_json and junit_file != STDOUT
        if capture and truth:
            results = [_one(capture, truth, topology_file, about, lines=lines)]
        else:
            results = _samples(about, lines=lines)
        if as_json:
            show(report.as_json(results, about), end="", for_programs=True)
        if xml:
            xml.write(report.junit(results, about))
    raise typer.Exit(Exit.OK if all(map(about.passes, results)) else Exit.DIFFERENT)


def _one(capture: Path, truth: Path, topology_file: Path | None, about: Setting, *, lines: bool) -> Result:
    from dataclasses import replace

    from pywnv.validate import report, validate

    with opened_capture(capture, lambda _: None) as opened:
        found = validate(opened, truth, topology=load_topology(topology_file), warn=warn)
    found = replace(found, capture=str(capture))
    if lines:
        show_drawn(partial(report.render, found, about))
    return found


def _samples(about: Setting, *, lines: bool) -> list[Result]:
    from pywnv.validate import report, validate
    from pywnv.validate.samples import samples

    results: list[Result] = []
    for sample in samples():
        found = validate(sample.capture, sample.truth, first=1, warn=warn)  # it gets one line
        if lines and not results:
            show(f"Wireshark {about.wireshark} with {about.plugin}")
        results.append(found)
        if lines:
            show(report.sample_line(sample.name, sample.shows, found, about))
    if lines:
        right = sum(map(about.passes, results))
        show(f"{right} of {len(results)} samples are shown as they should be.")
        for line in report.own_lines(results, about):
            show(line)
    return results
