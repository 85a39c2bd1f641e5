"""What can go wrong, in words for the user: each message says what, where and what to do."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    DIFFERENT = 1
    ERROR = 2


class WnvError(Exception):
    """Base of all errors that pywnv raises on purpose."""


class UsageError(WnvError):
    """Arguments that make no sense, alone or together."""


class CaptureError(WnvError):
    """A capture file that cannot be read, or is broken beyond what can be skipped."""


class UnknownFormatError(CaptureError):
    """A file that is neither pcapng nor pcap."""


class MissingExtraError(WnvError):
    """A part of pywnv that is installed on demand, and is not there."""


class TopologyError(WnvError):
    """A topology file that cannot be read, or says what cannot be."""


class TruthError(WnvError):
    """A file of truth that cannot be read, or is of another capture."""


class OutputError(WnvError):
    """An output that cannot be written."""


class ClusterError(WnvError):
    """A cluster where nobody answers, or nobody who can do the work."""


class WiresharkError(WnvError):
    """A tshark that is missing, too old, without Lua, or that failed."""


class ReaderGoneError(WnvError):
    """Whoever read our output has seen enough."""
