"""pywnv install and uninstall: what is put, what is left alone, and what is left."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from command import CAPTURES, command, run
from home import Home, fake

from pywnv.generate.plugin import QUIET, plugin_lua
from pywnv.generate.profiles import PROFILES, profile_texts
from pywnv.wireshark.folders import find_folders, parse, portable_config, usual_folders

LINUX = """\
Temp:                	/tmp
Personal configuration:	/home/u/.config/wireshark
Personal Plugins:    	/home/u/.local/lib/wireshark/plugins/4.0
Personal Lua Plugins:	/home/u/.local/lib/wireshark/plugins
MaxMind database path:	/usr/share/GeoIP
MaxMind database path:	/var/lib/GeoIP
"""


@pytest.mark.wireshark
def test_an_empty_home_is_empty_again(home: Home) -> None:
    put = home.run("install")[0].splitlines()
    assert str(home.plugin) in put
    assert home.plugin.read_text("utf-8") == plugin_lua()
    for profile in PROFILES:
        assert str(home.config / "profiles" / profile.name / "preferences") in put
    for path in put:
        assert Path(path).is_file()
    removed = home.run("uninstall")[0].splitlines()
    assert sorted(removed) == sorted(put)
    assert home.tree() == {}
    assert home.run("uninstall") == ("", f"pywnv: {home.config}: pywnv has installed nothing here\n")


@pytest.mark.wireshark
def test_names_are_not_lost_unasked(home: Home) -> None:
    host = home.path / "host.toml"
    host.write_text('[[nics]]\nname = "Ethernet 7"\ninterfaces = ["pnic0"]\n', "utf-8")
    home.run("install", "--topology", host)
    assert "Ethernet 7" in home.plugin.read_text("utf-8")
    told = f"{home.plugin}: has the names of {host}"
    assert told in home.run("doctor")[0]
    wanted = f"pywnv: {told}; give --host {host} again, or --force to drop them\n"
    assert home.refuses("install") == wanted
    home.run("install", "--host", host)
    home.run("install", "--force")
    assert home.plugin.read_text("utf-8") == plugin_lua()
    assert "has the names" not in home.run("doctor")[0]
    home.run("install")


@pytest.mark.wireshark
def test_beside_what_the_user_has(home: Home) -> None:
    """The user's own profile, Lua file and settings stay as they are, byte for byte."""
    theirs = {
        home.config / "preferences": b"gui.update.enabled: FALSE\r\n",
        home.config / "profiles/Mine/colorfilters": b"@mine@tcp@[0,0,0][65535,65535,65535]\n",
        home.plugin.with_name("mine.lua"): b"-- mine\n",
    }
    for path, data in theirs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    before = home.tree()
    home.run("install")
    assert before.items() < home.tree().items()
    home.run("install")
    home.run("uninstall")
    assert home.tree() == before


@pytest.mark.slow
@pytest.mark.wireshark
@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".local/lib/wireshark/plugins/wnv.lua", "exists already, and pywnv did not put it there; --force replaces it"),
        (".config/wireshark/profiles/WNV/preferences", "exists already, and pywnv did not put it there"),
        (".config/wireshark/profiles/WNV/mine", "a profile of this name exists already; --force puts pywnv's into it"),
    ],
)
def test_a_stranger_of_the_same_name(home: Home, path: str, words: str) -> None:
    stranger = home.path / path
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"-- precious\n")
    assert words in home.refuses("install")
    home.run("install", "--force")
    home.run("uninstall")
    left = home.tree()
    assert left.get(path, b"-- precious\n") == b"-- precious\n"  # theirs or nothing, never ours
    assert not [name for name, data in left.items() if data is not None and name != path]


@pytest.mark.wireshark
def test_a_link_is_not_followed(home: Home) -> None:
    """A developer's link into a checkout is another's: with --force the link goes, not what it leads to."""
    source = home.path / "checkout.lua"
    source.write_bytes(b"-- precious\n")
    home.plugin.parent.mkdir(parents=True)
    home.plugin.symlink_to(source)
    assert "--force replaces it" in home.refuses("install")
    home.run("install", "--force")
    assert source.read_bytes() == b"-- precious\n"
    assert not home.plugin.is_symlink()


