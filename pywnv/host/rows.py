"""What cmdlets returned, as people have it: enums as names or numbers, one object for a list, absent keys.

The numbers are those of the enums in Microsoft.HyperV.PowerShell and of MSFT_NetLbfoTeam: Windows PowerShell 5.1 writes
them into JSON.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

LONGEST_SHOWN = 60  # of a wrong value, as an error shows it
LONGEST_TEXT = 256  # of a name; Windows allows no longer ones

VLAN_MODE = {0: "untagged", 1: "access", 2: "trunk", 3: "private"}
PRIVATE_MODE = {0: "", 1: "isolated", 2: "community", 3: "promiscuous"}
ACL_ACTION = {1: "allow", 2: "deny", 3: "meter"}
EXTENDED_ACTION = {1: "allow", 2: "deny"}
ACL_DIRECTION = {1: "inbound", 2: "outbound", 3: "both"}
EXTENDED_DIRECTION = {1: "inbound", 2: "outbound"}
SWITCH_TYPE = {0: "private", 1: "internal", 2: "external", 3: "nat"}
EXTENSION_TYPE = {0: "unknown", 1: "capture", 2: "filter", 3: "forwarding", 4: "monitoring", 5: "native"}
ON_OFF = {0: "on", 1: "off"}
MIRRORING = {0: "none", 1: "destination", 2: "source"}
ISOLATION = {0: "none", 1: "nativevirtualsubnet", 2: "externalvirtualsubnet", 3: "vlan"}
TEAMING = {0: "Static", 1: "SwitchIndependent", 2: "Lacp"}
BALANCING = {0: "TransportPorts", 2: "IPAddresses", 3: "MacAddresses", 4: "HyperVPort", 5: "Dynamic"}
STATUS = {2: "Ok", 3: "Degraded", 6: "Error", 10: "Stopped", 12: "NoContact", 13: "LostCommunication"}

WRAPPING = {"value", "Value", "Count", "DisplayHint", "DateTime"}
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAC = re.compile(r"([0-9a-fA-F]{2}[-:. ]?){5}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}[.:-]){2}[0-9a-fA-F]{4}")
PORTS = re.compile(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*")


class WrongValueError(ValueError):
    """An invalid value; says where it stands."""


def shown(value: object) -> str:
    """A value in one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def clean(text: str) -> str:
    """A name without line breaks and control characters, not longer than Windows allows."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LONGEST_TEXT]


def unwrapped(value: object) -> object:
    """A value without what ConvertTo-Json of Windows PowerShell 5.1 wraps some in: value and Count, Value or DateTime.

    It writes nothing at all as an empty object.
    """
    if isinstance(value, Mapping) and "value" in value and value.keys() <= WRAPPING:
        value = value["value"]
    return None if value == {} else value


def listed(value: object) -> list[object]:
    """A list as ConvertTo-Json writes it: also a single value, or nothing."""
    value = unwrapped(value)
    if value is None:
        return []
    return [unwrapped(item) for item in value] if isinstance(value, list) else [value]


def mac(text: str) -> str | None:
    """Twelve lower hex digits; None if the text is not a MAC, or that of no adapter."""
    digits = re.sub(r"[-:. ]", "", text).lower().removeprefix("0x")
    return digits if re.fullmatch(r"[0-9a-f]{12}", digits) and digits.strip("0") else None


def when(text: str) -> str:
    """A time as told; the milliseconds since 1970 of Windows PowerShell 5.1 as others write them."""
    told = re.fullmatch(r"/Date\((-?[0-9]{1,15})\)/", text)
    if not told:
        return text
    try:
        return (datetime(1970, 1, 1) + timedelta(milliseconds=int(told[1]))).isoformat(timespec="seconds") + "Z"
    except OverflowError:
        return text


def guids(text: str) -> list[str]:
    """The GUIDs in a text, in lower case."""
    return [found.lower() for found in GUID.findall(text)]


class Row:
    """An object that a cmdlet returned.

    Args:
        place: where it stands, for errors, such as Get-NetAdapter[3].
        values: its properties; names count in any case.

    Attributes:
        place: likewise.
        values: the properties by their names in lower case.
    """

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        self.place = place
        self.values = {str(name).lower(): unwrapped(value) for name, value in values.items()}

    def __contains__(self, name: str) -> bool:
        return self.values.get(name.lower()) is not None

    def wrong(self, name: str, words: str) -> WrongValueError:
        """The error for a property."""
        return WrongValueError(f"{self.place}.{name}".lstrip(".") + f": {shown(self.values.get(name.lower()))} {words}")

    def _first(self, names: Iterable[str]) -> tuple[str, object]:
        last = ""
        for last in names:
            value = self.values.get(last.lower())
            if value is not None and value != "":
                return last, value
        return last, None

    def text(self, *names: str) -> str:
        """The first of these properties that says something, in one line; empty if none does."""
        name, value = self._first(names)
        if value is None:
            return ""
        if isinstance(value, list):
            value = " ".join(str(item) for item in value if isinstance(item, str | int))
        if isinstance(value, str | int | float):
            return clean(str(value))
        raise self.wrong(name, "must be a text")

    def number(self, *names: str, most: int = 2**32 - 1) -> int | None:
        """The first of these properties that says something, as a whole number; None if none does."""
        name, value = self._first(names)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > most:
            raise self.wrong(name, f"must be a whole number from 0 to {most}")
        return int(text)

    def flag(self, *names: str) -> bool | None:
        """The first of these properties that says something, as true or false; None if none does."""
        name, value = self._first(names)
        if value is None or isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in ("true", "false"):
            return text == "true"
        if text in ("1", "0"):
            return text == "1"
        raise self.wrong(name, "must be true or false")

    def enum(self, name: str, names: Mapping[int, str], default: str) -> str:
        """A property that is an enum's number or name, in any case.

        Raises:
            WrongValueError: it is none of them.
        """
        value = self.values.get(name.lower())
        if value is None or value == "":
            return default
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text.isdecimal() and text.isascii() and len(text) < 10 and int(text) in names:
            return names[int(text)]
        known = {each.lower(): each for each in names.values()}
        if text.lower() in known:
            return known[text.lower()]
        words = ", ".join(f"{number} {each}" for number, each in names.items() if each)
        raise self.wrong(name, f"must be one of: {words}")

    def loose_enum(self, name: str, names: Mapping[int, str]) -> str:
        """Likewise, of one that nothing depends on: what is not known stays as it is."""
        text = self.text(name)
        return names.get(int(text), text) if text.isdecimal() and len(text) < 10 else text

    def texts(self, *names: str) -> list[str]:
        """The first of these properties that says something, as a list of texts."""
        name, value = self._first(names)
        items = listed(value)
        if any(not isinstance(item, str | int) for item in items):
            raise self.wrong(name, "must be a list of texts")
        return [text for item in items if (text := clean(str(item)))]

    def vlans(self, *names: str) -> list[int]:
        """A list of VLANs: numbers, or a text such as 10,20-30; in order, each once."""
        name, value = self._first(names)
        found: set[int] = set()
        for item in listed(value):
            for part in re.split(r"[,\s]+", str(item).strip()):
                if part and not re.fullmatch(r"[0-9]{1,4}(-[0-9]{1,4})?", part):
                    raise self.wrong(name, "must be a list of VLANs, 0 to 4095")
                first, _, last = part.partition("-")
                if part:
                    found.update(range(int(first), int(last or first) + 1))
        if found and max(found) > 4095:
            raise self.wrong(name, "must be a list of VLANs, 0 to 4095")
        return sorted(found)

    def mac(self, *names: str) -> str | None:
        """The first of these properties that says something, as a MAC; None if none is one."""
        _, value = self._first(names)
        return mac(value) if isinstance(value, str) else None

    def guid(self, *names: str) -> str | None:
        """The last GUID in the first of these properties that says something."""
        _, value = self._first(names)
        found = guids(value) if isinstance(value, str) else []
        return found[-1] if found else None

    def address(self, *names: str, macs: bool) -> str:
        """One side of an ACL: ANY, an address, a CIDR or, where `macs` may be, a MAC.

        Raises:
            WrongValueError: it is none of them.
        """
        name, value = self._first(names)
        text = str(value).strip() if value is not None else ""
        if text.upper() in ("", "*", "ANY"):
            return "ANY"
        if macs and MAC.fullmatch(text):
            return re.sub(r"[-:. ]", "", text).lower()
        try:
            network = ipaddress.ip_network(text.partition("%")[0], strict=False)
        except ValueError:
            kinds = "ANY, an address, a CIDR or a MAC" if macs else "ANY, an address or a CIDR"
            raise self.wrong(name, f"must be {kinds}") from None
        whole = network.prefixlen == network.max_prefixlen
        return str(network.network_address) if whole else str(network)

    def ports(self, name: str) -> str:
        """The ports of an extended ACL: ANY, a number, a range, or several with commas."""
        _, value = self._first([name])
        text = re.sub(r"\s", "", ",".join(str(item) for item in listed(value))).upper()
        if text in ("", "*", "ANY"):
            return "ANY"
        if not PORTS.fullmatch(text) or any(int(port) > 65535 for port in re.findall(r"\d+", text)):
            raise self.wrong(name, "must be ANY, a port or a range of ports")
        return text

    def row(self, name: str) -> Row | None:
        """An object inside, such as VlanSetting."""
        value = self.values.get(name.lower())
        return Row(f"{self.place}.{name}", value) if isinstance(value, Mapping) else None

    def rows(self, name: str) -> Iterator[Row]:
        """Objects inside, such as AclList."""
        for at, value in enumerate(listed(self.values.get(name.lower()))):
            if isinstance(value, Mapping):
                yield Row(f"{self.place}.{name}[{at + 1}]", value)


Tables = Mapping[str, list[Row]]  # rows by the cmdlet that returned them


def table(cmdlet: str, value: object) -> list[Row]:
    """What a cmdlet returned, as rows.

    Raises:
        WrongValueError: these are not objects.
    """
    rows = []
    for at, item in enumerate(listed(value)):
        if item is None or item == "":  # a cmdlet that returned nothing
            continue
        if not isinstance(item, Mapping):
            raise WrongValueError(f"{cmdlet}[{at + 1}]: {shown(item)} must be an object with properties")
        rows.append(Row(f"{cmdlet}[{at + 1}]", item))
    return rows
