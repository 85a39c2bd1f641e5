"""The plugin lua/wnv.lua."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pywnv.capture.links import KIND_OF_ENCAP
from pywnv.generate.engine import engine_lua
from pywnv.generate.render import render
from pywnv.lua import lua_text
from pywnv.tables import fields
from pywnv.version import __version__

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

TITLE = "Windows Network Virtualization"

QUIET = "PYWNV_ROWS"  # where the environment has it, an installed plugin does nothing

# What the plugin's windows show.
REPORTS = ("table", "summary", "latency", "drops", "path")


def plugin_lua(topology: Topology | None = None, *, for_rows: bool = False) -> str:
    """The plugin lua/wnv.lua.

    Args:
        topology: names and roles in the host, or None.
        for_rows: with one more field, wnv.ends: length and ends of a packet, as rows have them, with a bar between.
    """
    return render(
        "plugin.lua.j2",
        title=TITLE,
        version=__version__,
        engine=engine_lua(topology),
        fields=fields.FIELDS,
        tree=[fields.BY_COLUMN[column] for column in fields.TREE],
        list={field.name.rpartition(".")[2]: field for field in fields.LIST},
        ends=lua_text("writers/ends.lua") if for_rows else None,
        quiet=QUIET,
        encaps=KIND_OF_ENCAP,
        event=fields.VERDICTS.index("event"),
        repeat=fields.VERDICTS.index("repeat"),
        rewritten=2 ** len(fields.REWRITTEN),
        slow=lua_text("plugin/slow.lua"),
        reports={name: lua_text(f"reports/{name}.lua") for name in REPORTS},
        windows=lua_text("plugin/windows.lua"),
    )
