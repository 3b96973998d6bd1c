# The commands of this repository. Each installs the tools that it needs and does not find.
#
#   make demo [ARGS=…]   run the service with simulators and show one import; ARGS="--exit" exits after it
#   make console         build the console, which the service then serves at /console; needs Node.js 20.19
#   make test            check formatting, lints and documentation, and run all tests
#   make contract        check the OpenAPI document with linters, a fuzzer and generated clients, deploy/, and the dependencies
#   make docs-test       run the commands of docs/operations.md in a simulated installation
#   make docs-test-debian  the same in a fresh Debian with systemd, as root; ARGS=BINARY for a released program
#   make soak            run the tests that take long: kills, fuzzing, large directories
#   make bench           measure runs and filters; ARGS="--users 20000 …" for one measurement of runs
#   make screenshots     make the pictures of the documents anew, from the simulators
#   make openapi         regenerate openapi/ and docs/errors.md
#   make openapi-release mark the current OpenAPI document as released: callers may rely on it
#   make image           build the container image

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help screenshots console demo test fmt lint doc check-all contract docs-test docs-test-debian soak bench openapi openapi-release image

ARGS ?=
CARGO ?= cargo
# Test runs of one checkout share a PostgreSQL; see tests/it/support/postgres.rs.
WITH_POSTGRES := export PG_BIN_DIR="$$(scripts/postgres-binaries.sh)";

help:
	@sed -n 's/^#   //p' Makefile

console:
	@scripts/console.sh

demo:
	@$(WITH_POSTGRES) scripts/console.sh --if-possible; $(CARGO) build --quiet --locked && target/debug/entra-assets demo $(ARGS)

test: fmt lint doc
	@$(WITH_POSTGRES) scripts/test.sh

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --all-targets --quiet -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items --quiet

contract:
	@$(WITH_POSTGRES) scripts/contract.sh $(ARGS)

docs-test:
	@$(WITH_POSTGRES) $(CARGO) build --quiet --locked && scripts/docs-test.sh

docs-test-debian:
	@$(if $(ARGS),,$(CARGO) build --quiet --locked &&) scripts/docs-test-debian.sh $(ARGS)

screenshots:
	@$(WITH_POSTGRES) scripts/contract.sh --screenshots

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
