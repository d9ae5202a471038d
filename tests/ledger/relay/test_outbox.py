"""Transactions leave through the outbox: signed once, sent until mined, and never paid twice whatever crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import ConnectionError as ChainUnreachable
from sqlmodel import col, select
from web3.exceptions import TransactionNotFound

from contracts.ids import Address
from ledger.epochs import settlement
from ledger.relay import outbox
from ledger.storage.tables import Attempt, Outgoing
from tests.deployed import key_of
from tests.house import House

pytestmark = pytest.mark.integration


class PowerCut(BaseException):
    """Ends the process in the middle of a step, past every handler of ordinary errors."""


def rows(house: House) -> list[Outgoing]:
    with house.ledger.store.read() as session:
        return list(session.exec(select(Outgoing).order_by(col(Outgoing.order))))


def raw(house: House) -> list[str]:
    """All that was signed, in the order of nonces."""
    with house.ledger.store.read() as session:
        return list(session.exec(select(Attempt.raw).order_by(col(Attempt.nonce))))


def enqueue(house: House, key: str, to: str | None = None) -> None:
    """A harmless call: the relayer delegates its (no) votes."""
    with house.ledger.store.write() as session:
        outbox.enqueue(session, key, house.ledger.chain.token.delegate(to or house.operator.address))


def sends(house: House, monkeypatch: pytest.MonkeyPatch, fate: Callable[[int, Callable[[], Any]], Any]) -> list[str]:
    """Let `fate` decide about the n-th broadcast; returns the list that collects what was sent."""
    eth, sent = house.ledger.chain.w3.eth, list[str]()
    real = eth.send_raw_transaction

    def send(raw: Any) -> Any:
        sent.append(raw)
        return fate(len(sent), lambda: real(raw))

    monkeypatch.setattr(eth, "send_raw_transaction", send)
    return sent


def test_a_call_is_signed_sent_and_noted(house: House) -> None:
    enqueue(house, "a")
    assert (rows(house)[0].state, rows(house)[0].nonce) == ("queued", None)
    outbox.flush(house.ledger)
    (row,) = rows(house)
    receipt = house.place.w3.eth.get_transaction_receipt(row.hash)  # type: ignore[arg-type]
    assert (row.state, row.block, receipt["from"]) == ("final", receipt["blockNumber"], house.operator.address)


def test_the_same_id_is_one_transaction(house: House) -> None:
    enqueue(house, "a")
    enqueue(house, "a", to=key_of("another").address)
    for _ in range(3):
        outbox.flush(house.ledger)
    (row,) = rows(house)
    assert key_of("another").address[2:].lower() not in row.data


def test_calls_leave_in_order_with_nonces_in_a_row(house: House) -> None:
    first = house.place.w3.eth.get_transaction_count(house.operator.address)
    for name in "cab":
        enqueue(house, name)
    outbox.flush(house.ledger)
    assert [(r.id, r.nonce, r.state) for r in rows(house)] == [
        (name, first + place, "final") for place, name in enumerate("cab")
    ]


def test_a_refused_call_is_noted_and_takes_no_nonce(house: House) -> None:
    """A claim of an epoch that is not final; what stands behind it still leaves."""
    house.start().play_round()
    line = house.payouts(1)[0]
    distributor = house.ledger.chain.distributor
    call = distributor.claim(1, line["index"], line["account"], line["kind"], int(line["amount"]), [])
    with house.ledger.store.write() as session:
        outbox.enqueue(session, "early", call)
    enqueue(house, "after")
    outbox.flush(house.ledger)
    early, after = rows(house)
    assert (early.state, early.nonce) == ("refused", None)
    assert str(early.error).endswith("[EpochDistributorEpochNotFinal(epoch=1)]")
    assert len(raw(house)) == 1
    assert after.state == "final"


def test_a_retry_sends_the_same_bytes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain does not answer twice; the third time the first bytes go through."""

    def fate(attempt: int, send: Callable[[], Any]) -> Any:
        if attempt < 3:
            raise ChainUnreachable
        return send()

    sent = sends(house, monkeypatch, fate)
    enqueue(house, "a")
    for _ in range(2):
        with pytest.raises(ChainUnreachable):
            outbox.flush(house.ledger)
        assert rows(house)[0].state == "signed"
    outbox.flush(house.ledger)
    (row,) = rows(house)
    assert (row.state, sent) == ("final", raw(house) * 3)


