#!/usr/bin/env bash
# Tests that take too long for every change: those marked `#[ignore]` whose path contains `soak`, property tests with
# many cases, all benchmarks, load, and the operating document in a fresh Debian.
#
#   scripts/soak.sh [FILTER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PROPTEST_CASES=${PROPTEST_CASES:-20000}
cargo test --locked --release --test it -- --ignored "${1:-soak}" --nocapture --test-threads 1
cargo test --locked --release --lib -- "${1:-}"
cargo bench --locked --package entra-assets --bench filter
scripts/bench.sh large
scripts/load.py target/release/entra-assets
# The steps of docs/operations.md in a fresh Debian with systemd.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then scripts/docs-test-debian.sh target/release/entra-assets; fi
