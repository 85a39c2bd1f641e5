"""Plain LZ77, as Windows compresses the buffers of a trace; never more output than asked for.

Source: MS-XCA 2.4 (LZ77 Decompression Algorithm). dissect.util has it too, but without a limit: there ten bytes may
become four gigabytes.
"""

from __future__ import annotations

SHORTEST = 3  # bytes that a match stands for


def decompress(data: bytes, limit: int) -> tuple[bytes, bool]:
    """Decompresses what is there, up to `limit` bytes.

    Returns:
        The bytes, and whether the data ended where it should: false if it is cut off or is no such data.
    """
    out = bytearray()
    at, size, half = 0, len(data), -1  # half: where a byte lies whose upper half is the next length
    try:
        while at < size and len(out) < limit:
            flags = data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24
            at += 4
            if not flags:
                out += data[at : at + 32]
                at += 32
                continue
            for bit in range(31, -1, -1):
                if not flags >> bit & 1:
                    out.append(data[at])
                    at += 1
                    continue
                if at == size:  # the flags behind the end are set
                    return bytes(out[:limit]), True
                match = data[at] | data[at + 1] << 8
                at += 2
                back, length = (match >> 3) + 1, match & 7
                if length == 7:
                    if half < 0:
                        half = at
                        length = data[at] & 15
                        at += 1
                    else:
                        length = data[half] >> 4
                        half = -1
                    if length == 15:
                        length = data[at]
                        at += 1
                        if length == 255:
                            length = data[at] | data[at + 1] << 8
                            at += 2
                            if not length:
                                length = int.from_bytes(data[at : at + 4], "little")
                                at += 4
                            if length < 22:
                                return bytes(out[:limit]), False
                            length -= 22
                        length += 15
                    length += 7
                length = min(length + SHORTEST, max(limit - len(out), 0))
                start = len(out) - back
                if start < 0:
                    return bytes(out[:limit]), False
                if length <= back:
                    out += out[start : start + length]
                else:  # the match runs into what it makes
                    out += (bytes(out[start:]) * (length // back + 1))[:length]
                if len(out) >= limit:
                    break
    except IndexError:
        return bytes(out[:limit]), False
    return bytes(out[:limit]), len(out) == limit
