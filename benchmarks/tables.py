"""The figures as tables for people and as JSON for programs."""

from __future__ import annotations

import sys

from measure import EDITCAP, Job, Jobs
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

MB = 1e6
REPORT_AIM = 1.5  # most CPU of a report, as a part of what annotate takes, on the largest capture


def _table(title: str, *columns: str, left: int) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=True)
    return table


def _of_tshark(jobs: Jobs, job: Job) -> str:
    lines = []
    for version, ratio in jobs.of_tshark(job).items():
        aim = job.aims.get(version)
        verdict = "" if aim is None else f" <= {aim:g} {'met' if ratio <= aim else 'missed'}"
        lines.append(f"{ratio:.2f} of {version}{verdict}")
    return "\n".join(lines)


def _commands(jobs: Jobs) -> Table:
    columns = ("command", "file", "of plain tshark", "CPU s", "worst", "µs/frame", "of editcap", "peak MB", "+B/frame")
    note = f"Beside plain tshark and {EDITCAP} on the same file; +B/frame is memory on top of plain tshark"
    table = _table(note, *columns, left=3)
    for job in jobs:
        start = (job.name, f"{job.capture.name} {job.capture.frames:,}")
        if not job.measured:
            table.add_row(*start, "failed")
            continue
        ratio = jobs.of_editcap(job)
        more = jobs.bytes_over_tshark(job).values() if job.name.startswith("tshark") else ()
        cpu = (f"{job.cpu:.2f}", f"+{job.spread:.0%}", f"{job.us_a_frame:.2f}", f"{ratio:.1f}" if ratio else "")
        table.add_row(*start, _of_tshark(jobs, job), *cpu, f"{job.peak / MB:.0f}", *(f"{size:.0f}" for size in more))
    return table


def _sizes(sizes: list[Job]) -> Table:
    first = sizes[0].name
    note = f"{first} and a report by size: µs/frame and peak should stay; the report's CPU beside {first}"
    table = _table(note, "command", "frames", "CPU s", "µs/frame", "without start", "peak MB", "of it", left=1)
    known = {job.capture: job for job in sizes if job.name == first and job.measured}
    start = next((job.cpu for job in known.values() if not job.capture.frames), 0.0)
    for job in sizes:
        frames, beside = job.capture.frames, known.get(job.capture)
        if not job.measured:
            table.add_row(job.name, f"{frames:,}", "failed")
            continue
        speed = (f"{job.us_a_frame:.2f}", f"{(job.cpu - start) / frames * 1e6:.2f}") if frames else ("", "")
        ratio = f"{job.cpu / beside.cpu:.2f}" if beside and beside is not job else ""
        if ratio and frames == max(one.capture.frames for one in sizes):
            ratio += f" <= {REPORT_AIM:g} {'met' if job.cpu <= REPORT_AIM * beside.cpu else 'missed'}"
        table.add_row(job.name, f"{frames:,}", f"{job.cpu:.2f}", *speed, f"{job.peak / MB:.0f}", ratio)
    return table


def _cores(cores: list[Job]) -> Table:
    note = f"{cores[0].capture.frames:,} frames by one process, and by one a core besides the one that writes"
    table = _table(note, "command", "seconds", "CPU s", left=1)
    for job in cores:
        figures = (f"{job.wall:.1f}", f"{job.cpu:.1f}") if job.measured else ("failed",)
        table.add_row(job.name, *figures)
    return table


def show(jobs: Jobs, sizes: list[Job], cores: list[Job], *notes: str) -> None:
    """Prints all figures: of all jobs, of one command on captures of several sizes, and with several processes."""
    # A pipe has no width: what Rich would then guess is too narrow for these.
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    failures = (f"{job.name} on {job.capture.path.name}: {job.problem}" for job in jobs if job.problem)
    for part in (_commands(jobs), _sizes(sizes), _cores(cores), *failures, *notes):
        console.print(part)


def as_json(jobs: Jobs, job: Job) -> dict[str, object]:
    """The figures of a job, of every run."""
    facts = {
        "name": job.name,
        "command": job.command,
        "file": job.capture.name,
        "frames": job.capture.frames,
        "problem": job.problem,
        "cpu_seconds": job.cpus,
        "wall_seconds": job.walls,
        "peak_rss_bytes": job.peaks,
    }
    if not job.measured:
        return facts
    return facts | {
        "of_plain_tshark": jobs.of_tshark(job),
        "aims": job.aims,
        "of_editcap": jobs.of_editcap(job),
        "bytes_per_frame_over_tshark": jobs.bytes_over_tshark(job),
    }
