"""Which packets did Windows drop, where, and why?

The capture was made with pspkt, which notes with each frame what dropped it.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pywnv

CAPTURE = Path(__file__).parent.parent / "tests" / "captures" / "deep-dive" / "acl-drop-pspkt.pcapng"


def main(capture: str | Path) -> None:
    """Tells of each drop, and of each kind of drop what to look at."""
    advice = {}
    for frame in pywnv.annotate(capture, warn=print):
        if frame.drop:
            # With events of the vmSwitch, as etl2pcapng writes them, the frame is the event, and no packet.
            what = f"packet {frame.packet}" if frame.packet else f"what event {frame.frame} is about"
            print(f"Frame {frame.frame}: {what} was dropped: {frame.drop_reason_text or 'no reason was noted'}")
            print(f"    its path: {frame.path or 'not known'}")
            if frame.drop_advice:
                advice[frame.drop_reason_text] = frame.drop_advice
    for reason, words in advice.items():
        print(f"\n{reason}:\n{textwrap.fill(words, 100, initial_indent='    ', subsequent_indent='    ')}")


if __name__ == "__main__":
    main(*sys.argv[1:2] or [CAPTURE])