@pytest.mark.wireshark
def test_upgrade(home: Home) -> None:
    """A new version replaces what the old one put, drops what it no longer has, and keeps what the user changed."""
    home.run("install")
    manifest = home.config / "pywnv.json"
    data = json.loads(manifest.read_bytes())
    digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"  # of "hello\n"
    old, gone = home.profile / "dfilter_buttons", home.config / "profiles/WNV Old/colorfilters"
    gone.parent.mkdir()
    for path in (old, gone):
        path.write_bytes(b"hello\n")
        data["files"][path.relative_to(home.config).as_posix()] = [digest]
    data["made"].append("profiles/WNV Old")
    manifest.write_text(json.dumps(data | {"pywnv": "0.0.1"}))
    mine = home.profile / "colorfilters"
    mine.write_bytes(b"@mine@tcp@[0,0,0][65535,65535,65535]\n")
    (home.profile / "recent").write_bytes(b"# as Wireshark leaves it\n")

    _, words = home.run("install")
    assert f"{mine}: kept, as you changed it; --force replaces it" in words
    assert "recent" not in words
    assert old.read_text("utf-8") == profile_texts()["WNV/dfilter_buttons"]
    assert not gone.parent.exists()
    assert mine.read_bytes().startswith(b"@mine@")

    removed, words = home.run("uninstall")
    assert words == f"pywnv: warning: {mine}: kept, as you changed it\n"
    assert str(mine) not in removed
    left = [path for path, data in home.tree().items() if data is not None]
    assert sorted(left) == [str(path.relative_to(home.path)) for path in (mine, home.profile / "recent")]


@pytest.mark.wireshark
def test_wireshark_s_own_housekeeping_goes_too(home: Home) -> None:
    home.run("install")
    (home.profile / "recent").write_bytes(b"# as Wireshark leaves it\n")
    home.run("uninstall")
    assert home.tree() == {}


@pytest.mark.wireshark
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_ended_half_way(home: Home, tmp_path: Path, number: signal.Signals) -> None:
    """Nothing is left; after a kill, which nobody can tidy up after, uninstall finds all."""
    reached = tmp_path / "reached"
    fake(tmp_path / "bin", f'case "$*" in *"-r -"*) touch {reached}; exec sleep 60;; esac; exec "$tshark" "$@"')
    home.path_first(tmp_path / "bin")
    with subprocess.Popen(command("install"), env=home.environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not reached.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert home.plugin.exists()
        process.send_signal(number)
        process.communicate()
        assert process.returncode != 0
    if number == signal.SIGKILL:
        home.plugin.with_name("wnv.lua.pywnv-part").write_bytes(b"half")
        home.run("uninstall")
    assert home.tree() == {}


@pytest.mark.wireshark
def test_a_failed_upgrade_leaves_the_old(home: Home, tmp_path: Path) -> None:
    home.run("install")
    before = home.tree()
    fake(tmp_path / "bin", 'case "$*" in *"-r -"*) echo Lua: no >&2; exit 1;; esac; exec "$tshark" "$@"')
    home.path_first(tmp_path / "bin")
    assert "does not load the plugin: Lua: no; nothing was installed" in home.refuses("install")
    assert home.tree() == before


@pytest.mark.wireshark
def test_a_full_or_closed_folder(home: Home) -> None:
    (home.path / ".local").write_bytes(b"a file where a folder should be")
    assert "nothing was installed" in home.refuses("install")


@pytest.mark.wireshark
def test_a_broken_manifest(home: Home) -> None:
    home.run("install")
    (home.config / "pywnv.json").write_bytes(b"{}")
    assert "is damaged" in home.refuses("install")
    assert "is damaged" in home.refuses("uninstall")


@pytest.mark.wireshark
def test_the_configuration_moved(home: Home, tmp_path: Path) -> None:
    """WIRESHARK_CONFIG_DIR holds all, the plugin too, and it loads from there."""
    config = tmp_path / "portable"
    home.environment["WIRESHARK_CONFIG_DIR"] = str(config)
    home.run("install")
    assert (config / "plugins/wnv.lua").is_file()
    assert (config / "profiles/WNV/preferences").is_file()
    assert home.tree() == {}
    config.rename(tmp_path / "elsewhere")
    home.environment["WIRESHARK_CONFIG_DIR"] = str(tmp_path / "elsewhere")
    home.run("uninstall")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.wireshark
def test_uninstall_when_wireshark_went_first(home: Home) -> None:
    home.run("install")
    home.environment["PATH"] = "/nonexistent"
    home.run("uninstall")
    assert home.tree() == {}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo TShark 3.6.2, with Lua 5.2.4", "3.6.2: too old for the plugin; install Wireshark 4.0 or newer"),
        ("echo TShark 4.4.1, without Lua", "4.4.1: built without Lua; install Wireshark 4.0 or newer"),
        ("exit 1", "does not print its version; install Wireshark 4.0 or newer"),
    ],
)
def test_a_wireshark_that_cannot(home: Home, tmp_path: Path, script: str, words: str) -> None:
    answer = r"printf 'Personal configuration:\t/nonexistent\n'"
    tool = fake(tmp_path / "bin", f'if [ "$1" = -G ]; then {answer}; else {script}; fi')
    assert words in home.refuses("install", "--tshark", tool)


