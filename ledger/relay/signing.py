"""Signing: a nonce and bytes for a call, committed before they are sent. One writer a key, fenced by its lease.

The chain is read before the transaction. The reading can be stale in only one way that matters: an external transaction
used the nonce meanwhile, and ledger/relay/confirmations.py finds that out.
"""

from __future__ import annotations

from typing import Any, cast

from eth_utils import to_checksum_address
from sqlmodel import Session, col, func, select
from web3.exceptions import Web3RPCError
from web3.types import TxParams

from contracts.chain.connection import ContractRejected, rejections
from contracts.evm import fees
from contracts.evm.fees import Fees
from contracts.ids import to_hex
from contracts.wire.states import CallState
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.relay import call_state, leases
from ledger.relay.broadcast import message_of
from ledger.relay.call_state import TO_SIGN
from ledger.relay.leases import HeldLease
from ledger.storage.tables import Attempt, Outgoing

SLACK = 200_000
"""Gas that a call may take beyond twice what was allowed for it: for others' acts since, a late quorum for instance.

Estimates of a batch jump: the contract asks how much gas is left, and some nodes double what they try.
"""


def sign_due(ledger: Ledger, lease: HeldLease) -> None:
    """Give every due call a nonce and bytes, or note why it has none. Raises LeaseLost."""
    with ledger.store.read() as session:
        now = ledger.now()
        longest = ledger.relay.pause(ledger.relay.attempts)
        is_due = (col(Outgoing.due) <= now) | (col(Outgoing.due) > now + longest)  # the latter: a clock ran ahead
        query = select(Outgoing).where(col(Outgoing.state).in_(TO_SIGN), is_due)
        calls = list(session.exec(query.order_by(col(Outgoing.order))))
    if not calls:
        return
    offer = fees.market(ledger.chain.w3, ledger.relay.max_fee)
    final = ledger.chain.final()
    for call in calls:
        if offer is None:
            _note(ledger, lease, call.id, "the base fee is above the cap (max_fee_per_gas)")
        else:
            _sign(ledger, lease, call, offer, final)


def replace(ledger: Ledger, lease: HeldLease, call: Outgoing, *, cancel: bool = False) -> Outgoing:
    """Sign a call again at its nonce for a higher fee; with `cancel`, an empty transaction. Raises LeaseLost."""
    newest = newest_of(ledger, call)
    cap = ledger.relay.max_fee
    why = None
    offer = fees.market(ledger.chain.w3, cap)
    final = ledger.chain.final()
    raised = None if offer is None else Fees(newest.max_fee, newest.tip).raised(offer, cap)
    if raised is None:
        return _say(ledger, lease, call, "not mined, and the cap (max_fee_per_gas) forbids to offer more")
    cancel = cancel or newest.cancels
    try:
        gas = _gas(ledger, _fields(ledger, call, cancel), 0 if cancel else call.allowed)
    except ContractRejected as refusal:  # a call that would revert: use the nonce up for less, and let it wait
        cancel = True
        why = refusal.detail
        gas = _gas(ledger, _fields(ledger, call, True))
    except Web3RPCError as error:  # no refusal of the call: its bytes go out again as they are, and so do others'
        return _say(ledger, lease, call, message_of(error))
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if (row.state, row.nonce, row.hash) == (CallState.SIGNED, call.nonce, newest.hash):
            row.error = why or row.error
            _add(ledger, session, lease, row, raised, gas, final, cancels=cancel)
            reach("outbox.replacing")
        return row


def of(session: Session, call: Outgoing) -> list[Attempt]:
    """The attempts of a call at its present nonce, newest first: any of them may be mined."""
    query = select(Attempt).where(Attempt.call == call.id, Attempt.signer == call.signer, Attempt.nonce == call.nonce)
    return list(session.exec(query.order_by(col(Attempt.max_fee).desc())))


def newest_of(ledger: Ledger, call: Outgoing) -> Attempt:
    """The highest-fee attempt at a signed call's nonce."""
    with ledger.store.read() as session:
        return of(session, call)[0]


