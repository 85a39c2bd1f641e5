"""The command `pywnv`, and `python -m pywnv` for where the folder of installed commands is not in PATH."""

from __future__ import annotations

import sys


def main() -> None:
    """Loads the command line and runs it: Ctrl-C while it loads ends it without a word, too."""
    try:
        import typer  # noqa: F401 - a checkout may not be installed yet

        from pywnv.cli.main import main as run
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        print(f"pywnv: not installed for {sys.executable}: see README.md, Three ways in", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":  # not in the processes that a command starts
    main()
