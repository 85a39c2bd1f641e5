"""Each rule and each limit of the engine changes the capture that it names, or a test proves it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from rules_off import capture, changes, switches

from pywnv.generate.engine import DIFFERENCES, RULES
from pywnv.generate.rules import Limit, Rule, limits, rules


@pytest.mark.slow
@pytest.mark.parametrize("off", switches(), ids=lambda off: off.name)
def test_changes_the_capture_that_it_names(off: Rule | Limit) -> None:
    assert changes(capture(off.proof), off)


@pytest.mark.parametrize(
    "limit", [limit for limit in limits().values() if limit.without is None], ids=lambda it: it.name
)
def test_a_bound_names_the_test_that_needs_it(limit: Limit) -> None:
    module, _, test = limit.proof.partition("::")
    assert callable(getattr(importlib.import_module(module), test))


ENGINE = Path(__file__).parents[1] / "pywnv" / "lua" / "engine"


def test_every_rule_has_a_file_and_a_reason() -> None:
    files = {path.stem for path in (ENGINE / "rules").glob("*.lua")}
    assert files == set(DIFFERENCES + RULES) == set(rules())
    for rule in rules().values():
        assert rule.about.endswith("."), rule.name
        assert rule.reason[0].isupper(), rule.name
        assert not rule.reason.endswith("."), rule.name


def test_no_number_stands_outside_the_table() -> None:
    """Of seconds: what is small enough to be a time is a limit."""
    texts = {path.stem: path.read_text("utf-8") for path in ENGINE.rglob("*.lua") if path.stem != "limits"}
    assert [name for name, text in texts.items() if "e-3" in text or "e-6" in text] == []
