"""Makes pywnv/tables/data/drop_reasons.json from what Windows itself says of its drop reasons.

    python scripts/drop_reasons.py pktmon_maps.json pktmon_enums.json

pktmon_maps.json holds the value maps that pktmon's ETL files carry, by Windows build: {build: {"DropReason": {number:
text}}}; pktmon_enums.json the names in Microsoft's headers: {"PKTMON_DROP_REASON": {name: number}}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

DATA = Path(__file__).parent.parent / "pywnv" / "tables" / "data" / "drop_reasons.json"
PREFIX = "PktMonDrop_"

# Named in the headers, but in no map of the builds at hand. 29 reads so in Windows 10 1809.
TEXTS = {
    29: "Windows Network Virtualization error",
    801: "HTTP: Receive suppressed",
    996: "Network layer client discard",
}
# What the vmSwitch's own events say for the same number.
SPELLINGS = {34: ["Packet does not match the packet filter set on the destination NIC"]}
# Windows 10 1809 has these under other numbers.
NUMBERS_1809 = {201: 101, 202: 102, 203: 103, 204: 104, 401: 201, 402: 202, 403: 203, 404: 204}


def main() -> None:
    maps, enums = (json.loads(Path(path).read_text("utf-8")) for path in sys.argv[1:3])
    names = {number: name.removeprefix(PREFIX) for name, number in enums["PKTMON_DROP_REASON"].items()}
    texts = dict(TEXTS)
    for build in sorted(maps, key=int):  # the newest has the last word
        texts |= {int(number): text.strip() for number, text in maps[build]["DropReason"].items()}
    reasons = [
        {
            "number": number,
            "name": names.get(number),
            "text": texts[number],
            "spellings": SPELLINGS.get(number, []),
            "number_1809": NUMBERS_1809.get(number),
        }
        for number in sorted(texts)
    ]
    lines = ",\n".join(json.dumps(reason, ensure_ascii=False) for reason in reasons)
    DATA.write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
