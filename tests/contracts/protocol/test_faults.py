"""Traces, and the evidence that verifiers sign about one of them."""

from __future__ import annotations

import pytest

from contracts.ids import ProofId
from contracts.protocol.faults import fault_evidence, trace_of
from contracts.protocol.judge.entries import Fault

pytestmark = pytest.mark.unit


def test_a_trace_depends_on_every_state_and_their_order() -> None:
    one, two = b"1" * 64, b"2" * 64
    assert len({trace_of([]), trace_of([one]), trace_of([one, two]), trace_of([two, one])}) == 4


def test_evidence_tells_kinds_and_proofs_apart() -> None:
    proofs = (ProofId("0x" + "1d" * 32), ProofId("0x" + "2d" * 32))
    assert len({fault_evidence(proof, fault) for proof in proofs for fault in Fault}) == 2 * len(Fault)


def test_evidence_of_no_fault_of_the_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="sleeping"):
        fault_evidence(ProofId("0x" + "1d" * 32), "sleeping")
