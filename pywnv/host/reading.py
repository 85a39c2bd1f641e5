"""Reads what people have of a host, and tells what it is by its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pywnv.errors import TopologyError
from pywnv.host import bundle, clixml, format_list, inventory
from pywnv.host.model import Host
from pywnv.host.rows import Row, WrongValueError, clean, shown, table, when
from pywnv.host.text import decoded, parsed

NEWEST = 1  # wnv_host of the inventories that are read here
ZIP = b"PK\x03\x04"
BY_NAME = {cmdlet.lower(): cmdlet for cmdlet in inventory.CMDLETS}


def read(path: Path) -> object:
    """What a file or folder tells of a host.

    Returns:
        The host, or the value of a JSON file that is not an inventory.

    Raises:
        TopologyError: it cannot be read, or is wrong; the message names the place, in one line.
    """
    try:
        if path.is_dir():
            return bundle.folder(path)
        with path.open("rb") as file:
            data = file.read(bundle.LARGEST_FILE + 1)
        if data[:4] == ZIP:
            return bundle.archive(path)
        if len(data) > bundle.LARGEST_FILE:
            raise WrongValueError(f"larger than {bundle.LARGEST_FILE >> 20} MB, too large for a file about a host")
        return _value(path, data)
    except OSError as error:
        raise TopologyError(f"{path}: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise TopologyError(f"{path}: is not valid JSON: {error}") from None
    except ValueError as error:  # also a path with a NUL
        raise TopologyError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise TopologyError(f"{path}: brackets are nested too deep") from None


def _value(path: Path, data: bytes) -> object:
    text = decoded(data)
    start = text.lstrip()[:5]
    if start[:1] in ("{", "["):
        value = parsed(text)
        if isinstance(value, list) and len(value) == 1 and is_inventory(value[0]):
            value = value[0]
        return _inventory(value) if is_inventory(value) else _answer(path, value) or value
    cmdlet = bundle.cmdlet_of(path.name)
    if cmdlet and start == "<Objs":
        rows = [item for item in clixml.objects(data) if isinstance(item, dict)]
        return inventory.host({cmdlet: table(cmdlet, rows)})
    if cmdlet and (listed := format_list.objects(text)):
        return inventory.host({cmdlet: table(cmdlet, listed)})
    if path.suffix.lower() == ".json":
        return parsed(text)
    raise WrongValueError(
        "is none of these: an inventory of `pywnv host script`, what Get-SDDCDiagnosticInfo, Get-NetView or WSL's "
        "scripts collected, what `pktmon list --json` printed, or a topology file, which ends in .toml, .yaml or .yml"
    )


def _answer(path: Path, value: object) -> Host | None:
    """The host that the answer of one cmdlet tells of, if the file has the name of one."""
    cmdlet = bundle.cmdlet_of(path.name)
    return inventory.host({cmdlet: table(cmdlet, value)}) if cmdlet else None


def is_inventory(value: object) -> bool:
    """Whether a JSON value is an inventory: it has our mark, or answers of cmdlets by their names."""
    return isinstance(value, Mapping) and any(str(key).lower() in (*BY_NAME, "wnv_host") for key in value)


def _inventory(value: Mapping[str, object]) -> Host:
    top = Row("", value)
    version = top.number("wnv_host")
    if version is not None and version > NEWEST:
        raise WrongValueError(f"wnv_host: {version} is newer than this pywnv, which reads {NEWEST}: update it")
    tables = {
        BY_NAME[key.lower()]: table(BY_NAME[key.lower()], rows) for key, rows in value.items() if key.lower() in BY_NAME
    }
    windows = value.get("windows")
    if windows is not None:
        if not isinstance(windows, Mapping):
            raise WrongValueError(f"windows: {shown(windows)} must be an object with caption, build and product_type")
        told = Row("windows", windows)
        renamed = {
            "Caption": told.text("caption"),
            "BuildNumber": told.number("build"),
            "ProductType": told.number("product_type"),
        }
        tables[inventory.WINDOWS] = [Row("windows", renamed)]
    left_out = value.get("left_out")
    reasons = left_out if isinstance(left_out, Mapping) else {}
    return inventory.host(
        tables,
        computer=top.text("computer"),
        collected=when(top.text("collected")),
        left_out={clean(str(key)): clean(str(reason)) for key, reason in reasons.items()},
    )
