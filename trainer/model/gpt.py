"""A small byte-level GPT: pre-norm blocks, learned positions, tied embeddings, no biases, no dropout.

Where documents are told apart, positions still count from the start of the window.

Shapes: B batch, T time, H heads, D width of the model, K = D / H width of a head, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from contracts.protocol.run_config import RunConfig
from trainer.model.llama import within_documents
from trainer.model.recompute import passed


class Attention(nn.Module):
    """Causal self-attention: x (B, T, D), and who sees whom, (B, 1, T, T) bool or None for all before -> (B, T, D)."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model, bias=False)
        self.out = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        batch, time, width = x.shape
        qkv = self.qkv(x).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 x (B, H, T, K)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=seen is None)  # (B, H, T, K)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(batch, time, width))  # (B, T, D)
        return mixed


class Block(nn.Module):
    """Attention, then a 4x GELU MLP, each on a normed residual branch: (B, T, D) -> (B, T, D)."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.d_model, bias=False)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.d_model, bias=False)
        self.up = nn.Linear(config.d_model, config.mlp_size, bias=False)
        self.down = nn.Linear(config.mlp_size, config.d_model, bias=False)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        x = x + self.attention(self.norm1(x), seen)
        residual: Tensor = x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))
        return residual


class GPT(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) float32."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.tokens = _embedding(config.vocab, config.d_model)
        self.positions = _embedding(config.context, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model, bias=False)
        self.document_end = config.document_end

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.tokens(tokens) + self.positions(places)  # (B, T, D)
        seen = None if self.document_end < 0 else within_documents(tokens, self.document_end)
        for block in self.blocks:
            x = passed(block, x, seen)
        return F.linear(self.norm(x), self.tokens.weight)  # (B, T, V)


def _embedding(rows: int, width: int) -> nn.Embedding:
    """Not initialised: no weight here ever is, and drawing one without memory loads torch's compiler, for seconds."""
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))
