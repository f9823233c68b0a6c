# Every target does its own set-up: a clone, Python 3.11+, pip and a package registry are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEERS ?= .peers

.PHONY: help setup demo test lint unit interop slow protocol clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

setup: $(VENV)/.ready  ## make the virtual environment

lint: setup  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: setup  ## every test that needs no other program
	$(BIN)/pytest -q -n auto -m "not interop and not slow"

interop: setup  ## tests beside the real Alertmanager, amtool and Prometheus
	tools/fetch-peers $(PEERS) || true
	TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/pytest -q -m "interop and not slow"

test: lint unit interop  ## all that CI runs

slow: setup  ## long simulations and soaks
	$(BIN)/pytest -q -n auto -m slow

demo: setup  ## three nodes over mutual TLS, one notification (ARGS="--with-alertmanager PATH", "--keep")
	$(BIN)/python -m tools.demo $(ARGS)

clean:  ## remove what the targets made
	rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis
