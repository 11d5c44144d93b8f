# make demo · make test · make lint · make format · make clean
# Everything lives in one virtual environment, .venv; stamps in it keep a second call from
# installing again until pyproject.toml or constraints.txt change.

# Extras whose code exists and which `make test` therefore installs, each with its comma
# (such as ",cluster"); it adds r where R is there, since rpy2 is built against it.
EXTRAS ?= ,fast,report,generative

# The first interpreter that runs and is new enough; `make PYTHON=/path/to/python …` overrides.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	>/dev/null 2>&1 && { echo $$p; break; }; done)
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# `make test WITH_R=no` leaves the system's packages alone, and rpy2 out.
WITH_R ?= yes
WITH_CHROMIUM ?= yes
DEMO ?= results/demo

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo       screen a simulated experiment (core only), output in $(DEMO)"
	@echo "make test       run the tests"
	@echo "make test-slow  run the long Monte Carlo tests"
	@echo "make lint       ruff, mypy and the import contract"
	@echo "make format     format the code with ruff"
	@echo "make clean      remove .venv, caches and results"

demo: .venv/.core
	@echo "[demo] screening a simulated experiment"
	@$(BIN)/larvastats screen --protocol r_LED100_30s2x15s30s --out $(DEMO)

test: .venv/.test
	@[ "$(WITH_R)" != yes ] || ! .ci/install-r || $(MAKE) --no-print-directory .venv/.r || \
		echo "[test] rpy2 could not be installed: tests of R from Python will be skipped"
	@[ "$(WITH_CHROMIUM)" != yes ] || .ci/install-report
	@echo "[test] running pytest on $(JOBS) processes"
	@$(BIN)/python -m pytest -q -n $(JOBS) $(PYTEST_ARGS)

test-slow: .venv/.test
	@echo "[test] running the long tests on $(JOBS) processes"
	@$(BIN)/python -m pytest -q -n $(JOBS) -m slow $(PYTEST_ARGS)

lint: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.dev
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

clean:
	@rm -rf .venv results build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache .coverage htmlcov
	@find larvastats generative tests analyses -name __pycache__ -type d -prune -exec rm -rf {} + \
		2>/dev/null || true

# Debian's python3 may come without ensurepip; its own pip can then fill the environment.
.venv/.python:
	@[ -n "$(PYTHON)" ] || { echo "larvastats needs Python 3.11, 3.12 or 3.13 and found none:" \
		"install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "[setup] creating .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --without-pip .venv && \
		$(PYTHON) -m pip --quiet --python .venv/bin/python install pip; }
	@touch $@

.venv/.core: .venv/.python $(INPUTS)
	@echo "[setup] installing larvastats (core)"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/.test: .venv/.python $(INPUTS) Makefile
	@echo "[setup] installing larvastats with its test tools$(if $(EXTRAS), and extras $(EXTRAS))"
	@$(PIP) install -c constraints.txt -e '.[test$(EXTRAS)]'
	@touch $@ .venv/.core

.venv/.r: .venv/.test
	@echo "[setup] installing rpy2, built for the R that is on the PATH"
	@$(PIP) install -c constraints.txt -e '.[r]'
	@touch $@

.venv/.dev: .venv/.python $(INPUTS) Makefile
	@echo "[setup] installing larvastats with its developer tools"
	@$(PIP) install -c constraints.txt -e '.[dev$(EXTRAS)]'
	@touch $@ .venv/.test .venv/.core
