"""The commands that go over whole captures: annotate and dedup."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from pywnv.annotate.rows import Engine, Format, check_columns, rows
from pywnv.cli.shared import (
    Capture,
    Force,
    PcapngOutput,
    TopologyFile,
    Window,
    checked_window,
    end_with,
    expanded,
    is_ending_of_none,
    is_folder,
    is_quiet,
    is_terminal,
    load_topology,
    need_different,
    need_ending,
    opened_capture,
    progress_bar,
    show,
    tell,
    warn,
    write_whole,
)
from pywnv.errors import OutputError, UsageError
from pywnv.files.output import STDOUT
from pywnv.words import count

FORMAT_OF_SUFFIX = {
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pcapng": Format.PCAPNG,
    ".txt": Format.TABLE,
}
PACKED = ".gz"


def _suffix(output: Path) -> str:
    """The ending of an output's name, in lower case: `.csv` of rows.csv and of rows.csv.gz."""
    return Path(output.stem if output.suffix.lower() == PACKED else output).suffix.lower()


def _format_of(output: Path) -> Format:
    """The format that an output's name asks for.

    Raises:
        UsageError: its ending is that of no format.
    """
    if output == STDOUT and is_terminal():
        return Format.TABLE
    suffix = _suffix(output)
    if is_ending_of_none(output, suffix, FORMAT_OF_SUFFIX):
        endings = ", ".join(FORMAT_OF_SUFFIX)
        words = f"unknown ending; use one of {endings} ({PACKED} may follow), or --format"
        raise UsageError(f"{output}: {words}")
    return FORMAT_OF_SUFFIX.get(suffix, Format.CSV)


def _check_format(output: Path, output_format: Format) -> None:
    """Checks a format that the user named against the output's name; .txt may hold any.

    Raises:
        UsageError: its ending is that of another format.
    """
    named = FORMAT_OF_SUFFIX.get(_suffix(output), output_format)
    if named not in (output_format, Format.TABLE):
        raise UsageError(f"{output}: the ending is that of {named.value}, not of --format {output_format.value}")


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def annotate(
    captures: Annotated[
        list[Path],
        typer.Argument(
            metavar="CAPTURE",
            help="pcapng or pcap (also gzipped), .etl, or a folder; with --engine tshark any format; - is stdin.",
        ),
    ],
    output_name: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FILE", help="File to write, for several captures a folder; - is stdout."
        ),
    ] = str(STDOUT),
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            case_sensitive=False,
            help="Default: by the output's ending; without -o, table on a terminal, else csv.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Columns of csv, jsonl or table, in this order. Default: all; for table the most important ones.",
        ),
    ] = None,
    engine: Annotated[
        Engine | None,
        typer.Option(
            case_sensitive=False,
            help="lupa is fast; tshark reads every format and filters. Default: lupa, or tshark if needed.",
        ),
    ] = None,
    display_filter: Annotated[
        str | None,
        typer.Option(
            "-Y", "--filter", metavar="FILTER", help="Only frames that match this display filter (engine tshark)."
        ),
    ] = None,
    window: Window = None,
    topology_file: TopologyFile = None,
    series: Annotated[
        bool, typer.Option("--series", help="Read the captures as one, such as the files of a ring buffer.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            metavar="NUMBER",
            min=1,
            help="How many captures, or parts of one, to decide at a time. Default: one per core.",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Use the workers of a dask scheduler, such as tcp://host:8786."),
    ] = None,
    force: Force = False,
) -> None:
    """Write one row, or one packet comment, for every frame: its packet, hop, path and latency.

    Example: pywnv annotate host.pcapng -o host.csv
    """
    from pywnv.parallel import parts

    if display_filter and engine is Engine.LUPA:
        raise UsageError("-Y: only tshark knows display filters; omit --engine")
    window = checked_window(window)
    has_folder = any(map(is_folder, captures))
    captures = expanded(captures)
    chosen = tuple(name.strip().lower() for name in columns.split(",")) if columns is not None else None
    if cluster is not None and series:
        raise UsageError("--series: one process decides a series in order; omit --cluster")
    if cluster is not None and jobs:
        raise UsageError("--jobs: with --cluster, the workers set how many captures run at a time; omit --jobs")
    if series:
        need_different(captures, "--series")
    output, names_folder = Path(output_name), output_name.endswith(("/", os.sep))
    several = (len(captures) > 1 or has_folder) and not series
    is_many = several or names_folder or is_folder(output) or cluster is not None
    if output_format is None:
        output_format = Format.CSV if is_many else _format_of(output)
    elif not is_many:
        _check_format(output, output_format)
    if output_format is Format.PARQUET and cluster is None:
        from pywnv.annotate import arrow

        arrow.need()  # said once, not for each capture
    if chosen is not None:
        check_columns(chosen, output_format)
    if is_many:
        if output != STDOUT and not output.is_dir() and (output.exists() or output.suffix.lower() in FORMAT_OF_SUFFIX):
            if cluster is not None:
                raise UsageError(f"{output}: --cluster writes into a folder; name one with -o")
            raise UsageError(f"{output}: several captures are written into a folder; name one with -o, or use --series")
        if series:
            raise UsageError(f"{output}: is a folder; the output of a series is one file")
        _annotate_all(
            captures,
            output,
            output_format=output_format,
            columns=chosen,
            engine=engine,
            display_filter=display_filter,
            window=window,
            topology_file=topology_file,
            jobs=jobs,
            cluster=cluster,
            force=force,
        )
        return
    with ExitStack() as stack:
        progress = stack.enter_context(progress_bar(captures, wanted=is_quiet(output)))
        opened = [stack.enter_context(opened_capture(capture, progress)) for capture in captures]
        pieces = rows(
            opened,
            output_format=output_format,
            columns=chosen,
            engine=engine,
            window=window,
            topology=load_topology(topology_file),
            display_filter=display_filter,
            in_parts=parts.by(jobs or os.cpu_count() or 1),
            progress=progress,
            warn=warn,
        )
        if output_format is Format.TABLE and output == STDOUT and is_terminal():
            for piece in pieces:
                show(piece.decode(), end="")  # in the terminal's own encoding
            return
        if output.suffix.lower() == PACKED:
            pieces = _gzipped(pieces)
        write_whole(pieces, output, force=force, sources=captures)


