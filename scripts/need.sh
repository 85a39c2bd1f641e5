#!/bin/sh
# need.sh PACKAGE[=COMMAND]...: installs the packages whose command is missing or, where it may not, says which.
set -eu

missing=
for need; do
    command -v "${need#*=}" >/dev/null || missing="$missing ${need%%=*}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing here: please run \`apt-get install$missing\` as root, then try again." >&2
    exit 2
fi

echo "Installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # one word a package
apt-get -qq install --no-install-recommends $missing >/dev/null
