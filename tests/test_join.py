"""Captures of several observers as one: clocks that differ, drift and are set; NAT, tunnels, VLANs and loss."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import pytest
from command import CAPTURES, run
from engine import RUNTIMES, TCP, UDP, ipv4, ipv6, tcp
from engine import ethernet as ether
from engine import udp as udp_of
from observed import MICROSECONDS, SECOND, Clock, Observed, blocks, options, right
from pcapng_blocks import (
    INTERFACE,
    JOURNAL,
    NAMES,
    PACKET,
    SECTION,
    STATISTICS,
    block,
    custom,
    ethernet,
    interface,
    journal,
    old_packet,
    option,
    packet,
    pcap,
    section,
    simple_packet,
    udp,
)

from pywnv.annotate.rows import Engine, rows
from pywnv.errors import CaptureError, UsageError
from pywnv.host.loading import load
from pywnv.join import Join, Observer, observers_of
from pywnv.join.align import align
from pywnv.join.lua import JoinLua
from pywnv.join.scan import scan
from pywnv.join.write import pieces

CLOCKS: dict[str, Clock] = {
    "0.8 s, 20 ppm": lambda time: 0.8e9 + time * 20e-6,
    "-5 s, -200 ppm": lambda time: -5e9 - time * 200e-6,
}


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("name", ["lbfo-tcp-loss", "vlan-loss", "v6-loss", "lab2/nat-loss", "lab2/vxlan"])
def test_host_and_guest(name: str, clock: str, tmp_path: Path) -> None:
    observed = Observed(tmp_path, name, {"host": right, "guest": CLOCKS[clock]})
    found = observed.joined(tmp_path / "joined.pcapng")["guest"]
    assert found.lowest is not None
    assert found.highest is not None
    assert found.lowest <= observed.ahead["guest"] <= found.highest
    assert found.offset == pytest.approx(observed.ahead["guest"], abs=MICROSECONDS)
    observed.check_marks(tmp_path / "joined.pcapng")


@pytest.mark.parametrize(("name", "last"), [("lab2/vxlan", "5 s"), ("lab2/tenants", "0.8 s")])
def test_two_observers_may_seem_to_see_equal_packets_the_other_way_round(name: str, last: str, tmp_path: Path) -> None:
    """Their clocks are set alike no better than by what packets need from one to the other."""

    def who(tap: str) -> str:
        return {"pnic": "wire", "team": "host", "gw0": "host"}.get(tap[:4], "guest")

    clocks: dict[str, Clock] = {
        "wire": right,
        "host": lambda time: -1.5e9 - time * 30e-6,
        "guest": CLOCKS["0.8 s, 20 ppm"] if last == "0.8 s" else lambda time: 5e9 + time * 200e-6,
    }
    observed = Observed(tmp_path, name, clocks, who)
    observed.joined(tmp_path / "joined.pcapng")
    observed.check_marks(tmp_path / "joined.pcapng")


def test_three_in_a_chain(tmp_path: Path) -> None:
    def who(name: str) -> str:
        return {"pnic": "wire", "team": "host"}.get(name[:4], "guest")

    clocks: dict[str, Clock] = {"guest": right, "wire": CLOCKS["-5 s, -200 ppm"], "host": CLOCKS["0.8 s, 20 ppm"]}
    observed = Observed(tmp_path, "mix", clocks, who)
    found = observed.joined(tmp_path / "joined.pcapng")
    for name in ("wire", "host"):
        assert found[name].offset == pytest.approx(observed.ahead[name], abs=MICROSECONDS)
    observed.check_marks(tmp_path / "joined.pcapng")


def test_a_clock_is_aligned_by_its_surest_neighbour(tmp_path: Path) -> None:
    """The wire bounds host and guest by some 100 us, the queue between; these two bound each other by ten."""

    def who(name: str) -> str:
        return {"pnic": "wire", "team": "host"}.get(name[:4], "guest")

    clocks: dict[str, Clock] = {"wire": right, "host": CLOCKS["-5 s, -200 ppm"], "guest": CLOCKS["0.8 s, 20 ppm"]}
    observed = Observed(tmp_path, "lab2/busy", clocks, who)
    found = observed.joined(tmp_path / "joined.pcapng")
    assert {found["host"].by, found["guest"].by} != {"wire"}
    for name in ("host", "guest"):
        lowest, highest = found[name].lowest, found[name].highest
        assert lowest is not None
        assert highest is not None
        assert lowest <= observed.ahead[name] <= highest
    observed.check_marks(tmp_path / "joined.pcapng")


def test_a_nat_between_observers(tmp_path: Path) -> None:
    def who(name: str) -> str:
        return "outside" if name.startswith(("pnic", "team")) else "inside"

    observed = Observed(tmp_path, "lab2/nat", {"outside": right, "inside": CLOCKS["0.8 s, 20 ppm"]}, who)
    found = observed.joined(tmp_path / "joined.pcapng")["inside"]
    assert found.offset == pytest.approx(observed.ahead["inside"], abs=MICROSECONDS)
    observed.check_marks(tmp_path / "joined.pcapng")


def conversation(way: int, count: int = 40) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """What two observers saw of datagrams from one to the other: nanoseconds since 2020, and frames."""
    start = 1_577_836_800 * SECOND
    times = [start + at * 10_000_000 + at * at % 7 * 1000 for at in range(count)]
    frames = [ethernet(udp(b"%032d" % at, at + 1)) for at in range(count)]
    here = list(zip(times, frames, strict=True))
    there = [(time + way * (100_000 + at * 7 % 11 * 3000), frame) for at, (time, frame) in enumerate(here)]
    return here, there


def capture(seen: list[tuple[int, bytes]], name: str = "eth0") -> bytes:
    return section() + interface(name, resolution=9) + b"".join(packet(0, time, frame) for time, frame in seen)


def join(tmp_path: Path, **captures: bytes) -> tuple[bytes, Join]:
    observers = []
    for name, data in captures.items():
        path = tmp_path / f"{name}.pcapng"
        path.write_bytes(data)
        observers.append(Observer(name, (path,)))
    joined = Join(observers)
    return b"".join(joined.pieces()), joined


def test_one_way_has_no_bounds_that_nothing_proves(tmp_path: Path) -> None:
    here, there = conversation(1)
    _, joined = join(tmp_path, a=capture(here), b=capture(there))
    found = joined.aligned[1]
    assert (found.lowest, found.highest) == (None, None)
    assert found.offset == pytest.approx(0, abs=200e-6)


def test_one_way_past_a_router_is_bounded_on_one_side(tmp_path: Path) -> None:
    here, there = conversation(1)
    routed = [(time, frame[:22] + bytes([frame[22] - 1]) + frame[23:]) for time, frame in there]
    _, joined = join(tmp_path, a=capture(here), b=capture(routed))
    found = joined.aligned[1]
    assert found.lowest is None
    assert found.highest is not None
    assert 0 < found.highest < 110e-6


def test_translated_between_observers(tmp_path: Path) -> None:
    here, there = conversation(1)
    outside = [(time, frame[:26] + b"\xc0\0\2\1" + frame[30:]) for time, frame in there]
    _, joined = join(tmp_path, a=capture(here), b=capture(outside))
    assert joined.aligned[1].packets == len(here)


def test_different_places(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    done = run("join", CAPTURES / "lbfo-tcp.pcapng.gz", CAPTURES / "lab2" / "nat.pcapng.gz", "-o", out)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("pywnv: nat: no packets in common with lbfo-tcp")
    assert done.stderr.count(b"\n") == 1
    assert not out.exists()


def test_every_block_stays(tmp_path: Path) -> None:
    here, there = conversation(1)
    unknown = option(32_000, b"\1\2\3")
    later = there[-1][0] // 1000
    others = [
        block(NAMES, bytes(4)),
        custom(b"whatever"),
        block(0x7777, b"of another tool "),
        simple_packet(ethernet(), length=len(ethernet())),
        old_packet(0, later, ethernet(udp(b"old", 7))),
        packet(1, later, ethernet(udp(b"marked", 8)), options=unknown),
        block(STATISTICS, struct.pack("<III", 1, later >> 32, later & 0xFFFFFFFF) + option(2, bytes(8))),
        journal(b"__REALTIME_TIMESTAMP=%d\nMESSAGE=hello\n" % later),
    ]
    second = section(options=option(3, b"Windows")) + interface("x") + interface("y", more=option(3, b"NIC"))
    second += b"".join(packet(1, (time + 5 * SECOND) // 1000, frame) for time, frame in there) + b"".join(others)
    made, joined = join(tmp_path, a=capture(here), b=second)
    assert joined.aligned[1].offset == pytest.approx(5, abs=200e-6)
    found = list(blocks(made))
    assert [kind for kind, _ in found].count(SECTION) == 1
    names = [options(body[8:]) for kind, body in found if kind == INTERFACE]
    assert [known[2] for known in names] == [b"a: eth0", b"b: x", b"b: y"]
    assert names[2][3] == b"NIC"
    assert b"b: system Windows" in made
    bodies = [body for _, body in found]
    for untouched in others[:3]:
        assert untouched[8:-4] in bodies
    marked = next(body for body in bodies if b"marked" in body)
    number, high, low = struct.unpack_from("<III", marked)
    assert number == 2
    assert (high << 32 | low) == pytest.approx(later - 5_000_000, abs=200)
    assert unknown in marked
    (statistics,) = (body for kind, body in found if kind == STATISTICS)
    assert struct.unpack_from("<I", statistics) == (2,)
    (entry,) = (body for kind, body in found if kind == JOURNAL)
    assert int(entry.partition(b"=")[2][:16]) == pytest.approx(later - 5_000_000, abs=200)
    times = [struct.unpack_from("<II", body, 4) for kind, body in found if kind == PACKET]
    assert times.count((0, 0)) == 1  # the simple packet, which has no time


def test_pcap_gzip_and_a_ring_buffer(tmp_path: Path) -> None:
    here, there = conversation(1)
    old = [(time // SECOND, time % SECOND // 1000, frame) for time, frame in there]
    ring = tmp_path / "ring"
    ring.mkdir()
    (ring / "b2.pcap").write_bytes(pcap(old[20:], ">"))
    (ring / "b1.pcap").write_bytes(pcap(old[:20], ">"))
    (tmp_path / "a.pcapng").write_bytes(capture(here))
    out = tmp_path / "out.pcapng"
    done = run("join", tmp_path / "a.pcapng", f"VM={ring}/b*.pcap", "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["name"], second["name"], second["packets"]) == ("a", "VM", 40)
    assert b"VM: interface 0" in out.read_bytes()
    times = [struct.unpack_from("<IIIII", body) for kind, body in blocks(out.read_bytes()) if kind == PACKET]
    assert len(times) == 80


def test_names_of_hosts_and_paths(tmp_path: Path) -> None:
    observed = Observed(tmp_path, "lbfo-tcp-loss", {"host": right, "guest": CLOCKS["0.8 s, 20 ppm"]})
    topology = load(CAPTURES / "lab.toml")
    joined = Join(observed.observers, topologies={"host": topology, "guest": topology})
    path = tmp_path / "joined.pcapng"
    path.write_bytes(b"".join(joined.pieces()))
    names = [options(body[8:]) for kind, body in blocks(path.read_bytes()) if kind == INTERFACE]
    assert {known[2]: known[3] for known in names}[b"host: pNIC Ethernet 2"] == b"pnic0"
    table = [json.loads(row) for row in b"".join(rows(path, output_format="jsonl", engine=Engine.LUPA)).splitlines()]
    paths = {row["path"] for row in table}
    assert "host: pNIC Ethernet 2 > tNIC Team1 > guest: vmNIC Contoso-1" in paths
    assert "guest: vmNIC Contoso-1 > host: tNIC Team1 > pNIC Ethernet 2" in paths
    assert {row["hop_role"] for row in table} == {"pNIC", "tNIC", "vmNIC"}


def test_packet_ids_are_each_observers_own(tmp_path: Path) -> None:
    here, there = conversation(1)

    def tagged(seen: list[tuple[int, bytes]], first: int) -> bytes:
        made = section() + interface("up", resolution=9) + interface("down", resolution=9)
        for at, (time, frame) in enumerate(seen):
            own = option(5, struct.pack("<Q", first + at))
            made += packet(0, time, frame, options=own) + packet(1, time + 500, frame, options=own)
        return made

    made, _ = join(tmp_path, a=tagged(here, 1), b=tagged(there, 2))  # the same ids for other packets
    path = tmp_path / "joined.pcapng"
    path.write_bytes(made)
    table = [json.loads(row) for row in b"".join(rows(path, output_format="jsonl", engine=Engine.LUPA)).splitlines()]
    assert sum(row["duplicate"] for row in table) == 3 * len(here)
    assert {row["packet"] for row in table if row["appearance"] == 4} == {row["packet"] for row in table}


def test_annotated_before(tmp_path: Path) -> None:
    here, there = conversation(1)
    (tmp_path / "plain.pcapng").write_bytes(capture(here))
    annotated = b"".join(rows(tmp_path / "plain.pcapng", output_format="pcapng", engine=Engine.LUPA))
    assert join(tmp_path, a=annotated, b=capture(there))[0] == join(tmp_path, a=capture(here), b=capture(there))[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.pcapng"], "takes two captures"),
        (["x=a.pcapng", "x=b.pcapng"], "two observers are called x"),
        (["x=a.pcapng", "y=a.pcapng"], "is given twice"),
        (["x:y=a.pcapng", "b.pcapng"], "no colon"),
        (["a.pcapng", "nothing*.pcapng"], "no file has such a name"),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], words: str) -> None:
    with pytest.raises((UsageError, CaptureError), match=words):
        observers_of(arguments)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-3],  # is cut off
        lambda data: data[:200] + b"\xff" * 8 + data[208:],
        lambda data: data + section(">"),  # two byte orders
        lambda data: data + interface("a: ]] os.execute('x') --") * 3,
        lambda data: data + packet(0, 2**64 - 1, ethernet()) + packet(0, 0, b""),
        lambda data: data + interface("far", offset=-(2**62)) + packet(1, 5, ethernet()),
        lambda data: data[:28] + block(0, b"none") + data[28:],  # a kind that is reserved
        lambda data: section() + interface("eth0", resolution=9) + packet(0, 0, ethernet()) * 1001 + data,
    ],
)
def test_hostile(damage, tmp_path: Path) -> None:
    here, there = conversation(1)
    try:
        made, _ = join(tmp_path, a=capture(here), b=damage(capture(there)))
    except CaptureError as error:
        words = str(error)
    else:
        words = ""
    if words:
        assert "\n" not in words
        return
    assert sum(kind == PACKET for kind, _ in blocks(made)) >= 2 * len(here) - 1


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["tcp", "tcp6", "udp", "short"])
def test_all_observers_draw_the_same_packets(
    name: str, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bare, with a VLAN tag and in a tunnel: one is drawn straight from the bytes, another once it has been read."""

    def inner(at: int) -> bytes:
        data = b"%012d" % (at * 7919)
        if name == "tcp6":
            return ipv6(tcp(data, seq=at * 7919), TCP)
        payload = tcp(data, seq=at * 7919) if name == "tcp" else udp_of(data[:7] if name == "short" else data)
        return ipv4(payload, TCP if name == "tcp" else UDP, ident=at * 31 % 65536)

    def in_tunnel(frame: bytes) -> bytes:
        return ether(ipv4(udp_of(b"\x08\0\0\0\0\0\x07\0" + frame, dport=4789)))

    monkeypatch.setattr("pywnv.join.lua.MOST_SAMPLED", 64)
    lua, drawn = JoinLua(runtime), []
    for kind in ("bare", "tagged", "tunnel"):
        frames = [ether(inner(at), tags=((0x8100, 7),) if kind == "tagged" else ()) for at in range(1, 2400)]
        seen = [(1_577_836_800 * SECOND + at * 1_000_000, frame) for at, frame in enumerate(frames)]
        path = tmp_path / f"{kind}.pcapng"
        path.write_bytes(capture([(time, in_tunnel(frame)) for time, frame in seen] if kind == "tunnel" else seen))
        drawn.append(set(scan(kind, (path,), lua).sample))
    assert drawn[0] == drawn[1] == drawn[2]
    assert 10 < len(drawn[0]) <= 64


