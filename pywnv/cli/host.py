"""The commands `pywnv host ...`: the inventory of a Windows host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pywnv.cli.shared import (
    Commands,
    Force,
    expanded,
    need_ending,
    opened_capture,
    show,
    show_drawn,
    warn,
)
from pywnv.errors import Exit, UsageError
from pywnv.files.output import STDOUT, whole_file

if TYPE_CHECKING:
    from pywnv.host.evaluate import Decision, Packet
    from pywnv.host.model import Host
    from pywnv.host.topology import Topology

app = typer.Typer(
    cls=Commands, help="The Windows host: collect its inventory, draw it, find what is wrong.", no_args_is_help=True
)

Way = Literal["inbound", "outbound"]
Picture = Literal["text", "svg", "toml", "json"]
HostFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="What `pywnv host script` collected; a folder or zip of Get-SDDCDiagnosticInfo, Get-NetView, WSL's logs.",
    ),
]


@app.command()
def script(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="File to write; - is stdout.")
    ] = STDOUT,
    force: Force = False,
) -> None:
    """Write Get-WnvHost.ps1, which collects the inventory on the Windows host; it only reads.

    Example: pywnv host script -o Get-WnvHost.ps1
    """
    from importlib.resources import files

    need_ending(output, ".ps1")
    with whole_file(output, force=force) as file:
        file.write((files("pywnv.host") / "data" / "Get-WnvHost.ps1").read_bytes())


@app.command("show")
def show_host(
    file: HostFile,
    output_format: Annotated[
        Picture, typer.Option("--format", help="text, svg, toml (a topology file to edit) or json (everything).")
    ] = "text",
) -> None:
    """Draw a host: its switches, NICs, VLANs, ACLs, teams and adapters.

    Example: pywnv host show hv01.json
    """
    from pywnv.host import names, svg
    from pywnv.host import show as showing
    from pywnv.host.loading import load

    topology = load(file)
    if topology.host is None:
        topology = topology.model_copy(update={"host": names.host_of(topology)})
    match output_format:
        case "text":
            show_drawn(lambda console: showing.draw(topology, console))
        case "svg":
            show(svg.picture(topology), for_programs=True)
        case "toml":
            show(showing.as_toml(topology), for_programs=True)
        case "json":
            show(showing.as_json(topology), for_programs=True)


@app.command()
def lint(
    file: HostFile,
    captures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CAPTURE", help="Captures of this host, for findings that need traffic."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a list of findings.")] = False,
) -> None:
    """Say what is wrong with a host. Exit code 1 if there is a warning or an error, or nothing to check.

    Example: pywnv host lint hv01.json capture.pcapng
    """
    from pywnv.host.lint import gravest_first
    from pywnv.host.lint import lint as findings_of
    from pywnv.host.lint import show as showing
    from pywnv.inspect.host import lint_capture

    topology, host = _inventory(file)
    found = findings_of(host)
    for capture in expanded(captures or []):
        with opened_capture(capture, lambda _: None) as opened:
            found += lint_capture(topology, opened, warn, name=str(capture))
    found = gravest_first(found)
    if as_json:
        show(showing.as_json(found), for_programs=True)
    else:
        show_drawn(lambda console: showing.draw(found, host, console))
    is_bad = host.is_empty or any(one.severity != "note" for one in found)
    raise typer.Exit(Exit.DIFFERENT if is_bad else Exit.OK)


def _inventory(file: Path) -> tuple[Topology, Host]:
    from pywnv.host.loading import load

    topology = load(file)
    if topology.host is None:
        raise UsageError(f"{file}: holds only names, no VLANs and ACLs; `pywnv host script` collects them")
    return topology, topology.host


@app.command("test")
def would_pass(
    file: HostFile,
    nic: Annotated[
        str,
        typer.Option("--nic", metavar="NAME", help="The NIC, by the name of its VM, its own name, its Id or its MAC."),
    ],
    direction: Annotated[
        Way | None,
        typer.Option("--direction", help="inbound is towards the NIC. With --frame, by default from the MACs."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="ADDRESS", help="IP address of the sender.")] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="ADDRESS", help="IP address of the receiver.")
    ] = None,
    source_mac: Annotated[str | None, typer.Option("--source-mac", metavar="MAC", help="MAC of the sender.")] = None,
    destination_mac: Annotated[
        str | None, typer.Option("--destination-mac", metavar="MAC", help="MAC of the receiver.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="tcp, udp, icmp, icmpv6 or a number. Default: a protocol that no rule names.",
        ),
    ] = None,
    source_port: Annotated[
        int | None, typer.Option("--source-port", metavar="PORT", help="Port of the sender, for tcp, udp and sctp.")
    ] = None,
    destination_port: Annotated[
        int | None,
        typer.Option("--destination-port", metavar="PORT", help="Port of the receiver, for tcp, udp and sctp."),
    ] = None,
    vlan: Annotated[
        int | None,
        typer.Option(
            "--vlan", metavar="NUMBER", help="VLAN of the packet's tag. Default: from the capture, else untagged."
        ),
    ] = None,
    capture: Annotated[
        Path | None, typer.Option("--capture", metavar="CAPTURE", help="Take the packet from this capture.")
    ] = None,
    frame: Annotated[
        int | None, typer.Option("--frame", metavar="NUMBER", help="Number of the frame that shows the packet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: passes, decided_by, rule, matched.")] = False,
) -> None:
    """Say whether a packet would pass the port of a NIC, and which VLAN setting or ACL decides.

    Example: pywnv host test hv01.json --nic Contoso-Gst --direction inbound --source 10.0.0.9 --destination 10.0.0.5
    """
    from pywnv.host.evaluate import evaluate, find_nic, packet_of
    from pywnv.inspect.host import packet_in

    topology, host = _inventory(file)
    found = find_nic(host, nic)
    described = (source, destination, source_mac, destination_mac, protocol, source_port, destination_port)
    if (capture is None) != (frame is None):
        raise UsageError("--capture and --frame belong together")
    if capture is not None and frame is not None:
        if any(value is not None for value in described):
            raise UsageError("--capture: the packet comes from the frame; only --direction and --vlan may be added")
        with opened_capture(capture, lambda _: None) as opened:
            packet = packet_in(opened, frame, found, direction=direction, vlan=vlan, topology=topology)
    elif direction is None or source is None or destination is None:
        raise UsageError("host test: needs --direction, --source and --destination, or --capture and --frame")
    else:
        packet = packet_of(
            direction,
            source,
            destination,
            source_mac=source_mac,
            destination_mac=destination_mac,
            protocol=protocol,
            source_port=source_port,
            destination_port=destination_port,
            vlan=vlan,
            nic_mac=found.mac,
        )
    decision = evaluate(found, packet)
    if as_json:
        show(json.dumps(vars(decision), ensure_ascii=False), for_programs=True)
        return
    for line in _words(packet, decision):
        show(line)


def _words(packet: Packet, decision: Decision) -> list[str]:
    """What was decided, as lines for people."""
    lines = [f"{'passes' if decision.passes else 'is dropped'}: {packet.words}"]
    lines.append(f"decided by {decision.rule}" if decision.rule else "no VLAN setting and no ACL stops it")
    return lines + [f"matched too: {words}" for words in decision.matched]
