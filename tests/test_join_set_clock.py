"""Captures of several observers as one, where a clock was set meanwhile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from command import run
from observed import MICROSECONDS, SECOND, Clock, Observed, blocks, right
from pcapng_blocks import PACKET, block, ethernet, packet, udp

from pywnv.join import Join


@pytest.mark.parametrize("who", ["host", "guest"])
@pytest.mark.parametrize("by", [-3 * SECOND, 3 * SECOND])
def test_a_clock_is_set(who: str, by: int, tmp_path: Path) -> None:
    def set_meanwhile(time: int) -> float:
        return 0.8e9 + time * 20e-6 + (by if time > 0.8 * SECOND else 0)

    clocks: dict[str, Clock] = {"host": right, "guest": right}
    observed = Observed(tmp_path, "lbfo-tcp-loss", clocks | {who: set_meanwhile})
    found = observed.joined(tmp_path / "joined.pcapng")
    (step,) = found[who].steps
    assert step.by == pytest.approx(by / SECOND, abs=200e-6)
    assert found["guest"].offset == pytest.approx(observed.ahead["guest"], abs=MICROSECONDS)
    observed.check_marks(tmp_path / "joined.pcapng")


def test_a_clock_is_set_between_two_short_bursts(tmp_path: Path) -> None:
    """Each tells little of the drift; both together, with what follows them, enough."""

    def set_meanwhile(time: int) -> float:
        return 0.8e9 + time * 20e-6 - (3 * SECOND if time > 1.7 * SECOND else 0)

    observed = Observed(tmp_path, "v6-loss", {"host": right, "guest": set_meanwhile})
    found = observed.joined(tmp_path / "joined.pcapng")["guest"]
    assert found.offset == pytest.approx(observed.ahead["guest"], abs=15e-6)
    observed.check_marks(tmp_path / "joined.pcapng")


def test_a_clock_is_set_before_packets_whose_sides_only_the_others_tell(tmp_path: Path) -> None:
    def set_meanwhile(time: int) -> float:
        return 0.8e9 + time * 20e-6 - (3 * SECOND if time > 3.5 * SECOND else 0)

    observed = Observed(tmp_path, "lab2/tcp-same", {"host": right, "guest": set_meanwhile})
    observed.joined(tmp_path / "joined.pcapng")
    observed.check_marks(tmp_path / "joined.pcapng")


@pytest.mark.parametrize("by", [-3 * SECOND, 3 * SECOND])
@pytest.mark.parametrize("who", ["host", "guest"])
@pytest.mark.parametrize("name", ["v6", "v6-loss"])
def test_a_clock_is_set_before_all_but_packets_to_groups(name: str, who: str, by: int, tmp_path: Path) -> None:
    """These come to each by a way of their own: they say when it was set and about by how much, and bound nothing."""

    def set_meanwhile(time: int) -> float:
        return 0.8e9 + time * 20e-6 + (by if time > 0.8 * SECOND else 0)

    clocks: dict[str, Clock] = {"host": right, "guest": right}
    observed = Observed(tmp_path, name, clocks | {who: set_meanwhile})
    found = observed.joined(tmp_path / "joined.pcapng")
    (step,) = found[who].steps
    assert step.by == pytest.approx(by / SECOND, abs=200e-6)
    assert found["guest"].offset == pytest.approx(observed.ahead["guest"], abs=200e-6)
    assert (found["guest"].lowest, found["guest"].highest) == (None, None)


def test_one_packet_to_a_group_that_contradicts_all_others_leaves_no_bounds(tmp_path: Path) -> None:
    """Set so early that a single packet tells: too few to say by how much."""

    def set_meanwhile(time: int) -> float:
        return 0.8e9 + (3 * SECOND if time > 0.3 * SECOND else 0)

    observed = Observed(tmp_path, "v6", {"host": right, "guest": set_meanwhile})
    found = observed.joined(tmp_path / "joined.pcapng")
    assert (found["guest"].lowest, found["guest"].highest) == (None, None)
    from_packet = found["guest"].known_from
    assert from_packet is not None
    host, guest = (f"{one.name}={one.files[0]}" for one in observed.observers)
    done = run("join", host, guest, "-o", tmp_path / "out.pcapng")
    assert f"all that is known from frame {from_packet} on" in done.stderr.decode()


@pytest.mark.parametrize("who", ["host", "guest"])
def test_a_clock_is_set_before_all_packets_in_common(who: str, tmp_path: Path) -> None:
    """Nothing bounds how far the guest was ahead at its first packet, whichever of both was set."""

    def set_meanwhile(time: int) -> float:
        return 0.8e9 - (3 * SECOND if time > 0.1 * SECOND else 0)

    clocks: dict[str, Clock] = {"host": right, "guest": right}
    observed = Observed(tmp_path, "v6", clocks | {who: set_meanwhile})
    found = observed.joined(tmp_path / "joined.pcapng")["guest"]
    assert found.known_from is not None
    assert (found.lowest, found.highest) == (None, None)


def test_a_file_that_runs_back_before_all_packets_in_common_bounds_nothing(tmp_path: Path) -> None:
    """There, its clock may have been set: nothing says how far it was ahead at its first packet."""
    observed = Observed(tmp_path, "lbfo-tcp-loss", {"host": right, "guest": right})
    path = tmp_path / "guest.pcapng"
    data = path.read_bytes()
    bodies = [body for kind, body in blocks(data) if kind == PACKET]
    high, low = struct.unpack_from("<II", bodies[0], 4)
    strange = packet(0, (high << 32 | low) + 3 * SECOND, ethernet(udp(b"nobody else has this", 9999)))
    path.write_bytes(data.replace(block(PACKET, bodies[0]), strange + block(PACKET, bodies[0]), 1))
    found = Join(observed.observers)
    b"".join(found.pieces())
    assert (found.aligned[1].lowest, found.aligned[1].highest) == (None, None)


@pytest.mark.parametrize("who", ["host", "guest"])
def test_a_file_that_runs_back_behind_all_packets_in_common(who: str, tmp_path: Path) -> None:
    """Datagrams with the same bytes align no clock: nothing tells of the last half second."""

    def set_meanwhile(time: int) -> float:
        return 0.8e9 + (-3 * SECOND if time > 0.5 * SECOND else 0)

    clocks: dict[str, Clock] = {"host": right, "guest": right}
    observed = Observed(tmp_path, "udpsame", clocks | {who: set_meanwhile})
    found = observed.joined(tmp_path / "joined.pcapng")
    assert {name for name, one in found.items() if one.known_to is not None} == {who}
    files = [f"{one.name}={one.files[0]}" for one in observed.observers]
    words = run("join", *files, "-o", tmp_path / "out.pcapng").stderr.decode()
    assert f"behind frame {found[who].known_to}, times in its file run back" in words
    precision, _ = observed.score(tmp_path / "joined.pcapng")
    assert precision == 1.0
