"""What the ledger reads from the chain: each final block once, in order, by however many readers."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from sqlmodel import col, select
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3RPCError

from contracts.bindings.governor import Action
from contracts.chain.connection import contract_at, send
from contracts.evm import log_pace
from contracts.genesis.creation import creations
from contracts.genesis.deploy import deploy_model
from ledger.chainread import indexer
from ledger.context import Ledger
from ledger.crash_points import armed
from ledger.errors import FinalityViolated
from ledger.storage.store import Store
from ledger.storage.tables import ChainEvent, Cursor
from tests.deployed import PARAMS, verifier_keys
from tests.holds import Threat, holds
from tests.house import House, accepted
from tests.limited_rpc import Limited

pytestmark = pytest.mark.integration


def events(house: House, name: str | None = None) -> list[ChainEvent]:
    with house.ledger.store.read() as session:
        found = session.exec(select(ChainEvent).order_by(col(ChainEvent.block), col(ChainEvent.log_index)))
        return [e for e in found if name in (None, e.name)]


def cursor(house: House) -> Cursor:
    with house.ledger.store.read() as session:
        return session.get_one(Cursor, "final")


def propose_epoch(house: House) -> None:
    house.start().play_round()
    for verifier in verifier_keys()[:2]:
        accepted(house.post_epoch(verifier))
    house.step(2)


def test_the_cursor_follows_the_head_and_events_are_kept_as_json(house: House) -> None:
    propose_epoch(house)
    indexer.follow(house.ledger)
    head = house.ledger.chain.head()
    assert (cursor(house).block, cursor(house).hash) == (head, "0x" + house.ledger.chain.block_hash(head).hex())
    (event,) = events(house, "EpochProposed")
    assert event.contract == "VerifierRegistry"
    assert (event.arguments["epoch"], event.arguments["root"]) == ("1", house.get("/epochs")[0]["root"])


def test_the_first_look_begins_where_the_first_contract_was_made(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, it began with the VerifierRegistry: what the governor had said by then was shown to nobody."""
    asked, chain, real = list[int](), house.ledger.chain, indexer.read_block

    def read(ledger: Ledger, name: str) -> list[ChainEvent]:
        asked.append(int(chain.w3.eth.get_block(HexBytes(name))["number"]))
        return real(ledger, name)

    monkeypatch.setattr(indexer, "read_block", read)
    indexer.follow(House(house.folder / "second", house.place).ledger)
    made = creations(chain.w3, chain.deployment)
    assert min(asked) == min(made[name].block for name in ("ModelTimelock", "ModelToken", "ModelGovernor"))
    assert min(asked) < chain.registry.created(chain.deployment.block, min(asked))


def test_each_block_is_read_once(house: House) -> None:
    propose_epoch(house)
    house.place.chain.mine(3)
    for _ in range(3):
        indexer.follow(house.ledger)
    before = [(e.block, e.log_index) for e in events(house)]
    assert len(before) == len(set(before)) > 0
    house.place.chain.mine(2)
    indexer.follow(house.ledger)
    assert [(e.block, e.log_index) for e in events(house)] == before


@pytest.mark.parametrize("old", [-1_000, 3, indexer.OLD], ids=["by range", "both", "one by one"])
def test_many_blocks_are_read_in_batches(house: House, monkeypatch: pytest.MonkeyPatch, old: int) -> None:
    for most in ("BATCH", "MOST_BLOCKS"):
        monkeypatch.setattr(indexer, most, 4)
    monkeypatch.setattr(indexer, "OLD", old)
    propose_epoch(house)
    house.place.chain.mine(9)
    seen = []
    for _ in range(20):
        indexer.follow(house.ledger)
        seen.append(cursor(house).block)
    steps = {second - first for first, second in itertools.pairwise(seen)}
    assert max(steps) <= 4
    assert seen[-1] == house.ledger.chain.head()
    assert len(events(house, "EpochProposed")) == 1


