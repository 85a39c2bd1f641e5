"""What is installed only on demand: how to get it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit


def install_command(extra: str, library: str) -> str:
    """The command that installs what is missing, for the way in which this pywnv was installed.

    Args:
        extra: of pyproject.toml, such as "etl".
        library: that it stands for; several with blanks between.
    """
    room = Path(sys.prefix)
    if (room / "pipx_metadata.json").exists():
        return f"pipx inject pywnv {library}"
    if (room / "uv-receipt.toml").exists():  # uv tool install
        return f"uv pip install --python '{sys.executable}' {library}"
    try:
        text = distribution("pywnv").read_text("direct_url.json")  # PEP 610: there is none from a package index
    except PackageNotFoundError:
        text = "{}"
    pip = "py -m pip" if sys.platform == "win32" else "pip"
    if text is None:
        return f"{pip} install 'pywnv[{extra}]'"
    origin = json.loads(text)
    if origin.get("dir_info", {}).get("editable"):
        return f"{pip} install -e '{unquote(urlsplit(origin['url']).path)}[{extra}]'"
    return f"{pip} install {library}"
