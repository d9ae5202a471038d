"""To the chain only through here: a row with nonce and signed bytes is committed before anything is sent.

The states of a row are drawn in ledger/relay/call_state.py. A retry sends the same bytes. Only the holder of the key's
lease signs (ledger/relay/leases.py); sending committed bytes once more harms nothing. A call that is not mined is
signed again at the same nonce for a higher fee (ledger/relay/signing.py). All its hashes are remembered, and the chain
decides its state (ledger/relay/confirmations.py). The contracts refuse a second mint of a receipt, so no crash between
two lines can pay twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlmodel import Session, col, func, select
from web3.contract.contract import ContractFunction

from contracts.wire.states import CallState
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.errors import NotDead, NotFound
from ledger.relay import broadcast, call_state, confirmations, leases, signing
from ledger.relay.broadcast import SendResult
from ledger.relay.call_state import ABANDONED, NOT_FINAL, TO_RETRY, TO_SIGN
from ledger.relay.confirmations import ChainView
from ledger.relay.leases import HeldLease
from ledger.storage.tables import Attempt, Outgoing

HELD_UP_SECONDS = 1.0
"""Between two looks at a call that is due and is not signed or sent."""


def enqueue(session: Session, key: str, call: ContractFunction, allowed: int = 0) -> None:
    """Queue a call under an id of its own, for `allowed` gas where an account's budget pays (ledger/relay/budget.py).

    The same id again changes nothing, unless the queued call was abandoned and this one has other data (other
    signatures under the same root): then this one is tried.
    """
    data = str(call._encode_transaction_data())
    row = session.get(Outgoing, key, with_for_update=True)
    if row is not None:
        if row.state in ABANDONED and row.data != data:
            call_state.requeue(row)
            row.to = str(call.address)
            row.data = data
            row.allowed = allowed
            session.add(row)
        return
    order = int(session.exec(select(func.coalesce(func.max(Outgoing.order), 0))).one()) + 1
    session.add(Outgoing(id=key, order=order, to=str(call.address), data=data, value=0, allowed=allowed))
    session.flush()


def is_news(session: Session, key: str, call: ContractFunction) -> bool:
    """Whether queueing a call changes anything: a step that looks again and again commits only then."""
    row = session.get(Outgoing, key)
    return row is None or (row.state in ABANDONED and row.data != str(call._encode_transaction_data()))


def is_live(session: Session, key: str) -> bool:
    """Whether a call of this id is queued and was not abandoned: it is on its way, or done."""
    row = session.get(Outgoing, key)
    return row is not None and row.state not in ABANDONED


def is_dead(session: Session, key: str) -> bool | None:
    """Whether a call is dead after its tries; None where it was never queued."""
    row = session.get(Outgoing, key)
    return None if row is None else row.state == CallState.DEAD


def revive(session: Session, key: str, allowed: int) -> None:
    """Give a dead call all its tries again, for `allowed` gas. A live call stays as it is."""
    row = session.get(Outgoing, key, with_for_update=True)
    if row is None or row.state != CallState.DEAD:
        return
    call_state.requeue(row)
    row.allowed = allowed
    session.add(row)


def flush(ledger: Ledger) -> None:
    """Sign the queued calls, broadcast the signed ones, note those that are mined or final.

    Returns at once while another process holds the key's lease. Raises LeaseLost when the lease is lost on the way.
    """
    lease = leases.take(ledger, job(ledger))
    if lease is None:
        return
    reach("leases.taken")
    confirmations.settle(ledger, lease)
    signing.sign_due(ledger, lease)
    if _send_all(ledger, lease):
        confirmations.settle(ledger, lease)


def due_in(ledger: Ledger) -> float | None:
    """Seconds until a call is to be signed or sent again, as far as the clock says; None where no call waits for that.
    A call that was due before now is held up by something else: a fee, money, a node."""
    query = select(Outgoing.state, func.min(Outgoing.due), func.min(Outgoing.sent)).group_by(Outgoing.state)
    with ledger.store.read() as session:
        rows = session.exec(query.where(col(Outgoing.state).in_((*TO_SIGN, CallState.SIGNED)))).all()
    again = ledger.relay.resend_seconds
    waits = (int(sent) + again if state == CallState.SIGNED else int(due) for state, due, sent in rows)
    return min((max(HELD_UP_SECONDS, at - ledger.now()) for at in waits), default=None)


def job(ledger: Ledger) -> str:
    """Name of the lease of the relayer's key."""
    return f"signer:{ledger.operator.address}"


def retry(session: Session, key: str) -> None:
    """Give a call that is dead, refused or failed all its tries again. Raises NotFound and NotDead."""
    row = session.get(Outgoing, key, with_for_update=True)
    if row is None:
        raise NotFound(f"no transaction {key}")
    if row.state not in TO_RETRY:
        raise NotDead(f"{key} is {row.state}: only what is dead, refused or failed can be tried again")
    call_state.requeue(row)
    session.add(row)


