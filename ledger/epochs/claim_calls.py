"""The relayer's calls that pay a line, by the line: its own claim, one that its account signed, one of many lines.

A second request for a line that is on its way gets the call that has the line: its gas is paid once.
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
"""Leaves that an open call of many lines pays, by the call's id. The id follows from the leaves."""


def claim_id(leaf: str) -> str:
    """Id of the call that pays a line (0x-hex leaf) to its own account."""
    return f"claim:{leaf}"


def signed_claim_id(leaf: str) -> str:
    """Id of the call that pays a line to the address that its account signed."""
    return f"claim-to:{leaf}"


def many_id(leaves: Sequence[str]) -> str:
    """Id of the call that pays these lines, each to its own account; their order does not count."""
    return MANY + to_hex(keccak256(b"".join(from_hex(leaf) for leaf in sorted(leaves))))


def queue(session: Session, name: str, call: ContractFunction, allowed: int = 0) -> None:
    """Queue a call that pays lines, for `allowed` gas where an account's budget pays. An abandoned call, in a long
    pause of minting for instance, has all its tries again: else its lines could never be claimed again."""
    outbox.enqueue(session, name, call, allowed)
    outbox.revive(session, name, allowed)


def in_batches(ledger: Ledger, session: Session) -> dict[str, str]:
    """The call of many lines that is on its way with a line, by the line's leaf (0x-hex).

    A refused call is tried again, and its lines have no other call until it is dead: else each set of lines in which
    a line is claimed during a pause would be one more call after it.
    """
    query = select(Outgoing.id).where(col(Outgoing.state).in_(ALIVE), col(Outgoing.id).startswith(MANY))
    names = set(session.exec(query))
    for closed in set(_LEAVES) - names:
        _LEAVES.pop(closed, None)
    return {leaf: name for name in names for leaf in _leaves(ledger, session, name)}


def look(ledger: Ledger) -> None:
    """Read the calls that are on their way without the writers' turn: `in_batches` finds them noted then."""
    with ledger.store.read() as session:
        in_batches(ledger, session)


def note_lines(name: str, leaves: Sequence[str]) -> None:
    """Note the leaves of a call of many lines when it is queued: its data is not read then."""
    _LEAVES[name] = tuple(leaves)


def forget() -> None:
    """Forget the noted leaves; they are read again from the calls."""
    _LEAVES.clear()


def _leaves(ledger: Ledger, session: Session, name: str) -> tuple[str, ...]:
    """Leaves of a call of many lines; its data is read once in a process."""
    noted = _LEAVES.get(name)
    if noted is not None:
        return noted
    deployment = ledger.chain.deployment
    lines = ledger.chain.distributor.claimed_by(session.get_one(Outgoing, name).data)
    payouts = (
        Payout(
            deployment.chain_id, deployment.distributor, line.epoch, line.index, line.account, line.kind, line.amount
        )
        for line in lines
    )
    leaves = _LEAVES[name] = tuple(to_hex(payout.leaf()) for payout in payouts)
    return leaves


def live(session: Session, leaf: str, batches: dict[str, str]) -> str | None:
    """Id of the call that is on its way with a line, or paid it; None without one. `batches` as of `in_batches`."""
    names = (name for name in (signed_claim_id(leaf), claim_id(leaf)) if outbox.is_live(session, name))
    return next(names, None) or batches.get(leaf)
