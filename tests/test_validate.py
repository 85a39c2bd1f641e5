"""pywnv validate: what the real Wireshark shows, by pyshark, against the truth; and how a broken plugin is found."""

from __future__ import annotations

import csv
import itertools
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pcapng_blocks as ng
import pytest
from command import CAPTURES, TIMEOUT, run
from hypothesis import given
from hypothesis import strategies as st
from validating import UDPSAME, VLAN_LOSS, found, truth_of

from pywnv.errors import TruthError
from pywnv.validate import own, truth
from pywnv.validate.shown import Shown
from pywnv.wireshark.tshark import find_tshark, version

DROPS = CAPTURES / "deep-dive" / "vlan-drop-pspkt.pcapng"


def told(text: str, tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(text, "utf-8")
    return path


# The truth.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: has no column frame; a truth begins with `frame,packet`"),
        ("frame,hop\n1,a\n", "line 1: has no column packet"),
        ("frame,packet\n", "holds no frame"),
        ("frame,packet\n1,1\n1,1\n", "line 3: frame 1 a second time"),
        ("frame,packet\n,1\n", "line 2: has no frame"),
        ("frame,packet\n1\n", None),
        ("frame,packet\n0,1\n", "line 2: frame '0' is not a frame number"),
        ("frame,packet\n1,-1\n", "line 2: packet '-1' is not a frame number"),
        ("frame,packet\n1,٣\n", "line 2: packet '٣' is not a frame number"),
        (f"frame,packet\n{'9' * 5000},1\n", "is not a frame number"),
        ("frame,packet,segment_of\n1,1,x\n", "line 2: segment_of 'x' is not a frame number"),
        (f'frame,packet\n1,"{"9" * 200_000}"\n', "is not a CSV file in UTF-8: field larger than field limit"),
    ],
)
def test_a_truth_that_is_none(tmp_path: Path, text: str, words: str | None) -> None:
    path = told(text, tmp_path)
    if words is None:
        assert truth.read(path) == {1: truth.Told(None, None, {})}
        return
    with pytest.raises(TruthError) as error:
        truth.read(path)
    assert words in str(error.value)
    assert str(error.value).startswith(str(path))


def test_a_truth_of_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(b"frame,packet\n\xff,1\n")
    with pytest.raises(TruthError, match="is not a CSV file in UTF-8"):
        truth.read(path)
    with pytest.raises(TruthError, match="No such file or directory"):
        truth.read(tmp_path / "missing")


def test_what_a_truth_tells(tmp_path: Path) -> None:
    """What is not known of a hop is not judged; of the others an empty cell says that there is none."""
    path = told(
        "\ufeffframe,packet,hop,part,segment_of,drop,drop_reason\n2, 1,,part,1,True,9\n1,1,a,whole,,,\n3,,,,,,\n",
        tmp_path,
    )
    assert list(truth.read(path).items()) == [
        (1, truth.Told(1, None, {"hop": "a", "segment_of": "", "drop": "", "drop_reason": ""})),
        (2, truth.Told(1, 1, {"segment_of": "1", "drop": "true", "drop_reason": "9"})),
        (3, truth.Told(None, None, {"segment_of": "", "drop": "", "drop_reason": ""})),
    ]


def test_segments_count_for_the_larger_frame() -> None:
    frames = {
        1: truth.Told(1, None, {}),
        2: truth.Told(2, 1, {}),
        3: truth.Told(2, 2, {}),
        4: truth.Told(None, None, {}),
        5: truth.Told(None, None, {}),
        6: truth.Told(6, 99, {}),
    }
    grouped = truth.groups(frames)
    assert [grouped[frame] for frame in (1, 2, 3, 6)] == [1, 1, 1, 99]
    assert grouped[4] != grouped[5]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20))
def test_precision_and_recall_count_pairs(rows: list[tuple[int, int]]) -> None:
    said, true = ({frame: row[at] for frame, row in enumerate(rows)} for at in (0, 1))
    pairs = list(itertools.combinations(said, 2))
    one, other = ({pair for pair in pairs if of[pair[0]] == of[pair[1]]} for of in (said, true))
    measure = truth.measure_packets(said, true)
    assert (measure.right, measure.said, measure.true) == (len(one & other), len(one), len(other))
    assert measure.precision == (len(one & other) / len(one) if one else 1)
    assert measure.recall == (len(one & other) / len(other) if other else 1)


