#!/usr/bin/env bash
# Checks the OpenAPI document and the licences with common tools.
#
#   scripts/contract.sh [STEP…]
#   scripts/contract.sh --screenshots    make the pictures of the documents
#
# A step is a function `step_<name>`. It calls `skip WHAT WHY` when a tool cannot be installed; that fails unless
# .ci/may-skip lists WHAT. Tools are installed into target/contract.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$PWD/target/contract
document=openapi/openapi.json
log=$tools/log
passed=0 failed=0 skipped=0
mkdir -p "$tools" "$log"

# shellcheck source=scripts/contract/steps.sh
. scripts/contract/steps.sh
# shellcheck source=scripts/contract/deploy.sh
. scripts/contract/deploy.sh

SKIPPED=75 # a step's exit status when it was skipped (EX_TEMPFAIL)

skip() { # WHAT WHY
    echo "SKIPPED $1 $2"
    if grep -qxF -- "$1" .ci/may-skip; then exit $SKIPPED; fi
    echo "$1 is not listed in .ci/may-skip, so it may not be skipped" >&2
    exit 1
}

# Installs a package of the system, if that is allowed.
install_package() { # PACKAGE
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; } \
        >"$log/install.$1" 2>&1
}

need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || install_package "$2"
}

npm_install() { # FOLDER [PACKAGE…]
    need npm npm && npm install --silent --no-fund --no-audit --prefix "$@" >&2
}

# The folder with the commands of npm packages, installed if they are missing: npm_tools FOLDER PACKAGE@VERSION…
npm_tools() {
    local prefix=$tools/npm/$1 wanted="${*:2}"
    if [ "$(cat "$prefix/installed" 2>/dev/null)" != "$wanted" ]; then
        npm_install "$prefix" --no-save "${@:2}" || return 1
        echo "$wanted" >"$prefix/installed"
    fi
    echo "$prefix/node_modules/.bin"
}

# The folder with the commands of Python packages in an environment of their own, installed if they are missing:
# python_tools FOLDER PACKAGE==VERSION…
python_tools() {
    local env=$tools/python/$1 wanted="${*:2}"
    if [ "$(cat "$env/installed" 2>/dev/null)" != "$wanted" ]; then
        need python3 python3 || return 1
        python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv || return 1
        python3 -m venv --clear "$env" >&2 && "$env/bin/pip" install --quiet "${@:2}" >&2 || return 1
        echo "$wanted" >"$env/installed"
    fi
    echo "$env/bin"
}

# The path of a command of a crate, built if it is missing: cargo_tool CRATE@VERSION COMMAND
cargo_tool() {
    local root=$tools/cargo
    if command -v "$2"; then return; fi
    [ -x "$root/bin/$2" ] || cargo install --quiet --locked --debug --root "$root" "$1" >&2 || return 1
    echo "$root/bin/$2"
}

# The path of a command of a Debian package: of the system, otherwise unpacked from the package without installing it, so
# that no server is started: debian_tool PACKAGE COMMAND [PACKAGE OF A LIBRARY]…
debian_tool() {
    if type -P "$2"; then return; fi
    local dir=$tools/debian/$1
    if [ ! -d "$dir/usr" ]; then
        mkdir -p "$dir"
        (cd "$dir" && { apt-get download -qq "$1" "${@:3}" || { apt-get update -qq && apt-get download -qq "$1" "${@:3}"; }; } &&
            for file in *.deb; do dpkg-deb --extract "$file" . || exit 1; done) >"$log/install.$1" 2>&1 ||
            { echo "$2 is needed: the Debian package $1 has it" >&2; return 1; }
    fi
    find "$dir/usr" -path "*bin/$2" -type f | grep . || { echo "the package $1 has no $2" >&2; return 1; }
}

# Waits until PROCESS has written a line with PATTERN to FILE.
wait_for() { # PROCESS PATTERN FILE
    for _ in $(seq 300); do
        grep --quiet -- "$2" "$3" && return
        kill -0 "$1" 2>/dev/null || break
        sleep 0.2
    done
    echo "the process did not start:" >&2
    tail -20 "$3" >&2
    return 1
}

