"""Logs of `pktmon etl2txt` in other languages and bytes, as people paste them, in the commands, and hostile ones."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import time
import tracemalloc
from pathlib import Path
from random import Random

import pytest
from command import run
from etl2txt_writer import (
    COMPONENTS,
    GERMAN,
    KOREAN,
    SYN,
    body,
    line,
    way,
)
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether
from test_convert import Made, made_of
from test_etl2txt import CASES

import pywnv
from pywnv.errors import CaptureError


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def made(log: Path, text: str | bytes) -> Made:
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return made_of(log)


# In which languages, and in which bytes.


def test_german_words_change_nothing(log: Path) -> None:
    english = made(log, way())
    german = made(log, way(labels=GERMAN, mark="Verworfen"))
    assert german.bytes == english.bytes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be bom", "cp949", "cp1252"])
def test_encodings(log: Path, encoding: str) -> None:
    labels = GERMAN if encoding == "cp1252" else KOREAN
    mark = "Gelöscht" if encoding == "cp1252" else "삭제"
    text = way(labels=labels, mark=mark) + COMPONENTS
    be = encoding == "utf-16-be bom"
    data = codecs.BOM_UTF16_BE + text.encode("utf-16-be") if be else text.encode(encoding)
    assert made(log, data).bytes == made(log, way() + COMPONENTS).bytes


def test_a_reason_in_words_that_we_do_not_know_is_told_as_it_stands(log: Path) -> None:
    log.write_text(way(labels=GERMAN, mark="Verworfen", drop=("Sicherheitsrichtlinie, verletzt", 0xE0002004)), "utf-8")
    *_, third = pywnv.annotate(log)
    assert (third.drop, third.drop_reason, third.drop_location) == (True, None, 0xE0002004)
    assert third.drop_reason_text == "Sicherheitsrichtlinie, verletzt"


def test_a_reason_may_be_a_number(log: Path) -> None:
    log.write_text(way(drop=("228", 0xE000100F)), "utf-8")
    *_, third = pywnv.annotate(log)
    assert third.drop_reason == 228


# As people paste it.


def _quoted(text: str) -> str:
    return "".join(f"> {each}\n" for each in text.replace("\t", "    ").splitlines())


def _wrapped(text: str) -> str:
    return re.sub(r"(.{40,60}) ", r"\1\n", text.replace("\r\n", "\n"))


def _escaped(text: str) -> str:
    return text.replace(">", "&gt;")


def _console(text: str) -> str:
    """As a window of 80 columns shows it."""
    return "\n".join(re.sub(r"(.{80})", r"\1\n", each) for each in text.splitlines())


def _without_tabs(text: str) -> str:
    return "Hello, this is what I see:\n\n" + text.replace("\t", "")


def _numbered(text: str) -> str:
    """As Select-String shows it."""
    return "".join(f"PktMon.txt:{at}:{each}\n" for at, each in enumerate(text.splitlines(), 17))


def _found(text: str) -> str:
    """As `grep -n -A 9` shows it: with another sign before lines that only follow."""
    lines = enumerate(text.splitlines(), 17)
    return "".join(f"{at}{':' if each.startswith('[') else '-'}{each}\n" for at, each in lines)


def _in_quotes(text: str) -> str:
    return "".join(f'"{each}"\n' for each in text.splitlines())


PASTES = [_quoted, _wrapped, _escaped, _console, _without_tabs, _numbered, _found, _in_quotes]


@pytest.mark.parametrize("paste", PASTES)
@pytest.mark.parametrize("hexadecimal", [False, True])
def test_pasted(log: Path, paste: object, hexadecimal: bool) -> None:
    assert callable(paste)
    text = way(hexadecimal=hexadecimal)
    assert made(log, paste(text)).bytes == made(log, text).bytes


def test_pasted_into_a_paragraph(log: Path) -> None:
    text = way()
    assert made(log, " ".join(text.split())).bytes == made(log, text).bytes
    many = " ".join((text * 200).split())  # more than what is looked at of a line
    assert len(made(log, many).packets) == 200 * len(made(log, text).packets)


def test_lines_that_were_cut_short_are_named(log: Path) -> None:
    log.write_text("\n".join(each[:110] for each in way().splitlines() if each.startswith("[")))
    done = run("annotate", log)
    assert done.returncode == 2
    assert b"take whole lines of the log, from [CPU] to LoggedSize" in done.stderr


def test_a_line_without_a_time_is_not_taken_for_a_build_without_ids(log: Path) -> None:
    log.write_text("".join(line(SYN, prefix="") for _ in range(3)))
    told = run("inspect", log).stdout.decode()
    assert "Paste whole lines, including the time" in " ".join(told.split())
    assert "gives every frame its own" not in told


def test_what_a_log_tells_no_bytes_of_was_not_rewritten(log: Path) -> None:
    """As pktmon prints what it calls Wi-Fi: the packet with the same id is whole."""
    first, second = line(SYN).replace("Type Ethernet", "Type WiFi"), line(SYN)
    head = first.partition("\n")[0]
    log.write_text(f"{head}\n\tunknown 802.11 frame type (3)\n{second}")
    one, other = pywnv.annotate(log)
    assert (one.packet, other.packet, other.rewritten) == (1, 1, None)


def test_values_that_were_cut_out(log: Path) -> None:
    text = (
        "10:00:00.5 PktGroupId 7, Direction Tx, Type Ethernet,\nComponent 88, Edge 1, OriginalSize 66, LoggedSize 66\n"
    )
    (packet,) = made(log, text + body(SYN, 66)).packets
    assert "component=88 edge=1 direction=Tx" in packet.comment
    assert Ether(packet.data)[TCP].seq == 77


def test_times_without_a_date_go_on_past_midnight(log: Path) -> None:
    times = ["23:59:59.999999900", "00:00:00.000000100"]
    first, second = made(log, "".join(line(SYN, prefix="{time} ", time=each) for each in times)).packets
    assert second.ticks - first.ticks == 2
    assert "cpu=" not in first.comment


def test_what_other_providers_told_stays(log: Path) -> None:
    other = "[01]0004.0008::2025-03-01 10:00:00.000120000 [Microsoft-Windows-Hyper-V-VfpExt] Block rule with ID {7}\n"
    (entry,) = made(log, way() + other).journals
    assert (entry["_COMM"], entry["MESSAGE"]) == ("Microsoft-Windows-Hyper-V-VfpExt", "Block rule with ID {7}")


# The commands.


def test_the_commands(log: Path, tmp_path: Path) -> None:
    log.write_bytes((way() + COMPONENTS).encode("utf-16"))
    out = tmp_path / "out.pcapng"
    done = run("convert", log, "-o", out)
    assert (done.returncode, done.stderr) == (0, b"pywnv: 3 packets, 1 of them dropped, 0 events\n")
    with log.open("rb") as file:
        assert run("convert", "-", "-o", "-", stdin=file).stdout == out.read_bytes()
    told = json.loads(run("inspect", "--json", log).stdout)
    assert told["tool"]["name"] == "pktmon etl2txt"
    assert b"path: vmNIC Gast 1 > filter vfpext.sys > vSwitch LabSwitch" in run("explain", log, 1).stdout
    assert run("annotate", log, "--columns", "frame,packet").stdout == b"frame,packet\n1,1\n2,1\n3,1\n"


def test_a_log_from_a_pipe_or_packed_is_named(log: Path) -> None:
    log.write_bytes(gzip.compress(way().encode()))
    done = run("annotate", log)
    assert done.stderr.decode() == (
        f"pywnv: {log}: is a text log, as `pktmon etl2txt` writes it; give it as a plain file\n"
    )


def test_inspect_says_what_a_log_without_bytes_lacks(log: Path) -> None:
    log.write_text(line(bytes(CASES["data"][0])), "utf-8")
    shown = b" ".join(run("inspect", log).stdout.split())
    assert b"Written by: pktmon etl2txt" in shown
    assert b"the log does not give them" in shown
    assert b"pktmon etl2txt pktmon.etl --hex -o pktmon.txt" in shown


NO_LINES = (
    "holds no packets and no events; take whole lines of the log, from [CPU] to LoggedSize, and the lines below each"
)
NO_LOGS = {
    "no packet": ("[Microsoft-Windows-PktMon] hello\n", NO_LINES),
    "only components": (COMPONENTS, NO_LINES),
    "another text": ("hello\n", "not a Windows trace (.etl), nor a log of `pktmon etl2txt`"),
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_no_log(log: Path, tmp_path: Path, name: str) -> None:
    log.write_text(NO_LOGS[name][0], "utf-8")
    done = run("convert", log, "-o", tmp_path / "out.pcapng")
    assert (done.returncode, done.stderr.decode()) == (2, f"pywnv: {log}: {NO_LOGS[name][1]}\n")
    assert not (tmp_path / "out.pcapng").exists()


# Hostile ones.


def test_a_damaged_log_gives_frames_or_one_line(log: Path) -> None:
    text = (way(verbose=True) + way(hexadecimal=True) + COMPONENTS).encode()
    random = Random(19)
    read = 0
    for _ in range(300):
        data = bytearray(text)
        for _ in range(random.randrange(1, 30)):
            place = random.randrange(len(data))
            data[place : place + random.choice((0, 1, 40))] = random.choice(
                (b"\n", b"9" * 25, b",", b" > ", b"0x", b"[", b"\xff\xfe", b"length 99999", b"\t0x0010: ", b"=")
            )
        try:
            packets = made(log, bytes(data)).packets
        except CaptureError:
            continue
        read += bool(packets)
        assert all(len(packet.data) <= max(packet.length, 0) for packet in packets)
    assert read > 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "a" * 10_000,
        "PktGroupId 1, " * 800,
        "1.2.3.4.5 > " * 900,
        "\n\t0x0000:  0011 2233\n" * 500,
        "12:00:00.1 \n" * 900,
        "options [" * 1200,
    ],
)
def test_hostile_logs_take_linear_time_and_flat_memory(log: Path, piece: str) -> None:
    log.write_text(line(SYN) + line(SYN).rstrip() + piece * 20, "utf-8")
    tracemalloc.start()
    began = time.process_time()
    assert len(made_of(log).packets) == 2
    assert time.process_time() - began < 10  # under tracemalloc; what is not linear takes minutes
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
