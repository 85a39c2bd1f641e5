"""What pywnv says of one frame. Made from the table of fields by `pywnv generate`."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Annotation(NamedTuple):
    """One frame; None stands for what does not apply.

    Attributes:
        frame: its number, from 1.
        time: seconds since 1970, to the nanosecond.
        interface: its number in its section, from 0.
        length: Bytes of the packet on the wire.
        protocol: The highest protocol that the engine knows: ARP, ICMP, TCP, UDP, IGMP ....
        source: The address of the sender, in the innermost packet.
        destination: The address of the receiver, in the innermost packet.
        source_port: The port of the sender.
        destination_port: The port of the receiver.
        packet: The packet, as the number of its first frame.
        appearance: Which sighting of the packet this is: 1, 2, 3 ... in file order.
        duplicate: A further sighting of a packet.
        duplicate_of: The first frame of the packet.
        previous: The sighting before this one.
        verdict: What this frame is: original, duplicate, segment, coalesced, repeat, retransmission, event.
        evidence: What proves that it is the same packet: none, packet-id, bytes, rewritten, segment, learned.
        rule: The engine's rule that decided, see docs/deciding.md.
        repeat_of: For a repeat or a retransmission: the first frame of the packet that carried the same content
            before.
        rewritten: What differs from the previous sighting.
        segment_of: The larger frame that this one was cut from.
        hop: The place in the host where the frame was seen.
        hop_role: What kind of place the hop is: unknown, pNIC, tNIC, vSwitch, vmNIC, host vNIC, filter, protocol.
        hop_delta: Time since the previous sighting, in seconds.
        hop_elapsed: Time since the first sighting, in seconds.
        path: The packet's hops so far; where the switch floods, its branches in braces.
        direction: The direction of the packet, seen from the host: unknown, outbound, inbound, internal.
        vlan: VLAN that the capture tool recorded.
        port: Port of the vSwitch.
        nic: Name of the NIC that the capture tool recorded.
        nic_type: Type of the NIC that the capture tool recorded.
        pid: Id of the process that was running when the frame was captured.
        event: What the vmSwitch did with a packet: none, received, routed, delivered, dropped.
        event_nic: The NIC that the event names first.
        event_destination_nic: The NIC that the event says the packet went to.
        event_switch: The vmSwitch.
        event_near: The packet just before the event, by at most a millisecond; the event may be about another one.
        event_packet: The packet that the event is about, where the buffer's address and the order of events prove
            it.
        drop: The packet was dropped here.
        drop_reason: Why it was dropped, as the number that Windows uses.
        drop_reason_text: Why it was dropped, in Windows' words.
        drop_location: Where in the network stack it was dropped.
        drop_harmless: A drop that Windows makes every day: not for this host, nobody listens to this group, a
            duplicate segment.
        drop_advice: What to look at for this drop.
        drop_rule: The VLAN setting or ACL of the host that explains the drop; for VFP's own drops, VFP's rule.
    """

    frame: int
    time: Decimal | None
    interface: int | None
    length: int | None
    protocol: str | None
    source: str | None
    destination: str | None
    source_port: int | None
    destination_port: int | None
    packet: int | None
    appearance: int | None
    duplicate: bool | None
    duplicate_of: int | None
    previous: int | None
    verdict: str | None
    evidence: str | None
    rule: str | None
    repeat_of: int | None
    rewritten: str | None
    segment_of: int | None
    hop: str | None
    hop_role: str | None
    hop_delta: float | None
    hop_elapsed: float | None
    path: str | None
    direction: str | None
    vlan: int | None
    port: int | None
    nic: str | None
    nic_type: str | None
    pid: int | None
    event: str | None
    event_nic: str | None
    event_destination_nic: str | None
    event_switch: str | None
    event_near: int | None
    event_packet: int | None
    drop: bool | None
    drop_reason: int | None
    drop_reason_text: str | None
    drop_location: int | None
    drop_harmless: bool | None
    drop_advice: str | None
    drop_rule: str | None
