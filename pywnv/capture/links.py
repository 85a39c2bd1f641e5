"""Link headers that the engine understands, by the numbers that files and Wireshark give them.

Sources: tcpdump.org/linktypes.html; Wireshark's wiretap/wtap.h (WTAP_ENCAP_*).
"""

from __future__ import annotations

UNKNOWN = "unknown"

ETHERNET, RAW, WIFI = 1, 101, 105  # LINKTYPE_*
USER0 = 147  # for what has no number

# kind, as the engine names it: (LINKTYPE_* in files, WTAP_ENCAP_* in frame.encap_type)
LINKS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "ethernet": ((1,), (1,)),
    "raw": ((12, 14, 101, 228, 229), (7, 129, 130)),
    "wifi": ((105,), (20,)),
    "radiotap": ((127,), (23,)),
    "sll": ((113,), (25,)),
    "sll2": ((276,), (210,)),
    "null": ((0, 108), (15, 174)),
    # Events, which engine/record.lua reads.
    "etw": ((290,), (212,)),
    "netevent": ((), (187,)),
}

KIND_OF_LINKTYPE = {number: kind for kind, (numbers, _) in LINKS.items() for number in numbers}
KIND_OF_ENCAP = {number: kind for kind, (_, numbers) in LINKS.items() for number in numbers}
