"""What the ledger reads from the chain: each final block once, in order, by however many readers."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from sqlmodel import col, select
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3RPCError

from contracts.chain import contract_at, send
from contracts.deploy import deploy_model
from contracts.governor import Action
from ledger import indexer
from ledger.crash_points import armed
from ledger.errors import FinalityViolated
from ledger.store import Store
from ledger.tables import ChainEvent, Cursor
from tests.ledger.test_governance import holders_of
from tests.world import PARAMS, World, accepted, octets

pytestmark = pytest.mark.integration


def events(world: World, name: str | None = None) -> list[ChainEvent]:
    with world.ledger.store.read() as session:
        found = session.exec(select(ChainEvent).order_by(col(ChainEvent.block), col(ChainEvent.log_index)))
        return [e for e in found if name in (None, e.name)]


def cursor(world: World) -> Cursor:
    with world.ledger.store.read() as session:
        return session.get_one(Cursor, "final")


def propose_epoch(world: World) -> None:
    world.start().play_round()
    for verifier in world.verifiers[:2]:
        accepted(world.post_epoch(verifier))
    world.step(2)


def test_the_cursor_follows_the_head_and_events_are_kept_as_json(alone: World) -> None:
    propose_epoch(alone)
    indexer.follow(alone.ledger)
    head = alone.ledger.chain.head()
    assert (cursor(alone).block, cursor(alone).hash) == (head, "0x" + alone.ledger.chain.block_hash(head).hex())
    (event,) = events(alone, "EpochProposed")
    assert event.contract == "VerifierRegistry"
    assert (event.arguments["epoch"], event.arguments["root"]) == ("1", alone.get("/epochs")[0]["root"])


def test_each_block_is_read_once(alone: World) -> None:
    propose_epoch(alone)
    alone.mine(3)
    for _ in range(3):
        indexer.follow(alone.ledger)
    before = [(e.block, e.log_index) for e in events(alone)]
    assert len(before) == len(set(before)) > 0
    alone.mine(2)
    indexer.follow(alone.ledger)
    assert [(e.block, e.log_index) for e in events(alone)] == before


@pytest.mark.parametrize("old", [-1_000, 3, indexer.OLD], ids=["by range", "both", "one by one"])
def test_many_blocks_are_read_in_batches(alone: World, monkeypatch: pytest.MonkeyPatch, old: int) -> None:
    monkeypatch.setattr(indexer, "BATCH", 4)
    monkeypatch.setattr(indexer, "OLD", old)
    propose_epoch(alone)
    alone.mine(9)
    seen = []
    for _ in range(20):
        indexer.follow(alone.ledger)
        seen.append(cursor(alone).block)
    steps = {second - first for first, second in itertools.pairwise(seen)}
    assert max(steps) <= 4
    assert seen[-1] == alone.ledger.chain.head()
    assert len(events(alone, "EpochProposed")) == 1


def test_a_node_that_lags_behind_is_waited_for(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node told what is final, the next one, which has not got that far, is asked for the events."""
    fresh = World(alone.folder / "second", alone.place)
    alone.start().play_round()
    indexer.follow(fresh.ledger)
    eth, known = fresh.ledger.chain.w3.eth, cursor(fresh).block
    for verifier in alone.verifiers[:2]:
        accepted(alone.post_epoch(verifier))
    alone.step(2)
    real = eth.get_logs

    def behind(query: Any) -> Any:
        if "blockHash" in query and int(eth.get_block(query["blockHash"])["number"]) > known:
            raise Web3RPCError("unknown block")
        return [entry for entry in real(query) if entry["blockNumber"] <= known]

    monkeypatch.setattr(eth, "get_logs", behind)
    indexer.follow(fresh.ledger)
    assert cursor(fresh).block == known
    monkeypatch.undo()
    indexer.follow(fresh.ledger)
    assert cursor(fresh).block == fresh.ledger.chain.head() > known
    assert len(events(fresh, "EpochProposed")) == 1


def test_two_indexers_at_once_read_as_one(alone: World) -> None:
    """Both find the same blocks; the slower one's are not written a second time."""
    alone.start().play_round()
    alone.settle_epoch()
    for wallet in alone.wallets:
        alone.claim(wallet.address)
    alone.mine(2)
    failed: list[Exception] = []
    with alone.ledger.store.write() as session:
        session.delete(session.get_one(Cursor, "final"))
    fresh = World(alone.folder / "second", alone.place)

    def read() -> None:
        try:
            for _ in range(4):
                indexer.follow(fresh.ledger)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [(e.block, e.name) for e in events(fresh)] == [(e.block, e.name) for e in events(alone)]
    assert len(events(fresh, "Minted")) == 2


