"""Until when a message and its blob are handed: what the machine says at each turn of a run's log."""

from __future__ import annotations

import pytest

from contracts.ids import ProofId, RunId, as_address
from contracts.messages import for_log as messages
from contracts.protocol.judge.state import Stage
from tests.contracts.protocol.log.signed_run import SignedRun
from trainer.node.retention import OVER, Retention, standing

pytestmark = pytest.mark.unit

WAITS, BLOB, DONE = Retention(True, False, True), Retention(False, True, True), Retention(False, False, True)


def test_a_commitment_is_handed_out_until_it_is_entered() -> None:
    """And its gradient until k verifiers have it."""
    run = SignedRun(nodes=1)
    message = run.commitment(run.nodes[0])
    assert standing(run.state, message) == Retention(True, True, True)
    proof = run.commit(run.nodes[0])
    assert standing(run.state, message) == BLOB
    for verifier in run.verifiers[:1]:
        run.send(messages.Has(run.run, 1, verifier.address, (proof,)), verifier)
    assert standing(run.state, message) == BLOB
    run.send(messages.Has(run.run, 1, run.verifiers[1].address, (proof,)), run.verifiers[1])
    assert standing(run.state, message) == OVER


def test_a_state_is_handed_out_while_its_proof_is_read() -> None:
    """A pledge once it is asked for."""
    run = SignedRun(nodes=1)
    (made,) = run.commit_all()
    name = ProofId("0x" + made.hex())
    entries = run.entries(run.nodes[0], 1)
    opening = run.opening(name, 0, entries)
    pledge = messages.PledgeReveal(made, b"\0" * 32, 2**32 - 1)
    assert standing(run.state, opening) == DONE
    assert standing(run.state, pledge) == DONE
    run.see()
    for verifier in run.verifiers:
        if verifier.address in run.state.proofs[name].seats:
            run.show_secret(verifier)
    asked = min(run.state.proofs[name].segments)
    opening = run.opening(name, asked, entries)
    assert standing(run.state, opening) == Retention(True, True, True)
    run.open(name)
    assert standing(run.state, opening) == BLOB
    for verifier in run.verifiers:
        run.say(name, verifier)
    assert run.state.proofs[name].stage is Stage.SPOKEN
    assert standing(run.state, opening) == DONE
    assert standing(run.state, pledge) == WAITS
    run.open_pledge(name)
    assert standing(run.state, pledge) == standing(run.state, opening) == OVER


def test_of_ones_place_the_newest_word_is_handed() -> None:
    run = SignedRun(nodes=1)
    node = run.nodes[0].address
    assert standing(run.state, messages.Leave(run.run, node, 2)) == WAITS
    assert standing(run.state, messages.Leave(run.run, node, 1)) == OVER
    stranger = as_address("0x" + "11" * 20)
    assert standing(run.state, messages.Enrolment(run.run, stranger, stranger, 1, b"\6" * 32, 1)) == WAITS
    assert standing(run.state, messages.Enrolment(b"\7" * 32, stranger, stranger, 1, b"\6" * 32, 1)) == OVER


def test_a_return_is_handed_while_its_author_is_away() -> None:
    run = SignedRun(nodes=1)
    node = run.nodes[0].address
    message = messages.Return(run.run, node, 10, b"\0" * 32)
    assert standing(run.state, message) == OVER
    run.state.runs[RunId("0x" + run.run.hex())].nodes[node].away = 9
    assert standing(run.state, message) == WAITS
    run.state.runs[RunId("0x" + run.run.hex())].nodes[node].away = 10
    assert standing(run.state, message) == OVER
