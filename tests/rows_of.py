"""The rows of a capture, as JSON has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.host.topology import Topology


def annotated(path: Path, engine: Engine = Engine.LUPA, topology: Topology | None = None) -> list[dict[str, Any]]:
    text = b"".join(rows(path, engine=engine, output_format=Format.JSONL, topology=topology))
    return [json.loads(line) for line in text.splitlines()]
