from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from commonweight.cli import app
from commonweight.commands.model.audit_plan import figures_of
from contracts.protocol.audit_rate import AuditPolicy, ProofOutcome, audit_rate
from verifier.planning.audit_plan import AuditPlan, InvalidAuditPlan
from verifier.planning.audit_simulation import Strategy, best_gain, build_record, measure_detection, play

pytestmark = pytest.mark.unit
R, STEP = Fraction(5, 4), Fraction(1, 40)  # an honest round of 40 steps costs 1


def plan_of(floor_ppm: int = 200_000, **change: Any) -> AuditPlan:
    return AuditPlan(
        **{"reward": R, "step_cost": STEP, "steps": 40, "segment": 4, "policy": AuditPolicy(floor_ppm), **change}
    )


@st.composite
def plans(draw: st.DrawFn) -> AuditPlan:
    segments = draw(st.integers(1, 12))
    samples = draw(st.integers(1, segments))
    verifiers = draw(st.integers(1, 5))
    return AuditPlan(
        reward=draw(st.fractions(Fraction(1, 100), 100)),
        step_cost=draw(st.fractions(0, 2)),
        steps=segments,
        segment=1,
        samples=samples,
        verifiers=verifiers,
        quorum=draw(st.integers(1, verifiers)),
        common=draw(st.integers(0, samples)),
        policy=AuditPolicy(draw(st.integers(1, 1_000_000))),
    )


# ---- detection


def test_one_verifier_sees_the_known_shares() -> None:
    plan = plan_of(steps=50, segment=1, samples=5, verifiers=3, quorum=1)
    assert plan.seen(50) == 1
    assert float(plan.seen(25)) == pytest.approx(0.975, abs=1e-3)
    assert float(plan.seen(5)) == pytest.approx(0.42, abs=5e-3)
    assert plan.seen(1) == Fraction(5, 50)
    assert plan.seen(0) == 0


def test_verifiers_with_samples_of_their_own_multiply() -> None:
    plan = plan_of(common=0, samples=3)
    for faked in range(1, 11):
        assert plan.seen(faked, 3) == 1 - Fraction(comb(10 - faked, 3), comb(10, 3)) ** 3


@pytest.mark.parametrize(
    ("segments", "common", "samples", "readers"), [(5, 1, 2, 2), (5, 1, 3, 2), (4, 2, 3, 2), (4, 1, 1, 2)]
)
def test_the_formula_counts_every_possible_draw(segments: int, common: int, samples: int, readers: int) -> None:
    plan = plan_of(steps=segments, segment=1, common=common, samples=samples)
    for faked in range(segments + 1):
        seen = total = 0
        for shared in combinations(range(segments), common):
            rest = [s for s in range(segments) if s not in shared]
            for owns in product(list(combinations(rest, samples - common)), repeat=readers):
                total += 1
                seen += any(segment < faked for drawn in (shared, *owns) for segment in drawn)
        assert plan.seen(faked, readers) == Fraction(seen, total)


@given(plans(), st.integers(1, 12))
def test_more_faked_more_readers_more_rounds_are_never_seen_less(plan: AuditPlan, faked: int) -> None:
    assume(faked <= plan.segments)
    assert plan.seen(faked - 1) <= plan.seen(faked) <= plan.seen(faked, plan.verifiers) <= 1
    assert plan.detection(faked, plan.floor) <= plan.detection(faked, plan.floor, 3) <= 1
    assert plan.seen(faked) >= Fraction(faked, plan.segments)  # what one segment, drawn at random, would see


def test_draws_see_a_fake_as_often_as_the_formula_says() -> None:
    rng = np.random.default_rng(3)
    for samples, readers, share in product((1, 2, 5), (1, 3), (1, 2, 10)):
        plan = plan_of(segment=2, samples=samples)
        measured = measure_detection(plan, share, readers, 400, rng)
        assert measured.agrees(3.29), measured
    two = measure_detection(plan_of(segment=2, samples=2), 4, 3, 400, rng)
    for wrong in (plan_of(segment=2, samples=3), plan_of(segment=2, samples=2, common=0)):
        assert not replace(two, exact=float(wrong.seen(4, 3))).agrees(3.29)


# ---- stakes


@given(plans())
@settings(deadline=None, max_examples=50)
def test_every_cheat_at_every_rate_loses_at_the_plans_stake(plan: AuditPlan) -> None:
    honest = plan.reward - plan.cost
    for faked in range(1, plan.segments + 1):
        for rate in (plan.floor, (plan.floor + 1) / 2, Fraction(1)):
            assert plan.profit(faked, plan.stake, rate) < min(Fraction(0), honest)
            assert plan.profit(faked, plan.least_stake, rate) <= min(Fraction(0), honest)


