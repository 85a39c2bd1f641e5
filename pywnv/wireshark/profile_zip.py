"""The profiles as a zip, for Wireshark's own import."""

from __future__ import annotations

import io
import zipfile

from pywnv.generate.profiles import profile_texts

OLDEST_DATE = (1980, 1, 1, 0, 0, 0)  # the same profiles give the same bytes


def profiles_zip(*, deinterlace: bool) -> bytes:
    """A zip with one folder for each profile, as Edit > Configuration Profiles > Import wants it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in profile_texts(deinterlace=deinterlace).items():
            entry = zipfile.ZipInfo(name, OLDEST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode())
    return buffer.getvalue()
