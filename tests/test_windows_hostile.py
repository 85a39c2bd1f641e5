"""Comments, names, journal entries and ETW records that chance has made: rows are whole, and both engines agree."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import windows_events as made
import windows_tools as tools
from conftest import run_wireshark
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from modules import HOSTILE, RUNTIMES, module
from pcapng_blocks import interface, journal, option, packet, section

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.generate.plugin import plugin_lua
from pywnv.tables import fields

fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

WORDS = [
    *(
        word.encode()
        for word in ("PID=", "4", " TID=", "8", " VlanId=", "-1", " SrcPortId=", " SrcNicType=", "Internal")
    ),
    *(word.encode() for word in (" SrcNicName=", " SrcPortName=", " DstNicCount=", " HashValue=", "Group: ", "\n")),
    *(word.encode() for word in ("Component: ", "(57)", "Edge: ", "Drop: ", "reason=0x", "22", " location=0xE0002001")),
    *(word.encode() for word in ("NBL ", "received from ", "routed from ", "Nic ", "(Friendly Name: ", ")", " to ")),
    *(word.encode() for word in (" in switch ", " was dropped", ", Reason ", "Failed Security Policy", "a", ":", "\\")),
    *(
        word.encode()
        for word in ("_COMM=", tools.SWITCH_PROVIDER, "MESSAGE=", "__REALTIME_TIMESTAMP=", "1763900000000000")
    ),
    *(
        word.encode()
        for word in ("vNIC:", "Synthetic:", "External:", "eth:12:0", "wifi:7", "LWF over IfIndex 3", "x.sys")
    ),
    *HOSTILE[:6],
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=14).map(b"".join)
OPTIONS = st.lists(
    st.one_of(
        st.builds(option, st.just(tools.COMMENT), TEXTS),
        st.builds(option, st.just(tools.FLAGS), st.binary(min_size=4, max_size=4)),
        st.builds(option, st.just(tools.PACKET_ID), st.binary(min_size=8, max_size=8)),
        st.builds(option, st.just(tools.VERDICT), st.sampled_from([b"\2\1" + bytes(7), b"\2\2" + bytes(7), b"\0x"])),
    ),
    max_size=4,
).map(b"".join)
RECORDS = st.one_of(
    st.binary(max_size=120),
    st.builds(
        lambda message, ident, data: made.etw_record(message, ident=ident, data=data),
        TEXTS.map(lambda value: value.decode("latin-1")),
        st.integers(50, 62),
        st.one_of(st.binary(max_size=40), TEXTS.map(lambda value: made.event_data(*map(chr, value[:8])))),
    ).flatmap(lambda record: st.integers(0, len(record)).map(lambda size: record[: size or None])),
)
ENTRIES = st.one_of(
    TEXTS,
    st.builds(lambda message: b"_COMM=%s\nMESSAGE=%s\n" % (made.PROVIDER, message), TEXTS),
).map(lambda entry: b"__REALTIME_TIMESTAMP=%d\n%s" % (made.START, entry))
NAMES = st.lists(st.tuples(TEXTS, TEXTS), min_size=3, max_size=3)


def capture(
    names: list[tuple[bytes, bytes]], packets: list[tuple[int, bytes]], entries: list[bytes], records: list[bytes]
) -> bytes:
    blocks = [section(), interface(linktype=tools.ETW)]
    blocks += [interface(name, more=option(tools.DESCRIPTION, description)) for name, description in names]
    frames = [packet(1 + at % 3, made.START + at, made.ping(n), options=notes) for at, (n, notes) in enumerate(packets)]
    frames += [packet(0, made.START + at, record) for at, record in enumerate(records)]
    frames += map(journal, entries)
    return b"".join(blocks + frames)


def captures(least: int, most: int) -> st.SearchStrategy[bytes]:
    """With so many packets, and half as many entries and records."""
    packets = st.tuples(st.integers(1, 3), OPTIONS)
    lists = (st.lists(packets, min_size=least, max_size=most),)
    lists += tuple(st.lists(some, min_size=least // 2, max_size=most // 2) for some in (ENTRIES, RECORDS))
    return st.builds(capture, NAMES, *lists)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "capture"


def read(path: Path, content: bytes, engine: Engine = Engine.LUPA) -> list[dict[str, object]]:
    path.write_bytes(content)
    said = b"".join(rows(path, engine=engine, output_format=Format.JSONL))
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.slow
@fuzz
@given(content=captures(0, 8))
def test_rows_are_whole(path: Path, content: bytes) -> None:
    for row in read(path, content):
        assert list(row) == list(fields.columns())
        assert (row["packet"] is None) == (row["verdict"] in (None, "event"))
        assert row["drop_reason"] is None or row["drop"]
        for value in row.values():
            assert not isinstance(value, str) or not set(value) & set("\0\x1b\u202e")


@pytest.mark.wireshark
@settings(fuzz, max_examples=18, phases=[Phase.generate])
@given(content=captures(0, 8) | captures(12, 24))
def test_both_engines_say_the_same(path: Path, content: bytes) -> None:
    """Half of the captures are larger: each takes a tshark."""
    assert read(path, content, Engine.TSHARK) == read(path, content)


@pytest.mark.wireshark
def test_nothing_is_raised_into_wireshark(path: Path, config: Path) -> None:
    random = Random(4)
    texts = [b"".join(random.choices(WORDS, k=random.randrange(14))) for _ in range(60)]
    notes = [(n % 3, option(tools.COMMENT, value)) for n, value in enumerate(texts)]
    entries = [b"__REALTIME_TIMESTAMP=%d\n_COMM=%s\nMESSAGE=%s\n" % (made.START, made.PROVIDER, v) for v in texts]
    records = [made.etw_record(value.decode("latin-1"), ident=57) for value in texts]
    path.write_bytes(capture([(texts[0], texts[1])] * 3, notes, entries, [r[: random.randrange(300)] for r in records]))
    assert run_wireshark(["tshark", "-n", "-r", path, "-Y", "_ws.lua.error"], config) == ""


@pytest.mark.parametrize("runtime", RUNTIMES)
@fuzz
@given(data=st.binary(max_size=300), cut=st.integers(0, 120), size=st.integers(0, 2**32 - 1))
def test_records_of_any_bytes(runtime: str, data: bytes, cut: int, size: int) -> None:
    """Behind a header that is the vmSwitch's, sizes may say what they want."""
    record = module(runtime, "record")
    head = made.event_header(tools.SWITCH_GUID, 57) + bytes(4)
    for kind, rest in ((b"etw", size.to_bytes(4, "little") + data), (b"netevent", b"\1\0" + data)):
        buf = b"before" + (head + rest)[: len(head) + cut]
        record[b"readers"][kind](buf, 7, len(buf))
    record[b"journal"](data)


def test_the_plugin_has_no_way_in_for_a_topology(tmp_path: Path) -> None:
    from pywnv.host.loading import load

    file = tmp_path / "host.toml"
    file.write_text(f"[[nics]]\nname = '{made.ODD}'\nrole = 'pNIC'\ninterfaces = ['{made.ODD}']\n")
    text = plugin_lua(load(file))
    assert made.ODD not in text
    assert text.count("os.execute") == 2
