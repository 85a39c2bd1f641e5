"""Nothing is written, or removed, where it should not be: links, planted names, half-written files, temporary files."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest
from command import CAPTURES, run
from home import Home, fake
from test_bad_output import LIMIT, tree

from pywnv.generate.plugin import plugin_lua

UDPSAME = CAPTURES / "udpsame.pcapng.gz"
PRECIOUS = b"precious\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a file in it, which stays as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "mine").write_bytes(PRECIOUS)
    return folder


@pytest.mark.wireshark
def test_a_planted_part_is_not_written_through(home: Home, outside: Path) -> None:
    """What is not finished yet has a name that anybody can know."""
    part = home.plugin.with_name("wnv.lua.pywnv-part")
    part.parent.mkdir(parents=True)
    part.symlink_to(outside / "mine")
    home.run("install")
    assert home.plugin.read_text("utf-8") == plugin_lua()
    assert not home.plugin.is_symlink()
    assert not os.path.lexists(part)
    assert tree(outside) == {"mine": PRECIOUS}


@pytest.mark.wireshark
@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("link", ["profiles", "profiles/WNV"])
def test_a_folder_that_leads_out_is_not_entered(home: Home, outside: Path, link: str, force: list[str]) -> None:
    place = home.config / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    words = home.refuses("install", *force)
    assert f"{place}" in words
    assert "leads out of" in words or "a profile of this name exists already" in words
    assert tree(outside) == {"mine": PRECIOUS}
    assert place.is_symlink()


@pytest.mark.wireshark
def test_a_link_that_stays_inside_and_a_linked_home_are_fine(home: Home, tmp_path: Path) -> None:
    """Many keep ~/.config elsewhere and link it here."""
    elsewhere = tmp_path / "dotfiles"
    (elsewhere / "my-profiles").mkdir(parents=True)
    (elsewhere / "profiles").symlink_to("my-profiles")
    home.config.parent.mkdir()
    home.config.symlink_to(elsewhere)
    home.run("install")
    assert (elsewhere / "my-profiles/WNV/preferences").is_file()
    home.run("uninstall")
    assert not any(elsewhere.glob("my-profiles/*"))


@pytest.mark.wireshark
def test_uninstall_removes_nothing_behind_a_link(home: Home, outside: Path) -> None:
    """A profile that became a link after it was put: what it leads to is another's, even where it reads as ours."""
    home.run("install")
    for name in ("preferences", "recent"):
        (outside / name).write_bytes((home.profile / name).read_bytes())
    (outside / "says-nothing").write_bytes(b"# a comment\n")
    before = tree(outside)
    for path in home.profile.iterdir():
        path.unlink()
    home.profile.rmdir()
    home.profile.symlink_to(outside)
    home.run("uninstall")
    assert tree(outside) == before
    assert not home.plugin.exists()


@pytest.mark.wireshark
@pytest.mark.parametrize("absolute", [False, True])
def test_uninstall_believes_no_manifest_that_leads_out(home: Home, outside: Path, absolute: bool) -> None:
    home.run("install")
    manifest = home.config / "pywnv.json"
    data = json.loads(manifest.read_bytes())
    digest = hashlib.sha256(PRECIOUS).hexdigest()
    target = outside / "mine"
    name = str(target) if absolute else os.path.relpath(target, home.config)
    data["files"][name] = [digest]
    data["made"].append(str(outside) if absolute else os.path.relpath(outside, home.config))
    manifest.write_text(json.dumps(data))
    home.run("uninstall")
    assert tree(outside) == {"mine": PRECIOUS}
    assert not home.plugin.exists()


@pytest.mark.wireshark
def test_a_full_disk_installs_nothing(home: Home) -> None:
    done = home.run("install", rc=2, before=LIMIT)
    assert done == ("", f"pywnv: {home.config}/pywnv.json: File too large; nothing was installed\n")
    assert home.tree() == {}


