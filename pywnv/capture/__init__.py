"""Reading captures: pcapng and pcap, block by block."""

from __future__ import annotations
