"""What the vmSwitch's events say: their texts, their binary data, and the journal entries that hold them."""

from __future__ import annotations

import struct
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import HOSTILE, RUNTIMES, module, plain

from pywnv.tables import fields

PROVIDER = b"Microsoft-Windows-Hyper-V-VmSwitch"
GUID = "6B29FC40-CA47-1067-B31D-00DD010662DA"
TEAM = "Microsoft Network Adapter Multiplexor Driver"
FILTER_TEXT = "Packet does not match the packet filter set on the destination NIC"


def named(**said: object) -> dict[str, object]:
    said["event"] = fields.EVENTS.index(str(said["event"]))
    if said["event"] == fields.EVENTS.index("dropped"):
        said["drop"] = True
    return said


# The first five are word for word those of WNV Deep Dive part 4.
TEXTS: dict[str, dict[str, object] | None] = {
    "NBL received from Nic (Friendly Name: wireless) in switch (Friendly Name: wireless)": named(
        event="received", nic="wireless", switch="wireless"
    ),
    f"NBL routed from Nic (Friendly Name: wireless) to Nic /DEVICE/(Friendly Name: {TEAM}) on switch "
    "(Friendly Name: wireless)": named(event="routed", nic="wireless", destination_nic=TEAM, switch="wireless"),
    f"NBL delivered to Nic /DEVICE/ (Friendly Name: {TEAM}) in switch (Friendly Name: wireless)": named(
        event="delivered", nic=TEAM, switch="wireless"
    ),
    "NBL destined to Nic (Friendly Name: wireless) was dropped in switch (Friendly Name: wireless), "
    f"Reason {FILTER_TEXT}.": named(
        event="dropped", nic="wireless", switch="wireless", reason=34, reason_text=f"{FILTER_TEXT}."
    ),
    "NBL destined to Nic (Friendly Name: Network Adapter) was dropped in switch (Friendly Name: docked), "
    "Reason Failed Security Policy": named(
        event="dropped", nic="Network Adapter", switch="docked", reason=12, reason_text="Failed Security Policy"
    ),
    # With the names that people do not know, as other events of this provider print them.
    f"NBL 0xFFFF8A0B received from Nic {GUID} (Friendly Name: Adapter) in switch {GUID} (Friendly Name: a)": named(
        event="received", nic="Adapter", switch="a"
    ),
    f"NBL routed from Nic {GUID}--1 (Friendly Name: a) to Nic /DEVICE/{{{GUID}}} (Friendly Name: b) on switch {GUID} "
    "(Friendly Name: c)": named(event="routed", nic="a", destination_nic="b", switch="c"),
    f"NBL received from Nic {GUID} (Friendly Name: ) in switch S (Friendly Name: )": named(
        event="received", nic=GUID, switch="S"
    ),
    "NBL originating from Nic A (Friendly Name: a) was dropped in switch B (Friendly Name: b), Reason 9": named(
        event="dropped", nic="a", switch="b", reason=9, reason_text="9"
    ),
    "NBL destined to Nic (Friendly Name: a) was dropped in switch (Friendly Name: b), Reason Filtered VLAN": named(
        event="dropped", nic="a", switch="b", reason=9, reason_text="Filtered VLAN"
    ),
    "NBL destined to Nic (Friendly Name: a) was dropped in switch (Friendly Name: b), Reason (new: thing)": named(
        event="dropped", nic="a", switch="b", reason_text="(new: thing)"
    ),
    "NBL destined to Nic (Friendly Name: a) was dropped in switch (Friendly Name: b)": named(
        event="dropped", nic="a", switch="b"
    ),
    "NBL from Nic (Friendly Name: a) was filtered by extension X in switch (Friendly Name: b)": named(
        event="dropped", nic="a", switch="b", filtered=True
    ),
    # Names with brackets, and words that mean something elsewhere.
    "NBL received from Nic (Friendly Name: vEthernet (Default Switch)) in switch (Friendly Name: a)": named(
        event="received", nic="vEthernet (Default Switch)", switch="a"
    ),
    "NBL delivered to Nic (Friendly Name: smile :)) in switch (Friendly Name: a(b)": named(
        event="delivered", nic="smile :)", switch="a(b"
    ),
    "NBL delivered to Nic (Friendly Name: was dropped, Reason 5) in switch (Friendly Name: routed from)": named(
        event="delivered", nic="was dropped, Reason 5", switch="routed from"
    ),
    'NBL delivered to Nic (Friendly Name: ]] os.execute("x") --) in switch (Friendly Name: b)': named(
        event="delivered", nic=']] os.execute("x") --', switch="b"
    ),
    "NBL received from Nic A in switch B": named(event="received", nic="A", switch="B"),
    "NBL routed from Nic A to Nic B on switch C": named(event="routed", nic="A", destination_nic="B", switch="C"),
    "NBL destined to Nic A was dropped in switch B, Reason: Failed security policy": named(
        event="dropped", nic="A", switch="B", reason=12, reason_text="Failed security policy"
    ),
    "NBL received from Nic (Friendly Name: a)\r\nin switch (Friendly Name: b)\r\n": named(
        event="received", nic="a", switch="b"
    ),
    # Other languages: by position, and the event only where no other names two NICs.
    "NBL von NIC X (Anzeigename: a) an NIC Y (Anzeigename: b) auf Switch Z (Anzeigename: c) geleitet": named(
        event="routed", nic="a", destination_nic="b", switch="c"
    ),
    "从 Nic X (友好名称：a) 收到 NBL，交换机 Y (友好名称：b)": named(event="none", nic="a", switch="b"),  # noqa: RUF001
    "スイッチ Y (フレンドリ名: b) の NIC X (フレンドリ名: a) から NBL": named(event="none", nic="a", switch="b"),
    "NBL reçu de la carte NIC X (Nom convivial : a) dans le commutateur Y (Nom convivial : b)": named(
        event="none", nic="a", switch="b"
    ),
    # Events of this provider that tell of no packet.
    f"Port {GUID} (Friendly Name: x) successfully created on switch {GUID} (Friendly Name: WSL).": None,
    f"Media disconnected on NIC /DEVICE/{{{GUID}}} (Friendly Name: {TEAM}).": None,
    "NBL": None,
    "NBL gone (Friendly Name: a)": None,
    "": None,
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("message", TEXTS)
def test_texts(runtime: str, message: str) -> None:
    found = plain(module(runtime, "event")[b"read"](PROVIDER, message.encode()))
    for key in ("nic_id", "destination_id", "buffer") if found else ():  # what ties the events of one packet together
        found.pop(key, None)
    assert found == TEXTS[message]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_ties_events_together(runtime: str) -> None:
    text = b"NBL 0xFFFFC10A_1 received from Nic 6B29FC40--1 (Friendly Name: a) in switch S (Friendly Name: s)"
    found = plain(module(runtime, "event")[b"read"](PROVIDER, text.replace(b"_1", b"01")))
    assert (found["buffer"], found["nic_id"]) == ("0xFFFFC10A01", "6b29fc40--1")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_only_of_the_switch(runtime: str) -> None:
    read = module(runtime, "event")[b"read"]
    message = next(iter(TEXTS)).encode()
    for provider in (
        PROVIDER,
        PROVIDER.upper(),
        b"Microsoft_Windows_Hyper_V_VmSwitch",
        b"67dc0d66-3695-47c0-9642-33f76f7bd7ad",
        b"{67DC0D66-3695-47C0-9642-33F76F7BD7AD}",
    ):
        assert read(provider, message) is not None
    for provider in (None, b"", b"Microsoft-Windows-PktMon", PROVIDER * 50):
        assert read(provider, message) is None
    assert read(PROVIDER, None) is None


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts(runtime: str, name: bytes) -> None:
    read = module(runtime, "event")[b"read"]
    begun = process_time()
    for message in TEXTS:
        for part in (b"wireless", b"Friendly Name", b"Nic", b"Reason"):
            plain(read(PROVIDER, message.encode().replace(part, name)))
    plain(read(PROVIDER, b"NBL" + name * 1000))
    assert process_time() - begun < 5


@given(st.binary(max_size=200), st.sampled_from(RUNTIMES))
@settings(max_examples=300, deadline=None)
def test_any_text(data: bytes, runtime: str) -> None:
    read = module(runtime, "event")[b"read"]
    for start in (b"NBL ", b"NBL received from Nic (Friendly Name: ", b"NBL routed from Nic ("):
        plain(read(PROVIDER, start + data))


# Binary data.

REASON, BUFFER = struct.pack("<I", 34), bytes(range(1, 9))


def strings(*texts: str, unit: int = 2) -> bytes:
    """Texts, each behind its length: in characters (WCHAR), as Windows counts them, or in bytes."""
    coded = [text.encode("utf-16-le") for text in texts]
    return b"".join(struct.pack("<I", len(data) // unit) + data for data in coded)


TWO, THREE = ("n1", "wireless ☃", "s1", "docked \U0001f600"), ("n1", "a", "n2", "b", "s1", "c")
DATA: dict[int, tuple[tuple[str, ...], bytes, dict[str, object]]] = {
    54: (TWO, REASON, named(event="dropped", nic=TWO[1], switch=TWO[3], reason=34)),
    55: (TWO, REASON, named(event="dropped", nic=TWO[1], switch=TWO[3], reason=34)),
    56: (TWO, BUFFER, named(event="received", nic=TWO[1], switch=TWO[3])),
    57: (THREE, BUFFER, named(event="routed", nic="a", destination_nic="b", switch="c")),
    58: (TWO, BUFFER, named(event="delivered", nic=TWO[1], switch=TWO[3])),
    59: (
        ("ext", *THREE),
        b"",
        named(event="dropped", nic="a", destination_nic="b", switch="c", extension="ext", filtered=True),
    ),
    60: (
        ("n1", "a", "s1", "c", "{guid}", "ext", "no reason"),
        b"",
        named(event="dropped", nic="a", switch="c", extension="ext", filtered=True, reason_text="no reason"),
    ),
    240: (TWO, BUFFER, named(event="received", nic=TWO[1], switch=TWO[3])),
    241: (TWO, BUFFER, named(event="delivered", nic=TWO[1], switch=TWO[3])),
    242: (THREE, BUFFER, named(event="routed", nic="a", destination_nic="b", switch="c")),
}


def user_data(runtime: str, id: int, data: bytes) -> Any:
    found = module(runtime, "event")[b"user_data"](id, data)
    if found is None:
        return None
    rows = dict(found.items())
    rows.pop(b"nic_id", None)
    rows.pop(b"destination_id", None)
    buffer = rows.pop(b"buffer", None)
    return {plain(key): plain(value) for key, value in rows.items()}, buffer


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("id", DATA)
def test_user_data(runtime: str, id: int) -> None:
    texts, tail, expected = DATA[id]
    data = strings(*texts) + tail
    if tail == REASON:
        expected = {**expected, "reason_text": "Packet does not match destination NIC packet filter"}
    assert user_data(runtime, id, data) == (expected, tail if tail == BUFFER else None)
    for broken in (data[:-1], data + b"\0", data[1:], b"", strings(*texts, unit=1) + tail):
        assert user_data(runtime, id, broken) is None


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_user_data_without_names(runtime: str) -> None:
    assert user_data(runtime, 53, REASON)[0]["reason"] == 34
    assert user_data(runtime, 56, bytes(16) + BUFFER) == (named(event="received"), BUFFER)
    assert user_data(runtime, 56, strings("id", "", "s", "") + BUFFER)[0] == named(
        event="received", nic="id", switch="s"
    )
    assert user_data(runtime, 54, strings("a", "b", "c", "d") + struct.pack("<I", 99999))[0]["reason"] == 99999
    for id in (0, 1, 61, 106):
        assert user_data(runtime, id, REASON) is None


@given(st.binary(max_size=100), st.sampled_from(sorted(DATA)), st.sampled_from(RUNTIMES))
@settings(max_examples=300, deadline=None)
def test_any_user_data(data: bytes, id: int, runtime: str) -> None:
    user_data(runtime, id, data)
    user_data(runtime, id, struct.pack("<I", len(data)) + data + b"\xff" * 4)


@pytest.mark.slow
@given(st.text(max_size=60), st.sampled_from(RUNTIMES))
@settings(max_examples=200, deadline=None)
def test_utf16_is_read_as_python_reads_it(text: str, runtime: str) -> None:
    read = module(runtime, "text")[b"from_utf16"]
    assert read(text.encode("utf-16-le")).decode() == text


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_broken_utf16(runtime: str) -> None:
    read = module(runtime, "text")[b"from_utf16"]
    for data, expected in {
        b"\x3d\xd8": "�",
        b"\x3d\xd8a\0": "�a",
        b"\0\xdea\0": "�a",
        b"a\0b": "a�",
        b"": "",
        b"\x3d\xd8\0\xde": "\U0001f600",
    }.items():
        assert read(data).decode() == expected


# Journal entries.


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"__REALTIME_TIMESTAMP=1\n_COMM=a b\nMESSAGE=x=y\n\0\xff\xff",
            {"__REALTIME_TIMESTAMP": "1", "_COMM": "a b", "MESSAGE": "x=y"},
        ),
        (b"_COMM=a\nMESSAGE=\n\0", {"_COMM": "a", "MESSAGE": ""}),
        (b"MESSAGE=one\r\ntwo\nlower=3\nMESSAGE=4\n\0A=5\n", {"MESSAGE": "one\r\ntwo\nlower=3"}),
        (b"MESSAGE=no end", {"MESSAGE": "no end"}),
        (b"nothing\n=\n\n", {}),
        (b"", {}),
        (b"\0A=1", {}),
    ],
)
def test_journal(runtime: str, body: bytes, expected: dict[str, str]) -> None:
    found = plain(module(runtime, "event")[b"journal"](body))
    assert found == expected


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("filler", [b"\n", b"A=\n", b"A", b"=", b"x\n", b"MESSAGE=1\nx\n"])
def test_a_megabyte_of_journal_takes_no_time(runtime: str, filler: bytes) -> None:
    begun = process_time()
    module(runtime, "event")[b"journal"](b"MESSAGE=" + filler * (2**20 // len(filler)))
    assert process_time() - begun < 1


@given(st.binary(max_size=200), st.sampled_from(RUNTIMES))
@settings(max_examples=200, deadline=None)
def test_any_journal(body: bytes, runtime: str) -> None:
    module(runtime, "event")[b"journal"](b"MESSAGE=" + body)
