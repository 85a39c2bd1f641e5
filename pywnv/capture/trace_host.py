"""Reads what a trace says about its host: Windows version, name, network adapters.

Windows adds this when a trace is stopped. The adapters are MIB_IF_ROW2 (netioapi.h of the Windows SDK) in records of
the provider of image identities; the name is in the kernel's SystemConfig event (MSDN: SystemConfig_V2_CPU).
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from pywnv.capture.etl import Event, Session, utf16

IMAGE_IDENTITY = uuid.UUID("9b79ee91-b5fd-41c0-a243-4248e266e9d0").bytes_le
BUILD, ADAPTER = 32, 36  # types of its records
SYSTEM_CONFIG = uuid.UUID("01853a65-418f-4f36-aefc-dc0f1d2fd235").bytes_le
PROCESSOR, PROCESSOR_HOOK = 10, 0x0B0A  # as a classic record, and as the kernel's own
COMPUTER_NAME_AT = 20

ROW_SIZE = 1352
ALIAS_AT, DESCRIPTION_AT, MAC_AT, MEDIUM_AT, FLAGS_AT, SPEED_AT = 28, 542, 1056, 1136, 1152, 1192
HARDWARE, CONNECTOR = 0x1, 0x4
MEDIUM_WIFI, MEDIUM_MOBILE = 16, 19  # NDIS_MEDIUM as pktmon writes it
RADIO_MEDIA = (9, MEDIUM_WIFI, MEDIUM_MOBILE)  # NdisMediumWirelessWan, NdisMediumNative802_11

MOST_ADAPTERS = 4096


@dataclass(frozen=True)
class Adapter:
    """A network adapter, or a filter's share of one.

    Attributes:
        alias: what people call it, such as "Ethernet 2".
        description: what its driver calls it.
        mac: its address; None without.
        is_physical: whether it is hardware and has a connector, or a radio.
        speed: bit/s; 0 if unknown.
    """

    alias: str
    description: str
    mac: bytes | None
    is_physical: bool
    speed: int


class Host:
    """Collects what a trace says of its host."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.name = ""
        self._build = ""
        self._edition = ""
        self.adapters: dict[int, Adapter] = {}  # by ifIndex

    @property
    def system(self) -> str:
        """Edition and build of Windows, as far as they are known."""
        build = self._build or self.session.build
        return (self._edition or "Windows") + (f", build {build}" if build else "")

    def take(self, event: Event) -> None:
        """Remembers what an event says of the host."""
        if event.provider == IMAGE_IDENTITY and event.classic:
            if event.opcode == ADAPTER and len(event.data) >= ROW_SIZE and len(self.adapters) < MOST_ADAPTERS:
                self._adapter(event.data)
            elif event.opcode == BUILD and len(event.data) > 8:
                self._build, at = utf16(event.data, 8)
                self._edition, _ = utf16(event.data, at)
        elif (event.provider == SYSTEM_CONFIG and event.opcode == PROCESSOR) or (
            not event.provider and event.opcode == PROCESSOR_HOOK
        ):
            self.name = utf16(event.data, COMPUTER_NAME_AT)[0][:256] or self.name

    def _adapter(self, row: bytes) -> None:
        (index,) = struct.unpack_from("<I", row, 8)
        size, mac = struct.unpack_from("<I6s", row, MAC_AT)
        medium, _, _, _, flags = struct.unpack_from("<IIIIB", row, MEDIUM_AT)
        (speed,) = struct.unpack_from("<Q", row, SPEED_AT)
        is_physical = flags & (HARDWARE | CONNECTOR) == HARDWARE | CONNECTOR or medium in RADIO_MEDIA
        self.adapters[index] = Adapter(
            utf16(row[:DESCRIPTION_AT], ALIAS_AT)[0],
            utf16(row[:MAC_AT], DESCRIPTION_AT)[0],
            mac if size == 6 and any(mac) else None,
            is_physical,
            speed if speed < 2**63 else 0,
        )