def listed(session: Session, calls: Sequence[str] = (), after: int = 0, limit: int | None = None) -> list[Outgoing]:
    """Calls, oldest first: all, or those with the ids in `calls`; `limit` of them after the one of this `order`."""
    query = select(Outgoing).where(col(Outgoing.order) > after).order_by(col(Outgoing.order)).limit(limit)
    return list(session.exec(query.where(col(Outgoing.id).in_(calls)) if calls else query))


def counts(session: Session) -> dict[str, int]:
    """The number of calls in each state that has any.

    Final calls are not counted: `order` numbers all calls from 1 on, and a call in no other state is final.
    """
    others = select(Outgoing.state, func.count()).where(col(Outgoing.state).in_(NOT_FINAL)).group_by(Outgoing.state)
    by_state = {state: int(number) for state, number in session.exec(others)}
    done = int(session.exec(select(func.coalesce(func.max(Outgoing.order), 0))).one()) - sum(by_state.values())
    return by_state | ({CallState.FINAL: done} if done else {})


def hashes(session: Session, calls: Sequence[str]) -> dict[str, list[str]]:
    """Every transaction hash that was ever signed for these calls, oldest first."""
    by_call: dict[str, list[str]] = {call: [] for call in calls}
    query = select(Attempt.call, Attempt.hash).where(col(Attempt.call).in_(calls))
    for call, name in session.exec(query.order_by(col(Attempt.nonce), col(Attempt.max_fee))):
        by_call[call].append(name)
    return by_call


def _send_all(ledger: Ledger, lease: HeldLease) -> bool:
    """Send the signed calls by nonce, each key's until the node does not take one. Whether any was sent."""
    waiting = sorted(confirmations.watched(ledger, (CallState.SIGNED,)), key=lambda c: (c.signer, c.nonce))
    view = ChainView(ledger.chain) if waiting else None
    stuck = set[str | None]()
    sent = False
    for call in waiting:
        assert view is not None
        used = view.used(cast(str, call.signer))
        if call.signer in stuck or cast(int, call.nonce) < used:
            continue
        if call.nonce == used and _is_late(ledger, call):
            call = signing.replace(ledger, lease, call)
        if 0 <= ledger.now() - call.sent < ledger.relay.resend_seconds:
            continue  # a clock that ran ahead noted a later time
        sent = True
        if _send(ledger, lease, call) not in (SendResult.TAKEN, SendResult.KNOWN, SendResult.OUTBID):
            stuck.add(call.signer)
    return sent


def _is_late(ledger: Ledger, call: Outgoing) -> bool:
    """Whether a fee bump is due: the call is the next of its key for too long, and not a former key's.

    Not if no node has the call: where the money is short, or the pool full, a fee bump would only cost more.
    """
    if _is_held_up(call.error):
        return False
    newest = signing.newest_of(ledger, call)
    just_made = 0 <= ledger.now() - newest.made < ledger.relay.replace_seconds
    return call.signer == ledger.operator.address and not just_made


def _is_held_up(error: str | None) -> bool:
    """Whether the node does not have the call for lack of money or room."""
    return error is not None and broadcast.meaning(error) in (SendResult.POOR, SendResult.BUSY)


def _send(ledger: Ledger, lease: HeldLease, call: Outgoing) -> SendResult:
    newest = signing.newest_of(ledger, call)
    leases.check(ledger, lease)
    reach("outbox.sending")
    result, words = broadcast.send(ledger.chain.w3, newest.raw)
    reach("outbox.sent")
    if _note(ledger, lease, newest, result, words):
        signing.replace(ledger, lease, call, cancel=True)
    return result


def _note(ledger: Ledger, lease: HeldLease, attempt: Attempt, result: SendResult, words: str) -> bool:
    """Note the node's words. Whether it refused these bytes so often that only their nonce is to be used up."""
    with ledger.store.write() as session:
        leases.require(ledger, session, lease)
        row = session.get_one(Outgoing, attempt.call, with_for_update=True)
        if (row.state, row.hash) != (CallState.SIGNED, attempt.hash):
            return False
        refused = result is SendResult.REFUSED
        call_state.mark_sent(row, ledger.now(), refused=refused)
        if not attempt.cancels:  # the error that led to the cancelling attempt stays
            row.error = _error_after(row.error, result, words)
        session.add(row)
        ours = attempt.signer == ledger.operator.address  # a former key's nonces cannot be used up
        return refused and row.tries >= ledger.relay.attempts and not attempt.cancels and ours


def _error_after(before: str | None, result: SendResult, words: str) -> str | None:
    """The error of a call after an answer: a node that has the call lacks neither money nor room."""
    if result is SendResult.TAKEN or (result is SendResult.KNOWN and _is_held_up(before)):
        return None
    return before if result is SendResult.KNOWN else words
