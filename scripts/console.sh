#!/usr/bin/env bash
# Builds the console into console/dist, from which the service serves it.
#
#   scripts/console.sh [--if-possible]
#
# Nothing is built again if no source changed. With --if-possible a machine that cannot build it is told so, and that
# is no error.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() {
    find console openapi/openapi.json -path console/node_modules -prune -o -path console/dist -prune \
        -o -path console/src/api/schema.ts -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

give_up() { # WHY
    if [ "${1:-}" = --if-possible ]; then
        echo "The console is not built: $2. The service works without it." >&2
        exit 0
    fi
    echo "The console cannot be built: $2." >&2
    exit 1
}

mode=${1:-}
current=$(sources)
[ "$(cat console/node_modules/.built 2>/dev/null)" = "$current" ] && [ -f console/dist/index.html ] && exit 0
if ! command -v npm >/dev/null || ! node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
    give_up "$mode" "Node.js 20.19 or newer with npm is not installed"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Building the console…"
(cd console && npm ci --silent --no-fund --no-audit) >"$log" 2>&1 ||
    { tail -5 "$log" >&2; give_up "$mode" "its npm packages could not be installed"; }
(cd console && npm run build) >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "$current" >console/node_modules/.built
