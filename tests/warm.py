"""Runs pywnv without waiting for Python to start: a process that has loaded pywnv already is forked for each run.

A run is what it was: a process of its own, with the streams, folder and environment that it was given, which ends as
Python ends. What needs more (another limit, an inherited handle, a tool that counts lines) gets a Python of its own.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import IO

# The process that is forked. Like Python's own start, a child makes its streams, and leaves through Python's end.
SERVER = """
import gc, json, os, socket, sys
number, sys.argv[0] = sys.argv.pop(), sys.argv.pop()
sys.path[0] = os.path.dirname(sys.argv[0])
__file__ = sys.argv[0]
import jinja2, pydantic, rich.console
import pywnv.capture.convert, pywnv.cli.main, pywnv.inspect.host, pywnv.lua.runtime, pywnv.why.answer
gc.collect()
gc.freeze()  # a child that walked through all this would copy it

def serve(asked):
    while True:
        head, streams, _, _ = socket.recv_fds(asked, 8, 3)
        if not head:
            os._exit(0)
        size, body = int.from_bytes(head, "big"), b""
        while len(body) < size:
            body += asked.recv(size - len(body))
        child = os.fork()
        if not child:
            asked.close()
            return json.loads(body), streams
        for stream in streams:
            os.close(stream)
        asked.sendall(child.to_bytes(8, "big"))
        asked.sendall(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]).to_bytes(8, "big", signed=True))

def stream(name, number, mode, **options):
    old = getattr(sys, name)
    new = open(number, mode, encoding=old.encoding, errors=old.errors, closefd=False, **options)
    setattr(sys, name, new)
    setattr(sys, "__" + name + "__", new)

run, given = serve(socket.socket(fileno=int(number)))
for number in range(3):
    os.dup2(given[number], number)
    os.close(given[number])
os.chdir(run["cwd"])
os.environ.clear()
os.environ.update(run["environment"])
sys.argv[1:] = run["arguments"]
stream("stdin", 0, "r")
stream("stdout", 1, "w", newline="\\n")
stream("stderr", 2, "w", newline="\\n", buffering=1)
sys.exit(pywnv.cli.main.main())
"""
ASKED_WHEN_NEEDED = {"HOME", "PATH", "PYTEST_CURRENT_TEST"}  # nothing that Python or pywnv looks at when it starts
STREAMS = ("stdin", "stdout", "stderr")


class Server:
    """A process that runs pywnv as often as it is asked, one run at a time."""

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self.lock = Lock()
        self._socket, other = socket.socketpair()
        with other:
            arguments = [sys.executable, "-c", SERVER, program, str(other.fileno())]
            self._process = subprocess.Popen(
                arguments,
                env=environment,
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def __del__(self) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, asked: dict[str, object], streams: list[int]) -> int:
        """Starts a run; the number of its process."""
        body = json.dumps(asked).encode()
        socket.send_fds(self._socket, [len(body).to_bytes(8, "big")], streams)
        self._socket.sendall(body)
        return self.number()

    def number(self) -> int:
        """What the server says next: after a process, the code that it ends with."""
        return int.from_bytes(self._socket.recv(8, socket.MSG_WAITALL), "big", signed=True)


@lru_cache(maxsize=4)
def server(program: str, environment: frozenset[tuple[str, str]]) -> Server:
    return Server(program, dict(environment))


def read_all(handles: list[int], timeout: float) -> dict[int, bytes] | None:
    """What comes out of pipes until all are closed; None if that takes too long."""
    found, end = dict.fromkeys(handles, b""), time.monotonic() + timeout
    with selectors.DefaultSelector() as waiting:
        for handle in handles:
            waiting.register(handle, selectors.EVENT_READ)
        while waiting.get_map():
            if time.monotonic() > end:
                return None
            for key, _ in waiting.select(1):
                piece = os.read(key.fd, 65536)
                found[key.fd] += piece
                if not piece:
                    waiting.unregister(key.fd)
    return found


def run(
    command: list[str],
    environment: dict[str, str],
    timeout: float,
    cwd: Path | None = None,
    **streams: int | IO[bytes],
) -> subprocess.CompletedProcess[bytes] | None:
    """Runs pywnv to its end; None where that takes a new process: it must be given more, or another run is going on."""
    measured = any(name.startswith("COVERAGE_") for name in environment)
    if sys.platform != "linux" or measured or set(streams) != set(STREAMS):
        return None
    program, *arguments = command
    at_start = frozenset(pair for pair in environment.items() if pair[0] not in ASKED_WHEN_NEEDED)
    forked = server(program, at_start)
    if not forked.lock.acquire(blocking=False):
        return None
    with ExitStack() as stack:
        stack.callback(forked.lock.release)
        given, pipes = [], {}
        for name in STREAMS:
            stream = streams[name]
            if stream == subprocess.PIPE:
                pipes[name], stream = os.pipe()
                stack.callback(os.close, pipes[name])
            elif stream == subprocess.DEVNULL:
                stream = os.open(os.devnull, os.O_RDWR)
            else:
                stream = os.dup(stream if isinstance(stream, int) else stream.fileno())
            given.append(stream)
        asked = {"arguments": arguments, "environment": environment, "cwd": str(cwd or Path.cwd())}
        process = forked.start(asked, given)
        for handle in given:
            os.close(handle)
        read = read_all(list(pipes.values()), timeout)
        if read is None:
            os.kill(process, signal.SIGKILL)
        code = forked.number()
        if read is None:
            raise subprocess.TimeoutExpired(command, timeout)
        found = {name: read[handle] for name, handle in pipes.items()}
    return subprocess.CompletedProcess(command, code, found.get("stdout"), found.get("stderr"))
