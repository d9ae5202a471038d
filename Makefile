.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin
NODE_FOLDERS := contracts/solidity tests/cross
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix

help:  ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 26

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

install: .venv/.installed  ## create the virtual environment and install everything into it

# npm writes the lock file inside node_modules last: it stands for the installed folder
%/node_modules/.package-lock.json: %/package-lock.json
	@if command -v npm >/dev/null; then echo "$(NPM_CI) $*" && $(NPM_CI) $* || echo "$*: npm failed, tests that need it are skipped"; \
	else echo "$*: Node.js is absent, tests that need it are skipped"; fi

node-packages: $(NODE_FOLDERS:%=%/node_modules/.package-lock.json)  ## install what the cross-checks need, where Node.js is there

lint: install  ## ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint node-packages  ## lint, then the whole test suite: two files at a time, and the demo alone
	$(BIN)/pytest -m "not demo" -n 2 --dist loadfile
	$(BIN)/pytest -m demo

contracts: install  ## rebuild the contract artifacts (needs Node.js)
	$(NPM_CI) contracts/solidity
	$(BIN)/python -m contracts.compile

demo: install  ## train together, catch a cheat, claim shares, vote (about 4 minutes)
	$(BIN)/commonweight demo

clean:  ## remove what is installed, cached or written by the demo
	rm -rf .venv $(NODE_FOLDERS:%=%/node_modules) commonweight-demo dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install node-packages lint test contracts demo clean

# bench: each figure of docs/benchmarks.md, results in benchmarks/results/
bench-false-rejections: install  ## honest work rejected, cheats against the limits (2,000 segments, long)
	$(BIN)/python -m benchmarks.false_rejections

bench-proof-of-learning: install  ## forged work under Proof-of-Learning's limits and under ours
	$(BIN)/python -m benchmarks.proof_of_learning

bench-node-cost: install  ## what committing costs a node, in percent of its steps
	$(BIN)/python -m benchmarks.node_cost

bench-throughput: install  ## segments verified per core against bare steps
	$(BIN)/python -m benchmarks.throughput

bench-verifier-cost: install  ## what verifiers compute in percent of training, and what it detects
	$(BIN)/python -m benchmarks.verifier_cost

bench-portable: install  ## the portable profile: same bits everywhere, time, loss (long)
	$(BIN)/python -m benchmarks.portable

bench-cheats: install  ## distance of every cheat from honest work
	$(BIN)/python -m benchmarks.cheats

bench-economics: install  ## does cheating pay
	$(BIN)/python -m benchmarks.economics

.PHONY: bench-false-rejections bench-proof-of-learning bench-node-cost bench-throughput bench-verifier-cost
.PHONY: bench-portable bench-cheats bench-economics
