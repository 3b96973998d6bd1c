#!/usr/bin/env bash
# Every test: with nextest where it is installed, else with cargo itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Where the tests note which operations of the API they called.
rm -rf "${CARGO_TARGET_DIR:-target}/tmp/operations"
cargo test --locked --quiet --doc
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast
else
    cargo test --locked --all-targets --no-fail-fast
fi
cargo test --locked --quiet --test it support::recorder::every_operation_was_called -- --ignored --exact
