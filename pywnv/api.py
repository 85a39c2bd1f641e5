"""What `import pywnv` offers: the annotations of a capture, one by one or as an Arrow table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.annotation import Annotation

if TYPE_CHECKING:
    from pywnv.rows import Engine
    from pywnv.topology import Topology


def _silent(_: str) -> None:
    pass


def _paths(capture: Path | str | Sequence[Path | str]) -> list[Path]:
    return [Path(capture)] if isinstance(capture, Path | str) else [Path(one) for one in capture]


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
        capture: pcapng or pcap, plain or gzipped; other formats by the user's tshark. Several go on from each other,
            as the files of a ring buffer do.
        engine: which body of the engine reads it; None for the fastest that can.
        window: longest time between two sightings of one packet, in seconds; None for the engine's own.
        topology: what the user knows of the host, as `pywnv.topology.load` reads it.
        display_filter: of Wireshark, by which frames are chosen; that takes tshark.
        warn: is told what the user should know of the capture, in one line.

    Raises:
        CaptureError: the capture is missing, of another kind, or broken.
        WiresharkError: there is no tshark, or it loads no plugin.
    """
    from pywnv import fields
    from pywnv.rows import Format, rows

    at = {column: number for number, column in enumerate(fields.columns())}
    seconds = [at[field.column] for field in fields.FIELDS if field.type is fields.Type.SECONDS]
    time = at["time"]
    pieces = rows(
        _paths(capture),
        output_format=Format.JSONL,
        engine=engine,
        window=window,
        topology=topology,
        display_filter=display_filter,
        warn=warn,
    )
    for piece in pieces:
        for line in piece.splitlines():
            values = list(json.loads(line, parse_float=str).values())
            if values[time] is not None:
                values[time] = Decimal(values[time])
            for number in seconds:
                if values[number] is not None:
                    values[number] = float(values[number])
            yield Annotation._make(values)


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
        UsageError: pyarrow is not installed.
        WiresharkError: there is no tshark, or it loads no plugin.
    """
    from pywnv import arrow
    from pywnv.rows import rows

    return arrow.table(
        rows(_paths(capture), engine=engine, window=window, topology=topology, display_filter=display_filter, warn=warn)
    )