@given(plans())
@settings(deadline=None, max_examples=50)
def test_no_smaller_stake_would_do(plan: AuditPlan) -> None:
    honest = plan.reward - plan.cost
    for faked in range(1, plan.segments + 1):
        assert plan.profit(faked, plan.needed(faked), plan.floor) == min(Fraction(0), honest)
    assume(plan.least_stake > 0)
    assert plan.profit(plan.worst, plan.least_stake, plan.floor) == min(Fraction(0), honest)
    assert plan.profit(plan.worst, plan.least_stake * Fraction(999, 1000), plan.floor) > min(Fraction(0), honest)


@pytest.mark.parametrize(
    ("floor_ppm", "stake"), [(1_000_000, 0), (200_000, Fraction(15, 4)), (50_000, Fraction(75, 4))]
)
def test_the_weaker_demand_is_the_usual_rule(floor_ppm: int, stake: Fraction) -> None:
    for samples in (2, 3, 5):
        assert plan_of(floor_ppm, samples=samples).least_deviation_stake == stake  # C / q - R, whatever the sample
        assert plan_of(floor_ppm, samples=samples).least_stake == R / Fraction(floor_ppm, 10**6) - R


def test_a_small_fake_needs_the_largest_stake_with_one_sample() -> None:
    plan = plan_of(samples=1)
    assert plan.worst == 1
    assert plan.least_stake == (R - 1 + Fraction(1, 10)) / (Fraction(1, 5) * Fraction(1, 10)) - R
    assert plan.least_stake > plan_of(samples=2).least_stake


def test_a_cheat_must_lose_more_than_honest_work_below_cost() -> None:
    plan = plan_of(reward=Fraction(1, 2))
    assert plan.least_stake == plan.least_deviation_stake
    assert plan.profit(0, plan.stake, plan.floor) == Fraction(-1, 2)


@pytest.mark.parametrize("floor_ppm", [200_000, 50_000])
def test_the_best_cheat_gains_only_below_the_least_stake(floor_ppm: int) -> None:
    plan = plan_of(floor_ppm)
    least = plan.least_deviation_stake
    assert best_gain(plan, plan.stake, 400) == pytest.approx(0, abs=1e-9)
    assert best_gain(plan, least * Fraction(101, 100), 400) == pytest.approx(0, abs=1e-9)
    assert best_gain(plan, least * Fraction(99, 100), 400) > 1e-3
    assert best_gain(plan, plan.stake / 2, 400) > 1


def test_the_best_plan_is_the_best_of_all_histories() -> None:
    policy = AuditPolicy(floor_ppm=250_000, streak=1, probation=1)
    plan = plan_of(steps=2, segment=1, policy=policy, step_cost=Fraction(1, 2))
    stake = R / 2

    def value(history: tuple[ProofOutcome, ...], left: int) -> float:
        """What the node gains from here, trying everything, with the rate read from the whole history."""
        if not left:
            return 0.0
        rate, gains = audit_rate(history, policy) / 1_000_000, []
        posted, unaudited, voided = (
            value((*history, outcome), left - 1)
            for outcome in (ProofOutcome.POSTED, ProofOutcome.UNAUDITED, ProofOutcome.VOIDED)
        )
        for faked in range(3):
            seen = float(plan.seen(faked))
            now = faked / 2 - rate * seen * float(R + stake)
            gains.append(now + rate * (seen * voided + (1 - seen) * posted) + (1 - rate) * unaudited)
        return max(gains)

    for rounds in range(1, 8):
        assert best_gain(plan, stake, rounds) == pytest.approx(value((), rounds))
    assert value((), 7) > 0.3


def test_a_stake_for_the_first_rate_does_not_cover_the_floor() -> None:
    plan = plan_of()
    for_newcomers = max(plan.stake_against_profit(c, Fraction(1)) for c in range(1, 11))
    assert best_gain(plan, for_newcomers, 8) == pytest.approx(0, abs=1e-9)  # no time to build a record
    assert best_gain(plan, for_newcomers, 200) > 1  # the record is built, then used


@pytest.mark.parametrize("strategy", [Strategy(10), Strategy(10, 0.25), Strategy(10, leaves=True)], ids=str)
def test_simulated_cheating_loses_at_the_stake_and_pays_below(strategy: Strategy) -> None:
    """Played with the real draw."""
    plan = plan_of()
    plays = play(plan, strategy, 12_000, 20, np.random.default_rng(5))
    for share in (Fraction(1), Fraction(9, 10), Fraction(1, 2)):
        measured, exact = plays.profit(share * plan.stake), plan.profit(10, share * plan.stake, plan.floor)
        assert abs(measured.mean - float(exact)) < 1.7 * measured.half_width
        assert abs(plays.gain(share * plan.stake).mean - float(exact - (R - 1))) < 1.7 * measured.half_width
    assert plays.profit(plan.stake).mean < 0
    assert plays.profit(Fraction(9, 10) * plan.stake).mean > 0
    half = plays.profit(plan.stake / 2)
    assert half.mean - half.half_width > 0


