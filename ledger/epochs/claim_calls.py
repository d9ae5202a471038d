"""The relayer's calls that pay a line, by the line: its own claim, one that its account signed, one of many lines.

Who asks again for a line that is on its way gets the call that has it: its gas is paid once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select
from web3.contract.contract import ContractFunction

from contracts.ids import from_hex, to_hex
from contracts.keccak import keccak256
from contracts.merkle.payout_tree import Payout
from ledger.context import Ledger
from ledger.relay import outbox
from ledger.relay.call_state import ALIVE
from ledger.storage.tables import Outgoing

MANY = "claims:"

_LEAVES: dict[str, tuple[str, ...]] = {}
"""What an open call of many lines pays, by its id, which follows from that: it is the same whoever notes it."""


def claim_id(leaf: str) -> str:
    """Of the call that pays a line (0x-hex leaf) to its own account."""
    return f"claim:{leaf}"


def signed_claim_id(leaf: str) -> str:
    """Of the call that pays a line to where its account signed."""
    return f"claim-to:{leaf}"


def many_id(leaves: Sequence[str]) -> str:
    """Of the call that pays these lines, each to its own account; their order does not count."""
    return MANY + to_hex(keccak256(b"".join(from_hex(leaf) for leaf in sorted(leaves))))


def queue(session: Session, name: str, call: ContractFunction, allowed: int = 0) -> None:
    """Queue a call that pays lines, for `allowed` gas where it is somebody's. One that was given up, in a long pause of
    minting for instance, has all its tries again: else its lines could never be asked for again."""
    outbox.enqueue(session, name, call, allowed)
    outbox.revive(session, name, allowed)


def in_batches(ledger: Ledger, session: Session) -> dict[str, str]:
    """The call of many lines that is on its way with a line, by the line's leaf (0x-hex).

    One that was refused is tried again, and its lines have no other one until it is dead: else each company in which a
    line is asked for during a pause would go out after it.
    """
    open_ = select(Outgoing.id).where(col(Outgoing.state).in_(ALIVE), col(Outgoing.id).startswith(MANY))
    names = set(session.exec(open_))
    for over in set(_LEAVES) - names:
        _LEAVES.pop(over, None)
    return {leaf: name for name in names for leaf in _leaves(ledger, session, name)}


def look(ledger: Ledger) -> None:
    """Read what is on its way without the writers' turn: `in_batches` finds it noted then."""
    with ledger.store.read() as session:
        in_batches(ledger, session)


def note_lines(name: str, leaves: Sequence[str]) -> None:
    """What a call of many lines pays, by who queues it: nobody here has to read its data."""
    _LEAVES[name] = tuple(leaves)


def forget() -> None:
    """What was noted; it is read again from the calls."""
    _LEAVES.clear()


def _leaves(ledger: Ledger, session: Session, name: str) -> tuple[str, ...]:
    """Of a call of many lines; its data is read once in a process."""
    known = _LEAVES.get(name)
    if known is not None:
        return known
    place = ledger.chain.deployment
    lines = ledger.chain.distributor.claimed_by(session.get_one(Outgoing, name).data)
    paid = (
        Payout(place.chain_id, place.distributor, line.epoch, line.index, line.account, line.kind, line.amount)
        for line in lines
    )
    found = _LEAVES[name] = tuple(to_hex(payout.leaf()) for payout in paid)
    return found


def live(session: Session, leaf: str, batches: dict[str, str]) -> str | None:
    """The call that is on its way with a line, or paid it; None where there is none. `batches` as of `in_batches`."""
    known = (name for name in (signed_claim_id(leaf), claim_id(leaf)) if outbox.is_live(session, name))
    return next(known, None) or batches.get(leaf)
