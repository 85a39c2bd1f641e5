"""Excerpts of about a dozen lines of `pktmon etl2txt` logs, as people paste them, in the commands.

One ping of a guest, at five components and dropped at the sixth.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from command import run

import pywnv

COMPONENTS = (84, 36, 35, 7, 12, 9)
BODY = (
    "00-15-5D-38-01-0A > 00-15-5D-38-01-0C, ethertype IPv4 (0x0800), length 74: "
    "172.16.20.11 > 172.16.20.45: ICMP echo request, id 1, seq 4, length 40"
)
ITALIAN = {
    "Appearance": "Aspetto",
    "Direction": "Direzione",
    "Component": "Componente",
    "Edge": "Bordo",
    "Filter": "Filtro",
    "DropReason INET: inspection drop": "MotivoEliminazione INET: eliminazione ispezione",
    "DropLocation": "PosizioneEliminazione",
    "Drop: ": "Elimina: ",
    "OriginalSize": "DimensioneOriginale",
    "LoggedSize": "DimensioneRegistrata",
}


def _packet(at: int, component: int, *, dropped: bool) -> list[str]:
    mark = "Drop: " if dropped else ""
    head = f"[03]0000.0000::2024-05-14 09:15:02.{118000 + 7 * at:06}400 [Microsoft-Windows-PktMon] {mark}"
    head += f"PktGroupId 844424930131970, PktNumber 1, Appearance {at + 1}, Direction {'Tx' if at < 3 else 'Rx'} , "
    head += f"Type Ethernet , Component {component}, "
    head += (
        "Filter 1, DropReason INET: inspection drop , DropLocation 0xE0004160, " if dropped else "Edge 1, Filter 1, "
    )
    return [f"{head}OriginalSize 74, LoggedSize 74 ", f"\t{mark}{BODY}"]


LINES = [
    words
    for at, component in enumerate(COMPONENTS)
    for words in _packet(at, component, dropped=at + 1 == len(COMPONENTS))
]


def _each(change: Callable[[str], str], end: str = "\n") -> str:
    return end.join(map(change, LINES))


def _italian(line: str) -> str:
    for word, italian in ITALIAN.items():
        line = line.replace(word, italian)
    return line


def _grouped(sign: str) -> str:
    text = _each(lambda line: line.replace("Size 74", "Size 1514").replace("length 74", "length 1514"))
    return re.sub(r"844424930131970|1514", lambda found: f"{int(found[0]):,}".replace(",", sign), text)


EXCERPTS: dict[str, str | bytes] = {
    "indented": _each(lambda line: "    " + line.replace("\t", "        ")),
    "quoted twice": "Bob wrote:\n" + _each(lambda line: f"> > {line}") + "\n> Any idea?\n",
    "wrapped by a mailer": "\n".join(part for line in LINES for part in textwrap.wrap(line.strip(), 76)),
    "its first line and its last one cut": "\n".join(LINES)[57:-60],
    "Windows line ends and empty lines": "\r\n\r\n".join(LINES) + "\r\n",
    "Italian": _each(_italian),
    "without MACs": _each(lambda line: line.replace(BODY, BODY.split("length 74: ")[1])),
    "UTF-16": ("\r\n".join(LINES) + "\r\n").encode("utf-16"),
    "1,514": _grouped(","),
    "1.514": _grouped("."),
    "a fence": "I ran `pktmon etl2txt`:\n\n```text\n" + "\n".join(LINES) + "\n```\n\nWhy is it dropped?\n",
    "HTML": "<pre><code>" + "\n".join(LINES).replace(">", "&gt;").replace("\t", "&nbsp;") + "</code></pre>",
    "a table": _each(lambda line: f"| {line.strip()} |"),
    "Select-String | Format-List": _each(lambda line: f"Line       : {line}"),
    "the console, as it captures": "Processing...\n" + _each(lambda line: re.sub(r"^\[.*::\S+ |\[Micro\S+ ", "", line)),
    "MACs that are rewritten on the way": "\n".join(
        line.replace("00-15-5D-38-01-0C", "3C-FD-FE-AA-BB-CC") if at > 5 else line for at, line in enumerate(LINES)
    ),
    "no lines below": "\n".join(LINES[::2]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXCERPTS)
def test_an_excerpt_shows_the_path_of_its_packet(name: str, tmp_path: Path) -> None:
    excerpt, log = EXCERPTS[name], tmp_path / "pasted.txt"
    log.write_bytes(excerpt if isinstance(excerpt, bytes) else excerpt.encode())
    done = run("convert", log, "-o", tmp_path / "out.pcapng")
    assert (done.returncode, done.stderr) == (0, b"pywnv: 6 packets, 1 of them dropped, 0 events\n")
    found = list(pywnv.annotate(log))
    assert [one.packet for one in found] == [1] * 6
    assert [one.hop for one in found] == [f"component {number}" for number in COMPONENTS]
    assert [one.drop for one in found] == [None] * 5 + [True]
    length = 1514 if name.startswith("1") else 60 if name == "without MACs" else 74
    assert {one.length for one in found} == {length}
    path = " > ".join(f"component {number}" for number in COMPONENTS)
    assert f"path: {path}" in " ".join(run("explain", log, 1).stdout.decode().split())
    if name != "no lines below":
        assert found[0].source == "172.16.20.11"
        answer = " ".join(run("why", log, "--ip", "172.16.20.11").stdout.decode().split())
        assert answer.startswith("1 of 1 packet from 172.16.20.11 ends at component 9: dropped there, ")


@pytest.mark.parametrize("name", ["first", "last"])
def test_a_line_that_was_cut_in_its_middle_is_named(name: str, tmp_path: Path) -> None:
    text, log = "\n".join(LINES), tmp_path / "pasted.txt"
    log.write_text(text[100:] if name == "first" else text[: -len(LINES[-1]) - 40])
    done = run("annotate", log, "--columns", "frame,packet")
    assert done.stdout == b"frame,packet\n1,1\n2,1\n3,1\n4,1\n5,1\n"
    assert done.stderr.decode() == (
        f"pywnv: warning: {log}: 1 line of a packet is cut; take whole lines of the log, from [CPU] to LoggedSize\n"
    )


@pytest.mark.parametrize("command", ["convert", "annotate", "inspect"])
def test_the_second_lines_of_packets_alone_are_named(command: str, tmp_path: Path) -> None:
    log = tmp_path / "pasted.txt"
    log.write_text("\n".join(LINES[1::2]))
    done = run(command, log, *(["-o", tmp_path / "out.pcapng"] if command == "convert" else []))
    assert done.returncode == 2
    assert done.stderr.decode() == (
        f"pywnv: {log}: lacks the lines of `pktmon etl2txt` that say where each packet was seen; take those with "
        "PktGroupId, too\n"
    )
