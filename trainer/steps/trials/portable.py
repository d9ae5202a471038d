"""Does a model of one's own compute its portable step with the portable operations alone? Watched and tried.

One step is watched operator by operator, and others must end in its bits: with another number of threads, in parts, and
with the samples turned round. It is a check against mistakes. An author who means to get round it can, and harms a run
whose every node and verifier has read the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.model.building import build_model
from trainer.model.device import device_of
from trainer.model.own.errors import InvalidModelPackage
from trainer.model.own.interface import own_model
from trainer.model.own.source import OPERATIONS
from trainer.model.state import TrainState
from trainer.portable.own.step import own_gradients
from trainer.portable.own.watch import watched
from trainer.portable.self_check import drawn_batch, drawn_theta

_KEY = 65
_DECLARED = "PORTABLE"


def drawn_state(words: np.random.Philox, config: RunConfig) -> TrainState:
    """Weights for a trial: those of round 0 may come of a library's random numbers, which differ between machines."""
    return TrainState.joiner(drawn_theta(words, config), device_of(config.profile))


def check_portable(config: RunConfig) -> None:
    """Raises InvalidModelPackage, which names the operators."""
    _check_declared(config)
    batch = drawn_batch(np.random.Philox(key=_KEY), config)
    with watched() as found:
        expected = _gradients(config, batch)
    if found:
        raise InvalidModelPackage(
            f"a portable step of {config.model_package} computes with {', '.join(sorted(found))}, which other machines "
            f"round otherwise: use {OPERATIONS} (a sum may be the gradient of something broadcast: use bias or scale)"
        )
    with _other_threads():
        _require_same(config, "with another number of threads", expected, _gradients(config, batch))
    _require_same(config, "in parts", expected, _gradients(config, batch, len(batch.x)))
    turned = Batch(batch.x[::-1].copy(), batch.y[::-1].copy(), 1.0)
    _require_same(config, "with its samples turned round", expected, _gradients(config, turned))


def _check_declared(config: RunConfig) -> None:
    own = own_model(config)
    if getattr(own.package, _DECLARED, False) is not True:
        raise InvalidModelPackage(
            f"{config.model_package} does not say {_DECLARED} = True in its __init__.py: a portable run takes models "
            f"that are made of {OPERATIONS}"
        )
    if hasattr(own.package, "loss"):
        raise InvalidModelPackage(
            f"{config.model_package} gives a loss of logits, and a portable run takes a loss_sum, or none"
        )


def _gradients(config: RunConfig, batch: Batch, parts: int = 1) -> list[bytes]:
    theta = drawn_state(np.random.Philox(key=_KEY), config).theta
    _, found = own_gradients(config, build_model(config), theta, batch, slice(0, len(batch.x)), parts)
    return [value.cpu().contiguous().numpy().tobytes() for value in found]


def _require_same(config: RunConfig, how: str, expected: list[bytes], found: list[bytes]) -> None:
    if found != expected:
        raise InvalidModelPackage(f"a portable step of {config.model_package} has other bits {how}")


@contextmanager
def _other_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