def test_the_cursor_moves_only_from_where_it_was_read(alone: World) -> None:
    """Another indexer is faster between the reading of the events and their writing."""
    fresh = World(alone.folder / "second", alone.place)
    twin = replace(fresh.ledger, store=Store(fresh.database), holder="twin")
    propose_epoch(alone)
    with armed("indexer.read", lambda: indexer.follow(twin)):
        indexer.follow(fresh.ledger)
    assert len(events(fresh, "EpochProposed")) == 1
    alone.mine(2)
    indexer.follow(fresh.ledger)
    assert cursor(fresh).block == alone.ledger.chain.head()


HOLE, NO_TEXT = "?" * 32, b"\xff\x00\xc3(" * 8


def send_bytes(world: World, account: LocalAccount, call: ContractFunction) -> None:
    """The call, with bytes that are no text where its text is HOLE."""
    data = bytes.fromhex(call._encode_transaction_data()[2:]).replace(HOLE.encode(), NO_TEXT)
    w3, fee = world.place.w3, world.place.w3.eth.gas_price * 2
    transaction = {
        "to": call.address, "data": data, "gas": 3_000_000, "gasPrice": fee, "chainId": w3.eth.chain_id,
        "nonce": w3.eth.get_transaction_count(account.address),
    }  # fmt: skip
    sent = w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
    assert w3.eth.wait_for_transaction_receipt(sent)["status"] == 1


def test_bytes_that_are_no_text_stop_no_reader(alone: World) -> None:
    """Anybody may vote with a reason; holders may propose and decide whatever they like."""
    holders_of(alone)
    holder, stranger = alone.creator, alone.verifiers[0]
    deployment = alone.place.deployment
    decide = alone.ledger.chain.models.decide(octets(deployment.model), b"d" * 32, "\0key", "\0")
    governor_at = contract_at(alone.place.w3, "ModelGovernor", deployment.governor).functions
    action = Action.of(decide)
    send_bytes(alone, holder, governor_at.propose([action.target], [0], [action.data], HOLE))
    indexer.follow(alone.ledger)
    (proposed,) = events(alone, "ProposalCreated")
    assert proposed.arguments["description"] == r"\xff\x00\xc3(" * 8
    alone.wait(PARAMS.voting_delay + 1)
    number = int(proposed.arguments["proposalId"])
    send_bytes(alone, stranger, governor_at.castVoteWithReason(number, 0, HOLE))
    alone.enact(holder, decide)
    indexer.follow(alone.ledger)
    assert r"\xff\x00\xc3(" * 8 in [e.arguments["reason"] for e in events(alone, "VoteCast")]
    (decision,) = events(alone, "Decision")
    assert (decision.arguments["key"], decision.arguments["value"]) == (r"\x00key", r"\x00")
    alone.step(2)
    assert [(d["key"], d["value"]) for d in alone.get("/decisions")] == [(r"\x00key", r"\x00")]


def test_what_other_models_decide_is_not_read(alone: World) -> None:
    owner, deployment = alone.creator, alone.place.deployment
    registry = contract_at(alone.place.w3, "ModelRegistry", deployment.model_registry).functions
    entry = ("another", deployment.token, owner.address, *deployment.entry()[3:])
    send(alone.place.w3, owner, registry.register(entry))
    model = registry.modelId(owner.address, "another").call()
    send_bytes(alone, owner, registry.decide(model, b"d" * 32, HOLE, "1"))
    indexer.follow(alone.ledger)
    assert cursor(alone).block == alone.ledger.chain.head()
    assert events(alone, "Decision") == []


def test_a_replaced_final_block_stops_the_indexer(alone: World) -> None:
    """The ledger credited on that block's word: a person must look."""
    propose_epoch(alone)
    with alone.ledger.store.write() as session:
        row = session.get_one(Cursor, "final")
        row.hash = "0x" + "07" * 32
        session.add(row)
    before = alone.dump()
    with pytest.raises(FinalityViolated):
        indexer.follow(alone.ledger)
    assert alone.dump() == before


def test_other_models_on_the_same_registry_are_not_ours(alone: World) -> None:
    """Decisions and epochs of a second model that shares the ModelRegistry leave no trace."""
    place = alone.place
    deploy_model(
        place.w3, alone.creator, "other", "O", [v.address for v in alone.verifiers], place.params,
        place.deployment.model_registry,
    )  # fmt: skip
    send(place.w3, alone.verifiers[0], alone.ledger.chain.registry.stake(), value=1)
    indexer.follow(alone.ledger)
    assert events(alone, "Decision") == []
    assert events(alone, "Minted") == []
