from __future__ import annotations

import pytest

from contracts.faults import Fault, agreed_trace, evidence_of, passed_fakes, trace_faults, trace_of, witness_of

pytestmark = pytest.mark.unit
A, B, C = ("0x" + f"{n:02x}" * 20 for n in (1, 2, 3))
PROOF, TRACE, OTHER = b"p" * 32, trace_of([b"x" * 64]), trace_of([b"y" * 64])
ALL = {name: witness_of(name, PROOF, TRACE) for name in (A, B, C)}


def test_a_witness_is_of_one_verifier_one_proof_and_one_trace() -> None:
    made = {witness_of(who, what, trace) for who in (A, B) for what in (PROOF, b"q" * 32) for trace in (TRACE, OTHER)}
    assert len(made) == 8


def test_a_trace_depends_on_every_state_and_their_order() -> None:
    one, two = b"1" * 64, b"2" * 64
    assert len({trace_of([]), trace_of([one]), trace_of([one, two]), trace_of([two, one])}) == 4


def test_who_reveals_nothing_or_something_else_is_at_fault() -> None:
    assert trace_faults(ALL, {A: TRACE, B: TRACE, C: TRACE}, 2) == {}
    assert trace_faults(ALL, {A: TRACE, B: TRACE, C: OTHER}, 2) == {C: Fault.TRACE_WRONG}
    assert trace_faults(ALL, {A: TRACE, B: TRACE}, 2) == {C: Fault.TRACE_WITHHELD}


def test_without_agreement_nobody_is_called_wrong() -> None:
    assert agreed_trace({A: TRACE, B: OTHER}, 2) is None
    assert trace_faults(ALL, {A: TRACE, B: OTHER}, 2) == {C: Fault.TRACE_WITHHELD}


def test_who_accepted_a_drawn_fake_is_at_fault_and_who_did_not_draw_it_is_not() -> None:
    assert passed_fakes({A: (0, 3), B: (1, 2)}, frozenset({3})) == {A: Fault.PASSED_A_FAKE}


def test_evidence_tells_kinds_and_proofs_apart() -> None:
    assert len({evidence_of(proof, fault) for proof in (PROOF, b"q" * 32) for fault in Fault}) == 6