# The real thing.


@pytest.mark.wireshark
def test_the_samples_are_shown_as_they_should_be(tmp_path: Path) -> None:
    done = run("validate", "--junit", tmp_path / "found.xml", timeout=4 * TIMEOUT)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b""), lines
    with (CAPTURES / "samples.csv").open(newline="") as file:
        listed = [
            f"ok     {Path(row['capture']).name.partition('.')[0]}: {row['shows']}" for row in csv.DictReader(file)
        ]
    assert len(listed) == 34
    number = ".".join(map(str, version(find_tshark())))
    assert lines[0].startswith(f"Wireshark {number} with the plugin")
    assert lines[1:35] == listed
    assert lines[35] == "34 of 34 samples are shown as they should be."
    assert all(" differs from the plugin in " in line or "of its own to compare" in line for line in lines[36:])
    suites = ElementTree.parse(tmp_path / "found.xml").getroot()
    assert [suite.get("failures") for suite in suites] == ["0"] * 34
    measured = {case.get("name") for case in suites.iter("testcase")}
    assert measured == {"packets", "hop", "drop", "drop_reason"}


@pytest.mark.wireshark
def test_the_first_frames_that_differ_are_explained(tmp_path: Path) -> None:
    """By a truth that is wrong, on purpose, in three frames."""
    rows = truth_of(UDPSAME).read_text().splitlines()
    rows[4], rows[5], rows[7] = "4,4,pnic0,whole", "5,1,pnic0,whole", "7,5,team0,whole"
    rows[300] = rows[300].replace(",whole", "").rpartition(",")[0] + ",elsewhere,whole"
    path = told("\n".join(rows), tmp_path)
    done = run("validate", UDPSAME, "--truth", path)
    assert (done.returncode, done.stderr) == (1, b"")
    text = done.stdout.decode()
    assert f"  313 frames, as Wireshark {'.'.join(map(str, version(find_tshark())))} shows them with the plugin" in text
    for words in (
        "  Frame 4 is one packet with frame 3, as shown; in truth it is another\n"
        "      Frames 3 and 4 are the same packet.\n"
        "      From the network header on they are equal, as far as both were captured.\n",
        "  Frame 5 is another packet than frame 3, as shown; in truth it is the same\n"
        "      Frames 3 and 5 are two packets: they differ in ARP operation, which no hop changes.\n"
        "      They differ: ARP operation (byte 21), 0x0001 in frame 3, 0x0002 in frame 5.\n",
        "  Frame 7 is shown with hop vport1; in truth it is team0\n",
        "  5 frames differ in all.\n",
    ):
        assert words in text, text
    measures = found(UDPSAME, path, rc=1)["measures"]
    # Of the pairs of 1 to 4 and of 5 to 7, by that truth 1, 2, 3 and 6, 7 are left, and 5 goes with the former.
    assert measures["packets"] == {
        "right": 315 - 9 + 4,
        "shown": 315,
        "true": 315 - 9 + 7,
        "precision": 310 / 315,
        "recall": 310 / 313,
    }
    assert measures["hop"]["right"] == 311


@pytest.mark.wireshark
def test_drops_and_segments_are_judged_too(tmp_path: Path) -> None:
    rows = truth_of(DROPS).read_text().splitlines()
    assert rows[3] == "3,1,true,34"
    rows[3], rows[2] = "3,1,true,9", "2,1,true,"
    measures = found(DROPS, told("\n".join(rows), tmp_path), rc=1)["measures"]
    assert {name: (m["right"], m["shown"], m["true"]) for name, m in measures.items()} == {
        "packets": (12, 12, 12),
        "drop": (4, 4, 5),
        "drop_reason": (3, 4, 4),
    }
    lso = CAPTURES / "hard" / "lso.pcapng.gz"
    done = run("annotate", lso)
    table = list(csv.DictReader(done.stdout.decode().splitlines()))
    lines = [f"{row['frame']},{row['packet']},{row['segment_of']}" for row in table]
    measures = found(lso, told("frame,packet,segment_of\n" + "\n".join(lines), tmp_path))["measures"]
    parts = sum(bool(row["segment_of"]) for row in table)
    assert parts > 1000
    assert measures["segment_of"]["right"] == measures["segment_of"]["true"] == parts


