"""How many bytes a run's files have: what may be announced, and how long it takes, follow from the layout alone."""

from __future__ import annotations

import json
from functools import lru_cache
from math import prod
from typing import Any

from contracts.run_config import RunConfig
from contracts.tensorfile import DTYPES, Layout
from trainer.state import layout, theta_layout
from verifier.mirror.announced import OuterSizes

_LENGTH, _ALIGNMENT = 8, 8
_KINDS: dict[str, Any] = dict(DTYPES)


def packed_size(tensors: Layout) -> int:
    """Bytes of the file that contracts/tensorfile.py:pack makes of tensors of this layout."""
    sizes = {name: _KINDS[kind].itemsize * prod(shape) for name, (kind, shape) in tensors.items()}
    header, offset = {}, 0
    for name in sorted(tensors, key=lambda name: (-_KINDS[tensors[name][0]].itemsize, name)):
        kind, shape = tensors[name]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + sizes[name]]}
        offset += sizes[name]
    text = len(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
    return _LENGTH + -(-text // _ALIGNMENT) * _ALIGNMENT + offset


@lru_cache(maxsize=32)
def weights_size(config: str) -> int:
    """Bytes of weights, of a gradient and of the outer momentum, by the configuration's text."""
    return packed_size(theta_layout(RunConfig.from_json(config)))


@lru_cache(maxsize=32)
def state_size(config: str) -> int:
    """Bytes of a full state."""
    return packed_size(layout(RunConfig.from_json(config)))


def outer_sizes(config: str) -> OuterSizes:
    """Bytes of what a merge names."""
    size = weights_size(config)
    return OuterSizes(size, size)
