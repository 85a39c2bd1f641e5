"""Builds what a release offers: the wheel, the source distribution, and the zip of plugin and profiles, in dist/."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from pywnv import __version__
from pywnv.generate.project import differing

PROJECT = Path(__file__).parent.parent
DIST = PROJECT / "dist"
OLDEST_DATE = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes
README = f"""\
pywnv {__version__}: the plugin and the profiles for Wireshark 4.0 and newer.
Neither Python nor administrator rights are needed.

1. Start Wireshark and open Help > About Wireshark > Folders. A double click on
   a folder there opens it.

2. Copy the file plugins/wnv.lua of this zip into the folder that Wireshark
   calls "Personal Lua Plugins". Create the folder if it does not exist. Do not
   rename the file.

3. Copy the four folders in profiles/ of this zip into the folder "profiles" in
   the one that Wireshark calls "Personal configuration". Create the folder
   "profiles" if it does not exist.

   On Windows both places are usually in %APPDATA%\\Wireshark, so that you can
   unpack this zip right there.

4. Restart Wireshark, open a capture, and choose the profile WNV: click on
   "Profile" at the lower right of the window.

To remove it, delete wnv.lua and the four folders whose names begin with WNV.

When Wireshark 4.4 or newer runs as root, it loads no Lua plugins: run it as an
ordinary user. What the columns, colours and buttons mean is described in
docs/profiles.md of the project.
"""


def plugin_zip() -> bytes:
    """The zip for people without Python; its layout is that of Wireshark's folder on Windows."""
    files = {"README.txt": README.replace("\n", "\r\n").encode("ascii")}
    files["LICENSE.txt"] = (PROJECT / "LICENSE").read_bytes()
    files["plugins/wnv.lua"] = (PROJECT / "lua" / "wnv.lua").read_bytes()
    for path in sorted((PROJECT / "profiles").rglob("*")):
        if path.is_file():
            files[path.relative_to(PROJECT).as_posix()] = path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, OLDEST_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def main() -> int:
    old = list(differing(PROJECT))
    if old:
        print(f"{old[0]}: differs from what the tables give; run `make generate` first", file=sys.stderr)
        return 2
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(DIST)], cwd=PROJECT, check=True)
    target = DIST / f"pywnv-plugin-{__version__}.zip"
    target.write_bytes(plugin_zip())
    print(target.relative_to(PROJECT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
