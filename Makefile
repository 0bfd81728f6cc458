# Every task of this repository; `make help` lists them. CI calls the same targets.
# Recipes print what they do; a step that is up to date is not run again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
comma := ,
# Tests that share no machine time with a server whose doings they watch.
WITHOUT_SERVERS := tests/unit tests/exhaustive tests/simulation tests/test_scenarios.py tests/test_tidy.py
say = @printf '\033[1m==> %s\033[0m\n' $(1)

RUST_SOURCES := $(shell find crates proto -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.proto' \)) Cargo.toml Cargo.lock
REQUIREMENTS := requirements/bootstrap.txt requirements/dev.txt requirements/serving-api.txt

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: prerequisites
prerequisites:
	@PYTHON="$(PYTHON)" scripts/check-prerequisites

# A virtual environment inside the clone, with every dependency at its locked version.
$(VENV)/.installed: $(REQUIREMENTS) | prerequisites
	$(call say,"Python environment in $(VENV) (locked versions; about 400 MB the first time)")
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes --no-deps -r requirements/serving-api.txt
	@touch $@

# Other people's clients, each in an environment of its own, for tests.
$(VENV)/.clients: $(VENV)/.installed $(wildcard requirements/clients/*.txt) tests/clients/environment.py
	$(call say,"Other clients in target/clients (locked versions)")
	$(BIN)/python -m tests.clients.environment
	@touch $@

# The data plane, compiled for speed and installed in place.
$(VENV)/.extension: $(VENV)/.installed $(RUST_SOURCES) pyproject.toml
	$(call say,"Compiling the data plane (Rust; one to three minutes the first time)")
	VIRTUAL_ENV=$(CURDIR)/$(VENV) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin develop --release --locked --uv
	@touch $@

# The load generator that tests, demo and benchmarks use.
target/release/understudy-loadgen: $(RUST_SOURCES) | prerequisites
	$(call say,"Compiling the load generator")
	cargo build --release --locked --package understudy-loadgen
	@touch $@

.PHONY: setup
setup: prerequisites $(VENV)/.extension target/release/understudy-loadgen ## Install everything into this clone

.PHONY: demo
demo: setup ## The main job on real data: roll versions out, promote a good one, catch bad ones, go back
	$(call say,"Demo")
	$(BIN)/python -m examples.digits.demo

.PHONY: test
test: ## All checks and all tests
	@$(MAKE) --jobs=2 setup rust-test-build # two compilers and an installer, none of which keeps two cores busy
	@$(MAKE) rust-test
	@$(MAKE) --jobs=2 lint
	@$(MAKE) python-test

# Compiled apart: tests that wait for one another run with the machine to themselves.
.PHONY: rust-test-build
rust-test-build: prerequisites
	$(call say,"Compiling Rust tests")
	cargo test --locked --package understudy-dataplane --package understudy-loadgen --no-run

.PHONY: rust-test
rust-test: prerequisites ## Tests of the data plane alone (no Python, no TensorFlow)
	$(call say,"Rust tests")
	cargo test --locked --package understudy-dataplane --package understudy-loadgen

.PHONY: python-test
python-test: setup $(VENV)/.clients ## Tests in Python: unit, exhaustive, scenarios, simulation, live servers
	$(call say,"Python tests without servers$(comma) on every core")
	$(BIN)/python -m pytest --numprocesses=logical --dist=loadfile $(WITHOUT_SERVERS)
	$(call say,"Python tests with live servers$(comma) one after the other")
	$(BIN)/python -m pytest $(addprefix --ignore=,$(WITHOUT_SERVERS))

.PHONY: lint
lint: rust-lint python-lint ## Formatters, linters, types, import floors, the extension's stub

.PHONY: rust-lint
rust-lint: prerequisites
	$(call say,"Format and lint of Rust")
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: python-lint
python-lint: $(VENV)/.extension
	$(call say,"Format$(comma) lint and import floors of Python")
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(call say,"Types")
	$(BIN)/mypy
	$(BIN)/stubtest understudy.dataplane._native

.PHONY: format
format: $(VENV)/.installed ## Format everything
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: simulate
simulate: $(VENV)/.extension ## A million steps of each simulation; SEED=N replays one seed, with its trace
	$(BIN)/python -m tests.simulation.run --steps 1000 $(if $(SEED),--seed $(SEED),--seeds 1000)
	$(BIN)/python -m tests.simulation.rollouts.run --steps 1000 $(if $(SEED),--seed $(SEED),--seeds 1000)

.PHONY: bench
bench: setup ## Benchmarks; results go to benchmarks/results
	$(call say,"Benchmarks (about five minutes)")
	cargo bench --locked --package understudy-dataplane
	$(BIN)/python -m benchmarks.run

.PHONY: bench-life
bench-life: setup ## Benchmarks of changeovers, reloads, memory and polls; results go to benchmarks/results
	$(call say,"Benchmarks of the life of versions (about a quarter of an hour)")
	$(BIN)/python -m benchmarks.changeover
	$(BIN)/python -m benchmarks.reload
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.poll

.PHONY: bench-formats
bench-formats: setup ## Benchmarks of JSON, tensors in messages, compression; results go to benchmarks/results
	$(call say,"Benchmarks of formats (about two minutes)")
	$(BIN)/python -m benchmarks.formats

.PHONY: bench-batching
bench-batching: setup ## Benchmark of batches against requests one by one; results go to benchmarks/results
	$(call say,"Benchmark of batching (about five minutes)")
	$(BIN)/python -m benchmarks.batching

.PHONY: bench-rollouts
bench-rollouts: setup ## Benchmarks of what rollouts cost and how long harm lasts; results go to benchmarks/results
	$(call say,"Benchmarks of rollouts (about a quarter of an hour)")
	cargo bench --locked --package understudy-dataplane --bench trial_cost
	$(BIN)/python -m benchmarks.rollouts
	$(BIN)/python -m benchmarks.verdict

.PHONY: lock
lock: $(VENV)/.installed ## Lock the Python dependencies anew
	UV=$(BIN)/uv scripts/lock

.PHONY: clean
clean: ## Remove everything that these targets made
	rm -rf $(VENV) target .demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src -name '_native*.so' -delete
