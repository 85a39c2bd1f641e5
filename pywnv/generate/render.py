"""Fills the templates of this package with jinja2."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pywnv.lua.quoting import quote_lua

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    templates = files("pywnv.generate") / "templates"
    # Templates make Lua, not HTML: `lua` is the escape that fits.
    environment = Environment(  # noqa: S701
        loader=FunctionLoader(lambda name: (templates / name).read_text("utf-8")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["lua"] = quote_lua
    return environment


def render(template: str, **values: object) -> str:
    """A template of templates/, filled."""
    return _environment().get_template(template).render(**values)
