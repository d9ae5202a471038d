"""Does this process round as the portable profile asks? Two steps of small models, held against a known digest.

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

_CONFIGS = (
    RunConfig(layers=1, d_model=48, heads=3, context=32, batch=4, profile="portable"),
    RunConfig(
        architecture="llama",
        layers=1,
        d_model=40,
        heads=4,
        kv_heads=2,
        context=29,
        batch=3,
        document_end=32,
        profile="portable",
    ),
)
PORTABLE_DIGEST = "bbcc8e7c836ef8c9b578b4cadea64d65acbce524be7013e881f8cbc1a413a624"
"""Another arithmetic has another one, and so another profile."""
_STEPS = 2


class ArithmeticMismatch(CommonweightError):
    """This process adds, multiplies, divides or takes roots in other bits than the portable profile."""

    code = "arithmetic-mismatch"


@cache
def check_arithmetic(device: torch.device) -> None:
    """Raises ArithmeticMismatch; once for each device, some milliseconds."""
    found = small_run(device)
    if found != PORTABLE_DIGEST:
        raise ArithmeticMismatch(f"a small run on {device} ends in {found}, not in {PORTABLE_DIGEST}")


def small_run(device: torch.device) -> str:
    """BLAKE3, in hex, of weights and moments after the small runs."""
    hasher = blake3()
    for config in _CONFIGS:
        words = np.random.Philox(key=18)
        state = TrainState.joiner(drawn_theta(words, config), device)
        for _ in range(_STEPS):
            _, gradients = portable_gradients(config, state.theta, drawn_batch(words, config))
            adamw(config, state, gradients, 1.0)
        for group in (state.theta, state.m, state.v):
            for value in group.values():
                hasher.update(value.cpu().numpy().tobytes())
    return str(hasher.hexdigest())


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
