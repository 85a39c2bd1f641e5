"""What the statistics keep is bounded: each bound of their table, on a capture that shows more of everything."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pcapng_blocks as ng
import pytest
from engine import TCP, arp, ethernet, ipv4, tcp, udp

from pywnv.annotate import walker
from pywnv.annotate.sinks import Lua
from pywnv.capture.source import open_capture
from pywnv.lua import lua_text
from pywnv.lua.runtime import lua_runtime
from pywnv.statistics.build import build
from pywnv.statistics.collect import sink
from pywnv.statistics.model import Selection

FEW = 6
PACKETS, HOPS, FLOWS = 300, 12, 700
RUNTIME = "lua54"  # in LuaJIT, the code that it makes counts, too
FIRST = 3 * ng.SECONDS
DROPPED = ng.option(7, b"\2" + struct.pack("<Q", 1))  # a verdict: XDP_DROP
Found = dict[str, Any]


class Bounded(Lua):
    """A Lua where bounds of the statistics are others."""

    values: dict[str, int]

    def load(self, name: str, *needs: object) -> Any:
        loaded = super().load(name, *needs)
        if name == "statistics/limits.lua":
            for limit, value in self.values.items():
                loaded[limit.encode()] = value
        return loaded


def address(number: int) -> bytes:
    return b"\x0a" + struct.pack(">I", number)[1:]


def busy_frame(at: int) -> bytes:
    """One of many flows, of many protocols; each fourth asks, each fifteenth is ARP."""
    flow = at % FLOWS
    ends = {"src": address(flow), "dst": address(flow + 7), "ident": at % 65535 + 1}
    if at % 15 == 14:
        return ethernet(arp(), ethertype=0x0806)
    if at % 4 == 3:
        syn = bytearray(tcp(seq=at, sport=1024 + flow))
        syn[13] = 2
        return ethernet(ipv4(bytes(syn), TCP, **ends))
    if at % 7 == 6:
        return ethernet(ipv4(b"%08d" % at, 90 + at % 100, **ends))
    return ethernet(ipv4(udp(b"%032d" % at, sport=1024 + flow), **ends))


def busy_capture(path: Path, packets: int, most_hops: int = HOPS) -> Path:
    """Packets of many flows, which pass some of many hops; many are dropped, each elsewhere."""
    made = [ng.section(), *(ng.interface(f"vNIC {hop}", resolution=9) for hop in range(HOPS))]
    for at in range(packets):
        hops = [hop for hop in range(HOPS) if (at * 2654435761 >> 7) >> hop & 1] or [0]
        hops = (hops * most_hops)[:most_hops] if most_hops < HOPS else hops
        for step, hop in enumerate(hops):
            dropped = DROPPED if step == len(hops) - 1 and at % 3 == 0 else b""
            made.append(ng.packet(hop, FIRST + at * 20_000_000 + step * 10_000, busy_frame(at), options=dropped))
    path.write_bytes(b"".join(made))
    return path


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busy_capture(tmp_path_factory.mktemp("busy") / "busy.pcapng", PACKETS)


def counted(path: Path, *, epoch: walker.Epoch | None = None, **values: int) -> tuple[Found, float]:
    """What is counted with other bounds, and how many KB Lua then uses."""
    memory: list[Any] = []
    selection = Selection(nic="vNIC 3") if "strangers" in values else None

    def make(lua: Lua) -> Any:
        memory.append(lua.runtime.execute(b"return function() collectgarbage() return collectgarbage('count') end"))
        bounded = Bounded(lua.runtime, lua.modules, lua.bytes, lua.buffer)
        object.__setattr__(bounded, "values", values)
        return sink(bounded, selection=selection)

    with open_capture(path) as opened:
        reading = walker.annotate(
            [opened],
            sink=make,
            window=None,
            progress=lambda _: None,
            warn=lambda _: None,
            epoch=epoch,
            runtime=RUNTIME,
        )
        pieces = [next(reading)]
        used = 0.0
        for piece in reading:
            used = used if piece else memory[0]()
            pieces.append(piece)
    found: Found = json.loads(b"".join(pieces))
    build(found, selection, ())
    return found, used


def told(one: Found) -> bool:
    return not one.get("is_others") and "(others)" not in one.values()


SHOWN: dict[str, Callable[[Found], int]] = {
    "bins": lambda found: found["bins"],
    "hops": lambda found: sum(map(told, found["hops"])),
    "masked": lambda found: max(one["mask"] for one in found["masks"]).bit_length(),
    "steps": lambda found: len(found["steps"]),
    "gaps": lambda found: max(len(hop["gaps"]) for hop in found["hops"]),
    "timelines": lambda found: sum(bool(hop["times"]) for hop in found["hops"]),
    "kinds": lambda found: max(sum(map(told, found[kind])) for kind in ("paths", "ends", "drops")),
    "masks": lambda found: len(found["masks"]),
    "strangers": lambda found: len(found["strangers"]),
    "dropped": lambda found: sum(one["kind"] == "dropped" for one in found["examples"]),
    "sightings": lambda found: max(len(one["sightings"]) for one in found["examples"]),
    "told_flows": lambda found: len(found["flows"]),
    "pairs": lambda found: len({one["pair"] for one in found["masks"]} - {-1}),
    "addresses": lambda found: len(found["addresses"]),
    "protocols": lambda found: len(found["protocols"].keys() - {"(others)"}),
    "groups": lambda found: sum(map(told, found["questions"])),
}


HELD = ("branches", "flows", "kept_flows", "pending")  # of which only memory tells
LOST = ("followed", "losses", "missed")  # of joined captures
LOSSES = b"""
local source, limits, flows = ...
local ways = load(source)(limits).new()
local number = 0
local function packet(flow, ...)
  number = number + 1
  local views = { ... }
  for at, hop in ipairs(views) do
    views[at] = { observer = hop.observer, hop = hop }
  end
  ways.settle({
    packet = number, way = "", flow_name = "flow " .. flow, whole_name = "from " .. flow, length = 60, views = views,
    seen_by = #views,
  })
