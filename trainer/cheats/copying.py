"""Cheats that live on what others made public: their pseudo-gradients, their openings, their proofs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import CommonweightError
from contracts.messages import StepProof, from_json
from contracts.state_layout import boundary_entry
from contracts.tensorfile import unpack
from trainer.batches import batch_source
from trainer.cheats.states import from_theta, towards
from trainer.client import deadline, octets
from trainer.conduct import Commitment, Conduct, Disclosure, Job
from trainer.state import Tensors, layout, theta_layout, theta_of
from trainer.trajectory import OnStep, Trajectory, run_inner

PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 1.0
View = dict[str, Any]


class NothingToCopy(CommonweightError):
    """Nobody made public, in time, what this cheat lives on."""

    code = "nothing-to-copy"


class CopiedEnd(Conduct):
    """Takes the end weights of an accepted proof from its pseudo-gradient and goes there in a straight line.

    `noise` moves each end weight, in standard deviations of the way there.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self._noise = noise

    def run_inner(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The line to the victim's end."""
        victim = _wait_for_proof(job, "posted")
        gradient = unpack(job.client.blob(victim["gradient_blob"]), theta_layout(job.config))
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
        blob = _round(job, job.number - 1)["theta"]["blob"]
        stale = unpack(job.client.blob(blob), theta_layout(job.config))
        return from_theta(stale)(job.config, job.start, job.batches(), on_step, folder)


class CopiedTrajectory(Conduct):
    """Runs nothing: waits until an accepted proof was opened, and commits to the same root under its own key."""

    wanted_state = "posted"

    def __init__(self) -> None:
        self._victim: View = {}

    def run_inner(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:  # noqa: ARG002
        """The victim's trajectory, as far as it is public."""
        self._victim = self._find(job)
        message = _message(self._victim)
        gradient = unpack(job.client.blob(self._victim["gradient_blob"]), theta_layout(job.config))
        last = self._opened(job, message.boundaries - 1)
        end = job.start if last is None else unpack(last.packed, layout(job.config))
        return Trajectory(
            boundary_entries=(), root=message.commitment, kept=(), pseudo_gradient=gradient,
            pseudo_gradient_digest=message.pseudoGradient, end_state=dict(end), losses=(), tokens=message.tokens,
        )  # fmt: skip

    def commitments(self, job: Job, trajectory: Trajectory) -> Sequence[Commitment]:  # noqa: ARG002
        """The victim's proof with this node's name and round; paths that are not public are left out."""
        theirs = _message(self._victim)
        mine = replace(theirs, node=job.node, round=job.number, deadline=deadline())
        gradient = job.client.blob(self._victim["gradient_blob"])
        ends = (self._opened(job, 0), self._opened(job, theirs.boundaries - 1))
        first, last = (() if end is None else end.path for end in ends)
        return (Commitment(mine, gradient, first, last),)

    def openings(self, job: Job, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """What the victim opened of it."""
        return [shown for boundary in wanted if (shown := self._opened(job, boundary)) is not None]

    def _find(self, job: Job) -> View:
        return _wait_for_proof(job, self.wanted_state)

    def _opened(self, job: Job, boundary: int) -> Disclosure | None:
        given = self._victim["openings"].get(str(boundary))
        if given is None:
            return None
        packed = job.client.blob(given["blob"])
        entry = boundary_entry(unpack(packed, layout(job.config)))
        return Disclosure(boundary, entry, packed, tuple(octets(node) for node in given["path"]))


class FrontRun(CopiedTrajectory):
    """The same, but at once: while the victim's proof is pending and nothing of it is open."""

    wanted_state = "pending"

    def _opened(self, job: Job, boundary: int) -> Disclosure | None:  # noqa: ARG002
        return None


class ReplayedRound(CopiedTrajectory):
    """An accepted proof of the previous round, signed anew for this one."""

    def _find(self, job: Job) -> View:
        return _proof_in(job, job.number - 1, "posted") or _missing()


def _wait_for_proof(job: Job, state: str) -> View:
    """A proof of another node in this round that is in `state`, as soon as there is one. Raises NothingToCopy."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = _proof_in(job, job.number, state)
        if found is not None:
            return found
        time.sleep(LOOK_SECONDS)
    return _missing()


def _proof_in(job: Job, number: int, state: str) -> View | None:
    lines = _round(job, number)["proofs"]
    line = next((p for p in lines if p["state"] == state and p["node"] != job.node), None)
    return None if line is None else dict(job.client.get(f"/proofs/{line['proof']}"))


def _round(job: Job, number: int) -> View:
    return dict(job.client.get(f"/runs/{job.run}/rounds/{number}"))


def _message(view: View) -> StepProof:
    return from_json(StepProof, view["message"])


def _missing() -> View:
    raise NothingToCopy("no proof of another node that this cheat could use was made public")
