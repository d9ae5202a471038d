"""Transactions leave through the outbox: signed once, sent until mined, and never paid twice whatever crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import ConnectionError as ChainUnreachable
from sqlmodel import col, select
from web3.exceptions import TransactionNotFound

from ledger import epochs, outbox
from ledger.tables import Attempt, Outgoing
from tests.world import World, key_of

pytestmark = pytest.mark.integration


class PowerCut(BaseException):
    """Ends the process in the middle of a step, past every handler of ordinary errors."""


def rows(world: World) -> list[Outgoing]:
    with world.ledger.store.read() as session:
        return list(session.exec(select(Outgoing).order_by(col(Outgoing.order))))


def raw(world: World) -> list[str]:
    """All that was signed, in the order of nonces."""
    with world.ledger.store.read() as session:
        return list(session.exec(select(Attempt.raw).order_by(col(Attempt.nonce))))


def enqueue(world: World, key: str, to: str | None = None) -> None:
    """A harmless call: the relayer delegates its (no) votes."""
    with world.ledger.store.write() as session:
        outbox.enqueue(session, key, world.ledger.chain.token.delegate(to or world.operator.address))


def sends(world: World, monkeypatch: pytest.MonkeyPatch, fate: Callable[[int, Callable[[], Any]], Any]) -> list[str]:
    """Let `fate` decide about the n-th broadcast; returns the list that collects what was sent."""
    eth, sent = world.ledger.chain.w3.eth, list[str]()
    real = eth.send_raw_transaction

    def send(raw: Any) -> Any:
        sent.append(raw)
        return fate(len(sent), lambda: real(raw))

    monkeypatch.setattr(eth, "send_raw_transaction", send)
    return sent


def test_a_call_is_signed_sent_and_noted(world: World) -> None:
    enqueue(world, "a")
    assert (rows(world)[0].state, rows(world)[0].nonce) == ("queued", None)
    outbox.flush(world.ledger)
    (row,) = rows(world)
    receipt = world.place.w3.eth.get_transaction_receipt(row.hash)  # type: ignore[arg-type]
    assert (row.state, row.block, receipt["from"]) == ("final", receipt["blockNumber"], world.operator.address)


def test_the_same_id_is_one_transaction(world: World) -> None:
    enqueue(world, "a")
    enqueue(world, "a", to=key_of("another").address)
    for _ in range(3):
        outbox.flush(world.ledger)
    (row,) = rows(world)
    assert key_of("another").address[2:].lower() not in row.data


def test_calls_leave_in_order_with_nonces_in_a_row(world: World) -> None:
    first = world.place.w3.eth.get_transaction_count(world.operator.address)
    for name in "cab":
        enqueue(world, name)
    outbox.flush(world.ledger)
    assert [(r.id, r.nonce, r.state) for r in rows(world)] == [
        (name, first + place, "final") for place, name in enumerate("cab")
    ]


def test_a_refused_call_is_noted_with_its_reason_and_takes_no_nonce(world: World) -> None:
    """A claim of an epoch that is not final; what stands behind it still leaves."""
    world.start().play_round()
    line = world.payouts(1)[0]
    distributor = world.ledger.chain.distributor
    call = distributor.claim(1, line["index"], line["account"], line["kind"], int(line["amount"]), [])
    with world.ledger.store.write() as session:
        outbox.enqueue(session, "early", call)
    enqueue(world, "after")
    outbox.flush(world.ledger)
    early, after = rows(world)
    assert (early.state, early.error, early.nonce) == ("refused", "EpochNotFinal(epoch=1)", None)
    assert len(raw(world)) == 1
    assert after.state == "final"


def test_a_retry_sends_the_same_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain does not answer twice; the third time the first bytes go through."""

    def fate(attempt: int, send: Callable[[], Any]) -> Any:
        if attempt < 3:
            raise ChainUnreachable
        return send()

    sent = sends(world, monkeypatch, fate)
    enqueue(world, "a")
    for _ in range(2):
        with pytest.raises(ChainUnreachable):
            outbox.flush(world.ledger)
        assert rows(world)[0].state == "signed"
    outbox.flush(world.ledger)
    (row,) = rows(world)
    assert (row.state, sent) == ("final", raw(world) * 3)


