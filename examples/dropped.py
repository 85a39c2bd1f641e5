"""Which packets did Windows drop, where, and why?

The capture was made with pspkt, which records in a frame's comment that it was dropped, and why.
"""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pywnv

CAPTURE = Path(__file__).parent.parent / "tests" / "captures" / "deep-dive" / "acl-drop-pspkt.pcapng"


def main(capture: str | Path) -> None:
    """Prints each drop, and for each kind of drop what to look at."""
    advice, paths = {}, {}
    for frame in pywnv.annotate(capture, warn=print):
        paths[frame.packet] = frame.path
        if frame.drop:
            # If etl2pcapng wrote the capture, the drop is in a vmSwitch event: a frame that holds no packet.
            packet = frame.packet or frame.event_packet
            what = f"packet {packet}" if packet else f"what event {frame.frame} is about"
            print(f"Frame {frame.frame}: {what} was dropped: {frame.drop_reason_text or 'no reason was noted'}")
            print(f"    its path: {paths.get(packet) or 'not known'}")
            if frame.drop_advice:
                advice[frame.drop_reason_text] = frame.drop_advice
    for reason, words in advice.items():
        print(f"\n{reason}:\n{textwrap.fill(words, 100, initial_indent='    ', subsequent_indent='    ')}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or [CAPTURE])
        sys.stdout.flush()
    except BrokenPipeError:  # as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
