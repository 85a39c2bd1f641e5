"""Which way packets go: by notes, by the order of hops, by whose MACs these are; right, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import windows_events as made
from engine import MAC_A, arp, ethernet
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import RUNTIMES, lua, module
from pcapng_blocks import interface, section

from pywnv.annotate.rows import Engine, Format, rows
from pywnv.host.topology import Topology
from pywnv.tables import fields

Tshark = Callable[..., list[list[str]]]

# Interfaces by a letter: two vmNICs, a host vNIC, a pNIC, one of which nothing is known, the port to the outside.
NAMES = {
    "v": "vNIC:Synthetic:one:12:0",
    "w": "vNIC:Synthetic:two:12:0",
    "h": "vNIC:Internal:host:12:0",
    "p": "wifi:7",
    "u": "eth0",
    "x": "vNIC:External:uplink:12:0",
}
A, B, R, S = made.GUEST, made.GUEST2, made.ROUTER, bytes.fromhex("a0b1c2d3e4f5")
BROADCAST = b"\xff" * 6
MACS = {"A": A, "B": B, "R": R, "S": S, "*": BROADCAST}


def capture(words: str) -> bytes:
    """A capture of frames such as `AR1v`: from A to R, packet 1, at v; 10 microseconds apart, or `AR1v@990`."""
    blocks, number = [], 0
    for number, word in enumerate(words.split()):
        frame, _, at = word.partition("@")
        src, dst, place = MACS[frame[0]], MACS[frame[1]], list(NAMES).index(frame[-1])
        data = made.ping(int(frame[2:-1]), src, dst)
        blocks.append(made.packet(place, int(at) if at else 10 * number, data))
    return section() + b"".join(interface(name) for name in NAMES.values()) + b"".join(blocks)


def ways(file: Path, content: bytes, topology: Topology | None = None, engine: Engine = Engine.LUPA) -> str:
    """The directions of a capture's frames, by their first letters; t for internal, - for none."""
    file.write_bytes(content)
    found = b"".join(rows(file, engine=engine, output_format=Format.JSONL, topology=topology))
    said = [json.loads(line)["direction"] for line in found.splitlines()]
    return " ".join("-" if way is None else "t" if way == "internal" else way[0] for way in said)


CASES = {
    "order: out": ("AR1v AR1p", "- o"),
    "order: in": ("RA1p RA1v", "- i"),
    "order: out, through what is not known": ("AR1v AR1u AR1p", "- - o"),
    "order: the host": ("AR1h AR1p RA2p RA2h", "- o i i"),
    "order: from a port to the same side": ("AR1v AR1w", "- -"),
    "nothing is known of the hops": ("AR1u RA2u AR3u", "- - -"),
    "one side only": ("AR1v RA2v AR3v", "- - -"),
    "the other side only": ("AR1p RA2p AR3p", "- - -"),
    "there and back tells nothing": ("AB1v AB1p AB1w", "- o -"),
    # R's first packet comes from the outside, so it is R's; A's has crossed.
    "macs: learned by a crossing": ("AR1v AR1p RA2p RA2v AR3v RA4p", "- o i i o i"),
    "macs: first seen inside, of a capture that shows both sides": ("AR1v AR1p BA2w AB3v", "- o t t"),
    "macs: to all": ("AR1v AR1p A*2v A*2p A*3v", "- o - o -"),
    "macs: both inside": ("AR1v AR1p BR2w BR2p AB3v AB3w BA4w", "- o - o t t t"),
    "macs: what comes from the uplink is from outside": ("AR1v AR1p RA2x AR3v", "- o i o"),
    # A bridge puts its own MAC in: S is the host's, too.
    # A router inside sends back out what came in; the hops tell.
    "order goes before macs": ("AR1v AR1p RA2p RA2v RA3v RA3p", "- o i i - o"),
    "macs: rewritten": ("AR1v SR1p RS2p RA2v", "- o i i"),
    "macs: seen first where nothing is known": ("SA1u AR2v AR2p SA3v AS4v", "- - o - -"),
    # A router outside sends what A sent back to B, from its own MAC.
    "macs: of what comes back": ("AR1v AR1p RB1p RB1w RB2p RB2w", "- o o - - i"),
    "macs: of a machine that has moved away": ("RB1p RB1w AB2v AB2w AB3v AB3p AB4v AB4p", "- i t t t o - o"),
    "macs: of a machine that has moved here": ("BR1v BR1p AB2p AB2v AB3w AB3v", "- o i i - -"),
    # A file in batches, an interface each: times run back.
    "disorder: in": ("RA1v@50 RA1p@20", "- i"),
    "disorder: out": ("AR1p@50 AR1v@20", "- o"),
    "disorder: by time only": ("RA1p@20 AR2v@10 RA1v@60 AR2p@30", "- - i o"),
    "disorder: at once tells nothing": ("SA9p@90 AR1v@50 AR1p@50", "- - -"),
    "disorder: where a MAC was first seen tells nothing": ("AR1v@50 AR1p@60 BR2w@10 RB3p@20", "- o - -"),
}


@pytest.mark.parametrize("case", CASES)
def test_ways(tmp_path: Path, case: str) -> None:
    words, expected = CASES[case]
    assert ways(tmp_path / "capture", capture(words)) == expected


@pytest.mark.wireshark
def test_both_engines_say_the_same(tmp_path: Path) -> None:
    for words, expected in CASES.values():
        assert ways(tmp_path / "capture", capture(words), engine=Engine.TSHARK) == expected


