"""Puts plugin, profiles and capture interface into Wireshark's folders, and removes exactly those again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pywnv.errors import OutputError, WiresharkError
from pywnv.files.transaction import PART, Transaction
from pywnv.wireshark.folders import Folders
from pywnv.wireshark.interface import starter
from pywnv.wireshark.manifest import MANIFEST, RECENT, Manifest, fingerprints, says_nothing
from pywnv.wireshark.probe import AS_ROOT, Version, find_plugins, try_plugin, unfit, why_not_loaded

if TYPE_CHECKING:
    from pywnv.host.topology import Topology

PLUGIN = "wnv.lua"
DEINTERLACES = (4, 4)  # from this version on, Wireshark can keep the conversations of each interface apart


@dataclass
class Outcome:
    """What was done.

    Attributes:
        done: files put, or removed.
        kept: files of ours left as they are, because the user has changed them.
        others: further copies of the plugin that this Wireshark loads.
    """

    done: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def wanted(folders: Folders, topology: Topology | None = None, *, deinterlace: bool) -> dict[Path, bytes]:
    """The files that an install puts, by their paths."""
    from pywnv.generate.plugin import plugin_lua
    from pywnv.generate.profiles import profile_texts

    files = {folders.plugins / PLUGIN: plugin_lua(topology).encode()}
    for name, text in profile_texts(deinterlace=deinterlace).items():
        files[folders.profiles / name] = text.encode()
    if folders.extcap and (program := starter()):
        files[folders.extcap / program.name] = program.data
    return files


def install(
    tshark: str,
    version: Version | None,
    folders: Folders,
    *,
    topology: Topology | None = None,
    names: str = "",
    deinterlace: bool | None = None,
    force: bool = False,
) -> Outcome:
    """Puts the plugin and the profiles, and checks that they load. Nothing is left where that fails.

    Args:
        tshark: the one beside the Wireshark to install for.
        version: its version.
        folders: its folders.
        topology: names and roles in the host.
        names: the file that says so.
        deinterlace: whether the profiles keep the conversations of each interface apart; None: where it can.
        force: replace files that are not ours, or that the user has changed.

    Raises:
        WiresharkError: this Wireshark cannot load, or did not load, what was put.
        OutputError: a file is in the way, or cannot be written; or names from an earlier install would be lost.
    """
    if trouble := unfit(tshark, version):
        raise WiresharkError("; ".join(trouble))
    assert version is not None  # noqa: S101  # unfit says so
    able = version.number >= DEINTERLACES
    if deinterlace and not able:
        raise WiresharkError(f"--deinterlace: needs Wireshark 4.4 or newer; {tshark} is {version}")
    files = wanted(folders, topology, deinterlace=able if deinterlace is None else deinterlace)
    for path in files:
        if not folders.holds(path):
            raise OutputError(f"{path.parent}: leads out of {folders.config} by a link; remove the link first")
    old = Manifest.read(folders.config) or Manifest()
    plugin = folders.plugins / PLUGIN
    if old.names and not names and not force and plugin.exists():
        again = f"give --host {old.names} again, or --force to drop them"
        raise OutputError(f"{plugin}: has the names of {old.names}; {again}")
    outcome = Outcome(kept=[] if force else _settle(folders, files, old))
    new = Manifest(wireshark=version.series, made=old.made, names=old.names if plugin in outcome.kept else names)
    new.files = {path: fingerprints(path, data) for path, data in files.items()}
    gone = [path for path in old.files if path not in files and path.exists() and folders.holds(path)]
    obsolete = [path for path in gone if _ours(path, old)]
    outcome.kept += [path for path in gone if path not in obsolete]
    try:
        with Transaction() as transaction:
            _put(transaction, folders, new, old, {p: data for p, data in files.items() if p not in outcome.kept})
            for path in obsolete:
                transaction.remove(path)
            _check(tshark, version, folders)
    except OSError as error:
        raise OutputError(f"{error.filename}: {error.strerror or error}; nothing was installed") from error
    remove_empty({path.parent for path in obsolete} & set(old.made))
    outcome.done = [path for path in files if path not in outcome.kept]
    outcome.kept = [path for path in outcome.kept if path.name != RECENT]
    outcome.others = [path for path, _ in find_plugins(folders.searched) if path != plugin]
    return outcome


def _settle(folders: Folders, files: dict[Path, bytes], old: Manifest) -> list[Path]:
    """Those of our files that the user has changed; raises OutputError where another's are in the way."""
    for profile in sorted({path.parent for path in files if path.is_relative_to(folders.profiles)}):
        ours = any(path.parent == profile for path in old.files)
        foreign = profile.is_symlink() or (profile.exists() and not profile.is_dir())
        strange = not foreign and not ours and profile.is_dir() and any(p not in files for p in profile.iterdir())
        if foreign or strange:
            raise OutputError(f"{profile}: a profile of this name exists already; --force puts pywnv's into it")
    kept = []
    for path, data in files.items():
        if not path.exists() and not path.is_symlink():
            continue
        found = None if path.is_symlink() or not path.is_file() else path.read_bytes()
        if path in old.files and found is not None:
            if found != data and not old.knows(path, found):
                kept.append(path)
        elif found != data:
            raise OutputError(f"{path}: exists already, and pywnv did not put it there; --force replaces it")
    return kept


