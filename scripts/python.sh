#!/bin/sh
# python.sh: prints the first Python here that is new enough for pywnv and can make a venv.
set -eu

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        "$name" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        command -v "$name"
        return
    done
    return 1
}

find_python && exit
# python3-venv has no command of its own, so this always installs it.
"$(dirname "$0")/need.sh" python3-venv
find_python && exit
echo "pywnv needs Python 3.11 or newer with its venv module; none is in PATH." >&2
exit 2
