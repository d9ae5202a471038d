"""Forge's fuzz tests, invariants and gas, and a few of the seeded bugs; `make fuzz` and `make mutants` do all of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foundry import gas
from tests.foundry.forge import CONTRACTS, FOLDERS, Sources, forge
from tests.foundry.mutants import MUTANTS, SLICE
from tests.holds import Threat, holds

pytestmark = [pytest.mark.integration, pytest.mark.needs_node(*FOLDERS), pytest.mark.timeout(1200)]

INVARIANTS = ("invariant_settlement", "invariant_stakes", "invariant_governance", "invariant_funds")


@pytest.fixture(scope="module")
def said() -> str:
    """What forge says of the whole suite."""
    shutil.rmtree(gas.MEASURED, ignore_errors=True)
    done: subprocess.CompletedProcess[str] = forge("test")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


@holds(
    "Votes are the balances of their delegators at every second, and the supply is what holders hold",
    by="contracts/solidity/ModelToken.sol:_moveVotes",
    against=Threat.TAKEOVER,
    also="contracts/foundry/test/Votes.t.sol:testFuzz_votes_are_the_balances_of_who_lends_them",
)
def test_every_forge_test_was_run_and_passed(said: str) -> None:
    passed = set(re.findall(r"^\[PASS\] (\w+)\(", said, re.MULTILINE))
    written = set()
    for file in (CONTRACTS / "foundry" / "test").glob("*.t.sol"):
        written |= set(re.findall(r"function ((?:test|invariant)\w+)\(", file.read_text()))
    assert passed == written


@holds(
    "In every history a pool holds deposits less refunds and payments, and no holder earns above its past shares",
    by="contracts/solidity/CapitalPool.sol:held",
    against=Threat.LOST_FUNDS,
    also="contracts/foundry/test/Funds.t.sol:invariant_funds",
)
@holds(
    "In every history only the timelock changes a decision, and no key holds a role",
    by="contracts/solidity/ModelRegistry.sol:decide",
    against=Threat.TAKEOVER,
    also="contracts/foundry/test/Governance.t.sol:invariant_governance",
)
@holds(
    "In every history a registry holds stakes, open bonds, node stakes and its debts, to the wei",
    by="contracts/solidity/VerifierSet.sol:_slash",
    against=Threat.LOST_FUNDS,
    also="contracts/foundry/test/Stakes.t.sol:invariant_stakes",
)
@holds(
    "In every history the supply is the mints within the cap, and a final epoch pays each receipt once, to its total",
    by="contracts/solidity/EpochDistributor.sol:_refusalOf",
    against=Threat.WRONG_PAY,
    also="tests/contracts/bindings/test_owed.py:test_no_vote_takes_what_a_final_epoch_owes",
)
@pytest.mark.parametrize("name", INVARIANTS)
def test_invariants_ran_on_whole_histories_without_a_revert(said: str, name: str) -> None:
    limits = tomllib.loads((CONTRACTS / "foundry.toml").read_text())["profile"]["default"]["invariant"]
    assert limits["fail_on_revert"] is True
    calls = limits["runs"] * limits["depth"]
    assert f"[PASS] {name}() (runs: {limits['runs']}, calls: {calls}, reverts: 0)" in said


def test_the_promises_were_tried_in_a_hundred_thousand_calls(said: str) -> None:
    assert "[PASS] invariant_promises() (runs: 2000, calls: 100000, reverts: 0)" in said


def test_gas_is_what_the_page_says(said: str) -> None:
    assert gas.measured() == gas.published(), "run `python -m tests.foundry.gas`"


@pytest.fixture(scope="module")
def sources(said: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    """A copy that was compiled already."""
    folder: Path = tmp_path_factory.mktemp("seeded")
    yield Sources(folder)
    shutil.rmtree(folder)


@holds(
    "A bug that is seeded into a contract is noticed",
    by="tests/foundry/forge.py:Sources.check_caught",
    against=Threat.UNTESTED_CODE,
)
@pytest.mark.parametrize("name", [SLICE[0], *(pytest.param(name, marks=pytest.mark.long) for name in SLICE[1:])])
def test_a_seeded_bug_is_caught(sources: Sources, name: str) -> None:
    sources.check_caught(MUTANTS[name])
