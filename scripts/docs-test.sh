#!/usr/bin/env bash
# Runs the commands of docs/operations.md in their order, in a simulated installation.
#
#   scripts/docs-test.sh [--on-this-machine] [BINARY]    default: target/debug/entra-assets; it needs the simulators
#
# A block is run if its fence says ```sh test. The commands are run as they stand there, in one shell. Microsoft and
# Atlassian are the simulators, and «db.example.com» is a PostgreSQL with TLS on this machine. Unless this machine may be
# changed (scripts/docs-test-debian.sh makes one that may), it is left alone:
# - paths below /etc, /usr/local, /usr/lib and /var are below a scratch folder, and port 8080 is a free one;
# - systemctl and systemd-sysusers are stand-ins. The one starts what the unit says: its command line, its variables, its
#   user without privileges (as root), its state directory and its stop signal. Its sandbox is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

document=docs/operations.md
is_real=false
if [ "${1:-}" = --on-this-machine ]; then is_real=true && shift; fi
binary=$(realpath "${1:-target/debug/entra-assets}")
scratch=$(mktemp -d)
root=$scratch/root # stands for /
if $is_real; then root=; fi
chmod 711 "$scratch"
export PATH=$scratch/stand-ins:$root/usr/local/bin:${PG_BIN_DIR:+$PG_BIN_DIR:}$PATH
mkdir -p "$scratch/stand-ins" "$scratch/postgres" "$root/etc/entra-assets" "$root/var/lib" "$scratch/log"

nobody=(env)
if [ "$(id -u)" = 0 ]; then nobody=(setpriv "--reuid=$(id -u nobody)" "--regid=$(id -g nobody)" --clear-groups env); fi