@pytest.mark.slow
def test_generate_writes_all_or_nothing(tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "made"
    assert run("generate", "--folder", folder).returncode == 0
    plugin = folder / "lua/wnv.lua"
    plugin.write_bytes(PRECIOUS)
    before = tree(folder)
    done = run("generate", "--folder", folder, before=LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", f"pywnv: {plugin}: File too large\n".encode())
    assert tree(folder) == before
    plugin.unlink()
    plugin.symlink_to(outside / "mine")
    assert run("generate", "--folder", folder).returncode == 0
    assert plugin.read_text("utf-8") == plugin_lua()
    assert tree(outside) == {"mine": PRECIOUS}


def test_an_output_whose_name_is_a_link_to_nothing(tmp_path: Path) -> None:
    """It exists already, though it leads nowhere: what it names is made only with --force."""
    out, target = tmp_path / "out.csv", tmp_path / "target"
    out.symlink_to(target)
    done = run("annotate", UDPSAME, "-o", out)
    assert (done.returncode, done.stderr) == (2, f"pywnv: {out}: exists already; use --force to replace it\n".encode())
    assert out.is_symlink()
    assert run("annotate", UDPSAME, "-o", out, "--force").returncode == 0
    assert out.is_symlink()
    assert target.is_file()
    assert not target.is_symlink()


@pytest.mark.parametrize("end", ["out.csv", "further.csv"])
def test_an_output_never_replaces_a_link(tmp_path: Path, outside: Path, end: str) -> None:
    """As with `>`, what it leads to is replaced, through several links and in another folder."""
    out, target = tmp_path / "out.csv", outside / "mine"
    (tmp_path / end).symlink_to(target)
    if end != out.name:
        out.symlink_to(end)
    done = run("annotate", UDPSAME, "-o", out)
    assert (done.returncode, done.stderr) == (2, f"pywnv: {out}: exists already; use --force to replace it\n".encode())
    assert tree(outside) == {"mine": PRECIOUS}
    assert run("annotate", UDPSAME, "-o", out, "--force").returncode == 0
    assert out.is_symlink()
    assert target.read_bytes().startswith(b"frame,")
    assert [path.name for path in outside.iterdir()] == ["mine"]


def test_an_output_that_is_a_link_to_itself(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.symlink_to(out)
    done = run("annotate", UDPSAME, "-o", out, "--force")
    assert done.returncode == 2
    assert done.stderr.startswith(f"pywnv: {out}: ".encode())
    assert done.stderr.count(b"\n") == 1
    assert out.is_symlink()


def test_members_of_the_zip_have_plain_names(tmp_path: Path) -> None:
    out = tmp_path / "profiles.zip"
    assert run("profile", "export", out).returncode == 0
    with zipfile.ZipFile(out) as archive:
        members = archive.infolist()
    assert members
    for member in members:
        folder, name = member.filename.split("/")  # two parts: the profile, its file
        for part in (folder, name):
            assert part not in ("", ".", "..")
            assert all(letter.isascii() and (letter.isalnum() or letter in " _-") for letter in part), part
        assert member.external_attr >> 16 == 0o644  # no link, no device, nothing to run
        assert not member.is_dir()


@pytest.mark.wireshark
@pytest.mark.parametrize("command", [["annotate", "--engine", "tshark"], ["validate", "--truth"]])
def test_temporary_files_are_private(tmp_path: Path, command: list[str]) -> None:
    """Even where the user's umask lets everybody write: what Wireshark loads as a program must be nobody else's."""
    scratch, seen = tmp_path / "scratch", tmp_path / "seen"
    scratch.mkdir()
    fake(tmp_path / "bin", f'for one in {scratch}/*; do stat -c "%a %F" "$one" >>{seen}; done\nexec "$tshark" "$@"')
    environment = {**os.environ, "TMPDIR": str(scratch), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    options = [str(CAPTURES / "udpsame.truth.csv")] if "--truth" in command else []
    done = run(*command, *options, UDPSAME, environment=environment, before="os.umask(0)")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "700 directory\n" in seen.read_text()
    assert {line for line in seen.read_text().splitlines() if not line.startswith("stat")} <= {"700 directory"}
    assert list(scratch.iterdir()) == []
