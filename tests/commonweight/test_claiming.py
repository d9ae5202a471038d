"""What is claimed, what is done already, and why nothing can be."""

from __future__ import annotations

import pytest

from commonweight.claiming import NothingToClaim, require_claimable
from commonweight.standing.claims import ClaimState
from commonweight.standing.owed import Claim, Owed
from contracts.ids import as_address

pytestmark = pytest.mark.unit

ACCOUNT = as_address("0x" + "11" * 20)


def claim(state: ClaimState, epoch: int = 1, amount: int = 5) -> Claim:
    values = {"account": ACCOUNT, "epoch": epoch, "until": "noon", "run": "0xrun", "last": 4, "round": 3, "k": 2}
    return Claim(state, epoch, values, amount)


def test_what_can_be_claimed_is_claimed_whatever_else_waits() -> None:
    due = [claim(ClaimState.CLAIMABLE, 2), claim(ClaimState.CLAIMABLE, 3)]
    others = [claim(ClaimState.CLAIMED), claim(ClaimState.IN_WINDOW, 4), claim(ClaimState.FOREIGN, 5, 0)]
    assert require_claimable(Owed(ACCOUNT, [*others, *due])) == due


def test_where_all_is_claimed_nothing_is_due() -> None:
    open_ = claim(ClaimState.OPEN, 2, 0)
    assert require_claimable(Owed(ACCOUNT, [claim(ClaimState.CLAIMED), open_])) == []


def test_what_waits_is_named_before_what_pays_nothing() -> None:
    waiting = [claim(ClaimState.NOT_PAID, 1, 0), claim(ClaimState.IN_WINDOW, 2)]
    with pytest.raises(NothingToClaim) as refusal:
        require_claimable(Owed(ACCOUNT, waiting))
    assert refusal.value.detail == (
        "The challenge window of epoch 2 ends at noon. Then anybody can make the epoch final. "
        f"See: commonweight wallet show {ACCOUNT}"
    )


def test_an_epoch_that_is_not_there_says_so() -> None:
    with pytest.raises(NothingToClaim, match="no closed epoch has that number"):
        require_claimable(Owed(ACCOUNT, []))
