"""The command line: arguments in, a call of the library, words out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from pywnv.cli import batch, host, inspect, join, report, validate, view, why
from pywnv.cli.shared import (
    Capture,
    Commands,
    Force,
    PcapngOutput,
    TopologyFile,
    UsageProblem,
    load_topology,
    need_ending,
    opened_capture,
    progress_bar,
    show,
    tell,
    warn,
)
from pywnv.errors import Exit, ReaderGoneError, UsageError, WnvError
from pywnv.files.output import tidy_on_signals, whole_file
from pywnv.generate.project import differing, generated, generated_for, stale, write
from pywnv.version import __version__
from pywnv.words import count

app = typer.Typer(
    cls=Commands,
    help="Show which frames of a Windows capture are the same packet, and its path through the host.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        show(f"pywnv {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command()(batch.annotate)
app.command()(view.view)
app.command()(batch.dedup)
app.command()(why.why)


app.command()(inspect.inspect)
app.command()(report.report)


@app.command()
def explain(
    capture: Capture,
    frames: Annotated[
        list[int], typer.Argument(min=1, metavar="FRAME [FRAME]", help="Number of a frame, or of two to compare.")
    ],
    topology_file: TopologyFile = None,
) -> None:
    """Show the path of a frame's packet; for two frames, why they are or are not the same packet.

    Example: pywnv explain host.pcapng 7 9
    """
    from pywnv.explain import explain as lines_of

    if len(frames) > 2 or len(set(frames)) != len(frames):
        raise UsageError(f"explain: takes one frame or two different ones, not {' '.join(map(str, frames))}")
    with opened_capture(capture, lambda _: None) as opened:
        for line in lines_of(opened, tuple(frames), warn, topology=load_topology(topology_file)):
            show(line)


app.command()(validate.validate)


@app.command()
def convert(
    trace: Annotated[
        Path,
        typer.Argument(
            metavar="TRACE",
            help="A Windows trace (.etl) of pktmon, netsh or NetEvent, or a text log of pktmon etl2txt; - is stdin.",
        ),
    ],
    output: PcapngOutput,
    force: Force = False,
) -> None:
    """Convert a Windows trace to pcapng, with its hops, drops and events; an .etl needs dissect.etl.

    Example: pywnv convert pktmon.etl -o pktmon.pcapng
    """
    from pywnv.capture.convert import convert as write_pcapng

    need_ending(output, ".pcapng")
    with (
        progress_bar([trace], wanted=True) as progress,
        whole_file(output, force=force, sources=[trace]) as file,
    ):
        done = write_pcapng(trace, file, progress=progress, warn=warn)
    words = f"{count(done.packets, 'packet')}, {done.drops} of them dropped, {count(done.events, 'event')}"
    left = f"; {count(done.skipped, 'event')} without an id left out" if done.skipped else ""
    tell(words + left)


app.command()(join.join)


@app.command()
def generate(
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where lua/ and profiles/ are; . is this folder.")
    ] = Path(),
    topology_file: TopologyFile = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file would change.")] = False,
) -> None:
    """Write lua/wnv.lua and profiles/; with --host, for your host.

    Example: pywnv generate --host host.toml
    """
    topology = load_topology(topology_file)
    name = topology_file.stem if topology_file else ""
    if check:
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder")
        old = stale(generated_for(topology, name), folder) if topology else differing(folder)
        for path in old:
            tell(f"{path}: is out of date; run `pywnv generate`")
        raise typer.Exit(Exit.DIFFERENT if old else Exit.OK)
    for path in write(generated_for(topology, name) if topology else generated(), folder):
        show(path)


TsharkOption = Annotated[
    str | None,
    typer.Option("--tshark", metavar="FILE", help="The tshark of the Wireshark to use. Default: the one in PATH."),
]


@app.command()
def install(
    tshark: TsharkOption = None,
    topology_file: TopologyFile = None,
    deinterlace: Annotated[
        bool | None,
        typer.Option(
            help="Analyse the TCP of each interface separately; costs CPU. Default: on from Wireshark 4.4 on."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files of the same names, even if pywnv did not put them there.")
    ] = False,
) -> None:
    """Put the plugin, the profiles and the capture interface into Wireshark's folders, and check that they load.

    Example: pywnv install
    """
    from pywnv.wireshark import install as installing
    from pywnv.wireshark.folders import find_folders
    from pywnv.wireshark.probe import tell_version
    from pywnv.wireshark.tshark import find_tshark

    tshark = tshark or find_tshark()
    outcome = installing.install(
        tshark,
        tell_version(tshark),
        find_folders(tshark),
        topology=load_topology(topology_file),
        names=str(topology_file.absolute()) if topology_file else "",
        deinterlace=deinterlace,
        force=force,
    )
    for path in outcome.done:
        show(path)
    for path in outcome.kept:
        warn(f"{path}: kept, as you changed it; --force replaces it")
    for path in outcome.others:
        warn(f"{path}: the plugin is here too, and Wireshark loads only one: delete this one")
    tell("restart Wireshark and choose the profile WNV at the lower right")


@app.command()
def uninstall(tshark: TsharkOption = None) -> None:
    """Remove exactly what install put there; files that you changed are kept.

    Example: pywnv uninstall
    """
    from pywnv.errors import WiresharkError
    from pywnv.wireshark import install as installing
    from pywnv.wireshark.folders import find_folders, usual_folders
    from pywnv.wireshark.tshark import find_tshark

    try:
        folders = find_folders(tshark or find_tshark())
    except WiresharkError:
        if tshark:
            raise
        folders = usual_folders()  # Wireshark went first
    outcome = installing.uninstall(folders)
    if outcome is None:
        tell(f"{folders.config}: pywnv has installed nothing here")
        return
    for path in outcome.done:
        show(path)
    for path in outcome.kept:
        warn(f"{path}: kept, as you changed it")


@app.command()
def doctor(tshark: TsharkOption = None) -> None:
    """Check Wireshark, plugin and profiles; say what is wrong and what to type. Exit code 1 if something is wrong.

    Example: pywnv doctor
    """
    from pywnv.errors import WiresharkError
    from pywnv.wireshark.doctor import Finding, examine
    from pywnv.wireshark.probe import GET_WIRESHARK
    from pywnv.wireshark.tshark import find_tshark

    wrong = False
    try:
        findings = examine(tshark or find_tshark())
    except WiresharkError as error:
        findings = iter([Finding(str(error).partition(";")[0], GET_WIRESHARK)])
    for finding in findings:
        show(f"{'wrong' if finding.remedy else 'ok':<6} {finding.words}")
        if finding.remedy:
            wrong = True
            show(f"       do: {finding.remedy}")
    raise typer.Exit(Exit.DIFFERENT if wrong else Exit.OK)


app.add_typer(host.app, name="host")

profile_app = typer.Typer(cls=Commands, help="Wireshark profiles as files.", no_args_is_help=True)
app.add_typer(profile_app, name="profile")


@profile_app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="OUT.zip", help="Zip to write; - is stdout.")],
    deinterlace: Annotated[
        bool,
        typer.Option("--deinterlace", help="Analyse the TCP of each interface separately: Wireshark 4.4 or newer."),
    ] = False,
    force: Force = False,
) -> None:
    """Write the profiles as a zip for Edit > Configuration Profiles > Import.

    Example: pywnv profile export wnv-profiles.zip
    """
    from pywnv.wireshark.profile_zip import profiles_zip

    need_ending(output, ".zip")
    with whole_file(output, force=force) as file:
        file.write(profiles_zip(deinterlace=deinterlace))


def _tell(error: WnvError | OSError) -> None:
    if isinstance(error, OSError):  # a full disk takes no help text
        error = WnvError(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    tell(error)


def _tell_usage(error: typer.BadParameter) -> None:
    """Tells the user in one line what is wrong with the arguments; typer itself would print four."""
    words = error.format_message()
    if error.ctx and words == error.ctx.get_help():  # as no argument was given
        with suppress(OSError):
            error.show()
        return
    problems = getattr(error.__cause__, "errors", None)  # pydantic's, which does not repeat what it was given
    if problems and (given := problems()[0].get("input")) is not None:
        words = words.replace("Value error, ", "").replace("Input should be", f"{str(given)!r} should be")
        words = words.partition(", unable to parse")[0]
    command = error.ctx.command_path if error.ctx else "pywnv"
    tell(f"{words}{'' if words.endswith(('.', '?')) else '.'} See `{command} --help`")


def main() -> None:
    """Runs the command line: errors leave as one line and exit code 2."""
    tidy_on_signals()
    try:
        raise SystemExit(app(standalone_mode=False) or Exit.OK)
    except UsageProblem as error:
        _tell_usage(error)
        raise SystemExit(Exit.ERROR) from None
    except ReaderGoneError:
        raise SystemExit(Exit.OK) from None  # `| head`
    except (WnvError, OSError) as error:
        _tell(error)
        raise SystemExit(Exit.ERROR) from None
    except (KeyboardInterrupt, typer.Abort):
        raise SystemExit(130) from None
