"""Cheats that live on what others made public: their pseudo-gradients, their openings, their commitments.

While a round is open its commitments stand in the log, paths and all, and their gradients are served. States are opened
when the round is closed: nothing of this round can be copied from them in time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.ids import from_hex, to_hex
from contracts.messages.for_contracts import from_json
from contracts.messages.for_log import Commitment
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import state_digest, unpack
from trainer.cheats.states import from_theta, towards
from trainer.conduct import Conduct, Disclosure, Job, Made, NothingToCopy
from trainer.data.batches import batch_source
from trainer.model.state import Tensors, initial_theta, layout, theta_layout, theta_of
from trainer.steps.trajectory import OnStep, Trajectory, run_inner

PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.5
View = dict[str, Any]


class CopiedEnd(Conduct):
    """Takes the end weights of another's commitment from its pseudo-gradient and goes there in a straight line.

    `noise` moves each end weight, in standard deviations of the way there.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self._noise = noise

    def run_inner(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The line to the victim's end."""
        victim = _message(_wait_for_proof(job))
        gradient = _gradient(job, victim)
        end: Tensors = {name: np.subtract(value, gradient[name]) for name, value in theta_of(job.start).items()}
        return towards(end, self._noise)(job.config, job.start, job.batches(), on_step, folder)


class SharedWork(Conduct):
    """A second identity: the batches, and so the states, of another node of the round under this key."""

    def run_inner(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The twin's work."""
        twin = next((entry["node"] for entry in job.round["nodes"] if entry["node"] != job.node), None)
        if twin is None:
            raise NothingToCopy("this node is alone in the round")
        batches = batch_source(job.corpus.train, job.config, job.data_seed, job.number, twin)
        return run_inner(job.config, job.start, batches, on_step, folder)


class StaleStart(Conduct):
    """Trains from the previous round's weights, and says that they were this round's."""

    def run_inner(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:
        """All steps from the stale weights."""
        stale = _weights(job, _round(job, job.number - 1)["theta"])
        return from_theta(stale)(job.config, job.start, job.batches(), on_step, folder)


class CopiedTrajectory(Conduct):
    """Runs nothing: commits to another's root under its own key, and opens what the other one opens of it."""

    def __init__(self) -> None:
        self._victim = ""

    def work(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:  # noqa: ARG002
        """The victim's trajectory, as far as it is public: its states are not."""
        view = self._find(job)
        self._victim, message = str(view["proof"]), _message(view)
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

    def commitments(self, job: Job, trajectory: Trajectory) -> Sequence[Made]:  # noqa: ARG002
        """The victim's commitment with this node's name and round."""
        view = self._view(job)
        theirs = _message(view)
        mine = replace(theirs, node=job.node, round=job.number, pledge=self.pledge(job).seal(job.node))
        first, last = (tuple(map(from_hex, view[name])) for name in ("first_path", "last_path"))
        return (Made(mine, job.client.blob(theirs.gradientBlob.hex()), first, last),)

    def openings(self, job: Job, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """What the victim has opened of it by now; what else was drawn of this copy it does not have."""
        opened = self._view(job)["openings"]
        return [_disclosed(job, boundary, opened[str(boundary)]) for boundary in wanted if str(boundary) in opened]

    def _find(self, job: Job) -> View:
        return _wait_for_proof(job)

    def _view(self, job: Job) -> View:
        return dict(job.client.get(f"/proofs/{self._victim}"))


class FrontRun(CopiedTrajectory):
    """The same, and opens nothing: it hopes that it is not drawn."""

    def openings(self, job: Job, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """Nothing."""
        return []


class ReplayedRound(CopiedTrajectory):
    """A posted commitment of the previous round, signed anew for this one."""

    def _find(self, job: Job) -> View:
        found = _proof_in(job, job.number - 1, ("posted",))
        if found is None:
            raise NothingToCopy("no posted proof of another node's previous round is held any more")
        return found


def _wait_for_proof(job: Job) -> View:
    """A commitment of another node to this round, as soon as the log has one. Raises NothingToCopy."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := _proof_in(job, job.number, ("pending", "posted"))) is None:
        if time.monotonic() > end:
            raise NothingToCopy("no other node committed in time")
        time.sleep(LOOK_SECONDS)
    return found


def _proof_in(job: Job, number: int, states: Sequence[str]) -> View | None:
    lines = _round(job, number)["proofs"]
    line = next((p for p in lines if p["state"] in states and p["node"] != job.node), None)
    return None if line is None else dict(job.client.get(f"/proofs/{line['proof']}"))


def _round(job: Job, number: int) -> View:
    return dict(job.client.get(f"/runs/{job.run}/rounds/{number}"))


def _message(view: View) -> Commitment:
    return from_json(Commitment, view["message"])


def _gradient(job: Job, message: Commitment) -> Tensors:
    return unpack(job.client.blob(message.gradientBlob.hex()), theta_layout(job.config))


def _weights(job: Job, named: View) -> Tensors:
    """Of a digest: those that the run began with follow from its configuration, others are served."""
    first = initial_theta(job.config)
    if to_hex(state_digest(first)) == named["digest"]:
        return first
    return unpack(job.client.blob(named["blob"]), theta_layout(job.config))


def _disclosed(job: Job, boundary: int, given: View) -> Disclosure:
    packed = job.client.blob(given["blob"])
    entry = boundary_entry(unpack(packed, layout(job.config)))
    return Disclosure(boundary, entry, packed, tuple(from_hex(node) for node in given["path"]))
