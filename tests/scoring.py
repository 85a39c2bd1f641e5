"""How well packets are told: what all tests with a truth share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence


def pairs(groups: Iterable[Hashable]) -> int:
    """How many pairs of frames are in one group."""
    return sum(size * (size - 1) // 2 for size in Counter(groups).values())


def score(truth: Sequence[Hashable], said: Sequence[Hashable]) -> tuple[float, float]:
    """Precision and recall over pairs of frames that are called one packet; both name the packet of each frame."""
    right = pairs(zip(truth, said, strict=True))
    called, real = pairs(said), pairs(truth)
    return right / called if called else 1.0, right / real if real else 1.0
