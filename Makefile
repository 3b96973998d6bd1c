# The commands of this repository. Each installs what it needs and is missing.
#
#   make demo [ARGS=…]   everything running, the main job done while you watch; ARGS="--exit" does not stay
#   make test            formatting, lints, documentation, every test
#   make contract        the OpenAPI document against the linters, a fuzzer and generated clients
#   make soak            what takes long: kills, fuzzing, large directories
#   make bench           what runs and filters cost; ARGS="--users 20000 …" for one measurement of runs
#   make openapi         writes openapi/ and docs/errors.md anew
#   make openapi-release makes the document of today the one that callers may rely on
#   make image           the container image

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test fmt lint doc check-all contract soak bench openapi openapi-release image

ARGS ?=
CARGO ?= cargo
# Test runs of one checkout share a PostgreSQL; see tests/it/support/postgres.rs.
WITH_POSTGRES := export PG_BIN_DIR="$$(scripts/postgres-binaries.sh)";

help:
	@sed -n 's/^#   //p' Makefile

demo:
	@$(WITH_POSTGRES) $(CARGO) build --quiet --locked && target/debug/entra-assets demo $(ARGS)

test: fmt lint doc
	@$(WITH_POSTGRES) scripts/test.sh

fmt:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets --quiet -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items --quiet

contract:
	@$(WITH_POSTGRES) scripts/contract.sh $(ARGS)

soak:
	@$(WITH_POSTGRES) scripts/soak.sh $(ARGS)

bench:
	@$(WITH_POSTGRES) scripts/bench.sh $(ARGS)

openapi:
	@mkdir -p openapi docs
	@$(CARGO) run --quiet --locked -- openapi --write openapi
	@$(CARGO) run --quiet --locked -- openapi --errors >docs/errors.md.new && mv docs/errors.md.new docs/errors.md

openapi-release: openapi
	@cp openapi/openapi.json openapi/released.json
	@sed -i '/^- /d' openapi/breaking-changes.md

image:
	docker build --tag entra-assets .
