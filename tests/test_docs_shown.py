"""README and the pages: what they show is printed, and the commands and options that they name are there."""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import typer.main
from command import CAPTURES, run
from conftest import PROJECT, run_wireshark

from pywnv.cli.main import app

PAGES = {
    str(path.relative_to(PROJECT)): path.read_text("utf-8")
    for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("examples/*.md"))
}
BLOCK = r"((?:    .*\n|\n)+)"  # indented
SHOWN = [
    (page, command, wanted)
    for page in ("README.md", "docs/why.md")
    for command, wanted in re.findall(rf"^    \$ pywnv (.*)\n{BLOCK}", PAGES[page], re.M)
]


def printed(*arguments: object, folder: Path = PROJECT) -> str:
    """What a command says, with one blank for each break of a line."""
    done = run(*arguments, before=f"os.chdir({str(folder)!r})")
    assert done.stderr == b""
    return " ".join(done.stdout.decode().split())


@pytest.mark.parametrize(("page", "command", "wanted"), SHOWN)
def test_a_command_prints_what_the_page_shows(page: str, command: str, wanted: str) -> None:
    said = printed(*shlex.split(command))
    for part in wanted.split("..."):
        assert " ".join(part.split()) in said


def test_the_table_of_the_first_minute() -> None:
    command, table = re.findall(rf"`pywnv (annotate \S+)` prints this table;.*\n.*\n\n{BLOCK}", PAGES["README.md"])[0]
    wanted = dedent(table).splitlines()[:-1]
    said = run(*command.split(), "--format", "table", before=f"os.chdir({str(PROJECT)!r})").stdout.decode().splitlines()
    assert [line.rstrip() for line in said[: len(wanted)]] == wanted


@pytest.mark.wireshark
def test_the_latency_that_tshark_prints(config: Path, unpacked: Callable[[str], Path]) -> None:
    wanted = re.findall(rf"^    \$ tshark -q -z wnv,latency .*\n{BLOCK}", PAGES["docs/wireshark.md"], re.M)[0]
    asked: list[str | Path] = ["tshark", "-q", "-z", "wnv,latency", "-r", unpacked("lbfo-tcp-loss")]
    assert run_wireshark(asked, config).split() == wanted.split()


@pytest.mark.wireshark
def test_a_capture_with_a_wrong_truth(tmp_path: Path) -> None:
    command, wanted = re.findall(rf"^    \$ pywnv (validate host.*)\n{BLOCK}", PAGES["docs/validate.md"], re.M)[0]
    (tmp_path / "host.pcapng").write_bytes(gzip.decompress((CAPTURES / "udpsame.pcapng.gz").read_bytes()))
    truth = (CAPTURES / "udpsame.truth.csv").read_text("utf-8")
    assert "\n4,1,pnic0," in truth
    (tmp_path / "host.truth.csv").write_text(truth.replace("\n4,1,pnic0,", "\n4,999,pnic1,"), "utf-8")
    done = run(*command.split(), before=f"os.chdir({str(tmp_path)!r})")
    said = re.sub(r"Wireshark [\d.]+ shows", "Wireshark 4.0.17 shows", " ".join(done.stdout.decode().split()))
    assert done.returncode == 1
    assert " ".join(wanted.split("...")[0].split()) in said


def test_a_pasted_log(tmp_path: Path) -> None:
    _, log, wanted, *_ = re.split(r"^From these lines$|^`explain` prints$", PAGES["docs/etl.md"], flags=re.M)
    (tmp_path / "pasted.txt").write_text("".join(re.findall(r"^    (.*\n)", log, re.M)), "utf-8")
    said = printed("explain", "pasted.txt", 1, folder=tmp_path)
    (block,) = re.findall(BLOCK, wanted)[:1]
    assert " ".join(block.split()) in said


def options_of(command: Any) -> set[str]:
    """The options of a command."""
    return {"--help", "-h", *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}


def test_every_command_and_option_is_there() -> None:
    group: Any = typer.main.get_command(app)
    seen = 0
    for page, text in PAGES.items():
        text = re.sub(r"^```\w+\n(.*?)^```", lambda found: indent(found[1], " " * 4), text, flags=re.M | re.S)
        lines = re.findall(r"^ {4,}(?:\$ )?pywnv (.*)$|`pywnv ([^`]*)`", text, re.M)
        for line in map("".join, lines):
            words = re.split(r"\s+", re.sub(r" [#|>] .*", "", line))
            command = group
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            named = {word.partition("=")[0].strip("[]()") for word in words if re.match(r"[\[(]?-[a-zA-Z-]", word)}
            known = options_of(command)
            is_there = not hasattr(command, "commands") or words in ([], [""]) or named
            assert is_there, f"{page}: pywnv {line}: no such command"
            assert named <= known, f"{page}: pywnv {line}: {named - known}"
            seen += 1
    assert seen > 80
