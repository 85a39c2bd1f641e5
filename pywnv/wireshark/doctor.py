"""Checks what is installed; says what is wrong and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pywnv.errors import WnvError
from pywnv.generate.profiles import PROFILES
from pywnv.version import __version__
from pywnv.wireshark.folders import Folders, find_folders
from pywnv.wireshark.install import PLUGIN
from pywnv.wireshark.interface import NAME, STEM, ask
from pywnv.wireshark.manifest import RECENT, Manifest
from pywnv.wireshark.probe import AS_ROOT, Version, find_plugins, tell_version, try_plugin, unfit, why_not_loaded

INSTALL = "pywnv install"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        words: what was found.
        remedy: what to type or do; None if all is well.
    """

    words: str
    remedy: str | None = None


def examine(tshark: str) -> Iterator[Finding]:
    """What is right and what is wrong with a Wireshark and with what pywnv put there, as far as it can be seen."""
    version = tell_version(tshark)
    if trouble := unfit(tshark, version):
        yield Finding(*trouble)
        return
    assert version is not None  # noqa: S101  # unfit says so
    yield Finding(f"{tshark} {version}, with Lua {version.lua}")
    try:
        folders = find_folders(tshark)
        manifest = Manifest.read(folders.config)
    except WnvError as error:
        words, _, remedy = str(error).partition("; ")
        yield Finding(words, remedy or INSTALL)
        return
    found = dict(find_plugins(folders.searched))
    if manifest is None and not found:
        yield Finding(f"{folders.config}: pywnv has installed nothing here", INSTALL)
        return
    yield _installed(manifest, version)
    yield from _plugins(found, folders)
    if manifest and manifest.names and folders.plugins / PLUGIN in found:
        yield Finding(f"{folders.plugins / PLUGIN}: has the names of {manifest.names}")
    yield from _profiles(manifest, folders)
    yield from _interface(manifest, folders)
    yield from _loads(tshark, version, folders)


def _installed(manifest: Manifest | None, version: Version) -> Finding:
    if manifest is None:
        return Finding("the plugin was installed by hand, so `pywnv uninstall` will not remove it")
    if manifest.pywnv != __version__:
        return Finding(f"installed by pywnv {manifest.pywnv}; this is pywnv {__version__}", INSTALL)
    if manifest.wireshark != version.series:
        return Finding(f"installed for Wireshark {manifest.wireshark}; this is {version}", INSTALL)
    return Finding(f"installed by pywnv {manifest.pywnv} for Wireshark {manifest.wireshark}")


def _plugins(found: dict[Path, str | None], folders: Folders) -> Iterator[Finding]:
    ours = folders.plugins / PLUGIN
    for path, version in found.items():
        if version == __version__:
            yield Finding(f"{path}: the plugin, version {version}")
        elif path == ours:
            yield Finding(f"{path}: the plugin, but of version {version or 'unknown'}", f"{INSTALL} --force")
    if not found:
        yield Finding("no plugin in " + ", ".join(map(str, folders.searched)), INSTALL)
    if len(found) > 1:
        others = " and ".join(str(path) for path in found if path != ours)
        yield Finding(f"the plugin is there {len(found)} times, and Wireshark loads only one", f"delete {others}")


def _profiles(manifest: Manifest | None, folders: Folders) -> Iterator[Finding]:
    for profile in PROFILES:
        folder = folders.profiles / profile.name
        if not folder.is_dir():
            yield Finding(f"{folder}: no profile", INSTALL)
            continue
        ours = [path for path in manifest.files if path.parent == folder] if manifest else []
        missing = [path.name for path in ours if not path.is_file()]
        if missing:
            yield Finding(f"{folder}: without {', '.join(missing)}", INSTALL)
            continue
        changed = [path.name for path in ours if path.name != RECENT and not _unchanged(manifest, path)]
        yield Finding(f"{folder}: the profile" + (f", with your changes in {', '.join(changed)}" if changed else ""))


def _interface(manifest: Manifest | None, folders: Folders) -> Iterator[Finding]:
    put = [path for path in manifest.files if path.stem == STEM] if manifest else []
    if not put or not folders.extcap:
        return
    program = folders.extcap / put[0].name
    if not program.is_file():
        yield Finding(f"{program}: no capture interface {NAME}", INSTALL)
    else:
        trouble = ask(program)
        words = f"{program}: the capture interface {NAME}{f', but {trouble}' if trouble else ''}"
        yield Finding(words, f"{INSTALL} --force" if trouble else None)


def _unchanged(manifest: Manifest | None, path: Path) -> bool:
    return manifest is not None and manifest.knows(path, path.read_bytes())


def _loads(tshark: str, version: Version, folders: Folders) -> Iterator[Finding]:
    loaded, words = try_plugin(tshark, folders)
    if not loaded:
        why = why_not_loaded(version, words)
        remedy = "run Wireshark and pywnv as an ordinary user" if why == AS_ROOT else f"{INSTALL} --force"
        yield Finding(f"{tshark} {version}: {why}", remedy)
        return
    yield Finding("the plugin loads and marks packets")
    for profile in PROFILES:
        if (folders.profiles / profile.name).is_dir():
            _, words = try_plugin(tshark, folders, profile.name)
            if words:
                yield Finding(f"profile {profile.name}: {' '.join(words)}", f"{INSTALL} --force")