def claims_of(house: House) -> Address:
    """Bring an epoch to final and queue the first wallet's claim; returns the wallet."""
    house.start().play_round()
    house.settle_epoch()
    wallet = house.wallets[0].address
    settlement.claim(house.ledger, 1, wallet)
    return wallet


def resume(house: House) -> None:
    """Start again on what lies on the disk."""
    house.restart()
    house.step(3)


def test_a_crash_between_signing_and_sending_pays_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = claims_of(house)

    def fate(attempt: int, send: Callable[[], Any]) -> Any:
        if attempt == 1:
            raise PowerCut
        return send()

    sent = sends(house, monkeypatch, fate)
    with pytest.raises(PowerCut):
        outbox.flush(house.ledger)
    signed = rows(house)[-1]
    assert (signed.state, house.ledger.chain.token.total_supply()) == ("signed", 0)
    resume(house)
    assert (rows(house)[-1].state, rows(house)[-1].hash, rows(house)[-1].nonce) == ("final", signed.hash, signed.nonce)
    assert sent == raw(house)[-1:] * 2
    assert house.ledger.chain.token.balance_of(wallet) == house.ledger.chain.token.total_supply() == 500


def test_a_crash_after_sending_and_before_noting_pays_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = claims_of(house)

    def fate(_attempt: int, send: Callable[[], Any]) -> Any:
        send()
        raise PowerCut

    sent = sends(house, monkeypatch, fate)
    with pytest.raises(PowerCut):
        outbox.flush(house.ledger)
    assert (rows(house)[-1].state, house.ledger.chain.token.balance_of(wallet)) == ("signed", 500)
    resume(house)
    assert (rows(house)[-1].state, len(sent)) == ("final", 1)
    assert house.ledger.chain.token.balance_of(wallet) == house.ledger.chain.token.total_supply() == 500
    books = house.get("/balances/units")
    assert (books[f"owed:{wallet}"], books[f"minted:{wallet}"]) == ("0", "500")


