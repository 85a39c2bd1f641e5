"""Damages captures, traces, inventories and topology files, and gives them to every command: `make fuzz`.

Each run is a process of its own, with limits. What is wrong is kept: the input, and how to run it again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import etl_writer as w
import pcapng_blocks as ng
from command import CAPTURES
from etl2txt_writer import line
from modules import HOSTILE
from test_topology import GROUPS, TOML, YAML

from pywnv import dedup, explain, inspect
from pywnv.annotate import arrow
from pywnv.capture import etl
from pywnv.cli import main as cli
from pywnv.generate.plugin import plugin_lua
from pywnv.parallel import many

LOADED = (arrow, dedup, etl, explain, inspect, many)  # before the first fork, so that no run has to
CPU, WALL, MEMORY, FILES = 20, 60, 3 * 2**30, 2**28  # seconds, bytes
MOST_FRAMES = 60
HOST = CAPTURES / "host" / "contoso01.json"

CAPTURE_COMMANDS = (
    *(f"annotate INPUT -o OUT/out.{form} --format {form}" for form in ("csv", "jsonl", "parquet", "pcapng", "summary")),
    "annotate INPUT --engine lupa --host host.toml -o OUT/out.jsonl",
    "annotate INPUT INPUT --series -o OUT/out.csv",
    "annotate INPUT --engine tshark -o OUT/out.jsonl",
    "dedup INPUT -o OUT/out.pcapng --keep wire",
    "inspect INPUT",
    "inspect INPUT --json",
    "explain INPUT 1 2",
    "convert INPUT -o OUT/out.pcapng",
    "join A=INPUT B=small.pcapng -o OUT/out.pcapng",
    "join A=INPUT B=twin.pcapng -o OUT/out.pcapng",
    "why INPUT --ip 10.0.0.1",
    "why INPUT --nic a --json",
    "report INPUT -o OUT/out.md",
    "host lint host.json INPUT",
    "host test host.json --nic Contoso-Gst --direction inbound --capture INPUT --frame 1",
)
HOST_COMMANDS = (
    "generate --host INPUT --folder OUT",
    "annotate small.pcapng --host INPUT -o OUT/out.csv",
    "host show INPUT",
    "host show INPUT --format svg",
    "host show INPUT --format toml",
    "host lint INPUT small.pcapng",
    "host test INPUT --nic Contoso-Gst --direction inbound --source 10.0.0.9 --destination 10.0.0.5",
    "report small.pcapng --host INPUT -o OUT/out.md",
)
COMMANDS = {
    "pcapng": CAPTURE_COMMANDS,
    "pcap": CAPTURE_COMMANDS,
    "etl": CAPTURE_COMMANDS,
    "log": CAPTURE_COMMANDS,
    **dict.fromkeys(("toml", "yaml", "json"), HOST_COMMANDS),
}


def seeds() -> dict[str, list[bytes]]:
    """Inputs to damage, by their kind."""
    packed = sorted(CAPTURES.glob("*.pcapng.gz"))
    found = {"pcapng": [ng.first_frames(gzip.decompress(path.read_bytes()), MOST_FRAMES) for path in packed]}
    found["pcapng"] += [gzip.compress(found["pcapng"][0], mtime=0)]
    found["pcapng"] += [path.read_bytes() for path in sorted((CAPTURES / "deep-dive").glob("*.pcapng"))]
    named = [ng.interface(name, more=ng.option(3, name)) for name in HOSTILE]
    notes = [ng.option(1, b"PID=1 VlanId=1 SrcPortId=1 SrcNicType=%s SrcNicName=%s" % (n, n)) for n in HOSTILE]
    packets = [ng.packet(at, at, ng.ethernet(), options=note) for at, note in enumerate(notes)]
    found["pcapng"] += [ng.section(options=ng.option(4, HOSTILE[4])) + b"".join(named + packets)]
    odd = ng.odd_captures()
    found["pcapng"] += [data for name, data in odd.items() if name.endswith("pcapng")]
    found["pcap"] = [data for name, data in odd.items() if name.endswith("pcap")]
    frame, hostile = ng.ethernet(), HOSTILE[0].decode() + "\x1b[2J\u202e"
    records = [
        *w.switch_descriptions(),
        w.switch_fragment(3, frame, (5, hostile, hostile, "Synthetic"), [(1, "c", "d", "External")], vlan=3),
        *(w.switch_event(10 + id, id, hostile, "b", hostile, "d", "e", "f") for id in (55, 56, 57, 58)),
        *(w.packet(at, 1 + at % 2, frame, group=1 + at // 2, drop=(34 * (at % 2), 5)) for at in range(6)),
        *w.component(1, 2, "a.sys", hostile, if_index=1, mac=bytes(6), switch=hostile),
        w.edge(1, hostile[:8], 1),
        w.out_of_band(4, 1, 3),
        w.adapter(1, hostile, "text"),
    ]
    found["etl"] = [w.etl(records), w.etl(records[5:], records[:5]), w.etl([w.packet(1, 1, frame)])]
    texts = [line(frame, group=at // 2, verbose=at > 2, hexadecimal=at > 4, component=at) for at in range(8)]
    texts += [line(frame, drop=(hostile, 0xE0002004))]
    texts += [f"[Microsoft-Windows-PktMon] Component {at}, Type Filter , Name a.sys, {hostile}\r\n" for at in range(4)]
    found["log"] = ["".join(texts).encode(), "".join(texts).encode("utf-16")]
    found |= {
        "toml": [TOML.encode()],
        "yaml": [YAML.encode()],
        "json": [json.dumps(GROUPS, indent=1).encode(), HOST.read_bytes()],
    }
    return found


def damaged(kind: str, inputs: list[bytes], chance: Random) -> bytes:
    """One of the inputs, with bytes flipped, put in, taken out, or pieces of another input between its own."""
    data = bytearray(chance.choice(inputs))
    if kind == "pcapng" and chance.random() < 0.8:
        for _ in range(chance.choice((1, 2, 4, 16))):
            data = inside(bytes(data), chance)
        return bytes(spliced(kind, bytes(data), chance.choice(inputs), chance) if chance.random() < 0.3 else data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at, size = chance.randrange(len(data) + 1), min(chance.choice((1, 2, 4, 28, 200)), len(data))
        how = chance.randrange(7)
        if how < 3 and at < len(data):
            data[at] = chance.choice((0, 0xFF, data[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
        elif how == 3:
            data[at:at] = chance.choice((chance.randbytes(size), bytes(size), b"\xff" * size, chance.choice(HOSTILE)))
        elif how == 4:
            del data[at : at + size]
        elif how == 5 and len(data) >= 4:
            at = chance.randrange(len(data) - 3)
            data[at : at + 4] = chance.choice((0, 1, 2**16 - 1, 2**31, 2**32 - 1, len(data))).to_bytes(4, "little")
        else:
            data = spliced(kind, bytes(data), chance.choice(inputs), chance)
    return bytes(data[: chance.randrange(len(data) + 1)]) if chance.random() < 0.1 else bytes(data)


def spliced(kind: str, data: bytes, other: bytes, chance: Random) -> bytearray:
    """Pieces of two inputs: whole blocks where both are a pcapng."""
    if kind == "pcapng":
        own, others = list(pieces(data)), list(pieces(other))
        for _ in range(chance.randrange(1, 6)):
            own.insert(chance.randrange(len(own) + 1), chance.choice(chance.choice((own, others))))
        return bytearray(b"".join(own))
    at, there = chance.randrange(len(data) + 1), chance.randrange(len(other) + 1)
    return bytearray(data[:at] + other[there : there + chance.randrange(400)] + data[at:])


def inside(data: bytes, chance: Random) -> bytearray:
    """A pcapng of which one block's body is damaged, and the block is whole: so the damage gets further in."""
    own = list(pieces(data))
    at = chance.randrange(len(own))
    if len(own[at]) > 12:
        body = damaged("", [own[at][8:-4]], chance)
        own[at] = ng.block(int.from_bytes(own[at][:4], "little"), body)
    return bytearray(b"".join(own))


