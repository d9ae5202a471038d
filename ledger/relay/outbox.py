"""To the chain only through here: a row with nonce and signed bytes is committed before anything is sent.

Its states are drawn in ledger/relay/call_state.py. A retry sends the same bytes. Who holds the lease of the key signs,
nobody else (ledger/relay/leases.py); sending committed bytes once more harms nothing. A call that is not mined is
signed again at the same nonce for more (ledger/relay/signing.py), all its hashes are remembered, and what became of it
the chain says (ledger/relay/confirmations.py). The contracts refuse a second mint of a receipt, so no crash between two
lines can pay twice.
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
from ledger.relay.broadcast import Said
from ledger.relay.call_state import ABANDONED, NOT_FINAL, TO_RETRY, TO_SIGN
from ledger.relay.confirmations import Sight
from ledger.relay.leases import Held
from ledger.storage.tables import Attempt, Outgoing

HELD_UP_SECONDS = 1.0
"""Between two looks at what could be done now, and was not."""


def enqueue(session: Session, key: str, call: ContractFunction, allowed: int = 0) -> None:
    """Queue a call under an id of its own, for `allowed` gas where it is somebody's (ledger/relay/budget.py).

    The same id again changes nothing, unless the call was given up and is another one now (other signatures under the
    same root): then that one is tried.
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
    """Whether queueing a call changes anything: what is looked at again and again commits only then."""
    row = session.get(Outgoing, key)
    return row is None or (row.state in ABANDONED and row.data != str(call._encode_transaction_data()))


def is_live(session: Session, key: str) -> bool:
    """Whether a call of this id is queued and was not given up: it is on its way, or done."""
    row = session.get(Outgoing, key)
    return row is not None and row.state not in ABANDONED


def is_dead(session: Session, key: str) -> bool | None:
    """Whether a call was given up after its tries; None where it was never queued."""
    row = session.get(Outgoing, key)
    return None if row is None else row.state == CallState.DEAD


def revive(session: Session, key: str, allowed: int) -> None:
    """Give a dead call all its tries again, for `allowed` gas. One that lives is left as it is."""
    row = session.get(Outgoing, key, with_for_update=True)
    if row is None or row.state != CallState.DEAD:
        return
    call_state.requeue(row)
    row.allowed = allowed
    session.add(row)


def flush(ledger: Ledger) -> None:
    """Sign what is queued, broadcast what is signed, note what is mined, and final.

    Returns at once while another process holds the key's lease. Raises LeaseLost when it is lost on the way.
    """
    held = leases.take(ledger, job(ledger))
    if held is None:
        return
    reach("leases.taken")
    confirmations.settle(ledger, held)
    signing.sign_due(ledger, held)
    if _send_all(ledger, held):
        confirmations.settle(ledger, held)


def due_in(ledger: Ledger) -> float | None:
    """Seconds until a call is to be signed or sent again, as far as the clock says; None where none waits for that.
    What was due before now is held up by something else: a fee, money, a node."""
    asked = select(Outgoing.state, func.min(Outgoing.due), func.min(Outgoing.sent)).group_by(Outgoing.state)
    with ledger.store.read() as session:
        found = session.exec(asked.where(col(Outgoing.state).in_((*TO_SIGN, CallState.SIGNED)))).all()
    again = ledger.relay.resend_seconds
    waits = (int(sent) + again if state == CallState.SIGNED else int(due) for state, due, sent in found)
    return min((max(HELD_UP_SECONDS, at - ledger.now()) for at in waits), default=None)


def job(ledger: Ledger) -> str:
    """The lease of who signs with the relayer's key."""
    return f"signer:{ledger.operator.address}"


def retry(session: Session, key: str) -> None:
    """Give a call that was given up all its tries again. Raises NotFound and NotDead."""
    row = session.get(Outgoing, key, with_for_update=True)
    if row is None:
        raise NotFound(f"no transaction {key}")
    if row.state not in TO_RETRY:
        raise NotDead(f"{key} is {row.state}: only what is dead, refused or failed can be tried again")
    call_state.requeue(row)
    session.add(row)


def listed(session: Session, calls: Sequence[str] = (), after: int = 0, limit: int | None = None) -> list[Outgoing]:
    """Calls, oldest first: all, or those with the ids in `calls`; `limit` of them after the one of this `order`."""
    asked = select(Outgoing).where(col(Outgoing.order) > after).order_by(col(Outgoing.order)).limit(limit)
    return list(session.exec(asked.where(col(Outgoing.id).in_(calls)) if calls else asked))


