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
        protocol: The highest that the engine knows: ARP, ICMP, TCP, UDP, IGMP ....
        source: The address of the sender, in the innermost packet.
        destination: The address it is sent to, in the innermost packet.
        source_port: The port of the sender.
        destination_port: The port it is sent to.
        packet: The packet: the number of its first frame.
        appearance: Which sighting of the packet this is: 1, 2, 3 ... in file order.
        duplicate: Another sighting of a packet seen before.
        duplicate_of: The first frame of the packet.
        previous: The sighting before this one.
        verdict: What this frame is: original, duplicate, segment, coalesced, repeat, retransmission, event.
        evidence: What shows that it is the same packet: none, packet-id, bytes, rewritten, segment, learned.
        rule: The rule of the engine that decided, by its name in docs/deciding.md.
        repeat_of: Of a repeat or a retransmission: the first frame of the packet that carried this before.
        rewritten: What differs from the previous appearance.
        segment_of: The larger frame that this one was cut from.
        hop: The place in the host where the frame was seen.
        hop_role: What kind of place the hop is: unknown, pNIC, tNIC, vSwitch, vmNIC, host vNIC, filter, protocol.
        hop_delta: Time since the previous appearance, in seconds.
        hop_elapsed: Time since the first appearance, in seconds.
        path: The hops so far; where the switch floods, its branches in braces.
        direction: Which way the packet goes through the host: unknown, outbound, inbound, internal.
        vlan: VLAN that the capture tool noted.
        port: Port of the vSwitch.
        nic: Name of the NIC that the capture tool noted.
        nic_type: Type of that NIC.
        pid: Process that was running when the frame was seen.
        event: What the vmSwitch did with a packet: none, received, routed, delivered, dropped.
        event_nic: The NIC that the event names first.
        event_destination_nic: The NIC that the packet went to.
        event_switch: The vmSwitch.
        event_near: The packet just before the event, within a millisecond, which may be another than the event is
            about.
        event_packet: The packet that the event is about, where the buffer's address and the order of events prove
            it.
        drop: The packet was dropped here.
        drop_reason: Why, by the number that Windows gives it.
        drop_reason_text: Why, as Windows puts it.
        drop_location: Where in the network stack.
        drop_harmless: A drop that Windows makes every day: not for this host, nobody listens to this group, a
            duplicate segment.
        drop_advice: What to look at.
        drop_rule: The VLAN setting or ACL of the host that explains the drop; of VFP's own drops, its rule.
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
