"""Named sizes of a llama, as fields of a RunConfig: what the field trains under these names, with H = 500.

Parameters count with the vocabulary that is named here; a corpus' own replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _llama(
    layers: int, d_model: int, heads: int, kv_heads: int, mlp_width: int, context: int, vocab: int, **more: Any
) -> dict[str, Any]:
    shape = {"layers": layers, "d_model": d_model, "heads": heads, "kv_heads": kv_heads, "mlp_width": mlp_width}
    rounds = {"steps": 500, "segment": 50, "schedule": "cosine", "warmup_steps": 1000}
    return {"architecture": "llama", **shape, "context": context, "vocab": vocab, **rounds, **more}


SIZES: Mapping[str, Mapping[str, Any]] = {
    "1M": _llama(4, 128, 4, 2, 384, 128, 2048, batch=16, inner_lr="0.003", warmup_steps=100),
    "15M": _llama(6, 288, 6, 6, 768, 256, 32_000, batch=32, micro_batch=8, inner_lr="0.001"),
    "150M": _llama(14, 768, 12, 12, 2048, 1024, 32_000, batch=64, micro_batch=2, inner_lr="0.0004", tied=False),
    "400M": _llama(28, 1024, 16, 8, 2816, 1024, 32_000, batch=128, micro_batch=1, inner_lr="0.0004", tied=False),
    "1.1B": _llama(22, 2048, 32, 4, 5632, 2048, 32_000, batch=128, micro_batch=1, inner_lr="0.0004", tied=False),
    "7B": _llama(32, 4096, 32, 32, 11_008, 4096, 32_000, batch=256, micro_batch=1, inner_lr="0.0003", tied=False),
    "10B": _llama(
        42,
        4096,
        32,
        8,
        14_336,
        8192,
        128_256,
        batch=128,
        micro_batch=1,
        inner_lr="0.000075",
        tied=False,
        rotary_base=500_000,
    ),
}
"""By parameters; 1.1B has TinyLlama's shape, 7B Llama 2's, 10B that of INTELLECT-1 (arXiv 2412.01152)."""


def fields_of(size: str) -> Mapping[str, Any]:
    """The fields of a named size. Raises InvalidRunConfig."""
    from contracts.protocol.run_config import InvalidRunConfig  # `--help` names the sizes, and loads nothing heavy

    if size not in SIZES:
        raise InvalidRunConfig("size", f"must be one of {', '.join(SIZES)}, is {size[:40]!r}")
    return SIZES[size]
