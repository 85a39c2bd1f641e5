"""Runs a command with its output thrown away and prints what it used, as JSON.

A program of its own, and a small one, because Linux lets a child's peak RSS start at its parent's.
"""

from __future__ import annotations

import json
import os
import sys
import time

start = time.monotonic()
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, used = os.wait4(pid, 0)
wall = time.monotonic() - start
exit_code, cpu = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
print(json.dumps({"exit_code": exit_code, "cpu": cpu, "wall": wall, "rss": used.ru_maxrss * 1024}))
