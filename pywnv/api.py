"""The functions of `import pywnv`: annotations of a capture, one by one or as a table; why packets end; reports."""

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
    """The captures as the engine reads them; a Windows trace is converted to pcapng first."""
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
    """Annotates a capture: yields an `Annotation`, a named tuple, for each frame, in file order.

    Args:
        capture: pcapng or pcap, plain or gzipped; a Windows trace (.etl); other formats through the user's tshark. A
            list is read as one capture, like the files of a ring buffer.
        engine: "lupa" or "tshark"; None for the fastest that can read the capture.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host, as `pywnv.host.loading.load` returns them.
        display_filter: Wireshark's; yields only frames that match. Needs tshark.
        warn: called with each warning, one line for the user.

    Raises:
        CaptureError: the capture is missing, in another format, or broken.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
        WiresharkError: tshark is missing, or does not load the plugin.
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
    """The annotations of a capture as a `pyarrow.Table`: one row for each frame, the columns of the table of fields.

    Args:
        capture: as for `annotate`.
        engine: as for `annotate`.
        window: likewise.
        topology: likewise.
        display_filter: likewise.
        warn: likewise.

    Returns:
        A table with the columns of docs/fields.md, typed as docs/batch.md says: times in nanoseconds UTC, latencies in
        seconds, named values as dictionaries, null for what does not apply.

    Raises:
        CaptureError: the capture is missing, in another format, or broken.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
        UsageError: pyarrow is not installed.
        WiresharkError: tshark is missing, or does not load the plugin.
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
    """Reads captures and reports what is wrong, the host, paths, latency and drops; of several, the worst first.

    Args:
        captures: pcapng, pcap or .etl files; ``-`` is stdin.
        title: of the report; None for the name of the capture.
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host, as `pywnv.host.loading.load` returns them.

    Returns:
        A `Report`: `captures` holds the results, `html()` makes the page, `markdown()` the text for a ticket.

    Raises:
        CaptureError: the only capture is missing, in another format, or broken; of several, `unread` lists those.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
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
    """Says how many packets end where, and why. Give exactly one of `ip`, `nic` and `flow` to choose the packets.

    Args:
        capture: pcapng or pcap (also gzipped), or a Windows trace (.etl); also annotated ones. A list is read as one
            capture, in order of time.
        ip: an IPv4 or IPv6 address: packets from and to it, and ARP requests for it.
        nic: the name of a hop or NIC, upper or lower case, with or without its role; if no name is equal, a part.
        flow: both directions of a TCP or UDP flow: "10.0.0.1:50000-10.0.0.9:443", "[fd00::1]:50000-[fd00::9]:443".
        window: longest time between two sightings of one packet, in seconds; None for the engine's default.
        topology: names and roles in the host.
        warn: called with each warning, one line for the user.

    Returns:
        An `Answer`: `sentence` says it in words, `statistics` in numbers. `statistics.packets` is 0 if there is no such
        packet.

    Raises:
        CaptureError: a capture is missing, in a format that pywnv cannot read without tshark, or broken.
        UsageError: not exactly one of `ip`, `nic` and `flow` is given, or one of several captures is a pipe.
        MissingExtraError: it is a Windows trace, and the extra `etl` is not installed.
    """
    from pywnv.why.answer import ask, selection_of

    selection = selection_of(ip, nic, flow)
    paths = [Path(one) for one in ([capture] if isinstance(capture, Path | str) else capture)]
    return ask(paths, selection, window=window, topology=topology, warn=warn)
