"""The command line, for `python -m pywnv`: where the folder of installed commands is not in PATH."""

from __future__ import annotations

from pywnv.cli.main import main

if __name__ == "__main__":  # not in the processes that a command starts
    main()
