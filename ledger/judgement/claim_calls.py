"""The relayer's calls that pay a line, by the line: its own claim, one that its account signed, one of many lines.

Who asks again for a line that is on its way gets the call that has it: its gas is paid once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select
from web3.contract.contract import ContractFunction

from contracts.keccak import keccak256
from contracts.payout_tree import Payout
from ledger import outbox
from ledger.service import Ledger
from ledger.tables import Outgoing

MANY = "claims:"
OPEN = ("queued", "signed", "mined", "reverted", "failed", "refused")
"""States in which a call of many lines may pay yet; refused it is tried again. Its lines have no other one until then:
else each company in which a line is asked for during a pause would go out after it."""


def claim_id(leaf: str) -> str:
    """Of the call that pays a line (0x-hex leaf) to its own account."""
    return f"claim:{leaf}"


def signed_claim_id(leaf: str) -> str:
    """Of the call that pays a line to where its account signed."""
    return f"claim-to:{leaf}"


def many_id(leaves: Sequence[str]) -> str:
    """Of the call that pays these lines, each to its own account; their order does not count."""
    return MANY + "0x" + keccak256(b"".join(bytes.fromhex(leaf[2:]) for leaf in sorted(leaves))).hex()


def queue(session: Session, name: str, call: ContractFunction, allowed: int = 0) -> None:
    """Queue a call that pays lines, for `allowed` gas where it is somebody's. One that was given up, in a long pause of
    minting for instance, has all its tries again: else its lines could never be asked for again."""
    outbox.enqueue(session, name, call, allowed)
    outbox.revive(session, name, allowed)


def in_batches(ledger: Ledger, session: Session) -> dict[str, str]:
    """The call of many lines that is on its way with a line, by the line's leaf (0x-hex)."""
    place = ledger.chain.deployment
    open_ = select(Outgoing).where(col(Outgoing.state).in_(OPEN), col(Outgoing.id).startswith(MANY))
    found: dict[str, str] = {}
    for call in session.exec(open_):
        for line in ledger.chain.distributor.claimed_by(call.data):
            payout = Payout(
                place.chain_id, place.distributor, line.epoch, line.index, line.account, line.kind, line.amount
            )
            found["0x" + payout.leaf().hex()] = call.id
    return found


def live(session: Session, leaf: str, batches: dict[str, str]) -> str | None:
    """The call that is on its way with a line, or paid it; None where there is none. `batches` as of `in_batches`."""
    known = (name for name in (signed_claim_id(leaf), claim_id(leaf)) if outbox.is_live(session, name))
    return next(known, None) or batches.get(leaf)
