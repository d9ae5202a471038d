"""A call's states by the answers of a real node: mined, final, taken back, lost, outrun by an external transaction."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import pytest

from ledger.crash_points import armed
from ledger.errors import NotDead, NotFound
from ledger.relay import confirmations, outbox
from ledger.relay.broadcast import SendResult, send
from ledger.relay.leases import HeldLease
from ledger.storage.tables import LeaseRow, Outgoing
from tests.holds import Threat, holds
from tests.ledger.relayed import Relay

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


def test_what_is_mined_is_final_only_when_its_block_is(relay: Relay) -> None:
    relay.claim(0)
    relay.flush()
    assert (relay.row.state, relay.pool) == ("signed", {relay.row.hash})
    relay.mine()
    assert (relay.row.state, relay.row.block) == ("mined", relay.place.model.head())
    relay.mine(2 * relay.anvil.slots - 1)
    assert relay.row.state == "mined"
    relay.mine()
    assert (relay.row.state, relay.supply) == ("final", relay.owed(0))


@holds(
    "A transaction that a reorg removed is sent again",
    by="ledger/relay/confirmations.py:settle",
    against=Threat.BAD_CHAIN,
)
@pytest.mark.parametrize("depth", [1, 3, 8])
def test_a_transaction_lost_in_a_reorg_goes_out_again_unchanged(relay: Relay, depth: int) -> None:
    """The node has forgotten the transaction: anvil does not put it back into its pool."""
    relay.claim(0)
    relay.flush()
    relay.mine(depth)
    relay.mine(0)
    assert relay.row.state == "mined"
    relay.anvil.reorg(depth)
    assert (relay.supply, relay.pool) == (0, set())
    relay.flush()
    assert (relay.row.state, relay.row.block, relay.pool) == ("signed", None, {relay.row.hash})
    relay.mine()
    relay.finish()
    assert (relay.row.state, relay.supply, len(relay.attempts)) == ("final", relay.owed(0), 1)


def test_a_reorg_that_moves_it_to_another_block_is_noted(relay: Relay) -> None:
    relay.claim(0)
    relay.flush()
    relay.mine(3)
    before = relay.row
    relay.anvil.reorg(3, [(relay.attempts[0].raw, 2)])
    relay.flush()
    after = relay.row
    assert (after.state, after.hash) == ("mined", before.hash)
    assert (after.block, after.block_hash != before.block_hash) == (before.block + 2, True)  # type: ignore[operator]
    relay.finish()
    assert (relay.row.state, relay.supply) == ("final", relay.owed(0))


def test_a_final_state_of_a_block_that_is_gone_is_not_believed(relay: Relay) -> None:
    """Mined, taken back, and finality passes the old height before the outbox looks again."""
    relay.claim(0)
    relay.flush()
    relay.mine()
    relay.anvil.reorg(1)
    relay.anvil.mine(2 * relay.anvil.slots)
    relay.flush()
    assert (relay.row.state, relay.supply) == ("signed", 0)
    relay.mine()
    relay.finish()
    assert (relay.row.state, relay.supply) == ("final", relay.owed(0))


def test_bytes_that_the_node_has_are_no_error(relay: Relay) -> None:
    """A crash after sending: the real answer is "transaction already imported"."""
    relay.claim(0)
    with armed("outbox.signed", lambda: relay.send_raw(relay.attempts[0].raw)):
        relay.flush()
    assert send(relay.place.w3, relay.attempts[0].raw)[0] is SendResult.KNOWN
    assert (relay.row.state, relay.row.error, relay.row.sent) == ("signed", None, relay.now)
    relay.mine()
    assert (relay.row.state, len(relay.attempts)) == ("mined", 1)


def test_bytes_that_are_in_a_block_are_found_by_their_hash(relay: Relay) -> None:
    """The real answer is "nonce too low"; what they did is not done again."""
    relay.claim(0)

    def another_was_faster() -> None:
        relay.send_raw(relay.attempts[0].raw)
        relay.anvil.mine()

    with armed("outbox.sending", another_was_faster):
        relay.flush()
    assert send(relay.place.w3, relay.attempts[0].raw)[0] is SendResult.NONCE_LOW
    assert (relay.row.state, relay.supply, len(relay.attempts)) == ("mined", relay.owed(0), 1)


def test_a_lost_transaction_leaves_no_gap(relay: Relay) -> None:
    """The node forgets the first of two: the second cannot be mined until the first is sent again."""
    relay.claim(0, 1)
    relay.flush()
    first, second = relay.rows
    relay.anvil.rpc("anvil_dropTransaction", first.hash)
    relay.mine()
    assert [row.state for row in relay.rows] == ["signed", "signed"]
    relay.now += relay.rules.resend_seconds
    relay.flush()
    assert first.hash in relay.pool
    relay.mine()
    assert [(row.state, row.hash) for row in relay.rows] == [("mined", first.hash), ("mined", second.hash)]
    assert len(relay.attempts) == 2


@holds(
    "A nonce is abandoned only when an external transaction that used it is final",
    by="ledger/relay/confirmations.py:ChainView.sent_by",
    against=Threat.BAD_CHAIN,
)
def test_a_nonce_is_replaced_once_what_took_it_is_final(relay: Relay) -> None:
    """Before, a reorg might still put ours in its place, and the call would be done twice."""
    relay.claim(0, 1)
    nonce = relay.count()
    with armed("outbox.sending", partial(_spend, relay, nonce)):
        relay.flush()
    assert "underpriced" in str(relay.rows[0].error)
    relay.anvil.mine()
    for _ in range(2 * relay.anvil.slots - 1):
        relay.mine()
        assert (relay.rows[0].state, relay.rows[0].nonce, relay.supply) == ("signed", nonce, relay.owed(1))
    relay.mine()
    first = relay.rows[0]
    assert (first.state, first.nonce) == ("signed", nonce + 2)
    relay.mine()
    relay.finish()
    assert {row.state for row in relay.rows} == {"final"}
    assert (relay.supply, len(relay.attempts)) == (relay.owed(0, 1), 3)


def test_a_nonce_stays_ours_where_a_reorg_undoes_what_took_it(relay: Relay) -> None:
    relay.claim(0)
    nonce = relay.count()
    with armed("outbox.sending", partial(_spend, relay, nonce)):
        relay.flush()
    relay.mine(2)
    relay.anvil.reorg(2, [(relay.attempts[0].raw, 0)])
    relay.flush()
    relay.finish()
    assert (relay.row.state, relay.row.nonce, relay.supply) == ("final", nonce, relay.owed(0))
    assert len(relay.attempts) == 1


def test_a_reverting_call_is_failed_when_final_and_then_retried(relay: Relay) -> None:
    """Somebody else minted the receipt in the same block. The next try is refused for nothing, and the last is dead."""
    relay.claim(0)
    with armed("outbox.signed", lambda: relay.mint_past_us(0)):
        relay.flush()
    relay.mine()
    assert (relay.row.state, relay.supply) == ("reverted", relay.owed(0))
    relay.finish()
    assert (relay.row.state, relay.row.tries) == ("failed", 1)
    assert "EpochDistributorLeafPaid" in str(relay.row.error)
    relay.flush()
    assert relay.row.state == "failed"
    relay.now += 10
    relay.flush()
    assert (relay.row.state, relay.row.tries, relay.row.nonce) == ("refused", 2, None)
    relay.now += 20
    relay.flush()
    assert (relay.row.state, relay.row.tries) == ("dead", 3)
    relay.now += 10_000
    relay.flush()
    assert (relay.row.state, len(relay.attempts), relay.supply) == ("dead", 1, relay.owed(0))


def test_a_revert_that_a_reorg_takes_back_is_no_failure(relay: Relay) -> None:
    relay.claim(0)
    with armed("outbox.signed", lambda: relay.mint_past_us(0)):
        relay.flush()
    relay.mine()
    assert relay.row.state == "reverted"
    relay.anvil.reorg(1)
    relay.flush()
    assert relay.row.state == "signed"
    relay.mine()
    relay.finish()
    assert (relay.row.state, relay.row.tries, relay.supply) == ("final", 0, relay.owed(0))


def test_what_was_given_up_can_be_tried_again(relay: Relay) -> None:
    """Minting is paused, and every try is refused for nothing; the operator tries again when the pause is over."""
    relay.claim(0)
    pause(relay, True)
    for _ in range(relay.rules.attempts):
        relay.flush()
        relay.now += 1_000
    assert (relay.row.state, relay.attempts, relay.supply) == ("dead", [], 0)
    assert re.search(r"\[ModelTokenMintingPaused\(until=\d+\)\]$", str(relay.row.error))
    pause(relay, False)
    relay.flush()
    assert relay.row.state == "dead"
    with relay.ledger.store.write() as session:
        outbox.retry(session, relay.row.id)
    relay.flush()
    relay.mine()
    assert (relay.row.state, relay.supply) == ("mined", relay.owed(0))
    with pytest.raises(NotDead, match="is mined"), relay.ledger.store.write() as session:
        outbox.retry(session, relay.row.id)
    with pytest.raises(NotFound), relay.ledger.store.write() as session:
        outbox.retry(session, "no such call")


def pause(relay: Relay, paused: bool) -> None:
    """What the guardian, which is the timelock, may do."""
    call, guardian = relay.place.model.token.set_minting_paused(paused), relay.place.deployment.timelock
    relay.anvil.rpc("anvil_impersonateAccount", guardian)
    relay.anvil.rpc("anvil_setBalance", guardian, hex(10**20))
    data = call._encode_transaction_data()
    relay.anvil.rpc("eth_sendTransaction", {"from": guardian, "to": call.address, "data": data})
    relay.anvil.mine()


def test_a_call_that_the_node_did_get_is_bid_up_like_any_other(relay: Relay) -> None:
    """Its money was short when it was sent first; that it was sent again, a crash kept from being noted."""
    purse = relay.place.operator.address
    relay.claim(0)
    with armed("outbox.signed", lambda: relay.anvil.rpc("anvil_setBalance", purse, "0x1")):
        relay.flush()
    assert "nsufficient funds" in str(relay.row.error)
    relay.anvil.rpc("anvil_setBalance", purse, hex(10**22))
    relay.send_raw(relay.attempts[0].raw)
    relay.now += relay.rules.resend_seconds
    relay.flush()
    assert (relay.row.error, len(relay.attempts)) == (None, 1)
    relay.now += relay.rules.replace_seconds
    relay.flush()
    assert len(relay.attempts) == 2


def test_times_from_a_clock_that_ran_ahead_hold_nothing_up(relay: Relay) -> None:
    decade = 10 * 365 * 86_400
    relay.claim(0)
    relay.now += decade
    relay.flush()
    relay.now -= decade
    relay.anvil.rpc("anvil_dropTransaction", relay.row.hash)
    relay.flush()
    assert relay.row.hash in relay.pool, "sent again"
    assert len(relay.attempts) == 2, "and for more"
    relay.mine()
    relay.finish()
    assert (relay.row.state, relay.supply) == ("final", relay.owed(0))


def test_a_former_keys_nonce_is_not_used_up_with_the_new_key(relay: Relay) -> None:
    relay.claim(0)
    with armed("outbox.signed", lambda: relay.anvil.rpc("anvil_setBalance", relay.place.operator.address, "0x1")):
        relay.flush()
    new = relay.place.creator
    rotated = replace(relay.ledger, operator=new)
    with rotated.store.write() as session:
        row = session.get_one(Outgoing, relay.row.id)
        row.tries, row.sent = relay.rules.attempts - 1, 0
        session.add(row)
    held = HeldLease(outbox.job(rotated), 1)
    with rotated.store.write() as session:
        session.add(LeaseRow(name=held.name, holder=rotated.holder, token=1, expires=relay.now + 5))
    ours = relay.attempts[0]
    assert not outbox._note(rotated, held, ours, SendResult.REFUSED, "the pool refuses these bytes")
    assert outbox._note(replace(rotated, operator=relay.place.operator), held, ours, SendResult.REFUSED, "again")


def test_an_external_transaction_in_an_older_block_is_found(relay: Relay) -> None:
    """The node that was asked for the nonce lagged behind: it gave one out that had been used up long before."""
    used = relay.count()
    relay.anvil.mine(3)
    external = relay.external(used)
    relay.anvil.mine(2 * relay.anvil.slots + 1)
    view = confirmations.ChainView(relay.place.model)
    looked_at: list[int] = []
    found = view.sent_by(relay.place.operator.address, used, view.final, lambda: looked_at.append(1))
    assert (found, len(looked_at)) == (external, 1)


def test_each_block_is_read_where_the_node_has_no_old_states(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    used = relay.count()
    external = relay.external(used)
    relay.anvil.mine(2 * relay.anvil.slots + 1)
    view, looked_at = confirmations.ChainView(relay.place.model), list[int]()

    def missing(*_: object) -> int:
        raise ValueError("missing trie node")

    monkeypatch.setattr(view, "_count", missing)
    first = view.final - 3
    while (found := view.sent_by(relay.place.operator.address, used, first, lambda: looked_at.append(1))) is None:
        first -= 3
    assert (found, len(looked_at) > 1) == (external, True)


def allow(relay: Relay, gas: int) -> None:
    """The call is somebody's, whose budget gave so much for it."""
    with relay.ledger.store.write() as session:
        row = session.get_one(Outgoing, relay.row.id)
        row.allowed, row.due = gas, 0
        session.add(row)


def test_what_a_budget_paid_for_is_tried_once_and_for_no_more(relay: Relay) -> None:
    """A wallet's check of its signature costs nothing in an estimate, all there is in a block; eight times, before."""
    relay.claim(0)
    allow(relay, 1)
    relay.flush()
    assert (relay.row.state, relay.attempts) == ("refused", [])
    assert str(relay.row.error).startswith("MoreGasThanAllowed(")
    allow(relay, 10**6)
    with armed("outbox.sending", lambda: pause(relay, True)):
        relay.flush()
    relay.mine()
    relay.finish()
    assert (relay.row.state, len(relay.attempts), relay.supply) == ("dead", 1, 0)


def _spend(relay: Relay, nonce: int) -> None:
    relay.external(nonce)
