#!/usr/bin/env bash
# Runs the commands of docs/operations.md in a fresh Debian with a systemd of its own, in a container without a network:
# the steps of the document, the unit and its sandbox, as an operator meets them. Needs root, and a Debian or Ubuntu.
#
#   scripts/docs-test-debian.sh [BINARY]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

binary=$(realpath "${1:-target/debug/entra-assets}")
debian=$PWD/target/docs-test/debian
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

if ! { command -v debootstrap && command -v systemd-nspawn; } >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap systemd-container >&2
fi
if [ ! -f "$debian/complete" ]; then
    rm -rf "$debian" && mkdir -p "$debian"
    # What the document needs, and what the test itself does. No server starts: nothing in it is enabled.
    debootstrap --variant=minbase --include=ca-certificates,curl,jq,openssl,postgresql,python3-minimal,systemd bookworm \
        "$debian" >"$debian.log" 2>&1 || { tail "$debian.log"; exit 1; }
    chroot "$debian" systemctl disable --quiet postgresql
    touch "$debian/complete"
fi

cat >"$results/docs-test.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root PG_BIN_DIR=/usr/lib/postgresql/15/bin
ExecStart=/bin/sh -c 'bash /repository/scripts/docs-test.sh --on-this-machine /entra-assets >/results/output 2>&1; echo $? >/results/status'
ExecStopPost=/bin/systemctl poweroff
UNIT
# The files of the container are changed in memory only.
timeout 900 systemd-nspawn --quiet --register=no --keep-unit --private-network --volatile=overlay --directory="$debian" \
    --bind-ro="$PWD:/repository" --bind-ro="$binary:/entra-assets" --bind="$results:/results" \
    --bind-ro="$results/docs-test.service:/etc/systemd/system/docs-test.service" \
    --boot systemd.wants=docs-test.service >"$results/boot" 2>&1 || tail "$results/boot"
cat "$results/output"
[ "$(cat "$results/status")" = 0 ]
