"""The checks of one proof, numbered as they run; the first that fails is the reason of the verdict.

1. the commitment is signed by the node, and its first entry is the round's weights with the node's own last
   accepted optimizer state (both digests are in the signed proof; the server's word for the round is compared)
2. the numerics profile is one that this verifier can replay exactly
3. every drawn boundary, and always the last, is opened and proven to be in the commitment
4. each drawn segment, replayed from its opened start with the trainer's own step, ends where the node said
5. the last boundary holds the end state that the proof names
6. the pseudo-gradient is the round's weights less the end weights, bit for bit
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.messages import StepProof
from contracts.reasons import Reason
from contracts.run_config import RunConfig
from contracts.state_layout import inner_digest, theta_digest
from contracts.tensorfile import state_digest, unpack
from trainer.batches import batch_source
from trainer.client import ApiClient, octets
from trainer.corpus import Corpus
from trainer.profile import configure_determinism
from trainer.state import theta_layout
from trainer.trajectory import pseudo_gradient, replay_segment
from verifier.compare import EXACT_LIMIT, Comparison, compare
from verifier.errors import CheckFailed
from verifier.opening import opened_state, step_proof


@dataclass(frozen=True)
class Case:
    """A proof with the round that it belongs to, as the API shows both."""

    client: ApiClient
    view: dict[str, Any]
    round: dict[str, Any]

    @property
    def config(self) -> RunConfig:
        """The round's configuration."""
        return RunConfig.from_json(self.round["config"])

    @property
    def last_segment(self) -> int:
        """Index of the last segment; checks of the end count as its."""
        return self.config.segments - 1

    def commitment(self) -> StepProof:
        """The signed proof."""
        return step_proof(self.client, self.view)


def check_binding(case: Case) -> None:
    """Checks 1 and 2. Raises CheckFailed."""
    proof, place = case.commitment(), _place(case)
    expected = {
        "startState": octets(case.round["theta"]["digest"]), "innerState": octets(place["inner"]["digest"]),
        "dataSeed": octets(case.round["data_seed"]), "config": case.config.digest(),
        "boundaries": case.config.segments + 1, "steps": case.config.steps, "tokens": case.config.tokens_per_round,
    }  # fmt: skip
    wrong = [name for name, value in expected.items() if getattr(proof, name) != value]
    if wrong:
        raise CheckFailed(Reason.START_STATE_MISMATCH, 0, f"not bound to the round: {', '.join(wrong)}")
    if proof.profile != configure_determinism(case.config.profile).digest():
        raise CheckFailed(Reason.PROFILE_UNSUPPORTED, 0, "the node computed under another numerics profile")


def check_segment(case: Case, segment: int, corpus: Corpus) -> Comparison:
    """Checks 3 and 4 for one segment. Raises CheckFailed with the measured error of the update."""
    start = opened_state(case.client, case.view, case.config, segment, segment)
    claimed = opened_state(case.client, case.view, case.config, segment + 1, segment)
    proof = case.commitment()
    batches = batch_source(corpus.train, case.config, proof.dataSeed, proof.round, proof.node)
    found = compare(start, claimed, replay_segment(case.config, start, segment, batches))
    if not found.equal:
        detail = f"segment {segment} replays to another state, worst in {found.tensor}"
        raise CheckFailed(Reason.REPLAY_MISMATCH, segment, detail, found.error, EXACT_LIMIT)
    return found


def check_end(case: Case) -> None:
    """Checks 3, 5 and 6 for the last boundary. Raises CheckFailed."""
    proof, last = case.commitment(), case.config.segments
    end = opened_state(case.client, case.view, case.config, last, case.last_segment)
    if (theta_digest(end), inner_digest(end)) != (proof.endState, proof.innerEnd):
        raise CheckFailed(Reason.END_STATE_MISMATCH, case.last_segment, "the last boundary is not the proof's end")
    expected_layout = theta_layout(case.config)
    theta = unpack(case.client.blob(case.round["theta"]["blob"]), expected_layout)
    if theta_digest(theta) != proof.startState:
        raise CheckFailed(Reason.START_STATE_MISMATCH, 0, "the round's weights are not the proof's start")
    gradient = unpack(case.client.blob(case.view["gradient_blob"]), expected_layout)
    follows = state_digest(pseudo_gradient(theta, end))
    if not follows == state_digest(gradient) == proof.pseudoGradient:
        raise CheckFailed(
            Reason.PSEUDO_GRADIENT_MISMATCH, case.last_segment, "the pseudo-gradient does not follow from the end state"
        )


def _place(case: Case) -> dict[str, Any]:
    node = case.view["node"]
    return next(entry for entry in case.round["nodes"] if entry["node"] == node)
