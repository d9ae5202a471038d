"""The comparison with torchft without torchft: what it would have exchanged, and its optimizer's own class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.beside_torchft import CONFIG, Replica, compared, first_model, outer_optimizer, settled

pytestmark = pytest.mark.unit
TINY = replace(CONFIG, layers=1, d_model=16, heads=2, kv_heads=1)


def replicas(lr_of_one: float = 1.0) -> list[Replica]:
    """Two that exchanged noise for three rounds and took the mean of it."""
    noise = np.random.default_rng(7)
    model, names = first_model(TINY)
    outer = outer_optimizer(TINY, model)
    found = [Replica(), Replica()]
    for _ in range(3):
        for one in found:
            one.gradients.append({n: noise.normal(0, 0.1, p.shape).astype(np.float32) for n, p in _named(model, names)})
        for name, weights in _named(model, names):
            both = found[0].gradients[-1][name] + found[1].gradients[-1][name]
            weights.grad = torch.from_numpy(both * np.float32(lr_of_one) / 2)
        outer.step()
        for one in found:
            one.settled.append(settled(model, outer))
    return found


def _named(model: torch.nn.Module, names: list[str]) -> list[tuple[str, torch.nn.Parameter]]:
    return list(zip(names, model.parameters(), strict=True))


def test_one_formula_leaves_last_bits_between_the_two() -> None:
    found = compared(TINY, replicas())
    for way in ("ours", "in one rounding"):
        assert [row["differing"] for row in found[way]["momentum"]] == [0, 0, 0]
        assert max(row["largest of the tensor's"] for row in found[way]["weights"]) < 5e-7


def test_another_formula_is_seen() -> None:
    found = compared(TINY, replicas(lr_of_one=1.001))
    assert min(row["differing"] for row in found["ours"]["momentum"]) > 1_000
    assert max(row["largest of the tensor's"] for row in found["ours"]["weights"]) > 1e-5
