"""Work that a thread does while its results are waited for: what it calls must let other threads run, as zlib does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

MOST = 2  # results that are made ahead of who takes them


def in_background(make: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """What `make` gives for each item, in order, a little ahead of who takes it.

    Args:
        make: is called in one thread, never twice at a time; what it raises is raised where its result would come.
        items: are drawn in the caller's thread.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(thread.submit(make, item))
            if len(waiting) > MOST:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