@pytest.mark.wireshark
def test_root_on_a_newer_wireshark(home: Home) -> None:
    """Where tshark silently loads no Lua, nothing is installed, and it is said why."""
    home.environment["PYWNV_KEEP_ROOT"] = "1"
    done = run("install", environment=home.environment)
    if done.returncode == 0:
        pytest.skip("this tshark loads Lua plugins here")
    assert b"run as root, it loads no Lua plugin; run `pywnv install` as the user who runs Wireshark" in done.stderr
    assert home.tree() == {}


@pytest.mark.wireshark
def test_rows_by_tshark_where_the_plugin_is_installed(home: Home) -> None:
    """Wireshark loads the installed plugin first, which lacks a field of the one for rows."""
    asked = ("annotate", CAPTURES / "udpsame.pcapng.gz", "-Y", "udp")
    without = home.run(*asked)
    home.run("install")
    assert home.run(*asked) == without
    home.plugin.write_text(home.plugin.read_text("utf-8").replace(QUIET, "NOTHING"), "utf-8")
    words = f"pywnv: {asked[1]}: tshark has loaded an older plugin that is installed; run `pywnv install`\n"
    assert home.refuses(*asked) == words


@pytest.mark.parametrize(
    ("script", "words"), [(None, "cannot be run (No such file or directory)"), ("exit 1", "prints no folders")]
)
def test_no_tshark_where_it_was_said_to_be(home: Home, tmp_path: Path, script: str | None, words: str) -> None:
    tool = fake(tmp_path / "bin", script) if script else tmp_path / "none"
    for command_name in ("install", "uninstall"):
        assert words in home.refuses(command_name, "--tshark", tool)


@pytest.mark.wireshark
def test_deinterlacing_is_a_choice(home: Home) -> None:
    def chosen() -> bool:
        return "deinterlacing" in (home.profile / "preferences").read_text("utf-8")

    new = subprocess.run(["tshark", "--version"], capture_output=True, text=True).stdout.split()[2] >= "4.4"
    home.run("install")
    assert chosen() == new
    home.run("install", "--no-deinterlace")
    assert not chosen()
    if not new:
        assert "--deinterlace: needs Wireshark 4.4 or newer" in home.refuses("install", "--deinterlace")


def test_the_folders_that_tshark_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = parse(LINUX)
    assert named["personal lua plugins"] == Path("/home/u/.local/lib/wireshark/plugins")
    assert named["maxmind database path"] == Path("/usr/share/GeoIP")
    monkeypatch.delenv("WIRESHARK_CONFIG_DIR", raising=False)
    tool = fake(tmp_path / "bin", f"cat <<END\n{LINUX}END")
    folders = find_folders(str(tool))
    assert folders.profiles == Path("/home/u/.config/wireshark/profiles")
    assert folders.plugins == Path("/home/u/.local/lib/wireshark/plugins")


def test_a_portable_wireshark_has_its_own_folder(tmp_path: Path) -> None:
    app = tmp_path / "WiresharkPortable64/App"
    (app / "Wireshark").mkdir(parents=True)
    tshark = str(app / "Wireshark/tshark.exe")
    assert portable_config(tshark) is None
    (app / "AppInfo").mkdir()
    assert portable_config(tshark) == tmp_path / "WiresharkPortable64/Data"


def test_usual_folders(tmp_path: Path) -> None:
    home, roaming = tmp_path / "u", tmp_path / "u/AppData/Roaming"
    windows = usual_folders("win32", {"USERPROFILE": str(home), "APPDATA": str(roaming)})
    assert (windows.config, windows.plugins) == (roaming / "Wireshark", roaming / "Wireshark/plugins")
    for system in ("linux", "darwin"):
        folders = usual_folders(system, {"HOME": str(home)})
        assert (folders.config, folders.plugins) == (home / ".config/wireshark", home / ".local/lib/wireshark/plugins")
    assert usual_folders("linux", {"HOME": str(home), "XDG_CONFIG_HOME": "/x"}).config == Path("/x/wireshark")
    moved = usual_folders("linux", {"HOME": str(home), "WIRESHARK_CONFIG_DIR": "/y"})
    assert (moved.config, moved.plugins) == (Path("/y"), Path("/y/plugins"))
    (home / ".wireshark").mkdir(parents=True)
    assert usual_folders("linux", {"HOME": str(home)}).config == home / ".wireshark"


def test_profile_export(tmp_path: Path) -> None:
    out = tmp_path / "profiles.zip"
    assert run("profile", "export", out).returncode == 0
    with zipfile.ZipFile(out) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert found == profile_texts()
    again = run("profile", "export", out)
    assert (again.returncode, again.stderr) == (
        2,
        f"pywnv: {out}: exists already; use --force to replace it\n".encode(),
    )
    first = out.read_bytes()
    assert run("profile", "export", out, "--force").returncode == 0
    assert out.read_bytes() == first
    assert run("profile", "export", "-").stdout == first
    with_choice = run("profile", "export", "-", "--deinterlace").stdout
    assert with_choice != first