def test_a_small_fake_and_a_fake_from_the_start_lose_as_well() -> None:
    plan, rng = plan_of(), np.random.default_rng(6)
    small = play(plan, Strategy(1), 4000, 20, rng)
    assert abs(small.profit(plan.stake).mean - float(plan.profit(1, plan.stake, plan.floor))) < 0.2
    assert small.gain(plan.stake).mean < 0
    early = play(plan, Strategy(10, record=False), 50, 20, rng)
    assert early.caught.all()  # a newcomer is always audited
    assert early.profit(plan.stake).mean == pytest.approx(-float(plan.stake))


def test_building_a_record_takes_rounds_of_real_work() -> None:
    rounds = [build_record(plan_of(), np.random.default_rng(seed))[1] for seed in range(20)]
    assert min(rounds) > AuditPolicy().accepts_to_floor
    assert 45 < np.mean(rounds) < 70  # expected 8 · (1 + 2 + 4) = 56
    record, _ = build_record(plan_of(), np.random.default_rng(0))
    assert record.after(ProofOutcome.VOIDED, AuditPolicy()).rate_ppm(AuditPolicy()) == 1_000_000


def test_only_the_draw_that_exists_can_be_played() -> None:
    with pytest.raises(InvalidAuditPlan, match="one common"):
        play(plan_of(common=0), Strategy(1), 1, 1, np.random.default_rng(0))


# ---- cost


def test_cost_is_the_replayed_share_of_training() -> None:
    plan = plan_of(end_check=Fraction(0))
    assert plan.verification_cost(1.0) == pytest.approx(3 * 2 / 10)
    assert plan.verification_cost(0.2) == pytest.approx(3 * 2 / 10 * 0.2)
    assert plan_of(end_check=Fraction(4)).verification_cost(1.0) == pytest.approx(3 * (8 + 4) / 40)


def test_the_mean_rate_is_that_of_the_rule() -> None:
    plan = plan_of()
    assert plan.mean_rate(8) == 1
    assert plan.mean_rate(9) == pytest.approx((8 + 0.5) / 9)
    assert plan.mean_rate(10) == pytest.approx((8 + 0.5 + 0.5) / 10)
    assert float(plan.floor) < plan.mean_rate(2000) < 0.21


@pytest.mark.parametrize(
    "change",
    [
        {"reward": Fraction(0)},
        {"step_cost": Fraction(-1)},
        {"segment": 3},
        {"segment": 0},
        {"samples": 0},
        {"samples": 11},
        {"common": 3},
        {"quorum": 4},
        {"quorum": 0},
    ],
    ids=str,
)
def test_numbers_that_describe_no_audit_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidAuditPlan):
        plan_of(**change)


# ---- the command


def test_the_command_prints_the_plan_as_a_table_and_as_json() -> None:
    given = (
        "audit-plan",
        "--step-cost",
        "0.025",
        "--steps",
        "40",
        "--segment",
        "4",
        "--floor",
        "0.05",
        "--rounds",
        "30",
    )
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said == json.loads(json.dumps(asdict(figures_of(plan_of(50_000), 30))))
    assert [cheat["faked_segments"] for cheat in said["cheats"]] == [1, 5, 10]  # a tenth of 10 is the one
    assert (said["least_stake"], said["least_deviation_stake"], said["stake"]) == (23.75, 18.75, 25.0)
    table = CliRunner().invoke(app, given)
    for words in ("10 of 10 (100%)", "in 30", "23.75", "25", "61.5%"):
        assert words in table.output, table.output
    assert "│" not in table.output  # plain in a pipe


def test_the_command_plans_a_round_of_the_default_length() -> None:
    """50 segments. A small fake then meets two samples seldom; seven bring the stake back to what 10 segments asked."""
    stakes = [
        json.loads(CliRunner().invoke(app, ["audit-plan", "--samples", samples, "--json"]).output)["stake"]
        for samples in ("2", "7")
    ]
    assert stakes == [pytest.approx(93.897, abs=1e-3), 25.0]


@pytest.mark.parametrize("wrong", [["--reward", "nan"], ["--floor", "inf"], ["--samples", "51"], ["--floor", "2"]])
def test_the_command_refuses_what_is_no_plan(wrong: list[str]) -> None:
    done = CliRunner().invoke(app, ["audit-plan", *wrong])
    assert done.exit_code != 0
    assert getattr(done.exception, "code", "") in ("invalid-audit-plan", "invalid-audit-policy")
