"""Signing: a nonce and bytes for a call, committed before anybody sees them. One writer a key, fenced by its lease.

Chain calls happen before the transaction. What is read there can only be stale in one way that matters, a nonce that
somebody else's program used meanwhile, and ledger/relay/confirmations.py finds that out.
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
from ledger.relay.leases import Held
from ledger.storage.tables import Attempt, Outgoing

SLACK = 200_000
"""Gas that a call may take beyond twice what was allowed for it: what others did since, a late quorum for instance.

Estimates of a batch jump: it asks how much gas is left, and some nodes double what they try.
"""


def sign_due(ledger: Ledger, held: Held) -> None:
    """Give every call that is due a nonce and bytes, or note why it has none. Raises LeaseLost."""
    with ledger.store.read() as session:
        now = ledger.now()
        longest = ledger.relay.pause(ledger.relay.attempts)
        is_due = (col(Outgoing.due) <= now) | (col(Outgoing.due) > now + longest)  # the latter: a clock ran ahead
        due = select(Outgoing).where(col(Outgoing.state).in_(TO_SIGN), is_due)
        calls = list(session.exec(due.order_by(col(Outgoing.order))))
    if not calls:
        return
    offer = fees.market(ledger.chain.w3, ledger.relay.max_fee)
    final = ledger.chain.final()
    for call in calls:
        if offer is None:
            _note(ledger, held, call.id, "the base fee is above the cap (max_fee_per_gas)")
        else:
            _sign(ledger, held, call, offer, final)


def replace(ledger: Ledger, held: Held, call: Outgoing, *, cancel: bool = False) -> Outgoing:
    """Sign a call again at its nonce for more; with `cancel`, sign what only uses its nonce up. Raises LeaseLost."""
    newest = newest_of(ledger, call)
    cap = ledger.relay.max_fee
    why = None
    offer = fees.market(ledger.chain.w3, cap)
    final = ledger.chain.final()
    raised = None if offer is None else Fees(newest.max_fee, newest.tip).raised(offer, cap)
    if raised is None:
        return _say(ledger, held, call, "not mined, and the cap (max_fee_per_gas) forbids to offer more")
    cancel = cancel or newest.cancels
    try:
        gas = _gas(ledger, _what(ledger, call, cancel), 0 if cancel else call.allowed)
    except ContractRejected as refusal:  # it would revert now: use the nonce up for less, and let the call wait
        cancel = True
        why = refusal.detail
        gas = _gas(ledger, _what(ledger, call, True))
    except Web3RPCError as error:  # no word against the call: its bytes go out again as they are, and so do others'
        return _say(ledger, held, call, message_of(error))
    with ledger.store.write() as session:
        leases.require(ledger, session, held)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if (row.state, row.nonce, row.hash) == (CallState.SIGNED, call.nonce, newest.hash):
            row.error = why or row.error
            _add(ledger, session, held, row, raised, gas, final, cancels=cancel)
            reach("outbox.replacing")
        return row


def of(session: Session, call: Outgoing) -> list[Attempt]:
    """What was signed for a call at its present nonce, newest first: any of it may be mined."""
    mine = select(Attempt).where(Attempt.call == call.id, Attempt.signer == call.signer, Attempt.nonce == call.nonce)
    return list(session.exec(mine.order_by(col(Attempt.max_fee).desc())))


def newest_of(ledger: Ledger, call: Outgoing) -> Attempt:
    """The dearest attempt at a signed call's nonce."""
    with ledger.store.read() as session:
        return of(session, call)[0]


