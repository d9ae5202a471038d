"""An MLP-mixer over text (Tolstikhin et al. 2021), whose mixing of places is causal.

Shapes: B batch, T time, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layer(nn.Module):
    """Mix places, then channels, each on a normed residual branch: (B, T, D) -> (B, T, D)."""

    def __init__(self, context: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.places = nn.Parameter(torch.eye(context))
        self.up = nn.Parameter(torch.empty(2 * width, width))
        self.down = nn.Parameter(torch.empty(width, 2 * width))

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[1]
        seen = torch.tril(self.places[:time, :time])  # (T, T): no place sees a later one
        x = x + seen @ self._normed(x)
        return x + F.linear(F.gelu(F.linear(self._normed(x), self.up)), self.down)

    def _normed(self, x: Tensor) -> Tensor:
        return self.gain * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


class Mixer(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) float32."""

    def __init__(self, vocab: int, context: int, width: int, layers: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(vocab, width))
        self.layers = nn.ModuleList(Layer(context, width) for _ in range(layers))
        self.out = nn.Parameter(torch.empty(vocab, width))

    def forward(self, tokens: Tensor) -> Tensor:
        x = F.embedding(tokens, self.tokens)
        for layer in self.layers:
            x = layer(x)
        return F.linear(x, self.out)
