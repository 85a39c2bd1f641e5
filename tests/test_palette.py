"""The colours: readable, and told apart by every kind of eyes."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from colour import EYES, contrast, difference

from pywnv.generate.profiles import PROFILES, Rule
from pywnv.tables import palette
from pywnv.tables.palette import Shade

ALARMS = {"drop": palette.DROP, "trouble": palette.TROUBLE, "reset": palette.RESET}
NOTES = {
    "repeat": palette.REPEAT,
    "retransmission": palette.RETRANSMISSION,
    "segment": palette.SEGMENT,
}
FIRSTS = {f"first at {tint}": palette.original(tint) for tint in palette.TINTS}
COPIES = {f"copy at {tint}": palette.duplicate(tint) for tint in palette.TINTS}

# How far apart two colours must be (CIEDE2000), by what they mean.
WITHIN = {"ALARMS": 15.0, "NOTES": 9.0, "FIRSTS": 5.0, "COPIES": 2.0}  # copies of two places are both to be passed over
BETWEEN = {("ALARMS", "NOTES"): 14.0, ("NOTES", "FIRSTS"): 8.0, ("NOTES", "COPIES"): 11.0}
ALARM_FROM_CALM = 15.0
PALER = 5.0


def test_the_simulation() -> None:
    """Against known values: WCAG's contrast, CIEDE2000 of the primaries; and greys stay greys to all eyes."""
    assert contrast(0x000000, 0xFFFFFF) == pytest.approx(21)
    assert contrast(0x777777, 0xFFFFFF) == pytest.approx(4.48, abs=0.01)
    assert difference(0x000000, 0xFFFFFF) == pytest.approx(100, abs=0.01)
    assert difference(0xFF0000, 0x00FF00) == pytest.approx(86.6, abs=0.1)
    assert difference(0x0000FF, 0x00FF00) == pytest.approx(83.2, abs=0.1)
    for eyes in EYES:
        assert difference(0x808080, 0x808080, eyes) == 0
        assert difference(0x000000, 0xFFFFFF, eyes) == pytest.approx(100, abs=0.5)
    # Red and green of one brightness: plain to most, alike to those who lack one of the two.
    assert difference(0xC05A3C, 0x7E8A2E) > 35
    assert difference(0xC05A3C, 0x7E8A2E, "deuteranopia") < 15


@pytest.mark.parametrize("rule", {rule.name: rule for p in PROFILES for rule in p.rules}.values(), ids=lambda r: r.name)
def test_text_can_be_read(rule: Rule) -> None:
    assert contrast(*rule.shade) >= 4.5


def near(one: dict[str, Shade], other: dict[str, Shade], apart: float, eyes: str) -> list[str]:
    pairs = combinations(one.items(), 2) if one is other else product(one.items(), other.items())
    return [
        f"{a} and {b}: {found:.1f}"
        for (a, first), (b, second) in pairs
        if (found := difference(first.background, second.background, eyes)) < apart
    ]


@pytest.mark.parametrize("eyes", EYES)
def test_different_things_look_different(eyes: str) -> None:
    groups = {"ALARMS": ALARMS, "NOTES": NOTES, "FIRSTS": FIRSTS, "COPIES": COPIES}
    alike = [words for name, apart in WITHIN.items() for words in near(groups[name], groups[name], apart, eyes)]
    for (one, other), apart in BETWEEN.items():
        alike += near(groups[one], groups[other], apart, eyes)
    for calm in (FIRSTS, COPIES):
        alike += near(ALARMS, calm, ALARM_FROM_CALM, eyes)
    for tint in palette.TINTS:
        alike += near({"first": palette.original(tint)}, {f"copy {tint}": palette.duplicate(tint)}, PALER, eyes)
    assert not alike


@pytest.mark.parametrize("eyes", EYES)
def test_events_are_quiet_and_yet_no_packets(eyes: str) -> None:
    """Their band is as pale as that of copies; the colour of its text says that they are something else."""
    for shade in (*FIRSTS.values(), *COPIES.values()):
        assert difference(palette.EVENT.foreground, shade.foreground, eyes) >= 10
    for shade in (*ALARMS.values(), *NOTES.values()):
        assert difference(palette.EVENT.background, shade.background, eyes) >= 11


def test_copies_step_back() -> None:
    """Paler than the first sighting, and with fainter text, in a light window and in a dark one."""
    for tint in palette.TINTS:
        first, copy = palette.original(tint), palette.duplicate(tint)
        assert contrast(copy.background, 0xFFFFFF) < contrast(first.background, 0xFFFFFF)
        assert contrast(*copy) < contrast(*first)


def test_nothing_is_left_to_the_window_s_own_colours() -> None:
    """In a dark window an uncoloured frame is dark: then pale copies would stand out instead of stepping back."""
    for profile in PROFILES:
        assert profile.rules[-1].filter.endswith(("wnv.packet", "frame.packet_id"))
