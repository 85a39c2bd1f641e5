"""How far a clock is ahead, from packets of which some are late, some wrong, and all go one way or both."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywnv.join.clock import Delay, Line, fit

HERE, THERE = b"here", b"there"


def delays(ahead, count: int, seed: int, *, least: float = 50e-6, length: float = 30.0) -> list[Delay]:
    """Packets both ways past a clock that is ahead by `ahead(time)` seconds."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        time, late = chance.uniform(0, length), least + chance.expovariate(1 / 200e-6)
        if chance.random() < 0.5:
            found.append(Delay(time, ahead(time) + late, ahead(time) + late, 0, HERE, THERE))
        else:
            found.append(Delay(time, ahead(time) - late, ahead(time) - late, 0, THERE, HERE))
    return found


def error(lines: list[Line], ahead, length: float = 30.0) -> float:
    """The most that the lines are wrong by."""
    return max(abs(line.at(time) - ahead(time)) for line in lines for time in (line.start, line.stop) if time <= length)


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 5), st.floats(-300e-6, 300e-6), st.integers(0, 1000))
def test_the_truth_lies_within_the_bounds(start: float, drift: float, seed: int) -> None:
    def ahead(time: float) -> float:
        return start + drift * time

    (line,) = fit(delays(ahead, 400, seed), 0, 30)
    assert line.below is not None
    assert line.above is not None
    for time in (0, 30):
        assert -line.above <= line.at(time) - ahead(time) <= line.below
        assert line.at(time) == pytest.approx(ahead(time), abs=50e-6)


def test_few_wrong_packets_change_nothing() -> None:
    def ahead(time: float) -> float:
        return 1 + 20e-6 * time

    found = delays(ahead, 1000, 1)
    wrong = [one._replace(most=one.most - 0.004, least=one.least - 0.004) for one in found[:8] if one.source == HERE]
    assert wrong
    lines = fit(found + wrong, 0, 30)
    assert error(lines, ahead) < 50e-6


def test_a_clock_that_does_not_run_evenly() -> None:
    def ahead(time: float) -> float:  # Windows slews: faster for a while
        return 20e-6 * time + (400e-6 * (time - 10) if 10 < time < 20 else 4e-3 if time >= 20 else 0)

    lines = fit(delays(ahead, 4000, 1), 0, 30)
    assert len(lines) > 1
    assert error(lines, ahead) < 200e-6


@pytest.mark.parametrize("side", [1, -1])
def test_one_way_says_which_bound_is_missing(side: int) -> None:
    found = [
        Delay(
            time / 10, side * (50e-6 + time * 7 % 11 * 1e-5), side * (50e-6 + time * 7 % 11 * 1e-5), side, HERE, THERE
        )
        for time in range(100)
    ]
    (line,) = fit(found, 0, 10)
    assert (line.below is None, line.above is None) == (side > 0, side < 0)
    assert abs(line.at(5)) < 100e-6


def test_drift_is_no_reason_to_take_one_side_for_the_other() -> None:
    """Bursts of one side only: the latest answer is old, and what the clock gains meanwhile looks like a delay."""

    def ahead(time: float) -> float:
        return 5 + 200e-6 * time

    found = []
    for burst in range(8):
        for number in range(50):
            time = 4 * burst + 2 + number / 1000
            found.append(Delay(time, ahead(time) - 5e-6, ahead(time) - 5e-6, 0, THERE, HERE))
        for number in range(6):
            time = 4 * burst + number / 10
            back = time + 100e-6
            found.append(Delay(time, ahead(time) - 5e-6, ahead(time) - 5e-6, 0, THERE, HERE))
            found.append(Delay(back, ahead(back) + 5e-6, ahead(back) + 5e-6, 0, HERE, THERE))
    (line,) = fit(found, 0, 32)
    assert line.below is not None
    assert line.above is not None
    assert error([line], ahead, 32) < 10e-6


def test_many_packets_one_way_tell_the_drift_of_a_short_capture() -> None:
    def ahead(time: float) -> float:
        return 200e-6 * time

    chance = random.Random(1)
    found = []
    for number in range(300):
        time = number / 900
        late = 20e-6 + chance.expovariate(1 / 10e-6)
        found.append(Delay(time, ahead(time) + late, ahead(time) + late, 1, HERE, THERE))
    assert error(fit(found, 0, 0.33), ahead) < 30e-6


def test_what_a_switch_floods_is_seen_again_where_it_came_from() -> None:
    """It bounds nothing by when that was: one such packet among many would bend the line."""

    def ahead(time: float) -> float:
        return 1 + 20e-6 * time

    found = delays(ahead, 400, 1, length=0.4)
    flooded = Delay(0, ahead(0) + 300e-6, ahead(0) + 300e-6, -1, THERE, HERE, ahead(0) - 60e-6)
    lines = fit([flooded, *found], 0, 0.4)
    assert error(lines, ahead, 0.4) < 50e-6
    assert lines[0].below is not None
    assert lines[0].above is not None
    assert -lines[0].above <= lines[0].at(0) - ahead(0) <= lines[0].below
