"""One corrupt verifier of three, where two decide: it voids no honest work, spares no cheat, takes nobody's stake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import for_log as messages
from contracts.protocol.judge.entries import Fault
from contracts.protocol.judge.facts import Reason, What, Word
from contracts.protocol.judge.state import ProofState, Stage
from tests.attacks.outsiders.script import Script, script
from tests.deployed import PARAMS

pytestmark = pytest.mark.integration
STAKE, DAY = 10**16, 86_400
ALL: dict[str, Any] = {"panel": 0, "samples": 4}
"""Everybody reads everything."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Script]:
    """The node has a stake, and the run takes stakes."""
    with script(tmp_path, nodes=1, minNodes=2, nodeStake=STAKE, auditFloor=500_000, **ALL) as made:
        made.service.stake(made.nodes[0], STAKE)
        made.block()
        second = made.verifiers[0]  # nobody's node: it enrols so that the round opens when the stake is known
        made.send(messages.Enrolment(made.run, second.address, second.address, 1, b"\6" * 32, 1), second)
        yield made


def begun(run: Script) -> ProofState:
    """The node's proof, drawn by all and opened."""
    name = run.commit(run.nodes[0])
    for verifier in run.verifiers:
        run.send(messages.Has(run.run, 1, verifier.address, (name,)), verifier)
    run.lapse(next(awaited for awaited in run.round.awaits if awaited.party == run.verifiers[0].address))
    run.see()
    proof = run.state.proofs[run.round.closed[0]]
    run.draw()
    run.open_all(proof)
    return proof


def stake_of(run: Script) -> int:
    return run.service.model.nodes.stake_of(run.nodes[0].address)


def test_no_reason_spares_the_stake(run: Script) -> None:
    """F7: there is no reason that costs nothing, and one verifier's word is not what the others say."""
    proof, (corrupt, *honest) = begun(run), run.verifiers
    run.false[run.nodes[0].address] = {1}
    verdict = run.verdict(proof, corrupt, {1: Word.FALSE})
    for reason in (5, 99):
        odd = replace(verdict, words=(replace(verdict.words[0], reason=reason),))
        assert run.refusal(odd, corrupt) == "bad-field"
    run.send(run.verdict(proof, corrupt, {1: Word.UNSERVED}), corrupt)
    for verifier in honest:
        run.speak(proof, verifier)
    assert proof.void == (Reason.REPLAY, 1)
    run.finish(proof)
    assert run.view_of(proof)["at_fault"] is True
    run.nothing_to_merge()
    run.make_final()
    run.slash(*honest)
    assert stake_of(run) == 0


def test_an_idle_verifier_keeps_no_stake_safe(run: Script) -> None:
    """F30: nothing waits for the third. Two slash, and sixty days later no message restores anything."""
    proof, (first, second, _idle) = begun(run), run.verifiers
    run.false[run.nodes[0].address] = {2}
    for verifier in (first, second):
        run.speak(proof, verifier)
    assert proof.void == (Reason.REPLAY, 2)
    run.finish(proof)
    run.nothing_to_merge()
    name = proof.commitment.proof
    run.make_final()
    run.slash(first, second)
    assert stake_of(run) == 0
    run.block(seconds=60 * DAY)
    late = run.verdict(proof, run.verifiers[2], {2: Word.TRUE})
    assert run.refusal(late, run.verifiers[2]) == "unknown-subject"
    assert run.client.get(f"/v1/proofs/{name}").json()["state"] == "voided"
    assert run.paid(run.nodes[0]) == 0


def test_a_silent_verifier_restores_no_fake(run: Script) -> None:
    """F4: k proved the fake. There is no appeal that a silent friend could lose, and no other way back."""
    proof, (_friend, *honest) = begun(run), run.verifiers
    run.false[run.nodes[0].address] = {1}
    for verifier in honest:
        run.speak(proof, verifier)
    run.finish(proof)
    assert proof.stage is Stage.ENDED
    for kind in ("appeal", "bisection-move", "appeal-ruling"):
        answer = run.client.post("/v1/messages", content=f'{{"beside":{{}},"kind":"{kind}","message":{{}}}}'.encode())
        assert answer.status_code == 422
    assert run.client.get(f"/v1/appeals/{proof.commitment.proof}").status_code == 404
    run.nothing_to_merge()
    run.make_final()
    assert run.paid(run.nodes[0]) == 0


