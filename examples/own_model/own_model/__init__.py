"""A small causal mixer, as a run asks for it: what it builds, what it descends along, what it begins with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .mixer import Mixer


def build(config: dict[str, Any]) -> torch.nn.Module:
    """A mixer of `layers` (2) and `width` (32): its own settings, beside the run's vocabulary and context."""
    return Mixer(config["vocab"], config["context"], config.get("width", 32), config.get("layers", 2))


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy, and a little of the squared normaliser, which keeps logits small (the z-loss of PaLM)."""
    nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return nats + 1e-4 * torch.logsumexp(logits, dim=-1).square().mean()


def initial(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Gains are one, every token at first sees itself alone, and the rest is drawn."""
    if name.endswith("gain"):
        return torch.ones(shape)
    if name.endswith("places"):
        return torch.eye(*shape)
    return torch.empty(shape).normal_(0.0, 0.05, generator=generator)
