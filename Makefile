# Two commands are all that a new machine needs: make demo, make test. Each makes .venv, installs and runs.

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types golden docs mutants clean

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
	$(BIN)/pytest -n auto --dist worksteal

check: lint ## check style and types, and run the fast tests: under a minute
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

lint: $(VENV)/installed-dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types

types: $(VENV)/installed-dev ## check types
	cd $(VENV) && MYPYPATH=../examples/custom_target bin/mypy --config-file ../pyproject.toml -p snnc -p mosaic

golden: $(VENV)/installed-dev ## rewrite the texts that tests and documents compare with; review what changes
	$(BIN)/pytest --update-golden

docs: $(VENV)/installed-docs ## write the documentation's site into build/site; broken links fail
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

mutants: $(VENV)/installed-dev ## plant faults in passes, targets and graphs, and count those that no test sees (an hour)
	$(BIN)/python benchmarks/mutants.py

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

$(VENV)/installed-docs: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ".[docs]"
	@touch $@ $(VENV)/installed
