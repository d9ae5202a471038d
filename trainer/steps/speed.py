"""What this CPU does in a second, by a few steps of a small model: for an estimate, not for a comparison."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import numpy as np

from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import fields_of
from trainer.model.building import build_model
from trainer.model.flops import token_flops
from trainer.model.state import TrainState
from trainer.portable.self_check import drawn_batch, drawn_theta
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

SIZE, BATCH = "1M", 4
"""The named size that is stepped, and sequences of a step."""
STEPS = 3


def measured_flops(profile: str) -> float:
    """Floating-point operations a second of this process in a profile: the median of some steps, after one to warm up.

    Puts the process into the profile. Raises UnknownProfile and ArithmeticMismatch.
    """
    configure_determinism(profile)
    config = replace(RunConfig(**fields_of(SIZE)), profile=profile, batch=BATCH)
    words = np.random.Philox(key=68)
    state = TrainState.joiner(drawn_theta(words, config))
    model, batch = build_model(config), drawn_batch(words, config)
    seconds = []
    for _ in range(STEPS + 1):
        began = time.perf_counter()
        inner_step(config, model, state, batch)
        seconds.append(time.perf_counter() - began)
    return token_flops(config) * BATCH * config.context / median(seconds[1:])