def _sign(ledger: Ledger, lease: HeldLease, call: Outgoing, offer: Fees, final: int) -> None:
    try:
        gas = _gas(ledger, _fields(ledger, call, False), call.allowed)
    except ContractRejected as refusal:
        _refuse(ledger, lease, call.id, refusal.detail)
        return
    except Web3RPCError as error:
        _note(ledger, lease, call.id, message_of(error))
        return
    free = int(ledger.chain.w3.eth.get_transaction_count(_address(ledger)))
    if _is_doubtful(ledger, free, final):
        _note(ledger, lease, call.id, f"the node counts {free} nonces as used, more than are signed or final")
        return
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if row.state in TO_SIGN:
            call_state.mark_signed(row, _address(ledger), _next_nonce(session, _address(ledger), free))
            _add(ledger, session, lease, row, offer, gas, final)
            reach("outbox.signing")
    reach("outbox.signed")


def _add(
    ledger: Ledger,
    session: Session,
    lease: HeldLease,
    row: Outgoing,
    offer: Fees,
    gas: int,
    final: int,
    *,
    cancels: bool = False,
) -> None:
    fields: Any = _fields(ledger, row, cancels) | {
        "nonce": row.nonce,
        "gas": gas,
        "chainId": ledger.chain.deployment.chain_id,
        **offer.fields(),
    }
    signed = ledger.operator.sign_transaction(fields)
    transaction = to_hex(signed.hash)
    call_state.mark_attempt(row, transaction)
    session.add(row)
    session.add(
        Attempt(
            hash=transaction,
            call=row.id,
            signer=_address(ledger),
            nonce=cast(int, row.nonce),
            raw=to_hex(signed.raw_transaction),
            max_fee=offer.max_fee,
            tip=offer.tip,
            cancels=cancels,
            made=ledger.now(),
            final=final,
            token=lease.token,
        )
    )


def _is_doubtful(ledger: Ledger, free: int, final: int) -> bool:
    """Whether external transactions used nonces beyond ours by the word of one answer alone: believed once they are
    final, as are those from before our first.

    A nonce that is too high leaves a gap, and no transaction behind a gap is mined.
    """
    with ledger.store.read() as session:
        newest = session.exec(select(func.max(Attempt.nonce)).where(Attempt.signer == _address(ledger))).one()
    if newest is not None and free <= int(newest) + 1:
        return False
    return int(ledger.chain.w3.eth.get_transaction_count(_address(ledger), cast(Any, hex(final)))) != free


def _next_nonce(session: Session, signer: str, free: int) -> int:
    """The lowest nonce from `free` on without an attempt: a nonce that an external transaction used is not given out
    again, and a gap is filled."""
    oldest = session.exec(select(func.min(Attempt.nonce)).where(Attempt.signer == signer)).one()
    nonce = free if oldest is None else max(free, int(oldest))
    signed = select(Attempt.nonce).where(Attempt.signer == signer, col(Attempt.nonce) >= nonce)
    taken = set(session.exec(signed))
    while nonce in taken:
        nonce += 1
    return nonce


def _refuse(ledger: Ledger, lease: HeldLease, key: str, why: str) -> None:
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, key, with_for_update=True)
        if row.state not in TO_SIGN:
            return
        call_state.mark_refused(row, why, ledger.relay, ledger.now())
        session.add(row)


def _note(ledger: Ledger, lease: HeldLease, key: str, why: str) -> Outgoing:
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, key, with_for_update=True)
        call_state.postpone(row, why, ledger.now() + ledger.relay.backoff_seconds)
        session.add(row)
        return row


def _say(ledger: Ledger, lease: HeldLease, call: Outgoing, why: str) -> Outgoing:
    """As `_note`, of a signed call, which is looked at in each pass: only a new error is written."""
    return call if call.error == why else _note(ledger, lease, call.id, why)


def _fields(ledger: Ledger, call: Outgoing, cancels: bool) -> dict[str, object]:
    """A call's own fields, or those of a transaction that does nothing."""
    if cancels:
        return {"to": _address(ledger), "data": "0x", "value": 0}
    return {"to": call.to, "data": call.data, "value": call.value}


def _gas(ledger: Ledger, fields: dict[str, object], allowed: int = 0) -> int:
    """Raises ContractRejected, also for a call that takes more than was allowed: a wallet's check may cost anything."""
    with rejections():
        call = cast(TxParams, fields | {"from": _address(ledger)})
        gas = fees.with_spare(int(ledger.chain.w3.eth.estimate_gas(call)))
    if allowed and gas > 2 * fees.with_spare(allowed) + SLACK:
        raise ContractRejected("MoreGasThanAllowed", {"gas": gas, "allowed": allowed})
    return gas


def _address(ledger: Ledger) -> Any:
    return to_checksum_address(ledger.operator.address)
