"""Sizes of a run's files in bytes: the sizes that may be announced, and the time for them, follow from the layout.

A run with a model of its own names them, so that a verifier of another run needs no package for them.
"""

from __future__ import annotations

from functools import lru_cache

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import packed_size
from trainer.model.layout import theta_layout
from trainer.model.state import layout
from verifier.mirror.store.announced import OuterSizes


@lru_cache(maxsize=32)
def weights_size(config: str) -> int:
    """Bytes of weights, of a gradient and of the outer momentum, by the configuration's text."""
    found = RunConfig.from_json(config)
    return found.weights_size or packed_size(theta_layout(found))


@lru_cache(maxsize=32)
def state_size(config: str) -> int:
    """Bytes of a full state."""
    found = RunConfig.from_json(config)
    return found.state_size or packed_size(layout(found))


def outer_sizes(config: str) -> OuterSizes:
    """Bytes of the two files that a merge names."""
    size = weights_size(config)
    return OuterSizes(size, size)
