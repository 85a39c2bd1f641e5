"""What `pywnv inspect` says of several captures, and of hops that fall silent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run
from conftest import CAPTURES
from test_statistics import halves

from pywnv.inspect import inspect
from pywnv.statistics.collect import collect
from pywnv.statistics.pairs import unanswered


@pytest.mark.slow
def test_of_several_captures_the_worst_comes_first(tmp_path: Path) -> None:
    names = ("mix.pcapng.gz", "deep-dive/acl-drop-pspkt.pcapng", "lbfo-tcp-loss.pcapng.gz")
    for name in names:
        (tmp_path / Path(name).name).symlink_to(CAPTURES / name)
    done = run("inspect", "--json", tmp_path)
    found = [(Path(one["capture"]).name, one["trouble"]) for one in json.loads(done.stdout)]
    assert [name for name, _ in found] == ["acl-drop-pspkt.pcapng", "lbfo-tcp-loss.pcapng.gz", "mix.pcapng.gz"]
    assert [(one["harmful"], one["unanswered"], one["retransmissions"]) for _, one in found] == [
        (3, 1, 2),  # a SYN that is sent twice more is one handshake
        (0, 0, 10),
        (0, 0, 0),
    ]
    _, *lines = run("inspect", tmp_path).stdout.decode().splitlines()
    assert [Path(line.split()[0]).name for line in lines] == [name for name, _ in found]


def test_hops_that_fall_silent_are_told(tmp_path: Path) -> None:
    text = " ".join(run("inspect", halves(tmp_path / "a.pcapng")).stdout.decode().split())
    assert "Silent: vport1 and team0 show nothing from frame 1,501 on, while pnic0 shows 501 packets." in text


def test_numbers_stand_below_their_names_behind_long_paths(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 12)
    folder.mkdir()
    for name in ("mix.pcapng.gz", "deep-dive/acl-drop-pspkt.pcapng"):
        (folder / Path(name).name).symlink_to(CAPTURES / name)
    header, *lines = run("inspect", folder).stdout.decode().splitlines()
    for at in (header.index(" frames"), header.index(" packets"), header.index(" written by")):
        assert all(line[at] == " " != line[at + 1] for line in lines)
    assert "drop frames" in header


def test_what_goes_unanswered_every_day_is_no_trouble() -> None:
    path = CAPTURES / "rules" / "drops-p24.pcapng.gz"
    found = collect(path)
    assert {one.kind for one in found.unanswered if one.unanswered} == {"arp", "neighbor"}
    report = inspect(path)
    assert report.trouble is not None
    assert report.trouble.unanswered == unanswered(found) == 0