@pytest.mark.parametrize("name", ["mix", "v6", "vlan", "lab2/busy", "lab2/nat", "lab2/vxlan"])
def test_every_lua_draws_the_same_sample(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LuaJIT reads usual packets, behind the first thousand, straight from their bytes."""
    monkeypatch.setattr("pywnv.join.lua.MOST_SAMPLED", 200)
    monkeypatch.setattr("pywnv.join.lua.MOST_GROUPS", 20)
    path = tmp_path / "lab.pcapng"
    path.write_bytes(gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes()))
    fast, slow = (scan(name, (path,), JoinLua(runtime)) for runtime in ("luajit21", "lua54"))
    for one in (fast, slow):
        for seen in (*one.sample.values(), *one.groups.values()):
            seen.sort()  # a packet that was seen with several TTLs comes in no order
    assert fast.packets > 1200
    assert len(fast.sample) > 50
    assert fast == slow


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_lua_joins_alike(runtime: str, order: str, tmp_path: Path) -> None:
    observers = []
    for name, seen in zip("ab", conversation(1), strict=True):
        made = section(order) + interface("nic", order, resolution=9)
        made += b"".join(packet(0, time, frame, order) for time, frame in seen)
        (tmp_path / name).write_bytes(made)
        observers.append(Observer(name, (tmp_path / name,)))
    lua = JoinLua(runtime)
    scans = [scan(observer.name, observer.files, lua) for observer in observers]
    path = tmp_path / "joined.pcapng"
    path.write_bytes(b"".join(pieces(observers, scans, align(scans), {}, lua, progress=lambda _: None)))
    table = [json.loads(row) for row in b"".join(rows(path, output_format="jsonl", engine=Engine.LUPA)).splitlines()]
    assert [row["appearance"] for row in table] == [1, 2] * 40
    assert {row["path"] for row in table if row["duplicate"]} == {"a: nic > b: nic"}
