"""The command line, for `python -m pywnv`: where the folder of installed commands is not in PATH."""

from __future__ import annotations

import sys

if __name__ == "__main__":  # not in the processes that a command starts
    try:
        import typer  # noqa: F401 - a checkout may not be installed yet
    except ModuleNotFoundError:
        print(f"pywnv: not installed for {sys.executable}: see README.md, Three ways in", file=sys.stderr)
        sys.exit(2)
    from pywnv.cli.main import main

    main()
