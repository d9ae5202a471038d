"""How long a commitment may take: nobody's haste shuts others out, nobody holds a round up for ever."""

from __future__ import annotations

import json

import pytest
from eth_account.signers.local import LocalAccount

from contracts.messages import from_json
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.log.signed import hexed
from contracts.protocol.messages import Has, RunTerms
from tests.contracts.protocol.log.signed_run import SignedRun
from verifier.duty import periods
from verifier.duty.envelopes import Collected
from verifier.duty.periods import FIRST_PERIODS, TIMES_KNOWN, TIMES_NEW

pytestmark = pytest.mark.unit
PERIOD = 60.0


def bound(made: SignedRun, node: int, passed: float) -> float | None:
    """Seconds for a node's commitment, after `passed` of them."""
    run, log = hexed(made.run), Collected()
    log.terms = {run: terms_of(made)}
    number = made.round.number
    awaited = Awaited(What.COMMITMENT, run, number, "", made.nodes[node].address)
    return periods.allowed(made.state, log, awaited, passed, lambda found: found).period


def terms_of(made: SignedRun) -> RunTerms:
    text = next(text for text in made.leaves if '"kind":"run-terms"' in text)
    return from_json(RunTerms, json.loads(text)["message"])


def held(made: SignedRun, node: LocalAccount) -> None:
    """It commits, and all verifiers have its gradient."""
    proof = made.commit(node)
    for verifier in made.verifiers:
        made.send(Has(made.run, made.round.number, verifier.address, (proof,)), verifier)


@pytest.fixture
def made() -> SignedRun:
    """In its first round one of two nodes has committed, to whatever."""
    run = SignedRun(nodes=2, rounds=3)
    held(run, run.nodes[1])
    return run


def test_before_anything_was_posted_an_empty_commitment_hurries_nobody(made: SignedRun) -> None:
    assert bound(made, 0, passed=1.0) == FIRST_PERIODS * PERIOD


def test_nobody_holds_the_first_round_up_for_ever(made: SignedRun) -> None:
    assert bound(made, 0, passed=10_000.0) == TIMES_NEW * 10_000


@pytest.mark.parametrize(("delivered", "times"), [(True, TIMES_KNOWN), (False, TIMES_NEW)])
def test_what_posted_work_took_before_counts_where_the_others_are_quicker(
    made: SignedRun, delivered: bool, times: int
) -> None:
    run = made.state.runs[hexed(made.run)]
    run.pace, run.nodes[made.nodes[0].address].delivered = 500, delivered
    assert bound(made, 0, passed=1.0) == times * 500
    assert bound(made, 0, passed=900.0) == times * 900
    run.pace = 1
    assert bound(made, 0, passed=1.0) == PERIOD


def test_while_others_are_awaited_the_lease_alone_counts() -> None:
    assert bound(SignedRun(nodes=2), 0, passed=1.0) is None


def test_the_pace_is_that_of_the_commitment_in_the_middle_of_what_was_posted() -> None:
    made = SignedRun(nodes=3, rounds=2)
    for node in made.nodes:
        made.block(seconds=100)
        held(made, node)
    made.see()
    made.read_all()
    made.merge()
    assert made.state.runs[hexed(made.run)].pace == 200
