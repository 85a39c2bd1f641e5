"""What a user reads who gives something wrong: one line, exit code 2, and no output."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path

import pcapng_blocks as ng
import pytest
from command import CAPTURES, run

from pywnv.annotate.rows import Engine, rows
from pywnv.errors import CaptureError

MIX = gzip.decompress((CAPTURES / "mix.pcapng.gz").read_bytes())
SECTION = ng.section()
START = SECTION + ng.interface("a") + ng.packet(0, 0, b"frame")
HERE = f"broken at byte {len(START)}, after frame 1: "
TOO_BIG = 16 * 1024 * 1024 + 4


def packet_block(captured: int, *, number: int = 0, size: int = 28) -> bytes:
    return ng.block(ng.PACKET, struct.pack("<IIIII", number, 0, 0, captured, captured) + bytes(size - 20))


def claims(kind: int, size: int) -> str:
    return HERE + f"a block of type 0x{kind:08x} that claims to be {size} bytes long"


def refuses(arguments: list[object], words: str, folder: Path) -> None:
    """Runs pywnv: it ends with code 2 and one line, which matches a pattern, and leaves the folder as it is."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    done = run(*arguments)
    assert re.fullmatch(words, done.stderr.decode())
    assert done.stderr.count(b"\n") == 1
    assert (done.returncode, done.stdout) == (2, b"")
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


