"""Gathers the parts of a host, each with the keys by which captures name it; what two claim tells of neither."""

from __future__ import annotations

from collections.abc import Iterable

from pywnv.host.model import Role
from pywnv.host.topology import Nic, Switch, Team, Topology

LONGEST_NAME = 120  # of a part of a topology; what is longer is cut

Part = tuple[str, Role | None]


class Parts:
    """Parts by name and role, each with its keys; a key that two of them claim is dropped."""

    def __init__(self) -> None:
        self._owner: dict[tuple[str, object], Part | None] = {}
        self._names: dict[Part, None] = {}
        self._ports: dict[str, dict[str, None]] = {}
        self._members: dict[str, list[str]] = {}

    def add(self, name: str, role: Role | None, **keys: Iterable[int] | Iterable[str]) -> None:
        """Adds a part, or more keys of one, named as in `topology.KEYS`."""
        part = (name[:LONGEST_NAME], role)
        self._names[part] = None
        for key, values in keys.items():
            for value in values:
                if self._owner.setdefault((key, value), part) != part:
                    self._owner[key, value] = None

    def connect(self, switch: str | None, name: str) -> None:
        """Says that a part is connected to a switch; None for no switch."""
        if switch:
            self._ports.setdefault(switch[:LONGEST_NAME], {})[name[:LONGEST_NAME]] = None

    def join(self, team: str, members: list[str]) -> None:
        """Says that a tNIC is the NIC of a team with these members."""
        self._members[team[:LONGEST_NAME]] = [member[:LONGEST_NAME] for member in members]

    def topology(self) -> Topology:
        """All of them."""
        rows: dict[Part, dict[str, list[object]]] = {part: {} for part in self._names}
        for (key, value), part in self._owner.items():
            if part:
                rows[part].setdefault(key, []).append(value)
        nics, teams, switches = [], [], []
        for (name, role), keys in rows.items():
            if role == "vSwitch":
                switches.append(Switch.model_validate({"name": name, **keys, "ports": list(self._ports.get(name, ()))}))
            elif role == "tNIC" and name in self._members:
                teams.append(Team.model_validate({"name": name, **keys, "members": self._members[name]}))
            else:
                nics.append(Nic.model_validate({"name": name, "role": role, **keys}))
        return Topology(nics=nics, teams=teams, switches=switches)
