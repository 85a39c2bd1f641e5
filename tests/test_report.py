"""What `pywnv report` writes: one page that asks the network for nothing, in which names stay text; Markdown."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES, run
from report_page import Page, checked, sections

import pywnv
from pywnv.errors import CaptureError
from pywnv.files.output import whole_file
from pywnv.host.loading import load
from pywnv.report import charts, ladder, layout, page, picture, rows, svg, text
from pywnv.report.build import MOST_DETAILS, Report
from pywnv.report.build import report as made_of
from pywnv.statistics.example import DROPPED, SLOWEST, TYPICAL

DEEP_DIVE = CAPTURES / "deep-dive"
MIX = CAPTURES / "mix-loss.pcapng.gz"
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def mix() -> Report:
    return pywnv.report(MIX, topology=load(CAPTURES / "lab.toml"))


@pytest.mark.slow
def test_a_lab_capture(mix: Report) -> None:
    made = checked(mix.html())
    assert sections(made) == [
        *("capture", "host", "paths", "latency", "duplicates", "hops", "drops", "tcp", "ladders", "filters"),
        *(["missing"] if mix.captures[0].findings else []),
    ]
    assert "1,289 frames show 456 packets in 1 min 3 s, at 4 places" in made.text
    labels = [found["aria-label"] or "" for tag, found in made.tags if tag == "svg" and found.get("aria-label")]
    (host,) = (label for label in labels if label.startswith("The host"))
    assert "tNIC Team1 to vSwitch Contoso" in host  # VM to VM goes through it
    assert sum(label.startswith("How long the step") for label in labels) >= 5
    assert "A typical packet" in made.text


def test_numbers_are_those_of_the_statistics(mix: Report) -> None:
    """What stands in the tables is what one pass has counted."""
    (one,) = mix.captures
    words = mix.markdown()
    for path in one.statistics.paths[:12]:
        assert f" | {path.packets:,} | " in words
    assert f"| Packets | {one.statistics.packets} |" in words
    assert sum(path.packets for path in one.statistics.paths) == one.statistics.packets


def test_a_drop_capture() -> None:
    """Each packet is followed by an event of the vmSwitch that reports a drop."""
    made = checked(pywnv.report(DEEP_DIVE / "acl-drop-etl2pcapng.pcapng").html())
    assert "All 3 packets are last seen at vSwitch docked uplink; right after each of them" in made.text
    assert "the vmSwitch reports a drop at Network Adapter in switch docked: Failed security policy." in made.text
    assert "What to look at: An ACL on the vmSwitch port denies it" in made.text
    assert "A packet that is dropped" in made.text
    assert "Seen in" not in made.text
    assert any("lost" in (found.get("class") or "") for _, found in made.tags)  # the way to the drop, in its colour


@pytest.mark.parametrize("name", ["acl-drop-etl2pcapng", "vlan-drop-pspkt", "lbfo-psping-etl2pcapng"])
def test_markdown(golden: Callable[[str, bytes], None], name: str) -> None:
    path = Path("tests") / "captures" / "deep-dive" / f"{name}.pcapng"
    found = pywnv.report(CAPTURES.parent.parent / path, title=name).markdown()
    golden(f"report-{name}.md", found.replace(str(CAPTURES), "captures").encode())


def test_two_halves(tmp_path: Path) -> None:
    """All hops, then pnic0 only: told as such, with the frame."""
    data, kept, number = gzip.decompress((CAPTURES / "lbfo-tcp-loss.pcapng.gz").read_bytes()), [], 0
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        (interface,) = struct.unpack_from("<I", data, at + 8)
        number += kind == ng.PACKET
        if kind != ng.PACKET or number <= 1466 or interface == 0:
            kept.append(data[at : at + length])
        at += length
    path = tmp_path / "halves.pcapng"
    path.write_bytes(b"".join(kept))
    words = pywnv.report(path).markdown()
    assert words.startswith("# vport1 and team0 show nothing from frame 1,465 on, while pnic0 shows 483 packets.")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mix-loss", "busy", "v6-loss", "lbfo-tcp-wiredup", "nat-loss"])
def test_no_hop_falls_silent_where_none_does(name: str) -> None:
    """Traffic that begins and ends, VM by VM, is no silence of a hop."""
    path = next(CAPTURES.rglob(f"{name}.pcapng.gz"), None)
    if path is None:
        pytest.skip(f"{name} is not here")
    (one,) = pywnv.report(path).captures
    assert not [gap for hop in one.statistics.hops for gap in hop.gaps]


def hostile(path: Path, name: str) -> Path:
    """A capture whose interfaces have such a name: two places, each packet at both, one a drop."""
    frames = [bytes.fromhex("ffffffffffff00155d010203") + b"\x88\xb5" + bytes([number]) * 60 for number in range(1, 9)]
    blocks = [ng.section(), ng.interface(name), ng.interface(f"{name} 2")]
    for number, frame in enumerate(frames):
        blocks += [ng.packet(0, 10**15 + number * 1000, frame), ng.packet(1, 10**15 + number * 1000 + 5, frame)]
    path.write_bytes(b"".join(blocks))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", [EVIL, "a\x00b\x1b[31m", "\u202eabc", "]]>-->&lt;", "{{ 7 * 7 }}", '" onload="x'])
def test_names_are_text(tmp_path: Path, name: str) -> None:
    made = pywnv.report(hostile(tmp_path / f"{EVIL.replace('/', '')}.pcapng", name), title=name)
    found = checked(made.html())
    assert "49" not in found.text.replace("49.", "")
    if name.isascii() and name.isprintable():
        assert name in found.text
    words = made.markdown()
    assert not re.search(r"(?<!\\)<", words.replace("`", ""))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", words)


def test_drawings_keep_texts_texts() -> None:
    """Wherever a name comes: places, lines, rungs."""
    places = [layout.Place(EVIL, "vmNIC", 5, 3, 2), layout.Place("b", "pNIC", 5)]
    drawn = picture.draw(places, [(EVIL, "b", 5)], [], [])
    assert drawn
    rungs = [ladder.Rung(1, EVIL, 0.0), ladder.Rung(2, None, 1e-5, EVIL, True)]
    for source in (drawn[0], ladder.draw(rungs, EVIL)):
        assert "<img" not in source
        Page(source)


def test_markdown_text() -> None:
    assert page.markdown_text("a|b\n*c* <img> [x](y) `z`") == r"a\|b\ufffd\*c\* \<img\> \[x\](y) \`z\`".replace(
        r"\ufffd", "\ufffd"
    )
    assert page.code("a`b|c") == "`` a`b|c ``"
    assert page.code("a`b|c", in_table=True) == r"`` a`b\|c ``"


def test_many_places_and_none() -> None:
    """A picture of hundreds of places stays one."""
    many = [layout.Place(f"vmNIC {number}", "vmNIC", 1000 - number) for number in range(300)]
    drawn = picture.draw([*many, layout.Place("pNIC a", "pNIC", 2000)], [("pNIC a", one.name, 3) for one in many])
    assert drawn
    assert drawn[0].count("<title>") == picture.MOST_PLACES
    assert picture.draw(many[:1], []) is None
    loops = picture.draw(many[:3], [("vmNIC 0", "vmNIC 0", 3)])
    assert loops
    Page(loops[0])


def test_charts_of_odd_numbers() -> None:
    """No times, one moment, times that run back, decades of them."""
    for source in (
        charts.distribution([(0.0, 1e-9, 3), (1e-9, 2e-9, 5)], (1e-9, 1e-8), "a"),
        charts.distribution([(1e-8, 1e5, 10**9)], (1e-8, 1e5), "a"),
        charts.longest([(0.0, 1e-6)], 1e-6, "a"),
        charts.stacked((("main", (0, 0)), ("drop", (0, 0))), 1e-6, 2e-6, "frames", "a"),
        charts.stacked((("main", (10**9,) * 256),), 3600.0, 256 * 3600.0, "frames", "a"),
    ):
        assert not re.search("#00000[0-9]", source)  # every colour is one of the page's
        Page(source)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *(
            (None, ""),
            (0.0, "0 s"),
            (1e-9, "1 ns"),
            (1.234e-6, "1.23 µs"),
            (0.9999, "1 s"),
            (9.99999e-7, "1 µs"),
            (59.5, "59.5 s"),
        ),
        *((60, "1 min"), (61.2, "1 min 1 s"), (3600, "1 h"), (90000, "25 h"), (3725, "1 h 2 min"), (-2e-6, "-2 µs")),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert text.duration(seconds).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("part", "words"), [(0, "0 %"), (1, "< 0.1 %"), (500, "5.0 %"), (9999, "> 99.9 %"), (10000, "100 %")]
)
def test_shares(part: int, words: str) -> None:
    assert text.share(part, 10000).replace("\u00a0", " ") == words


def test_texts_are_cut_and_cleaned() -> None:
    assert text.clean("a\r\nb\ud800") == "a\ufffdb\ufffd"
    assert len(text.clean("x" * 10**6)) == text.LONGEST
    assert svg.fitted("x" * 100, 70, 12) == "x" * 7 + "…"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("Ethernet 2", ["Ethernet 2"]),
        ("Ethernet (ifIndex 11)", ["Ethernet", "(ifIndex 11)"]),
        ("60E4693F-0AC4-4FE2-9FF4-FCACCE570149", ["60E4693F-0AC4-", "4FE2-9FF4-", "FCACCE570149"]),
        ("x" * 60, ["x" * 16 + "…"]),
        ("a b " * 40, None),
        ("", [""]),
    ],
)
def test_names_fit_into_their_boxes(words: str, wanted: list[str] | None) -> None:
    found = svg.lines(words, 138, 12.5, 3)
    assert wanted is None or found == wanted
    assert len(found) <= 3
    assert all(svg.width_of(row, 12.5) <= 138 for row in found)


def test_a_flood_is_drawn_as_branches() -> None:
    """A broadcast of one VM goes from it to the other and to the wire, not through the other."""
    found = pywnv.report(CAPTURES / "mix.pcapng.gz", topology=load(CAPTURES / "lab.toml"))
    (flood,) = [one for one in found.captures[0].statistics.examples if one.kind == SLOWEST]
    first, *others = flood.sightings
    hops = {seen.frame: seen.hop for seen in flood.sightings}
    assert {seen.hop: hops[seen.after or 0] for seen in others} == {
        "vmNIC Contoso-2": first.hop,
        "tNIC Team1": first.hop,
        "pNIC Ethernet 2": "tNIC Team1",
    }
    assert first.after is None
    assert ladder.draw(rows.ladder_row(flood).rungs, "a flood").count("+69.1\u00a0µs") == 1  # not from the other VM


@pytest.mark.slow
def test_a_host_that_loses_packets_and_tells_nothing() -> None:
    """Of 27, one began so late that its rest may come after the end."""
    made = pywnv.report(CAPTURES / "lab2" / "busy-drop-fifo.pcapng.gz", topology=load(CAPTURES / "lab.toml"))
    words = made.markdown()
    assert words.startswith(
        "# At least 26 of 836 packets on the path from vmNIC Contoso-1 to pNIC Ethernet 2 are last seen at tNIC Team1."
    )
    assert "Between tNIC Team1 and pNIC Ethernet 2 this host loses them, or the capture missed them" in words
    plain = pywnv.report(CAPTURES / "lab2" / "busy-drop-fifo.pcapng.gz").markdown()
    assert plain.startswith("# 27 of 838 packets on the path from vport1 to pnic0 are last seen at team0.")
    nat = pywnv.report(CAPTURES / "lab2" / "nat.pcapng.gz").markdown()
    assert "this host loses them" not in nat
    assert "| TCP handshake | 10.0.0.1 | 28 ports of 192.0.2.9 | 28 refused |  |  |" in nat


def test_what_every_network_asks_in_vain_is_no_headline() -> None:
    words = pywnv.report(CAPTURES / "rules" / "client-p24.pcapng.gz").markdown()
    assert words.startswith("# No problem found: ")
    assert "The only ARP request from 192.168.14.19 to 192.168.14.237 gets no answer" in words


@pytest.mark.slow
def test_a_folder(tmp_path: Path) -> None:
    """The worst first; what cannot be read is named, and the exit code tells."""
    names = ["bing-etl2pcapng.pcapng", "vlan-drop-pktmon.pcapng"]
    for name in names:
        shutil.copy(DEEP_DIVE / name, tmp_path / name)
    (tmp_path / "broken.pcapng").write_bytes(b"nothing that is a capture")
    out = tmp_path / "out.md"
    ran = run("report", tmp_path, "-o", out)
    assert ran.returncode == 1
    assert b"broken.pcapng" in ran.stderr
    assert b"Traceback" not in ran.stderr
    words = out.read_text("utf-8")
    assert words.startswith(
        "# 1 of 2 captures shows drops, losses, or requests without an answer.\n\n"
        f"Report of 2 captures in {page.markdown_text(tmp_path)}. The worst is vlan-drop-pktmon.pcapng: All 4 packets"
    )
    assert "\n| bing-etl2pcapng.pcapng | " in words
    assert words.index("vlan-drop-pktmon.pcapng") < words.index("bing-etl2pcapng.pcapng")
    assert "Not read:" in words
    made = checked(made_of([tmp_path / name for name in names]).html())
    assert [found["aria-labelledby"] for tag, found in made.tags if tag == "article"] == ["c1", "c2"]


def test_very_many_captures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the worst have a chapter; each has a line."""
    monkeypatch.setattr(sys.modules[Report.__module__], "MOST_DETAILS", 2)
    paths = [DEEP_DIVE / f"{name}.pcapng" for name in ("bing-wifi", "acl-drop-pspkt", "vlan-drop-pspkt", "arin-100ns")]
    made = made_of(paths)
    assert [Path(one.name).stem for one in made.captures] == ["vlan-drop-pspkt", "acl-drop-pspkt"]
    assert len(made.rows) == len(paths) < MOST_DETAILS
    found = checked(made.html())
    assert "The 2 worst have a chapter below. For the other 2: pywnv report CAPTURE." in found.text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["host.htm", "host.md"])
