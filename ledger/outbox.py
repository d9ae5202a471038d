"""To the chain only through here: the row with nonce and signed bytes is committed before it is broadcast.

A retry sends the same bytes. One writer: whoever runs `flush` holds the relayer's nonce. The chain itself refuses
a second mint of a receipt, so no crash between two lines can pay twice.
"""

from __future__ import annotations

from typing import Any, cast

from sqlmodel import Session, col, func, select
from web3.contract.contract import ContractFunction
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import TxParams

from contracts.chain import ContractRejected, rejections
from ledger.service import Ledger
from ledger.tables import Outgoing


def enqueue(session: Session, key: str, call: ContractFunction) -> None:
    """Queue a call under an id of its own; the same id again changes nothing."""
    if session.get(Outgoing, key) is not None:
        return
    order = int(session.exec(select(func.coalesce(func.max(Outgoing.order), 0))).one()) + 1
    session.add(Outgoing(id=key, order=order, to=str(call.address), data=str(call._encode_transaction_data()), value=0))
    session.flush()


def flush(ledger: Ledger) -> None:
    """Sign what is queued, broadcast what is signed, note what is mined."""
    for row in _in_state(ledger, "queued"):
        _sign(ledger, row.id)
    for row in _in_state(ledger, "signed"):
        if not _settle(ledger, row):
            _broadcast(ledger, row)


def _in_state(ledger: Ledger, state: str) -> list[Outgoing]:
    with ledger.store.read() as session:
        return list(session.exec(select(Outgoing).where(Outgoing.state == state).order_by(col(Outgoing.order))))


def _sign(ledger: Ledger, key: str) -> None:
    with ledger.store.write() as session:
        row = session.get_one(Outgoing, key)
        if row.state != "queued":
            return
        try:
            signed = ledger.operator.sign_transaction(_transaction(ledger, session, row))
        except ContractRejected as refusal:
            row.state, row.error = "refused", refusal.detail
        else:
            row.state, row.raw, row.hash = "signed", signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex()
        session.add(row)


def _transaction(ledger: Ledger, session: Session, row: Outgoing) -> dict[str, Any]:
    eth = ledger.chain.w3.eth
    call: dict[str, Any] = {"from": ledger.operator.address, "to": row.to, "data": row.data, "value": row.value}
    with rejections():
        gas = eth.estimate_gas(cast(TxParams, call))
    used = session.exec(select(func.max(Outgoing.nonce))).one()
    row.nonce = max(eth.get_transaction_count(ledger.operator.address), -1 if used is None else int(used) + 1)
    tip, base = eth.max_priority_fee, eth.get_block("latest")["baseFeePerGas"]
    call.pop("from")
    return call | {
        "nonce": row.nonce, "gas": gas, "chainId": ledger.chain.deployment.chain_id,
        "maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base + tip, "type": 2,
    }  # fmt: skip


def _settle(ledger: Ledger, row: Outgoing) -> bool:
    try:
        receipt = ledger.chain.w3.eth.get_transaction_receipt(cast(Any, row.hash))
    except TransactionNotFound:
        return False
    with ledger.store.write() as session:
        kept = session.get_one(Outgoing, row.id)
        kept.state, kept.block = "mined" if receipt["status"] == 1 else "failed", int(receipt["blockNumber"])
        session.add(kept)
    return True


def _broadcast(ledger: Ledger, row: Outgoing) -> None:
    try:
        ledger.chain.w3.eth.send_raw_transaction(cast(Any, row.raw))
    except (Web3RPCError, ValueError):
        # "already known" and "nonce too low" both mean that these bytes may be in: the hash decides next time
        _settle(ledger, row)
        return
    _settle(ledger, row)
