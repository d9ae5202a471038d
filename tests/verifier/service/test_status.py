"""Where a verifier stands follows from the log, and each place has a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.ids import Address, as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.state import Phase, VerifierState
from tests.contracts.protocol.judge.court import RUN, V0, V1, V2, Court
from verifier.service.status import VerifierPhase, VerifierStatus, status_of

pytestmark = pytest.mark.unit


def of(court: Court, verifier: Address = V0) -> VerifierStatus:
    return status_of(court.state, court.state.runs[RUN], verifier)


def test_a_round_is_followed_from_its_opening_to_the_next() -> None:
    court = Court("rounds=2")
    assert of(court) == VerifierStatus(VerifierPhase.HOLDING, 1)
    proofs = court.close()
    assert of(court) == VerifierStatus(VerifierPhase.DRAWING, 1)
    court.seen()
    court.block()
    assert of(court) == VerifierStatus(VerifierPhase.READING, 1)
    court.secret(V0, "1")
    court.secret(V1, "2")
    for proof in proofs:
        court.open(proof)
        court.post(proof)
    assert of(court) == VerifierStatus(VerifierPhase.MERGING, 1)
    court.merge()
    assert of(court) == VerifierStatus(VerifierPhase.HOLDING, 2)


def changed(**verifier: Any) -> Court:
    court = Court(min_nodes=3)
    court.state.verifiers[V0] = VerifierState(**{"admitted": True, "stake": 10, **verifier})
    return court


def without_anchor(court: Court) -> Court:
    del court.state.runs[RUN].anchors[V0]
    return court


def anchored(court: Court, first: int, length: int = 10) -> Court:
    court.state.runs[RUN].anchors[V0] = [facts.Anchored(RUN, V0, V0, length, "exact", first)]
    return court


def away(court: Court) -> Court:
    court.state.runs[RUN].away[V0] = 5
    return court


def over(court: Court) -> Court:
    court.state.runs[RUN].over = True
    return court


CASES = {
    VerifierPhase.WAITING: (changed(), 1),
    VerifierPhase.NOT_ADMITTED: (changed(admitted=False), 0),
    VerifierPhase.UNSTAKED: (changed(stake=9), 0),
    VerifierPhase.SLASHED: (changed(stake=9, slashed=True), 0),
    VerifierPhase.UNBOUND: (without_anchor(changed()), 0),
    VerifierPhase.EARLY: (anchored(changed(), 7), 7),
    VerifierPhase.SPENT: (anchored(changed(), 0, 1), 1),
    VerifierPhase.LAPSED: (away(changed()), 0),
    VerifierPhase.OVER: (over(changed()), 0),
}


@pytest.mark.parametrize("status", CASES, ids=lambda status: status.name)
def test_what_keeps_it_from_its_work_is_named(status: VerifierPhase) -> None:
    court, number = CASES[status]
    found = of(court)
    assert found == VerifierStatus(status, number)
    assert "{" not in str(found)


def test_no_status_is_left_out() -> None:
    assert status_of(Court().state, None, V0).status is VerifierPhase.ABSENT
    assert of(Court(), as_address("nobody")).status is VerifierPhase.NOT_ADMITTED
    of_rounds = {VerifierPhase.HOLDING, VerifierPhase.DRAWING, VerifierPhase.READING, VerifierPhase.MERGING}
    assert set(CASES) | of_rounds | {VerifierPhase.ABSENT} == set(VerifierPhase)


def test_every_phase_has_a_status() -> None:
    court = Court()
    for phase in Phase:
        court.round.phase = phase
        assert str(of(court))


def test_who_sits_in_no_round_waits_for_the_next() -> None:
    court = Court()
    court.round.verifiers = frozenset({V1, V2})
    assert of(court) == VerifierStatus(VerifierPhase.WAITING, 2)
