"""Records the options of the outputs in a folder, so that a second run skips only outputs with the same options.

They are in a hidden file in that folder, one line for each output; the last line for an output counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.errors import OutputError

if TYPE_CHECKING:
    from pywnv.parallel.job import Job

RECORD = ".pywnv-options.jsonl"


def options_of(job: Job) -> dict[str, object]:
    """What decides what is in an output; the engine does not, as both write the same."""
    return {
        "--format": str(job.output_format),
        "--columns": list(job.columns) if job.columns is not None else None,
        "--window": job.window,
        "--filter": job.display_filter,
        "--host": sha256(job.topology.model_dump_json().encode()).hexdigest() if job.topology else None,
    }


def recorded(folder: Path) -> dict[str, Mapping[str, object]]:
    """The options of the outputs in a folder, by their names; of what is not known nothing."""
    known: dict[str, Mapping[str, object]] = {}
    try:
        text = (folder / RECORD).read_text("utf-8", "replace")
    except OSError:
        return known
    for line in text.splitlines():
        with suppress(ValueError, KeyError, TypeError):  # whoever wrote it may have been killed
            entry = json.loads(line)
            known[entry["output"]] = entry["options"] or {}
    return known


def record(job: Job, *, done: bool) -> None:
    """Notes the options of an output; before it is replaced, that they are not known.

    Raises:
        OutputError: that cannot be written.
    """
    path = job.output.parent / RECORD
    entry = {"output": job.output.name, "options": options_of(job) if done else None}
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def difference(job: Job, known: Mapping[str, Mapping[str, object]]) -> str | None:
    """What keeps an output from being that of a job, in words; None: it is."""
    then = known.get(job.output.name)
    if not then:
        return "its options were not recorded"
    differing = [name for name, value in options_of(job).items() if then.get(name) != value]
    return f"was written with another {' and '.join(differing)}" if differing else None
