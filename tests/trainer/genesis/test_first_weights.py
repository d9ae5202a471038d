"""A run that begins with another model's weights: the file is fetched, hashed, and no other is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import functional_call

from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import pack
from tests.trainer.data.served import Served, served_folder
from tests.trainer.genesis.models import saved
from trainer.data import cache as cache_module
from trainer.data.corpus import CorpusUnreachable
from trainer.data.origins import origin_of
from trainer.genesis import first_weights
from trainer.genesis.first_weights import WeightsUnreachable, WrongWeights, choose_weights, first_theta
from trainer.genesis.importing import FIELDS, import_model, weights_fields
from trainer.genesis.place import WeightsPlace
from trainer.model.building import build_model
from trainer.model.hugging_face import NotAModel
from trainer.model.state import initial_theta

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(cache_module, "FIRST_WAIT", 0.001)
    before = first_weights._chosen
    yield
    choose_weights(before)


@pytest.fixture
def fields(tmp_path: Path) -> dict[str, Any]:
    saved(tmp_path / "llama")
    return import_model(tmp_path / "llama", tmp_path / "start")


@pytest.fixture
def served(tmp_path: Path, fields: dict[str, Any]) -> Iterator[Served]:
    with served_folder(tmp_path / "start") as found:
        yield found


def test_without_a_file_they_follow_from_the_seed() -> None:
    config = RunConfig(layers=1, d_model=16, heads=2)
    drawn = initial_theta(config)
    assert all(np.array_equal(value, drawn[name]) for name, value in first_theta(config).items())


def test_a_run_begins_with_the_logits_of_the_model(tmp_path: Path, served: Served, fields: dict[str, Any]) -> None:
    config = RunConfig(**fields, weights_url=served.url)
    choose_weights(WeightsPlace(cache=tmp_path / "cache", loopback=True))
    theta = {name.removeprefix("theta."): torch.tensor(value) for name, value in first_theta(config).items()}
    tokens = torch.arange(24)[None]
    model = saved(tmp_path / "again").eval()
    with torch.no_grad():
        ours, expected = functional_call(build_model(config), theta, (tokens,)), model(tokens).logits
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-6)
    first_theta(config)
    assert served.asked == [config.weights_blob], "once"


def test_an_address_of_the_run_may_not_mean_this_machine(
    tmp_path: Path, served: Served, fields: dict[str, Any]
) -> None:
    config = RunConfig(**fields, weights_url=served.url)
    choose_weights(WeightsPlace(cache=tmp_path / "cache"))
    with pytest.raises(WeightsUnreachable, match="no public address"):
        first_theta(config)
    choose_weights(WeightsPlace(str(tmp_path / "start"), tmp_path / "cache"))
    assert first_theta(config).keys() == initial_theta(config).keys()


def test_a_run_that_names_no_place_asks_for_one(fields: dict[str, Any]) -> None:
    choose_weights(WeightsPlace())
    with pytest.raises(WeightsUnreachable, match="--weights"):
        first_theta(RunConfig(**fields))


def test_a_file_of_another_model_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    """The name is right, and the shapes are another configuration's."""
    choose_weights(WeightsPlace(str(tmp_path / "start"), tmp_path / "cache"))
    with pytest.raises(WrongWeights, match="not the run's first weights"):
        first_theta(replace(RunConfig(**fields), layers=2))


def test_a_file_that_changed_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    config = RunConfig(**fields)
    theta = initial_theta(config)
    (tmp_path / "start" / config.weights_blob).write_bytes(pack(theta))
    choose_weights(WeightsPlace(str(tmp_path / "start"), tmp_path / "cache"))
    with pytest.raises(WrongWeights, match="it changed on disk"):
        first_theta(config)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """They never become a file."""
    model = saved(tmp_path / "llama")
    with torch.no_grad():
        model.model.norm.weight[3] = float("nan")
    model.save_pretrained(tmp_path / "llama")
    with pytest.raises(NotAModel, match="not finite"):
        import_model(tmp_path / "llama", tmp_path / "start")
    assert not (tmp_path / "start").exists()


def test_a_shape_that_no_run_has_is_refused_by_its_field(tmp_path: Path) -> None:
    saved(tmp_path / "llama", vocab=100)
    with pytest.raises(NotAModel, match="vocab must be between 256"):
        import_model(tmp_path / "llama", tmp_path / "start")


def test_the_fields_come_back(tmp_path: Path, fields: dict[str, Any]) -> None:
    assert weights_fields(origin_of(str(tmp_path / "start"))) == fields


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"layers": 1', '"layers": 0'),
        lambda text: text.replace('"layers"', '"floors"'),
        lambda text: text.replace('"layers"', f'"maintainers": "1:0x{"11" * 20}", "layers"'),
        lambda text: "[1]",
        lambda text: text[:-3],
        lambda text: text + " " * 10_001,
    ],
    ids=["range", "name", "another's word", "list", "json", "length"],
)
def test_other_fields_are_refused(tmp_path: Path, fields: dict[str, Any], change: Callable[[str], str]) -> None:
    path = tmp_path / "start" / FIELDS
    assert json.loads(path.read_text()) == fields
    path.write_text(change(path.read_text()))
    with pytest.raises(WrongWeights, match=r"names no model|has more than|no field of a model"):
        weights_fields(origin_of(str(tmp_path / "start")))
    path.unlink()
    with pytest.raises(CorpusUnreachable):
        weights_fields(origin_of(str(tmp_path / "start")))


def test_weights_of_more_than_a_file_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are the run's creator's word."""
    monkeypatch.setattr(first_weights, "MOST_FILE", 1000)
    with pytest.raises(WrongWeights, match="a file has at most 1,000"):
        first_theta(RunConfig(layers=1, d_model=16, heads=2, weights_blob="ab" * 32, weights_url="https://x.example"))
