"""A node's training state: parameters, AdamW moments and step count, under the names that are committed to.

`theta.<p>`, `m.<p>`, `v.<p>` are float32 of the parameter's shape; `adam.step` is int64 of shape (1,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import STEP_NAME, full_layout
from trainer.model.building import initial_parameters
from trainer.model.device import device_of, moments_device_of
from trainer.model.layout import theta_layout

Tensors = dict[str, NDArray[np.generic]]
Layout = dict[str, tuple[str, tuple[int, ...]]]
_CPU = torch.device("cpu")


class StateMismatch(CommonweightError):
    """Tensors do not have exactly the names, dtypes and shapes of the run's state."""

    code = "state-mismatch"


@dataclass
class TrainState:
    """Torch tensors by parameter name, in name order, and the count of AdamW steps taken."""

    theta: dict[str, Tensor]
    m: dict[str, Tensor]
    v: dict[str, Tensor]
    step: int

    @classmethod
    def joiner(cls, theta: Mapping[str, NDArray[np.generic]], device: torch.device = _CPU) -> TrainState:
        """Global weights `theta.*` with zero moments: where a node without an accepted proof starts."""
        weights = _group(theta, "theta", device)
        zeros = {name: torch.zeros_like(value) for name, value in weights.items()}
        return cls(weights, zeros, {name: value.clone() for name, value in zeros.items()}, 0)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], config: RunConfig) -> TrainState:
        """A copy of `tensors` as torch state, on the devices of the run. Raises StateMismatch."""
        check_layout(tensors, layout(config))
        theta = _group(tensors, "theta", device_of(config.profile))
        m, v = (_group(tensors, prefix, moments_device_of(config.profile)) for prefix in ("m", "v"))
        return cls(theta, m, v, step_count(tensors))

    def to_tensors(self) -> Tensors:
        """A numpy copy under the committed names."""
        tensors: Tensors = {STEP_NAME: np.array([self.step], dtype=np.int64)}
        for prefix, group in (("theta", self.theta), ("m", self.m), ("v", self.v)):
            tensors |= {f"{prefix}.{name}": value.detach().cpu().numpy().copy() for name, value in group.items()}
        return tensors


def initial_theta(config: RunConfig) -> Tensors:
    """The global weights of round 0, `theta.*`, from the run's seed."""
    return {f"theta.{name}": value.numpy() for name, value in initial_parameters(config).items()}


def start_tensors(theta: Mapping[str, NDArray[np.generic]], inner: Mapping[str, NDArray[np.generic]] | None) -> Tensors:
    """The round's start: global weights with a node's last accepted inner state, or zeros for a joiner."""
    return {**theta_of(theta), **(_no_moments(theta) if inner is None else inner_of(inner))}


def _no_moments(theta: Mapping[str, NDArray[np.generic]]) -> Tensors:
    names = [name.removeprefix("theta.") for name in theta_of(theta)]
    zeros: Tensors = {f"{group}.{name}": np.zeros_like(theta[f"theta.{name}"]) for group in "mv" for name in names}
    return {STEP_NAME: np.zeros(1, dtype=np.int64), **zeros}


def layout(config: RunConfig) -> Layout:
    """Name to (safetensors dtype, shape) of the full state, exactly."""
    return full_layout(theta_layout(config))


def check_layout(tensors: Mapping[str, NDArray[np.generic]], expected: Layout) -> None:
    """Raises StateMismatch unless names, dtypes and shapes are exactly `expected`."""
    dtypes = {"F32": np.dtype("float32"), "I64": np.dtype("int64")}
    wrong = sorted(tensors.keys() ^ expected.keys())
    wrong += [
        name
        for name in sorted(tensors.keys() & expected.keys())
        if (tensors[name].dtype, tensors[name].shape) != (dtypes[expected[name][0]], expected[name][1])
    ]
    if wrong:
        raise StateMismatch(f"{len(wrong)} tensors are missing, unknown or of another kind, first {wrong[0]}")


def theta_of(tensors: Mapping[str, NDArray[np.generic]]) -> Tensors:
    """The weights of a state."""
    return {name: value for name, value in tensors.items() if name.startswith("theta.")}


def inner_of(tensors: Mapping[str, NDArray[np.generic]]) -> Tensors:
    """The inner optimizer state: moments and step count."""
    return {name: value for name, value in tensors.items() if not name.startswith("theta.")}


def step_count(tensors: Mapping[str, NDArray[np.generic]]) -> int:
    """AdamW steps taken, from the full or the inner state."""
    return int(tensors[STEP_NAME].item())


def _group(tensors: Mapping[str, NDArray[np.generic]], prefix: str, device: torch.device) -> dict[str, Tensor]:
    """Copies, so that stepping never writes into the caller's arrays."""
    start = f"{prefix}."
    names = sorted(name for name in tensors if name.startswith(start))
    copies = {name: torch.from_numpy(np.array(tensors[name], copy=True)) for name in names}
    return {name.removeprefix(start): value.to(device) for name, value in copies.items()}