def _sign(ledger: Ledger, held: Held, call: Outgoing, offer: Fees, final: int) -> None:
    try:
        gas = _gas(ledger, _what(ledger, call, False), call.allowed)
    except ContractRejected as refusal:
        _refuse(ledger, held, call.id, refusal.detail)
        return
    except Web3RPCError as error:
        _note(ledger, held, call.id, message_of(error))
        return
    free = int(ledger.chain.w3.eth.get_transaction_count(_address(ledger)))
    if _is_doubtful(ledger, free, final):
        _note(ledger, held, call.id, f"the node counts {free} nonces as used, more than are signed or final")
        return
    with ledger.store.write() as session:
        leases.require(ledger, session, held)
        row = session.get_one(Outgoing, call.id, with_for_update=True)
        if row.state in TO_SIGN:
            call_state.mark_signed(row, _address(ledger), _next_nonce(session, _address(ledger), free))
            _add(ledger, session, held, row, offer, gas, final)
            reach("outbox.signing")
    reach("outbox.signed")


def _add(
    ledger: Ledger,
    session: Session,
    held: Held,
    row: Outgoing,
    offer: Fees,
    gas: int,
    final: int,
    *,
    cancels: bool = False,
) -> None:
    fields: Any = _what(ledger, row, cancels) | {
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
            token=held.token,
        )
    )


def _is_doubtful(ledger: Ledger, free: int, final: int) -> bool:
    """Whether a foreign hand used nonces beyond ours, by the word of one answer: believed once it is final, as are
    those that were used before our first.

    A nonce too high leaves a gap, before which no later transaction is mined.
    """
    with ledger.store.read() as session:
        newest = session.exec(select(func.max(Attempt.nonce)).where(Attempt.signer == _address(ledger))).one()
    if newest is not None and free <= int(newest) + 1:
        return False
    return int(ledger.chain.w3.eth.get_transaction_count(_address(ledger), cast(Any, hex(final)))) != free


def _next_nonce(session: Session, signer: str, free: int) -> int:
    """The lowest from `free` on that was never signed for: one that was lost to somebody else is not given out again,
    and a gap is filled."""
    oldest = session.exec(select(func.min(Attempt.nonce)).where(Attempt.signer == signer)).one()
    nonce = free if oldest is None else max(free, int(oldest))
    signed = select(Attempt.nonce).where(Attempt.signer == signer, col(Attempt.nonce) >= nonce)
    taken = set(session.exec(signed))
    while nonce in taken:
        nonce += 1
    return nonce


def _refuse(ledger: Ledger, held: Held, key: str, why: str) -> None:
    with ledger.store.write() as session:
        leases.require(ledger, session, held)
        row = session.get_one(Outgoing, key, with_for_update=True)
        if row.state not in TO_SIGN:
            return
        call_state.mark_refused(row, why, ledger.relay, ledger.now())
        session.add(row)


def _note(ledger: Ledger, held: Held, key: str, why: str) -> Outgoing:
    with ledger.store.write() as session:
        leases.require(ledger, session, held)
        row = session.get_one(Outgoing, key, with_for_update=True)
        call_state.postpone(row, why, ledger.now() + ledger.relay.backoff_seconds)
        session.add(row)
        return row


def _say(ledger: Ledger, held: Held, call: Outgoing, why: str) -> Outgoing:
    """As `_note`, of a signed call, which is looked at in each pass: only what is new is written."""
    return call if call.error == why else _note(ledger, held, call.id, why)


def _what(ledger: Ledger, call: Outgoing, cancels: bool) -> dict[str, object]:
    """A call's own fields, or those of a transaction that does nothing."""
    if cancels:
        return {"to": _address(ledger), "data": "0x", "value": 0}
    return {"to": call.to, "data": call.data, "value": call.value}


def _gas(ledger: Ledger, what: dict[str, object], allowed: int = 0) -> int:
    """Raises ContractRejected, also for what takes more than was allowed: a wallet's check may cost what it likes."""
    with rejections():
        call = cast(TxParams, what | {"from": _address(ledger)})
        gas = fees.with_spare(int(ledger.chain.w3.eth.estimate_gas(call)))
    if allowed and gas > 2 * fees.with_spare(allowed) + SLACK:
        raise ContractRejected("MoreGasThanAllowed", {"gas": gas, "allowed": allowed})
    return gas


def _address(ledger: Ledger) -> Any:
    return to_checksum_address(ledger.operator.address)
