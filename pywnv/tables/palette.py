"""The colours of pywnv, as 0xRRGGBB; tests/test_palette.py looks at them with colour-blind eyes too."""

from __future__ import annotations

from typing import NamedTuple


class Shade(NamedTuple):
    """A background, and the text on it."""

    background: int
    foreground: int


INK = 0x12272E  # Wireshark's own dark text
FADED = 0x56606B

# Wireshark's own colours of the same meaning.
TROUBLE = Shade(INK, 0xF78787)
RESET = Shade(0xA40000, 0xFFFC9C)

DROP = Shade(0xFF7A1A, 0x000000)
HARMLESS = Shade(0xD9D9D9, 0x4A4A4A)  # a drop that Windows makes every day
REPEAT = Shade(0xFCE271, INK)
RETRANSMISSION = Shade(0xEEB193, INK)
SEGMENT = Shade(0xAB97B1, 0x000000)
EVENT = Shade(0xE6E6E6, 0x24618A)  # a quiet band: Wireshark's own for events, the text a little darker

# One calm tint for each kind of hop, from the wire inwards.
TINTS = {
    "pNIC": 0xA5C5F2,
    "tNIC": 0xA5E4F9,
    "vSwitch": 0xC9E2D0,
    "vNIC": 0xEDE9C1,
    "stack": 0xCFB6D5,
    "unknown": 0xCED2D7,
}
PALER = 0.62  # how much of the way to white


def original(tint: str) -> Shade:
    """The first sighting of a packet, at a kind of hop."""
    return Shade(TINTS[tint], INK)


def duplicate(tint: str) -> Shade:
    """Any further sighting: paler."""
    background = 0
    for shift in (16, 8, 0):
        channel = TINTS[tint] >> shift & 0xFF
        background |= round(channel + (0xFF - channel) * PALER) << shift
    return Shade(background, FADED)
