"""Honest segments pass in fresh processes and other kernels; cheats and pushes are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import false_rejections as bench
from benchmarks.false_rejections import against, bounded_block, drift_followed, exact_block
from contracts.protocol.limits import METRICS, PairLimits
from contracts.protocol.run_config import RunConfig
from trainer import cheats
from trainer.steps.variants import Variant

pytestmark = pytest.mark.integration

TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4, segment=2, steps=2, clip="0.1")
WIDE = PairLimits(("00", "11"), 1, 2, {}, dict.fromkeys(METRICS, "0.001"), {})


def test_a_fresh_process_ends_each_segment_in_the_same_state() -> None:
    assert exact_block(TINY, 0, 3) == 0


def test_a_fresh_process_differs_from_every_cheated_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "run_inner", cheats.runner("learning-rate-999"))
    assert exact_block(TINY, 0, 3) == 3


def test_another_kernel_differs_a_little_in_every_metric() -> None:
    found = bounded_block(TINY, {"math": Variant(attention="math", micro_batches=2)}, 0, 3)["math"]
    assert [len(row) for row in found["errors"]] == [len(METRICS)] * 3
    assert all(0 < max(row) < 1e-3 for row in found["errors"])


def test_only_errors_above_their_own_limit_are_beyond() -> None:
    limits = replace(WIDE, limit=dict.fromkeys(METRICS, "0.001") | {"slope": "0.1"})
    inside, beyond = [0.0005] * 6 + [0.05], [0.0] * 6 + [0.2]
    found = against(limits, [inside, beyond, inside])
    assert (found["segments"], found["beyond"]) == (3, 1)
    assert found["largest error / limit"] == pytest.approx(dict.fromkeys(METRICS, 0.5) | {"slope": 2.0})


def test_a_push_is_flagged_as_soon_as_enough_segments_were_seen() -> None:
    assert drift_followed(TINY, Variant(attention="math"), 1e-3, 9, WIDE)["flagged after"] == 8


def test_an_honest_kernel_is_not_flagged() -> None:
    found = drift_followed(TINY, Variant(micro_batches=2), 0.0, 12, WIDE)
    assert found["flagged after"] is None
    assert 0 < found["largest alignment"] < 2


def test_calibration_leaves_out_cheats_that_one_segment_hides() -> None:
    assert {"drift", "interpolate", "nan-state"}.isdisjoint(bench.MEASURED_CHEATS)
    assert {"learning-rate-999", "one-token", "bf16"} <= set(bench.MEASURED_CHEATS)
