"""Cheats that copy the public work of others: their pseudo-gradients, their openings, their commitments.

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
from trainer.genesis.first_weights import first_theta
from trainer.log_view.shown import CoveredProof, CoveredRound, OpeningView
from trainer.model.layout import theta_layout
from trainer.model.state import Tensors, layout, theta_of
from trainer.steps.trajectory import OnStep, Trajectory, run_inner

PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.5
LIVE = frozenset(Stage) - {Stage.ENDED, Stage.OUT, Stage.UNDECIDED}
"""Stages of a proof whose work counts, or still may."""


class CopiedEnd(Conduct):
    """Takes the end weights of another's commitment from its pseudo-gradient and goes there in a straight line.

    `noise` moves each end weight, in standard deviations of the way there.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self._noise = noise

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The line to the victim's end."""
        victim = _wait_for_proof(task).message
        gradient = _gradient(task, victim)
        end: Tensors = {name: np.subtract(value, gradient[name]) for name, value in theta_of(task.start).items()}
        return towards(end, self._noise)(task.config, task.start, task.batches(), on_step, folder)


class SharedWork(Conduct):
    """A second identity: the batches, and so the states, of another node of the round under this key."""

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The twin's work."""
        twin = next((node for node in task.round.nodes if node != task.node), None)
        if twin is None:
            raise NothingToCopy("this node is alone in the round")
        return run_inner(task.config, task.start, task.batches_of(twin), on_step, folder)


class StaleStart(Conduct):
    """Trains from the previous round's weights, and says that they were this round's."""

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """All steps from the stale weights."""
        stale = _weights(task, task.client.round(task.run, task.number - 1))
        return from_theta(stale)(task.config, task.start, task.batches(), on_step, folder)


class CopiedTrajectory(Conduct):
    """Runs nothing: commits to a victim's root under its own key, and opens the boundaries that the victim opens."""

    def __init__(self) -> None:
        self._victim = NO_PROOF

    def work(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:  # noqa: ARG002
        """The public part of the victim's trajectory: its states are not public."""
        view = self._find(task)
        message = view.message
        self._victim = view.proof
        return Trajectory(
            boundary_entries=(),
            root=message.root,
            kept=(),
            pseudo_gradient=_gradient(task, message),
            pseudo_gradient_digest=message.gradient,
            end_state=dict(task.start),
            losses=(),
            tokens=message.tokens,
        )

    def commitments(self, task: RoundTask, trajectory: Trajectory) -> Sequence[Made]:  # noqa: ARG002
        """The victim's commitment with this node's name and round."""
        view = task.client.proof(self._victim)
        original = view.message
        message = replace(original, node=task.node, round=task.number, pledge=self.pledge(task).seal(task.node))
        return (Made(message, task.client.blob(original.gradientBlob.hex()), view.first_path, view.last_path),)

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """The boundaries that the victim has opened by now; this node has no others of those that were drawn."""
        opened = task.client.proof(self._victim).openings
        return [_disclosed(task, boundary, opened[boundary]) for boundary in boundaries if boundary in opened]

    def _find(self, task: RoundTask) -> CoveredProof:
        return _wait_for_proof(task)


class FrontRun(CopiedTrajectory):
    """The same without openings: a bet on not being drawn."""

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """Nothing."""
        return []


class ReplayedRound(CopiedTrajectory):
    """A posted commitment of the previous round, signed anew for this one."""

    def _find(self, task: RoundTask) -> CoveredProof:
        view = _proof_in(task, task.number - 1, {Stage.POSTED})
        if view is None:
            raise NothingToCopy("no posted proof of another node's previous round is held any more")
        return view


def _wait_for_proof(task: RoundTask) -> CoveredProof:
    """A commitment of another node to this round, as soon as the log has one. Raises NothingToCopy."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (view := _proof_in(task, task.number, LIVE)) is None:
        if time.monotonic() > end:
            raise NothingToCopy("no other node committed in time")
        time.sleep(LOOK_SECONDS)
    return view


def _proof_in(task: RoundTask, number: int, stages: Set[Stage]) -> CoveredProof | None:
    lines = task.client.round(task.run, number).proofs
    line = next((line for line in lines if line.stage in stages and line.node != task.node), None)
    return None if line is None else task.client.proof(line.proof)


def _gradient(task: RoundTask, message: Commitment) -> Tensors:
    return unpack(task.client.blob(message.gradientBlob.hex()), theta_layout(task.config))


def _weights(task: RoundTask, view: CoveredRound) -> Tensors:
    """The weights of a round's start: the run's first ones follow from its configuration, others are served."""
    genesis = first_theta(task.config)
    if to_hex(state_digest(genesis)) == view.theta:
        return genesis
    return unpack(task.client.blob(view.theta_blob), theta_layout(task.config))


def _disclosed(task: RoundTask, boundary: int, opening: OpeningView) -> Disclosure:
    packed = task.client.blob(opening.blob)
    entry = boundary_entry(unpack(packed, layout(task.config)))
    return Disclosure(boundary, entry, packed, opening.path)
