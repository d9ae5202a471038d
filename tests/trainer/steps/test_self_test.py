"""A profile says what a process computes: where real environment variables change bits, they change the digest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from contracts.protocol.run_config import RunConfig
from tests.holds import Threat, holds
from trainer.model import objective
from trainer.steps import self_test
from trainer.steps.determinism import configure_determinism, profile_of
from trainer.steps.inner_step import inner_step
from trainer.steps.variants import Variant, choose

VARIABLES: tuple[dict[str, str], ...] = (
    {"MKL_CBWR": "COMPATIBLE"},
    {"MKL_CBWR": "AVX2"},
    {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    {"ATEN_CPU_CAPABILITY": "default"},
    {"ATEN_CPU_CAPABILITY": "avx2"},
    {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "MKL_DYNAMIC": "FALSE"},
)
"""All that a user or a scheduler may set, and that may change a last bit."""

PROGRAM = """
import json
import numpy as np
from blake3 import blake3
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.data.batches import batch_source
from trainer.data.text import text_corpus
from trainer.portable.self_check import drawn_theta
from trainer.steps.determinism import configure_determinism, profile_of
from trainer.model.state import start_tensors
from trainer.steps.trajectory import replay_segment

found = {profile: configure_determinism(profile).digest().hex() for profile in ("portable", "exact")}
hasher = blake3()
for width in (24, 192):
    config = RunConfig(layers=1, d_model=width, heads=3, context=48, batch=3, steps=3, segment=3)
    text = (np.random.Philox(key=1).random_raw(9000) >> 57).astype(np.uint8)
    batches = batch_source(text_corpus(text, text), config, bytes(32), 1)
    start = start_tensors(drawn_theta(np.random.Philox(key=2), config), None)
    hasher.update(state_digest(replay_segment(config, start, 0, batches)))
print(json.dumps(found | {"state": hasher.hexdigest()}))
"""


def found_with(variables: dict[str, str]) -> dict[str, str]:
    """Digests of the profiles, and of where three real steps end, in a process of its own."""
    names = {name for case in VARIABLES for name in case}
    clean = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=clean | variables, capture_output=True, text=True, check=True, timeout=240
    )
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def plain() -> dict[str, str]:
    """Without any of the variables."""
    return found_with({})


@holds(
    "Every change to the bits of a step changes the profile",
    by="trainer/steps/self_test.py:exact_digest",
    against=Threat.UNLIKE_MACHINES,
)
@pytest.mark.integration
@pytest.mark.parametrize("variables", VARIABLES, ids=lambda v: ",".join(v.values()))
def test_where_bits_change_the_profile_does(variables: dict[str, str], plain: dict[str, str]) -> None:
    """Not the other way round: on some processors a setting changes other steps than these three."""
    found = found_with(variables)
    assert found["exact"] != plain["exact"] or found["state"] == plain["state"]
    assert found["portable"] == plain["portable"], "that one depends on no machine"
    if variables == {"ATEN_CPU_CAPABILITY": "default"}:
        assert found["state"] != plain["state"], "this one changes bits on any processor with vectors"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    threads, enabled = torch.get_num_threads(), torch.backends.mkldnn.enabled
    yield
    choose(Variant())
    torch.set_num_threads(threads)
    torch.backends.mkldnn.enabled = enabled


@pytest.mark.unit
def test_a_switch_that_is_turned_later_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = configure_determinism("exact")
    assert configure_determinism("exact") == before
    looked = list[RunConfig]()
    whole: Any = inner_step
    monkeypatch.setattr(self_test, "inner_step", lambda *given: (looked.append(given[0]), whole(*given)))  # type: ignore[func-returns-value]
    assert configure_determinism("exact") == before
    assert not looked, "the same process in the same state has computed it once"
    torch.backends.mkldnn.enabled = not torch.backends.mkldnn.enabled  # type: ignore[assignment]
    configure_determinism("exact")
    assert len(looked) == self_test.STEPS * len(self_test._CASES)


@pytest.mark.unit
def test_a_step_that_is_off_by_a_last_bit_is_another_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_determinism("exact")
    honest, whole = self_test._digest.__wrapped__(None, ()), inner_step

    def off(config, model, state, batch):  # type: ignore[no-untyped-def]
        result = whole(config, model, state, batch)
        if config.context == 544:
            weights = state.theta["norm.weight"]
            weights[0] = torch.nextafter(weights[0], torch.tensor(2.0))
        return result

    monkeypatch.setattr(self_test, "inner_step", off)
    assert self_test._digest.__wrapped__(None, ()) != honest


@pytest.mark.unit
def test_every_way_of_a_bounded_run_has_a_profile_of_its_bits() -> None:
    default = configure_determinism("bounded")
    assert default.computed == configure_determinism("exact").computed, "the default way has the exact one's bits"
    found = {default.digest()}
    for variant in (Variant(attention="math"), Variant(adamw="fused"), Variant(micro_batches=2)):
        choose(variant)
        found.add(configure_determinism("bounded").digest())
    assert len(found) == 4


@pytest.mark.unit
def test_bf16_runs_have_a_profile_of_their_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of float32 runs is what it was, and what changes a bf16 product changes the profile of bf16 runs."""
    plain, low = (profile_of(RunConfig(precision=precision)) for precision in ("float32", "bf16"))
    assert plain == configure_determinism("exact")
    assert low.digest() != plain.digest()
    assert low.dtype == "bf16"
    assert self_test._digest.__wrapped__(None, (), "bf16") == self_test.bf16_digest()
    monkeypatch.setattr(objective, "logits_of", lambda _config, model, tokens: model(tokens))
    assert self_test._digest.__wrapped__(None, (), "bf16") != self_test.bf16_digest()