def claims_of(world: World) -> str:
    """Bring an epoch to final and queue the first wallet's claim; returns the wallet."""
    world.start().play_round()
    world.settle_epoch()
    wallet = world.wallets[0].address
    epochs.claim(world.ledger, 1, wallet)
    return wallet


def resume(world: World) -> None:
    """Start again on what lies on the disk."""
    world.restart()
    world.step(3)


def test_a_crash_between_signing_and_sending_pays_once(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = claims_of(alone)

    def fate(attempt: int, send: Callable[[], Any]) -> Any:
        if attempt == 1:
            raise PowerCut
        return send()

    sent = sends(alone, monkeypatch, fate)
    with pytest.raises(PowerCut):
        outbox.flush(alone.ledger)
    signed = rows(alone)[-1]
    assert (signed.state, alone.ledger.chain.token.total_supply()) == ("signed", 0)
    resume(alone)
    assert (rows(alone)[-1].state, rows(alone)[-1].hash, rows(alone)[-1].nonce) == ("final", signed.hash, signed.nonce)
    assert sent == raw(alone)[-1:] * 2
    assert alone.ledger.chain.token.balance_of(wallet) == alone.ledger.chain.token.total_supply() == 500


def test_a_crash_after_sending_and_before_noting_pays_once(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = claims_of(alone)

    def fate(_attempt: int, send: Callable[[], Any]) -> Any:
        send()
        raise PowerCut

    sent = sends(alone, monkeypatch, fate)
    with pytest.raises(PowerCut):
        outbox.flush(alone.ledger)
    assert (rows(alone)[-1].state, alone.ledger.chain.token.balance_of(wallet)) == ("signed", 500)
    resume(alone)
    assert (rows(alone)[-1].state, len(sent)) == ("final", 1)
    assert alone.ledger.chain.token.balance_of(wallet) == alone.ledger.chain.token.total_supply() == 500
    books = alone.get("/balances/units")
    assert (books[f"owed:{wallet}"], books[f"minted:{wallet}"]) == ("0", "500")


def test_a_crash_while_signing_leaves_the_call_queued(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nonce is taken in the transaction that keeps the bytes, or not at all."""
    enqueue(world, "a")
    with monkeypatch.context() as cut:
        cut.setattr(type(world.operator), "sign_transaction", _cut)
        with pytest.raises(PowerCut):
            outbox.flush(world.ledger)
    assert [(r.state, r.nonce, raw(world)) for r in rows(world)] == [("queued", None, [])]
    resume(world)
    assert rows(world)[0].state == "final"


def _cut(*_: Any, **__: Any) -> Any:
    raise PowerCut


def test_bytes_that_are_in_already_are_not_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain answers "nonce too low" to what it has; the receipt of the hash decides."""

    def fate(_attempt: int, send: Callable[[], Any]) -> Any:
        send()
        return send()

    sends(world, monkeypatch, fate)
    enqueue(world, "a")
    outbox.flush(world.ledger)
    assert rows(world)[0].state == "final"


def test_a_transaction_that_reverts_when_mined_is_noted_as_failed(
    alone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else minted the receipt between the estimate and the block."""
    wallet = claims_of(alone)
    call = alone.ledger.chain.w3.eth

    def fate(attempt: int, send: Callable[[], Any]) -> Any:
        if attempt == 1:
            _mint_directly(alone, wallet)
        return send()

    sends(alone, monkeypatch, fate)
    outbox.flush(alone.ledger)
    row = rows(alone)[-1]
    assert (row.state, call.get_transaction_receipt(row.hash)["status"]) == ("failed", 0)  # type: ignore[arg-type]
    alone.step(2)
    books = alone.get("/balances/units")
    assert (books[f"minted:{wallet}"], alone.ledger.chain.token.total_supply()) == ("500", 500)


def _mint_directly(world: World, wallet: str) -> None:
    """The creator pays the gas of the same claim."""
    (line,) = world.get(f"/epochs/1/claims/{wallet}")
    proof = [bytes.fromhex(n[2:]) for n in line["proof"]]
    amount, d = int(line["amount"]), world.ledger.chain.distributor
    call = d.claim(1, line["index"], wallet, line["kind"], amount, proof)
    eth, creator = world.place.w3.eth, world.creator
    transaction = call.build_transaction(
        {"from": creator.address, "nonce": eth.get_transaction_count(creator.address), "gas": 500_000}
    )
    signed = creator.sign_transaction(transaction)  # type: ignore[arg-type]
    world.place.chain.rpc("eth_sendRawTransaction", [signed.raw_transaction.to_0x_hex()])


def test_a_call_that_was_refused_is_taken_again_when_it_is_another(world: World) -> None:
    """Other signatures under the same root: the id stands for what is to happen, the bytes for how."""
    distributor, wallet = world.ledger.chain.distributor, world.operator.address
    with world.ledger.store.write() as session:
        outbox.enqueue(session, "a", distributor.claim(1, 0, wallet, 0, 1, []))
    outbox.flush(world.ledger)
    assert rows(world)[0].state == "refused"
    with world.ledger.store.write() as session:
        outbox.enqueue(session, "a", distributor.claim(1, 0, wallet, 0, 1, []))
    assert rows(world)[0].state == "refused"
    enqueue(world, "a")
    assert (rows(world)[0].state, rows(world)[0].tries) == ("queued", 0)
    outbox.flush(world.ledger)
    assert (rows(world)[0].state, rows(world)[0].error) == ("final", None)


def test_a_call_that_stays_refused_is_dead_after_its_tries(world: World) -> None:
    """Each try waits twice as long, and then it is shown to the operator and left alone."""
    call = world.ledger.chain.distributor.claim(1, 0, world.operator.address, 0, 1, [])
    with world.ledger.store.write() as session:
        outbox.enqueue(session, "never", call)
    waits = []
    while rows(world)[0].state != "dead":
        outbox.flush(world.ledger)
        waits.append(rows(world)[0].due - world.clock.now)
        world.clock.now = rows(world)[0].due - 1
        outbox.flush(world.ledger)
        assert rows(world)[0].tries == len(waits)
        world.clock.now += 1
    assert waits == [15 * 2**n for n in range(8)]
    world.clock.now += 10**6
    outbox.flush(world.ledger)
    assert (rows(world)[0].state, rows(world)[0].tries) == ("dead", 8)


def test_the_api_lists_every_hash_of_a_call(world: World) -> None:
    enqueue(world, "a")
    outbox.flush(world.ledger)
    (line,) = (t for t in world.get("/transactions") if t["id"] == "a")
    assert (line["state"], line["hashes"], line["tries"]) == ("final", [line["hash"]], 0)


def test_without_the_foreign_transaction_in_sight_nothing_is_signed_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that counts our nonce as used, for good, but has lost our receipt: lack of a receipt is no proof."""

    def lost(name: object) -> None:
        raise TransactionNotFound(f"{name} is not found")

    enqueue(world, "a")
    with monkeypatch.context() as broken:
        broken.setattr(world.ledger.chain.w3.eth, "get_transaction_receipt", lost)
        for _ in range(3):
            outbox.flush(world.ledger)
    assert (rows(world)[0].state, len(raw(world))) == ("signed", 1)
    outbox.flush(world.ledger)
    assert (rows(world)[0].state, len(raw(world))) == ("final", 1)


def test_a_block_is_known_by_its_hash_and_not_by_its_number(world: World) -> None:
    """The row says mined in a block whose place another one has taken: it is looked up again before it is final."""
    enqueue(world, "a")
    outbox.flush(world.ledger)
    true = rows(world)[0].block_hash
    with world.ledger.store.write() as session:
        row = session.get_one(Outgoing, "a")
        row.state, row.block_hash = "mined", "0x" + "07" * 32
        session.add(row)
    outbox.flush(world.ledger)
    assert (rows(world)[0].state, rows(world)[0].block_hash) == ("final", true)
