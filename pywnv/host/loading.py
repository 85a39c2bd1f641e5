"""Reads what is known of a host, from whatever tells it."""

from __future__ import annotations

from pathlib import Path

from pywnv.errors import TopologyError
from pywnv.host import names, pktmon_list, reading, topology_file
from pywnv.host.model import Host
from pywnv.host.topology import KEYS, Topology, parts

MOST_KEYS = 20_000  # Lua takes some 60,000 constants in one literal


def load(path: Path) -> Topology:
    """Reads what is known of a host: an inventory of any kind, what ``pktmon list --json`` printed, or a topology file.

    Raises:
        TopologyError: it cannot be read or is wrong; the message names the place, in one line.
    """
    value = topology_file.read(path) if path.suffix.lower() in topology_file.ENDINGS else reading.read(path)
    if isinstance(value, Host):
        topology = names.topology(value)
    elif pktmon_list.is_list(value):
        topology = pktmon_list.topology(value)
    else:
        topology = topology_file.checked(path, value)
    keys = sum(len(getattr(part, key)) for _, part in parts(topology) for key in KEYS)
    if keys > MOST_KEYS:
        raise TopologyError(f"{path}: names {keys} interfaces, ports and the like; {MOST_KEYS} are the limit")
    return topology
