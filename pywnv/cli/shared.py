"""What the commands of the command line share: options, words, progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from pywnv.errors import Exit, UsageError
from pywnv.files.output import STDOUT, whole_file
from pywnv.words import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from pywnv.host.topology import Topology

FILE_WIDTH = 100  # columns of text that goes to no terminal
LONGEST_WINDOW = 3600  # seconds

# Click's or, in newer versions, typer's own; neither is exported.
UsageProblem = cast("type[typer.BadParameter]", typer.BadParameter.__base__)


class Commands(TyperGroup):
    """Lists the commands with their whole sentences: click cuts those that are longer than a line."""

    def invoke(self, context: Any) -> Any:
        """Runs a command; an error in its arguments knows which one it was."""
        try:
            return super().invoke(context)
        except UsageProblem as error:
            name = context.invoked_subcommand
            if error.ctx is None and name:
                error.ctx = typer.Context(self.commands[name], info_name=name, parent=context)
            raise

    def format_commands(self, context: Any, formatter: Any) -> None:
        """Writes the section Commands of a help text."""
        commands = [(name, self.get_command(context, name)) for name in self.list_commands(context)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(command)) for name, command in commands])


def _first_sentence(command: Any) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


def tell(words: object) -> None:
    """Tells the user, on stderr, in one line; where nobody can be told, the exit code must do."""
    with suppress(OSError):
        typer.echo(one_line(f"pywnv: {words}"), err=True)


def warn(words: str) -> None:
    """Warns the user, likewise."""
    tell(f"warning: {words}")


def end_with(errors: Collection[str]) -> None:
    """Tells what is wrong with some of several captures; if anything is, the exit code is 1."""
    for words in errors:
        tell(words)
    if errors:
        raise typer.Exit(Exit.DIFFERENT)


def is_terminal() -> bool:
    """Whether somebody looks at stdout."""
    return bool(sys.stdout and sys.stdout.isatty())


def _encoding() -> str:
    return sys.stdout.encoding if sys.stdout else "utf-8"


def show(words: object, *, end: str = "\n", for_programs: bool = False) -> None:
    """Tells results, on stdout; a character that its encoding lacks becomes a question mark.

    Args:
        words: what to tell.
        end: what follows.
        for_programs: a file or a pipe gets UTF-8, as JSON must be.

    Raises:
        OutputError: stdout is closed or full.
        ReaderGoneError: nobody reads it any more.
    """
    encoding = "utf-8" if for_programs and not is_terminal() else _encoding()
    data = f"{words}{end}".encode(encoding, "replace")
    if is_terminal():  # that of Windows takes no bytes
        typer.echo(data.decode(encoding), nl=False)
        return
    with whole_file(STDOUT, force=False) as file:
        file.write(data)


def show_drawn(draw: Callable[[Console], None]) -> None:
    """Tells results that are drawn as tables, likewise.

    Raises:
        OutputError: stdout is closed or full.
        ReaderGoneError: nobody reads it any more.
    """
    from rich.console import Console

    # One that knows what stdout can show, but writes nothing there.
    sheet = io.TextIOWrapper(io.BytesIO(), _encoding(), "replace", newline="")
    width = None if is_terminal() else FILE_WIDTH
    draw(Console(file=sheet, force_terminal=is_terminal() or None, width=width))
    sheet.seek(0)
    show(sheet.read(), end="")


@contextmanager
def progress_bar(captures: list[Path], *, wanted: bool, passes: int = 1) -> Iterator[Callable[[int], None]]:
    """A bar on stderr that counts the bytes of files, where somebody looks at it."""
    if not (wanted and sys.stderr and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        size = passes * sum(capture.stat().st_size for capture in captures if capture.exists())
        name = captures[0].name if len(captures) == 1 else f"{len(captures)} captures"
        task = bar.add_task(name, total=size or None)
        yield lambda done: bar.update(task, completed=done)


Captures = Annotated[
    list[Path],
    typer.Argument(
        metavar="CAPTURE",
        help="pcapng or pcap (also gzipped), .etl, or a folder of them; several are read as one, in order of time; "
        "- is stdin.",
    ),
]
Capture = Annotated[Path, typer.Argument(metavar="CAPTURE", help="pcapng or pcap (also gzipped), or .etl.")]
PcapngOutput = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="pcapng to write; - is stdout.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]

TopologyFile = Annotated[
    Path | None,
    typer.Option(
        "--host",
        "--topology",
        metavar="FILE",
        help="A file about the host: its inventory, a topology file, or the output of `pktmon list --json`.",
    ),
]

Window = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Longest time between two sightings of a packet. Default: 0.2 seconds."),
]


def checked_window(window: float | None) -> float | None:
    """A window that makes sense.

    Raises:
        UsageError: it makes none.
    """
    if window is not None and not 0 <= window <= LONGEST_WINDOW:
        raise UsageError(f"--window {window:g}: must be from 0 to {LONGEST_WINDOW} seconds")
    return window


def is_quiet(output: Path) -> bool:
    """Whether results go elsewhere than to the terminal where progress is shown."""
    return output != STDOUT or not is_terminal()


def need_different(captures: list[Path], where: str) -> None:
    """Checks that no capture is named twice.

    Args:
        captures: that are taken for one.
        where: the command or the option, for the error.

    Raises:
        UsageError: one is.
    """
    seen = set()
    for capture in captures:
        if (file := capture.resolve()) in seen:
            raise UsageError(f"{where}: {capture} is given twice; give it once")
        seen.add(file)


def is_ending_of_none(output: Path, ending: str, known: Collection[str]) -> bool:
    """Whether an output has an ending, and that of no format; a pipe or a device may have any name."""
    from pywnv.capture.source import is_stream

    return bool(output.suffix) and ending not in known and not is_stream(output)


def need_ending(output: Path, ending: str) -> None:
    """Checks the name of an output that has one format only; without an ending, any name is right.

    Raises:
        UsageError: it ends as another format's.
    """
    if is_ending_of_none(output, output.suffix.lower(), (ending,)):
        raise UsageError(f"{output}: this command writes {ending}; use that ending")


def write_whole(pieces: Iterator[bytes], output: Path, *, force: bool, sources: list[Path]) -> None:
    """Writes an output, which appears whole or not at all; stdout gets each piece at once."""
    with whole_file(output, force=force, sources=sources) as file:
        for piece in pieces:
            file.write(piece)
            file.flush()


def load_topology(topology_file: Path | None) -> Topology | None:
    """What the user knows of the host, where there is a file of it."""
    if topology_file is None:
        return None
    from pywnv.host.loading import load

    return load(topology_file)


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; also of a name that no file can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def expanded(captures: list[Path]) -> list[Path]:
    """Captures; those of a folder in the order of their names.

    Raises:
        UsageError: a folder holds none.
    """
    from pywnv.parallel.many import captures_in

    return [path for capture in captures for path in (captures_in(capture) if is_folder(capture) else [capture])]


@contextmanager
def opened_capture(capture: Path, progress: Callable[[int], None]) -> Iterator[Path]:
    """A capture as all commands read it: of a Windows trace or a log of one, the pcapng."""
    from pywnv.capture.etl import is_trace
    from pywnv.capture.text import is_log

    if not (is_trace(capture) or is_log(capture)):
        yield capture
        return
    from pywnv.capture.convert import as_pcapng

    with as_pcapng(capture, progress=progress, warn=warn) as path:
        yield path
