"""What the tests of `pywnv validate` share: captures, their truth, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path

from command import CAPTURES, run

UDPSAME = CAPTURES / "udpsame.pcapng.gz"
VLAN_LOSS = CAPTURES / "vlan-loss.pcapng.gz"

Settings = dict[str, str]


def truth_of(capture: Path) -> Path:
    return capture.with_name(capture.name.partition(".")[0] + ".truth.csv")


def found(
    capture: Path, truth_file: Path, *options: object, rc: int = 0, environment: Settings | None = None
) -> dict[str, object]:
    """The only capture in what `pywnv validate --json` says."""
    done = run("validate", capture, "--truth", truth_file, "--json", *options, environment=environment)
    assert (done.returncode, done.stderr) == (rc, b""), done.stdout
    (one,) = json.loads(done.stdout)["captures"]
    return one
