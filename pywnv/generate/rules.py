"""The rules and the limits of the engine, as their Lua files have them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pywnv.generate.engine import DIFFERENCES, RULES, engine_lua


@dataclass(frozen=True)
class Rule:
    """A rule of the engine.

    Attributes:
        name: of the rule and of its file in lua/engine/rules.
        about: what it rests on, from the head of its file: sentences.
        reason: why it decides so: what follows "because", as a sentence without a full stop.
        source: RFCs and documents; empty if it rests on what captures show.
        proof: the capture, or the test, that changes without it.
        verdict: what a frame is by this rule; None of a rule that only says that two frames are two packets.
    """

    name: str
    about: str
    reason: str
    source: str
    proof: str
    verdict: str | None


@dataclass(frozen=True)
class Limit:
    """A limit of the engine.

    Attributes:
        name: of the limit.
        value: in its unit.
        unit: of the value; empty for a share.
        reason: what it is for.
        proof: the capture, or the test, that changes without it.
        without: the value that stands for no limit; None if a hostile input needs one.
    """

    name: str
    value: float
    unit: str
    reason: str
    proof: str
    without: float | None

    @property
    def shown(self) -> str:
        """The value with its unit, for people."""
        value, unit = self.value, self.unit
        if unit == "s" and value < 1:
            value, unit = value * 1e3, "ms"
        elif unit == "bytes" and value >= 2**20:
            value, unit = value / 2**20, "MB"
        return f"{value:,g} {unit}".rstrip() if value < 2**20 else f"{value:,.0f} {unit}"


@cache
def _modules() -> Any:
    from pywnv.lua.runtime import lua_runtime

    return lua_runtime().execute((engine_lua() + "return modules").encode())


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


@cache
def rules() -> dict[str, Rule]:
    """The rules by name, in the order in which they are asked: first those that tell two packets apart."""
    from pywnv.lua import lua_text

    sources = _modules()[b"decide"][b"sources"]
    found = {}
    for name in DIFFERENCES + RULES:
        rule = sources[name.encode()]
        lines = lua_text(f"engine/rules/{name}.lua").splitlines()
        about = [line.lstrip("- ") for line in lines[: next(at for at, line in enumerate(lines) if line[:2] != "--")]]
        reason, source, proof, verdict = (_text(rule[part]) for part in (b"reason", b"source", b"proof", b"verdict"))
        found[name] = Rule(name, " ".join(about), reason, source, proof, verdict or None)
    return found


@cache
def limits() -> dict[str, Limit]:
    """The limits by name."""
    found = {}
    for limit in _modules()[b"limits"][b"list"].values():
        name, unit, reason, proof = (_text(limit[part]) for part in (b"name", b"unit", b"reason", b"proof"))
        found[name] = Limit(name, limit[b"value"], unit, reason, proof, limit[b"without"])
    return found
