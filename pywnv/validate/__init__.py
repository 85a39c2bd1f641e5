"""Whether what the installed Wireshark shows of a capture is true: precision, recall, and the frames that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.errors import TruthError, WnvError
from pywnv.validate import own, shown
from pywnv.validate.own import Own
from pywnv.validate.truth import COLUMNS, Measure, Told, groups, measure_packets, read

if TYPE_CHECKING:
    from pywnv.host.topology import Topology
    from pywnv.validate.shown import Shown

FIRST = 5  # differences that are told and explained, unless asked for another number

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Difference:
    """A frame of which Wireshark shows what the truth does not say.

    Attributes:
        frame: its number.
        words: what is shown, and what is true.
        why: how pywnv's engine explains it, line by line.
    """

    frame: int
    words: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What a capture's validation found.

    Attributes:
        capture: the file.
        truth: the file of its truth.
        frames: of the capture.
        judged: how many of them the truth describes.
        measures: of packets, and of each further column of the truth.
        differing: how many frames differ from the truth.
        differences: the first of these.
        own: Wireshark's own settings against duplicates, compared.
    """

    capture: str
    truth: str
    frames: int
    judged: int
    measures: tuple[Measure, ...]
    differing: int
    differences: tuple[Difference, ...]
    own: tuple[Own, ...]


def validate(
    capture: Path,
    truth: Path,
    *,
    topology: Topology | None = None,
    first: int = FIRST,
    warn: Warn = lambda _: None,
) -> Result:
    """Compares what the installed Wireshark, with the plugin, shows of a capture with the truth.

    Args:
        capture: a file in any format that Wireshark opens.
        truth: CSV, as `truth.read` takes it.
        topology: names and roles in the host, or None.
        first: how many of the differences are told and explained.
        warn: called with each warning, one line for the user.

    Raises:
        CaptureError: tshark cannot read the capture.
        TruthError: the truth cannot be read, or is of another capture.
        UsageError: the capture is stdin.
        WiresharkError: tshark is missing, or did not load the plugin.
    """
    told = read(truth)
    frames = shown.frames(capture, topology=topology, warn=warn)
    if max(told) > len(frames):
        shown.ask_why(capture, warn)
        raise TruthError(
            f"{truth}: names frame {max(told)}, but {capture} has {len(frames)}: does it belong to another capture?"
        )
    said, true = groups({frame: frames[frame] for frame in told}), groups(told)
    measures = [measure_packets(said, true), *_measure_columns(frames, told)]
    found = list(_differences(frames, told, said, true))
    numbers = dict.fromkeys(difference.frame for difference, _ in found)
    return Result(
        capture=str(capture),
        truth=str(truth),
        frames=len(frames),
        judged=len(told),
        measures=tuple(measures),
        differing=len(numbers),
        differences=tuple(_explained(capture, *one, said, topology) for one in islice(found, first)),
        own=own.compare(capture, frames, said, true),
    )


def _measure_columns(frames: Mapping[int, Shown], told: Mapping[int, Told]) -> Iterator[Measure]:
    for column in COLUMNS:
        cells = [
            (row.columns[column], frames[frame].columns[column]) for frame, row in told.items() if column in row.columns
        ]
        if cells:
            right = sum(bool(true) and true == said for true, said in cells)
            yield Measure(column, right, sum(bool(said) for _, said in cells), sum(bool(true) for true, _ in cells))


def _differences(
    frames: Mapping[int, Shown], told: Mapping[int, Told], said: Mapping[int, int], true: Mapping[int, int]
) -> Iterator[tuple[Difference, int | None]]:
    """What differs, in order of frames; with the frame that another is, or is not, the same packet as."""
    joined, parted = _Latest(), _Latest()
    for frame, row in told.items():
        wrong = joined.other(said[frame], true[frame], frame)
        missed = parted.other(true[frame], said[frame], frame)
        if wrong:
            yield Difference(frame, f"one packet with frame {wrong}, as shown; in truth it is another"), wrong
        if missed:
            yield (
                Difference(frame, f"another packet than frame {missed}, as shown; in truth it is the same"),
                missed,
            )
        for column, wanted in row.columns.items():
            found = frames[frame].columns[column]
            if found != wanted:
                words = f"shown with {column} {found or 'none'}; in truth it is {wanted or 'none'}"
                yield Difference(frame, words), None


class _Latest:
    """Remembers, for each group, its latest frames of two kinds."""

    def __init__(self) -> None:
        self._latest: dict[int, dict[int, int]] = {}

    def other(self, group: int, kind: int, frame: int) -> int | None:
        """The latest frame of a group that is of another kind than this one, which is the next."""
        kinds = self._latest.setdefault(group, {})
        found = max((latest for of, latest in kinds.items() if of != kind), default=None)
        kinds[kind] = frame
        if len(kinds) > 2:
            del kinds[min(kinds, key=kinds.__getitem__)]
        return found


def _explained(
    capture: Path, difference: Difference, other: int | None, said: Mapping[int, int], topology: Topology | None
) -> Difference:
    """A difference with the engine's reasons, where it reads such a capture and both frames are packets."""
    if other is None:
        return difference
    from pywnv.explain import compare, reasons

    try:
        pair = compare(capture, other, difference.frame, topology=topology)
    except WnvError:
        return difference
    lines = reasons(pair)
    shown_joined = said[other] == said[difference.frame]
    if (pair.rows[0].packet == pair.rows[1].packet) != shown_joined and not pair.rows[1].segment_of:
        lines.insert(
            0, "Wireshark shows something else than this pywnv decides: is another plugin installed? Run `pywnv doctor`"
        )
    return Difference(difference.frame, difference.words, tuple(lines))
