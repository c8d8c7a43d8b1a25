# Two commands are all that a new machine needs: make demo, make test. Each makes .venv, installs and runs.

.DEFAULT_GOAL := help
.PHONY: help demo test lint clean

# The first Python that snnc runs on; override with make PYTHON=...
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt README.md $(shell find snnc passes targets -name '*.py')

help: ## show these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/installed ## compile a trained network for Loihi and evaluate it on simulated cores
	$(BIN)/python examples/demo.py

test: $(VENV)/installed-dev ## run all tests
	$(BIN)/pytest

lint: $(VENV)/installed-dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd $(VENV) && MYPYPATH=../examples/custom_target bin/mypy --config-file ../pyproject.toml -p snnc -p mosaic

clean: ## remove .venv and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "snnc needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt .
	@touch $@

$(VENV)/installed-dev: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ".[dev]"
	@touch $@ $(VENV)/installed
