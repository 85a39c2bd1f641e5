"""What a thread does ahead of who takes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from pywnv.background import MOST, in_background

HUNDRED = 100


def test_results_come_in_order_from_one_other_thread() -> None:
    made_by = set()

    def double(item: int) -> int:
        made_by.add(threading.get_ident())
        return 2 * item

    assert list(in_background(double, range(HUNDRED))) == [2 * item for item in range(HUNDRED)]
    assert len(made_by) == 1
    assert threading.get_ident() not in made_by


def test_an_error_comes_where_its_result_would() -> None:
    def make(item: int) -> int:
        if item == MOST:
            raise ValueError(item)
        return item

    results = in_background(make, range(HUNDRED))
    assert [next(results) for _ in range(MOST)] == list(range(MOST))
    with pytest.raises(ValueError, match=str(MOST)):
        next(results)


def test_it_goes_no_further_ahead_than_it_says() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for item in range(HUNDRED):
            drawn.append(item)
            yield item

    with closing(in_background(str, items())) as results:
        assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert drawn == list(range(3 + MOST))
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
