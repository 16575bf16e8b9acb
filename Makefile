# Every job of the project. `make demo` and `make test` need Python 3.11 or 3.12, git, make and a C++ compiler only.

PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
WORKDIR ?= chimera-data
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench bench-peers serve docs clean

help: ## list the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.run-ready ## create .venv from the hashed lock and install the project into it

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or 3.12 found. Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages (about a minute)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test-ready: requirements/test.lock $(VENV)/.run-ready
	@echo "Installing the test tools; QuickFIX has no wheel and compiles for about five minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation \
		-r requirements/test.lock
	@touch $@

demo: $(VENV)/.run-ready ## the whole closed loop on the built-in simulator, in minutes
	$(BIN)/chimera demo --workdir $(WORKDIR)/demo --fresh

test: $(VENV)/.test-ready ## every test; lint, types and import rules are tests too
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.test-ready ## ruff, mypy and the import rules
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(VENV)/.test-ready ## the benchmarks that the README quotes; JSON into benchmarks/results
	$(BIN)/chimera bench

bench-peers: $(VENV)/.test-ready ## side by side with hftbacktest and NautilusTrader, in an environment of their own
	$(BIN)/python -m benchmarks.peers

serve: $(VENV)/.run-ready ## the Dagster UI on http://localhost:3000 over $(WORKDIR)
	$(BIN)/chimera serve --workdir $(WORKDIR)/demo

docs: $(VENV)/.run-ready ## regenerate docs/data-dictionary.md
	$(BIN)/python -m warehouse.dictionary docs/data-dictionary.md

clean: ## remove the environment and the caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache *.egg-info build
