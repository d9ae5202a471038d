"""Held-out loss: how well weights predict text that no node trains on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from trainer.model.binding import bind
from trainer.model.building import build_model
from trainer.model.objective import loss_shares, summed_loss
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

    It is the cross-entropy of logits, and of one's own model with a `loss_sum` that: the mean over the targets that
    count, of the module as `eval()` leaves it, so that a package can leave out terms that only training needs.
    Raises HeldOutTooShort.
    """
    last = len(held_out) - config.context - 1
    if last < 0:
        raise HeldOutTooShort(f"{len(held_out)} bytes, at least {config.context + 1} are needed")
    configure_determinism(config.leading.profile)
    starts = [last * index // max(windows - 1, 1) for index in range(windows)]
    text = np.stack([held_out[start : start + config.context + 1] for start in starts]).astype(np.int64)
    prefix = "theta."
    theta = {
        name.removeprefix(prefix): torch.tensor(value) for name, value in tensors.items() if name.startswith(prefix)
    }
    with torch.no_grad():
        return _mean_loss(replace(config, precision="float32"), theta, torch.from_numpy(text))


def _mean_loss(config: RunConfig, theta: dict[str, Tensor], text: Tensor) -> float:
    """Of windows (W, T + 1), which pass some at a time."""
    model = build_model(config)
    if summed_loss(config) is None:
        sums = [_loss_sum(model, theta, part) for part in torch.split(text, _BATCH)]
        return sum(sums) / (len(text) * config.context)
    bind(model.eval(), theta)
    share = loss_shares(config, text[:, :-1], text[:, 1:])
    return sum(share(model, slice(first, first + _BATCH)).item() for first in range(0, len(text), _BATCH))


def _loss_sum(model: torch.nn.Module, theta: dict[str, Tensor], text: Tensor) -> float:
    logits: Tensor = functional_call(model, theta, (text[:, :-1],))
    return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten(), reduction="sum").item()
