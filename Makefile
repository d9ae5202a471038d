.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin

help:  ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

install: .venv/.installed  ## create the virtual environment and install everything into it

lint: install  ## ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, then the whole test suite
	$(BIN)/pytest

.PHONY: help install lint test

contracts: install  ## rebuild the contract artifacts (needs Node.js)
	npm ci --prefix contracts/solidity
	$(BIN)/python -m contracts.compile

.PHONY: contracts

demo: install  ## train together, catch a cheat, claim shares, vote (about 3 minutes)
	$(BIN)/commonweight demo

.PHONY: demo
