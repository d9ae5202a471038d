"""The checks of one proof, numbered as they run; the first that fails is the reason of the verdict.

1. the commitment is signed by the node, its first entry is the round's weights with the node's own last accepted
   optimizer state, its last the end that the proof names (a service compares with its own copy of the log)
2. the numerics profile is one that this verifier can compare with (verifier/compare.py)
3. every drawn boundary, and always the last, is opened and proven to be in the commitment
4. the first boundary is the start that the proof names; each drawn segment, replayed from its opened start with the
   trainer's own step, ends where the node said: the end that was computed is looked up in the commitment, and what the
   node uploaded is read only to measure a difference;
   of the segment that all verifiers replay, the last state inside is hashed into the trace that proves the work; where
   bits differ for good reasons, what differs must not push one way round after round (verifier/drift.py)
5. the last boundary holds the end state that the proof names
6. the pseudo-gradient is the round's weights less the end weights, bit for bit

Only what the node signed, and bytes that hash to it, reject. What a server may have lost, spoilt or swapped says
nothing: the check is tried again, and in the end undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from contracts.commitment import check_ends
from contracts.draw import common_segment
from contracts.faults import trace_of
from contracts.limits import LimitTable, PairLimits
from contracts.messages import StepProof
from contracts.reasons import Reason
from contracts.run_config import RunConfig
from contracts.state_layout import boundary_entry, inner_digest, theta_digest
from contracts.tensorfile import DTYPES, state_digest, unpack
from trainer.batches import BatchSource, batch_source
from trainer.client import ApiClient, octets
from trainer.corpus import Corpus
from trainer.inner_step import NonFiniteLoss
from trainer.profile import configure_determinism
from trainer.state import Tensors, layout, step_count, theta_layout
from trainer.trajectory import pseudo_gradient, replay_segment
from verifier.bounded import residual
from verifier.compare import REPLAYS_EXACTLY, SCALE, Comparison, compare, limits_for
from verifier.drift import ALIGNMENT_LIMIT, Drift, Residual
from verifier.errors import CannotJudge, CheckFailed, ProfileMismatch
from verifier.opening import Source, State, is_committed, judged, opened_state, step_proof

MOST_STEPS = 10_000 * 1_000_000
"""No run has more inner steps: both factors are the largest that a configuration takes."""

OnInside = Callable[[Tensors], None] | None


@dataclass(frozen=True)
class Case:
    """A proof with the round that it belongs to, as the API (or a saved bundle) shows both."""

    client: Source
    view: dict[str, Any]
    round: dict[str, Any]

    @classmethod
    def asked(cls, client: ApiClient, proof: str, facts: dict[str, Any] | None = None) -> Case:
        """As the server shows it, and where there are `facts` (verifier/replica.py:Replica.facts) as they say it.

        Then the server only adds what nobody has to believe: names of blobs, and paths.
        """
        view = client.get(f"/proofs/{proof}")
        named = view if facts is None else facts["proof"]
        current = client.get(f"/runs/{named['run']}/rounds/{named['round']}")
        if facts is None:
            return cls(client, view, current)
        shown = view["openings"]
        opened = {boundary: {**shown.get(boundary, {}), **signed} for boundary, signed in facts["openings"].items()}
        start = {
            "theta": {"digest": facts["theta"], "blob": current["theta"]["blob"]},
            "nodes": [{"node": named["node"], "inner": {"digest": facts["inner"]}}],
        }
        return cls(client, {**view, **named, "openings": {**shown, **opened}}, {**facts["round"], **start})

    @cached_property
    def config(self) -> RunConfig:
        """The round's configuration."""
        return RunConfig.from_json(self.round["config"])

    @property
    def last_segment(self) -> int:
        """Index of the last segment; checks of the end count as its."""
        return self.config.segments - 1

    @cached_property
    def limits(self) -> PairLimits | None:
        """Limits of the pair of machines, None for exact comparison. Raises CheckFailed and CannotJudge."""
        own = configure_determinism(self.config.profile)
        try:
            return limits_for(self.config, self.commitment.profile, own, self._table())
        except ProfileMismatch as error:
            raise CheckFailed(Reason.PROFILE_UNSUPPORTED, 0, error.detail) from error

    def is_common(self, segment: int) -> bool:
        """Whether all verifiers of this proof replay this segment; by its beacon, or that which the draws name."""
        beacon = self.view.get("beacon") or next((c["message"]["beacon"] for c in self.view["challenges"]), None)
        if beacon is None:
            return False
        return segment == common_segment(octets(beacon), octets(self.view["proof"]), self.config.segments)

    def _table(self) -> LimitTable | None:
        if self.config.profile != "bounded":
            return None
        return LimitTable.from_json(self.client.blob(self.config.limits_digest))

    @cached_property
    def commitment(self) -> StepProof:
        """The proof, its signature checked. Raises BadSignature and BadField."""
        return step_proof(self.client, self.view)

    def batches(self, corpus: Corpus) -> BatchSource:
        """The node's batches, from its seed. Raises WrongCorpus: on other text every honest node would look a cheat."""
        corpus.require(self.config.corpus_digest)
        proof = self.commitment
        return batch_source(corpus.train, self.config, proof.dataSeed, proof.round, proof.node)

    def opened(self, boundary: int, segment: int) -> State:
        """The full state at a boundary; what is wrong with it counts as `segment`'s. Raises CheckFailed."""
        return opened_state(self.client, self.view["openings"], self.commitment, self.config, boundary, segment)