def test_the_topology_knows_whose_macs(tmp_path: Path) -> None:
    nics = [{"name": "one", "macs": [A.hex()]}, {"name": "two", "role": "vmNIC", "macs": [B.hex()]}]
    topology = Topology.model_validate({"nics": nics})
    assert ways(tmp_path / "capture", capture("AB1u BA2u AR3u"), topology) == "t t -"
    assert ways(tmp_path / "capture", capture("AB1u"), None) == "-"
    topology = Topology.model_validate({"nics": [{"name": "NIC", "role": "pNIC", "interfaces": ["eth0"]}]})
    assert ways(tmp_path / "capture", capture("AR1v AR1u"), topology) == "- o"


def noted(place: str, *options: tuple[int, bytes]) -> bytes:
    return section() + interface(place) + made.packet(0, 0, made.ping(1), *options)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (noted("eth:12:0", made.flags(2), made.comment("PID=4 TID=8")), "o"),
        (noted("eth:12:0", made.flags(1), made.comment("PID=4 TID=8")), "i"),
        (noted("eth:12:0", made.flags(0), made.comment("PID=4 TID=8")), "-"),
        (noted("eth:12:0", made.flags(3), made.comment("PID=4 TID=8")), "-"),
        (noted("eth:12:0", made.flags(0xFFFFFFFE), made.comment("PID=4 TID=8")), "o"),
        (noted("eth:12:0", made.flags(2)), "o"),  # a comment that would have been too long is left out
        (noted("wifi:7", made.flags(1)), "i"),
        # pktmon: always inbound, whatever it is.
        (noted("tcpip.sys", made.flags(1)), "-"),
        (noted("tcpip.sys", made.flags(1), (5, bytes(7) + b"\1")), "-"),
        (noted("eth:12:0", made.flags(1), (5, bytes(7) + b"\1")), "-"),
        # At a port of the vmSwitch: all that enters it is sent, from wherever it comes.
        (noted("vNIC:Synthetic:x:12:0", made.flags(2), made.port("Synthetic")), "-"),
        (noted("odd", made.flags(2), made.port("External")), "-"),
        (noted("eth0", made.flags(2)), "-"),
        (noted("eth0", made.flags(2), made.comment("somebody's own")), "-"),
    ],
)
def test_what_tools_note(tmp_path: Path, content: bytes, expected: str) -> None:
    assert ways(tmp_path / "capture", content) == expected


def test_what_has_no_time_or_no_mac(tmp_path: Path) -> None:
    blocks = [made.ng.simple_packet(made.ping(1)), made.packet(1, 0, b"short"), made.packet(0, 5, ethernet(arp()))]
    content = section() + interface("wifi:7") + interface("vNIC:Internal:x:1:0") + b"".join(blocks)
    assert ways(tmp_path / "capture", content) == "- - -"


@pytest.mark.wireshark
def test_a_read_filter_leaves_no_mac_behind(tshark: Tshark, tmp_path: Path) -> None:
    file = tmp_path / "capture"
    file.write_bytes(capture("AR1v AR1p RA2p RA2v AR3v RA4p BR5w BR5p AB6v SA7u SA8v"))
    marks = ["frame.number", "wnv.direction", "wnv.hop", "wnv.packet"]
    once = tshark(file, marks)
    assert tshark(file, marks, "-2", "-R", "frame") == once
    without = tmp_path / "without"
    without.write_bytes(capture("AR3v@40 RA4p@50 BR5w@60 BR5p@70 AB6v@80 SA8v@100"))
    rejected = "!(ip.id == 1 || ip.id == 2 || ip.id == 7)"
    assert tshark(file, marks, "-2", "-R", rejected) == tshark(without, marks)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["vmNIC", "pNIC", "unknown", "host vNIC"]),
        st.booleans(),
        st.sampled_from([A, B, R, S]),
        st.sampled_from([A, B, R, S, BROADCAST]),
        st.booleans(),
    ),
    max_size=25,
)
DRIVER = """
local direction = ...
local ways = direction.new(function() return nil end)
local before, node
local function decide(time, role, is_first, macs)
  local parent = not is_first and before or nil
  node = { hop = { role = role }, parent = parent }
  return ways.decide(time, node, parent and 1e-6 or nil, nil, macs, true)
end
return decide, function() before = node; ways.commit() end
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(steps=STEPS)
def test_a_frame_that_is_not_committed_leaves_nothing(
    runtime: str, steps: list[tuple[int, str, bool, bytes, bytes, bool]]
) -> None:
    (decide, commit), (plain_decide, plain_commit) = (
        lua(runtime).execute(DRIVER.encode(), module(runtime, "direction")) for _ in range(2)
    )
    for time, role, is_first, source, target, counts in steps:
        arguments = time * 1e-6, fields.ROLES.index(role), is_first, target + source
        found = decide(*arguments)
        if counts:
            assert plain_decide(*arguments) == found
            commit()
            plain_commit()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_macs_are_not_endless(runtime: str) -> None:
    count = lua(runtime).execute(
        b"""
        local direction, role = ...
        local ways = direction.new(function() return nil end)
        collectgarbage()
        local before = collectgarbage("count")
        for n = 1, 200000 do
          local mac = string.char(2, 0, 0, math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
          ways.decide(n, { hop = { role = role } }, nil, nil, mac .. mac, true)
          ways.commit()
        end
        collectgarbage()
        return collectgarbage("count") - before
        """,
        module(runtime, "direction"),
        0,
    )
    assert count < 2000  # KB


def test_the_names_of_directions() -> None:
    assert fields.DIRECTIONS == ("unknown", "outbound", "inbound", "internal")
    assert MAC_A[0] % 2 == 0
