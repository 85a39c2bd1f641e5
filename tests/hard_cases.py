"""Captures that are hard to see through, with the truth.

`.venv/bin/python tests/hard_cases.py FOLDER [NAME...]` writes NAME.pcapng and NAME.truth.csv of these cases, or of all.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import hard_cases_equal  # noqa: F401 - imported to register its cases
import hard_cases_floods  # noqa: F401 - imported to register its cases
import hard_cases_hops  # noqa: F401 - imported to register its cases
import hard_cases_negative  # noqa: F401 - imported to register its cases
import hard_cases_one_hop  # noqa: F401 - imported to register its cases
import hard_cases_order  # noqa: F401 - imported to register its cases
import hard_cases_real  # noqa: F401 - imported to register its cases
from hard_capture import CASES, Case, Frame, to_pcapng, truth

__all__ = ["CASES", "Case", "Frame", "to_pcapng", "truth"]


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or CASES:
        made = CASES[name]()
        (folder / f"{name}.pcapng").write_bytes(to_pcapng(made))
        with (folder / f"{name}.truth.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("frame", "packet", "hop", "part"))
            rows.writerows(truth(made))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
