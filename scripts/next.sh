#!/bin/sh
# next.sh SUITE DIR [PACKAGE]: unpacks the tshark of another Debian suite into DIR, or what else PACKAGE has with it;
# the commands in DIR/bin run it beside the system's.
set -eu
suite=$1 dir=$2 package=${3:-tshark}

mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | awk '
    $1 == "URIs:" { print $2; exit }
    $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; exit } }')

mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM

# chrootless: extracting runs nothing of the suite, so it needs neither root nor mounts.
# Check-Valid-Until: sid's index counts as expired after a week, and a test machine's mirror or clock may lag.
mmdebstrap --mode=chrootless --variant=extract --include="tshark,$package" \
    --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$new" "${mirror:-http://deb.debian.org/debian}"

mkdir "$new/bin" "$new/home"
for tool in wireshark tshark dumpcap sharkd capinfos editcap mergecap reordercap text2pcap; do
    [ -x "$new/usr/bin/$tool" ] || continue
    cat >"$new/bin/$tool" <<'EOF'
#!/bin/sh
# Runs the command of this name from the suite unpacked here, with that suite's libraries.
root=${0%/bin/*}
loader=$(echo "$root"/usr/lib/*/ld-linux*)
libraries=${loader%/*}
export WIRESHARK_DATA_DIR="$root/usr/share/wireshark"
export WIRESHARK_PLUGIN_DIR="${WIRESHARK_PLUGIN_DIR:-$libraries/wireshark/plugins}"
export QT_PLUGIN_PATH="$libraries/qt6/plugins" FONTCONFIG_PATH=/etc/fonts
private="$libraries/pulseaudio:$libraries/libproxy:$libraries/blas:$libraries/lapack"
set -- "$loader" --library-path "$libraries:$private" "$root/usr/bin/${0##*/}" "$@"
if [ "$(id -u)" = 0 ] && [ -z "${PYWNV_KEEP_ROOT:-}" ]; then
    # As root, Wireshark 4.4 and later skip Lua scripts in silence: be nobody, who may still use root's private files.
    set -- setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+dac_override --ambient-caps=+dac_override "$@"
    # Root's own settings stay out; a home that a test made is kept.
    [ "${HOME:-/root}" != /root ] || export HOME="$root/home"
fi
exec "$@"
EOF
    chmod 755 "$new/bin/$tool"
done

# To read from an extcap, tshark runs the dumpcap beside the loader, and the extcap in a folder that must be there.
for libraries in "$new"/usr/lib/*-linux-gnu*; do
    printf '#!/bin/sh\nexec "${0%%/usr/lib/*}/bin/dumpcap" "$@"\n' >"$libraries/dumpcap"
    chmod 755 "$libraries/dumpcap"
    mkdir -p "$libraries/extcap/wireshark"
done

"$new/bin/tshark" --version | head -n 1
touch "$new/.done"
rm -rf "$dir"
mv "$new" "$dir"