def test_the_name_says_the_format(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    ran = run("report", DEEP_DIVE / "bing-wifi.pcapng", "-o", out, "--title", "A ticket")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert out.read_bytes().startswith(b"# " if name.endswith("md") else b"<!doctype html>")
    again = run("report", DEEP_DIVE / "bing-wifi.pcapng", "-o", out)
    assert again.returncode == 2
    assert b"exists already; use --force" in again.stderr


def test_wrong_use(tmp_path: Path) -> None:
    out = tmp_path / "out.pdf"
    ran = run("report", MIX, "-o", out)
    assert ran.returncode == 2
    assert b"unknown ending; use one of .html, .htm, .md, or --format" in ran.stderr
    ran = run("report", tmp_path / "none.pcapng", "-o", tmp_path / "out.html")
    assert ran.returncode == 2
    assert ran.stderr.count(b"\n") == 1
    assert not list(tmp_path.iterdir())  # nothing half written
    with pytest.raises(CaptureError):
        pywnv.report(tmp_path / "none.pcapng")


@pytest.mark.slow
def test_without_what_draws(tmp_path: Path) -> None:
    """Said before the work, with the command that installs it; Markdown needs none of it."""
    code = "import sys; sys.modules['vl_convert'] = None; from pywnv.cli.main import main; main()"
    base = [sys.executable, "-c", code, "report", str(DEEP_DIVE / "bing-wifi.pcapng"), "-o"]
    ran = subprocess.run([*base, str(tmp_path / "a.html")], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "report: HTML needs altair and vl-convert, Markdown (.md) does not; run: " in ran.stderr
    assert not list(tmp_path.iterdir())
    ran = subprocess.run([*base, str(tmp_path / "a.md")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_findings_of_the_host(mix: Report) -> None:
    """With an inventory, what `pywnv host lint` says of it; names alone say nothing."""
    assert not mix.captures[0].host_findings
    host = load(CAPTURES / "host/contoso01.json")
    made = pywnv.report(DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", topology=host)
    assert made.captures[0].host_findings
    page = checked(made.html())
    for one in made.captures[0].host_findings:
        assert f"{one.severity}: {one.where}" in page.text
    assert "## The host, as it is set up" in made.markdown()


def test_captures_without_packets_or_times(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcapng"
    empty.write_bytes(ng.section() + ng.interface("a"))
    assert "There are no packets in this capture." in checked(pywnv.report(empty).html()).text
    timeless = tmp_path / "timeless.pcapng"
    timeless.write_bytes(ng.section() + ng.interface("a") + ng.simple_packet(b"x" * 60) * 3)
    assert "the capture has no times" in checked(pywnv.report(timeless).html()).text


def test_examples_are_whole(mix: Report) -> None:
    """Every sighting of a packet, by time, each once."""
    (drop,) = (one for one in pywnv.report(DEEP_DIVE / "acl-drop-etl2pcapng.pcapng").captures)
    kinds = [example.kind for example in drop.statistics.examples]
    assert kinds == [DROPPED, SLOWEST, TYPICAL]
    frames = [seen.frame for seen in drop.statistics.examples[0].sightings]
    assert frames == [1, 3, 5]
    assert drop.statistics.examples[0].sightings[-1].near
    for example in mix.captures[0].statistics.examples:
        elapsed = [seen.elapsed for seen in example.sightings]
        assert elapsed[0] == 0
        assert elapsed == sorted(elapsed)
        assert example.sightings[0].frame == example.packet
    rows = {row.frame: row for row in pywnv.annotate(MIX)}
    for example in mix.captures[0].statistics.examples:
        assert {seen.frame for seen in example.sightings} == {
            frame for frame, row in rows.items() if row.packet == example.packet
        }


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_a_browser_has_nothing_to_say(mix: Report, tmp_path: Path) -> None:
    """No error on the console: a request or an inline style that the policy forbids would be one."""
    path = tmp_path / "mix.html"
    with redirect_stderr(io.StringIO()), whole_file(path, force=False) as file:
        file.write(mix.html().encode())
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path}"]
    command = ["chromium", *options, "--dump-dom", path.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)
    assert "CONSOLE" not in ran.stderr
    assert "A typical packet" in ran.stdout
