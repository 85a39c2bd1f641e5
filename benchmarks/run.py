"""Measures what pywnv and its plugin cost, beside plain tshark and editcap: CPU and peak memory. It judges nothing."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import inputs
import observers
from inputs import Capture
from measure import Job, Jobs
from rich.console import Console
from rich.progress import track
from tables import as_json, show
from traces import trace

import pywnv

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "benchmarks/out"
PLUGIN = ROOT / "lua/wnv.lua"
ANNOTATE = "pywnv annotate"
CONVERT = "pywnv convert"
REPORT = "pywnv report"
JOIN, MERGECAP = "pywnv join", "mergecap"
OTHER_FORMATS = ("pcapng", "parquet")
LARGER = 4  # times as many frames, for all cores

JOIN_AIM = 2  # CPU as a part of mergecap's
# Aims: CPU as a part of plain tshark's.
ANNOTATE_AIM = 0.25
PLUGIN_AIMS = {"4.0": 1.6, "4.6": 2.1}  # by version of tshark


def environment() -> dict[str, str]:
    """The caller's, without their Wireshark settings and plugins; Python keeps bytecode, as it does for users."""
    home = OUT / "home"
    home.mkdir(exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WIRESHARK", "XDG_"))}
    return own | {"HOME": str(home), "PYTHONPYCACHEPREFIX": str(OUT / "pycache")}


def tsharks() -> dict[str, str]:
    """Every tshark here by its version: the system's, and those that `make test-next` unpacked."""
    system = shutil.which("tshark")
    next_ones = (done.parent / "bin/tshark" for done in sorted(ROOT.glob(".cache/next/*/.done")))
    found: dict[str, str] = {}
    for path in filter(None, (system, *map(str, next_ones))):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        if version := re.search(r"\d+\.\d+\.\d+", said):
            found.setdefault(version[0], path)
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def fields(*names: str) -> list[str]:
    return ["-T", "fields", *(word for name in names for word in ("-e", name))]


def plain_job(version: str, tshark: str, capture: Capture) -> Job:
    return Job(f"tshark {version}", capture, [tshark, "-n", "-r", str(capture.path), *fields("frame.number")])


def plugin_jobs(version: str, tshark: str, capture: Capture, env: dict[str, str]) -> list[Job]:
    """The plugin, without and with its fields shown; none where this tshark skips it, which some do in silence."""
    base = [tshark, "-n", "-r", str(capture.path), "-X", f"lua_script:{PLUGIN}"]
    probing = [*base, "-c", "1", *fields("wnv.packet")]
    probe = subprocess.run(probing, env=env, capture_output=True, text=True, check=False)
    if not probe.stdout.strip():
        print(f"tshark {version} does not load {PLUGIN}: {probe.stderr.strip()}", file=sys.stderr)
        return []
    aim = PLUGIN_AIMS.get(version.rpartition(".")[0])
    kinds = {"plugin": fields("frame.number"), "plugin, 3 fields": fields("wnv.packet", "wnv.hop", "wnv.path")}
    return [
        Job(f"tshark {version} + {kind}", capture, base + shown, [version], {version: aim} if aim else {})
        for kind, shown in kinds.items()
    ]


def annotate_command(capture: Capture, output_format: str) -> list[str]:
    command = [str(Path(sys.executable).with_name("pywnv")), "annotate", str(capture.path), "--format", output_format]
    return [*command, "--engine", "lupa", "-o", str(OUT / f"annotate.{output_format}"), "--force"]


def annotate_job(capture: Capture, versions: list[str]) -> Job:
    return Job(ANNOTATE, capture, annotate_command(capture, "csv"), versions, dict.fromkeys(versions, ANNOTATE_AIM))


def report_job(capture: Capture) -> Job:
    command = [str(Path(sys.executable).with_name("pywnv")), "report", str(capture.path), "--force"]
    return Job(REPORT, capture, [*command, "-o", str(OUT / "report.html")])


def is_convert(job: Job) -> bool:
    return job.name == CONVERT and job.measured


def convert_job(events: int) -> Job:
    command = [str(Path(sys.executable).with_name("pywnv")), "convert", str(trace(OUT, events).path), "--force"]
    return Job(CONVERT, trace(OUT, events), [*command, "-o", str(OUT / "convert.pcapng")])


def join_jobs(frames: int) -> list[Job]:
    """Two captures merged, by mergecap and by pywnv, which aligns their clocks."""
    jobs = []
    for small in (False, True):
        both = observers.captures(OUT, frames, small=small)
        paths = [str(one.path) for one in both]
        jobs.append(Job(MERGECAP, both[0], [MERGECAP, "-w", str(OUT / "joined.pcapng"), *paths]))
        command = [str(Path(sys.executable).with_name("pywnv")), "join", *paths, "--force"]
        jobs.append(Job(JOIN, both[0], [*command, "-o", str(OUT / "joined.pcapng")]))
    return jobs


def join_words(merged: Job, joined: Job) -> str:
    """How a join compares with mergecap."""
    if not (merged.measured and joined.measured):
        return f"{JOIN}: {merged.problem or joined.problem}"
    ratio, capture = joined.cpu / merged.cpu, joined.capture
    return (
        f"{JOIN}, {capture.frames:,} {capture.name} frames: {joined.cpu:.2f} s of CPU, {joined.peak / 1e6:.0f} MB, "
        f"{ratio:.2f} of {MERGECAP}'s CPU <= {JOIN_AIM:g} {'met' if ratio <= JOIN_AIM else 'missed'}, "
        f"{joined.wall / merged.wall:.2f} of its time"
    )


def all_jobs(frames: int, tshark_frames: int, env: dict[str, str]) -> tuple[Jobs, list[Job]]:
    """What is measured, in the order of the tables, and the same command on captures of several sizes."""
    found = tsharks()
    middle, large = inputs.capture(OUT, tshark_frames), inputs.capture(OUT, frames)
    jobs = Jobs()
    for capture in dict.fromkeys((middle, large, inputs.capture(OUT, frames, small=True))):
        for version, tshark in found.items():
            jobs.append(plain_job(version, tshark, capture))
            if capture == middle:
                jobs += plugin_jobs(version, tshark, capture, env)
        for options in ("-D 50", "-w 0.001"):
            command = ["editcap", *options.split(), str(capture.path), os.devnull]
            jobs.append(Job(f"editcap {options}", capture, command))
        jobs.append(annotate_job(capture, list(found)))
        if capture == large:
            jobs += [Job(f"{ANNOTATE}, {kind}", capture, annotate_command(capture, kind)) for kind in OTHER_FORMATS]
    jobs.append(convert_job(tshark_frames))
    # No frames at all: what starting costs.
    sizes = [annotate_job(inputs.capture(OUT, size), []) for size in (0, frames // 100, frames // 10)]
    sizes += [job for job in jobs if job.name == ANNOTATE and job.capture == large]
    return jobs, sizes + [report_job(job.capture) for job in sizes[-2:]]


def core_jobs(frames: int) -> list[Job]:
    """One capture of several epochs, by one process and by several."""
    capture, cores = inputs.capture(OUT, frames), os.cpu_count() or 1
    return [
        Job(f"{ANNOTATE} -j {processes}, {kind}", capture, [*annotate_command(capture, kind), "-j", str(processes)])
        for kind in ("csv", *OTHER_FORMATS)
        for processes in dict.fromkeys((1, cores))
    ]


def code() -> str:
    """A digest of what is measured: figures of two versions must not be mixed."""
    package = Path(pywnv.__file__).parent
    digest = hashlib.sha256(PLUGIN.read_bytes())
    for path in sorted(path for kind in ("py", "lua", "j2") for path in package.rglob(f"*.{kind}")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpuinfo.read_text() if cpuinfo.exists() else "")
    return model[1] if model else platform.processor()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="of the large captures (%(default)s)")
    parser.add_argument("--tshark-frames", type=int, default=200_000, help="at most, for the plugin (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of every command, in turns (%(default)s)")
    arguments = parser.parse_args()
    if arguments.frames < 100 or arguments.tshark_frames < 1 or arguments.runs < 1:
        parser.error("it takes 100 frames, one of them for tshark, and one run")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    OUT.mkdir(exist_ok=True)
    env = environment()
    jobs, sizes = all_jobs(arguments.frames, min(arguments.frames, arguments.tshark_frames), env)
    cores = core_jobs(LARGER * arguments.frames)
    joins = join_jobs(arguments.frames)
    every = [*jobs, *(job for job in sizes if job not in jobs), *cores, *joins]
    annotate_job(sizes[0].capture, []).run(env)  # not counted: Python writes its bytecode
    measured, before = code(), os.getloadavg()
    for job in track(every * arguments.runs, "Measuring", console=Console(stderr=True), refresh_per_second=1):
        job.run(env)
    changed, after = code() != measured, os.getloadavg()
    for made in (
        "convert.pcapng",
        "joined.pcapng",
        "report.html",
        *(f"annotate.{kind}" for kind in ("csv", *OTHER_FORMATS)),
    ):
        (OUT / made).unlink(missing_ok=True)

    facts = {
        "pywnv": pywnv.__version__,
        "code": measured,
        "code_changed": changed,
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": {"before": before, "after": after},
        "runs": arguments.runs,
        "results": [as_json(jobs, job) for job in every],
    }
    (OUT / "results.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    show(
        jobs,
        sizes,
        cores,
        f"CPU is user and system, the least of {arguments.runs} runs; beside it, how much more the worst took.",
        *(f"{job.name}: {job.capture.frames / job.cpu:,.0f} events a second" for job in jobs if is_convert(job)),
        *(join_words(merged, joined) for merged, joined in zip(joins[::2], joins[1::2], strict=True)),
        f"Load {before[0]:.1f} before, {after[0]:.1f} after, on {facts['cores']} cores of {facts['processor']}.",
        *(
            ["pywnv or the plugin was changed meanwhile, so these figures are of two versions: measure again."]
            * changed
        ),
    )


if __name__ == "__main__":
    main()