BROKEN = {
    "pcap header cut": (ng.pcap([])[:20], "is cut off in its file header, after 20 bytes"),
    "pcap record too long": (
        ng.pcap([]) + struct.pack("<IIII", 0, 0, TOO_BIG, TOO_BIG),
        f"broken at byte 24, after frame 0: a packet that claims to be {TOO_BIG} bytes long",
    ),
    "length 0": (START + ng.raw_block(6, bytes(20), length=0), claims(6, 0)),
    "length 8": (START + ng.raw_block(6, bytes(20), length=8), claims(6, 8)),
    "length 13": (START + ng.raw_block(6, bytes(20), length=13), claims(6, 13)),
    "length huge": (START + ng.raw_block(5, bytes(20), length=2**32 - 4), claims(5, 2**32 - 4)),
    "length over 16 MB": (START + ng.raw_block(5, bytes(20), length=TOO_BIG), claims(5, TOO_BIG)),
    "length of a section": (ng.raw_block(ng.SECTION, SECTION[8:24], length=13), None),
    "two lengths": (
        START + ng.raw_block(6, bytes(20), end=36),
        HERE + "a block of type 0x00000006 with two different lengths",
    ),
    "other byte order": (START + ng.packet(0, 0, b"frame", ">"), claims(0x06000000, 0x28000000)),
    "unknown interface": (
        START + packet_block(4, number=7),
        HERE + "a packet of interface 7, which no block describes",
    ),
    "interface of the section before": (
        START + SECTION + packet_block(4),
        f"broken at byte {len(START + SECTION)}, after frame 1: a packet of interface 0, which no block describes",
    ),
    "captured beyond": (START + packet_block(9), HERE + "a packet block that claims to hold 9 bytes"),
    "captured far beyond": (
        START + packet_block(2**32 - 1),
        HERE + f"a packet block that claims to hold {2**32 - 1} bytes",
    ),
    "packet too short": (START + ng.block(ng.PACKET, bytes(16)), HERE + "a packet block that is too short"),
    "old packet too short": (START + ng.block(ng.OLD_PACKET, bytes(16)), HERE + "a packet block that is too short"),
    "simple packet too short": (
        START + ng.block(ng.SIMPLE_PACKET, b""),
        HERE + "a simple packet block without an interface",
    ),
    "simple packet without interface": (
        SECTION + ng.simple_packet(b"frame"),
        "broken at byte 28, after frame 0: a simple packet block without an interface",
    ),
    "section without magic": (
        START + ng.block(ng.SECTION, bytes(16)),
        HERE + "a section header without a byte-order magic",
    ),
    "first section without magic": (
        ng.block(ng.SECTION, b"\x1a\x2b\x3c\x4e" + bytes(12)),
        "broken at byte 0, after frame 0: a section header without a byte-order magic",
    ),
    "interface too short": (
        START + ng.block(ng.INTERFACE, bytes(4)),
        HERE + "an interface description that is too short",
    ),
    "too many interfaces": (
        SECTION + ng.interface() * 65_537,
        f"broken at byte {28 + 65_536 * 20}, after frame 0: more than 65536 interfaces in one section",
    ),
    "times too fine": (
        START + ng.interface(resolution=20),
        HERE + "an interface whose timestamps count 1e+20 units a second",
    ),
    "sysdig event": (
        START + ng.block(0x204, bytes(40)),
        HERE + "a block that only Wireshark understands: try --engine tshark",
    ),
    "gzip damaged": (
        gzip.compress(START)[:-8] + bytes(8),
        r"cannot be read: CRC check failed .*",
    ),
    "gzip of nothing known": (b"\x1f\x8b\x08\x00 not deflate at all", "cannot be read: .*"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_capture(tmp_path: Path, name: str) -> None:
    content, words = BROKEN[name]
    path = tmp_path / "capture"
    path.write_bytes(content)
    pattern = ".*" if words is None else words if words.endswith(".*") else re.escape(words)
    refuses(["annotate", path, "-o", tmp_path / "out.csv"], f"pywnv: {re.escape(str(path))}: {pattern}\n", tmp_path)


def test_rows_before_the_break_are_given(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(START + ng.raw_block(6, bytes(20), length=13))
    found = bytearray()
    with pytest.raises(CaptureError, match="broken at byte"):
        list(map(found.extend, rows(path)))
    assert found.count(b"\n") == 2


NO_CAPTURE = {
    "missing": "No such file or directory",
    "file/below": "Not a directory",
    "n" * 300: "File name too long",
}


@pytest.mark.parametrize("engine", [[], ["--engine", "lupa"], ["--engine", "tshark"]])
@pytest.mark.parametrize("name", NO_CAPTURE)
def test_no_capture(tmp_path: Path, name: str, engine: list[object]) -> None:
    (tmp_path / "file").write_bytes(MIX)
    words = f"pywnv: {re.escape(str(tmp_path / name))}: {NO_CAPTURE[name]}\n"
    refuses(["annotate", tmp_path / name, "-o", tmp_path / "out.csv", *engine], words, tmp_path)


TEXTS = {
    "five": (b"hello", "is a text file, not a capture"),
    "json": (b'{"a": 1}\n', "is a text file, not a capture"),
    "wide": ("[00] à\r\n".encode("utf-16"), "is a text file, not a capture"),
    "packed": (gzip.compress(b"a text\n"), "is a text file, not a capture"),
    "cut in a character": (b"x" * 4099 + "é".encode(), "is a text file, not a capture"),
    "log": (
        b"[00]0000.0000::2021-03-01 10:00:00.0 [Microsoft-Windows-PktMon] PktGroupId 1, PktNumber 1\n",
        "holds no packets and no events; take whole lines of the log, from [CPU] to LoggedSize, and the lines below "
        "each",
    ),
}


@pytest.mark.parametrize("arguments", [["annotate"], ["annotate", "-Y", "frame"], ["inspect"], ["explain", 1]])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_named_for_what_it_is(tmp_path: Path, name: str, arguments: list[object]) -> None:
    path = tmp_path / "text"
    path.write_bytes(TEXTS[name][0])
    words = re.escape(f"pywnv: {path}: {TEXTS[name][1]}\n")
    refuses([arguments[0], path, *arguments[1:]], words, tmp_path)


OTHER = {"empty": b"", "short": b"\x0a\x0d\x0d", "text": b"This is a text.\n", "other": bytes(range(256))}
LUPA_WORDS = "not a pcapng or pcap file; --engine tshark reads more formats"


@pytest.mark.parametrize("name", OTHER)
def test_no_pcapng_or_pcap(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(OTHER[name])
    what = f"is empty|too short for a capture|is a text file, not a capture|{LUPA_WORDS}"
    words = f"pywnv: {re.escape(str(path))}: ({what})\n"
    refuses(["annotate", path, "--engine", "lupa", "-o", tmp_path / "out.csv"], words, tmp_path)


@pytest.mark.wireshark
@pytest.mark.parametrize("engine", [[], ["--engine", "tshark"]])
@pytest.mark.parametrize("name", OTHER)
def test_no_capture_for_tshark(tmp_path: Path, name: str, engine: list[object]) -> None:
    if name == "short" and engine:
        return  # whoever asks for tshark gets its view: two ends of lines, so this is JSON
    path = tmp_path / name
    path.write_bytes(OTHER[name])
    refuses(["annotate", path, "-o", tmp_path / "out.csv", *engine], f"pywnv: {re.escape(str(path))}: .+\n", tmp_path)


@pytest.mark.slow
@pytest.mark.wireshark
@pytest.mark.parametrize(
    "name", ["length 13", "unknown interface", "captured far beyond", "first section without magic"]
)
def test_broken_capture_for_tshark(tmp_path: Path, name: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(BROKEN[name][0])
    words = f"pywnv: {re.escape(str(path))}: tshark: .+\n"
    refuses(["annotate", path, "-o", tmp_path / "out.csv", "--engine", "tshark"], words, tmp_path)


@pytest.mark.wireshark
@pytest.mark.parametrize(
    ("condition", "word"), [("tcp &&", ""), ("frame.numbre == 1", "frame.numbre"), ("wnv.duplicat", "wnv.duplicat")]
)
def test_bad_filter(tmp_path: Path, condition: str, word: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(START)
    words = rf"(?!.*load the plugin)(?!.*no Lua)pywnv: .*{re.escape(word)}.*\n"
    refuses(["annotate", path, "-Y", condition, "-o", tmp_path / "out.csv"], words, tmp_path)


def test_bad_options(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(START)
    cases = {
        ("-Y", "tcp", "--engine", "lupa"): "pywnv: -Y: only tshark knows display filters; omit --engine",
        ("--window", "-1"): "pywnv: --window -1: must be from 0 to 3600 seconds",
        ("--window", "nan"): "pywnv: --window nan: must be from 0 to 3600 seconds",
        ("--format", "xml"): "pywnv: Invalid value for '--format': .* See `pywnv annotate --help`",
        ("--engine", "vim"): "pywnv: Invalid value for '--engine': .* See `pywnv annotate --help`",
        ("--no-such\n",): "pywnv: No such option: --no-such.* See `pywnv annotate --help`",
        ("--window", "soon"): "pywnv: Invalid value for '--window': 'soon' .* See `pywnv annotate --help`",
        ("--columns", "frame,"): "pywnv: --columns: a name is empty; put commas .*",
        ("-o",): "pywnv: Option '-o' requires an argument. See `pywnv annotate --help`",
    }
    for arguments, words in cases.items():
        done = run("annotate", path, *arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert re.fullmatch(f"{words}\n", done.stderr.decode()), done.stderr


def test_a_command_that_does_not_exist() -> None:
    done = run("annotat")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"pywnv: No such command 'annotat'. Did you mean 'annotate'? See `pywnv --help`\n"
    assert run("host").stderr.startswith(b"Usage: pywnv host [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.wireshark
@pytest.mark.parametrize("window", ["inf", "1e300", "5000000"])
def test_a_window_without_an_end(tmp_path: Path, window: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(START)
    for engine in Engine:
        done = run("annotate", path, "--window", window, "--engine", engine)
        assert done.returncode in (0, 2)
        assert done.stderr.count(b"\n") == (1 if done.returncode else 0)


def check_cut(path: Path, whole: list[bytes], where: str | None, engine: Engine = Engine.LUPA) -> int:
    """The rows of a capture that is cut off are the first ones of the whole; says how many they are."""
    warnings: list[str] = []
    found = b"".join(rows(path, engine=engine, warn=warnings.append)).splitlines()
    assert found == whole[: len(found)]
    frames = len(found) - 1
    if where is not None:
        assert warnings == [cut_off(path, where, frames)]
    return frames


def cut_off(path: Path, byte: int | str, frames: int) -> str:
    return f"{path}: is cut off at byte {byte}, {f'after frame {frames}' if frames else 'before the first frame'}"


@pytest.mark.slow
def test_a_capture_cut_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    small = ng.first_frames(MIX, 4)
    ends = {block.start + len(block.data) for block in ng.blocks(small)}
    path.write_bytes(small)
    whole = b"".join(rows(path)).splitlines()
    for cut in range(4, len(small)):
        path.write_bytes(small[:cut])
        warnings: list[str] = []
        found = b"".join(rows(path, engine=Engine.LUPA, warn=warnings.append)).splitlines()
        assert found == whole[: len(found)]
        words = cut_off(path, cut, len(found) - 1)
        if cut in ends and len(found) == 1:
            assert "holds no packets" in warnings.pop()
        assert warnings == ([] if cut in ends else [words])


@pytest.mark.slow
def test_a_pcap_cut_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    small = ng.pcap([(number, 0, ng.ethernet(ng.udp(identification=number))) for number in range(5)])
    size = (len(small) - 24) // 5
    path.write_bytes(small)
    whole = b"".join(rows(path)).splitlines()
    for cut in range(24, len(small)):
        path.write_bytes(small[:cut])
        frames, rest = divmod(cut - 24, size)
        assert check_cut(path, whole, str(cut) if rest else None) == frames


@pytest.mark.slow
def test_a_large_capture_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    whole = b"".join(rows(CAPTURES / "mix.pcapng.gz")).splitlines()
    last = 0
    for cut in range(1001, len(MIX), 18_013):
        path.write_bytes(MIX[:cut])
        frames = check_cut(path, whole, str(cut))
        assert frames >= last
        last = frames


@pytest.mark.slow
def test_a_gzip_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    packed = (CAPTURES / "mix.pcapng.gz").read_bytes()
    whole = b"".join(rows(CAPTURES / "mix.pcapng.gz")).splitlines()
    last = 0
    for cut in [*range(200, len(packed), 4999), *range(len(packed) - 9, len(packed))]:
        path.write_bytes(packed[:cut])
        unpacked = zlib.decompressobj(wbits=31).decompress(packed[:cut])
        frames = check_cut(path, whole, str(len(unpacked)))
        assert frames >= last
        last = frames
    assert last == len(whole) - 1  # without its checksum all is there, but nobody can be sure of it


def test_the_command_tells_where_a_capture_breaks_off(tmp_path: Path) -> None:
    path, out = tmp_path / "capture", tmp_path / "out.csv"
    whole = b"".join(rows(CAPTURES / "mix.pcapng.gz"))
    for content in (MIX[:300_001], (CAPTURES / "mix.pcapng.gz").read_bytes()[:100_000]):
        path.write_bytes(content)
        done = run("annotate", path, "-o", out, "--force")
        assert (done.returncode, done.stdout) == (0, b"")
        words = (
            rf"pywnv: warning: {re.escape(str(path))}: is cut off at byte \d+, (after frame \d+|before the first frame)"
        )
        assert re.fullmatch(words, done.stderr.decode().removesuffix("\n"))
        assert whole.startswith(out.read_bytes())


@pytest.mark.wireshark
@pytest.mark.parametrize("cut", [0, 301, 100_003, 300_001, 700_002])
def test_tshark_tells_that_a_capture_breaks_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "capture"
    path.write_bytes(MIX[:cut] if cut else (CAPTURES / "mix.pcapng.gz").read_bytes()[:100_000])
    warnings: list[str] = []
    found = b"".join(rows(path, engine=Engine.TSHARK, warn=warnings.append))
    assert found == b"".join(rows(path, engine=Engine.LUPA))
    assert len(warnings) == 1
    frames = found.count(b"\n") - 1
    assert warnings == [f"{path}: is cut off in the middle of a frame, after frame {frames}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["annotate"], ["inspect"], ["why", "--ip", "10.0.0.1"], ["host", "show"], ["dedup", "-o", "-"]],
)
def test_a_name_neither_breaks_its_line_nor_commands_the_terminal(tmp_path: Path, arguments: list[object]) -> None:
    path = tmp_path / "\x1b[31mred\nname\u202e.txt"
    path.write_bytes(b"This is a text.\n")
    done = run(*arguments, path, before=f"os.chdir({str(tmp_path)!r})")
    (line,) = done.stderr.decode().splitlines(keepends=True)
    assert line.startswith("pywnv: ")
    assert "\ufffd[31mred\ufffdname\ufffd.txt: " in line
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect"],
        ["inspect", CAPTURES / "mix.pcapng.gz"],
        ["why", "--ip", "10.0.0.1"],
        ["why", "--nic", "\x1b[31mred\nname"],
    ],
)
def test_results_show_such_a_name_in_one_line(tmp_path: Path, arguments: list[object]) -> None:
    path = tmp_path / "\x1b[31mred\nname.pcapng"
    path.write_bytes(MIX)
    said = run(*arguments, path).stdout.decode()
    assert "\x1b" not in said
    assert "\ufffd[31mred\ufffdname" in said.replace("\n", "")
