"""The sample captures: made again byte for byte, small, each with its truth."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import deep_dive
import samples
from command import CAPTURES


def test_the_hard_cases_are_what_is_built() -> None:
    built = list(samples.built())
    for name, capture, truth in built:
        assert gzip.decompress((samples.FOLDER / f"{name}.pcapng.gz").read_bytes()) == capture, name
        assert (samples.FOLDER / f"{name}.truth.csv").read_text("utf-8") == truth, name
    assert {path.name.partition(".")[0] for path in samples.FOLDER.iterdir()} == {name for name, _, _ in built}


def test_the_truth_of_the_examples_is_what_is_built() -> None:
    built = {f"{name}.truth.csv": deep_dive.truth(example, tool) for name, example, tool in deep_dive.names()}
    committed = {path.name: path.read_text("utf-8") for path in deep_dive.FOLDER.glob("*.truth.csv")}
    assert committed == built


def test_the_list_names_each_capture_once_and_the_readme_tells_how_it_was_made() -> None:
    with (CAPTURES / "samples.csv").open(newline="", encoding="utf-8") as file:
        listed = [row["capture"] for row in csv.DictReader(file)]
    assert len(set(listed)) == len(listed)
    made = {
        f"{folder}/{path.name}" for folder in ("deep-dive", "hard") for path in (CAPTURES / folder).glob("*.pcapng*")
    }
    assert made <= set(listed)
    words = (CAPTURES / "README.md").read_text("utf-8") + (deep_dive.FOLDER / "README.md").read_text("utf-8")
    for name in listed:
        stem = Path(name).name.partition(".")[0]
        example = stem.rpartition("-")[0] if "deep-dive" in name else stem
        assert f"`{stem}`" in words or f"`{example}-*`" in words, name
        assert (CAPTURES / name).stat().st_size < 200_000
