"""States inside a segment, for an appeal: both parties recompute them from the opened start, the panel one step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from eth_utils import keccak
from numpy.typing import NDArray

from contracts.run_config import RunConfig
from contracts.state_layout import boundary_entry
from trainer.batches import BatchSource
from trainer.inner_step import inner_step
from trainer.model import build_model
from trainer.profile import configure_determinism
from trainer.state import Tensors, TrainState

Arrays = Mapping[str, NDArray[np.generic]]


def state_after(config: RunConfig, start: Arrays, first: int, last: int, batches: BatchSource) -> Tensors:
    """The full state after inner step `last` of the round, from that after `first` (both counted from the start).

    Raises StateMismatch and NonFiniteLoss.
    """
    configure_determinism(config.profile)
    model, state = build_model(config), TrainState.from_tensors(start, config)
    for step in range(first, last):
        inner_step(config, model, state, batches(step))
    return state.to_tensors()


def state_name(tensors: Arrays) -> bytes:
    """What moves and openings call a state: keccak of its boundary entry, 32 bytes."""
    return keccak(boundary_entry(dict(tensors)))
