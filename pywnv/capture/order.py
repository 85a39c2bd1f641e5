"""Sorts captures by their first timestamps, so that the files of a ring buffer are read in order."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

from pywnv.capture import pcapng
from pywnv.capture.source import PCAP_HEADER_SIZE, Capture, need_file, open_to_join

ENHANCED, OLD = 6, 2  # packet blocks with a time


def first_time(path: Path) -> Fraction | None:
    """Seconds since 1970 of a capture's first packet that has a time; None if it has none near its beginning.

    Raises:
        CaptureError: the capture is missing, in another format, or broken there.
    """
    with open_to_join(path) as capture:
        data = next(capture.pieces(lambda _: None), b"")
        return _of_pcap(capture, data) if capture.pcap else _of_pcapng(data)


def _of_pcap(capture: Capture, data: bytes) -> Fraction | None:
    assert capture.pcap is not None  # noqa: S101
    if len(data) < PCAP_HEADER_SIZE - 8:
        return None
    seconds, fraction = struct.unpack_from(capture.pcap.order + "II", data)
    return Fraction(int(seconds)) + Fraction(int(fraction), capture.pcap.units)


def _of_pcapng(data: bytes) -> Fraction | None:
    order, interfaces = "<", list[pcapng.Interface]()
    at = 0
    while at + 28 <= len(data):
        if data[at : at + 4] == pcapng.MAGIC:
            order = ">" if data[at + 8 : at + 12] == pcapng.BIG_ENDIAN_MAGIC else "<"
            interfaces.clear()
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4:
            return None
        if kind == pcapng.INTERFACE:
            interfaces.append(pcapng.read_interface(data[at + 8 : at + length - 4], order))
        elif kind in (ENHANCED, OLD):
            number, high, low = struct.unpack_from(order + ("III" if kind == ENHANCED else "H2xII"), data, at + 8)
            if number >= len(interfaces):
                return None
            interface = interfaces[number]
            return Fraction(interface.offset) + Fraction((int(high) << 32) + int(low), interface.units)
        at += length
    return None


def in_order(paths: list[Path]) -> list[Path]:
    """Captures by the time of their first packets; one without follows the one named before it.

    Raises:
        CaptureError: a capture cannot be read.
        UsageError: one is stdin or a pipe: its beginning would be gone.
    """
    for path in paths:
        need_file(path)
    times: list[tuple[Fraction, int]] = []
    latest = Fraction(-(2**63))
    for number, path in enumerate(paths):
        latest = first_time(path) or latest
        times.append((latest, number))
    return [paths[number] for _, number in sorted(times)]
