"""The network that is measured catches all that is fake throughout and nothing honest; the formula is the right one."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import pytest

from benchmarks.detection import Setting, Trial, points, summary, trials_of

pytestmark = pytest.mark.integration


def test_all_fake_work_is_always_caught_and_honest_work_never() -> None:
    trials = trials_of(Setting(3, 2, 1, {0: 1, 1: 2, 3: 1}), rounds=1)
    assert sorted(t.faked for t in trials) == [0, 1, 1, 3]
    assert {t.voided for t in trials if t.faked == 3} == {True}
    assert {t.voided for t in trials if t.faked == 0} == {False}
    assert [t.voided for t in trials] == [t.drawn for t in trials]


@pytest.mark.parametrize("samples", [1, 2, 5])
@pytest.mark.parametrize("faked", [0, 1, 3, 5, 10])
def test_the_formula_is_the_binomial_one_for_one_verifier(samples: int, faked: int) -> None:
    missed = comb(10 - faked, samples) / comb(10, samples)
    assert Setting(10, samples, 1, {}).exact(faked) == pytest.approx(1 - missed)


@pytest.mark.parametrize(("samples", "verifiers"), [(1, 3), (2, 3), (3, 2)])
def test_all_verifiers_share_one_segment_and_draw_the_rest_alone(samples: int, verifiers: int) -> None:
    missed = 0.7 * (comb(6, samples - 1) / comb(9, samples - 1)) ** verifiers
    assert Setting(10, samples, verifiers, {}).exact(3) == pytest.approx(1 - missed)


SETTING = Setting(10, 1, 1, {0: 1, 3: 1})
MISSED, CAUGHT, HONEST = Trial(3, False, False), Trial(3, True, True), Trial(0, False, False)


def passed(trials: list[Trial]) -> bool:
    return bool(summary(points(SETTING, trials), trials)["passed"])


def test_only_a_share_that_the_formula_allows_passes() -> None:
    assert passed(30 * [CAUGHT] + 70 * [MISSED] + [HONEST])
    assert not passed(50 * [CAUGHT] + 50 * [MISSED] + [HONEST])
    assert not passed(12 * [CAUGHT] + 88 * [MISSED] + [HONEST])


@pytest.mark.parametrize("wrong", [replace(HONEST, voided=True), replace(MISSED, drawn=True)])
def test_a_voided_honest_proof_or_a_paid_drawn_fake_fails(wrong: Trial) -> None:
    assert not passed(30 * [CAUGHT] + 70 * [MISSED] + [HONEST, wrong])