@pytest.mark.wireshark
def test_a_truth_of_some_frames(tmp_path: Path) -> None:
    one = found(UDPSAME, told("frame,packet\n2,1\n3,1\n", tmp_path))
    assert (one["frames"], one["judged"]) == (313, 2)
    assert one["measures"]["packets"]["true"] == 1


@pytest.mark.wireshark
def test_names_come_as_they_are(tmp_path: Path) -> None:
    """Backslashes, quotes, commas, other alphabets: Wireshark's JSON and pyshark between them leave them alone."""
    names = ["a\\b", 'say "no"', "x,y", "Сеть 1", "a\\\\n", "<&>", "\N{RIGHT-TO-LEFT OVERRIDE}x", "{}\n  },\n"]
    capture = tmp_path / "names.pcapng"
    frames = [ng.packet(number, 1000 + number, ng.ethernet()) for number in range(len(names))]
    capture.write_bytes(ng.section() + b"".join(map(ng.interface, names)) + b"".join(frames))
    rows = csv.DictReader(run("annotate", capture).stdout.decode().splitlines(keepends=True))
    path = tmp_path / "truth.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("frame", "packet", "hop"))
        out.writerows((row["frame"], row["packet"], row["hop"]) for row in rows)
    measures = found(capture, path)["measures"]
    assert measures["hop"]["true"] == measures["hop"]["right"] == len(names)


@pytest.mark.wireshark
def test_a_topology_is_loaded(tmp_path: Path) -> None:
    lines = truth_of(VLAN_LOSS).read_text().replace("pnic0", "pNIC Ethernet 2").replace("team0", "tNIC Team1")
    for number in "12":
        lines = lines.replace(f"vport{number}", f"vmNIC Contoso-{number}")
    measures = found(VLAN_LOSS, told(lines, tmp_path), "--topology", CAPTURES / "lab.toml")["measures"]
    assert measures["hop"]["right"] == 1365


@pytest.mark.wireshark
def test_junit_holds_what_xml_can(tmp_path: Path) -> None:
    capture = tmp_path / "a\x1b<&>\udcff.pcapng"
    capture.write_bytes(DROPS.read_bytes())
    done = run("validate", capture, "--truth", truth_of(DROPS), "--junit", "-")
    assert (done.returncode, done.stderr) == (0, b"")
    (suite,) = ElementTree.fromstring(done.stdout)
    assert suite.get("name") == f"{tmp_path}/a�<&>�.pcapng"
    assert suite.get("tests") == "3"


# What Wireshark has itself.


def shown(digest: str) -> Shown:
    return Shown("0", False, digest, None, None, {})


def test_ignore_duplicate_frames_remembers_so_many() -> None:
    digests = ["a", "b", "a", *map(str, range(9_998)), "a", "c", "a", "b"]
    frames = {number: shown(digest) for number, digest in enumerate(digests, 1)}
    # "a" and 9,999 others fit its memory; with "c" the "a" goes, and with "a" the "b".
    assert own.equal_before(frames) == {3, 3 + 9_998 + 1}


@pytest.mark.wireshark
def test_which_wireshark_has_what() -> None:
    newer = version(find_tshark()) >= (4, 2)
    assert own.known() == ((own.IGNORE_DUPLICATES, own.DEINTERLACING) if newer else ())


@pytest.mark.wireshark
def test_who_is_right_about_equal_frames(tmp_path: Path) -> None:
    """Datagrams with the same bytes are other packets: Wireshark's own means takes them for copies."""
    compared = found(UDPSAME, truth_of(UDPSAME))["own"]
    if version(find_tshark()) < (4, 2):
        assert compared == {}
        return
    first: dict[str, str] = {}
    fields = ["-T", "fields", "-e", "frame.number", "-e", "frame.md5_hash", "-o", "frame.generate_md5_hash:TRUE"]
    shown = subprocess.run(["tshark", "-r", UDPSAME, *fields], capture_output=True, text=True, check=True).stdout
    digests = dict(line.split("\t") for line in shown.splitlines())
    ignored = [frame for frame, digest in digests.items() if first.setdefault(digest, frame) != frame]
    copies = [frame for frame, row in truth.read(truth_of(UDPSAME)).items() if row.packet != frame]
    wrong = set(map(int, ignored)) ^ set(copies)
    assert len(wrong) == 96
    ours = {"frames": len(ignored), "plugin_right": 96, "wireshark_right": 0, "first": []}
    assert compared[own.IGNORE_DUPLICATES] == ours
    # By a truth that says what Wireshark's own means does, it is right.
    rows = "".join(f"{frame},{first[digest]}\n" for frame, digest in digests.items())
    compared = found(UDPSAME, told("frame,packet\n" + rows, tmp_path), rc=1)["own"]
    theirs = {"frames": len(ignored), "plugin_right": 0, "wireshark_right": 96, "first": sorted(wrong)[:5]}
    assert compared[own.IGNORE_DUPLICATES] == theirs


