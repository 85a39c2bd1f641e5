"""The sample captures, with their truth, that come with the package."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

LIST = "samples.csv"


class Sample(NamedTuple):
    """A capture that comes with the package.

    Attributes:
        capture: the file.
        truth: the file of its truth.
        shows: what there is to see in it.
    """

    capture: Path
    truth: Path
    shows: str

    @property
    def name(self) -> str:
        """Its name without the endings of its file."""
        return self.capture.name.partition(".")[0]


def folder() -> Path:
    """Where the samples are."""
    package = Path(str(files("pywnv")))
    shipped = package / "samples"
    # In a checkout they are where the tests have them: a wheel gets them from there.
    return shipped if (shipped / LIST).is_file() else package.parent / "tests" / "captures"


def samples() -> Iterator[Sample]:
    """The samples, in the order of their list."""
    where = folder()
    with (where / LIST).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            capture = where / row["capture"]
            truth = capture.with_name(capture.name.partition(".")[0] + ".truth.csv")
            yield Sample(capture, truth, row["shows"])
