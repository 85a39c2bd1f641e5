"""Takes the pictures of docs/report.md: reports as Chromium shows them, light, dark and on a phone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pywnv
from pywnv.host.loading import load

ROOT = Path(__file__).parent.parent
CAPTURES = Path("tests/captures")  # as a user would type it
DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
# Name, capture, what is known of the host, width, height, and what Chromium is told.
SHOTS = (
    ("report", "mix-loss.pcapng.gz", "lab.toml", 1180, 1560, ()),
    ("report-dark", "deep-dive/acl-drop-etl2pcapng.pcapng", "deep-dive/contoso01.toml", 1180, 1560, DARK),
    ("report-phone", "mix-loss.pcapng.gz", "lab.toml", 400, 1560, ()),
)


def main() -> None:
    if missing := [name for name in ("chromium", "convert") if not shutil.which(name)]:
        sys.exit(f"report pictures: missing here: {', '.join(missing)}; apt-get install chromium imagemagick")
    os.chdir(ROOT)
    for name, capture, host, width, height, options in SHOTS:
        target = ROOT / "docs" / f"{name}.png"
        with TemporaryDirectory() as folder:
            page, shot = Path(folder) / "page.html", Path(folder) / "shot.png"
            made = pywnv.report(CAPTURES / capture, topology=load(CAPTURES / host), title=Path(capture).name)
            page.write_text(made.html(), "utf-8")
            browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options]
            more = [
                f"--user-data-dir={folder}",
                f"--window-size={width},{height}",
                f"--screenshot={shot}",
                page.as_uri(),
            ]
            subprocess.run([*browser, *more], check=True, capture_output=True, timeout=60)
            # As screenshots.py does: the same bytes for the same picture.
            small = ["+dither", "-colors", "128", "-strip", "-define", "png:exclude-chunks=date,time"]
            subprocess.run(["convert", str(shot), *small, f"png8:{target}"], check=True)
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
