"""The command line: arguments in, a call of the library, words out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pywnv import __version__
from pywnv.errors import Exit, ReaderGoneError, UsageError, WnvError
from pywnv.generate import differing, generated, generated_for, stale, write
from pywnv.output import STDOUT, whole_file
from pywnv.rows import Engine, Format, rows

if TYPE_CHECKING:
    from pywnv.topology import Topology

LONGEST_WINDOW = 3600  # seconds
FORMAT_OF_SUFFIX = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pcapng": Format.PCAPNG,
}

app = typer.Typer(
    help="Says which frames of a Windows capture are the same packet, and which way it went through the host.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pywnv {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _warn(words: str) -> None:
    typer.echo(f"pywnv: warning: {words}", err=True)


@contextmanager
def _progress(capture: Path, *, wanted: bool, passes: int = 1) -> Iterator[Callable[[int], None]]:
    """A bar on stderr that counts the bytes of a file, where somebody looks at it."""
    if not (wanted and sys.stderr and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        size = passes * capture.stat().st_size if capture.exists() else None
        task = bar.add_task(capture.name, total=size)
        yield lambda done: bar.update(task, completed=done)


TopologyFile = Annotated[
    Path | None,
    typer.Option("--topology", help="What you know of the host: TOML, YAML, or what `pktmon list --json` printed."),
]


Window = Annotated[float | None, typer.Option(help="Longest time between two sightings of a packet, in seconds.")]


def _checked(window: float | None) -> float | None:
    if window is not None and not 0 <= window <= LONGEST_WINDOW:
        raise UsageError(f"--window {window:g}: must be from 0 to {LONGEST_WINDOW} seconds")
    return window


def _is_quiet(output: Path) -> bool:
    """Whether results go elsewhere than to the terminal where progress is shown."""
    return output != STDOUT or not (sys.stdout and sys.stdout.isatty())


def _write(pieces: Iterator[bytes], output: Path, *, force: bool, source: Path) -> None:
    with whole_file(output, force=force, source=source) as file:
        for piece in pieces:
            file.write(piece)


def _load(topology_file: Path | None) -> Topology | None:
    if topology_file is None:
        return None
    from pywnv.topology import load

    return load(topology_file)


@app.command()
def annotate(
    capture: Annotated[
        Path, typer.Argument(help="pcapng or pcap, also gzipped; any format with --engine tshark; - is stdin.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; - is stdout.")] = STDOUT,
    output_format: Annotated[
        Format | None, typer.Option("--format", help="Default: by the output's name, else csv.")
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option(help="lupa is fast; tshark reads every format and filters. Default: what fits.")
    ] = None,
    display_filter: Annotated[
        str | None, typer.Option("-Y", "--filter", help="Display filter: which frames get a row (engine tshark).")
    ] = None,
    window: Window = None,
    topology_file: TopologyFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
) -> None:
    """Write one row for every frame: its packet, hop, path and latency.

    Example: pywnv annotate host.pcapng -o host.csv
    """
    if display_filter and engine is Engine.LUPA:
        raise UsageError("-Y: only tshark knows display filters; leave --engine away")
    if output_format is None:
        output_format = FORMAT_OF_SUFFIX.get(output.suffix, Format.CSV)
    window = _checked(window)
    with _progress(capture, wanted=_is_quiet(output)) as progress:
        pieces = rows(
            capture,
            output_format=output_format,
            engine=engine,
            window=window,
            topology=_load(topology_file),
            display_filter=display_filter,
            progress=progress,
            warn=_warn,
        )
        _write(pieces, output, force=force, source=capture)


@app.command()
def dedup(
    capture: Annotated[Path, typer.Argument(help="pcapng or pcap, also gzipped.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="pcapng to write; - is stdout.")],
    keep: Annotated[
        str,
        typer.Option(help="first or last sighting, the one nearest the wire, or that at a hop's role: pNIC, vmNIC ..."),
    ] = "first",
    window: Window = None,
    topology_file: TopologyFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
) -> None:
    """Write the capture with one frame a packet; all that is no packet stays.

    Example: pywnv dedup host.pcapng -o once.pcapng --keep wire
    """
    from pywnv.dedup import Dedup

    once = Dedup(capture, keep=keep, window=_checked(window), topology=_load(topology_file), warn=_warn)
    with _progress(capture, wanted=_is_quiet(output), passes=2) as progress:
        _write(once.pieces(progress), output, force=force, source=capture)
    left = sum(once.left_out.values())
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(once.left_out.items()))
    typer.echo(f"pywnv: {once.frames - left} of {once.frames} frames stay; left out: {kinds or 'none'}", err=True)


@app.command()
def explain(
    capture: Annotated[Path, typer.Argument(help="pcapng or pcap, also gzipped.")],
    frames: Annotated[list[int], typer.Argument(min=1, metavar="FRAME [FRAME]", help="One frame, or two to compare.")],
) -> None:
    """Show the path of a frame's packet; for two frames, why they are or are not the same packet.

    Example: pywnv explain host.pcapng 7 9
    """
    from pywnv.explain import explain as lines_of

    if len(frames) > 2 or len(set(frames)) != len(frames):
        raise UsageError(f"explain: takes one frame or two different ones, not {' '.join(map(str, frames))}")
    for line in lines_of(capture, tuple(frames), _warn):
        typer.echo(line)


@app.command()
def generate(
    folder: Annotated[Path, typer.Option(help="Where lua/ and profiles/ are.")] = Path(),
    topology_file: TopologyFile = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 where a file would change.")] = False,
) -> None:
    """Write lua/wnv.lua and profiles/ from the tables of this package, or those that know your host.

    Example: pywnv generate --topology host.toml
    """
    topology = _load(topology_file)
    host = topology_file.stem if topology_file else ""
    if check:
        old = stale(generated_for(topology, host), folder) if topology else differing(folder)
        for path in old:
            typer.echo(f"{path}: differs from what the tables give; run `pywnv generate`", err=True)
        raise typer.Exit(Exit.DIFFERENT if old else Exit.OK)
    for path in write(generated_for(topology, host) if topology else generated(), folder):
        typer.echo(path)


def _end(number: int, _: object) -> None:
    """Ends as a signal would, but lets what is open tidy up."""
    raise SystemExit(128 + number)


def main() -> None:
    """Runs the command line: errors leave as one line and exit code 2."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:
            signal.signal(getattr(signal, name), _end)
    try:
        app()
    except ReaderGoneError:
        raise SystemExit(Exit.OK) from None  # `| head`
    except WnvError as error:
        typer.echo(f"pywnv: {error}", err=True)
        raise SystemExit(Exit.ERROR) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
