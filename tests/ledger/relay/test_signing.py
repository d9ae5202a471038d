"""Who signs what: one writer a key, one attempt a call until it is late, then more at the same nonce, up to the cap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from web3.exceptions import Web3RPCError

from contracts.evm import fees
from ledger.crash_points import Crashed, armed
from ledger.errors import LeaseLost
from ledger.relay import leases, outbox
from ledger.relay_rules import RelayRules
from tests.holds import Threat, holds
from tests.ledger.relayed import RULES, Relay, at_once
from tests.paid_epoch import PaidEpoch

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


def test_an_unmined_call_is_signed_again_for_an_eighth_more(relay: Relay) -> None:
    """At its nonce."""
    relay.claim(0)
    relay.flush()
    relay.now += relay.rules.replace_seconds - 1
    relay.flush()
    assert len(relay.attempts) == 1
    relay.now += 1
    relay.flush()
    old, new = relay.attempts
    assert (old.nonce, new.nonce, relay.pool) == (new.nonce, old.nonce, {new.hash})
    assert 8 * new.max_fee >= 9 * old.max_fee
    assert 8 * new.tip >= 9 * old.tip
    relay.mine()
    relay.finish()
    assert (relay.row.state, relay.row.hash, relay.supply) == ("final", new.hash, relay.owed(0))


def test_the_older_of_two_may_be_the_one_that_is_mined(relay: Relay) -> None:
    """It reached a miner that never saw the highest-fee one."""
    relay.claim(0)
    relay.flush()
    relay.now += relay.rules.replace_seconds
    relay.flush()
    old, _ = relay.attempts
    relay.anvil.rpc("anvil_dropAllTransactions")
    relay.send_raw(old.raw)
    relay.mine()
    assert (relay.row.state, relay.row.hash) == ("mined", old.hash)
    relay.finish()
    assert (relay.row.state, len(relay.attempts), relay.supply) == ("final", 2, relay.owed(0))


def test_only_the_head_of_the_line_is_signed_again(relay: Relay) -> None:
    """The others wait for it, and not for want of a fee."""
    relay.claim(0, 1, 2)
    relay.flush()
    relay.now += relay.rules.replace_seconds
    relay.flush()
    first = min(attempt.nonce for attempt in relay.attempts)
    assert [attempt.nonce - first for attempt in relay.attempts] == [0, 0, 1, 2]


def test_a_call_that_a_node_cannot_estimate_holds_up_no_other(relay: Relay) -> None:
    """A contract that takes longer than a node's time limit for calls, once its own is signed: the line behind it was
    not handed to the node again, nor it itself."""
    relay.claim(0, 1)
    relay.flush()
    relay.anvil.rpc("anvil_dropAllTransactions")
    relay.now += relay.rules.replace_seconds
    answer: Any = {"error": {"code": -32000, "message": "execution aborted (timeout = 5s)"}}
    slow = Web3RPCError("execution aborted", rpc_response=answer)
    with patch.object(type(relay.ledger.chain.w3.eth), "estimate_gas", side_effect=slow):
        relay.flush()
    assert len(relay.pool) == len(relay.attempts) == 2
    relay.mine()
    assert [row.state for row in relay.rows] == ["mined"] * 2


def test_the_cap_is_never_offered_more_than(relay: Relay) -> None:
    relay.claim(0)
    relay.flush()
    (first,) = relay.attempts
    relay.ledger = relay.process("one", relay=replace(RULES, max_fee=first.max_fee * 5 // 4))
    for _ in range(4):
        relay.now += relay.rules.replace_seconds
        relay.flush()
    assert len(relay.attempts) == 2
    assert max(attempt.max_fee for attempt in relay.attempts) <= first.max_fee * 5 // 4
    assert "cap" in str(relay.row.error)
    relay.mine()
    assert relay.row.state == "mined"


def test_above_the_cap_nothing_is_signed_and_no_try_is_lost(relay: Relay) -> None:
    relay.claim(0)
    relay.ledger = relay.process("one", relay=replace(RULES, max_fee=1))
    for _ in range(5):
        relay.flush()
        relay.now += 100
    assert (relay.row.state, relay.row.tries, relay.attempts) == ("queued", 0, [])
    assert "above the cap" in str(relay.row.error)
    relay.ledger = relay.process("one")
    relay.flush()
    assert relay.row.state == "signed"


def test_a_transaction_that_no_node_takes_gives_up_its_nonce(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gas limit above the block's: another transaction uses the nonce, else every call behind it waited for ever."""
    relay.claim(0)
    with monkeypatch.context() as greedy:
        greedy.setattr(fees, "GAS_SPARE", (1000, 1))
        relay.flush()
    assert (relay.row.state, relay.pool) == ("signed", set())
    why = relay.row.error
    assert "gas" in str(why)
    relay.claim(1)
    for _ in range(relay.rules.attempts):
        relay.now += relay.rules.resend_seconds
        relay.flush()
    relay.mine()
    relay.finish()
    dead, behind = relay.rows
    assert (dead.state, dead.error, behind.state) == ("dead", why, "final")
    assert [attempt.cancels for attempt in relay.attempts] == [False, True, False]
    assert relay.supply == relay.owed(1)
    with relay.ledger.store.write() as session:
        outbox.retry(session, dead.id)
    relay.flush()
    relay.mine()
    assert relay.supply == relay.owed(0, 1)


