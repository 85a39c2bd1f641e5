"""One capture of many to annotate, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.annotate.rows import Engine, Format

if TYPE_CHECKING:
    from pywnv.host.topology import Topology


@dataclass(frozen=True)
class Job:
    """One capture to annotate: what `rows.rows` takes, and where its output goes."""

    capture: Path
    output: Path
    output_format: Format
    engine: Engine | None
    window: float | None
    topology: Topology | None
    display_filter: str | None
    force: bool
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Result:
    """How a job went.

    Attributes:
        job: that it was.
        warnings: what the user should know of the capture.
        error: what is wrong with the capture, in one line; None: all is well.
        fatal: what is wrong with the output: others will fare no better.
    """

    job: Job
    warnings: tuple[str, ...] = ()
    error: str | None = None
    fatal: str | None = None
