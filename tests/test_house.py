"""The rooms of the package: which may use which, and that no name stands for two things."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "pywnv"
MOST_LINES, MOST_LINES_OF_ENGINE = 400, 300


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports, also inside functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pywnv"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found - {module_name(path)}


def room(module: str) -> str:
    """The folder or the single file of the package: pywnv.cli.batch stands in pywnv.cli."""
    return ".".join(module.split(".")[:2])


USES = {name: imported(path) for name, path in MODULES.items()}


def test_no_circle_of_modules() -> None:
    list(TopologicalSorter(USES).static_order())  # raises CycleError, which names the circle


def test_no_circle_of_rooms() -> None:
    rooms: dict[str, set[str]] = {}
    for name, used in USES.items():
        rooms.setdefault(room(name), set()).update({room(other) for other in used} - {room(name)})
    list(TopologicalSorter(rooms).static_order())


def test_rooms_use_what_stands_below_them_on_the_page() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    lines = re.findall(r"^\| (`[^|]*) \|", page.partition("## The packages")[2].partition("\n## ")[0], re.M)
    names = [re.findall(r"`(\w+)(?:/|\.py)`", line) for line in lines]
    place = {f"pywnv.{name}": at for at, line in enumerate(names) for name in line}
    used = {(room(name), room(other)) for name, others in USES.items() for other in others}
    outside = {"pywnv", "pywnv.__main__"}
    assert {room(name) for name in MODULES} - outside == set(place)
    assert not {(one, other) for one, other in used if one not in outside and place[one] > place[other]}


def test_only_the_command_line_uses_the_command_line() -> None:
    users = {room(name) for name, used in USES.items() if any(room(other) == "pywnv.cli" for other in used)}
    assert users <= {"pywnv.cli", "pywnv.__main__"}


def test_files_are_short() -> None:
    long = {
        path: lines
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".lua", ".j2"}
        if (lines := path.read_text("utf-8").count("\n"))
        > (MOST_LINES_OF_ENGINE if "engine" in path.parts else MOST_LINES)
    }
    assert not long


def test_a_function_keeps_its_name_when_the_room_of_that_name_is_loaded() -> None:
    load = "; ".join(f"import {name}" for name in sorted(MODULES) if "__main__" not in name)
    code = f"import pywnv; {load}; assert callable(pywnv.annotate)"
    subprocess.run([sys.executable, "-c", code], check=True)
