"""The portable inner step: GPT forward and backward by hand, then AdamW, the same bits on every machine.

What could tie the result to a machine's way of working is taken out in three places: sums are exact
(`exact_gemm`), samples are put into one order first, and what is summed over the batch waits until the whole
batch has passed, so that the size of a micro-batch decides memory and nothing else.

Shapes: B batch, T time, R = B * T rows, D width of the model, V vocabulary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.portable.exact_gemm import exact_matmul, exact_scatter, exact_sum
from trainer.portable.functions import (
    Normed,
    attention,
    attention_backward,
    cross_entropy,
    layer_norm,
    layer_norm_backward,
)
from trainer.portable.tables import gelu, gelu_places, gelu_slope

Weights = dict[str, Tensor]
Backward = Callable[[Tensor], Tensor]
"""Gradient of a branch's output to that of its input."""


@torch.no_grad()
def portable_gradients(
    config: RunConfig, theta: Weights, batch: Batch, micro_batches: int = 1
) -> tuple[float, list[Tensor]]:
    """Mean loss in nats per byte and its gradient, in `theta`'s order.

    The loss is for reporting and may differ in its last bits between libraries; the gradient may not.
    """
    device = next(iter(theta.values())).device
    x, y = (part.to(device) for part in _in_one_order(batch))
    waiting = _Waiting()
    losses = []
    for tokens, targets in zip(x.chunk(micro_batches), y.chunk(micro_batches), strict=True):
        losses.append(_pass(config, theta, tokens, targets, x.numel(), waiting))
    gradients = waiting.gradients(theta, config.vocab)
    return _joined(losses).mean().float().item(), [gradients[name] for name in theta]


class _Waiting:
    """What each weight's gradient will be summed from, once every micro-batch has passed."""

    def __init__(self) -> None:
        self._products: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        self._shares: dict[str, list[Tensor]] = defaultdict(list)
        self._tokens: list[Tensor] = []

    def product(self, name: str, gradient: Tensor, x: Tensor) -> None:
        """A linear layer's output gradient and input, (rows, width) each."""
        self._products[name].append((gradient, x))

    def share(self, name: str, shares: Tensor) -> None:
        """Shares of a gradient, to be summed over the first axis."""
        self._shares[name].append(shares)

    def embedded(self, tokens: Tensor, gradient: Tensor) -> None:
        """The gradient (batch, time, width) of the sum of token and position embeddings."""
        self._tokens.append(tokens.flatten())
        self.share("positions.weight", gradient)

    def gradients(self, theta: Weights, vocab: int) -> Weights:
        """Gradient of every weight in `theta`."""
        sums = {name: exact_sum(_joined(parts), 0).float() for name, parts in self._shares.items()}
        found = {name: sums[name].view(theta[name].shape) for name in sums}
        for name, pairs in self._products.items():
            gradient, x = (_joined(parts) for parts in zip(*pairs, strict=True))
            found[name] = exact_matmul(gradient.mT, x)
        embedded = _joined(self._shares["positions.weight"]).flatten(0, 1)
        found["tokens.weight"] += exact_scatter(embedded, _joined(self._tokens), vocab)
        return found


def _pass(config: RunConfig, theta: Weights, tokens: Tensor, targets: Tensor, count: int, waiting: _Waiting) -> Tensor:
    """Forward and backward of one micro-batch, leaving its part in `waiting`; the losses of its rows."""
    embedding = theta["tokens.weight"]
    gain = theta["norm.weight"]
    x = (embedding[tokens] + theta["positions.weight"][: tokens.shape[1]]).flatten(0, 1)  # (R, D)
    backwards: list[Backward] = []
    for layer in range(config.layers):
        for branch in (_attention_branch, _mlp_branch):
            change, backward = branch(_Scope(theta, f"blocks.{layer}.", waiting), x, len(tokens), config.heads)
            x = x + change
            backwards.append(backward)
    last, saved = layer_norm(x, gain)
    losses, gradient = cross_entropy(exact_matmul(last, embedding.mT), targets.flatten(), count)  # (R,), (R, V)
    waiting.product("tokens.weight", gradient, last)
    gradient, shares = layer_norm_backward(exact_matmul(gradient, embedding, slices=2), gain, saved)  # (R, D)
    waiting.share("norm.weight", shares)
    for backward in reversed(backwards):
        gradient = gradient + backward(gradient)
    waiting.embedded(tokens, gradient.view(*tokens.shape, -1))
    return losses


class _Scope(NamedTuple):
    """The weights under one prefix."""

    theta: Weights
    prefix: str
    waiting: _Waiting

    def linear(self, name: str, x: Tensor) -> Tensor:
        """x (rows, in) to (rows, out)."""
        return exact_matmul(x, self.theta[f"{self.prefix}{name}.weight"].mT)

    def linear_backward(self, name: str, gradient: Tensor, x: Tensor) -> Tensor:
        """The gradient of `linear`'s x; that of its weight waits."""
        self.waiting.product(f"{self.prefix}{name}.weight", gradient, x)
        return exact_matmul(gradient, self.theta[f"{self.prefix}{name}.weight"])

    def norm(self, name: str, x: Tensor) -> tuple[Tensor, Normed]:
        """x (rows, width) normed."""
        return layer_norm(x, self.theta[f"{self.prefix}{name}.weight"])

    def norm_backward(self, name: str, gradient: Tensor, saved: Normed) -> Tensor:
        """The gradient of `norm`'s x; that of its gain waits."""
        found, shares = layer_norm_backward(gradient, self.theta[f"{self.prefix}{name}.weight"], saved)
        self.waiting.share(f"{self.prefix}{name}.weight", shares)
        return found


def _attention_branch(scope: _Scope, x: Tensor, batch: int, heads: int) -> tuple[Tensor, Backward]:
    normed, norm_saved = scope.norm("norm1", x)
    mixed, attention_saved = attention(scope.linear("attention.qkv", normed), batch, heads)

    def backward(gradient: Tensor) -> Tensor:
        gradient = scope.linear_backward("attention.out", gradient, mixed)
        gradient = attention_backward(gradient, attention_saved)
        return scope.norm_backward("norm1", scope.linear_backward("attention.qkv", gradient, normed), norm_saved)

    return scope.linear("attention.out", mixed), backward


def _mlp_branch(scope: _Scope, x: Tensor, _batch: int, _heads: int) -> tuple[Tensor, Backward]:
    normed, norm_saved = scope.norm("norm2", x)
    before = scope.linear("up", normed)
    places = gelu_places(before)
    hidden = gelu(before, places)

    def backward(gradient: Tensor) -> Tensor:
        gradient = gelu_slope(places).mul_(scope.linear_backward("down", gradient, hidden))
        return scope.norm_backward("norm2", scope.linear_backward("up", gradient, normed), norm_saved)

    return scope.linear("down", hidden), backward


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts))


def _in_one_order(batch: Batch) -> tuple[Tensor, Tensor]:
    """The batch with its samples sorted by their bytes."""
    x, y, _ = batch
    order = np.lexsort(np.concatenate([x, y], axis=1).T)
    return torch.from_numpy(x[order]), torch.from_numpy(y[order])
