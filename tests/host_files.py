"""Inventories of hosts as the tools of Windows write them, made of plain rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

VM_ID, NIC_ID = "aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000001"
SWITCH_ID = "790bf1b4-0ae2-4d9d-8b0e-1c1a2f3b4c5d"
Row = dict[str, Any]


def adapter(name: str = "Ethernet 2", **more: Any) -> Row:
    return {"Name": name, "InterfaceDescription": f"NIC of {name}", "VlanID": None, "Status": "Up", **more}


def switch(name: str = "external", uplink: str = "NIC of Ethernet 2", **more: Any) -> Row:
    return {
        "Name": name,
        "Id": SWITCH_ID,
        "SwitchType": "External",
        "NetAdapterInterfaceDescriptions": [uplink],
        **more,
    }


def nic(vm: str | None = "Alpha", name: str = "Network Adapter", **more: Any) -> Row:
    return {
        "VMName": vm,
        "Name": name,
        "IsManagementOs": vm is None,
        "SwitchName": "external",
        "Connected": True,
        **more,
    }


def of(vm: str | None = "Alpha", name: str = "Network Adapter", **more: Any) -> Row:
    """A setting of a NIC."""
    return {"VMName": vm, "VMNetworkAdapterName": name, "IsManagementOs": vm is None, **more}


def acl(direction: str, action: str, remote: str = "ANY", local: str = "ANY", **more: Any) -> Row:
    ends = {"LocalAddress": local, "RemoteAddress": remote}
    return of(**more, Direction=direction, Action=action, **ends)


def extended(direction: str, action: str, weight: int, **more: Any) -> Row:
    return of(**{"Direction": direction, "Action": action, "Weight": weight, "Protocol": "ANY", **more})


def inventory(**rows: Any) -> dict[str, Any]:
    """An inventory as `pywnv host script` writes it: Get_NetAdapter=[...] and so on."""
    made = {"wnv_host": 1, "computer": "HV01", "windows": {"caption": "", "build": 17763, "product_type": 3}}
    return {**made, **{name.replace("_", "-", 1) if name.startswith("Get_") else name: it for name, it in rows.items()}}


def written(folder: Path, value: Any, name: str = "hv01.json", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(json.dumps(value).encode(encoding))
    return path


# Export-Clixml


def _clixml_value(value: object, name: str = "") -> str:
    n = f' N="{escape(name)}"' if name else ""
    match value:
        case None:
            return f"<Nil{n} />"
        case bool():
            return f"<B{n}>{str(value).lower()}</B>"
        case int():
            return f"<I32{n}>{value}</I32>"
        case str():
            text = escape(value).replace("\n", "_x000A_")
            return f"<S{n}>{text}</S>"
        case tuple():  # an enum: its number, and its name
            number, word = value
            return f'<Obj{n} RefId="9"><TNRef RefId="9"/><ToString>{word}</ToString><I32>{number}</I32></Obj>'
        case list():
            return f'<Obj{n} RefId="8"><LST>{"".join(map(_clixml_value, value))}</LST></Obj>'
        case _:
            inside = "".join(_clixml_value(item, key) for key, item in dict(value).items())  # type: ignore[call-overload]
            return f'<Obj{n} RefId="7"><ToString>x</ToString><Props>{inside}</Props></Obj>'


def clixml(rows: Iterable[Mapping[str, object]]) -> bytes:
    space = "http://schemas.microsoft.com/powershell/2004/04"
    body = "".join(map(_clixml_value, rows))
    return f'<Objs Version="1.1.0.1" xmlns="{space}">{body}</Objs>'.encode("utf-16")


# Get-NetView and WSL: Format-List


def _listed_value(value: object) -> str:
    if isinstance(value, list):
        shown = [str(item) for item in value[:4]] + (["..."] if len(value) > 4 else [])
        return "{" + ", ".join(shown) + "}"
    return "" if value is None else str(value)


def format_list(rows: Iterable[Mapping[str, object]]) -> str:
    blocks = []
    for row in rows:
        width = max(map(len, row))
        blocks.append("\r\n".join(f"{name:<{width}} : {_listed_value(value)}" for name, value in row.items()))
    return "\r\n\r\n" + "\r\n\r\n".join(blocks) + "\r\n\r\n\r\n"


def netview(command: str, rows: list[Row]) -> bytes:
    """A file of Get-NetView: each command, its table, and its list."""
    who = "Administrator @ HV01:\r\n"
    table = "Name            Other\r\n----            -----\r\ncut off na... x\r\n\r\n"
    text = f"{who}PS C:\\> {command}\r\n\r\n{table}{who}PS C:\\> {command} | Format-List -Property *\r\n"
    return (text + format_list(rows)).encode("cp1252")
