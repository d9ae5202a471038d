"""A verifier's part in appeals: as respondent it names states like the node does, on the panel it replays one step."""

from __future__ import annotations

from typing import Any

from contracts.messages import BisectionMove, from_json
from contracts.reasons import Reason
from contracts.signing import require_signer
from contracts.tensorfile import unpack
from trainer.bisect import state_after, state_name
from trainer.client import octets
from trainer.corpus import Corpus
from trainer.state import layout
from verifier.checks import Case, check_segment
from verifier.errors import CannotJudge, CheckFailed


def named_state(case: Case, segment: int, step: int, corpus: Corpus) -> bytes:
    """What the respondent calls the state after `step`, recomputed from the segment's opened start. 32 bytes."""
    start = case.opened(segment, segment)
    return state_name(state_after(case.config, start, segment * case.config.segment, step, case.batches(corpus)))


def judgement(case: Case, appeal: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    """What a panel member rules, and for whom: the node that signed the proof, whoever the server says appealed."""
    return {"upheld": judge(case, appeal, corpus), "node": case.commitment.node}


def judge(case: Case, appeal: dict[str, Any], corpus: Corpus) -> bool:
    """Whether the node's next state is what the one disputed step gives. Raises CannotJudge and CheckFailed.

    A party that let its time run out has lost without a replay. In a bounded run two machines differ at every step and
    a bisection by digests finds nothing: the whole segment is replayed and held against the published limits.
    """
    if appeal["silent"] is not None:
        return bool(appeal["silent"] != appeal["node"])
    if case.config.profile == "bounded":
        return _stands(case, int(appeal["segment"]), corpus)
    start = unpack(case.client.blob(appeal["opening_blob"]), layout(case.config))
    if state_name(start) != _agreed(case, appeal):
        raise CannotJudge("the opened state is not the one that both parties named")
    end = state_after(case.config, start, appeal["agreed"], appeal["disputed"], case.batches(corpus))
    return state_name(end) == _claimed(case, appeal)


def _stands(case: Case, segment: int, corpus: Corpus) -> bool:
    try:
        check_segment(case, segment, corpus)
    except CheckFailed as failure:
        if failure.reason is not Reason.REPLAY_MISMATCH:
            raise
        return False
    return True


def _agreed(case: Case, appeal: dict[str, Any]) -> bytes:
    return _node_state(case, appeal, appeal["agreed"])


def _claimed(case: Case, appeal: dict[str, Any]) -> bytes:
    return _node_state(case, appeal, appeal["disputed"])


def _node_state(case: Case, appeal: dict[str, Any], step: int) -> bytes:
    """The node's own word for a state: a move, or a boundary that it committed to and opened."""
    for given in appeal["moves"]:
        if given["step"] == step and given["party"] == appeal["node"]:
            return _signed_move(case, appeal, given).state
    if step % case.config.segment:
        raise CannotJudge(f"the node named no state after step {step}")
    boundary = step // case.config.segment
    return state_name(case.opened(boundary, appeal["segment"]))


def _signed_move(case: Case, appeal: dict[str, Any], given: dict[str, Any]) -> BisectionMove:
    move = from_json(BisectionMove, given["message"])
    require_signer(move, case.client.domain, octets(given["signature"]), case.commitment.node)
    if (move.proof, move.step) != (octets(appeal["proof"]), given["step"]):
        raise CannotJudge("a move is about another proof or step than the server says")
    return move