# Starts both simulators and the service with an empty database, on free ports; exports what the
# examples need: API_URL, API_KEY, TENANT_ID, CLIENT_ID, CLIENT_SECRET, IMPORT_TOKEN. Everything is stopped at the end of the step.
start_service() {
    if ! need jq jq || ! need curl curl; then
        echo "jq and curl are needed: install them" >&2
        return 1
    fi
    local dir
    dir=$(mktemp -d)
    chmod 711 "$dir" # the embedded database may run as another user
    # What an earlier service wrote must not be taken for what this one says.
    : | tee "$log/simulate.log" >"$log/serve.log"
    target/debug/entra-assets simulate --login-port 0 --graph-port 0 --assets-port 0 --users 300 --groups 30 \
        >"$log/simulate.log" 2>&1 &
    local simulators=$!
    # shellcheck disable=SC2064 # the current values are meant
    trap "kill $simulators 2>/dev/null; rm -rf '$dir'" EXIT
    wait_for $simulators '^truth:' "$log/simulate.log" || return
    eval "$(grep '^export ENTRA_ASSETS_' "$log/simulate.log")"
    local tenant
    tenant=$(curl --silent --fail "$ENTRA_ASSETS_GRAPH_URL/_sim/tenants" | jq '.tenants[] | select(.name == "healthy")')
    TENANT_ID=$(jq -r .tenantId <<<"$tenant") CLIENT_ID=$(jq -r .clientId <<<"$tenant")
    CLIENT_SECRET=$(jq -r .clientSecret <<<"$tenant")
    IMPORT_TOKEN=$(curl --silent --fail "$ENTRA_ASSETS_ASSETS_URL/_sim" | jq -r '.sources[0].token')
    API_KEY=contract-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

    ENTRA_ASSETS_DATA_DIR=$dir ENTRA_ASSETS_ADMIN_KEY=$API_KEY ENTRA_ASSETS_LISTEN=127.0.0.1:${CONTRACT_PORT:-0} \
        target/debug/entra-assets serve >"$log/serve.log" 2>&1 &
    local service=$!
    # shellcheck disable=SC2064 # the current values are meant
    trap "kill $service $simulators 2>/dev/null; wait $service 2>/dev/null; rm -rf '$dir'" EXIT
    wait_for $service '^entra-assets answers at' "$log/serve.log" || return
    API_URL=$(sed -n 's/^entra-assets answers at \([^,]*\),.*/\1/p' "$log/serve.log")
    export API_URL API_KEY TENANT_ID CLIENT_ID CLIENT_SECRET IMPORT_TOKEN SERVICE_DATA_DIR=$dir
}

# Runs COMMAND too when the step ends, before what was to be done already.
at_exit() { # COMMAND
    local before
    eval "before=($(trap -p EXIT))" # trap -- COMMANDS EXIT
    # shellcheck disable=SC2064 # the current values are meant
    trap "$1; ${before[2]-}" EXIT
}

# A call of the service's API: call PATH [CURL OPTION…]
call() {
    curl --silent --show-error --fail-with-body --header "Authorization: Bearer $API_KEY" "$API_URL/v1$1" "${@:2}"
}

# Whether every object of the simulated directory was read, was delivered, and is in the simulated Assets.
everything_arrived() {
    local run directory assets
    run=$(call '/runs?limit=1' | jq -c '.items[0]')
    directory=$(curl --silent "$ENTRA_ASSETS_GRAPH_URL/_sim/truth")
    assets=$(curl --silent "$ENTRA_ASSETS_ASSETS_URL/_sim/counts")
    jq -n -r --argjson run "$run" --argjson directory "$directory" --argjson assets "$assets" '
        [["users", "Entra User"], ["groups", "Entra Group"], ["licenses", "Entra License"]] | map(
            {type: .[0], directory: $directory[.[0]], read: $run.counts[.[0]].read,
             created: $run.counts[.[0]].created, assets: $assets.objects[.[1]]}) |
        (.[] | "\(.type): \(.directory) in the directory, \(.read) read, \(.created) created, \(.assets) in Assets"),
        (if $run.state == "succeeded" and all(.[]; .directory > 0 and ([.directory, .read, .created, .assets] | unique | length) == 1)
         then empty else "the counts differ, or the run did not succeed" | halt_error(1) end)'
}

run_step() {
    echo "== $1"
    # In its own shell: a step may leave with `exit`, and its traps stop what it started.
    (set -e; "step_$1")
    case $? in
        0) passed=$((passed + 1)) ;;
        "$SKIPPED") skipped=$((skipped + 1)) ;;
        *) failed=$((failed + 1)); echo "FAILED $1" ;;
    esac
}

cargo build --locked --quiet || exit 1
if [ "${1:-}" = --screenshots ]; then (set -e; screenshots); exit; fi
if [ $# -gt 0 ]; then steps=("$@"); else mapfile -t steps < <(declare -F | sed -n 's/^declare -f step_//p'); fi
for step in "${steps[@]}"; do run_step "$step"; done
echo "contract: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