@pytest.mark.parametrize("limit", [1, 100])
def test_a_node_that_gives_few_blocks_at_a_time_is_enough(
    house: House, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    propose_epoch(house)
    house.place.chain.mine(150)
    rpc = Limited(house.place.chain.handle, limit)
    monkeypatch.setattr(house.place.chain, "handle", rpc.handle)
    monkeypatch.setattr(indexer, "OLD", 3)
    fresh = House(house.folder / "second", house.place)
    for _ in range(3):
        indexer.follow(fresh.ledger)
    indexer.follow(house.ledger)
    assert cursor(fresh).block == fresh.ledger.chain.head()
    assert [(e.block, e.log_index, e.arguments) for e in events(fresh)] == [
        (e.block, e.log_index, e.arguments) for e in events(house)
    ]
    assert limit // 2 <= rpc.widest < max(last - first for first, last in rpc.asked)
    assert min(first for first, _ in rpc.asked) >= fresh.ledger.chain.first_block


def test_a_look_ends_after_many_events(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are entered in one transaction: a stranger can make a block's worth of them for little."""
    propose_epoch(house)
    monkeypatch.setattr(indexer, "OLD", -1_000)
    monkeypatch.setattr(indexer, "MANY", 1)
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", 2)
    fresh, seen = House(house.folder / "second", house.place), []
    for _ in range(house.ledger.chain.head()):
        indexer.follow(fresh.ledger)
        seen.append((cursor(fresh).block, len(events(fresh))))
        assert cursor(fresh).hash == "0x" + house.ledger.chain.block_hash(cursor(fresh).block).hex()
    assert seen[-1] == (house.ledger.chain.head(), len(events(house)))
    assert max(after - before for (_, before), (_, after) in itertools.pairwise(seen)) < seen[-1][1] // 2


@holds(
    "The indexer waits for a chain node that lags behind",
    by="ledger/chainread/indexer.py:follow",
    against=Threat.BAD_CHAIN,
)
def test_a_node_that_lags_behind_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node told what is final, the next one, which has not got that far, is asked for the events."""
    fresh = House(house.folder / "second", house.place)
    house.start().play_round()
    indexer.follow(fresh.ledger)
    eth, known = fresh.ledger.chain.w3.eth, cursor(fresh).block
    for verifier in verifier_keys()[:2]:
        accepted(house.post_epoch(verifier))
    house.step(2)
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


def test_two_indexers_at_once_read_as_one(house: House) -> None:
    """Both find the same blocks; the slower one's are not written a second time."""
    house.start().play_round()
    house.settle_epoch()
    for wallet in house.wallets:
        house.claim(wallet.address)
    house.place.chain.mine(2)
    failed: list[Exception] = []
    with house.ledger.store.write() as session:
        session.delete(session.get_one(Cursor, "final"))
    fresh = House(house.folder / "second", house.place)

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
    assert [(e.block, e.name) for e in events(fresh)] == [(e.block, e.name) for e in events(house)]
    assert len(events(fresh, "Minted")) == 2


def test_the_cursor_moves_only_from_where_it_was_read(house: House) -> None:
    """Another indexer is faster between the reading of the events and their writing."""
    fresh = House(house.folder / "second", house.place)
    twin = replace(fresh.ledger, store=Store(fresh.database), holder="twin")
    propose_epoch(house)
    with armed("indexer.read", lambda: indexer.follow(twin)):
        indexer.follow(fresh.ledger)
    assert len(events(fresh, "EpochProposed")) == 1
    house.place.chain.mine(2)
    indexer.follow(fresh.ledger)
    assert cursor(fresh).block == house.ledger.chain.head()


HOLE, NO_TEXT = "?" * 32, b"\xff\x00\xc3(" * 8


def send_bytes(house: House, account: LocalAccount, call: ContractFunction) -> None:
    """The call, with bytes that are no text where its text is HOLE."""
    data = bytes.fromhex(call._encode_transaction_data()[2:]).replace(HOLE.encode(), NO_TEXT)
    w3, fee = house.place.w3, house.place.w3.eth.gas_price * 2
    transaction: dict[str, Any] = {
        "to": call.address,
        "data": data,
        "gas": 3_000_000,
        "gasPrice": fee,
        "chainId": w3.eth.chain_id,
        "nonce": w3.eth.get_transaction_count(account.address),
    }
    sent = w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
    assert w3.eth.wait_for_transaction_receipt(sent)["status"] == 1


@holds(
    "Invalid UTF-8 in a vote's reason or a decision stops no reader of the chain",
    by="contracts/evm/chain_text.py:AnyText",
    against=Threat.BAD_CHAIN,
)
def test_bytes_that_are_no_text_stop_no_reader(house: House) -> None:
    """Anybody may vote with a reason; holders may propose and decide whatever they like."""
    house.become_holders()
    holder, stranger = house.wallets[0], verifier_keys()[0]
    deployment = house.place.deployment
    decide = house.ledger.chain.models.decide(bytes.fromhex(deployment.model[2:]), b"d" * 32, "\0key", "\0")
    governor_at = contract_at(house.place.w3, "ModelGovernor", deployment.governor).functions
    action = Action.of(decide)
    send_bytes(house, holder, governor_at.propose([action.target], [0], [action.data], HOLE))
    indexer.follow(house.ledger)
    (proposed,) = events(house, "ProposalCreated")
    assert proposed.arguments["description"] == r"\xff\x00\xc3(" * 8
    house.wait(PARAMS.voting_delay + 1)
    number = int(proposed.arguments["proposalId"])
    send_bytes(house, stranger, governor_at.castVoteWithReason(number, 0, HOLE))
    house.enact(holder, decide)
    indexer.follow(house.ledger)
    assert r"\xff\x00\xc3(" * 8 in [e.arguments["reason"] for e in events(house, "VoteCast")]
    (decision,) = events(house, "Decision")
    assert (decision.arguments["key"], decision.arguments["value"]) == (r"\x00key", r"\x00")
    house.step(2)
    assert [(d["key"], d["value"]) for d in house.get("/decisions")] == [(r"\x00key", r"\x00")]


def test_what_other_models_decide_is_not_read(house: House) -> None:
    owner, deployment = house.creator, house.place.deployment
    registry = contract_at(house.place.w3, "ModelRegistry", deployment.model_registry).functions
    entry = ("another", deployment.token, owner.address, *deployment.entry()[3:])
    send(house.place.w3, owner, registry.register(entry))
    model = registry.modelId(owner.address, "another").call()
    send_bytes(house, owner, registry.decide(model, b"d" * 32, HOLE, "1"))
    indexer.follow(house.ledger)
    assert cursor(house).block == house.ledger.chain.head()
    assert events(house, "Decision") == []


def test_a_replaced_final_block_stops_the_indexer(house: House) -> None:
    """The ledger credited on that block's word: a person must look."""
    propose_epoch(house)
    with house.ledger.store.write() as session:
        row = session.get_one(Cursor, "final")
        row.hash = "0x" + "07" * 32
        session.add(row)
    before = house.dump()
    with pytest.raises(FinalityViolated):
        indexer.follow(house.ledger)
    assert house.dump() == before


def test_other_models_on_the_same_registry_are_not_ours(house: House) -> None:
    """Decisions and epochs of a second model that shares the ModelRegistry leave no trace."""
    place = house.place
    deploy_model(
        place.w3,
        house.creator,
        "other",
        "O",
        [v.address for v in verifier_keys()],
        PARAMS,
        place.deployment,
    )
    send(place.w3, verifier_keys()[0], house.ledger.chain.registry.stake(), value=1)
    indexer.follow(house.ledger)
    assert events(house, "Decision") == []
    assert events(house, "Minted") == []
