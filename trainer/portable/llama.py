"""Forward and backward of the llama by hand, in the portable arithmetic; as a module it is trainer/model/llama.py.

Shapes: B batch, T time, R = B * T rows, G heads of keys and values, N heads of queries to each of them, K width of a
head, D width of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from contracts.protocol.run_config import RunConfig
from trainer.model.llama import within_documents
from trainer.portable.attention import attention, attention_backward, future
from trainer.portable.byte_gemm import rows
from trainer.portable.rotary import turned, turns
from trainer.portable.scope import Backward, Branch, Scope
from trainer.portable.tables import silu, silu_places, silu_slope


class PortableLlama:
    """The model over the weights of a step; `tokens` (B, T) are one micro-batch."""

    def __init__(self, config: RunConfig, weights: Scope, tokens: Tensor) -> None:
        self.config = config
        self.weights = weights
        self.tokens = tokens
        self.head = "model.embed_tokens" if config.tied else "lm_head"
        width = config.d_model // config.heads
        self.cos, self.sin = turns(tokens.shape[1], width, config.rotary_base, tokens.device)
        self.hidden = self._hidden()

    def embedded(self) -> tuple[Tensor, Callable[[Tensor], None]]:
        """Rows (R, D), and where their gradient goes."""
        tokens = self.tokens.flatten()
        leave = partial(self.weights.waiting.looked_up, self.weights.name("model.embed_tokens"), tokens)
        return self.weights.weight("model.embed_tokens")[tokens], leave

    def branches(self) -> list[Branch]:
        """Of the residual stream, in order."""
        found: list[Branch] = []
        for layer in range(self.config.layers):
            block = self.weights.under(f"model.layers.{layer}.")
            found += [partial(self._attention, block), partial(self._mlp, block)]
        return found

    def last_norm(self, x: Tensor) -> tuple[Tensor, Backward]:
        """x (R, D) as the output layer takes it."""
        return self._norm(self.weights, "model.norm", x)

    def _norm(self, scope: Scope, name: str, x: Tensor) -> tuple[Tensor, Backward]:
        return scope.rms_norm(name, x, self.config.rate("norm_eps"))

    def _hidden(self) -> Tensor:
        """Positions that no query looks at: (T, T), or by the documents of each sequence (B, 1, 1, T, T)."""
        if self.config.document_end < 0:
            return future(self.tokens.shape[1], self.tokens.device)
        return within_documents(self.tokens, self.config.document_end).logical_not_().unsqueeze(1)

    def _attention(self, block: Scope, x: Tensor) -> tuple[Tensor, Backward]:
        attn = block.under("self_attn.")
        normed, norm_backward = self._norm(block, "input_layernorm", x)
        operand = rows(normed)
        q, k, v = (self._by_heads(attn.linear(name, operand)) for name in _PROJECTIONS)  # (B, G, N, T, K)
        q, k = (turned(part, self.cos, self.sin) for part in (q, k))
        y, saved = attention(q.flatten(2, 3), k.flatten(2, 3), v.flatten(2, 3), self.hidden)
        mixed = self._by_rows(y)

        def backward(gradient: Tensor) -> Tensor:
            by_heads = self._by_heads(attn.linear_backward("o_proj", gradient, mixed))
            dq, dk, dv = attention_backward(by_heads.flatten(2, 3), saved)
            dq = turned(dq.view(by_heads.shape), self.cos, -self.sin)
            dk = turned(dk, self.cos, -self.sin)
            parts = zip(_PROJECTIONS, (dq, dk, dv), strict=True)
            first, *others = (attn.linear_backward(name, self._by_rows(part), normed) for name, part in parts)
            for other in others:
                first = first.add_(other)
            return norm_backward(first)

        return attn.linear("o_proj", rows(mixed)), backward

    def _mlp(self, block: Scope, x: Tensor) -> tuple[Tensor, Backward]:
        mlp = block.under("mlp.")
        normed, norm_backward = self._norm(block, "post_attention_layernorm", x)
        operand = rows(normed)
        gate, up = (mlp.linear(name, operand) for name in ("gate_proj", "up_proj"))
        places = silu_places(gate)
        opened = silu(gate, places)
        hidden = opened * up

        def backward(gradient: Tensor) -> Tensor:
            inner = mlp.linear_backward("down_proj", gradient, hidden)
            of_gate = mlp.linear_backward("gate_proj", silu_slope(places).mul_(inner * up), normed)
            return norm_backward(of_gate.add_(mlp.linear_backward("up_proj", inner * opened, normed)))

        return mlp.linear("down_proj", rows(hidden)), backward

    def _by_heads(self, x: Tensor) -> Tensor:
        """(R, heads * K) -> (B, G, N, T, K), N = 1 for keys and values."""
        batch, time = self.tokens.shape
        width = self.config.d_model // self.config.heads
        return x.view(batch, time, self.config.key_heads, -1, width).permute(0, 2, 3, 1, 4).contiguous()

    def _by_rows(self, x: Tensor) -> Tensor:
        """(B, G, N, T, K), also with N and T as one, -> (R, heads * K)."""
        batch, time = self.tokens.shape
        split = x.reshape(batch, self.config.key_heads, -1, time, x.shape[-1])
        return split.permute(0, 3, 1, 2, 4).reshape(batch * time, -1)


_PROJECTIONS = ("q_proj", "k_proj", "v_proj")
