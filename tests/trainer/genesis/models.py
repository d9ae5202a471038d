"""A small Llama, as `transformers` saves it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def saved(folder: Path, vocab: int = 512) -> LlamaForCausalLM:
    """In this folder."""
    torch.manual_seed(3)
    shape = LlamaConfig(
        vocab_size=vocab,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(shape)
    model.save_pretrained(folder)
    return model
