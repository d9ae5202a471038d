"""Every state in which a claim can rest: one sentence, one command, and the facts that lead to it."""

from __future__ import annotations

import pytest

from commonweight.standing.claims import SENTENCES, ClaimState, EpochFacts, state_of, state_without_epochs
from contracts.bindings.verifier_registry import EpochStatus
from tests.commonweight.standing.pasted import check_table

pytestmark = pytest.mark.unit

ACCOUNT = "0x" + "11" * 20
VALUES = {
    "account": ACCOUNT,
    "payout": "0x" + "22" * 20,
    "run": "0x" + "33" * 32,
    "epoch": 3,
    "round": 5,
    "last": 6,
    "attempt": 1,
    "k": 2,
    "until": "2026-01-01 00:00:00 UTC (in 2 hours)",
}
NONE, PROPOSED, DISPUTED, FINAL = EpochStatus


def of(
    status: EpochStatus,
    attempt: int = 0,
    *,
    shown: bool = True,
    ours: bool = True,
    line: bool = True,
    paid: bool = False,
    contract: bool = False,
    elsewhere: bool = False,
) -> ClaimState:
    facts = EpochFacts(status, attempt, shown, ours)
    return state_of(facts, has_line=line, paid=paid, is_contract=contract, paid_elsewhere=elsewhere)


REACHED = {
    ClaimState.NO_RUN: [state_without_epochs(0, is_payee=False, merged=0)],
    ClaimState.UNKNOWN: [state_without_epochs(1, is_payee=False, merged=4)],
    ClaimState.NO_ROUND: [state_without_epochs(1, is_payee=True, merged=0)],
    ClaimState.OPEN: [state_without_epochs(1, is_payee=True, merged=1)],
    ClaimState.UNSIGNED: [of(NONE), of(NONE, contract=True)],
    ClaimState.FALLEN: [of(NONE, attempt=1)],
    ClaimState.IN_WINDOW: [of(PROPOSED), of(PROPOSED, attempt=2)],
    ClaimState.DISPUTED: [of(DISPUTED)],
    ClaimState.CLAIMABLE: [of(FINAL), of(FINAL, elsewhere=True)],
    ClaimState.CONTRACT: [of(FINAL, contract=True)],
    ClaimState.CLAIMED: [of(FINAL, paid=True), of(FINAL, paid=True, contract=True)],
    ClaimState.NOT_PAID: [of(FINAL, line=False), of(PROPOSED, line=False)],
    ClaimState.OTHER_WALLET: [of(FINAL, line=False, elsewhere=True)],
    ClaimState.FOREIGN: [of(FINAL, ours=False), of(PROPOSED, ours=False, line=False)],
    ClaimState.HIDDEN: [of(FINAL, shown=False, ours=False), of(DISPUTED, shown=False)],
}


def test_every_state_is_one_sentence_with_a_command() -> None:
    check_table(ClaimState, SENTENCES, VALUES)


@pytest.mark.parametrize("state", ClaimState)
def test_every_state_is_reached(state: ClaimState) -> None:
    assert set(REACHED[state]) == {state}
