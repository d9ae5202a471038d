"""The learning rate's share is the same number for everybody, at every step of a run."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from contracts.protocol.schedule import rate_share

pytestmark = pytest.mark.unit


def config_of(**fields: Any) -> RunConfig:
    return RunConfig(steps=100, segment=10, rounds=10, **fields)


def shares(config: RunConfig) -> list[float]:
    return [rate_share(config, number, step) for number in range(1, config.rounds + 1) for step in range(config.steps)]


def test_without_a_schedule_every_step_takes_the_whole_rate() -> None:
    assert set(shares(config_of())) == {1.0}


def test_warm_up_rises_in_a_line_over_rounds() -> None:
    found = shares(config_of(warmup_steps=160))
    assert found[:3] == [1 / 160, 2 / 160, 3 / 160]
    assert found[159:] == [1.0] * (1000 - 159)


def test_a_cosine_falls_to_its_last_share() -> None:
    config = config_of(schedule="cosine", warmup_steps=100, final_share="0.2")
    found = shares(config)
    expected = [0.2 + 0.8 * (1 + math.cos(math.pi * number / 900)) / 2 for number in range(900)]
    assert found[100:] == pytest.approx(expected, rel=1e-14)
    assert found[100] == 1.0
    assert found[-1] > 0.2 == rate_share(config, 11, 0)


def test_wsd_stays_and_then_falls_in_a_line() -> None:
    found = shares(config_of(schedule="wsd", decay_steps=200, final_share="0"))
    assert found[:801] == [1.0] * 801
    assert found[900] == 0.5
    assert found[-1] == pytest.approx(1 / 200)


@given(
    st.sampled_from(["cosine", "wsd"]),
    st.integers(0, 3000),
    st.integers(1, 3000),
    st.integers(1, 40),
    st.integers(0, 99),
)
def test_a_share_is_never_above_one_nor_below_the_last(
    kind: str, warm: int, decay: int, number: int, step: int
) -> None:
    """Also where warm-up and fall together are longer than the run, or a vote has shortened it."""
    fields = {"schedule": kind, "warmup_steps": warm, "decay_steps": decay if kind == "wsd" else 0}
    share = rate_share(config_of(**fields), number, step)
    assert min(0.1, 1 / max(warm, 1)) <= share <= 1.0


def test_the_bits_are_these() -> None:
    config = config_of(schedule="cosine", warmup_steps=7)
    found = [rate_share(config, number, step).hex() for number, step in [(1, 4), (1, 8), (4, 33), (10, 99)]]
    assert found == ["0x1.6db6db6db6db7p-1", "0x1.ffffb46ecc606p-1", "0x1.8ff1197abbba8p-1", "0x1.999bf6233696cp-4"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"schedule": "linear"}, "schedule"),
        ({"schedule": "wsd"}, "decay_steps"),
        ({"schedule": "cosine", "decay_steps": 5}, "decay_steps"),
        ({"final_share": "0.2"}, "final_share"),
        ({"schedule": "cosine", "final_share": "1.5"}, "final_share"),
        ({"warmup_steps": -1}, "warmup_steps"),
    ],
    ids=str,
)
def test_a_schedule_that_is_none_is_refused(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidRunConfig, match=f"^{name} "):
        config_of(**fields)
