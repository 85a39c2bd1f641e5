"""What `import pywnv` offers: the annotations of a capture, one by one or as a table; why packets end; reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.tables.annotation import Annotation

if TYPE_CHECKING:
    from pywnv.annotate.rows import Engine
    from pywnv.host.topology import Topology
    from pywnv.report.build import Report
    from pywnv.why.answer import Answer


def _silent(_: str) -> None:
    pass


@contextmanager
def _opened(capture: Path | str | Sequence[Path | str], warn: Callable[[str], None]) -> Iterator[list[Path]]:
    """The captures as the engine reads them: of a Windows trace, the pcapng."""
    from pywnv.capture.convert import as_pcapng

    captures = [capture] if isinstance(capture, Path | str) else capture
    with ExitStack() as stack:
        yield [stack.enter_context(as_pcapng(Path(one), warn=warn)) for one in captures]


def annotate(
    capture: Path | str | Sequence[Path | str],
    *,
    engine: Engine | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    display_filter: str | None = None,
    warn: Callable[[str], None] = _silent,
) -> Iterator[Annotation]:
    """Annotates a capture, frame by frame, as they are decided.

    Args:
        capture: pcapng or pcap, plain or gzipped; a Windows trace (.etl); other formats by the user's tshark. Several
            go on from each other, as the files of a ring buffer do.
        engine: which body of the engine reads it; None for the fastest that can.
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        topology: what the user knows of the host, as `pywnv.host.loading.load` reads it.
        display_filter: of Wireshark, by which frames are chosen; that takes tshark.
        warn: is told what the user should know of the capture, in one line.

    Raises:
        CaptureError: the capture is missing, of another kind, or broken.
        MissingExtraError: it is a trace, and what reads traces is not installed.
        WiresharkError: there is no tshark, or it loads no plugin.
    """
    from pywnv.annotate.rows import batches

    with _opened(capture, warn) as opened:
        found = batches(
            opened, engine=engine, window=window, topology=topology, display_filter=display_filter, warn=warn
        )
        for batch in found:
            yield from batch.rows()


def annotate_table(
    capture: Path | str | Sequence[Path | str],
    *,
    engine: Engine | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    display_filter: str | None = None,
    warn: Callable[[str], None] = _silent,
) -> Any:
    """The annotations of a capture as a `pyarrow.Table`: a row a frame, the columns of the table of fields.

    Args:
        capture: as `annotate` takes it, and so the other arguments.
        engine: which body of the engine reads it.
        window: longest time between two sightings of one packet, in seconds.
        topology: what the user knows of the host.
        display_filter: of Wireshark.
        warn: is told what the user should know of the capture.

    Raises:
        CaptureError: the capture is missing, of another kind, or broken.
        MissingExtraError: it is a trace, and what reads traces is not installed.
        UsageError: pyarrow is not installed.
        WiresharkError: there is no tshark, or it loads no plugin.
    """
    from pywnv.annotate import arrow
    from pywnv.annotate.rows import batches

    with _opened(capture, warn) as opened:
        return arrow.table(
            batches(opened, engine=engine, window=window, topology=topology, display_filter=display_filter, warn=warn)
        )


def report(
    captures: Path | str | Sequence[Path | str],
    *,
    title: str | None = None,
    window: float | None = None,
    topology: Topology | None = None,
) -> Report:
    """A report of captures: what is wrong, the host, paths, latency, drops; of several the worst first.

    Args:
        captures: pcapng, pcap or .etl; ``-`` is stdin.
        title: of the report; None: the name of the capture.
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        topology: what the user knows of the host, as `pywnv.host.loading.load` reads it.

    Returns:
        What was found, as `captures`; `html()` is the page, `markdown()` the text for a ticket.

    Raises:
        CaptureError: the only capture is missing, of another kind, or broken; of several, `unread` names those.
        MissingExtraError: it is a trace, and what reads traces is not installed.
    """
    from pywnv.report import build

    paths = [captures] if isinstance(captures, Path | str) else captures
    return build.report([Path(path) for path in paths], title=title, window=window, topology=topology)


def why(
    capture: Path | str | Sequence[Path | str],
    *,
    ip: str | None = None,
    nic: str | None = None,
    flow: str | None = None,
    window: float | None = None,
    topology: Topology | None = None,
    warn: Callable[[str], None] = _silent,
) -> Answer:
    """Says where some packets end, how many, and why; one of `ip`, `nic` and `flow` says which.

    Args:
        capture: pcapng, pcap, also gzipped, or a Windows trace (.etl); annotated ones too. Several are one, in the
            order of their times.
        ip: an IPv4 or IPv6 address: its packets, and what ARP asks of it.
        nic: the name of a hop or of a NIC, with or without its role, in any case; where none is called so, any part.
        flow: both ways of a TCP or UDP flow: "10.0.0.1:50000-10.0.0.9:443", "[fd00::1]:50000-[fd00::9]:443".
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        topology: what the user knows of the host.
        warn: is told what the user should know of the capture, in one line.

    Returns:
        The answer: its `sentence`, its `statistics`; where there is no such packet, `statistics.packets` is 0.

    Raises:
        CaptureError: a capture is missing, of a kind that pywnv does not read by itself, or broken.
        UsageError: it is not said which packets, or one of several captures is a pipe.
        MissingExtraError: it is a trace, and what reads traces is not installed.
    """
    from pywnv.why.answer import ask, selection_of

    selection = selection_of(ip, nic, flow)
    paths = [Path(one) for one in ([capture] if isinstance(capture, Path | str) else capture)]
    return ask(paths, selection, window=window, topology=topology, warn=warn)
