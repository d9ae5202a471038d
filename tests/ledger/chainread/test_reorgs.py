"""The reorgs, on a real node: followed by hash and parent, undone by walking back, and without effect until final."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import col, select

from ledger.books import journal
from ledger.chain import ModelChain
from ledger.chainread import indexer, reorgs
from ledger.context import Ledger
from ledger.crash_points import Crashed, armed
from ledger.errors import FinalityViolated
from ledger.storage.tables import FINAL, ChainEvent, Cursor, DecisionRow, Header, PendingEvent
from tests.holds import Threat, holds
from tests.ledger.relayed import Relay

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]


def look(ledger: Ledger, times: int = 1) -> None:
    """What the keeper's indexer does."""
    for _ in range(times):
        indexer.follow(ledger)
        reorgs.track(ledger)


def rows(ledger: Ledger, table: type[Any], *order: Any) -> list[dict[str, Any]]:
    with ledger.store.read() as session:
        return [row.model_dump() for row in session.exec(select(table).order_by(*map(col, order)))]


def pending(ledger: Ledger) -> list[dict[str, Any]]:
    return rows(ledger, PendingEvent, PendingEvent.block, PendingEvent.log_index)


def credited(ledger: Ledger) -> list[dict[str, Any]]:
    return rows(ledger, ChainEvent, ChainEvent.block, ChainEvent.log_index)


def headers(ledger: Ledger) -> dict[int, str]:
    return {row["number"]: row["hash"] for row in rows(ledger, Header, Header.number)}


def blocks(relay: Relay) -> dict[int, str]:
    """The chain's own blocks after the final one."""
    eth = relay.place.w3.eth
    first = int(eth.get_block("finalized")["number"]) + 1
    return {n: eth.get_block(n)["hash"].to_0x_hex() for n in range(first, int(eth.block_number) + 1)}


def minted(ledger: Ledger) -> int:
    with ledger.store.read() as session:
        return sum(v for k, v in journal.balances(session, "units").items() if k.startswith("minted:"))


def mint(relay: Relay, *payees: int) -> None:
    """In a block of its own."""
    relay.claim(*payees)
    relay.flush()
    relay.mine()


@holds("Only final events have effects, each once", by="ledger/chainread/indexer.py:follow", against=Threat.BAD_CHAIN)
def test_a_mined_event_is_shown_and_credited_only_when_final(relay: Relay) -> None:
    look(relay.ledger, 2)
    mint(relay, 0)
    look(relay.ledger)
    leaf = "0x" + next(x for x in relay.place.lines if x.account == relay.place.payees[0].address.lower()).leaf().hex()
    assert headers(relay.ledger) == blocks(relay)
    assert [event["name"] for event in pending(relay.ledger)] == ["DelegateChanged", "Transfer", "Minted"]
    with relay.ledger.store.read() as session:
        assert reorgs.mint_state(session, leaf) == "mined"
        assert reorgs.mint_state(session, "0x" + "00" * 32) is None
    assert minted(relay.ledger) == 0
    relay.anvil.mine(2 * relay.anvil.slots - 1)
    look(relay.ledger)
    assert minted(relay.ledger) == 0
    relay.anvil.mine()
    look(relay.ledger)
    assert (minted(relay.ledger), pending(relay.ledger)) == (relay.owed(0), [])
    with relay.ledger.store.read() as session:
        assert reorgs.mint_state(session, leaf) == "final"


