"""Wireshark's own settings against duplicates, where its version has them, and who is right where we differ."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pywnv.validate import shown
from pywnv.validate.shown import Shown
from pywnv.wireshark.tshark import find_tshark

IGNORE_DUPLICATES, DEINTERLACING = "protocols.ignore_dup_frames", "protocols.conversation_deinterlacing_key"
REMEMBERED = 10_000  # frames: protocols.ignore_dup_frames_cache_entries, as it comes
KEY = "VMI"  # VLAN, MAC addresses, interface: as our profiles set it
FIRST = 5  # frames named


@dataclass(frozen=True)
class Own:
    """One of Wireshark's own means, compared with the plugin, frame by frame.

    Attributes:
        preference: that turns it on.
        frames: how many it takes for what it looks for.
        ours: how many frames we differ in where the plugin is right, by the truth.
        theirs: how many where Wireshark's own means is.
        first: of the latter, the first frames.
    """

    preference: str
    frames: int
    ours: int
    theirs: int
    first: tuple[int, ...]


@cache
def known() -> tuple[str, ...]:
    """Which of its own means the installed Wireshark has: names of preferences."""
    run = subprocess.run([find_tshark(), "-G", "currentprefs"], capture_output=True, check=False)
    names = {line.strip(b"# ").split(b":")[0].decode(errors="replace") for line in run.stdout.splitlines()}
    return tuple(name for name in (IGNORE_DUPLICATES, DEINTERLACING) if name in names)


def compare(
    capture: Path, frames: Mapping[int, Shown], said: Mapping[int, int], true: Mapping[int, int]
) -> tuple[Own, ...]:
    """Compares what the installed Wireshark has itself with the plugin.

    Args:
        capture: a file that Wireshark opens.
        frames: what it shows of each frame.
        said: the group of each frame by the plugin, of the frames that the truth describes.
        true: the group of each of these frames by the truth.
    """
    found = []
    if IGNORE_DUPLICATES in known():
        theirs = equal_before(frames)
        found.append(_judge(IGNORE_DUPLICATES, theirs, set(said), _again(said), _again(true)))
    if DEINTERLACING in known():
        # It says "another packet" of what it takes for sent again, and nothing of other frames.
        has_tcp = any(frame.is_tcp for frame in frames.values())
        other = shown.sent_again(capture, deinterlacing=KEY) if has_tcp else set()
        by_hop = [_again({frame: (frames[frame].interface, group[frame]) for frame in group}) for group in (said, true)]
        judged = set(said) & other
        found.append(_judge(DEINTERLACING, set(), judged, *by_hop, frames=len(other)))
    return tuple(found)


def equal_before(frames: Mapping[int, Shown]) -> set[int]:
    """The frames that "Ignore duplicate frames" leaves out: those whose bytes are as those of a frame before.

    Only the window has it, so it is done here with Wireshark's own hashes, and its memory of 10,000 frames.
    """
    found: set[int] = set()
    remembered: dict[str, None] = {}
    for number, frame in frames.items():
        if frame.digest in remembered:
            found.add(number)
            continue
        remembered[frame.digest] = None
        if len(remembered) > REMEMBERED:
            del remembered[next(iter(remembered))]
    return found


def _again(groups: Mapping[int, object]) -> set[int]:
    """The frames whose group has shown in a frame before."""
    met: set[object] = set()
    again = set()
    for frame, group in groups.items():
        if group in met:
            again.add(frame)
        met.add(group)
    return again


def _judge(
    preference: str, theirs: set[int], judged: set[int], ours: set[int], true: set[int], *, frames: int | None = None
) -> Own:
    """Who is right: each set holds the frames that are called duplicates."""
    differ = (theirs ^ ours) & judged
    wrong = sorted(frame for frame in differ if (frame in theirs) == (frame in true))
    return Own(
        preference,
        len(theirs) if frames is None else frames,
        len(differ) - len(wrong),
        len(wrong),
        tuple(wrong[:FIRST]),
    )
