"""The model that Hugging Face calls `LlamaForCausalLM`: its names, its shapes, its arithmetic in float32.

RMSNorm (Zhang & Sennrich 2019), rotary positions (Su et al. 2021; pairs are x[i] and x[i + K/2], as in that library),
SwiGLU (Shazeer 2020), grouped-query attention (Ainslie et al. 2023), no biases, no dropout.

Shapes: B batch, T time, H heads of queries, G heads of keys and values, D width of the model, K = D / H width of a
head, M width inside the MLP, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from contracts.protocol.run_config import RunConfig
from trainer.model.recompute import passed


class RMSNorm(nn.Module):
    """Each row over the root of its mean square, times a gain: (..., D) -> (..., D)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)  # (..., 1)
        return self.weight * (x * scale)


class Attention(nn.Module):
    """Causal self-attention: x (B, T, D), the turns of its positions, (T, K) each, and who sees whom -> (B, T, D).

    `seen` is (B, 1, T, T) bool, or None where each position sees all before it.
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.heads, self.shared = config.heads, config.key_heads
        self.width = config.d_model // config.heads
        self.q_proj = nn.Linear(config.d_model, self.heads * self.width, bias=False)
        self.k_proj = nn.Linear(config.d_model, self.shared * self.width, bias=False)
        self.v_proj = nn.Linear(config.d_model, self.shared * self.width, bias=False)
        self.o_proj = nn.Linear(self.heads * self.width, config.d_model, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, seen: Tensor | None) -> Tensor:
        q = turned(self._split(self.q_proj(x), self.heads), cos, sin)  # (B, H, T, K)
        k = turned(self._split(self.k_proj(x), self.shared), cos, sin)  # (B, G, T, K)
        v = self._split(self.v_proj(x), self.shared)  # (B, G, T, K)
        k, v = (part.repeat_interleave(self.heads // self.shared, dim=1) for part in (k, v))  # (B, H, T, K)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=seen is None)  # (B, H, T, K)
        mixed: Tensor = self.o_proj(y.transpose(1, 2).flatten(2))  # (B, T, D)
        return mixed

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """(B, T, heads * K) -> (B, heads, T, K)."""
        return x.view(*x.shape[:2], heads, self.width).transpose(1, 2)


class MLP(nn.Module):
    """A gated MLP: (B, T, D) -> (B, T, D), through M."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.d_model, config.mlp_size, bias=False)
        self.up_proj = nn.Linear(config.d_model, config.mlp_size, bias=False)
        self.down_proj = nn.Linear(config.mlp_size, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """Attention, then the MLP, each on a normed residual branch: (B, T, D) -> (B, T, D)."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        eps = config.rate("norm_eps")
        self.input_layernorm = RMSNorm(config.d_model, eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.d_model, eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, seen: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, seen)
        residual: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return residual


class Body(nn.Module):
    """Tokens (B, T) int64 -> the last hidden state, normed (B, T, D)."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(
            config.vocab, config.d_model, _weight=torch.empty(config.vocab, config.d_model)
        )
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.d_model, config.rate("norm_eps"))
        self.base, self.width = config.rotary_base, config.d_model // config.heads
        self.document_end = config.document_end

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed_tokens(tokens)  # (B, T, D)
        cos, sin = turns(tokens.shape[1], self.width, self.base, x.device)
        seen = None if self.document_end < 0 else within_documents(tokens, self.document_end)
        for block in self.layers:
            x = passed(block, x, cos, sin, seen)
        normed: Tensor = self.norm(x)
        return normed


class Llama(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) float32."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.model = Body(config)
        self.lm_head = None if config.tied else nn.Linear(config.d_model, config.vocab, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.model(tokens)  # (B, T, D)
        out = self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight
        return F.linear(hidden, out)  # (B, T, V)


def within_documents(tokens: Tensor, document_end: int) -> Tensor:
    """Who sees whom, (B, 1, T, T) bool: what stands before it in its own document, which its end belongs to.

    Rotary positions count within a document by themselves, since only their differences matter.
    """
    ends = (tokens == document_end).long()
    document = ends.cumsum(1) - ends  # (B, T): ends before a position
    same = document[:, :, None] == document[:, None, :]  # (B, T, T)
    return (same & torch.ones_like(same[0]).tril()).unsqueeze(1)


def turns(time: int, width: int, base: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles by which positions turn a head's pairs: (T, K) each."""
    places = torch.arange(0, width, 2, dtype=torch.int64, device=device).float() / width  # (K / 2,)
    angles = torch.outer(torch.arange(time, device=device).float(), 1.0 / base**places)  # (T, K / 2)
    both = torch.cat((angles, angles), dim=-1)
    return both.cos(), both.sin()


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs (x[i], x[i + K/2]) turned by their position's angle: (B, heads, T, K) -> the same."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin
