.DEFAULT_GOAL := help
# the version that CI has, else the newest that runs: a shim on the PATH may only say that it is not installed
PYTHON ?= $(firstword $(foreach one,python3.11 python3.14 python3.13 python3.12,$(shell $(one) -c 'print("$(one)")' 2>/dev/null)))
VENV ?= .venv
BIN := $(VENV)/bin
NODE_FOLDERS := contracts/solidity contracts/foundry tests/cross
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix

help:  ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 26

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.14 runs here: install python3.13 and python3.13-venv, or name one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or print(f"Python {v[0]}.{v[1]}: torch comes with CUDA where its CPU build is not to be had, 5 GB in the place of 0.2")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

install: $(VENV)/.installed  ## create the virtual environment and install everything into it

# npm writes the lock file inside node_modules last: it stands for the installed folder
%/node_modules/.package-lock.json: %/package-lock.json
	@if command -v npm >/dev/null; then echo "$(NPM_CI) $*" && $(NPM_CI) $* || echo "$*: npm failed, tests that need it are skipped"; \
	else echo "$*: Node.js is absent, tests that need it are skipped"; fi

node-packages: $(NODE_FOLDERS:%=%/node_modules/.package-lock.json)  ## install what the cross-checks need, where Node.js is there

lint: install  ## ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint node-packages  ## lint, then the test suite: four files at a time, of which two wait, and the demo alone
	$(BIN)/pytest -m "not demo and not long and not longest" -n 4 --dist loadfile
	$(BIN)/pytest -m demo

# openapi-python-client pins an older typer than ours: it has an environment of its own
PYTHON_CLIENT := tests/cross/.python-client
$(PYTHON_CLIENT)/.installed:
	$(PYTHON) -m venv $(PYTHON_CLIENT)
	$(PYTHON_CLIENT)/bin/pip install --quiet --disable-pip-version-check openapi-python-client==0.29.1 eth-account==0.14.0
	touch $@

openapi-clients: install node-packages $(PYTHON_CLIENT)/.installed  ## install what makes clients of /openapi.json, and try them
	$(BIN)/pytest tests/cross/test_generated_clients.py

test-long: install node-packages $(PYTHON_CLIENT)/.installed  ## what `make test` leaves out: every removed check, and PostgreSQL under every flow
	$(BIN)/pytest -m long -n 2 --dist loadfile

test-longest: install node-packages  ## real processes for many minutes: every user and signal, two minutes of weather
	$(BIN)/pytest -m longest -n 2 --dist loadfile

test-python: install node-packages  ## contracts and training on another Python: make test-python PYTHON=python3.13 VENV=.venv-3.13
	$(BIN)/pytest -m "not demo and not long and not longest" -n 2 --dist loadfile tests/contracts tests/trainer

contracts: install  ## rebuild the contract artifacts (needs Node.js)
	$(NPM_CI) contracts/solidity
	$(BIN)/python -m contracts.compile
	$(BIN)/python -m tests.contracts.currencies

migration: install  ## write the revision that brings the database to ledger/storage/tables: make migration m="what it does"
	$(BIN)/python -m ledger.storage.migrations.revise "$(m)"
	$(BIN)/ruff check --quiet --fix ledger/storage/migrations/versions && $(BIN)/ruff format --quiet ledger/storage/migrations/versions

initial-migration: install  ## write the first revision anew: right only while nothing was released
	$(BIN)/python -m ledger.storage.migrations.revise --initial "Initial"
	$(BIN)/ruff check --quiet --fix ledger/storage/migrations/versions && $(BIN)/ruff format --quiet ledger/storage/migrations/versions

# the binary itself: the script that npm puts before it (1.7.1) ends with 0 whatever the binary ends with
FORGE := foundry/node_modules/@foundry-rs/forge-*/bin/forge

forge: node-packages  ## fuzz tests and invariants of the contracts, as `make test` runs them
	cd contracts && $(FORGE) test

fuzz: node-packages  ## the same for long: 10,000 fuzz runs, 1,000 histories of 200 steps
	cd contracts && FOUNDRY_PROFILE=long $(FORGE) test

mutants: install node-packages  ## seed each known bug into the contracts: forge must notice every one (long)
	$(BIN)/python -m tests.foundry.mutate

gas: install node-packages  ## measure gas and write it into docs/gas.md
	$(BIN)/python -m tests.foundry.gas

SLITHER := contracts/foundry/.slither
$(SLITHER)/.installed:
	$(PYTHON) -m venv $(SLITHER)
	$(SLITHER)/bin/pip install --quiet --disable-pip-version-check slither-analyzer==0.11.6
	touch $@

slither: install node-packages $(SLITHER)/.installed  ## static analysis: fails on a finding that contracts/slither.md does not answer
	$(BIN)/python -m tests.foundry.slither

.PHONY: forge fuzz mutants gas slither

demo: install  ## train together, catch a cheat, claim shares, vote (about 5 minutes)
	$(BIN)/commonweight demo

clean:  ## remove what is installed, cached or written by the demo
	rm -rf .venv $(NODE_FOLDERS:%=%/node_modules) commonweight-demo dist
	rm -rf contracts/foundry/.out contracts/foundry/.cache $(SLITHER) $(PYTHON_CLIENT) $(COMPARE)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install node-packages openapi-clients lint test test-longest contracts migration initial-migration demo clean

# bench: each figure of docs/benchmarks.md, results in benchmarks/results/
bench-false-rejections: install  ## honest work rejected, cheats against the limits (2,000 segments, long)
	$(BIN)/python -m benchmarks.false_rejections

bench-tally: install node-packages  ## a vote of ten thousand holders on a real chain
	$(BIN)/python -m benchmarks.tally

bench-decisions: install  ## random decisions at the decoder and through the chain
	$(BIN)/python -m benchmarks.decisions

bench-geneses: install  ## tampered geneses, each deployed, and random lives of sound ones
	$(BIN)/python -m benchmarks.geneses

bench-chain-logs: install  ## logs of a chain read and decoded a second, by tables and by web3's process_log
	$(BIN)/python -m benchmarks.chain_logs

.PHONY: bench-chain-logs

bench-over: install  ## a keeper's pass and every page with a long past beside a short one, on both databases
	$(BIN)/python -m benchmarks.over

.PHONY: bench-over

bench-market: install  ## 10,000 offers of all stand-ins from a cold start, one provider hanging: at most 2 s
	$(BIN)/python -m benchmarks.market_offers

bench-market-budgets: install  ## a fleet's spend against its budget in 1,000 random histories
	$(BIN)/python -m benchmarks.market_budgets

.PHONY: bench-market bench-market-budgets

bench-proof-of-learning: install  ## forged work under Proof-of-Learning's limits and under ours
	$(BIN)/python -m benchmarks.proof_of_learning

bench-node-cost: install  ## what committing costs a node, in percent of its steps
	$(BIN)/python -m benchmarks.node_cost

bench-plain-loop: install  ## tokens a second of a round with commitments beside a plain PyTorch loop
	$(BIN)/python -m benchmarks.plain_loop

bench-ranks: install  ## a node of two and four processes beside one: the same bits, time and memory
	$(BIN)/python -m benchmarks.ranks

.PHONY: bench-plain-loop bench-ranks

bench-throughput: install  ## segments verified per core against bare steps
	$(BIN)/python -m benchmarks.throughput

bench-verifier-cost: install  ## what verifiers compute in percent of training, and what it detects
	$(BIN)/python -m benchmarks.verifier_cost

bench-portable: install  ## the portable profile: same bits everywhere, time, loss (long)
	$(BIN)/python -m benchmarks.portable

bench-portable-flips: install  ## bits of a portable step over threads, vector units and integer units, step by step (goes on where it stopped)
	$(BIN)/python -m benchmarks.portable_flips

.PHONY: bench-portable-flips

bench-diloco: install  ## the DiLoCo experiment: H = 500, 50, 10 beside data parallel and one node (hours; goes on where it stopped)
	$(BIN)/python -m benchmarks.diloco

bench-corpus: install  ## a gigabyte of text to shards, and what a joining node fetches: make bench-corpus text=FOLDER
	$(BIN)/python -m benchmarks.corpus $(text)

bench-step-memory: install  ## memory of a portable step as a card computes it, beside the formula of `plan` and of a node's refusal
	$(BIN)/python -m benchmarks.step_memory

.PHONY: bench-step-memory

bench-growth: install  ## digest, opening, replay and merge from 1 M to 400 M parameters: seconds a parameter (12 GB of memory)
	$(BIN)/python -m benchmarks.growth

# torchft and accelerate beside our torch and transformers; whatever they need at their own versions
COMPARE := .compare-packages
$(COMPARE)/.installed: benchmarks/beside.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(COMPARE) --requirement $<
	touch $@

bench-beside-torchft: install $(COMPARE)/.installed  ## our outer step beside torchft's DiLoCo, two live replicas on one machine
	PYTHONPATH=$(COMPARE) $(BIN)/python -m benchmarks.beside_torchft

bench-beside-trainers: install $(COMPARE)/.installed  ## tokens a second and loss beside plain PyTorch, Hugging Face's Trainer and torchft
	PYTHONPATH=$(COMPARE) $(BIN)/python -m benchmarks.beside_trainers

.PHONY: bench-beside-torchft bench-beside-trainers

bench-cheats: install  ## distance of every cheat from honest work
	$(BIN)/python -m benchmarks.cheats

bench-economics: install  ## does cheating pay
	$(BIN)/python -m benchmarks.economics

bench-detection: install  ## fakes caught by a running network, against share and sample size (long)
	$(BIN)/python -m benchmarks.detection

bench-log-growth: install  ## appends and proofs as the log grows to 10,000,000 entries, on SQLite and PostgreSQL (hours, 20 GB)
	$(BIN)/python -m benchmarks.log_growth --top 10000000

.PHONY: bench-log-growth

bench-log-audit: install  ## audit of a log of 1,000 to 100,000 proofs: entries a second, memory (hours)
	$(BIN)/python -m benchmarks.log_audit

.PHONY: bench-log-audit

bench-reorgs: install node-packages  ## 50 reorgs of depth 1 to 8 under load, against an indexer that saw only the end
	$(BIN)/python -m benchmarks.reorgs

bench-submitters: install  ## 32 processes send 20,000 proofs, each several times, to PostgreSQL and SQLite; SERIALIZABLE beside
	$(BIN)/python -m benchmarks.submitters
	$(BIN)/python -m benchmarks.submitters --isolation

.PHONY: bench-submitters
.PHONY: bench-reorgs
.PHONY: bench-false-rejections bench-proof-of-learning bench-node-cost bench-throughput bench-verifier-cost
.PHONY: bench-diloco bench-corpus bench-portable bench-growth bench-cheats bench-economics bench-detection

bench-million-payees: install node-packages  ## an epoch of a million payees: root, rows, proofs, beside OpenZeppelin's tree
	$(BIN)/python -m benchmarks.million_payees

bench-kills: install node-packages  ## kill -9 at random and at every crash point, and a naive relayer beside (long)
	$(BIN)/python -m benchmarks.kills
	$(BIN)/python -m benchmarks.kill_points
	$(BIN)/python -m benchmarks.kills --naive

.PHONY: bench-million-payees bench-kills

bench-adversary: install  ## a million histories of the adversary against the invariants, and how soon each mutant falls (hours)
	$(BIN)/python -m benchmarks.adversary
	$(BIN)/python -m benchmarks.adversary --mutants

bench-adversary-service: install  ## two seeds of each strategy, and more, in the simulator and in the real service: equal entries and ends
	$(BIN)/python -m benchmarks.adversary_service

bench-folder: install  ## what node and verifier keep after 10, 100 and 1,000 rounds (hours)
	$(BIN)/python -m benchmarks.folders

.PHONY: bench-folder

bench-hostile-operator: install  ## how much later a run is over when its server is deaf, loses bytes, or forks
	$(BIN)/python -m benchmarks.hostile_operator

.PHONY: bench-adversary bench-adversary-service bench-hostile-operator

minutes ?= 120

bench-weather: install  ## gusts on every line and process of a network, from a seed: make bench-weather minutes=120 (hours)
	$(BIN)/python -m benchmarks.weather --minutes $(minutes)

bench-http: install  ## 20,000 requests made up from /openapi.json, on SQLite and on PostgreSQL
	$(BIN)/python -m benchmarks.http_contract --examples 520
	$(BIN)/python -m benchmarks.http_contract --examples 520 --database postgresql

bench-writers: install  ## messages a second from 32 writers: one a transaction, and many
	$(BIN)/python -m benchmarks.writers

bench-pages: install  ## CPU of each page beside another checkout's, in turns: make bench-pages before=FOLDER
	$(BIN)/python -m benchmarks.pages_beside $(before)

bench-idle: install  ## what a server costs that has nothing to do, over ten finished runs
	$(BIN)/python -m benchmarks.idle

.PHONY: bench-writers bench-idle bench-pages

bench-stops: install  ## 200 SIGKILL and 50 SIGSTOP of nodes at random moments (an hour)
	$(BIN)/python -m benchmarks.weather.stops

bench-churn: install  ## 50 rounds in each of which a node joins, one leaves and one is killed, beside the same run in calm (an hour)
	$(BIN)/python -m benchmarks.weather.churn

bench-hour: install  ## lines that each process prints in an hour of an ordinary run
	$(BIN)/python -m benchmarks.weather.hour

bench-events: install  ## how late the server acts on an event of its chain (two minutes)
	$(BIN)/python -m benchmarks.weather.chain_events

.PHONY: bench-weather bench-stops bench-churn bench-hour bench-events bench-http
