"""What is on its way already costs who asks next little, however much it is."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from contracts.bindings.distributor import EpochDistributor
from ledger.chainread import reorgs
from ledger.epochs import claim_calls
from ledger.relay import outbox
from ledger.storage.tables import Outgoing
from tests.api.routes.test_many_claims import everything, post, whys
from tests.house import House, accepted

pytestmark = pytest.mark.integration


def test_call_data_that_is_under_way_is_read_once(final: House) -> None:
    """In the turn that all writers wait for: 13 ms for each call of 40 lines, and thousands may be open."""
    (name,) = accepted(post(final, *everything(final)[:2]))["transactions"]
    claim_calls.forget()  # as in a process that has just begun
    with patch.object(EpochDistributor, "claimed_by", autospec=True, side_effect=EpochDistributor.claimed_by) as read:
        for _ in range(3):
            assert accepted(post(final, *everything(final)[:2]))["transactions"] == [name]
        (other,) = accepted(post(final, *everything(final)[2:]))["transactions"]
        assert set(accepted(post(final, *everything(final)))["transactions"]) == {name, other}
    assert read.call_count == 1
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000
    with final.ledger.store.read() as session:
        assert claim_calls.in_batches(final.ledger, session) == {}


def test_a_paid_line_is_in_no_other_call_while_blocks_are_unread(final: House) -> None:
    """The relayer's part of the keeper runs, the indexer's does not: each company of lines would cost gas once more."""
    (name,) = accepted(post(final, *everything(final)))["transactions"]
    for _ in range(3):
        outbox.flush(final.ledger)
        final.wait(20)
    with final.ledger.store.read() as session:
        assert session.get_one(Outgoing, name).state == "final"
    for company in (everything(final), everything(final)[:2], everything(final)[1:]):
        answer = accepted(post(final, *company))
        assert (answer["transactions"], whys(answer)) == ([], [(*one, "paid") for one in company])
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000


def test_mints_that_are_not_final_are_read_once_for_all_lines(final: House) -> None:
    """Not for each line again: thousands may wait to be final, and all writers wait for this one."""
    with patch.object(reorgs, "mined", autospec=True, side_effect=reorgs.mined) as read:
        accepted(post(final, *everything(final)))
    assert read.call_count == 2  # without the writers' turn, and in it
    final.step(2)
    assert final.ledger.chain.token.total_supply() == 2_000
