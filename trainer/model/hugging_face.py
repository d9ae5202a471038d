"""A llama's weights as a folder that Hugging Face's library loads, and such a folder as the weights of a run.

Written are `config.json` and `model.safetensors`, float32, under the library's own names. Read are these two, or
`model.safetensors.index.json` with its parts, in float32, bfloat16 or float16; nothing is unpickled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file
from contracts.protocol.architecture import weight_shapes
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import Tensors

WEIGHTS, INDEX, SETTINGS = "model.safetensors", "model.safetensors.index.json", "config.json"
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_LONGEST = 1_000_000
"""Bytes of a JSON file."""
_NEEDED = {
    "vocab_size": "vocab",
    "hidden_size": "d_model",
    "intermediate_size": "mlp_width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
}
_PLAIN = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "rope_scaling": None}
"""What our llama has of the library's, and nothing else."""


class NotAModel(CommonweightError):
    """A folder holds no model that a run can begin with, or weights that are not those of the run."""

    code = "not-a-model"


def export(config: RunConfig, theta: Tensors, folder: Path) -> None:
    """Write the weights `theta.*` of a llama. Raises NotAModel and DiskFull."""
    require_form(config)
    weights = {name.removeprefix("theta."): np.ascontiguousarray(value) for name, value in theta.items()}
    _check_shapes({name: value.shape for name, value in weights.items()}, config)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / WEIGHTS, save(weights, metadata={"format": "pt"}))
    replace_file(folder / SETTINGS, (json.dumps(settings_of(config), indent=2) + "\n").encode())


def require_form(config: RunConfig) -> None:
    """Raises NotAModel for a run whose weights the library has no model for."""
    if config.architecture != "llama":
        raise NotAModel(
            f"a run of the architecture {config.architecture!r} has no form in that library: it needs llama"
        )


def settings_of(config: RunConfig) -> dict[str, object]:
    """The content of `config.json`."""
    named = {theirs: getattr(config, ours) for theirs, ours in _NEEDED.items()}
    ends = {} if config.document_end < 0 else {"eos_token_id": config.document_end}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **named,
        **_PLAIN,
        "intermediate_size": config.mlp_size,
        "num_key_value_heads": config.key_heads,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.rate("norm_eps"),
        "rope_theta": float(config.rotary_base),
        "tie_word_embeddings": config.tied,
        "torch_dtype": "float32",
        **ends,
    }


def read_settings(folder: Path) -> dict[str, Any]:
    """Fields of a RunConfig that fit the model in a folder. Raises NotAModel, which names what does not fit."""
    found = _read_json(folder / SETTINGS)
    if found.get("model_type") != "llama":
        raise NotAModel(f"{folder / SETTINGS}: model_type must be llama, is {str(found.get('model_type'))[:40]!r}")
    for name, plain in _PLAIN.items():
        if found.get(name, plain) != plain:
            raise NotAModel(f"{folder / SETTINGS}: {name} must be {plain!r}, is {str(found[name])[:80]!r}")
    missing = [name for name in _NEEDED if type(found.get(name)) is not int]
    if missing:
        raise NotAModel(f"{folder / SETTINGS}: {missing[0]} must be a whole number")
    return {
        "architecture": "llama",
        **{ours: found[theirs] for theirs, ours in _NEEDED.items()},
        "rotary_base": _rotary_base(found, folder),
        "norm_eps": _decimal(found.get("rms_norm_eps", 1e-6), folder),
        "tied": _flag(found, "tie_word_embeddings", folder),
    }


def read_weights(folder: Path, config: RunConfig) -> dict[str, NDArray[np.generic]]:
    """The weights `theta.*` in a folder, float32. Raises NotAModel, naming a weight that is none of the run's."""
    theta: dict[str, NDArray[np.generic]] = {}
    expected = weight_shapes(config)
    for name, value in _tensors(folder):
        if name == "lm_head.weight" and config.tied:
            continue  # some files hold the embeddings twice
        if tuple(value.shape) != expected.get(name):
            raise NotAModel(f"{name} has shape {tuple(value.shape)}, the run's has {expected.get(name)}")
        if value.dtype not in _DTYPES or not bool(torch.isfinite(value).all()):
            raise NotAModel(f"{name} holds {value.dtype} that is not finite or not a float of 16 or 32 bits")
        theta[f"theta.{name}"] = value.float().numpy()
    _check_shapes({name.removeprefix("theta."): value.shape for name, value in theta.items()}, config)
    return dict(sorted(theta.items()))


def _check_shapes(found: Mapping[str, tuple[int, ...]], config: RunConfig) -> None:
    expected = weight_shapes(config)
    wrong = sorted({*found.items()} ^ {*expected.items()})
    if wrong:
        raise NotAModel(f"{len(wrong)} weights are missing, unknown or of another shape, first {wrong[0][0]}")


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for file in _files(folder):
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 - it is no dict
                    yield name, opened.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise NotAModel(f"{file} is no safetensors file: {error}") from error


def _files(folder: Path) -> list[Path]:
    """The files of the weights, none of which lies elsewhere."""
    if not (folder / INDEX).is_file():
        return [folder / WEIGHTS]
    parts = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(parts, dict) or not all(isinstance(part, str) and "/" not in part for part in parts.values()):
        raise NotAModel(f"{folder / INDEX}: weight_map must name files of this folder")
    return [folder / part for part in sorted(set(parts.values()))]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LONGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise NotAModel(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotAModel(f"{path} must hold an object")
    return found


def _rotary_base(found: Mapping[str, Any], folder: Path) -> int:
    """Newer files have it inside `rope_parameters`, beside a kind that must be the plain one."""
    inner = found.get("rope_parameters") or {}
    kind = inner.get("rope_type", "default") if isinstance(inner, dict) else "unknown"
    if kind != "default":
        raise NotAModel(f"{folder / SETTINGS}: rope_type must be default, is {str(kind)[:40]!r}")
    base = inner.get("rope_theta", found.get("rope_theta", 10_000))
    if type(base) not in (int, float) or not math.isfinite(base) or base != int(base):
        raise NotAModel(f"{folder / SETTINGS}: rope_theta must be a whole number, is {str(base)[:40]!r}")
    return int(base)


def _flag(found: Mapping[str, Any], name: str, folder: Path) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise NotAModel(f"{folder / SETTINGS}: {name} must be true or false, is {str(value)[:40]!r}")
    return value


def _decimal(value: Any, folder: Path) -> str:
    if not isinstance(value, float):
        raise NotAModel(f"{folder / SETTINGS}: rms_norm_eps must be a fraction, is {str(value)[:40]!r}")
    return np.format_float_positional(value, trim="-")
