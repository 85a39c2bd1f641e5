"""Which frames of a Windows host's capture are the same packet, and which way it went through the host."""

from __future__ import annotations

__version__ = "0.1.0"