@pytest.mark.parametrize("depth", range(1, 9))
def test_a_reorg_of_any_depth_leaves_what_the_new_chain_has(relay: Relay, depth: int) -> None:
    """One mint comes again in another block, the other one is gone."""
    relay.anvil.mine(2 * relay.anvil.slots)
    look(relay.ledger, 2)
    mint(relay, 0)
    relay.anvil.mine(depth // 2)
    mint(relay, 1)
    relay.anvil.mine(max(0, depth - 2 - depth // 2))
    look(relay.ledger)
    before = headers(relay.ledger)
    relay.anvil.reorg(depth, [(relay.attempts[0].raw, depth - 1)] if depth >= 2 + depth // 2 else [])
    look(relay.ledger)
    after = headers(relay.ledger)
    assert after == blocks(relay)
    changed = [number for number in before if number in after and before[number] != after[number]]
    assert changed  # an empty block may come out alike, that of the second mint cannot
    assert min(changed) > max(before) - depth
    fresh = relay.place.ledger(relay.folder / "fresh")
    look(fresh, 3)
    assert pending(relay.ledger) == pending(fresh)
    relay.anvil.mine(2 * relay.anvil.slots)
    look(relay.ledger)
    look(fresh)
    assert credited(relay.ledger) == credited(fresh)
    assert minted(relay.ledger) == minted(fresh) == relay.supply


def test_a_chain_that_grew_shorter_is_followed_back(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its head is an ancestor of what was the head."""
    look(relay.ledger, 2)
    mint(relay, 0)
    look(relay.ledger)
    assert len(pending(relay.ledger)) == 3
    real: Any = reorgs._block
    before = headers(relay.ledger)
    shorter = max(before) - 1
    monkeypatch.setattr(reorgs, "_block", lambda ledger, which: real(ledger, shorter if which == "latest" else which))
    reorgs.track(relay.ledger)
    assert pending(relay.ledger) == []
    assert headers(relay.ledger) == {number: name for number, name in before.items() if number <= shorter}


@holds(
    "Nothing is applied from a chain that breaks its finality",
    by="ledger/chainread/indexer.py:follow",
    against=Threat.BAD_CHAIN,
)
def test_a_reorg_below_a_final_block_stops_everything(relay: Relay) -> None:
    """It credits nothing."""
    relay.anvil.mine(2 * relay.anvil.slots)
    look(relay.ledger, 2)
    mint(relay, 0)
    look(relay.ledger)
    relay.anvil.reorg(2 * relay.anvil.slots + 1, [(relay.attempts[0].raw, 0)])  # an empty block might come out alike
    relay.anvil.mine(2 * relay.anvil.slots)
    state = (headers(relay.ledger), pending(relay.ledger), credited(relay.ledger))
    with pytest.raises(FinalityViolated):
        indexer.follow(relay.ledger)
    with pytest.raises(FinalityViolated):
        reorgs.track(relay.ledger)
    assert state == (headers(relay.ledger), pending(relay.ledger), credited(relay.ledger))


def test_a_block_that_goes_while_it_is_read_is_read_next_time(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real answer to logs of a block that is gone is "unknown block"."""
    look(relay.ledger, 2)
    mint(relay, 0)
    real = indexer.read_block

    def too_late(ledger: Ledger, digest: str) -> list[ChainEvent]:
        relay.anvil.reorg(1)
        return real(ledger, digest)

    before = headers(relay.ledger)
    with monkeypatch.context() as racing:
        racing.setattr(indexer, "read_block", too_late)
        reorgs.track(relay.ledger)
    assert headers(relay.ledger) == before
    look(relay.ledger)
    assert (headers(relay.ledger), pending(relay.ledger)) == (blocks(relay), [])


def test_of_two_indexers_the_slower_one_writes_nothing(relay: Relay) -> None:
    """It read the reorgs, another one rewound it, and it finds other rows than it had seen."""
    look(relay.ledger, 2)
    mint(relay, 0)
    other = relay.process("other")

    def another_is_faster() -> None:
        relay.anvil.reorg(1)
        look(other)

    with armed("indexer.tracking", another_is_faster):
        reorgs.track(relay.ledger)
    assert (headers(relay.ledger), pending(relay.ledger)) == (blocks(relay), [])


def test_reading_by_range_credits_the_same_as_following(relay: Relay) -> None:
    """The one was beside the chain all the time, the other one comes late; both credit the same events."""
    look(relay.ledger, 2)
    for payee in range(3):
        mint(relay, payee)
        look(relay.ledger)
    relay.anvil.mine(2 * relay.anvil.slots)
    look(relay.ledger)
    late = relay.place.ledger(relay.folder / "late")
    look(late, 2)
    assert credited(late) == credited(relay.ledger)
    assert minted(late) == minted(relay.ledger) == relay.owed(0, 1, 2)


def test_far_behind_the_tip_is_not_followed(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reorgs, "WINDOW", 3)
    look(relay.ledger, 2)
    assert headers(relay.ledger) == {}


def test_a_node_that_lags_is_waited_for(relay: Relay) -> None:
    """It has not seen the cursor's block: no violation, and nothing is done."""
    look(relay.ledger, 2)
    with relay.ledger.store.write() as session:
        cursor = session.get_one(Cursor, FINAL)
        cursor.block += 10_000
        session.add(cursor)
    state = (headers(relay.ledger), credited(relay.ledger))
    look(relay.ledger)
    assert state == (headers(relay.ledger), credited(relay.ledger))


@pytest.mark.parametrize("point", ["indexer.read", "indexer.applied", "indexer.followed", "indexer.tracking"])
def test_a_failure_at_any_point_credits_once(relay: Relay, point: str) -> None:
    mint(relay, 0, 1)
    relay.anvil.mine(2 * relay.anvil.slots)
    with armed(point, "raise"), pytest.raises(Crashed):
        look(relay.ledger, 2)
    look(relay.ledger, 2)
    assert minted(relay.ledger) == relay.owed(0, 1)
    assert len([event for event in credited(relay.ledger) if event["name"] == "Minted"]) == 2


def test_a_failure_while_it_rewinds_leaves_the_old_tip(relay: Relay) -> None:
    look(relay.ledger, 2)
    mint(relay, 0)
    look(relay.ledger)
    before = pending(relay.ledger)
    relay.anvil.reorg(1)
    with armed("indexer.rewound", "raise"), pytest.raises(Crashed):
        reorgs.track(relay.ledger)
    assert pending(relay.ledger) == before
    look(relay.ledger)
    assert (headers(relay.ledger), pending(relay.ledger)) == (blocks(relay), [])


def test_another_models_events_are_not_ours(relay: Relay) -> None:
    """Two models on one registry: the decision of one of them reaches its own ledger, and not the other's."""
    ours, timelock = relay.place.deployment, relay.place.deployment.timelock
    relay.anvil.rpc("anvil_impersonateAccount", timelock)
    relay.anvil.rpc("anvil_setBalance", timelock, hex(10**20))
    call = relay.place.model.models.decide(relay.place.model.model, b"\1" * 32, "inner_lr", "0.0005")
    relay.anvil.rpc(
        "eth_sendTransaction", {"from": timelock, "to": call.address, "data": call._encode_transaction_data()}
    )
    relay.anvil.mine(1 + 2 * relay.anvil.slots)
    other = relay.place.ledger(relay.folder / "other")
    theirs = replace(other, chain=ModelChain(relay.place.w3, replace(ours, model="0x" + "77" * 32)))
    for ledger, heard in ((relay.ledger, ["inner_lr"]), (theirs, [])):
        look(ledger, 2)
        assert [event["arguments"]["key"] for event in credited(ledger) if event["name"] == "Decision"] == heard
        assert [row["key"] for row in rows(ledger, DecisionRow)] == heard


@holds(
    "Events of another branch are never applied under a final hash",
    by="ledger/chainread/indexer.py:follow",
    against=Threat.BAD_CHAIN,
)
def test_events_of_another_branch_are_not_credited(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another indexer, whose node is on another branch, tracks that one between our look and our writing."""
    look(relay.ledger, 2)
    mint(relay, 0)
    look(relay.ledger)
    relay.anvil.mine(2 * relay.anvil.slots)
    final = int(relay.place.w3.eth.get_block("finalized")["number"])
    reorgs.track(relay.ledger)
    before = rows(relay.ledger, Cursor, Cursor.name)
    real = indexer._has_cursor_block
    name = headers(relay.ledger)[final]

    def turned(ledger: Ledger, cursor: Cursor) -> bool:
        name_block(ledger, final, "0x" + "ab" * 32)
        return real(ledger, cursor)

    monkeypatch.setattr(indexer, "_has_cursor_block", turned)
    indexer.follow(relay.ledger)
    assert (rows(relay.ledger, Cursor, Cursor.name), minted(relay.ledger)) == (before, 0)
    monkeypatch.undo()
    name_block(relay.ledger, final, name)
    indexer.follow(relay.ledger)
    assert minted(relay.ledger) == relay.owed(0)


def name_block(ledger: Ledger, number: int, name: str) -> None:
    with ledger.store.write() as session:
        header = session.get_one(Header, number)
        header.hash = name
        session.add(header)