@pytest.mark.wireshark
def test_who_is_right_about_what_is_sent_again() -> None:
    """Two edges of a driver share an interface: deinterlacing takes their copies for retransmissions."""
    if version(find_tshark()) < (4, 2):
        pytest.skip("deinterlacing is newer")
    ids = CAPTURES / "hard" / "pktmon_ids.pcapng.gz"
    compared = found(ids, truth_of(ids))["own"][own.DEINTERLACING]
    assert compared["plugin_right"] > 500
    assert compared["wireshark_right"] == 0
    lossy = CAPTURES / "lbfo-tcp-loss.pcapng.gz"
    compared = found(lossy, truth_of(lossy))["own"][own.DEINTERLACING]
    assert compared["frames"] > 0  # real ones, which both know
    assert (compared["plugin_right"], compared["wireshark_right"]) == (0, 0)


# What cannot be done.


def refused(*arguments: object, words: str, **options: object) -> None:
    done = run("validate", *arguments, **options)
    assert done.returncode == 2
    assert done.stdout == b""
    assert words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


@pytest.mark.wireshark
def test_what_it_refuses(tmp_path: Path) -> None:
    answers = truth_of(UDPSAME)
    pipe, xml = tmp_path / "pipe", tmp_path / "found.xml"
    os.mkfifo(pipe)
    xml.write_bytes(b"precious")
    refused(UDPSAME, words="takes a capture and --truth together")
    refused("--truth", answers, words="takes a capture and --truth together")
    refused("--topology", CAPTURES / "lab.toml", words="--host is for a capture")
    refused("-", "--truth", answers, words="-: is read twice, so it must be a file")
    refused(pipe, "--truth", answers, words="is read twice, so it must be a file")
    refused(tmp_path / "none", "--truth", answers, words="none: No such file or directory")
    refused(tmp_path, "--truth", answers, words="is a folder; name a file")
    text = tmp_path / "text.pcapng"
    text.write_bytes(b"hello\n")  # Wireshark opens it, as a frame without a time
    refused(text, "--truth", answers, words="text.pcapng: ")
    text.unlink()
    refused(UDPSAME, "--truth", UDPSAME, words="is not a CSV file in UTF-8")
    refused(CAPTURES / "README.md", "--truth", answers, words="isn't a capture file")
    refused(UDPSAME, "--truth", truth_of(VLAN_LOSS), words="has 313: does it belong to another capture?")
    refused(UDPSAME, "--truth", answers, "--junit", xml, words="exists already; use --force to replace it")
    refused(UDPSAME, "--truth", answers, "--json", "--junit", "-", words="--json and --junit - both write to stdout")
    assert xml.read_bytes() == b"precious"
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "found.xml"}


def test_without_tshark(tmp_path: Path) -> None:
    refused(words="tshark: not found in PATH", environment={**os.environ, "PATH": str(tmp_path)})


@pytest.mark.wireshark
def test_a_capture_that_breaks_off(tmp_path: Path) -> None:
    capture = tmp_path / "cut.pcapng"
    capture.write_bytes(DROPS.read_bytes()[:-20])
    done = run("validate", capture, "--truth", told("frame,packet\n1,1\n2,1\n", tmp_path))
    assert done.returncode == 0
    assert done.stderr.decode() == f"pywnv: warning: {capture}: is cut off in the middle of a frame, after frame 11\n"


@pytest.mark.wireshark
def test_root_is_told_why_nothing_is_shown() -> None:
    environment = {**os.environ, "PYWNV_KEEP_ROOT": "1"}
    if os.geteuid() == 0 and version(find_tshark()) >= (4, 4):
        refused(words="run as root, it loads no Lua plugin", environment=environment)
    else:
        assert run("validate", UDPSAME, "--truth", truth_of(UDPSAME), environment=environment).returncode == 0
