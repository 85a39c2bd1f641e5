"""Reads the folders and zips that people collect of a host: Get-SDDCDiagnosticInfo, Get-NetView, WSL's logs.

Sources: PrivateCloud.DiagnosticInfo (names of files, CliXml), Get-NetView (folders, text), microsoft/WSL
diagnostics (names of files, text). Nothing is ever unpacked to disk, and a name is only looked at.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from pywnv.host import clixml, format_list, inventory, virtual_nics
from pywnv.host.model import Host
from pywnv.host.rows import Row, WrongValueError, table
from pywnv.host.text import decoded, parsed

LARGEST_FILE = 64 * 1024 * 1024
LARGEST_ALL = 64 * 1024 * 1024  # read of one bundle; some seconds
MOST_FILES = 200_000
KINDS = (".json", ".xml", ".txt", ".log")  # the first of these that tells of a cmdlet is read
CMDLETS = {re.sub(r"\W", "", cmdlet).lower(): cmdlet for cmdlet in inventory.CMDLETS}
NODE = re.compile(r"(?:Node_|msdbg\.)(?P<name>.+)", re.IGNORECASE)  # the folder of one host
IDENTITY = {  # what is told of more than once is one thing
    inventory.ADAPTER: "name",
    inventory.SWITCH: "name",
    inventory.TEAM_CMDLET: "name",
    virtual_nics.NIC: "id",
}


@dataclass(frozen=True)
class _File:
    """A file that tells of a cmdlet."""

    place: PurePosixPath
    cmdlet: str
    open: Callable[[], IO[bytes]]


def cmdlet_of(name: str) -> str | None:
    """The cmdlet whose answer a file holds, by its name: Get-NetAdapter_before.log, GetNetAdapter.xml."""
    stem = re.sub(r"[-\s]", "", PurePosixPath(name).stem.partition("_")[0] or name).lower()
    return CMDLETS.get(stem) or CMDLETS.get(re.sub(r"\W", "", PurePosixPath(name).stem).lower())


def folder(path: Path) -> Host:
    """The host that a folder describes.

    Raises:
        WrongValueError: it describes none, or several, or holds an invalid value.
        OSError: a file cannot be read.
    """
    return _host(list(_in_folder(path)), path.name)


def _in_folder(path: Path) -> Iterator[_File]:
    seen = 0
    for parent, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > MOST_FILES:
                raise WrongValueError(f"holds more than {MOST_FILES} files, too many for a collection of one host")
            full = Path(parent, name)
            cmdlet = cmdlet_of(name) if full.suffix.lower() in KINDS else None
            if cmdlet and full.is_file() and not full.is_symlink():
                place = PurePosixPath(full.relative_to(path).as_posix())
                yield _File(place, cmdlet, lambda full=full: full.open("rb"))  # type: ignore[misc]


def archive(path: Path) -> Host:
    """The host that a zip describes.

    Raises:
        WrongValueError: it is broken, describes no host, or several, or holds an invalid value.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            infos = opened.infolist()
            if len(infos) > MOST_FILES:
                raise WrongValueError(f"holds more than {MOST_FILES} files, too many for a collection of one host")
            files = []
            for info in infos:
                place = PurePosixPath(info.filename.replace("\\", "/"))
                cmdlet = cmdlet_of(place.name) if place.suffix.lower() in KINDS else None
                if cmdlet and not info.is_dir():
                    files.append(_File(place, cmdlet, lambda info=info: opened.open(info)))  # type: ignore[misc]
            return _host(files, path.stem)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        words = " ".join(str(error).split()) or "it is cut off"
        raise WrongValueError(f"is not a readable zip: {words}") from None


def _host(files: list[_File], name: str) -> Host:
    nodes = {node: None for file in files if (node := _node(file.place))}
    if len(nodes) > 1:
        shown = ", ".join(list(nodes)[:5]) + (" ..." if len(nodes) > 5 else "")
        raise WrongValueError(f"holds {len(nodes)} hosts ({shown}); name the folder of one")
    node = next(iter(nodes), None)
    chosen: dict[tuple[PurePosixPath, str], _File] = {}
    for file in sorted(files, key=lambda file: (KINDS.index(file.place.suffix.lower()), file.place.name)):
        if node is None or _node(file.place):
            chosen.setdefault((file.place.parent, file.cmdlet), file)
    tables = _tables(sorted(chosen.values(), key=lambda file: file.place))
    if not tables:
        words = "holds nothing that Get-SDDCDiagnosticInfo, Get-NetView or WSL's collect-wsl-logs write of a host"
        raise WrongValueError(f"{words}; `pywnv host script` collects it")
    return inventory.host(tables, computer=node or _named(name) or "")


def _named(folder: str) -> str | None:
    """The host that a folder is of, by its name."""
    match = NODE.fullmatch(folder)
    return match["name"].partition(".")[0] if match else None


def _node(place: PurePosixPath) -> str | None:
    return next((name for part in place.parts[:-1] if (name := _named(part))), None)


def _tables(files: list[_File]) -> dict[str, list[Row]]:
    left = LARGEST_ALL
    per_folder: dict[PurePosixPath, dict[str, list[dict[str, object]]]] = {}
    for file in files:
        with file.open() as opened:
            data = opened.read(min(LARGEST_FILE, left) + 1)
        left -= len(data)
        if len(data) > LARGEST_FILE or left < 0:
            raise WrongValueError(f"{file.place}: too large for a file about a host")
        try:
            found = _objects(file.place.suffix.lower(), data)
        except WrongValueError as error:
            raise WrongValueError(f"{file.place}: {error}") from None
        per_folder.setdefault(file.place.parent, {})[file.cmdlet] = found
    tables: dict[str, list[Row]] = {}
    seen: set[str] = set()
    for place, found_here in per_folder.items():
        owners = found_here.get(virtual_nics.NIC, [])
        for cmdlet, objects in found_here.items():
            for at, item in enumerate(objects):
                if len(owners) == 1 and cmdlet in (
                    virtual_nics.VLAN,
                    virtual_nics.ISOLATION,
                    virtual_nics.ACL,
                    virtual_nics.EXTENDED_ACL,
                ):
                    item = {**item, "ParentAdapter": owners[0]}
                names = {key.lower(): value for key, value in item.items()}
                identity = str(names.get(IDENTITY.get(cmdlet, "")) or json.dumps(item, default=str))
                if (key := f"{cmdlet} {identity.lower()}") not in seen:
                    seen.add(key)
                    tables.setdefault(cmdlet, []).append(Row(f"{place / cmdlet}[{at + 1}]", item))
            tables.setdefault(cmdlet, [])
    return tables


def _objects(kind: str, data: bytes) -> list[dict[str, object]]:
    if kind == ".xml":
        values = list(clixml.objects(data))
        return [
            item
            for value in values
            for item in (value if isinstance(value, list) else [value])
            if isinstance(item, dict)
        ]
    text = decoded(data)
    if kind == ".json":
        try:
            return [dict(row.values) for row in table("", parsed(text))]
        except RecursionError:
            raise WrongValueError("brackets are nested too deep") from None
        except json.JSONDecodeError as error:
            raise WrongValueError(f"is not valid JSON: {error}") from None
    return format_list.objects(text)
