"""How long a commitment may take: nobody's haste shuts others out, nobody holds a round up for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from eth_account.signers.local import LocalAccount

from contracts.ids import NO_PROOF, RunId, to_hex
from contracts.messages.for_contracts import from_json
from contracts.messages.for_log import Has, RunTerms
from contracts.protocol.judge.facts import Awaited, What
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.holds import Threat, holds
from verifier.duties import lapse_periods
from verifier.duties.lapse_periods import FIRST_PERIODS, MOST_PERIODS, TIMES_KNOWN, TIMES_NEW
from verifier.mirror.store.stopwatch import Allowed, opening_seconds
from verifier.replay.sizes import weights_size
from verifier.replica.envelopes import Collected

pytestmark = pytest.mark.unit
PERIOD = 60.0


def allowed(made: SignedRun, node: int, passed: float = 1.0, took: Mapping[str, float] | None = None) -> Allowed:
    """Bounds for a node's commitment, after `passed` seconds of it."""
    run, log = RunId(to_hex(made.run)), Collected.empty()
    log.terms = {run: terms_of(made)}
    awaited = Awaited(What.COMMITMENT, run, made.round.number, NO_PROOF, made.nodes[node].address)
    return lapse_periods.allowed(made.state, log, awaited, passed, lambda found: found, took or {})


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
    """In its first round one of three nodes has committed, to whatever."""
    run = SignedRun(nodes=3, rounds=3)
    held(run, run.nodes[1])
    return run


def delivered(made: SignedRun, *nodes: int) -> None:
    for number in nodes:
        made.state.runs[RunId(to_hex(made.run))].nodes[made.nodes[number].address].delivered = True


@holds(
    "An empty commitment shortens no deadline", by="verifier/duties/lapse_periods.py:allowed", against=Threat.FALSE_WORK
)
def test_an_empty_commitment_hurries_nobody_at_first(made: SignedRun) -> None:
    """Before anything is known."""
    assert allowed(made, 0).period == FIRST_PERIODS * PERIOD


def test_one_commitment_is_enough_though_others_only_beat(made: SignedRun) -> None:
    """Two that never deliver are no reason to wait for each other."""
    assert allowed(made, 0, passed=5_000.0).period == TIMES_NEW * 5_000
    assert allowed(made, 2, passed=5_000.0).period == TIMES_NEW * 5_000


def test_where_nobody_comes_the_round_ends_all_the_same() -> None:
    made = SignedRun(nodes=2)
    assert allowed(made, 0, passed=MOST_PERIODS * PERIOD - 1).period is None
    assert allowed(made, 0, passed=MOST_PERIODS * PERIOD).period == MOST_PERIODS * PERIOD


@holds(
    "No other party's speed or blocks set a deadline",
    by="verifier/duties/lapse_periods.py:allowed",
    against=Threat.BAD_VERIFIER,
)
def test_a_node_has_a_multiple_of_what_it_took_itself(made: SignedRun) -> None:
    """Whoever was quicker, and had a head start."""
    delivered(made, 0, 1)
    own, quick = made.nodes[0].address, made.nodes[1].address
    assert allowed(made, 0, took={own: 900.0, quick: 12.0}).period == TIMES_KNOWN * 900
    assert allowed(made, 0, passed=3_000.0, took={own: 900.0, quick: 12.0}).period == TIMES_KNOWN * 3_000
    assert allowed(made, 0, took={own: 1.0, quick: 1.0}).period == PERIOD


def test_who_was_late_once_has_its_own_time_in_the_next_round(made: SignedRun) -> None:
    """It was one period for ever, beside a quick one that delivered alone."""
    delivered(made, 1)
    own, quick = made.nodes[0].address, made.nodes[1].address
    assert allowed(made, 0, took={own: 3_000.0, quick: 12.0}).period == TIMES_KNOWN * 3_000


def test_a_newcomer_has_a_multiple_of_what_the_slowest_took(made: SignedRun) -> None:
    """Of all that were ever measured, and never less than when nothing is known: a quick one hurries nobody."""
    delivered(made, 1)
    took = {made.nodes[1].address: 12.0, made.nodes[2].address: 2_000.0, "0xGone": 10**6}
    assert allowed(made, 0, took=took).period == TIMES_NEW * 2_000
    assert allowed(made, 0, took={made.nodes[1].address: 12.0}).period == FIRST_PERIODS * PERIOD


def test_a_dawdling_node_delays_no_more_than_an_absent_one(made: SignedRun) -> None:
    """Committing a second before it would lapse, it had four times as long in each round: 24, 96, 384 periods."""
    slow, quick = made.nodes[0].address, made.nodes[1].address
    took: dict[str, float] = {}
    waits = []
    for _ in range(5):
        bound = allowed(made, 0, passed=5.0, took=took).period
        assert bound is not None
        took = {slow: bound - 1, quick: 5.0}
        waits.append(bound / PERIOD)
    assert waits[0] == FIRST_PERIODS
    assert max(waits) == MOST_PERIODS
    assert allowed(made, 0, passed=10.0**6).period == allowed(made, 2, took=took).period == MOST_PERIODS * PERIOD


def test_a_commitment_has_at_most_the_time_of_the_layouts_bytes(made: SignedRun) -> None:
    """Whatever size it names: 2^64 - 1 bytes would take for ever."""
    made.commit(made.nodes[0])
    terms, text = terms_of(made), made.config.to_json()
    seconds = opening_seconds(terms.periodSeconds, weights_size(text), terms.leastRate)
    assert allowed(made, 0) == Allowed(None, max(float(terms.leaseSeconds), seconds))