def check_binding(case: Case) -> None:
    """Checks 1 and 2. Raises CheckFailed, and CannotJudge without the paths of both ends."""
    proof, inner = case.commitment, octets(_place(case)["inner"]["digest"])
    expected = {
        "startState": octets(case.round["theta"]["digest"]), "innerState": inner or _joiner(case.config),
        "dataSeed": octets(case.round["data_seed"]), "config": case.config.digest(),
        "boundaries": case.config.segments + 1, "steps": case.config.steps, "tokens": case.config.tokens_per_round,
    }  # fmt: skip
    wrong = [name for name, value in expected.items() if getattr(proof, name) != value]
    if wrong:
        raise CheckFailed(Reason.START_STATE_MISMATCH, 0, f"not bound to the round: {', '.join(wrong)}")
    judged("ends of the commitment", lambda: _check_ends(case))
    _ = case.limits


def _check_ends(case: Case) -> None:
    """The paths are nobody's signed word: the log's reader checked them before, and refused the entry."""
    first, last = ([octets(node) for node in case.view[name]] for name in ("first_path", "last_path"))
    check_ends(case.commitment, first, last)


def _joiner(config: RunConfig) -> bytes:
    """Digest of the optimizer state of a node that has done no steps."""
    zeros: dict[str, Any] = {name: np.zeros(shape, DTYPES[kind]) for name, (kind, shape) in layout(config).items()}
    return inner_digest(zeros)


@dataclass(frozen=True)
class Replayed:
    """A segment that stood; `trace` is 32 bytes where all verifiers replay it, empty elsewhere."""

    comparison: Comparison
    trace: bytes


def check_segment(case: Case, segment: int, corpus: Corpus, memory: Path | None = None) -> Replayed:
    """Checks 3 and 4 for one segment. Raises CheckFailed with the measured error, CannotJudge and WrongCorpus.

    `memory` is the folder where this verifier follows each node's residuals in bounded runs.
    """
    batches, start = case.batches(corpus), case.opened(segment, segment)
    proof, limits = case.commitment, case.limits
    if segment == 0 and boundary_entry(start) != proof.startState + proof.innerState:
        raise CheckFailed(Reason.START_STATE_MISMATCH, 0, "the first boundary is not the proof's start")
    inside: list[bytes] = []
    note = (lambda state: inside.append(boundary_entry(state))) if case.is_common(segment) else None
    end = _replay(case, start, segment, batches, note)
    trace = trace_of(inside) if note else b""
    if limits is None and is_committed(case.view["openings"], proof, segment + 1, boundary_entry(end)):
        return Replayed(REPLAYS_EXACTLY, trace)
    claimed = case.opened(segment + 1, segment)
    found = compare(case.config, start, claimed, end, limits)
    if not found.equal:
        detail = f"segment {segment} replays to another state: {found.metric}"
        raise CheckFailed(Reason.REPLAY_MISMATCH, segment, detail, found.error, found.limit, trace)
    if limits is not None and memory is not None:
        _follow(memory / f"{proof.node}.json", segment, residual(start, claimed, end), trace)
    return Replayed(found, trace)


def _replay(case: Case, start: State, segment: int, batches: BatchSource, note: OnInside) -> Tensors:
    """States that no honest step can start from are the node's doing: it committed to them. Raises CheckFailed."""
    if not 0 <= step_count(start) <= MOST_STEPS:
        raise CheckFailed(Reason.NOT_FINITE, segment, f"boundary {segment} counts {step_count(start)} steps")
    try:
        return replay_segment(case.config, start, segment, batches, note)
    except (NonFiniteLoss, ArithmeticError) as error:
        raise CheckFailed(Reason.NOT_FINITE, segment, f"from boundary {segment} on: {error}") from error


def _follow(file: Path, segment: int, gap: Residual, trace: bytes) -> None:
    drift = Drift.load(file)
    drift.add(gap)
    drift.save(file)
    if drift.suspicious:
        measured, limit = (int(value * SCALE) for value in (drift.alignment, ALIGNMENT_LIMIT))
        detail = f"residuals of {drift.rounds} segments push one way"
        raise CheckFailed(Reason.DRIFT, segment, detail, measured, limit, trace)


def check_end(case: Case) -> None:
    """Checks 3, 5 and 6 for the last boundary. Raises CheckFailed, and CannotJudge for bytes that nobody signed."""
    proof = case.commitment
    end = case.opened(case.config.segments, case.last_segment)
    if (theta_digest(end), inner_digest(end)) != (proof.endState, proof.innerEnd):
        raise CheckFailed(Reason.END_STATE_MISMATCH, case.last_segment, "the last boundary is not the proof's end")
    theta = weights(case.client, case.round["theta"]["blob"], proof.startState, case.config)
    if state_digest(pseudo_gradient(theta, end)) != proof.pseudoGradient:
        raise CheckFailed(
            Reason.PSEUDO_GRADIENT_MISMATCH, case.last_segment, "the pseudo-gradient does not follow from the end state"
        )
    weights(case.client, case.view["gradient_blob"], proof.pseudoGradient, case.config)


def weights(client: Source, blob: str, digest: bytes, config: RunConfig) -> Tensors:
    """Weights (or a gradient, or momentum) of a digest, from a blob that the server names. Raises CannotJudge."""
    found = judged(f"blob {blob[:16]}…", lambda: unpack(client.blob(blob), theta_layout(config)))
    if state_digest(found) != digest:
        raise CannotJudge(f"blob {blob[:16]}… does not hold 0x{digest.hex()}")
    return found


def _place(case: Case) -> dict[str, Any]:
    node = case.view["node"]
    return next(entry for entry in case.round["nodes"] if entry["node"] == node)
