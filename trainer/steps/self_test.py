"""What this process computes: fixed steps of small models, and the digest of where they end.

Versions, instruction sets and thread counts only guess at bits. MKL_CBWR, MKL_ENABLE_INSTRUCTIONS or a linear algebra
library put in torch's place change them, and no version says so. So the numerics profile holds this digest (ADR 45):
whatever changes the bits of these steps makes another profile.

Each case is a shape for which the libraries take other ways: matrices below and above the blocks of a product, widths
that no vector divides, attention over more keys than one block, gradients that are clipped and that are not, moments
that are denormal numbers, both architectures. All of it takes a fraction of a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray
from torch import nn

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.state import TrainState
from trainer.portable.self_check import drawn_batch, drawn_theta
from trainer.steps.inner_step import inner_step
from trainer.steps.variants import Variant, computing, step_as

STEPS = 2
COUNTS = 10_000
"""AdamW steps whose corrections are looked at: they come from the C library's `pow`."""

Step = Callable[[RunConfig, nn.Module, TrainState, Batch], object]


@dataclass(frozen=True)
class _Case:
    config: RunConfig
    denormal: bool = False


_CASES = (
    _Case(RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4)),
    _Case(RunConfig(layers=1, d_model=90, heads=9, context=77, batch=5, clip="0.001"), denormal=True),
    _Case(RunConfig(layers=1)),
    _Case(RunConfig(layers=1, d_model=256, heads=4, context=128, batch=4, clip="1000")),
    _Case(RunConfig(layers=1, d_model=32, heads=2, context=544, batch=4)),
    _Case(RunConfig(architecture="llama", layers=1, d_model=96, heads=6, kv_heads=2, context=64, batch=4)),
)


def exact_digest() -> str:
    """BLAKE3, in hex, of what `inner_step` computes in an exact run. Call `configure_determinism` before."""
    return _digest(None, _switches())


def bf16_digest() -> str:
    """The same of an exact run's step in the precision bf16."""
    return _digest(None, _switches(), "bf16")


def variant_digest(variant: Variant) -> str:
    """The same of a bounded run's step in the variant's way."""
    with computing(variant):
        return _digest(variant, _switches())


@cache
def _digest(variant: Variant | None, _: tuple[object, ...], precision: str = "float32") -> str:
    """Once for each setting of the process: nothing else that it can change later is asked by these kernels."""
    step: Step = inner_step
    if variant is not None:
        way = variant
        step = lambda config, model, state, batch: step_as(way, config, model, state, batch)  # noqa: E731
    hasher = blake3(_corrections(RunConfig()))
    for case in _CASES:
        _add(hasher, replace(case, config=replace(case.config, precision=precision)), step)
    return str(hasher.hexdigest())


def _add(hasher: blake3, case: _Case, step: Step) -> None:
    words = np.random.Philox(key=45)
    config = case.config
    state = TrainState.joiner(drawn_theta(words, config))
    model = build_model(config)
    if case.denormal:
        state.m = {name: value * 2.0**-123 for name, value in state.theta.items()}
        state.v = {name: value.abs() * 2.0**-123 for name, value in state.theta.items()}
    for _ in range(STEPS):
        step(config, model, state, drawn_batch(words, config))
        for group in (state.theta, state.m, state.v):
            _add_all(hasher, group)


def _add_all(hasher: blake3, group: Mapping[str, torch.Tensor]) -> None:
    for value in group.values():
        hasher.update(value.detach().contiguous().numpy().tobytes())


def _corrections(config: RunConfig) -> bytes:
    """AdamW's two factors at each count of steps, as its kernels take them: rounded to float32."""
    beta1 = config.rate("beta1")
    beta2 = config.rate("beta2")
    counts = range(1, COUNTS + 1)
    found: NDArray[np.float32] = np.array(
        [(config.rate("inner_lr") / (1.0 - beta1**n), math.sqrt(1.0 - beta2**n)) for n in counts], np.float32
    )
    return found.tobytes()


def _switches() -> tuple[object, ...]:
    """Settings of this process that may change after a first test."""
    return (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch._C._has_mkldnn,
        torch._C._get_mkldnn_enabled(),
        torch._C._get_flash_sdp_enabled(),
        torch._C._get_math_sdp_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )
