"""The commands of docs/which-rule.md run, and print what the page says; docs/host.md names each finding."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from command import CAPTURES, run
from conftest import PROJECT

from pywnv.host.inventory import CMDLETS
from pywnv.host.lint import KNOWN

PAGE = (PROJECT / "docs" / "which-rule.md").read_text("utf-8")
FILES = {
    "contoso01.json": "host/contoso01.json",
    "vlan-drop.pcapng": "deep-dive/vlan-drop-pktmon.pcapng",
    "acl-drop.pcapng": "deep-dive/acl-drop-pktmon.pcapng",
}


@pytest.mark.slow
def test_which_rule(tmp_path: Path) -> None:
    for name, source in FILES.items():
        shutil.copy(CAPTURES / source, tmp_path / name)
    blocks = re.findall(r"^( *)```console\n(.*?)^ *```", PAGE, re.M | re.S)
    assert len(blocks) == 6
    for margin, block in blocks:
        command, *wanted = (line.removeprefix(margin).rstrip() for line in block.splitlines())
        done = run(*shlex.split(command.removeprefix("$ pywnv ")), before=f"os.chdir({str(tmp_path)!r})")
        said = [line.rstrip() for line in done.stdout.decode().splitlines()]
        if wanted[-1] == "...":
            wanted.pop()
            assert len(said) > len(wanted), command
            said = said[: len(wanted)]
        assert said == wanted, command


def test_the_host_page_knows_all() -> None:
    page = (PROJECT / "docs" / "host.md").read_text("utf-8")
    assert dict(re.findall(r"^\| ([a-z0-9-]+) \| (error|warning|note) \|", page, re.M)) == {
        kind: severity for kind, (severity, _, _) in KNOWN.items()
    }
    assert all(f"`{cmdlet}`" in page for cmdlet in CMDLETS if cmdlet.startswith("Get-"))
