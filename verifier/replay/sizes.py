"""Sizes of a run's files in bytes: the sizes that may be announced, and the time for them, follow from the layout."""

from __future__ import annotations

from functools import lru_cache

from contracts.protocol.architecture import theta_layout
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import packed_size
from trainer.model.state import layout
from verifier.mirror.store.announced import OuterSizes


@lru_cache(maxsize=32)
def weights_size(config: str) -> int:
    """Bytes of weights, of a gradient and of the outer momentum, by the configuration's text."""
    return packed_size(theta_layout(RunConfig.from_json(config)))


@lru_cache(maxsize=32)
def state_size(config: str) -> int:
    """Bytes of a full state."""
    return packed_size(layout(RunConfig.from_json(config)))


def outer_sizes(config: str) -> OuterSizes:
    """Bytes of the two files that a merge names."""
    size = weights_size(config)
    return OuterSizes(size, size)