def test_calls_wait_and_lose_no_try_while_the_key_has_no_coins(relay: Relay) -> None:
    relay.claim(0, 1)
    operator = relay.place.operator.address
    with armed("outbox.sending", lambda: relay.anvil.rpc("anvil_setBalance", operator, "0x0")):
        relay.flush()
    for _ in range(relay.rules.attempts + 1):
        relay.now += relay.rules.resend_seconds
        relay.flush()
    relay.now += 3 * relay.rules.replace_seconds
    relay.flush(3)
    assert [(row.state, row.tries) for row in relay.rows] == [("signed", 0)] * 2
    assert "nsufficient funds" in str(relay.rows[0].error)
    assert len(relay.attempts) == 2  # a fee bump would only cost more
    relay.anvil.rpc("anvil_setBalance", operator, hex(10**20))
    relay.now += relay.rules.resend_seconds
    relay.flush()
    relay.mine()
    assert [row.state for row in relay.rows] == ["mined"] * 2


@pytest.mark.parametrize("settled", [0, 1])
def test_one_answer_that_counts_too_many_nonces_leaves_no_gap(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, settled: int
) -> None:
    """Before the first call and after one: a gap would hold up every later transaction."""
    if settled:
        relay.claim(0)
        relay.flush()
        relay.mine()
        relay.finish()
    eth, count = relay.ledger.chain.w3.eth, relay.ledger.chain.w3.eth.get_transaction_count
    with monkeypatch.context() as lying:
        lying.setattr(eth, "get_transaction_count", lambda who, block=None: count(who, block) + 10 * (block is None))
        relay.claim(1)
        relay.flush()
    assert [(row.state, row.tries) for row in relay.rows][settled:] == [("queued", 0)]
    assert "more than are signed or final" in str(relay.rows[settled].error)
    relay.now += relay.rules.backoff_seconds
    relay.flush()
    relay.mine()
    assert [row.state for row in relay.rows][settled:] == ["mined"]


def test_many_keepers_at_once_sign_each_call_once(paid_epoch: PaidEpoch, tmp_path: Path, database: str) -> None:
    """On either database. Nonces are in a row, and whoever signed had the newest token."""
    before = paid_epoch.anvil.rpc("evm_snapshot")
    relay = Relay(paid_epoch, tmp_path / "many", database)
    relay.claim(*range(6))
    first = relay.count()
    keepers = [relay.process(f"keeper {n}") for n in range(4)]
    for _ in range(3):
        assert at_once(*(lambda k=keeper: outbox.flush(k) for keeper in keepers)) == []
        relay.now += relay.rules.lease_seconds  # the lease ends: anybody may be next
    relay.anvil.mine(1 + 2 * relay.anvil.slots)
    relay.ledger = keepers[0]
    at_once(*(lambda k=keeper: outbox.flush(k) for keeper in keepers))
    assert [attempt.nonce for attempt in relay.attempts] == [first + n for n in range(6)]
    assert ({row.state for row in relay.rows}, relay.supply) == ({"final"}, relay.owed(*range(6)))
    paid_epoch.anvil.rpc("evm_revert", before)


