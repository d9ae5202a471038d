"""A run names its own model by a package, a digest and its settings; runs of before are read as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.protocol.architecture import parameter_count, weight_shapes
from contracts.protocol.own_model import LONGEST_SETTINGS, InvalidOwnModel, parse_settings, settings_text
from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from ledger.machine.announced import largest

pytestmark = pytest.mark.unit
OWN: dict[str, Any] = {
    "architecture": "own",
    "model_package": "own_model",
    "model_digest": "ab" * 32,
    "model_config": '{"width":16}',
    "weights_size": 4_000,
    "state_size": 12_500,
}
LATER = {"model_package", "model_digest", "model_config", "weights_size", "state_size"}


def test_a_run_without_its_own_model_keeps_its_text() -> None:
    """The configurations that are stored, and their digests."""
    said = json.loads(RunConfig(architecture="llama").to_json())
    assert not LATER & said.keys()
    assert RunConfig.from_json(json.dumps(said)) == RunConfig(architecture="llama")
    assert (
        RunConfig(steps=40, segment=4).digest().hex()
        == "ed29bb43aea215416b4a4d10111dee6864456ec2fced9b6bbae674b4f617b77a"
    )


def test_a_run_with_its_own_model_says_all_of_it() -> None:
    config = RunConfig(**OWN)
    assert json.loads(config.to_json()).keys() >= LATER
    assert RunConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("model_digest", "00" * 32, "missing.*commonweight model digest own_model"),
        ("model_digest", "AB" * 32, "lower-case"),
        ("model_package", "", "missing"),
        ("model_package", "own.model", "package's name"),
        ("model_package", "../own_model", "package's name"),
        ("model_config", "{", "not JSON"),
        ("model_config", "[]", "JSON object"),
        ("model_config", '{"a": 1}', "no spaces"),
        ("model_config", '{"b":1,"a":1}', "keys sorted"),
        ("model_config", '{"a":NaN}', "not JSON"),
        ("model_config", '{"vocab":3}', "field of the run"),
        ("model_config", '{"a":"' + "x" * LONGEST_SETTINGS + '"}', "at most"),
        ("model_config", '{"a":' + "[" * 1_900, "inside each other"),
        ("model_config", '{"a":' + "[" * 16 + "]" * 16 + "}", "at most 16 lists"),
        ("weights_size", 0, "model train"),
        ("state_size", 0, "model train"),
        ("layers", 3, "must be 2 in a run of own"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_names_no_model_is_refused_by_its_field(field: str, value: object, remedy: str) -> None:
    with pytest.raises(InvalidRunConfig, match=f"^{field} .*{remedy}"):
        RunConfig(**{**OWN, field: value})


@pytest.mark.parametrize("field", sorted(LATER))
def test_another_architecture_names_no_package(field: str) -> None:
    with pytest.raises(InvalidRunConfig, match=f"^{field} is an own model's"):
        RunConfig(**{field: OWN[field]})


def test_settings_have_one_text() -> None:
    settings = {"width": 16, "names": ["ä"], "rate": 0.1}
    assert parse_settings(settings_text(settings)) == settings
    assert (settings_text({}), parse_settings("")) == ("", {})


def test_a_callers_depth_does_not_decide_about_a_run() -> None:
    """A mirror that reads the log deep in its own frames takes the same runs as the server does."""
    deep = '{"a":' + "[" * 900 + "]" * 900 + "}"
    kept = '{"a":["[[[[[[[[[[[[[[[[[[[[\\"{{{",' + "[" * 14 + "]" * 14 + "]}"
    for frames in (0, 800):
        assert _called(frames, lambda: parse_settings(kept)).keys() == {"a"}
        with pytest.raises(InvalidOwnModel, match="inside each other"):
            _called(frames, lambda: parse_settings(deep))


def _called(frames: int, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return work() if frames == 0 else _called(frames - 1, work)


def test_the_server_takes_files_of_the_named_sizes() -> None:
    """It has no package: shapes are not known to it, and asking for them says so."""
    config = RunConfig(**OWN)
    assert [largest(config, kind) for kind in ("weights", "gradient", "state")] == [4_000, 4_000, 12_500]
    assert parameter_count(config) == 1_000
    with pytest.raises(InvalidRunConfig, match="package"):
        weight_shapes(config)
