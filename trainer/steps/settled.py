"""The last boundary of a round: its weights are the round's weights less the gradient that is committed to (J7).

A gradient is rounded to float32, so weights less gradient are not always the weights that the last step left. What
everybody can compute from the gradient alone is committed to, by node and verifier in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.tensors.state_layout import theta_digest
from contracts.tensors.tensorfile import write
from trainer.model.state import Tensors, inner_of, theta_of
from trainer.steps.trajectory import Trajectory, pseudo_gradient

Arrays = Mapping[str, NDArray[np.generic]]


def after(weights: Arrays, gradient: Arrays) -> Tensors:
    """Weights less a gradient, float32, named `theta.*`."""
    return {name: np.subtract(value, gradient[name]) for name, value in theta_of(weights).items()}


def settled(weights: Arrays, end: Arrays) -> Tensors:
    """The last boundary state: what the last step left, its weights replaced by the round's less the gradient."""
    return {**after(weights, pseudo_gradient(weights, end)), **inner_of(end)}


def settle(weights: Arrays, done: Trajectory) -> Trajectory:
    """A node's work with its last boundary settled: what it commits to, and opens. `weights` are the round's.

    The gradient stays what it is. A boundary that lies in a file is written anew.
    """
    end: Tensors = {**after(weights, done.pseudo_gradient), **inner_of(done.end_state)}
    moments = done.boundary_entries[-1][32:]  # as they were recorded: they are two thirds of a state's bytes
    entries = (*done.boundary_entries[:-1], theta_digest(end) + moments)
    last = done.kept[-1]
    if isinstance(last, Path):
        write(end, last)
    kept = (*done.kept[:-1], last if isinstance(last, Path) else end)
    root = KECCAK_TREE.root(list(entries))
    return replace(done, boundary_entries=entries, root=root, kept=kept, end_state=end)
