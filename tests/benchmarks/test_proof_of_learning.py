"""PoL's four metrics, and the counts over forged rounds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cheats import SEED
from benchmarks.proof_of_learning import Judged, counted, distances, judged
from contracts.protocol.run_config import RunConfig
from trainer import cheats
from trainer.data.batches import batch_source
from trainer.data.text import default_corpus
from trainer.model.state import initial_theta, start_tensors

pytestmark = pytest.mark.unit

TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4, segment=2, steps=4)
METRICS = ("l1", "l2", "linf", "cosine")


def round_of(cheat: str | None) -> list[Judged]:
    batches = batch_source(default_corpus(), TINY, SEED, 1)
    done = cheats.runner(cheat)(TINY, start_tensors(initial_theta(TINY), None), batches)
    return list(judged(TINY, str(cheat), done, batches))


def test_the_metrics_are_over_all_weights_and_nothing_else() -> None:
    one = {"theta.a": np.array([3.0, 0.0]), "theta.b": np.array([4.0]), "m.a": np.array([9.0])}
    other = {"theta.a": np.array([0.0, 0.0]), "theta.b": np.array([4.0]), "m.a": np.array([0.0])}
    assert distances(one, other) == pytest.approx({"l1": 3, "l2": 3, "linf": 3, "cosine": 0.2})


def test_an_honest_round_is_not_forged_and_passes_both() -> None:
    assert [(row.forged, row.passed["all four"]) for row in round_of(None)] == [(False, True)] * 2


@pytest.mark.parametrize("cheat", ["skip-all", "learning-rate-999", "made-up-moments"])
def test_a_replay_rejects_what_the_published_limits_let_pass(cheat: str) -> None:
    assert [(row.forged, row.passed["all four"]) for row in round_of(cheat)] == [(True, True)] * 2


@pytest.mark.parametrize("cheat", ["nan-state", "infinite-moment"])
def test_a_state_that_is_not_finite_is_forged(cheat: str) -> None:
    assert any(row.forged for row in round_of(cheat))


def test_a_metric_counts_a_cheat_only_if_all_its_segments_pass() -> None:
    near, far = dict.fromkeys(METRICS, 0.001), dict.fromkeys(METRICS, 1e9)
    rows = [
        Judged("a", 0, near, True),
        Judged("a", 1, far, True),
        Judged("b", 0, near, True),
        Judged("c", 0, near, False),
    ]
    found = counted(rows)
    assert (found["cheats"], found["forged segments"], found["ours accepts, cheats"]) == (3, 3, 1)
    assert found["PoL accepts, forged segments"]["all four"] == 2
    assert found["PoL rejects, cheats"] == ["a"]


def test_what_is_not_a_number_passes_nowhere() -> None:
    assert not any(Judged("a", 0, dict.fromkeys(METRICS, float("nan")), True).passed.values())
