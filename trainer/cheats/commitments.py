"""Lies in commitments: the pseudo-gradient, the proof's fields, its signature, or their number."""

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
    """Another inner loop than the honest one; all else follows from its trajectory."""

    def __init__(self, runner: InnerRunner) -> None:
        self._runner = runner

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The runner's trajectory."""
        return self._runner(task.config, task.start, task.batches(), on_step, folder)


class OtherGradient(Conduct):
    """All steps, and then another pseudo-gradient than start less end."""

    def __init__(self, reshape: Reshape) -> None:
        self._reshape = reshape

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The honest trajectory with the other pseudo-gradient."""
        real = super().run_inner(task, on_step, folder)
        gradient = self._reshape(real.pseudo_gradient)
        return replace(real, pseudo_gradient=gradient, pseudo_gradient_digest=state_digest(gradient))


class Altered(Worked):
    """Work done by a runner, and a commitment altered before it is signed."""

    def __init__(self, runner: InnerRunner, alter: Alter) -> None:
        super().__init__(runner)
        self._alter = alter

    def commitments(self, task: RoundTask, trajectory: Trajectory) -> Sequence[Made]:
        """The altered commitment."""
        return (self._alter(task, commitment(task, trajectory, self.pledge(task))),)


class Doubled(Altered):
    """Work done by a runner, the commitment to it, and then an altered one in its place."""

    def commitments(self, task: RoundTask, trajectory: Trajectory) -> Sequence[Made]:
        """The first commitment and the altered one."""
        original = commitment(task, trajectory, self.pledge(task))
        return original, self._alter(task, original)


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


def bait(_task: RoundTask, draft: Made) -> Made:
    """Other gradient bytes, under their own name, than the gradient whose digest was signed."""
    gradient = draft.gradient[:-4] + bytes(4)
    return replace(_with(draft, gradientBlob=blake3(gradient).digest()), gradient=gradient)


def zero_steps(task: RoundTask, draft: Made) -> Made:
    """A proof of no steps at all: one boundary, which is start and end."""
    root = KECCAK_TREE.root([boundary_entry(task.start)])
    zeros: Tensors = {n: np.zeros_like(v) for n, v in task.start.items() if n.startswith("theta.")}
    data = pack(zeros)
    altered = _with(
        draft,
        root=root,
        boundaries=1,
        endState=theta_digest(task.start),
        innerEnd=inner_digest(task.start),
        gradient=state_digest(zeros),
        gradientBlob=blake3(data).digest(),
        gradientSize=len(data),
        tokens=0,
    )
    return replace(altered, gradient=data, first_path=(), last_path=())


def more_tokens(_task: RoundTask, draft: Made) -> Made:
    """Ten times the tokens that the round has."""
    return _with(draft, tokens=draft.message.tokens * 10)


def other_profile(_task: RoundTask, draft: Made) -> Made:
    """A numerics profile that no verifier has."""
    return _with(draft, profile=keccak(b"a profile in which this is what one gets"))


def other_end(_task: RoundTask, draft: Made) -> Made:
    """An end state that is not the last entry of the commitment."""
    return _with(draft, endState=keccak(b"a better end"))


def other_run(task: RoundTask, draft: Made) -> Made:
    """Bound to the data of another run: the newest round of the first other one, or none that exists."""
    runs = [line for line in task.client.runs() if line.run != task.run and line.round > 0]
    if not runs:
        return _with(draft, dataSeed=keccak(b"the data of another run"))
    view = task.client.round(runs[0].run, runs[0].round)
    return _with(draft, dataSeed=from_hex(view.data_seed))


def other_chain(task: RoundTask, draft: Made) -> Made:
    """Signed for the same contracts on another chain."""
    domain = task.client.domain
    return replace(draft, domain=Domain(domain.chain_id + 1, domain.verifying_contract))


def impostor(task: RoundTask, draft: Made) -> Made:
    """A commitment in another node's name, to take its place in the round, signed with this key."""
    victim = next((node for node in task.round.nodes if node != task.node), task.run[:42])
    return _with(draft, node=victim)


def second_thoughts(task: RoundTask, _draft: Made) -> Made:
    """A proof of the honest work, made after the first proof fixed its own draw."""
    trajectory = settle(task.start, run_inner(task.config, task.start, task.batches()))
    return commitment(task, trajectory, Conduct().pledge(task))


def _with(draft: Made, **changes: object) -> Made:
    return replace(draft, message=replace(draft.message, **changes))  # type: ignore[arg-type]
