"""Forward and backward of our own GPT by hand, in the portable arithmetic.

Shapes: B batch, T time, R = B * T rows, H heads, K width of a head, D width of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from contracts.protocol.run_config import RunConfig
from trainer.portable.attention import attention, attention_backward, future
from trainer.portable.byte_gemm import rows
from trainer.portable.scope import Backward, Branch, Scope
from trainer.portable.tables import gelu, gelu_places, gelu_slope


class PortableGPT:
    """The model over the weights of a step; `tokens` (B, T) are one micro-batch."""

    head = "tokens"
    """The output layer's weight, which is the embedding's."""

    def __init__(self, config: RunConfig, weights: Scope, tokens: Tensor) -> None:
        self.config = config
        self.weights = weights
        self.tokens = tokens

    def embedded(self) -> tuple[Tensor, Callable[[Tensor], None]]:
        """Rows (R, D), and where their gradient goes."""
        batch, time = self.tokens.shape
        x = self.weights.weight("tokens")[self.tokens] + self.weights.weight("positions")[:time]  # (B, T, D)

        def backward(gradient: Tensor) -> None:
            self.weights.waiting.looked_up(self.weights.name("tokens"), self.tokens.flatten(), gradient)
            self.weights.waiting.share(self.weights.name("positions"), gradient.view(batch, time, -1))

        return x.flatten(0, 1), backward

    def branches(self) -> list[Branch]:
        """Of the residual stream, in order."""
        found: list[Branch] = []
        for layer in range(self.config.layers):
            block = self.weights.under(f"blocks.{layer}.")
            found += [partial(self._attention, block), partial(self._mlp, block)]
        return found

    def last_norm(self, x: Tensor) -> tuple[Tensor, Backward]:
        """x (R, D) as the output layer takes it."""
        return self.weights.layer_norm("norm", x)

    def _attention(self, block: Scope, x: Tensor) -> tuple[Tensor, Backward]:
        batch, time = self.tokens.shape
        normed, norm_backward = block.layer_norm("norm1", x)
        qkv = block.linear("attention.qkv", rows(normed)).view(batch, time, 3, self.config.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).contiguous()  # 3 x (B, H, T, K)
        y, saved = attention(q, k, v, future(time, x.device))
        mixed = y.transpose(1, 2).flatten(2).flatten(0, 1)  # (R, D)

        def backward(gradient: Tensor) -> Tensor:
            gradient = block.linear_backward("attention.out", gradient, mixed).view(batch, time, *y.shape[1::2])
            parts = torch.stack(attention_backward(gradient.transpose(1, 2).contiguous(), saved))  # (3, B, H, T, K)
            gradient = parts.permute(1, 3, 0, 2, 4).reshape(len(x), -1)  # (R, 3 D)
            return norm_backward(block.linear_backward("attention.qkv", gradient, normed))

        return block.linear("attention.out", rows(mixed)), backward

    def _mlp(self, block: Scope, x: Tensor) -> tuple[Tensor, Backward]:
        normed, norm_backward = block.layer_norm("norm2", x)
        before = block.linear("up", rows(normed))
        places = gelu_places(before)
        hidden = gelu(before, places)

        def backward(gradient: Tensor) -> Tensor:
            gradient = gelu_slope(places).mul_(block.linear_backward("down", gradient, hidden))
            return norm_backward(block.linear_backward("up", gradient, normed))

        return block.linear("down", rows(hidden)), backward
