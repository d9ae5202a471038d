"""A bounded run computes as its machine does, says so in its profile, and the default way equals the exact one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from contracts.protocol.run_config import RunConfig
from trainer.data.batches import BatchSource
from trainer.model.state import Tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.trajectory import run_inner
from trainer.steps.variants import Variant, choose

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _default_variant() -> Iterator[None]:
    yield
    choose(Variant())


def bounded(config: RunConfig) -> RunConfig:
    return replace(config, profile="bounded", limits_digest="ab" * 32)


def test_the_default_way_gives_the_exact_profiles_bits(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    assert run_inner(bounded(config), start, batches).root == run_inner(config, start, batches).root


def test_another_way_is_another_profile_and_other_bits(config: RunConfig, start: Tensors, batches: BatchSource) -> None:
    default, root = configure_determinism("bounded"), run_inner(bounded(config), start, batches).root
    choose(Variant(micro_batches=2))
    assert configure_determinism("bounded").digest() != default.digest()
    assert run_inner(bounded(config), start, batches).root != root
