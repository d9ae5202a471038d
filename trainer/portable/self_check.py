"""Does this process round as the portable profile asks? Two steps of a small model, held against a known digest.

A library that is off in a last bit would otherwise show as rejected proofs, one round after another. torch's square
root was such a one: MKL computes it on a CPU, in ways that differ between processors.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.model.layout import theta_layout
from trainer.model.state import TrainState
from trainer.portable.optimizer import adamw
from trainer.portable.step import portable_gradients

_CONFIG = RunConfig(layers=1, d_model=48, heads=3, context=32, batch=4, profile="portable")
_DIGEST = "507e29f22367cff4216ade185b4de74d1648850b57d05feaa4fe26382057b323"
_STEPS = 2


class ArithmeticMismatch(CommonweightError):
    """This process adds, multiplies, divides or takes roots in other bits than the portable profile."""

    code = "arithmetic-mismatch"


@cache
def check_arithmetic(device: torch.device) -> None:
    """Raises ArithmeticMismatch; once for each device, a few milliseconds."""
    found = small_run(device)
    if found != _DIGEST:
        raise ArithmeticMismatch(f"a small run on {device} ends in {found}, not in {_DIGEST}")


def small_run(device: torch.device) -> str:
    """BLAKE3, in hex, of weights and moments after the small run."""
    words = np.random.Philox(key=18)
    state = TrainState.joiner(drawn_theta(words, _CONFIG), device)
    for _ in range(_STEPS):
        _, gradients = portable_gradients(_CONFIG, state.theta, drawn_batch(words, _CONFIG))
        adamw(_CONFIG, state, gradients, 1.0)
    groups = (state.theta, state.m, state.v)
    return blake3(b"".join(value.cpu().numpy().tobytes() for group in groups for value in group.values())).hexdigest()


def drawn_theta(words: np.random.Philox, config: RunConfig) -> dict[str, NDArray[np.float32]]:
    """Weights `theta.*` that no library of a machine has a part in."""
    return {name: _weights(words, shape) for name, (_, shape) in theta_layout(config).items()}


def drawn_batch(words: np.random.Philox, config: RunConfig) -> Batch:
    """A batch of the configuration's size, as evenly drawn bytes."""
    text = (words.random_raw(config.batch * (config.context + 1)) >> 56).astype(np.int64)
    windows = text.reshape(config.batch, -1)
    return Batch(windows[:, :-1], windows[:, 1:], 1.0)


def _weights(words: np.random.Philox, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Whole numbers over 2^24, of GPT-2's scale; gains around 1."""
    whole = (words.random_raw(int(np.prod(shape))) >> 43).astype(np.float32) - 2**20  # 21 bits
    values = (whole / np.float32(2**24)).reshape(shape)
    return values + np.float32(1.0) if len(shape) == 1 else values
