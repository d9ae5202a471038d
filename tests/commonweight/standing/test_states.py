"""Every state in which a round, a deposit, a share, a contribution or a stake can rest: told, and reached."""

from __future__ import annotations

from enum import StrEnum

import pytest

from commonweight.standing import contributions, departures, funding, revenue
from commonweight.standing.contributions import ContributionState, Signing
from commonweight.standing.departures import DepartureState, departure_state
from commonweight.standing.funding import DepositState, FundingState, deposit_state, round_state
from commonweight.standing.revenue import ShareState, share_state
from commonweight.standing.sentence import clock, span, until
from contracts.bindings.capital_pool import PoolStatus
from contracts.bindings.verifier_registry import Leaving
from tests.commonweight.standing.pasted import check_table

pytestmark = pytest.mark.unit

TABLES = {
    FundingState: funding.ROUNDS,
    DepositState: funding.DEPOSITS,
    ShareState: revenue.SHARES,
    ContributionState: contributions.SENTENCES,
    DepartureState: departures.DEPARTURES,
}
VALUES = dict.fromkeys(
    (
        "deadline",
        "release",
        "withdraw",
        "deposited",
        "soft",
        "spendable",
        "kept",
        "deposit",
        "tokens",
        "money",
        "run",
        "quorum",
        "missing",
        "signed",
        "missigned",
        "entry",
        "epoch",
        "until",
        "free",
        "epochs",
        "stake",
        "cost",
        "worth",
        "use",
    ),
    "7 TEST",
) | {"id": "7", "account": "0x" + "11" * 20, "currency": "0x" + "22" * 20}


@pytest.mark.parametrize("states", TABLES, ids=lambda states: states.__name__)
def test_every_state_is_one_sentence_with_a_command(states: type[StrEnum]) -> None:
    check_table(states, TABLES[states], VALUES)


def of_round(status: PoolStatus, cancelled: bool = False, funded: bool = True, released: bool = False) -> FundingState:
    return round_state(status, cancelled=cancelled, funded=funded, released=released)


ROUNDS = {
    FundingState.UNFUNDED: of_round(PoolStatus.OPEN, funded=False),
    FundingState.OPEN: of_round(PoolStatus.OPEN),
    FundingState.SETTLING: of_round(PoolStatus.SUCCEEDED, funded=False),
    FundingState.RELEASED: of_round(PoolStatus.SUCCEEDED, released=True),
    FundingState.FAILED: of_round(PoolStatus.FAILED, released=True),
    FundingState.CANCELLED: of_round(PoolStatus.FAILED, cancelled=True),
}
DEPOSITS = {
    DepositState.NONE: {deposit_state(state, 0) for state in FundingState},
    DepositState.MAY_WITHDRAW: {deposit_state(state, 5) for state in (FundingState.OPEN, FundingState.UNFUNDED)},
    DepositState.STAYS: {deposit_state(FundingState.OPEN, 5, stays=True)},
    DepositState.MAY_CHOOSE: {deposit_state(FundingState.SETTLING, 5)},
    DepositState.CLAIMABLE: {deposit_state(FundingState.RELEASED, 5)},
    DepositState.REFUNDABLE: {deposit_state(state, 5) for state in (FundingState.FAILED, FundingState.CANCELLED)},
}
SHARES = {
    ShareState.DUE: share_state(is_released=False, due=5),
    ShareState.BELOW_A_UNIT: share_state(is_released=False, due=0),
    ShareState.RELEASED: share_state(is_released=True, due=0),
}


def signing(
    signed: int = 0, quorum: int = 2, missigned: tuple[str, ...] = (), over: bool = False, taken: bool = False
) -> ContributionState:
    names = tuple(f"0x{n}" for n in range(3))
    found = Signing(quorum, names[:signed], names[signed:], (), missigned)
    return contributions.state_of(found, over=over, taken=taken)


CONTRIBUTIONS = {
    ContributionState.NO_MAINTAINERS: signing(quorum=0),
    ContributionState.UNSIGNED: signing(),
    ContributionState.MISSING: signing(1),
    ContributionState.MISSIGNED: signing(2, missigned=("0x9",)),
    ContributionState.READY: signing(3),
    ContributionState.TAKEN: signing(2, taken=True, over=True),
    ContributionState.RUN_OVER: signing(2, over=True),
}
"""The other states are read from the log: tests/commonweight/standing/test_contributions.py, and of invoices
tests/commonweight/commands/holder/test_payback.py."""


def stake(seated: bool = False, wei: int = 5, epochs: int = 0, now: int = 50, signed: bool = False) -> DepartureState:
    return departure_state(seated=seated, stake=wei, leaving=Leaving(10, epochs, 100, signed), now=now)


DEPARTURES = {
    DepartureState.SEATED: {stake(seated=True), stake(seated=True, wei=0)},
    DepartureState.WAITING: {stake(epochs=2), stake(epochs=1, now=99)},
    DepartureState.SIGNED: {stake(signed=True), stake(epochs=2, now=200, signed=True)},
    DepartureState.FREE: {stake(), stake(epochs=2, now=100)},
    DepartureState.GONE: {stake(wei=0), stake(wei=0, epochs=2)},
}


def test_every_state_is_reached() -> None:
    for states, reached in ((FundingState, ROUNDS), (ShareState, SHARES)):
        assert {state: state for state in states} == reached
    for several, found in ((DepositState, DEPOSITS), (DepartureState, DEPARTURES)):
        assert {state: {state} for state in several} == found
    of_credits = {ContributionState.CREDITED, ContributionState.IN_EPOCH}
    on_the_log = of_credits | {ContributionState.INVOICED, ContributionState.ASSESSED}
    assert {state: state for state in ContributionState if state not in on_the_log} == CONTRIBUTIONS


def test_times_read_well() -> None:
    assert (span(0), span(59), span(3_600), span(90_061)) == ("0 seconds", "59 seconds", "1 hour", "1 day 1 hour")
    assert until(1_767_225_600, 1_767_225_600 - 7_200) == "2026-01-01 00:00:00 UTC (in 2 hours)"
    assert until(0, 5) == "1970-01-01 00:00:00 UTC (past)"
    assert clock(2**255) == f"second {2**255}"