end
local there = { observer = "B", index = 1 }
for flow = 1, flows do
  local here = { observer = "A", index = 1 + flow }
  ways.note_missed("B: " .. flow, 1)
  packet(flow, here, there)
  packet(flow, here)
  packet(flow, here, there)
  packet(flow .. " back", there, here)
end
collectgarbage()
local held, found = collectgarbage("count"), ways.finish()
return #found, found[1].missed, held
"""


@cache
def by_lua(name: str) -> Any:
    return lua_runtime().execute(lua_text(name).encode())


def limits() -> list[dict[str, Any]]:
    listed = by_lua("statistics/limits.lua")[b"list"].values()
    texts = ("name", "unit", "reason", "proof")
    return [{text: one[text.encode()].decode() for text in texts} | {"value": one[b"value"]} for one in listed]


@pytest.fixture(scope="module")
def whole(busy: Path) -> Found:
    return counted(busy, dropped=50, gaps=50)[0]


@pytest.mark.parametrize("name", SHOWN)
def test_no_more_than_the_bound(busy: Path, whole: Found, name: str) -> None:
    few = 8 if name == "bins" else FEW  # which are halved
    wider = counted(busy, strangers=50)[0] if name == "strangers" else whole
    assert SHOWN[name](counted(busy, **{name: few})[0]) <= few < SHOWN[name](wider)


def test_addresses_of_a_path(tmp_path: Path) -> None:
    made = [ng.section(), ng.interface("vNIC 0")]
    made += [ng.packet(0, FIRST + at * 10**9, busy_frame(2 * at * 7 * 15)) for at in range(9)]
    path = tmp_path / "a.pcapng"
    path.write_bytes(b"".join(made))
    for most, listed in ((16, 9), (4, 4)):
        (one,) = counted(path, between=most)[0]["paths"]
        assert (one["packets"], len(one["between"])) == (9, listed)


@pytest.mark.slow
@pytest.mark.parametrize("name", HELD)
def test_less_memory_than_without_the_bound(busy: Path, name: str) -> None:
    few, many = {name: FEW}, {name: 2**16}
    if "flows" in name:
        few, many = {"flows": 128, "kept_flows": FEW}, {"flows": 2**16 if name == "flows" else 128, "kept_flows": 120}
    # The records of packets hold the same: few of these.
    assert counted(busy, **few, slots=8)[1] < counted(busy, **many, slots=8)[1] - 3


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    few = dict.fromkeys(("hops", "steps", "kinds", "masks", "branches", "addresses", "protocols", "groups"), FEW)
    few |= {"slots": 64, "flows": 64, "kept_flows": FEW, "pending": 64}
    used = []
    for packets in (1000, 4000):
        path = busy_capture(tmp_path / "busy.pcapng", packets, most_hops=4)
        used.append(counted(path, epoch=walker.Epoch(2000, 200), **few)[1])
    assert used[1] < used[0] * 1.03


@pytest.mark.parametrize("name", LOST)
def test_losses(name: str) -> None:
    def losses(value: int) -> tuple[int, int, float]:
        lua = lua_runtime()
        values = {b"followed": 8192, b"losses": 200, b"missed": 1000, name.encode(): value}
        source = lua_text("statistics/ways.lua").encode()
        found: tuple[int, int, float] = lua.execute(LOSSES, source, lua.table_from(values), 50)
        return found

    few, many = losses(FEW)[LOST.index(name) - 1], losses(1000)[LOST.index(name) - 1]
    assert (few, many) == (FEW, 50) if name != "followed" else few < many - 10


def test_a_late_sighting_is_counted_as_such(busy: Path, whole: Found) -> None:
    assert whole["total"]["late"] == 0 < counted(busy, slots=4)[0]["total"]["late"]


def test_others_are_told(busy: Path, whole: Found) -> None:
    found = counted(busy, kinds=FEW, hops=HOPS - 2, protocols=FEW, groups=FEW)[0]
    for kind in ("paths", "ends", "drops"):
        assert any(one.get("is_others") for one in found[kind])
    for kind in ("paths", "ends"):
        assert sum(one["packets"] for one in found[kind]) == sum(one["packets"] for one in whole[kind])
    assert sum(found["protocols"].values()) == sum(whole["protocols"].values())
    assert sum(hop["frames"] for hop in found["hops"]) == sum(hop["frames"] for hop in whole["hops"])


@pytest.mark.parametrize("limit", limits(), ids=lambda limit: limit["name"])
def test_a_bound_names_the_test_that_needs_it(limit: dict[str, Any]) -> None:
    module, _, test = limit["proof"].partition("::")
    assert callable(getattr(importlib.import_module(module), test))
    assert limit["unit"]
    assert limit["reason"]
    if module == __name__:
        assert limit["name"] in {*SHOWN, *HELD, *LOST, "slots", "between"}
