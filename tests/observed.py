"""Splits captures of the lab into those of several observers, each with a clock of its own; scores what joins them."""

from __future__ import annotations

import csv
import gzip
import struct
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from pcapng_blocks import INTERFACE, PACKET, block, option, section
from scoring import score

from pywnv.annotate.rows import Engine, rows
from pywnv.join import Aligned, Join, Observer

CAPTURES = Path(__file__).parent / "captures"
MARK = 2989  # opt_custom, bytes: what no tool knows stays as it is
NUMBER = struct.Struct("<II")
ENTERPRISE = 32473  # RFC 5612: for examples
SECOND = 10**9
MICROSECONDS = 50e-6  # that an offset may be wrong by
Clock = Callable[[int], float]  # nanoseconds since the first packet -> how many it is ahead


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        yield kind, data[at + 8 : at + length - 4]
        at += length


def options(body: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(body):
        code, size = struct.unpack_from("<HH", body, at)
        found.setdefault(code, body[at + 4 : at + 4 + size])
        at += 4 + (size + 3 & ~3)
    return found


def right(_: int) -> float:
    return 0


def host_and_guest(name: str) -> str:
    return "host" if name.startswith(("pnic", "team", "gw")) else "guest"


def joined(observers: list[Observer], folder: Path) -> Path:
    """What `pywnv join` makes of captures."""
    path = folder / "joined.pcapng"
    path.write_bytes(b"".join(Join(observers).pieces()))
    return path


class Observed:
    """A capture of the lab, split; each frame bears its number in an option. What is in `gone` nobody has captured.

    Attributes:
        observers: as `Join` takes them.
        ahead: seconds that each one's clock was ahead of the first one's at its own first packet.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        clocks: dict[str, Clock],
        who: Callable[[str], str] = host_and_guest,
        gone: Collection[int] = (),
    ) -> None:
        self.name, self.ahead = name, dict[str, float]()
        parts = {observer: [section()] for observer in clocks}
        interfaces: list[tuple[str, int, int]] = []
        start, number = None, 0
        for kind, body in blocks(gzip.decompress((CAPTURES / f"{name}.pcapng.gz").read_bytes())):
            if kind == INTERFACE:
                known = options(body[8:])
                observer = who(known[2].decode())
                own = sum(one[0] == observer for one in interfaces)
                interfaces.append((observer, own, 10 ** (9 - known.get(9, b"\6")[0])))
                parts[observer].append(block(INTERFACE, body))
            elif kind == PACKET:
                number += 1
                if number in gone:
                    continue
                at, high, low, captured, length = struct.unpack_from("<IIIII", body)
                observer, own, tick = interfaces[at]
                time = (high << 32 | low) * tick
                start = time if start is None else start
                ahead = clocks[observer](time - start)
                first = clocks[next(iter(clocks))](time - start)
                self.ahead.setdefault(observer, (ahead - first) / 1e9)
                ticks = (time + int(ahead)) // tick
                head = struct.pack("<IIIII", own, ticks >> 32, ticks & 0xFFFFFFFF, captured, length)
                data = body[20 : 20 + captured] + bytes(-captured % 4)
                parts[observer].append(block(PACKET, head + data + option(MARK, NUMBER.pack(ENTERPRISE, number))))
        self.observers = []
        for observer, made in parts.items():
            path = folder / f"{observer}.pcapng"
            path.write_bytes(b"".join(made))
            self.observers.append(Observer(observer, (path,)))

    def joined(self, path: Path) -> dict[str, Aligned]:
        """Joins the observers' captures; how their clocks were found to go."""
        join = Join(self.observers)
        path.write_bytes(b"".join(join.pieces()))
        return {one.name: one for one in join.aligned}

    def score(self, path: Path) -> tuple[float, float]:
        """Precision and recall over the pairs of frames of a joined capture."""
        numbers, real = numbers_of(path), truth(self.name)
        table = list(csv.DictReader(b"".join(rows(path, engine=Engine.LUPA)).decode().splitlines()))
        assert sorted(numbers) == list(range(1, len(real) + 1))  # each frame is there, once
        said = [row["packet"] or row["frame"] for row in table]
        for at, row in enumerate(table):
            if row["segment_of"]:
                said[at] = said[int(row["segment_of"]) - 1]
        return score([real[number - 1]["packet"] for number in numbers], said)

    def check_marks(self, path: Path) -> None:
        """The marks of a joined capture are as right as those of a capture at one observer."""
        precision, recall = self.score(path)
        assert (precision >= 0.998, recall >= 0.98) == (True, True), (precision, recall)


def truth(name: str) -> list[dict[str, str]]:
    """Of each frame of a capture of the lab, its hop, and the number of its packet."""
    path = CAPTURES / f"{name}.truth.csv"
    packed = path.with_name(path.name + ".gz")
    text = gzip.decompress(packed.read_bytes()).decode() if packed.exists() else path.read_text()
    return list(csv.DictReader(text.splitlines()))


def numbers_of(path: Path) -> list[int]:
    """Which frames of the lab's capture those of a joined one are."""
    shown = [options(body[20 + -(-size // 4) * 4 :]) for body, size in _packets(path)]
    return [NUMBER.unpack(known[MARK])[1] for known in shown]


def _packets(path: Path) -> Iterator[tuple[bytes, int]]:
    for kind, body in blocks(path.read_bytes()):
        if kind == PACKET:
            yield body, struct.unpack_from("<I", body, 12)[0]
