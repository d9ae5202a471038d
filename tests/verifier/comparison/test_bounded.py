"""What honest machines differ by passes, what a cheat differs by does not; and one push over rounds is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.protocol.limits import MARGIN, METRICS, LimitTable, PairLimits, pair_key
from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from contracts.tensors.tensorfile import unpack
from tests.holds import Threat, holds
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.text import load_corpus
from trainer.model.state import Tensors, initial_theta, layout, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.profile import NumericsProfile
from trainer.steps.trajectory import replay_segment, run_inner
from trainer.steps.variants import UnknownVariant, Variant, computing, segment_end
from verifier.comparison.bounded import distance, residual
from verifier.comparison.compare import SCALE, compare, limits_for
from verifier.comparison.drift import LEAST_ROUNDS, Drift
from verifier.comparison.errors import CannotJudge, ProfileMismatch

pytestmark = pytest.mark.unit
CONFIG = RunConfig(layers=1, d_model=32, heads=2, context=32, steps=48, segment=4, batch=4)
OTHERS = [Variant(attention="math"), Variant(adamw="fused"), Variant(micro_batches=2)]
Boundaries = list[Tensors]


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> BatchSource:
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(800)))
    corpus: Corpus = load_corpus([path])
    return batch_source(corpus, CONFIG, b"\7" * 32, 1)


@pytest.fixture(scope="module")
def honest(batches: BatchSource) -> Boundaries:
    trajectory = run_inner(CONFIG, start_tensors(initial_theta(CONFIG), None), batches)
    return [dict(unpack(trajectory.packed_state(i), layout(CONFIG))) for i in range(CONFIG.segments + 1)]


@pytest.fixture(scope="module")
def limits(honest: Boundaries, batches: BatchSource) -> PairLimits:
    """MARGIN times the largest error of any variant, as calibration sets it."""
    found = [
        distance(CONFIG, honest[s], segment_end(CONFIG, honest[s], s, batches, variant), honest[s + 1]).values
        for variant in OTHERS
        for s in range(CONFIG.segments)
    ]
    limit = {name: f"{MARGIN * max(values[name] for values in found):.12f}" for name in METRICS}
    return PairLimits(
        pair_key(b"\1" * 32, b"\2" * 32), len(found), 4, dict.fromkeys(METRICS, ("0", "0", "0")), limit, {}
    )


@pytest.mark.parametrize("variant", OTHERS, ids=lambda v: f"{v.attention}-{v.adamw}-{v.micro_batches}")
def test_another_way_to_compute_gives_other_bits_and_passes(
    variant: Variant, honest: Boundaries, batches: BatchSource, limits: PairLimits
) -> None:
    end = segment_end(CONFIG, honest[5], 5, batches, variant)
    assert not compare(CONFIG, honest[5], end, honest[6]).equal
    found = compare(CONFIG, honest[5], end, honest[6], limits)
    assert found.equal
    assert 0 < found.error <= found.limit


@holds(
    "In a bounded run a mild cheat exceeds the limit by a factor of ten",
    by="contracts/protocol/limits.py:PairLimits.check_separation",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize(
    "change",
    [{"inner_lr": "0.000999"}, {"weight_decay": "0"}, {"beta2": "0.991"}, {"clip": "0.9"}, {"eps": "0.0000001"}],
)
def test_a_mild_cheat_is_ten_times_beyond_its_limit(
    change: dict[str, str], honest: Boundaries, batches: BatchSource, limits: PairLimits
) -> None:
    end = replay_segment(replace(CONFIG, **change), honest[5], 5, batches)  # type: ignore[arg-type]
    found = compare(CONFIG, honest[5], end, honest[6], limits)
    assert not found.equal
    assert found.error >= MARGIN * found.limit


def test_a_cheat_in_the_last_step_only_stays_in_the_first_moment(
    honest: Boundaries, batches: BatchSource, limits: PairLimits
) -> None:
    last = 6 * CONFIG.segment - 1
    end = replay_segment(CONFIG, honest[5], 5, lambda step: batches(step if step != last else 0))
    assert not compare(CONFIG, honest[5], end, honest[6], limits).equal


def test_a_scaled_update_shows_in_the_projection(honest: Boundaries) -> None:
    start, end = honest[5], honest[6]
    change: dict[str, Any] = {n: np.subtract(end[n], start[n]) for n in end}
    scaled = {n: start[n] + change[n] * 1.001 if n.startswith("theta.") else end[n] for n in end}
    assert distance(CONFIG, start, scaled, end).values["slope"] == pytest.approx(1e-3, rel=0.02)


def test_overflow_is_an_error_without_limit_not_a_pass(honest: Boundaries, limits: PairLimits) -> None:
    name = "theta.norm.weight"
    huge = honest[6] | {name: np.full_like(honest[6][name], np.finfo(np.float32).max)}
    assert not compare(CONFIG, honest[5], huge, honest[6], limits).equal


def test_exact_mode_measures_what_it_rejects(honest: Boundaries, batches: BatchSource) -> None:
    end = replay_segment(replace(CONFIG, inner_lr="0.002"), honest[5], 5, batches)
    found = compare(CONFIG, honest[5], end, honest[6])
    assert not found.equal
    assert found.error / SCALE == pytest.approx(1.0, rel=0.3)
    assert found.limit == 0


def test_the_pair_of_profiles_chooses_the_mode(limits: PairLimits) -> None:
    own = configure_determinism("exact")
    other = replace(own, threads=2).digest()
    table = LimitTable((replace(limits, profiles=pair_key(own.digest(), other)),))
    bounded = replace(CONFIG, profile="bounded", limits_digest="ab" * 32)
    assert limits_for(CONFIG, own.digest(), own, None) is None
    portable = configure_determinism("portable")
    assert limits_for(replace(CONFIG, profile="portable"), portable.digest(), portable, None) is None
    with pytest.raises(ProfileMismatch):
        limits_for(replace(CONFIG, profile="portable"), other, portable, None)
    assert limits_for(bounded, own.digest(), own, table) is None
    assert limits_for(bounded, other, own, table) is not None
    with pytest.raises(ProfileMismatch):
        limits_for(CONFIG, other, own, table)
    with pytest.raises(CannotJudge, match="no limits"):
        limits_for(bounded, b"\9" * 32, own, table)
    with pytest.raises(CannotJudge, match="not at hand"):
        limits_for(bounded, other, own, None)


def test_a_nondeterministic_machine_is_never_compared_exactly(limits: PairLimits) -> None:
    loose: NumericsProfile = replace(NumericsProfile.current(""), deterministic=False)
    with pytest.raises(CannotJudge):
        limits_for(replace(CONFIG, profile="bounded", limits_digest="ab" * 32), loose.digest(), loose, LimitTable(()))


@pytest.mark.parametrize("bad", [{"profile": "bounded"}, {"limits_digest": "ab" * 32}])
def test_a_run_is_bounded_if_and_only_if_it_names_limits(bad: dict[str, str]) -> None:
    with pytest.raises(InvalidRunConfig, match="limits_digest"):
        replace(CONFIG, **bad)  # type: ignore[arg-type]


def test_a_bounded_run_has_short_segments() -> None:
    with pytest.raises(InvalidRunConfig, match="segment"):
        replace(CONFIG, profile="bounded", limits_digest="ab" * 32, segment=12)


def test_honest_residuals_point_anywhere_and_a_push_does_not(
    honest: Boundaries, batches: BatchSource, tmp_path: Path
) -> None:
    noise, push = Drift.none(), Drift.none()
    direction = {n: np.random.default_rng(1).normal(size=v.shape) for n, v in initial_theta(CONFIG).items()}
    for s in range(LEAST_ROUNDS):
        end = segment_end(CONFIG, honest[s], s, batches, OTHERS[0])
        noise.add(residual(honest[s], end, honest[s + 1]))
        pushed = end | {n: np.add(end[n], 3e-9 * d).astype(np.float32) for n, d in direction.items()}
        push.add(residual(honest[s], pushed, honest[s + 1]))
    noise.save(tmp_path / "noise.json")
    assert not Drift.load(tmp_path / "noise.json").suspicious
    assert noise.alignment < 1.5
    assert push.alignment > noise.alignment


def test_residuals_that_agree_are_suspicious_after_enough_rounds() -> None:
    one = {"theta.a": np.random.default_rng(2).normal(size=(50, 40))}
    drift = Drift.none()
    for _ in range(LEAST_ROUNDS - 1):
        drift.add(one)
    assert not drift.suspicious
    drift.add(one)
    assert drift.suspicious
    assert drift.alignment == pytest.approx(np.sqrt(LEAST_ROUNDS))


def test_unknown_kernels_are_refused_and_threads_are_put_back() -> None:
    with pytest.raises(UnknownVariant):
        Variant(attention="sparse")
    import torch

    before = torch.get_num_threads()
    with computing(Variant(threads=before + 1)):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
