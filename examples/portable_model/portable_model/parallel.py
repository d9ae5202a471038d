"""A decoder whose branches are parallel (GPT-J, PaLM), with a squared ReLU (Primer), of portable operations.

Shapes: B batch, T time, D width, H heads, K width of a head, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.portable.operations import attention, bias, embedding, linear, rms_norm, rotary


def _matrix(out: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(out, width))


class Layer(nn.Module):
    """Attention and MLP of the same normed input, both added: (B, T, D) -> (B, T, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.Parameter(torch.ones(width))
        self.qkv = _matrix(3 * width, width)
        self.mixed = _matrix(width, width)
        self.up = _matrix(2 * width, width)
        self.up_bias = nn.Parameter(torch.zeros(2 * width))
        self.down = _matrix(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        normed = rms_norm(x, self.norm)
        hidden = torch.relu(bias(linear(normed, self.up), self.up_bias))
        return x + self._attended(normed) + linear(hidden * hidden, self.down)

    def _attended(self, normed: Tensor) -> Tensor:
        batch, time, width = normed.shape
        heads = linear(normed, self.qkv).view(batch, time, 3, self.heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)  # 3 x (B, H, T, K)
        y = attention(rotary(q), rotary(k), v)
        return linear(y.transpose(1, 2).reshape(batch, time, width), self.mixed)


class Parallel(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) float32; the output layer's weight is the embedding's."""

    def __init__(self, vocab: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.tokens = _matrix(vocab, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.last_norm = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        x = embedding(tokens, self.tokens)
        for layer in self.layers:
            x = layer(x)
        return linear(rms_norm(x, self.last_norm), self.tokens, fine=True)
