"""Frames that were cut or damaged, shown again and again: no error, and each Lua says the same."""

from __future__ import annotations

from random import Random

import pytest
from engine import (
    DATA,
    ICMP,
    ICMPV6,
    RUNTIMES,
    SCTP,
    TCP,
    UDP,
    Engine,
    Said,
    arp,
    echo,
    ipv4,
    ipv4_fragments,
    ipv6,
    ipv6_fragments,
    put,
    sctp,
    snap,
    tcp,
    udp,
    wifi,
)
from test_engine_evidence import TUNNELS, framed
from test_engine_segments import LSO, segments

PAYLOADS = {TCP: tcp(DATA * 4), UDP: udp(DATA * 4), ICMP: echo(DATA * 4), ICMPV6: echo(DATA * 4), SCTP: sctp(DATA * 4)}
WHOLE = [ipv4(payload, protocol, ident=ident) for protocol, payload in PAYLOADS.items() for ident in (0, 9)]
PACKETS = [
    *WHOLE,
    *(ipv6(payload, protocol) for protocol, payload in PAYLOADS.items()),
    *(part for packet in WHOLE for part in ipv4_fragments(packet, 128)),
    *(part for protocol in (TCP, UDP, ICMPV6) for part in ipv6_fragments(PAYLOADS[protocol], protocol, 128)),
    *(
        part
        for whole, ident, header in LSO.values()
        for part in (whole, *segments(whole, 4000, 1448, ident=ident, header=header))
    ),
    arp(),
]
FRAMES = [*map(framed, PACKETS), *TUNNELS.values(), *(wifi(snap(packet), qos=True) for packet in WHOLE)]
STEPS = [0.0, 1e-6, 10e-6, 100e-6, 2e-3, -5e-6, -2e-3, 6e-3, 30e-3]


def damaged(random: Random, frame: bytes) -> tuple[bytes, int]:
    """A frame, and how long it was on the wire; as it is, changed, cut, or wrong about its length."""
    how, length = random.randrange(4), len(frame)
    if how == 1:
        frame = put(frame, random.randrange(12, length - 2), random.randrange(65536))
    elif how == 2:
        frame = frame[: random.randrange(length + 1)]
    elif how == 3:
        length = random.choice([0, 60, 2000])
    return frame, length


def said_of_a_mess(runtime: str, seed: int) -> list[Said]:
    random = Random(seed)
    engine = Engine(runtime)
    hops = [engine.hop(kind, kind, at) for at, kind in enumerate(("ethernet", "ethernet", "wifi", "sll", "raw"))]
    frames, time, said = random.sample(FRAMES, random.randint(1, 4)), 1.0, []
    for _ in range(40):
        frame, length = damaged(random, random.choice(frames))
        frames.append(frame if len(frame) > 14 else frames[0])
        time += random.choice(STEPS)
        hop, tag = random.choices(hops, (8, 4, 1, 1, 1))[0], random.choice([None] * 8 + ["1", "2"])
        said.append(engine.frame(time, hop, frame, length, tag))
        if random.random() < 0.2:
            engine.discard()
            assert engine.frame(time, hop, frame, length, tag) == said[-1]
    return said


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(at, at + 40) for at in range(0, 200, 40)], ids=str)
def test_frames_that_were_damaged(seeds: range) -> None:
    for seed in seeds:
        first, *others = (said_of_a_mess(runtime, seed) for runtime in RUNTIMES)
        assert others == [first] * len(others)