def _annotate_all(
    captures: list[Path],
    folder: Path,
    *,
    output_format: Format,
    columns: tuple[str, ...] | None,
    engine: Engine | None,
    display_filter: str | None,
    window: float | None,
    topology_file: Path | None,
    jobs: int | None,
    cluster: str | None,
    force: bool,
) -> None:
    from functools import partial

    from pywnv.parallel import many
    from pywnv.parallel.job import Job

    if folder == STDOUT:
        if cluster is not None:
            raise UsageError("--cluster: name a folder with -o that every worker can reach")
        raise UsageError("several captures: name a folder with -o, or use --series if they are one")
    topology = load_topology(topology_file)
    wanted = [
        Job(capture, output, output_format, engine, window, topology, display_filter, force, columns)
        for capture, output in many.outputs(captures, folder, output_format)
    ]
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    try:
        with progress_bar(captures, wanted=True) as progress:
            run: many.Runner = partial(many.run_all, processes=jobs)
            if cluster is not None:
                from pywnv.parallel.cluster import run_all

                run = partial(run_all, address=cluster, warn=warn)
            done, errors = many.annotate_all(wanted, run, progress=progress, warn=warn)
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()  # where nothing was written
    before = len(wanted) - done - len(errors)
    tell(f"{done} written, {before} skipped (output exists), {len(errors)} failed")
    end_with(errors)


def dedup(
    capture: Capture,
    output: PcapngOutput,
    keep: Annotated[
        str,
        typer.Option(
            metavar="WHICH", help="first or last sighting, wire (nearest the wire), or a hop's role: pNIC, vmNIC ..."
        ),
    ] = "first",
    window: Window = None,
    topology_file: TopologyFile = None,
    force: Force = False,
) -> None:
    """Write the capture with one frame for each packet; all other blocks are kept.

    Example: pywnv dedup host.pcapng -o once.pcapng --keep wire
    """
    from pywnv.dedup import Dedup

    need_ending(output, ".pcapng")
    with (
        progress_bar([capture], wanted=is_quiet(output), passes=2) as progress,
        opened_capture(capture, progress) as opened,
    ):
        once = Dedup(opened, keep=keep, window=checked_window(window), topology=load_topology(topology_file), warn=warn)
        write_whole(once.pieces(progress), output, force=force, sources=[capture])
    left = sum(once.left_out.values())
    words = f"{once.frames - left} of {count(once.frames, 'frame')} kept"
    others = count(left, "frame that shows one of these packets", plural="frames that show the same packets")
    tell(f"{words}; left out: {others if left else 'none'}")
