"""The errors that users see: each message says what is wrong, where, and what to do, in one line."""

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
    """An optional dependency (an extra of the package) that is not installed."""


class TopologyError(WnvError):
    """A topology file that cannot be read, or is invalid."""


class TruthError(WnvError):
    """A truth file that cannot be read, or belongs to another capture."""


class OutputError(WnvError):
    """An output that cannot be written."""


class ClusterError(WnvError):
    """A cluster that does not answer, or has no worker that can do the work."""


class WiresharkError(WnvError):
    """A tshark that is missing, too old, without Lua, or that failed."""


class ReaderGoneError(WnvError):
    """The program that read our output has closed the pipe."""
