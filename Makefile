# What people do with Isle. Every target works from a fresh clone; CARGO_TARGET_DIR is respected.
#
# `v8` comes before anything that compiles: it puts the static V8 library where the v8 crate's build script looks, and is
# done in an instant when it is there already (runtime/v8/provision.sh says how).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

target := $(or $(CARGO_TARGET_DIR),target)
# arguments for the programs: make serve ARGS='…', make bench ARGS='--only isle --rounds 1'
ARGS ?=

.PHONY: help v8 serve test contract wpt lint bench bench-cold bench-fleet peers bundles programs clean-data

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

v8: ## Provide the static V8 library: cached, downloaded, or compiled (20 minutes, once)
	@runtime/v8/provision.sh

serve: v8 ## Build a release and run a node on loopback with example functions of two tenants
	@cargo build --release -p isle
	@exec "$(target)/release/isle" serve --demo $(ARGS)

# Plain cargo test, which runs one test program after the other: those in js-tests share one node among many tests, and
# some hold other tenants' latency against a clock.
test: v8 programs ## Run all tests
	@cargo test --workspace --no-fail-fast $(ARGS)

contract: v8 ## The handler contract as a table: one row a rule, with what came of it
	@cargo test --workspace --test contract $(ARGS)

wpt: v8 ## Run web-platform tests as functions of a node: make wpt WPT=<tree> [ARGS='url streams']
	@test -d "$(WPT)/resources" || { echo 'make wpt WPT=<a tree of web-platform-tests>' >&2; exit 2; }
	@WPT="$(abspath $(WPT))" cargo test --workspace --test wpt -- $(ARGS)

lint: v8 ## Formatting and clippy, warnings denied
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings

bench: v8 peers ## Measure warm requests beside the peers (5 minutes) into target/bench/warm.json
	@cargo build --release -p isle -p isle-bench
	@exec "$(target)/release/isle-bench" warm $(ARGS)

bench-cold: v8 peers bundles ## Measure cold starts beside workerd's Worker Loader (15 minutes) into target/bench/cold.json
	@cargo build --release -p isle -p isle-bench
	@exec "$(target)/release/isle-bench" cold $(ARGS)

bench-fleet: v8 ## Measure a node with 10,000 deployed functions (15 minutes) into target/bench/fleet.json
	@cargo build --release -p isle -p isle-bench
	@exec "$(target)/release/isle-bench" fleet $(ARGS)

bundles: peers
	@npm run --silent --prefix benches build

peers: benches/node_modules/.package-lock.json

benches/node_modules/.package-lock.json: benches/package.json benches/package-lock.json
	@npm ci --prefix benches --ignore-scripts --no-audit --no-fund
	@touch $@

# What js-tests/programs imports, from its lock file.
programs: js-tests/programs/node_modules/.package-lock.json

js-tests/programs/node_modules/.package-lock.json: js-tests/programs/package.json js-tests/programs/package-lock.json
	@command -v npm >/dev/null || { echo "make test needs npm and node (20 or newer) for js-tests/programs" >&2; exit 1; }
	@npm ci --prefix js-tests/programs --ignore-scripts --no-audit --no-fund
	@touch $@

clean-data: ## Remove the data of local nodes: deployments, tenants, tokens
	rm -rf isle-data
