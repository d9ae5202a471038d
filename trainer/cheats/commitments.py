"""Lies in what is committed to: the pseudo-gradient, the proof's fields, its signature, or how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from blake3 import blake3
from eth_utils import keccak

from contracts.ids import from_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages.signatures import Domain
from contracts.tensors.state_layout import boundary_entry, inner_digest, theta_digest
from contracts.tensors.tensorfile import pack, state_digest
from trainer.conduct import Conduct, Made, RoundTask, commitment
from trainer.model.state import Tensors
from trainer.steps.settled import settle
from trainer.steps.trajectory import InnerRunner, OnStep, Trajectory, run_inner

Reshape = Callable[[Tensors], Tensors]
Alter = Callable[[RoundTask, Made], Made]


class Worked(Conduct):
    """Another inner loop than the honest one; all else follows from what it made."""

    def __init__(self, runner: InnerRunner) -> None:
        self._runner = runner

    def run_inner(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """What the runner does."""
        return self._runner(job.config, job.start, job.batches(), on_step, folder)


class OtherGradient(Conduct):
    """All steps, and then another pseudo-gradient than start less end."""

    def __init__(self, reshape: Reshape) -> None:
        self._reshape = reshape

    def run_inner(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The honest trajectory with the other pseudo-gradient."""
        real = super().run_inner(job, on_step, folder)
        gradient = self._reshape(real.pseudo_gradient)
        return replace(real, pseudo_gradient=gradient, pseudo_gradient_digest=state_digest(gradient))


class Altered(Worked):
    """Work done by a runner, and a commitment altered before it is signed."""

    def __init__(self, runner: InnerRunner, alter: Alter) -> None:
        super().__init__(runner)
        self._alter = alter

    def commitments(self, job: RoundTask, trajectory: Trajectory) -> Sequence[Made]:
        """The altered one."""
        return (self._alter(job, commitment(job, trajectory, self.pledge(job))),)


class Doubled(Altered):
    """Work done by a runner, the commitment to it, and then an altered one in its place."""

    def commitments(self, job: RoundTask, trajectory: Trajectory) -> Sequence[Made]:
        """Both."""
        first = commitment(job, trajectory, self.pledge(job))
        return first, self._alter(job, first)


def scaled(factor: float) -> Reshape:
    """The pseudo-gradient times `factor`: more say in the merge."""
    return lambda gradient: {name: np.multiply(value, np.float32(factor)) for name, value in gradient.items()}


def reversed_sign(gradient: Tensors) -> Tensors:
    """Pushes the global weights back where they came from."""
    return scaled(-1.0)(gradient)


def with_entry(value: float) -> Reshape:
    """One entry replaced by `value`."""

    def reshape(gradient: Tensors) -> Tensors:
        broken = gradient["theta.norm.weight"].copy()
        broken[0] = value
        return gradient | {"theta.norm.weight": broken}

    return reshape


def bait(_job: RoundTask, made: Made) -> Made:
    """Other gradient bytes, under their own name, than the gradient whose digest was signed."""
    other = made.gradient[:-4] + bytes(4)
    return replace(_with(made, gradientBlob=blake3(other).digest()), gradient=other)


def zero_steps(job: RoundTask, made: Made) -> Made:
    """A proof of no steps at all: one boundary, which is start and end."""
    root = KECCAK_TREE.root([boundary_entry(job.start)])
    still: Tensors = {n: np.zeros_like(v) for n, v in job.start.items() if n.startswith("theta.")}
    data = pack(still)
    message = _with(
        made,
        root=root,
        boundaries=1,
        endState=theta_digest(job.start),
        innerEnd=inner_digest(job.start),
        gradient=state_digest(still),
        gradientBlob=blake3(data).digest(),
        gradientSize=len(data),
        tokens=0,
    )
    return replace(message, gradient=data, first_path=(), last_path=())


def more_tokens(_job: RoundTask, made: Made) -> Made:
    """Ten times the tokens that the round has."""
    return _with(made, tokens=made.message.tokens * 10)


def other_profile(_job: RoundTask, made: Made) -> Made:
    """A numerics profile that no verifier has."""
    return _with(made, profile=keccak(b"a profile in which this is what one gets"))


def other_end(_job: RoundTask, made: Made) -> Made:
    """An end state that is not the last entry of the commitment."""
    return _with(made, endState=keccak(b"a better end"))


def other_run(job: RoundTask, made: Made) -> Made:
    """Bound to the data of another run: the newest round of the first other one, or none that exists."""
    runs = [line for line in job.client.runs() if line.run != job.run and line.round > 0]
    if not runs:
        return _with(made, dataSeed=keccak(b"the data of another run"))
    theirs = job.client.round(runs[0].run, runs[0].round)
    return _with(made, dataSeed=from_hex(theirs.data_seed))


def other_chain(job: RoundTask, made: Made) -> Made:
    """Signed for the same contracts on another chain."""
    domain = job.client.domain
    return replace(made, domain=Domain(domain.chain_id + 1, domain.verifying_contract))


def impostor(job: RoundTask, made: Made) -> Made:
    """In another node's name, to take its place in the round, signed with this key."""
    other = next((node for node in job.round.nodes if node != job.node), job.run[:42])
    return _with(made, node=other)


def second_thoughts(job: RoundTask, _made: Made) -> Made:
    """A proof of the honest work, made after the first one fixed what would be drawn of that."""
    done = settle(job.start, run_inner(job.config, job.start, job.batches()))
    return commitment(job, done, Conduct().pledge(job))


def _with(made: Made, **changes: object) -> Made:
    return replace(made, message=replace(made.message, **changes))  # type: ignore[arg-type]