def test_a_crash_while_signing_leaves_the_call_queued(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nonce is taken in the transaction that keeps the bytes, or not at all."""
    enqueue(house, "a")
    with monkeypatch.context() as cut:
        cut.setattr(type(house.operator), "sign_transaction", _cut)
        with pytest.raises(PowerCut):
            outbox.flush(house.ledger)
    assert [(r.state, r.nonce, raw(house)) for r in rows(house)] == [("queued", None, [])]
    resume(house)
    assert rows(house)[0].state == "final"


def _cut(*_: Any, **__: Any) -> Any:
    raise PowerCut


def test_bytes_that_are_in_already_are_not_an_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain answers "nonce too low" to what it has; the receipt of the hash decides."""

    def fate(_attempt: int, send: Callable[[], Any]) -> Any:
        send()
        return send()

    sends(house, monkeypatch, fate)
    enqueue(house, "a")
    outbox.flush(house.ledger)
    assert rows(house)[0].state == "final"


def test_a_transaction_that_reverts_when_mined_is_failed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else minted the receipt between the estimate and the block."""
    wallet = claims_of(house)
    call = house.ledger.chain.w3.eth

    def fate(attempt: int, send: Callable[[], Any]) -> Any:
        if attempt == 1:
            _mint_directly(house, wallet)
        return send()

    sends(house, monkeypatch, fate)
    outbox.flush(house.ledger)
    row = rows(house)[-1]
    assert (row.state, call.get_transaction_receipt(row.hash)["status"]) == ("failed", 0)  # type: ignore[arg-type]
    house.step(2)
    books = house.get("/balances/units")
    assert (books[f"minted:{wallet}"], house.ledger.chain.token.total_supply()) == ("500", 500)


def _mint_directly(house: House, wallet: Address) -> None:
    """The creator pays the gas of the same claim."""
    (line,) = house.get(f"/epochs/1/claims/{wallet}")
    proof = [bytes.fromhex(n[2:]) for n in line["proof"]]
    amount, d = int(line["amount"]), house.ledger.chain.distributor
    call = d.claim(1, line["index"], wallet, line["kind"], amount, proof)
    eth, creator = house.place.w3.eth, house.creator
    transaction = call.build_transaction(
        {"from": creator.address, "nonce": eth.get_transaction_count(creator.address), "gas": 500_000}
    )
    signed = creator.sign_transaction(transaction)  # type: ignore[arg-type]
    house.place.chain.rpc("eth_sendRawTransaction", [signed.raw_transaction.to_0x_hex()])


def test_a_refused_call_is_taken_again_when_its_bytes_differ(house: House) -> None:
    """Other signatures under the same root: the id stands for what is to happen, the bytes for how."""
    distributor, wallet = house.ledger.chain.distributor, house.operator.address
    with house.ledger.store.write() as session:
        outbox.enqueue(session, "a", distributor.claim(1, 0, wallet, 0, 1, []))
    outbox.flush(house.ledger)
    assert rows(house)[0].state == "refused"
    with house.ledger.store.write() as session:
        outbox.enqueue(session, "a", distributor.claim(1, 0, wallet, 0, 1, []))
    assert rows(house)[0].state == "refused"
    enqueue(house, "a")
    assert (rows(house)[0].state, rows(house)[0].tries) == ("queued", 0)
    outbox.flush(house.ledger)
    assert (rows(house)[0].state, rows(house)[0].error) == ("final", None)


def test_a_call_that_stays_refused_is_dead_after_its_tries(house: House) -> None:
    """Each try waits twice as long, and then it is shown to the operator and left house."""
    call = house.ledger.chain.distributor.claim(1, 0, house.operator.address, 0, 1, [])
    with house.ledger.store.write() as session:
        outbox.enqueue(session, "never", call)
    waits = []
    while rows(house)[0].state != "dead":
        outbox.flush(house.ledger)
        waits.append(rows(house)[0].due - house.clock.now)
        house.clock.now = rows(house)[0].due - 1
        outbox.flush(house.ledger)
        assert rows(house)[0].tries == len(waits)
        house.clock.now += 1
    assert waits == [15 * 2**n for n in range(8)]
    house.clock.now += 10**6
    outbox.flush(house.ledger)
    assert (rows(house)[0].state, rows(house)[0].tries) == ("dead", 8)


def test_the_api_lists_every_hash_of_a_call(house: House) -> None:
    enqueue(house, "a")
    outbox.flush(house.ledger)
    (line,) = (t for t in house.get("/transactions") if t["id"] == "a")
    assert (line["state"], line["hashes"], line["tries"]) == ("final", [line["hash"]], 0)


def test_without_an_external_transaction_nothing_is_resigned(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that counts our nonce as used, for good, but has lost our receipt: lack of a receipt is no proof."""

    def lost(name: object) -> None:
        raise TransactionNotFound(f"{name} is not found")

    enqueue(house, "a")
    with monkeypatch.context() as broken:
        broken.setattr(house.ledger.chain.w3.eth, "get_transaction_receipt", lost)
        for _ in range(3):
            outbox.flush(house.ledger)
    assert (rows(house)[0].state, len(raw(house))) == ("signed", 1)
    outbox.flush(house.ledger)
    assert (rows(house)[0].state, len(raw(house))) == ("final", 1)


def test_a_block_is_known_by_its_hash_and_not_by_its_number(house: House) -> None:
    """The row says mined in a block whose place another one has taken: it is looked up again before it is final."""
    enqueue(house, "a")
    outbox.flush(house.ledger)
    true = rows(house)[0].block_hash
    with house.ledger.store.write() as session:
        row = session.get_one(Outgoing, "a")
        row.state, row.block_hash = "mined", "0x" + "07" * 32
        session.add(row)
    outbox.flush(house.ledger)
    assert (rows(house)[0].state, rows(house)[0].block_hash) == ("final", true)
