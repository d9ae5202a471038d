"""The weights of a run's model: their names and shapes, by its architecture. Known to the server too, without torch.

`gpt` is our own small layout: LayerNorm, learned positions, GELU, tied embeddings. `llama` is that of Hugging Face's
`LlamaForCausalLM`, name by name (RMSNorm, rotary positions, SwiGLU, grouped-query attention), so that its weights load
elsewhere as they are. The weights of an `own` model are those that its package builds (trainer/model/layout.py); here
only the sizes of its files are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import prod

from contracts.protocol.run_config import InvalidRunConfig, RunConfig

Shapes = dict[str, tuple[int, ...]]
Named = Iterator[tuple[str, tuple[int, ...]]]


def weight_shapes(config: RunConfig) -> Shapes:
    """Name to shape of every weight, in the order of the names; all are float32. Raises InvalidRunConfig for an own
    model."""
    return dict(_sorted_shapes(config))


@lru_cache(maxsize=32)
def _sorted_shapes(config: RunConfig) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if config.architecture not in _LAYOUTS:
        raise InvalidRunConfig("architecture", f"{config.architecture} has the weights that its package builds")
    return tuple(sorted(_LAYOUTS[config.architecture](config)))


def theta_layout(config: RunConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The layout of a file of weights, of a pseudo-gradient or of the outer momentum (contracts/tensors)."""
    return {f"theta.{name}": ("F32", shape) for name, shape in _sorted_shapes(config)}


def parameter_count(config: RunConfig) -> int:
    """How many numbers the weights are; of an own model, by the size of their file, whose head counts with them."""
    if config.architecture == "own":
        return config.weights_size // 4
    return sum(prod(shape) for _, shape in _sorted_shapes(config))


def _gpt(config: RunConfig) -> Named:
    width = config.d_model
    yield "tokens.weight", (config.vocab, width)
    yield "positions.weight", (config.context, width)
    yield "norm.weight", (width,)
    for layer in range(config.layers):
        block = f"blocks.{layer}"
        yield f"{block}.norm1.weight", (width,)
        yield f"{block}.attention.qkv.weight", (3 * width, width)
        yield f"{block}.attention.out.weight", (width, width)
        yield f"{block}.norm2.weight", (width,)
        yield f"{block}.up.weight", (config.mlp_size, width)
        yield f"{block}.down.weight", (width, config.mlp_size)


def _llama(config: RunConfig) -> Named:
    width = config.d_model
    yield "model.embed_tokens.weight", (config.vocab, width)
    yield "model.norm.weight", (width,)
    if not config.tied:
        yield "lm_head.weight", (config.vocab, width)
    for layer in range(config.layers):
        yield from ((f"model.layers.{layer}.{name}.weight", shape) for name, shape in _llama_block(config).items())


def _llama_block(config: RunConfig) -> Shapes:
    width = config.d_model
    shared = config.key_heads * (width // config.heads)
    return {
        "input_layernorm": (width,),
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (shared, width),
        "self_attn.v_proj": (shared, width),
        "self_attn.o_proj": (width, width),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (config.mlp_size, width),
        "mlp.up_proj": (config.mlp_size, width),
        "mlp.down_proj": (width, config.mlp_size),
    }


_LAYOUTS: Mapping[str, Callable[[RunConfig], Named]] = {"gpt": _gpt, "llama": _llama}