def pieces(data: bytes) -> Iterator[bytes]:
    """The blocks of what may have been a little-endian pcapng."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        size = size if 12 <= size <= len(data) - at else len(data) - at
        yield data[at : at + size]
        at += size


def child(command: list[str], folder: Path) -> None:
    """What the new process does: it becomes the command, or the command line's Python."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU + 2))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setsid()
    os.chdir(folder)
    for handle, name in ((0, os.devnull), (1, "stdout"), (2, "stderr")):
        file = os.open(name, os.O_RDONLY if handle == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, handle)
    sys.argv = ["pywnv", *command]
    code: object = 0
    try:
        cli.main()
    except SystemExit as error:
        code = error.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def wait(pid: int) -> str | int:
    """How it ended: its exit code, or a word."""
    end = time.monotonic() + WALL
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else f"killed by {signal.Signals(-code).name}"
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return f"hangs for {WALL} s"


def controls(text: str) -> bool:
    """Whether a text holds characters that steer a terminal."""
    return any((ord(c) < 32 and c not in "\n") or 127 <= ord(c) < 160 or c in "\u202e\u2028\u2066" for c in text)


def problems(folder: Path, outcome: str | int, command: str, before: set[str]) -> list[str]:
    """What is wrong with a run."""
    said = (folder / "stderr").read_bytes().decode("utf-8", "backslashreplace")
    out = (folder / "stdout").read_bytes()
    found = [] if outcome in (0, 1, 2) else [f"ended with {outcome}"]
    if "Traceback" in said or "Error:" in said:
        found.append("an error that is no sentence")
    if (
        outcome in (1, 2) and "generate" not in command and len(said.splitlines()) > (8 if "join" in command else 4)
    ):  # join: of each observer
        found.append("many lines on stderr")
    if controls(said) or (controls(out.decode("utf-8", "backslashreplace")) and "--json" not in command):
        found.append("control characters on the terminal")
    new = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - before
    allowed = {"stdout", "stderr"} | {part for part in command.split() if part.startswith("OUT/")}
    if "generate" not in command and new - allowed:
        found.append(f"files that nobody asked for: {sorted(new - allowed)}")
    if outcome == 2 and any(name.startswith("OUT/") for name in new):
        found.append("an output of what is wrong")
    for name in new:
        if name.endswith((".csv", ".jsonl")):
            lines = (folder / name).read_bytes().decode("utf-8", "strict").splitlines()
            found += ["a control character in rows"] * any(map(controls, lines))
            if name.endswith(".jsonl"):
                list(map(json.loads, lines))
    return found


