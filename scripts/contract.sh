#!/usr/bin/env bash
# The OpenAPI document and the licences against the tools that others use.
#
#   scripts/contract.sh [STEP…]
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

SKIPPED=75 # a step's exit status when it was skipped (EX_TEMPFAIL)

skip() { # WHAT WHY
    echo "SKIPPED $1 $2"
    if grep -qxF -- "$1" .ci/may-skip; then exit $SKIPPED; fi
    echo "$1 is not listed in .ci/may-skip, so it may not be skipped" >&2
    exit 1
}

# The path of a command of an npm package, installed if it is missing: npm_tool PACKAGE@VERSION COMMAND
npm_tool() {
    command -v npm >/dev/null || return 1
    local prefix=$tools/npm/${1//[^A-Za-z0-9.]/_}
    [ -x "$prefix/node_modules/.bin/$2" ] ||
        npm install --silent --no-fund --no-audit --no-save --prefix "$prefix" "$1" >&2 || return 1
    echo "$prefix/node_modules/.bin/$2"
}

# The path of a command of a Python package, in an environment of its own: python_tool PACKAGE==VERSION COMMAND
python_tool() {
    command -v python3 >/dev/null || return 1
    local env=$tools/python/${1//[^A-Za-z0-9.]/_}
    if [ ! -x "$env/bin/$2" ]; then
        python3 -m venv "$env" >&2 && "$env/bin/pip" install --quiet "$1" >&2 || return 1
    fi
    echo "$env/bin/$2"
}

# The path of a command of a crate, built if it is missing: cargo_tool CRATE@VERSION COMMAND
cargo_tool() {
    local root=$tools/cargo
    if command -v "$2"; then return; fi
    [ -x "$root/bin/$2" ] || cargo install --quiet --locked --debug --root "$root" "$1" >&2 || return 1
    echo "$root/bin/$2"
}

# Starts the service with an empty database and both simulators; sets base_url and admin_key. Ends with the step.
start_service() {
    local dir
    dir=$(mktemp -d)
    chmod 711 "$dir"
    admin_key=contract-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    local port=${CONTRACT_PORT:-18080}
    base_url=http://127.0.0.1:$port
    ENTRA_ASSETS_DATA_DIR=$dir ENTRA_ASSETS_ADMIN_KEY=$admin_key ENTRA_ASSETS_LISTEN=127.0.0.1:$port "$@" \
        target/debug/entra-assets serve >"$log/serve.log" 2>&1 &
    service=$!
    # shellcheck disable=SC2064 # the values of now are meant
    trap "kill $service 2>/dev/null; wait $service 2>/dev/null; rm -rf '$dir'" EXIT
    for _ in $(seq 300); do
        curl --silent --fail --max-time 2 "$base_url/readyz" >/dev/null && return
        kill -0 $service 2>/dev/null || break
        sleep 0.2
    done
    echo "the service did not become ready:" >&2
    tail -20 "$log/serve.log" >&2
    return 1
}

run_step() {
    echo "== $1"
    # In a shell of its own: a step may leave with `exit`, and its traps end what it started.
    (set -e; "step_$1")
    case $? in
        0) passed=$((passed + 1)) ;;
        "$SKIPPED") skipped=$((skipped + 1)) ;;
        *) failed=$((failed + 1)); echo "FAILED $1" ;;
    esac
}

cargo build --locked --quiet || exit 1
if [ $# -gt 0 ]; then steps=("$@"); else mapfile -t steps < <(declare -F | sed -n 's/^declare -f step_//p'); fi
for step in "${steps[@]}"; do run_step "$step"; done
echo "contract: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