def test_a_false_accusation_restores_no_fake(run: Script) -> None:
    """F4: a corrupt verifier rejects the good segment first; the bench reads each for itself."""
    proof, (corrupt, *honest) = begun(run), run.verifiers
    run.false[run.nodes[0].address] = {1}
    run.speak(proof, corrupt, {0: Word.FALSE, 1: Word.TRUE})
    assert proof.segments[0].questioned
    for verifier in honest:
        run.speak(proof, verifier)
    run.read_through(proof)
    run.finish(proof)
    view = run.view_of(proof)
    assert (view["state"], view["reason"], view["at_fault"]) == ("voided", "replay-mismatch", True)
    faults = {fault for _, verifier, fault in run.state.faults if verifier == corrupt.address}
    assert faults == {Fault.FALSE_WORD, Fault.PASSED_A_FAKE}
    run.nothing_to_merge()
    run.make_final()
    run.slash(*honest)
    assert run.paid(run.nodes[0]) == 0
    lost, *kept = run.stakes_of_verifiers()
    assert lost < PARAMS.min_stake
    assert kept == [PARAMS.min_stake] * 2


def test_nobody_pays_for_what_it_did_not_say(run: Script) -> None:
    """F27: no view of anybody's takes a stake: a fault is signed as the log derives it, under a final root."""
    proof, (victim, *judges) = begun(run), run.verifiers
    run.false[run.nodes[0].address] = {1}
    run.read_through(proof)
    run.finish(proof)
    run.nothing_to_merge()
    for judge in judges:
        said = run.fault_of(proof, victim, Fault.FALSE_WORD)
        answer = run.cosign("/v1/faults/signatures", said, judge)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    run.make_final()
    run.slash()
    assert run.stakes_of_verifiers() == [PARAMS.min_stake] * 3


def test_a_liar_while_another_is_away_voids_nothing(run: Script) -> None:
    """F32: two of three words are needed; the third comes back, honest work is posted, and the liar pays."""
    proof, (liar, honest, away) = begun(run), run.verifiers
    run.speak(proof, liar, dict.fromkeys(run.owed(proof, liar), Word.FALSE))
    run.speak(proof, honest)
    run.lapse(run.awaited(proof, What.WORDS, away.address), liar, honest)
    assert proof.stage is Stage.READING, "it waits"
    assert proof.void is None
    run.speak(proof, away, dict.fromkeys(range(4), Word.TRUE))
    run.finish(proof)
    run.merge()
    run.make_final()
    assert run.paid(run.nodes[0]) == 10**21
    assert stake_of(run) == STAKE
    run.slash(honest, away)
    assert run.stakes_of_verifiers()[0] < PARAMS.min_stake


def test_where_nobody_comes_back_it_is_undecided(run: Script) -> None:
    """F32: no pay, and no stake of anybody's who did its work."""
    proof, (liar, honest, away) = begun(run), run.verifiers
    run.speak(proof, liar, dict.fromkeys(run.owed(proof, liar), Word.FALSE))
    run.speak(proof, honest)
    for _ in range(2):
        run.lapse(run.awaited(proof, What.WORDS, away.address), liar, honest)
    assert proof.stage is Stage.UNDECIDED
    assert not [fault for fault in run.state.faults if fault[1] in (run.nodes[0].address, honest.address)]
    run.make_final()
    run.slash()
    assert stake_of(run) == STAKE


def test_a_liar_while_another_is_away_spares_no_cheat(run: Script) -> None:
    """F32: it calls the fake true; who was away finds the fake when it is back, and its word is taken."""
    proof, (liar, honest, away) = begun(run), run.verifiers
    run.false[run.nodes[0].address] = {1}
    run.speak(proof, liar, dict.fromkeys(run.owed(proof, liar), Word.TRUE))
    run.speak(proof, honest)
    run.lapse(run.awaited(proof, What.WORDS, away.address), liar, honest)
    assert proof.stage is Stage.READING
    run.speak(proof, away)
    assert proof.void == (Reason.REPLAY, 1)
    run.finish(proof)
    run.nothing_to_merge()
    run.make_final()
    run.slash(honest, away)
    assert stake_of(run) == 0
    assert run.stakes_of_verifiers()[0] < PARAMS.min_stake


def test_one_verifier_makes_nothing_lapse(run: Script) -> None:
    """F29: who works for the operator says that everybody is late; a second word is missing."""
    proof, (corrupt, *_) = begun(run), run.verifiers
    for awaited in list(proof.awaits):
        run.lapse(awaited, corrupt)
    run.read_through(proof)
    run.finish(proof)
    assert proof.stage is Stage.POSTED


def test_a_secret_is_shown_when_panels_are_drawn_and_not_before(run: Script) -> None:
    """F18 and F26: while others commit, and before the beacon, a secret is refused; so is that of a later round."""
    first = run.verifiers[0]
    assert run.secret_refused(first, 1) == "out-of-time"
    name = run.commit(run.nodes[0])
    for verifier in run.verifiers:
        run.send(messages.Has(run.run, 1, verifier.address, (name,)), verifier)
    run.lapse(next(awaited for awaited in run.round.awaits if awaited.party == first.address))
    assert run.secret_refused(first, 1) == "out-of-time"
    run.see()
    assert run.secret_refused(first, 30) == "unknown-subject"
    assert run.secret_refused(first, 1, place=1) == "not-bound"
    run.draw()
    assert set(run.round.secrets) == {verifier.address for verifier in run.verifiers}
