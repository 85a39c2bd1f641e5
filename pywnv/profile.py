"""What Wireshark profiles of ours hold: columns, colours and filter buttons, in one place."""

from __future__ import annotations

from dataclasses import dataclass

# Flags of Wireshark's TCP analysis that tell of loss or disorder, on first sightings only.
TCP_TROUBLE = (
    "tcp.analysis.flags && !tcp.analysis.window_update && !tcp.analysis.keep_alive && !tcp.analysis.keep_alive_ack"
    " && !wnv.duplicate"
)


FITTING = -1  # a width: as wide as Wireshark thinks fit


@dataclass(frozen=True)
class Rule:
    """A colouring rule: colours as 0xRRGGBB; the first rule that fits a frame wins."""

    name: str
    filter: str
    background: int
    foreground: int

    @staticmethod
    def channels(colour: int) -> str:
        """A colour as the colorfilters file wants it: three numbers of 16 bits."""
        return ",".join(str((colour >> shift & 0xFF) * 0x101) for shift in (16, 8, 0))


@dataclass(frozen=True)
class Button:
    """A filter button."""

    label: str
    filter: str
    help: str


@dataclass(frozen=True)
class Profile:
    """A Wireshark profile; columns are titles, Wireshark's formats, and widths in pixels."""

    name: str
    columns: tuple[tuple[str, str, int], ...]
    rules: tuple[Rule, ...]
    buttons: tuple[Button, ...]


WNV = Profile(
    name="WNV",
    columns=(
        ("No.", "%m", FITTING),
        ("Time", "%t", FITTING),
        ("Hop", "%Cus:wnv.hop:0:R", 140),
        ("Appearance", "%Cus:wnv.appearance:0:R", 90),
        ("Delta", "%Cus:wnv.hop.delta:0:R", 100),
        ("Source", "%s", 120),
        ("Destination", "%d", 120),
        ("Protocol", "%p", FITTING),
        ("Length", "%L", 55),
        ("Info", "%i", 100),
    ),
    rules=(
        Rule("WNV real TCP trouble", TCP_TROUBLE, 0x12272E, 0xF78787),
        Rule("WNV repeat", 'wnv.verdict == "repeat"', 0xFFE5B4, 0x3A2A00),
        Rule("WNV duplicate", "wnv.duplicate", 0xF0F2F5, 0x5F6975),
    ),
    buttons=(
        Button("One per packet", "!wnv.duplicate", "The first sighting of each packet"),
        Button("Duplicates", "wnv.duplicate", "All further sightings"),
        Button("Real TCP trouble", TCP_TROUBLE, "Loss and disorder that is none of the copies' making"),
    ),
)

PROFILES = (WNV,)
