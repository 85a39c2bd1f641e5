"""One command on one capture: what it used, and how that compares."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from inputs import Capture

CHILD = Path(__file__).with_name("child.py")
EDITCAP = "editcap -D 50"  # what others are compared with, beside plain tshark


@dataclass
class Job:
    """A command to measure, and after that its figures, one of each run.

    Attributes:
        name: what the tables call it; a plain tshark is `tshark VERSION`.
        tsharks: versions of tshark that it is compared with.
        aims: most CPU that it should use, by version of tshark, as a part of what that one uses without the plugin.
    """

    name: str
    capture: Capture
    command: list[str]
    tsharks: list[str] = field(default_factory=list)
    aims: dict[str, float] = field(default_factory=dict)
    cpus: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    problem: str = ""

    def run(self, env: dict[str, str]) -> None:
        """Runs it once more; a command that fails is not tried again."""
        if self.problem:
            return
        launcher = [sys.executable, "-IS", str(CHILD), *self.command]
        done = subprocess.run(launcher, env=env, capture_output=True, text=True, check=False)
        used = json.loads(done.stdout or '{"exit_code": null}')
        if used["exit_code"] == 0:
            self.cpus.append(used["cpu"])
            self.walls.append(used["wall"])
            self.peaks.append(used["rss"])
        else:
            self.problem = (done.stderr.strip().splitlines() or [f"exit code {used['exit_code']}"])[-1]

    @property
    def measured(self) -> bool:
        return bool(self.cpus) and not self.problem

    @property
    def cpu(self) -> float:
        """Seconds, user and system, of the run that was disturbed least."""
        return min(self.cpus)

    @property
    def wall(self) -> float:
        """Seconds by the clock, of the fastest run."""
        return min(self.walls)

    @property
    def peak(self) -> int:
        """Resident bytes at most, of all runs."""
        return max(self.peaks)

    @property
    def spread(self) -> float:
        """How much more CPU the worst run took than the best, as a part of the best."""
        return max(self.cpus) / self.cpu - 1

    @property
    def us_a_frame(self) -> float:
        return self.cpu / self.capture.frames * 1e6


class Jobs(list[Job]):
    """All jobs."""

    def on(self, name: str, capture: Capture) -> Job | None:
        """The job of this name on this capture, where it could be measured."""
        return next((job for job in self if job.name == name and job.capture == capture and job.measured), None)

    def _plain(self, job: Job) -> dict[str, Job]:
        plain = ((version, self.on(f"tshark {version}", job.capture)) for version in job.tsharks)
        return {version: base for version, base in plain if base}

    def of_tshark(self, job: Job) -> dict[str, float]:
        """CPU of a job as a part of plain tshark's on the same file, by version."""
        return {version: job.cpu / base.cpu for version, base in self._plain(job).items()}

    def of_editcap(self, job: Job) -> float | None:
        """CPU of a job as a part of editcap's on the same file."""
        base = self.on(EDITCAP, job.capture)
        return job.cpu / base.cpu if base else None

    def bytes_over_tshark(self, job: Job) -> dict[str, float]:
        """Peak memory a frame on top of plain tshark's on the same file, by version."""
        plain = self._plain(job)
        return {version: (job.peak - base.peak) / job.capture.frames for version, base in plain.items()}
