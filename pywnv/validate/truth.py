"""What is known of a capture's frames, and how much of it is found: precision and recall."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pywnv.errors import TruthError

COLUMNS = ("hop", "segment_of", "drop", "drop_reason")  # of a truth, beside frame and packet
MAY_BE_UNKNOWN = frozenset({"hop"})  # where a cell of the others is empty, there is none
TRUE = "true"


@dataclass(frozen=True)
class Told:
    """What the truth tells of a frame.

    Attributes:
        packet: frames with the same number show the same packet; None: it shows none.
        whole: the larger frame that this one was cut from.
        columns: what it tells beside, by column.
    """

    packet: int | None
    whole: int | None
    columns: dict[str, str]


class Sighting(Protocol):
    """What counts of a frame: the packet that it shows, and the larger frame that it was cut from."""

    @property
    def packet(self) -> int | None:
        """The packet's number."""

    @property
    def whole(self) -> int | None:
        """The larger frame."""


@dataclass(frozen=True)
class Measure:
    """How much of what is said is right, and how much of what is right is said.

    Attributes:
        what: `packets`, which counts pairs of frames that show the same packet; or a column, which counts frames.
        right: how many are said and true.
        said: how many are said.
        true: how many are true.
    """

    what: str
    right: int
    said: int
    true: int

    @property
    def precision(self) -> float:
        """The share of what is said that is true; 1 where nothing is said."""
        return self.right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        """The share of what is true that is said; 1 where there is nothing to say."""
        return self.right / self.true if self.true else 1.0


def read(path: Path) -> dict[int, Told]:
    """Reads a truth: CSV with the columns frame and packet and, where it has them, hop, segment_of, drop, drop_reason.

    Other columns are skipped. An empty packet is a frame that shows none; an empty hop is not known; an empty
    segment_of, drop or drop_reason says that there is none.

    Returns:
        What is told of each frame, in order of their numbers.

    Raises:
        TruthError: it cannot be read, or is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            missing = [name for name in ("frame", "packet") if name not in (table.fieldnames or ())]
            if missing:
                raise TruthError(f"{path}: line 1: has no column {missing[0]}; a truth begins with `frame,packet`")
            columns = [name for name in COLUMNS if name in (table.fieldnames or ())]
            told: dict[int, Told] = {}
            for row in table:
                where = f"{path}: line {table.line_num}"
                frame = _number(row, "frame", where)
                if frame is None or frame in told:
                    raise TruthError(f"{where}: {'has no frame' if frame is None else f'frame {frame} a second time'}")
                whole = _number(row, "segment_of", where) if "segment_of" in columns else None
                told[frame] = Told(_number(row, "packet", where), whole, _cells(row, columns))
    except OSError as error:
        raise TruthError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TruthError(f"{path}: is not a CSV file in UTF-8: {error}") from error
    if not told:
        raise TruthError(f"{path}: holds no frame")
    return dict(sorted(told.items()))


def _number(row: dict[str, str | None], column: str, where: str) -> int | None:
    text = (row[column] or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:11]) < 2**32):
        raise TruthError(f"{where}: {column} {text[:20]!r} is not a frame number")
    return int(text)


def _cells(row: dict[str, str | None], columns: list[str]) -> dict[str, str]:
    cells = {column: (row[column] or "").strip() for column in columns}
    if "drop" in cells:
        cells["drop"] = TRUE if cells["drop"].lower() in (TRUE, "1") else ""
    return {column: text for column, text in cells.items() if text or column not in MAY_BE_UNKNOWN}


def groups(frames: Mapping[int, Sighting]) -> dict[int, int]:
    """For each frame, the packet that it counts for: a segment counts for that of the larger frame.

    A frame that shows no packet counts for itself alone.
    """
    # Below 0: no packet has that number.
    found = {number: -number if frame.packet is None else frame.packet for number, frame in frames.items()}
    for number, frame in frames.items():
        if frame.whole is not None:
            found[number] = found.get(frame.whole, frame.whole)
    return found


def pairs(of: Mapping[int, object]) -> int:
    """How many pairs of frames are in the same group."""
    return sum(count * (count - 1) // 2 for count in Counter(of.values()).values())


def measure_packets(said: Mapping[int, int], true: Mapping[int, int]) -> Measure:
    """Precision and recall over the pairs of frames that show the same packet.

    Args:
        said: the group of each frame.
        true: the group of each frame, of the same frames.
    """
    both = pairs({frame: (group, said[frame]) for frame, group in true.items()})
    return Measure("packets", both, pairs(said), pairs(true))
