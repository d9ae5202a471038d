"""The lines of docs/own-model.md do what the page says, as it has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.sources import ROOT
from tests.trainer.model.own.packages import example, forgotten, written
from trainer.model.own.files import export_own
from trainer.model.own.interface import named
from trainer.model.own.source import installed
from trainer.model.state import initial_theta
from trainer.steps.determinism import profile_of

pytestmark = pytest.mark.unit


def blocks(title: str) -> list[str]:
    section = (ROOT / "docs" / "own-model.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_training_without_a_chain_learns(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example(place)
    (place / "text").mkdir()
    (place / "text" / "one.txt").write_text(
        "".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500))
    )
    monkeypatch.chdir(place)
    found: dict[str, Any] = {}
    (code,) = blocks("Train your own model without a chain")
    exec(code, found)
    assert len(found["losses"]) == 4
    assert found["losses"][-1] < found["losses"][0] - 0.3


@pytest.mark.parametrize("block", [0, 1])
def test_the_packages_of_the_page_are_models(place: Path, block: int) -> None:
    written(place, blocks("The package")[block])
    profile_of(named("odd_model", {}, context=8))


def test_exported_weights_load_into_the_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example(place)
    config = named("own_model", {"width": 16}, context=8)
    theta = initial_theta(config)
    export_own(config, theta, place / "out")
    monkeypatch.chdir(place)
    found: dict[str, Any] = {}
    forgotten()
    (code,) = blocks("Export its weights")
    exec(code, found)
    weights = load_file(place / "out" / "model.safetensors")
    assert {f"theta.{name}" for name in weights} == theta.keys()
    assert all(np.array_equal(weights[name.removeprefix("theta.")], value) for name, value in theta.items())
    assert torch.equal(found["model"].tokens, torch.tensor(theta["theta.tokens"]))


def test_a_single_number_keeps_its_shape(place: Path) -> None:
    example(place)
    export_own(named("own_model", {}, context=8), {"theta.scale": np.array(2, np.float32)}, place / "out")
    assert load_file(place / "out" / "model.safetensors")["scale"].shape == ()


def test_the_page_has_the_digest_of_the_example(place: Path) -> None:
    example(place)
    text = (ROOT / "docs" / "own-model.md").read_text()
    (said,) = {*re.findall(r'"model_digest": "([0-9a-f]+)…"', text)}
    assert installed("own_model").digest.startswith(said)
