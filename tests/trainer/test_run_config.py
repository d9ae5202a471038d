from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields

import pytest

from contracts.protocol.run_config import VOTABLE_KEYS, InvalidRunConfig, RunConfig

pytestmark = pytest.mark.unit


def test_json_round_trip_keeps_the_digest() -> None:
    config = RunConfig(seed=9)
    assert RunConfig.from_json(config.to_json()) == config
    assert RunConfig.from_json(config.to_json()).digest() == config.digest()


@pytest.mark.parametrize("name", [field.name for field in fields(RunConfig)])
def test_every_field_changes_the_digest(name: str) -> None:
    """Past the checks: whatever a field may hold, another value of it is another configuration."""
    changed = RunConfig()
    object.__setattr__(changed, name, "another")
    assert changed.digest() != RunConfig().digest()


def test_the_canonical_json_has_no_floats() -> None:
    assert not any(isinstance(value, float) for value in json.loads(RunConfig().to_json()).values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("layers", 0),
        ("layers", True),
        ("steps", 41),
        ("d_model", 130),
        ("inner_lr", 0.002),
        ("inner_lr", "0"),
        ("inner_lr", "nan"),
        ("inner_lr", "1e-3"),
        ("inner_lr", "0.0020"),
        ("inner_lr", "0_0.1"),
        ("eps", "inf"),
        ("profile", "fast"),
        ("corpus_digest", "AB" * 32),
        ("seed", -1),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    values = json.loads(RunConfig().to_json()) | {field: value}
    with pytest.raises(InvalidRunConfig, match=field):
        RunConfig.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "null", b"\xff", '{"layers":4,"layers":5}', '{"surprise":1}', "{}"])
def test_malformed_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidRunConfig):
        RunConfig.from_json(text)


def test_a_decision_sets_votable_keys_only_and_in_range() -> None:
    assert RunConfig().with_decision("inner_lr", "0.003").inner_lr == "0.003"
    for key, value in (
        ("seed", "2"),
        ("steps", "80"),
        ("inner_lr", "5"),
        ("outer_lr", "-1"),
        ("nothing", "1"),
    ):
        with pytest.raises(InvalidRunConfig, match=key):
            RunConfig().with_decision(key, value)
    assert "corpus_digest" not in VOTABLE_KEYS


def test_a_refused_decision_keeps_its_sentence() -> None:
    """Logs of runs contain it, and whoever replays them derives it anew: another word would make them false."""
    with pytest.raises(InvalidRunConfig) as refused:
        RunConfig().with_decision("payback", "1")
    assert refused.value.detail == (
        "payback cannot be voted on; votable are inner_lr, outer_lr, outer_momentum, weight_decay, clip, rounds, "
        "compute_weight, code_weight, data_weight, maintainers, mixture, corpus_url, weights_url, merge"
    )


def test_the_config_loads_without_torch() -> None:
    code = "import sys, contracts.protocol.run_config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
