"""Held-out loss: how well weights predict text that no node trains on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.model.building import build_model
from trainer.steps.determinism import configure_determinism

DEFAULT_WINDOWS = 64
_BATCH = 16


class HeldOutTooShort(CommonweightError):
    """The held-out text has less than one context window."""

    code = "held-out-too-short"


def held_out_loss(
    config: RunConfig,
    tensors: Mapping[str, NDArray[np.generic]],
    held_out: NDArray[np.uint8],
    windows: int = DEFAULT_WINDOWS,
) -> float:
    """Mean loss in nats per byte of the weights `theta.*` in `tensors`, over `windows` evenly spaced windows; in a run
    of several profiles under the first of them.

    Raises HeldOutTooShort.
    """
    last = len(held_out) - config.context - 1
    if last < 0:
        raise HeldOutTooShort(f"{len(held_out)} bytes, at least {config.context + 1} are needed")
    configure_determinism(config.leading.profile)
    starts = [last * index // max(windows - 1, 1) for index in range(windows)]
    text = np.stack([held_out[start : start + config.context + 1] for start in starts]).astype(np.int64)
    model = build_model(config)
    prefix = "theta."
    theta = {
        name.removeprefix(prefix): torch.tensor(value) for name, value in tensors.items() if name.startswith(prefix)
    }
    with torch.no_grad():
        sums = [_loss_sum(model, theta, part) for part in torch.split(torch.from_numpy(text), _BATCH)]
    return sum(sums) / (windows * config.context)


def _loss_sum(model: torch.nn.Module, theta: dict[str, Tensor], text: Tensor) -> float:
    logits: Tensor = functional_call(model, theta, (text[:, :-1],))
    return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten(), reduction="sum").item()