def _put(transaction: Transaction, folders: Folders, new: Manifest, old: Manifest, files: dict[Path, bytes]) -> None:
    """Puts files. Wherever a kill ends this, what is there then is in the manifest."""
    known = {path: hashes + old.files.get(path, []) for path, hashes in new.files.items()}
    for path, hashes in old.files.items():
        known.setdefault(path, hashes)
    config = folders.config
    makes = transaction.folders_to_make([config / MANIFEST, *files])
    new.made = list(dict.fromkeys([*new.made, *makes]))
    transaction.put(config / MANIFEST, Manifest(new.pywnv, new.wireshark, known, new.made, new.names).text(config))
    for path, data in files.items():
        transaction.put(path, data, executable=path.parent == folders.extcap)
    transaction.put(config / MANIFEST, new.text(config))


def _check(tshark: str, version: Version, folders: Folders) -> None:
    loaded, words = try_plugin(tshark, folders)
    if loaded:
        return
    why = why_not_loaded(version, words)
    remedy = "run `pywnv install` as the user who runs Wireshark; " if why == AS_ROOT else ""
    raise WiresharkError(f"{tshark} {version}: {why}; {remedy}nothing was installed")


def _ours(path: Path, manifest: Manifest) -> bool:
    return path.is_file() and not path.is_symlink() and manifest.knows(path, path.read_bytes())


def uninstall(folders: Folders) -> Outcome | None:
    """Removes exactly what was put, but for what the user has changed since; None if nothing was put.

    Raises:
        OutputError: something cannot be removed.
    """
    manifest = Manifest.read(folders.config)
    if manifest is None:
        return None
    outcome = Outcome()
    try:
        put = [path for path in manifest.files if folders.holds(path)]
        # What Wireshark itself has written last: it decides by its neighbours.
        for path in sorted(put, key=lambda path: path.name == RECENT):
            path.with_name(path.name + PART).unlink(missing_ok=True)
            if not path.exists():
                continue
            rest_kept = any(kept.parent == path.parent for kept in outcome.kept)
            if _ours(path, manifest) or (path.name == RECENT and not path.is_symlink() and not rest_kept):
                path.unlink()
                outcome.done.append(path)
            elif path.name != RECENT:
                outcome.kept.append(path)
        _tidy({path.parent for path in put} & set(manifest.made), outcome)
        for leftover in (MANIFEST + PART, MANIFEST):
            (folders.config / leftover).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{error.filename}: {error.strerror or error}") from error
    remove_empty(manifest.made)
    return outcome


def _tidy(profiles: Iterable[Path], outcome: Outcome) -> None:
    """Removes what Wireshark has left in profiles of which nothing else is kept: files that say nothing."""
    for folder in profiles:
        if folder.is_dir() and not any(kept.parent == folder for kept in outcome.kept):
            for path in folder.iterdir():
                if path.is_file() and path.suffix != ".lua" and says_nothing(path.read_bytes()):
                    path.unlink()


def remove_empty(made: Iterable[Path]) -> None:
    """Removes those of some folders that are empty, inner ones first."""
    for folder in sorted(set(made), key=lambda folder: len(folder.parts), reverse=True):
        try:
            folder.rmdir()
        except OSError:
            continue  # not empty, or gone: fine
