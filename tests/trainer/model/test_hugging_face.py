"""A run's weights load in Hugging Face's library, offline, and its weights can begin a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch.func import functional_call
from transformers import LlamaConfig, LlamaForCausalLM

from contracts.protocol.run_config import RunConfig
from trainer.model.building import build_model
from trainer.model.hugging_face import INDEX, SETTINGS, WEIGHTS, NotAModel, export, read_settings, read_weights
from trainer.model.state import Tensors, initial_theta

pytestmark = pytest.mark.unit
CONFIG = RunConfig(
    architecture="llama", layers=2, d_model=96, heads=6, kv_heads=2, mlp_width=200, vocab=512, rotary_base=500_000
)
UNTIED = RunConfig(architecture="llama", layers=1, d_model=96, heads=6, kv_heads=6, mlp_width=256, tied=False)


def logits_of(config: RunConfig, theta: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    weights = {name.removeprefix("theta."): torch.from_numpy(value) for name, value in theta.items()}
    found: torch.Tensor = functional_call(build_model(config), weights, (tokens,))
    return found


def tokens_of(config: RunConfig) -> torch.Tensor:
    return torch.randint(0, config.vocab, (2, config.context), generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("config", [CONFIG, UNTIED], ids=["tied", "untied"])
def test_what_is_exported_loads_there_with_the_same_logits(tmp_path: Path, config: RunConfig) -> None:
    theta = initial_theta(config)
    export(config, theta, tmp_path / "weights here")
    model = LlamaForCausalLM.from_pretrained(tmp_path / "weights here", local_files_only=True).eval()
    with torch.no_grad():
        theirs = model(tokens_of(config)).logits
    ours = logits_of(config, theta, tokens_of(config))
    assert float((ours - theirs).abs().max()) <= 8e-7 * float(theirs.abs().max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_their_library_saved_begins_a_run(tmp_path: Path, dtype: torch.dtype) -> None:
    """In several files, as larger models come."""
    torch.manual_seed(6)
    made = LlamaConfig(
        vocab_size=512,
        hidden_size=96,
        intermediate_size=200,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=64,
        rope_theta=500_000.0,
    )
    LlamaForCausalLM(made).to(dtype).save_pretrained(tmp_path, max_shard_size="100KB")
    model = LlamaForCausalLM.from_pretrained(tmp_path, local_files_only=True, dtype=torch.float32).eval()
    assert (tmp_path / INDEX).exists()
    config = RunConfig(**read_settings(tmp_path))
    assert (config.key_heads, config.rotary_base, config.tied, config.norm_eps) == (2, 500_000, False, "0.000001")
    theta = read_weights(tmp_path, config)
    with torch.no_grad():
        theirs = model(tokens_of(config)).logits
    ours = logits_of(config, theta, tokens_of(config))
    assert float((ours - theirs).abs().max()) <= 8e-7 * float(theirs.abs().max())


def test_export_and_import_are_inverse(tmp_path: Path) -> None:
    theta = initial_theta(CONFIG)
    export(CONFIG, theta, tmp_path)
    assert RunConfig(**read_settings(tmp_path)) == CONFIG
    found = read_weights(tmp_path, CONFIG)
    assert list(found) == list(theta)
    assert all(np.array_equal(found[name], value) for name, value in theta.items())


def test_a_gpt_has_no_form_there(tmp_path: Path) -> None:
    with pytest.raises(NotAModel, match="architecture 'gpt'"):
        export(RunConfig(), initial_theta(RunConfig()), tmp_path / "gpt")
    assert not (tmp_path / "gpt").exists()


def settings(**changed: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        found = json.loads((folder / SETTINGS).read_text())
        (folder / SETTINGS).write_text(json.dumps({**found, **changed}))

    return change


def weights(name: str, value: np.ndarray[Any, Any] | None) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        found = load_file(folder / WEIGHTS)
        found.pop(name, None)
        save_file(found if value is None else {**found, name: value}, folder / WEIGHTS)

    return change


GAIN = "model.norm.weight"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "another architecture": (settings(model_type="mamba"), "model_type must be llama, is 'mamba'"),
    "a stretched rotary": (settings(rope_scaling={"factor": 8}), "rope_scaling must be None"),
    "another kind of rotary": (settings(rope_parameters={"rope_type": "yarn"}), "rope_type must be default, is 'yarn'"),
    "an endless rotary": (settings(rope_theta=math.inf), "rope_theta must be a whole number, is 'inf'"),
    "a rotary that is no number": (settings(rope_theta=math.nan), "rope_theta must be a whole number, is 'nan'"),
    "a rotary that is true": (settings(rope_theta=True), "rope_theta must be a whole number, is 'True'"),
    "a bias": (settings(attention_bias=True), "attention_bias must be False"),
    "another vocabulary": (settings(vocab_size=300), r"model.embed_tokens.weight has shape \(512, 96\)"),
    "embeddings tied by a text": (settings(tie_word_embeddings="false"), "tie_word_embeddings must be true or false"),
    "a size that is text": (settings(hidden_size="96"), "hidden_size must be a whole number"),
    "settings that are none": (lambda folder: (folder / SETTINGS).write_text("[]"), "must hold an object"),
    "settings of another format": (lambda folder: (folder / SETTINGS).write_text("model: llama"), "read as JSON"),
    "not a number": (weights(GAIN, np.full(96, np.nan, np.float32)), f"{GAIN} holds .* not finite"),
    "whole numbers": (weights(GAIN, np.ones(96, np.int64)), f"{GAIN} holds torch.int64"),
    "a weight that is missing": (weights(GAIN, None), f"1 weights are missing.* first {GAIN}"),
    "a weight too many": (weights("model.bias", np.ones(1, np.float32)), "model.bias has shape"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "is no safetensors file"),
    "a pickle": (lambda folder: (folder / WEIGHTS).write_bytes(b"\x80\x04K\x01."), "is no safetensors file"),
    "parts elsewhere": (
        lambda folder: (folder / INDEX).write_text('{"weight_map": {"a": "../other.safetensors"}}'),
        "must name files of this folder",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_holds_no_such_model_is_refused(tmp_path: Path, name: str) -> None:
    export(CONFIG, initial_theta(CONFIG), tmp_path)
    spoil, message = BROKEN[name]
    spoil(tmp_path)
    with pytest.raises(NotAModel, match=message):
        read_weights(tmp_path, RunConfig(**read_settings(tmp_path)))
