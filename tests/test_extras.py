"""The hint that names the command which installs what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pywnv import extras


class Installed:
    """What is known of an installed pywnv."""

    def __init__(self, origin: str | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.origin


@pytest.mark.parametrize(
    ("origin", "command"),
    [  # PEP 610
        (None, "pip install 'pywnv[etl]'"),
        (
            '{"url": "file:///a%20b/pywnv", "dir_info": {"editable": true}}',
            "pip install -e '/a b/pywnv[etl]'",
        ),
        ('{"url": "file:///tmp/pywnv.whl", "archive_info": {}}', "pip install dissect.etl"),
    ],
)
def test_fits_the_way_of_installing(monkeypatch: pytest.MonkeyPatch, origin: str | None, command: str) -> None:
    monkeypatch.setattr(extras, "distribution", lambda _: Installed(origin))
    assert extras.install_command("etl", "dissect.etl") == command


@pytest.mark.parametrize(
    ("mark", "command"),
    [
        ("pipx_metadata.json", "pipx inject pywnv dissect.etl"),
        ("uv-receipt.toml", f"uv pip install --python '{sys.executable}' dissect.etl"),
    ],
)
def test_fits_what_installed_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mark: str, command: str) -> None:
    (tmp_path / mark).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert extras.install_command("etl", "dissect.etl") == command