def counts(session: Session) -> dict[str, int]:
    """How many calls are in each state, where any is.

    Those that are done are not counted: `order` numbers all calls from 1 on, and what is in no other state is final.
    """
    others = select(Outgoing.state, func.count()).where(col(Outgoing.state).in_(NOT_FINAL)).group_by(Outgoing.state)
    found = {state: int(number) for state, number in session.exec(others)}
    done = int(session.exec(select(func.coalesce(func.max(Outgoing.order), 0))).one()) - sum(found.values())
    return found | ({CallState.FINAL: done} if done else {})


def hashes(session: Session, calls: Sequence[str]) -> dict[str, list[str]]:
    """Every transaction hash that was ever signed for these calls, oldest first."""
    found: dict[str, list[str]] = {call: [] for call in calls}
    asked = select(Attempt.call, Attempt.hash).where(col(Attempt.call).in_(calls))
    for call, name in session.exec(asked.order_by(col(Attempt.nonce), col(Attempt.max_fee))):
        found[call].append(name)
    return found


def _send_all(ledger: Ledger, held: Held) -> bool:
    """Hand what is not in a block to the node, by nonce, each key's until one is not taken; whether any was handed."""
    waiting = sorted(confirmations.watched(ledger, (CallState.SIGNED,)), key=lambda c: (c.signer, c.nonce))
    sight = Sight(ledger.chain) if waiting else None
    stuck = set[str | None]()
    sent = False
    for call in waiting:
        assert sight is not None
        used = sight.used(cast(str, call.signer))
        if call.signer in stuck or cast(int, call.nonce) < used:
            continue
        if call.nonce == used and _is_late(ledger, call):
            call = signing.replace(ledger, held, call)
        if 0 <= ledger.now() - call.sent < ledger.relay.resend_seconds:
            continue  # a time to come was noted by a clock that ran ahead
        sent = True
        if _send(ledger, held, call) not in (Said.TAKEN, Said.KNOWN, Said.OUTBID):
            stuck.add(call.signer)
    return sent


def _is_late(ledger: Ledger, call: Outgoing) -> bool:
    """At the head of the line for too long, and ours to sign again (not a former key's).

    Not if no node has it: where the money is short, or the pool full, to offer more would only make it dearer.
    """
    if _is_held_up(call.error):
        return False
    newest = signing.newest_of(ledger, call)
    just_made = 0 <= ledger.now() - newest.made < ledger.relay.replace_seconds
    return call.signer == ledger.operator.address and not just_made


def _is_held_up(error: str | None) -> bool:
    """Whether the node does not have the call for lack of money or room."""
    return error is not None and broadcast.meaning(error) in (Said.POOR, Said.BUSY)


def _send(ledger: Ledger, held: Held, call: Outgoing) -> Said:
    newest = signing.newest_of(ledger, call)
    leases.check(ledger, held)
    reach("outbox.sending")
    said, words = broadcast.send(ledger.chain.w3, newest.raw)
    reach("outbox.sent")
    if _note(ledger, held, newest, said, words):
        signing.replace(ledger, held, call, cancel=True)
    return said


def _note(ledger: Ledger, held: Held, sent: Attempt, said: Said, words: str) -> bool:
    """Keep the node's words. Whether these bytes have been refused so often that only their nonce is to be used up."""
    with ledger.store.write() as session:
        leases.require(ledger, session, held)
        row = session.get_one(Outgoing, sent.call, with_for_update=True)
        if (row.state, row.hash) != (CallState.SIGNED, sent.hash):
            return False
        refused = said is Said.REFUSED
        call_state.mark_sent(row, ledger.now(), refused=refused)
        if not sent.cancels:  # what made it so stays in sight
            row.error = _error_after(row.error, said, words)
        session.add(row)
        ours = sent.signer == ledger.operator.address  # a former key's nonces are not ours to use up
        return refused and row.tries >= ledger.relay.attempts and not sent.cancels and ours


def _error_after(before: str | None, said: Said, words: str) -> str | None:
    """What a node that has the call lacks no more is forgotten: money and room."""
    if said is Said.TAKEN or (said is Said.KNOWN and _is_held_up(before)):
        return None
    return before if said is Said.KNOWN else words