finish() {
    local status=$?
    if $is_real; then journalctl --no-pager --unit entra-assets >"$scratch/log/entra-assets" || true; fi
    systemctl stop entra-assets || true
    [ -f "$scratch/simulators.pid" ] && kill "$(cat "$scratch/simulators.pid")" || true
    [ -f "$scratch/postgres/data/postmaster.pid" ] &&
        "${nobody[@]}" pg_ctl --pgdata="$scratch/postgres/data" --mode=immediate stop >/dev/null || true
    [ $status = 0 ] || tail -n 15 "$scratch"/log/*
    rm -rf "$scratch"
    exit $status
}

# Text with the paths and the port of the scratch folder.
here() {
    if $is_real; then cat && return; fi
    sed -E "s#(^|[^[:alnum:]._~])/(etc|usr/local|usr/lib|var)/#\1$root/\2/#g; s#127\.0\.0\.1:8080#127.0.0.1:$port#g"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

make_stand_ins() {
    declare -f here >"$scratch/here.sh"
    cat >"$scratch/stand-ins/systemd-sysusers" <<'SH'
#!/bin/sh
SH
    cat >"$scratch/stand-ins/systemctl" <<SH
#!/usr/bin/env bash
# systemctl daemon-reload | enable --now UNIT | start UNIT | stop UNIT | restart UNIT
set -euo pipefail
is_real=false scratch=$scratch root=$root port=$port nobody=(${nobody[*]})
SH
    cat >>"$scratch/stand-ins/systemctl" <<'SH'
. "$scratch/here.sh"
command=$1 unit=${*: -1}
unit_file=$root/etc/systemd/system/${unit%.service}.service
pid_file=$scratch/$unit.pid

of_unit() { # KEY
    here <"$unit_file" | sed -n "s/^$1=//p"
}

start() {
    local state
    state=$root/var/lib/$(of_unit StateDirectory)
    mkdir -p "$state"
    chmod "$(of_unit StateDirectoryMode)" "$state"
    [ "$(id -u)" != 0 ] || chown -R nobody: "$state"
    {
        of_unit Environment | sed 's/^/export /'
        echo set -a
        here <"$(of_unit EnvironmentFile | sed 's/^-//')" | sed 's/^\([A-Z_]*\)=\([^"'"'"'].*\)/\1='"'\2'"'/'
        echo "ENTRA_ASSETS_LISTEN=127.0.0.1:$port"
        echo "exec $(of_unit ExecStart)"
    } >"$scratch/start.sh"
    chmod 644 "$scratch/start.sh"
    cd /
    run=("${nobody[@]}" -i "PATH=$PATH" "PG_BIN_DIR=${PG_BIN_DIR:-}" "ENTRA_ASSETS_LOGIN_URL=$ENTRA_ASSETS_LOGIN_URL" \
        "ENTRA_ASSETS_GRAPH_URL=$ENTRA_ASSETS_GRAPH_URL" "ENTRA_ASSETS_ASSETS_URL=$ENTRA_ASSETS_ASSETS_URL" \
        bash "$scratch/start.sh")
    if [ "$(of_unit Type)" = oneshot ]; then
        "${run[@]}"
    else
        "${run[@]}" >>"$scratch/log/$unit" 2>&1 </dev/null &
        echo $! >"$pid_file"
    fi
}

stop() {
    [ -f "$pid_file" ] || return 0
    kill -TERM "$(cat "$pid_file")" 2>/dev/null || true
    for _ in $(seq 300); do
        kill -0 "$(cat "$pid_file")" 2>/dev/null || { rm "$pid_file"; return 0; }
        sleep 0.2
    done
    echo "$unit did not stop" >&2
    return 1
}

case "$command $unit" in *.timer) exit ;; esac
case $command in
    daemon-reload) ;;
    start | enable) start ;;
    stop) stop ;;
    restart) stop && start ;;
    *) echo "this stand-in for systemctl does not know $command" >&2; exit 1 ;;
esac
SH
    chmod +x "$scratch"/stand-ins/*
}

start_simulators() {
    "$binary" simulate --login-port 0 --graph-port 0 --assets-port 0 --users 300 --groups 30 >"$scratch/log/simulators" 2>&1 &
    echo $! >"$scratch/simulators.pid"
    for _ in $(seq 150); do grep -q '^truth:' "$scratch/log/simulators" && break; sleep 0.2; done
    eval "$(grep '^export ENTRA_ASSETS_' "$scratch/log/simulators")"
    local tenant
    tenant=$(curl -sSf "$ENTRA_ASSETS_GRAPH_URL/_sim/tenants" | jq '.tenants[] | select(.name == "healthy")')
    TENANT_ID=$(jq -r .tenantId <<<"$tenant") CLIENT_ID=$(jq -r .clientId <<<"$tenant")
    CLIENT_SECRET=$(jq -r .clientSecret <<<"$tenant")
    IMPORT_TOKEN=$(curl -sSf "$ENTRA_ASSETS_ASSETS_URL/_sim" | jq -r '.sources[0].token')
    export TENANT_ID CLIENT_ID CLIENT_SECRET IMPORT_TOKEN
}

# «db.example.com»: its superuser connects by a socket, everybody else with TLS and a password. Its authority is in
# /etc/entra-assets/authorities.pem.
start_postgres() {
    local data=$scratch/postgres/data
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout "$scratch/authority.key" \
        -out "$root/etc/entra-assets/authorities.pem" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$scratch/postgres/server.key" 2>/dev/null |
        openssl x509 -req -days 2 -CA "$root/etc/entra-assets/authorities.pem" -CAkey "$scratch/authority.key" \
            -CAcreateserial -extfile <(echo subjectAltName=DNS:localhost) -out "$scratch/postgres/server.pem" 2>/dev/null
    chmod 600 "$scratch/postgres/server.key"
    [ "$(id -u)" != 0 ] || chown -R nobody: "$scratch/postgres"
    "${nobody[@]}" initdb --pgdata="$data" --username=postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 \
        >"$scratch/log/initdb" 2>&1
    printf 'local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhostssl all all ::1/128 scram-sha-256\n' |
        "${nobody[@]}" tee "$data/pg_hba.conf" >/dev/null
    local port
    port=$(free_port)
    "${nobody[@]}" pg_ctl --pgdata="$data" --wait --log="$scratch/postgres/log" start --options="-p $port -k $scratch/postgres \
        -c listen_addresses=localhost -c ssl=on -c ssl_cert_file=$scratch/postgres/server.pem \
        -c ssl_key_file=$scratch/postgres/server.key" >/dev/null
    export PGHOST=$scratch/postgres PGPORT=$port PGUSER=postgres DATABASE_HOST=localhost:$port
}

# The commands of the document. Each block says where it stands, and when it runs.
commands() {
    awk -v document="$document" '
        /^```sh test$/ { tested = 1; printf "echo \"== %s:%d, after $SECONDS s\"\n", document, NR; next }
        /^```/ { tested = 0 }
        tested { print }' "$document"
}

if $is_real; then port=8080; else port=$(free_port) && make_stand_ins; fi
trap finish EXIT
mkdir "$scratch/release"
cp -R deploy examples "$scratch/release/"
cp "$binary" "$scratch/release/entra-assets"
start_simulators
start_postgres
if $is_real; then
    mkdir -p /etc/systemd/system/entra-assets.service.d
    printf '[Service]\nEnvironment=ENTRA_ASSETS_LOGIN_URL=%s ENTRA_ASSETS_GRAPH_URL=%s ENTRA_ASSETS_ASSETS_URL=%s\n' \
        "$ENTRA_ASSETS_LOGIN_URL" "$ENTRA_ASSETS_GRAPH_URL" "$ENTRA_ASSETS_ASSETS_URL" \
        >/etc/systemd/system/entra-assets.service.d/simulators.conf
fi
{ echo 'set -euo pipefail'; commands | here; } >"$scratch/commands.sh"
[ "$(grep -c '^echo "== ' "$scratch/commands.sh")" -gt 10 ] || { echo "$document has too few tested blocks" >&2; exit 1; }
(cd "$scratch/release" && env -u ENTRA_ASSETS_DATA_DIR -u DATABASE_URL bash "$scratch/commands.sh")
echo "docs: every tested command of $document succeeded"
