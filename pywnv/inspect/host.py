"""What a capture and the inventory of its host tell together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pywnv.errors import UsageError
from pywnv.host.evaluate import LARGEST_VLAN, Packet, within
from pywnv.host.lint.traffic import Tagged
from pywnv.host.rules import mac_bytes, shown
from pywnv.lua import lua_text

if TYPE_CHECKING:
    from pywnv.host.lint.finding import Finding
    from pywnv.host.model import Direction, VirtualNic
    from pywnv.host.topology import Topology


def lint_capture(
    topology: Topology, capture: Path, warn: Callable[[str], None] = lambda _: None, *, name: str | None = None
) -> list[Finding]:
    """Findings that no inventory alone gives.

    Args:
        topology: with the host, as `pywnv.host.loading.load` reads an inventory; without one there are none.
        capture: a pcapng or pcap of this host.
        warn: called with each warning, one line for the user.
        name: of the capture as the user typed it, where that is another file.

    Raises:
        CaptureError: the capture cannot be read.
    """
    from pywnv.annotate import sinks
    from pywnv.annotate.walker import annotate
    from pywnv.capture.source import open_capture

    if topology.host is None:
        return []
    tagged = Tagged(topology.host)
    with open_capture(capture) as opened:  # also where nothing is to be seen in it: a wrong file is an error
        if tagged.is_needed:
            for _ in annotate(
                [opened],
                sink=sinks.csv,
                window=None,
                progress=lambda _: None,
                warn=warn,
                topology=topology,
                watch=tagged.watch,
            ):
                pass
    return tagged.findings(name or str(capture))


def packet_in(
    capture: Path,
    frame: int,
    nic: VirtualNic,
    *,
    direction: Direction | None = None,
    vlan: int | None = None,
    topology: Topology | None = None,
) -> Packet:
    """The packet that a frame of a capture shows, at a NIC.

    Args:
        capture: pcapng or pcap.
        frame: its number, from 1.
        nic: at which it is meant.
        direction: None if its MACs tell it.
        vlan: None if the capture tells it.
        topology: names of the capture's hops.

    Raises:
        CaptureError: the capture cannot be read.
        UsageError: there is no such frame, it is not a packet, or its MACs tell no direction.
    """
    from pywnv.explain import frame_row

    found: list[Any] = []

    def watch(lua: Any, modules: Any) -> Any:
        eye = lua.execute(lua_text("writers/one_frame.lua").encode(), modules, frame)
        reader = modules[b"host_packet"]
        found.append((eye, reader or lua.execute(lua_text("engine/host_packet.lua").encode(), modules[b"link"])))
        return eye[b"engine"]

    row = frame_row(capture, frame, topology=topology, watch=watch)
    (eye, reader) = found[0]
    seen = eye[b"seen"]()
    if row.packet is None or seen is None:
        raise UsageError(f"{capture}: frame {frame} is not a packet")
    read = {key.decode(): value for key, value in reader[b"read"](*seen).items()}
    told = read.get("vlan") if read.pop("is_tagged", None) else row.vlan
    told = told if vlan is None else within("--vlan", vlan, LARGEST_VLAN)
    macs = {key: read.get(key) for key in ("source_mac", "destination_mac")}
    mine = nic.mac and mac_bytes(nic.mac)
    if direction is None and mine and mine in macs.values():
        direction = "inbound" if macs["destination_mac"] == mine else "outbound"
    if direction is None:
        raise UsageError(f"{capture}: frame {frame} does not have the MAC of {shown(nic.label)}: give --direction")
    known = {"vlan": told or None, "hides_vlan": told is None, "begins": bool(read.get("begins"))}
    return Packet(direction, **{**read, **known})
