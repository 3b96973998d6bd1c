#!/usr/bin/env bash
# Runs all tests, with nextest where it is installed, otherwise with cargo test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tests record here which operations of the API they called.
rm -rf "${CARGO_TARGET_DIR:-target}/tmp/operations"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --no-fail-fast
else
    cargo test --locked --all-targets --no-fail-fast
fi
cargo test --locked --quiet --test it support::recorder::every_operation_was_called -- --ignored --exact
