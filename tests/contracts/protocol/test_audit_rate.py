from __future__ import annotations

import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadField
from contracts.protocol.audit_rate import (
    MILLION,
    AuditPolicy,
    AuditRecord,
    InvalidAuditPolicy,
    ProofOutcome,
    audit_rate,
    is_audited,
)

pytestmark = pytest.mark.unit
POLICY = AuditPolicy(floor_ppm=200_000, streak=8, probation=32)
POSTED, UNAUDITED, VOIDED = ProofOutcome.POSTED, ProofOutcome.UNAUDITED, ProofOutcome.VOIDED
HISTORIES = st.lists(st.sampled_from(ProofOutcome), max_size=120)
POLICIES = st.builds(
    AuditPolicy, floor_ppm=st.integers(1, MILLION), streak=st.integers(1, 9), probation=st.integers(0, 40)
)


@pytest.mark.parametrize(
    ("accepts", "rate"), [(0, 1_000_000), (7, 1_000_000), (8, 500_000), (16, 250_000), (23, 250_000), (24, 200_000)]
)
def test_the_rate_halves_with_each_streak_down_to_the_floor(accepts: int, rate: int) -> None:
    """A streak of audited accepts."""
    assert audit_rate([POSTED] * accepts, POLICY) == rate
    assert audit_rate([POSTED] * accepts + [UNAUDITED] * 500, POLICY) == rate  # nobody looked: no evidence
    assert POLICY.accepts_to_floor == 24


def test_a_voided_proof_sets_the_rate_to_one_for_the_probation() -> None:
    fallen = [POSTED] * 100 + [VOIDED]
    for served in range(32 + 8):
        assert audit_rate(fallen + [POSTED] * served, POLICY) == MILLION, served
    assert audit_rate(fallen + [POSTED] * 40, POLICY) == 500_000
    assert audit_rate(fallen + [POSTED] * 20 + [VOIDED] + [POSTED] * 39, POLICY) == MILLION  # probation starts anew


@given(HISTORIES, POLICIES)
def test_the_rate_falls_only_by_an_audited_accept(outcomes: list[ProofOutcome], policy: AuditPolicy) -> None:
    record, before = AuditRecord(), MILLION
    for outcome in outcomes:
        record = record.after(outcome, policy)
        rate = record.rate_ppm(policy)
        assert policy.floor_ppm <= rate <= MILLION
        assert rate == MILLION if outcome is VOIDED else rate <= before
        assert outcome is POSTED or rate in (before, MILLION)
        before = rate
    assert before == audit_rate(outcomes, policy)


@given(HISTORIES, HISTORIES, POLICIES)
def test_nothing_before_a_voided_proof_counts(
    one: list[ProofOutcome], tail: list[ProofOutcome], policy: AuditPolicy
) -> None:
    assert audit_rate([*one, VOIDED, *tail], policy) == audit_rate([VOIDED, *tail], policy)


@given(HISTORIES, st.integers(0, 119), POLICIES)
def test_no_cheat_that_is_caught_ever_lowers_a_rate(
    outcomes: list[ProofOutcome], place: int, policy: AuditPolicy
) -> None:
    caught = [*outcomes[:place], VOIDED, *outcomes[place + 1 :]]
    assert audit_rate(caught, policy) >= audit_rate(outcomes, policy)


def test_the_coin_is_the_hash_that_anyone_can_recompute() -> None:
    beacon, proof = bytes(range(32)), bytes(range(32, 64))
    thrown = int.from_bytes(keccak(b"commonweight audit" + beacon + proof), "big") % MILLION
    assert is_audited(beacon, proof, thrown + 1)
    assert not is_audited(beacon, proof, thrown)
    assert thrown == 552_140


def test_the_coin_falls_as_often_as_the_rate_says() -> None:
    throws = 4000
    audited = sum(is_audited(n.to_bytes(32), bytes(32), 50_000) for n in range(throws))
    assert abs(audited - 200) < 4 * (throws * 0.05 * 0.95) ** 0.5
    by_proof = [is_audited(bytes(32), n.to_bytes(32), 500_000) for n in range(200)]
    assert 60 < sum(by_proof) < 140  # one beacon audits some proofs of a block, not all or none


def test_rate_one_audits_all_and_rate_zero_none() -> None:
    assert all(is_audited(n.to_bytes(32), bytes(32), MILLION) for n in range(100))
    assert not any(is_audited(n.to_bytes(32), bytes(32), 0) for n in range(100))


@pytest.mark.parametrize(
    ("beacon", "proof", "rate"),
    [
        (bytes(31), bytes(32), 5),
        (bytes(32), bytes(33), 5),
        (bytes(32), bytes(32), -1),
        (bytes(32), bytes(32), MILLION + 1),
    ],
    ids=["short beacon", "long proof", "negative rate", "rate above one"],
)
def test_what_is_no_coin_is_refused(beacon: bytes, proof: bytes, rate: int) -> None:
    with pytest.raises(BadField):
        is_audited(beacon, proof, rate)


@pytest.mark.parametrize("change", [{"floor_ppm": 0}, {"floor_ppm": MILLION + 1}, {"streak": 0}, {"probation": -1}])
def test_a_policy_out_of_range_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InvalidAuditPolicy):
        AuditPolicy(**change)
