#!/usr/bin/env bash
# What takes too long for every change: the tests marked `#[ignore]` whose path has `soak`, property tests with
# many cases, and every benchmark once.
#
#   scripts/soak.sh [FILTER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PROPTEST_CASES=${PROPTEST_CASES:-20000}
cargo test --locked --release --test it -- --ignored "${1:-soak}" --nocapture --test-threads 1
cargo test --locked --release --lib -- "${1:-}"
cargo bench --locked
scripts/bench.sh large