def plugin_problems(folder: Path) -> list[str]:
    """What is wrong where tshark with the plugin reads the input."""
    base = ["tshark", "-n", "-r", "INPUT"]
    plain = subprocess.run([*base, "-T", "fields", "-e", "frame.number"], cwd=folder, capture_output=True, check=False)
    asked = [*base, "-X", "lua_script:wnv.lua", "-V", "-O", "wnv"]
    try:
        done = subprocess.run(asked, cwd=folder, capture_output=True, check=False, timeout=WALL)
    except subprocess.TimeoutExpired:
        return ["tshark hangs with the plugin"]
    found = ["Lua error in tshark"] if b"Lua" in done.stderr or b"_ws.lua.error" in done.stdout else []
    return found + [f"tshark ends with {done.returncode}"] * (done.returncode != plain.returncode)


def once(kind: str, data: bytes, command: str) -> list[str]:
    """Runs one command on one input; what is wrong."""
    with tempfile.TemporaryDirectory(prefix="pywnv-fuzz-") as name:
        folder = Path(name)
        (folder / "OUT").mkdir()
        suffix = "" if kind in ("pcapng", "pcap", "etl") else f".{kind}"
        (folder / f"INPUT{suffix}").write_bytes(data)
        (folder / "host.toml").write_text(TOML)
        (folder / "host.json").write_bytes(HOST.read_bytes())
        (folder / "small.pcapng").write_bytes(ng.odd_captures()["names.pcapng"])
        (folder / "twin.pcapng").write_bytes(data)
        os.environ["TMPDIR"] = str(folder / "OUT")  # what is left behind there is found, too
        if command == "plugin":
            (folder / "wnv.lua").write_text(plugin_lua())
            return plugin_problems(folder)
        before = {str(path.relative_to(folder)) for path in folder.rglob("*")}
        words = command.replace("INPUT", f"INPUT{suffix}").split()
        pid = os.fork()
        if pid == 0:
            child(words, folder)
        return problems(folder, wait(pid), command, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: another one each time")
    parser.add_argument("--keep", type=Path, default=Path(".cache/fuzz"), help="folder for findings (%(default)s)")
    parser.add_argument("--kind", choices=COMMANDS, help="of input; default: all in turn")
    parser.add_argument("--replay", nargs=2, metavar=("FILE", "COMMAND"), help="run a finding again; needs --kind")
    arguments = parser.parse_args()
    if arguments.replay:
        file, command = arguments.replay
        print(once(arguments.kind, Path(file).read_bytes(), command) or "nothing is wrong")
        return
    print(f"seed {arguments.seed}", flush=True)
    chance, inputs = Random(arguments.seed), seeds()
    kinds = [arguments.kind] if arguments.kind else list(COMMANDS)
    if shutil.which("tshark"):
        for kind in ("pcapng", "pcap"):
            COMMANDS[kind] = (*COMMANDS[kind], "plugin")
    end, runs, found = time.monotonic() + 60 * arguments.minutes, Counter[str](), 0
    while time.monotonic() < end:
        for kind in kinds:
            data, command = damaged(kind, inputs[kind], chance), chance.choice(COMMANDS[kind])
            runs[kind] += 1
            for problem in once(kind, data, command):
                found += 1
                arguments.keep.mkdir(parents=True, exist_ok=True)
                path = arguments.keep / f"{arguments.seed}-{found}.{kind}"
                path.write_bytes(data)
                print(f"{problem}: tests/fuzz.py --kind {kind} --replay {path} '{command}'", flush=True)
    print(
        f"{sum(runs.values())} runs ({', '.join(f'{count} {kind}' for kind, count in runs.items())}), {found} findings"
    )
    raise SystemExit(found > 0)


if __name__ == "__main__":
    main()
