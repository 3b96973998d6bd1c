#!/usr/bin/env bash
# Measures imports, filters and the service beside its runs. docs/PERFORMANCE.md shows the results.
#
#   scripts/bench.sh                 a small import, and the benchmarks of filters
#   scripts/bench.sh large           the imports of docs/PERFORMANCE.md: half an hour
#   scripts/bench.sh load            start, queue and API
#   scripts/bench.sh --users 5000 …  one import; `entra-assets bench --help` names the options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --locked --release --quiet
bench() {
    echo "entra-assets bench $*"
    target/release/entra-assets bench "$@"
}

case "${1:-}" in
"")
    bench --users 2000 --groups 200 --memberships 20000
    cargo bench --locked --package entra-assets --bench filter
    ;;
large)
    bench --users 20000 --groups 2000 --memberships 200000
    bench --users 200000 --groups 20000 --memberships 2000000
    bench --users 50000 --groups 10000 --memberships 1000000 --latency-ms 80 --quota L
    # Every object type.
    bench --users 200000 --groups 20000 --memberships 2000000 --types all
    # Growth of the cost per record: the simulators have no quota, and this setting lifts the limit of the service.
    export ENTRA_ASSETS_GRAPH_UNITS=10000000
    bench --users 20000 --groups 2000 --memberships 200000 --steps full
    bench --users 200000 --groups 20000 --memberships 2000000 --steps full
    ;;
load) bench --load --users 20000 --groups 2000 --memberships 200000 ;;
*) bench "$@" ;;
esac
