"""Findings that need a capture: what the engine sees of the host's packets on their way through it."""

from __future__ import annotations

from typing import Any

from pywnv.host.lint.finding import Finding, chosen, finding
from pywnv.host.model import Host, VirtualNic
from pywnv.host.virtual_nics import VLAN
from pywnv.lua import lua_text
from pywnv.words import count


class Tagged:
    """Counts the tagged packets that go to NICs which take untagged ones only.

    Args:
        host: whose NICs they are; the walker must know it, too. None: there are no findings.

    Attributes:
        is_needed: whether the host has such NICs.
    """

    def __init__(self, host: Host | None) -> None:
        self._nics = host.nics if host else []
        self._wanted = _untagged(host) if host else []
        self._eye: Any = None
        self.is_needed = bool(self._wanted)

    def watch(self, lua: Any, modules: Any) -> Any:
        """The engine, watched: what `pywnv.annotate.walker.Walker` takes as `watch`."""
        if not self.is_needed:
            return modules[b"engine"]
        wanted = lua.table_from(dict.fromkeys(self._wanted, True))
        self._eye = lua.execute(lua_text("writers/tagged.lua").encode(), modules, wanted)
        return self._eye[b"engine"]

    def findings(self, capture: str) -> list[Finding]:
        """What was seen in the capture of this name."""
        if self._eye is None:
            return []
        seen = ([int(value) for value in one.values()] for one in self._eye[b"found"]().values())
        return [_tagged(self._nics[at - 1], vlan, packets, first, capture) for at, vlan, packets, first in seen]


def _untagged(host: Host) -> list[int]:
    """Places in `host.nics`, counted from 1, of NICs that surely take untagged packets only."""
    if VLAN not in host.told:
        return []
    elsewhere = {adapter.mac for adapter in host.adapters if adapter.vlan}
    return [
        at
        for at, nic in enumerate(host.nics, 1)
        if nic.vlan.mode == "untagged" and nic.isolation == "none" and nic.mac and nic.mac not in elsewhere
    ]


def _tagged(nic: VirtualNic, vlan: int, packets: int, first: int, capture: str) -> Finding:
    words = f"{count(packets, 'tagged packet')} of VLAN {vlan}"
    what = f"untagged mode, but {words} went to it in {capture}, the first in frame {first}"
    fix = f"Set-VMNetworkAdapterVlan {chosen(nic)} -Access -VlanId {vlan}"
    made = finding("untagged-nic-tagged-traffic", nic.label, what, fix)
    return Finding(**{**vars(made), "count": packets, "first_frame": first, "capture": capture})
