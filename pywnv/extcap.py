"""A file as a capture interface of Wireshark's (extcap): says what there is to choose, then sends the annotated frames.

Wireshark runs it anew for each question: which interfaces, what to choose for them, and at last the capture.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from pywnv.errors import Exit, OutputError, UsageError, WnvError
from pywnv.files.output import tidy_on_signals
from pywnv.version import __version__
from pywnv.wireshark.interface import NAME
from pywnv.words import one_line

INTERFACES = f"""\
extcap {{version={__version__}}}
interface {{value={NAME}}}{{display=Windows trace or capture, by pywnv}}
"""
LINK_TYPES = "dlt {number=1}{name=EN10MB}{display=as the file says}\n"
CHOICES = """\
arg {number=0}{call=--file}{display=Trace or capture}{type=fileselect}{mustexist=true}{required=true}\
{tooltip=.etl of pktmon, netsh trace or NetEvent; pcapng or pcap, also gzipped}
arg {number=1}{call=--host}{display=Host (optional)}{type=fileselect}{mustexist=true}\
{tooltip=The host's inventory, a topology file, or the output of pktmon list --json: names and roles of its NICs}
"""
NO_FILTER = "a capture filter cannot be used on a file: leave it empty, and use a display filter"

NO_NEWS = "in blocks that cannot hold a comment"  # as the events of every trace are: the plugin looks at them itself


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers Wireshark: on stdout, or with frames in the pipe that it names; one line on stderr where it cannot.

    Args:
        arguments: as Wireshark gives them; None for those of this process.

    Returns:
        The exit code.
    """
    tidy_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if stream:  # Wireshark takes all for UTF-8
            stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    with ExitStack() as stack:
        try:
            _answer(_parsed(arguments), stack)
        except (WnvError, ArgumentError) as error:
            print(one_line(f"pywnv: {error}"), file=sys.stderr, flush=True)
            return Exit.ERROR
        except KeyboardInterrupt:
            return Exit.OK  # of tshark, which has ended the capture
        finally:
            # Wireshark ends who closes the pipe: by now all is said and tidied up.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return Exit.OK


def _parsed(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for question in ("--extcap-interfaces", "--extcap-dlts", "--extcap-config", "--capture"):
        parser.add_argument(question, action="store_true")
    for name in ("--extcap-interface", "--extcap-capture-filter", "--fifo", "--file", "--host"):
        parser.add_argument(name)
    known, _ = parser.parse_known_args(arguments)  # newer versions of Wireshark may say more
    return known


def _answer(asked: Namespace, stack: ExitStack) -> None:
    if asked.extcap_interfaces:
        print(INTERFACES, end="")
        return
    if asked.extcap_interface is None:
        raise UsageError("Wireshark runs this program; to read a capture, use `pywnv view` or `pywnv annotate`")
    if asked.extcap_interface != NAME:
        raise UsageError(f"--extcap-interface {asked.extcap_interface}: there is {NAME} only")
    if asked.extcap_dlts:
        print(LINK_TYPES, end="")
    elif asked.extcap_config:
        print(CHOICES, end="")
    elif asked.capture and asked.fifo:
        # Opened before anything can go wrong: else Wireshark tells that there was no pipe, too.
        try:
            pipe = stack.enter_context(Path(asked.fifo).open("wb", buffering=0))  # noqa: SIM115
        except OSError as error:
            raise OutputError(f"{asked.fifo}: {error.strerror or error}") from error
        _capture(asked, pipe)
    elif asked.extcap_capture_filter:
        print(NO_FILTER)  # the answer to whether this one is right


def _capture(asked: Namespace, pipe: BinaryIO) -> None:
    if asked.extcap_capture_filter:
        raise UsageError(NO_FILTER)
    if not asked.file:
        raise UsageError(f"no file was chosen; in tshark: -o extcap.{NAME}.file:/whole/path.pcapng")
    for name in (asked.file, asked.host):
        if name and not Path(name).is_absolute():
            raise UsageError(f"{name}: give its full path")  # Wireshark runs us in a folder of its own
    with ExitStack() as stack:
        for piece in _annotated(Path(asked.file), Path(asked.host) if asked.host else None, stack):
            if not _sent(piece, pipe):
                return


def _annotated(capture: Path, host: Path | None, stack: ExitStack) -> Iterator[bytes]:
    from pywnv.annotate.rows import Format, rows
    from pywnv.capture.convert import as_pcapng
    from pywnv.host.loading import load
    from pywnv.parallel.parts import by

    def warn(words: str) -> None:
        if NO_NEWS not in words:  # Wireshark shows each as an error, in a window of its own
            told = words.replace(str(opened), str(capture))
            print(one_line(f"pywnv: warning: {told}"), file=sys.stderr, flush=True)

    opened = capture
    opened = stack.enter_context(as_pcapng(capture, warn=warn))
    return rows(
        opened,
        output_format=Format.PCAPNG,
        topology=load(host) if host else None,
        in_parts=by(os.cpu_count() or 1),
        warn=warn,
    )


def _sent(piece: bytes, pipe: BinaryIO) -> bool:
    """Whether the pipe has taken a piece; not where Wireshark has stopped the capture."""
    view = memoryview(piece)
    try:
        while view:
            view = view[pipe.write(view) :]
    except OSError:
        return False
    return True


if __name__ == "__main__":  # not in the processes that it starts
    sys.exit(main())
