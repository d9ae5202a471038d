"""Cheats that live on what others made public: their pseudo-gradients, their openings, their commitments.

While a round is open its commitments stand in the log, paths and all, and their gradients are served. States are opened
when the round is closed: nothing of this round can be copied from them in time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path

import numpy as np

from contracts.ids import NO_PROOF, to_hex
from contracts.messages.for_log import Commitment
from contracts.protocol.judge.state import Stage
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import state_digest, unpack
from trainer.cheats.states import from_theta, towards
from trainer.conduct import Conduct, Disclosure, Made, NothingToCopy, RoundTask
from trainer.data.batches import batch_source
from trainer.log_view.shown import OpeningView, ProofView, RoundView
from trainer.model.state import Tensors, initial_theta, layout, theta_layout, theta_of
from trainer.steps.trajectory import OnStep, Trajectory, run_inner

PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.5
LIVE = frozenset(Stage) - {Stage.ENDED, Stage.OUT, Stage.UNDECIDED}
"""Of a proof whose work may still count, or does."""


class CopiedEnd(Conduct):
    """Takes the end weights of another's commitment from its pseudo-gradient and goes there in a straight line.

    `noise` moves each end weight, in standard deviations of the way there.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self._noise = noise

    def run_inner(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The line to the victim's end."""
        victim = _wait_for_proof(job).message
        gradient = _gradient(job, victim)
        end: Tensors = {name: np.subtract(value, gradient[name]) for name, value in theta_of(job.start).items()}
        return towards(end, self._noise)(job.config, job.start, job.batches(), on_step, folder)


class SharedWork(Conduct):
    """A second identity: the batches, and so the states, of another node of the round under this key."""

    def run_inner(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The twin's work."""
        twin = next((node for node in job.round.nodes if node != job.node), None)
        if twin is None:
            raise NothingToCopy("this node is alone in the round")
        batches = batch_source(job.corpus.train, job.config, job.data_seed, job.number, twin)
        return run_inner(job.config, job.start, batches, on_step, folder)


class StaleStart(Conduct):
    """Trains from the previous round's weights, and says that they were this round's."""

    def run_inner(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """All steps from the stale weights."""
        stale = _weights(job, job.client.round(job.run, job.number - 1))
        return from_theta(stale)(job.config, job.start, job.batches(), on_step, folder)


class CopiedTrajectory(Conduct):
    """Runs nothing: commits to another's root under its own key, and opens what the other one opens of it."""

    def __init__(self) -> None:
        self._victim = NO_PROOF

    def work(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:  # noqa: ARG002
        """The victim's trajectory, as far as it is public: its states are not."""
        view = self._find(job)
        message = view.message
        self._victim = view.proof
        return Trajectory(
            boundary_entries=(),
            root=message.root,
            kept=(),
            pseudo_gradient=_gradient(job, message),
            pseudo_gradient_digest=message.gradient,
            end_state=dict(job.start),
            losses=(),
            tokens=message.tokens,
        )

    def commitments(self, job: RoundTask, trajectory: Trajectory) -> Sequence[Made]:  # noqa: ARG002
        """The victim's commitment with this node's name and round."""
        view = job.client.proof(self._victim)
        theirs = view.message
        mine = replace(theirs, node=job.node, round=job.number, pledge=self.pledge(job).seal(job.node))
        return (Made(mine, job.client.blob(theirs.gradientBlob.hex()), view.first_path, view.last_path),)

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """What the victim has opened of it by now; what else was drawn of this copy it does not have."""
        opened = job.client.proof(self._victim).openings
        return [_disclosed(job, boundary, opened[boundary]) for boundary in wanted if boundary in opened]

    def _find(self, job: RoundTask) -> ProofView:
        return _wait_for_proof(job)


class FrontRun(CopiedTrajectory):
    """The same, and opens nothing: it hopes that it is not drawn."""

    def openings(self, job: RoundTask, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """Nothing."""
        return []


class ReplayedRound(CopiedTrajectory):
    """A posted commitment of the previous round, signed anew for this one."""

    def _find(self, job: RoundTask) -> ProofView:
        found = _proof_in(job, job.number - 1, {Stage.POSTED})
        if found is None:
            raise NothingToCopy("no posted proof of another node's previous round is held any more")
        return found


def _wait_for_proof(job: RoundTask) -> ProofView:
    """A commitment of another node to this round, as soon as the log has one. Raises NothingToCopy."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := _proof_in(job, job.number, LIVE)) is None:
        if time.monotonic() > end:
            raise NothingToCopy("no other node committed in time")
        time.sleep(LOOK_SECONDS)
    return found


def _proof_in(job: RoundTask, number: int, stages: Set[Stage]) -> ProofView | None:
    lines = job.client.round(job.run, number).proofs
    line = next((line for line in lines if line.stage in stages and line.node != job.node), None)
    return None if line is None else job.client.proof(line.proof)


def _gradient(job: RoundTask, message: Commitment) -> Tensors:
    return unpack(job.client.blob(message.gradientBlob.hex()), theta_layout(job.config))


def _weights(job: RoundTask, begun: RoundView) -> Tensors:
    """Of a round's start: those that the run began with follow from its configuration, others are served."""
    first = initial_theta(job.config)
    if to_hex(state_digest(first)) == begun.theta:
        return first
    return unpack(job.client.blob(begun.theta_blob), theta_layout(job.config))


def _disclosed(job: RoundTask, boundary: int, opened: OpeningView) -> Disclosure:
    packed = job.client.blob(opened.blob)
    entry = boundary_entry(unpack(packed, layout(job.config)))
    return Disclosure(boundary, entry, packed, opened.path)