@holds(
    "One keeper signs with a key, and a keeper whose lease expired cannot sign",
    by="ledger/relay/leases.py:require",
    against=Threat.BAD_CHAIN,
)
def test_a_keeper_that_slept_through_its_lease_signs_nothing(relay: Relay) -> None:
    relay.claim(0, 1)
    two = relay.process("two")

    def sleep() -> None:
        relay.now += relay.rules.lease_seconds
        assert leases.take(two, outbox.job(two)) is not None

    with armed("leases.taken", sleep), pytest.raises(LeaseLost):
        relay.flush()
    assert ([row.state for row in relay.rows], relay.attempts) == (["queued"] * 2, [])
    outbox.flush(two)
    assert {attempt.token for attempt in relay.attempts} == {2}
    relay.flush()
    assert len(relay.attempts) == 2


def test_a_keeper_whose_lease_expired_sends_nothing(relay: Relay) -> None:
    """The other one sends the same bytes: they were committed."""
    relay.claim(0)
    two = relay.process("two")

    def sleep() -> None:
        relay.now += relay.rules.lease_seconds
        assert leases.take(two, outbox.job(two)) is not None

    with armed("outbox.signed", sleep), pytest.raises(LeaseLost):
        relay.flush()
    assert (relay.row.state, relay.pool) == ("signed", set())
    outbox.flush(two)
    assert relay.pool == {relay.attempts[0].hash}
    relay.anvil.mine()
    outbox.flush(two)
    assert (relay.row.state, len(relay.attempts)) == ("mined", 1)


def test_a_new_key_has_its_own_nonce_and_old_calls_are_finished(relay: Relay) -> None:
    """The operator's key was changed: what it had signed goes out, and what is new is signed with the new one."""
    relay.claim(0)
    with armed("outbox.sending", "raise"), pytest.raises(Crashed):
        relay.flush()
    relay.claim(1)
    old, new = relay.place.operator, relay.place.creator
    relay.ledger = replace(relay.process("new"), operator=new)
    free = int(relay.place.w3.eth.get_transaction_count(new.address))
    relay.flush()
    assert [(row.signer, row.nonce == free) for row in relay.rows] == [(old.address, False), (new.address, True)]
    relay.mine()
    relay.finish()
    assert ([row.state for row in relay.rows], relay.supply) == (["final"] * 2, relay.owed(0, 1))


@holds(
    "Nonce and bytes of a transaction are committed before the broadcast, and a retry sends the same bytes",
    by="ledger/relay/outbox.py:flush",
    against=Threat.BAD_CHAIN,
)
@pytest.mark.parametrize(
    "point", ["outbox.signing", "outbox.signed", "outbox.sending", "outbox.sent", "outbox.mined", "outbox.final"]
)
def test_a_failure_at_any_point_pays_once(relay: Relay, point: str) -> None:
    """The same lines as a SIGKILL there: what was not committed is gone, and the next pass goes on from the rows."""
    relay.claim(0, 1)

    def work() -> None:
        for _ in range(6):
            relay.mine(relay.anvil.slots)

    with armed(point, "raise"):
        with pytest.raises(Crashed):
            work()
        work()
    relay.now += relay.rules.resend_seconds
    work()
    assert ([row.state for row in relay.rows], relay.supply) == (["final"] * 2, relay.owed(0, 1))
    assert len(relay.attempts) == 2


@pytest.mark.parametrize("point", ["outbox.returned", "outbox.replacing", "outbox.external"])
def test_a_failure_on_the_way_back_pays_once_too(relay: Relay, point: str) -> None:
    relay.claim(0)
    nonce = relay.count()
    with armed(point, "raise"):
        relay.flush()
        if point == "outbox.returned":
            relay.mine()
            relay.anvil.reorg(1)
        if point == "outbox.replacing":
            relay.now += relay.rules.replace_seconds
        if point == "outbox.external":
            relay.external(nonce)
            relay.anvil.mine(1 + 2 * relay.anvil.slots)
        with pytest.raises(Crashed):
            relay.flush()
        for _ in range(2):
            relay.mine(1 + 2 * relay.anvil.slots)
    assert (relay.row.state, relay.supply) == ("final", relay.owed(0))


def test_pauses_double_up_to_a_day() -> None:
    rules = RelayRules(backoff_seconds=15, attempts=1_000)
    assert [rules.pause(tries) for tries in (1, 2, 8, 1_000)] == [15, 30, 1_920, 86_400]
