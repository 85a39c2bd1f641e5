"""What the installed Wireshark shows of each frame, read by pyshark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyshark
from pyshark.capture.capture import TSharkCrashException
from pyshark.tshark.tshark import get_tshark_version

from pywnv.capture.source import need_file, open_file
from pywnv.errors import CaptureError
from pywnv.wireshark.tshark import field_lines, find_tshark, plugin_file

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

SENT_AGAIN = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission"


class Shown(NamedTuple):
    """What Wireshark shows of a frame.

    Attributes:
        interface: its number; None if the file has none.
        is_tcp: whether there is TCP in it.
        digest: the hash that Wireshark makes of its bytes.
        packet: the packet, by the plugin.
        whole: the larger frame that it was cut from, by the plugin.
        columns: what the plugin says, by the columns of a truth.
    """

    interface: str | None
    is_tcp: bool
    digest: str
    packet: int | None
    whole: int | None
    columns: dict[str, str]


def frames(
    capture: Path, *, topology: Topology | None, warn: Callable[[str], None] = lambda _: None
) -> dict[int, Shown]:
    """What Wireshark, with the plugin, shows of each frame of a capture.

    Where a plugin is installed, that one counts, for that is what Wireshark does.

    Args:
        capture: a file in any format that Wireshark opens.
        topology: names and roles in the host, or None.
        warn: called if the capture is cut off.

    Raises:
        CaptureError: tshark cannot read the capture.
        UsageError: the capture is stdin or a pipe.
        WiresharkError: tshark is missing, or did not load the plugin.
    """
    preferences = {"wnv.enabled": "TRUE", "frame.generate_md5_hash": "TRUE"}
    with plugin_file(topology) as plugin:
        options = ["-X", f"lua_script:{plugin}", "-j", "frame wnv"]
        return {packet.number: _read(packet) for packet in _packets(capture, options, preferences, warn=warn)}


def sent_again(capture: Path, *, deinterlacing: str, warn: Callable[[str], None] = lambda _: None) -> set[int]:
    """The frames whose TCP data Wireshark takes for sent again, where it keeps conversations apart by a key.

    Args:
        capture: a file in any format that Wireshark opens.
        deinterlacing: a value of its preference `protocols.conversation_deinterlacing_key`, as "VMI".
        warn: called if the capture is cut off.

    Raises:
        CaptureError: tshark cannot read the capture.
    """
    preferences = {"protocols.conversation_deinterlacing_key": deinterlacing}
    options = ["-j", "frame"]
    return {packet.number for packet in _packets(capture, options, preferences, SENT_AGAIN, warn=warn)}


_version = cache(get_tshark_version)  # pyshark starts a tshark for it with each capture


class _Reader(pyshark.FileCapture):  # type: ignore[misc]  # pyshark has no types
    def _get_tshark_version(self) -> Any:
        return _version(self.tshark_path)

    async def _cleanup_subprocess(self, process: asyncio.subprocess.Process) -> None:
        # Left alone, pyshark kills a tshark that has written all and is about to end: its exit code is lost.
        if self._eof_reached:
            await process.wait()
        self._running_processes.discard(process)  # else it complains again, and once more when it is collected
        await super()._cleanup_subprocess(process)


def _packets(
    capture: Path,
    options: Sequence[str],
    preferences: dict[str, str],
    display_filter: str | None = None,
    *,
    warn: Callable[[str], None],
) -> Iterator[Any]:
    need_file(capture)
    with open_file(capture):  # its words for a file that is not there
        pass
    tshark = find_tshark()
    loop = asyncio.new_event_loop()  # pyshark's own way to one ends with Python 3.14
    reader = _Reader(
        capture,
        keep_packets=False,
        use_json=True,
        display_filter=display_filter,
        eventloop=loop,
        tshark_path=tshark,
        override_prefs=preferences,
        custom_parameters=list(options),
    )
    crashed = False
    try:
        yield from reader
    except TSharkCrashException:
        crashed = True
    except KeyError as error:  # pyshark's, of what Wireshark opens as one frame without a time
        raise CaptureError(f"{capture}: Wireshark shows a frame without {error.args[0]}; is it a capture?") from error
    except UnicodeDecodeError as error:
        raise CaptureError(f"{capture}: tshark's output is not UTF-8: {error.reason}") from error
    finally:
        try:
            reader.close()
        except TSharkCrashException:
            crashed = True
        loop.close()
    if crashed:
        ask_why(capture, warn)


def ask_why(capture: Path, warn: Callable[[str], None]) -> None:
    """Raises, or warns, what tshark says of a capture that pyshark could not read to its end: pyshark does not say."""
    for _ in field_lines(capture, ["frame.number"], window=None, topology=None, display_filter=None, warn=warn):
        pass


def _read(packet: Any) -> Shown:
    layer: Any = packet.wnv if "wnv" in packet else None

    def value(name: str) -> str | None:
        try:
            return str(layer.get_field(f"wnv.{name}").raw_value)
        except AttributeError:
            return None

    number, whole = value("packet"), value("segment_of")
    columns = {
        "hop": value("hop") or "",
        "segment_of": whole or "",
        "drop": "true" if value("drop") else "",
        "drop_reason": value("drop.reason") or "",
    }
    return Shown(
        packet.interface_captured,
        "tcp" in str(packet.frame_info.get_field("frame.protocols").raw_value).split(":"),
        str(packet.frame_info.get_field("frame.md5_hash").raw_value),
        int(number) if number else None,
        int(whole) if whole else None,
        columns,
    )
