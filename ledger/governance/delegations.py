"""Delegations of votes: read from the token's events, and relayed for holders who have no gas."""

from __future__ import annotations

from eth_utils import to_checksum_address
from sqlmodel import Session, col, select

from contracts.bindings.token import Delegation
from contracts.errors import BadField, BadSignature
from contracts.ids import Address
from ledger.context import Ledger
from ledger.errors import NoVotes
from ledger.relay import budget, call_state, outbox
from ledger.storage.tables import ChainEvent, DelegationRow, Outgoing

CREDITED = "DelegateChanged"


def credit(session: Session, event: ChainEvent) -> None:
    """Note the account to which an account lends its votes from this final block on; the zero address: to none."""
    delegator = event.arguments["delegator"]
    row = session.get(DelegationRow, delegator) or DelegationRow(delegator=delegator, to="", block=0)
    row.to = event.arguments["toDelegate"]
    row.block = event.block
    session.add(row)


def lenders(session: Session, to: str, after: str, limit: int) -> list[DelegationRow]:
    """Accounts that lend an account their votes, by address, after an address."""
    query = select(DelegationRow).where(DelegationRow.to == to, col(DelegationRow.delegator) > after)
    return list(session.exec(query.order_by(col(DelegationRow.delegator)).limit(limit)))


def delegate(ledger: Ledger, delegator: str, delegation: Delegation, signature: bytes) -> str:
    """Relay a signed delegation; returns the transaction's id.

    Raises BadField, BadSignature, NoVotes (an account without tokens lends nothing), BelowThreshold, RelayBudgetSpent
    and ContractRejected.
    """
    name = to_checksum_address(delegator)
    if len(signature) != 65:
        raise BadField(f"signature must be 65 bytes, got {len(signature)}: a contract's votes are lent by the contract")
    key = f"delegation:{name}:{delegation.nonce}"  # of two calls under one nonce only one can be mined
    with ledger.store.read() as session:
        existing = session.get(Outgoing, key)
    if existing is not None and existing.state not in call_state.ABANDONED:
        return key
    _require_tokens(ledger, name)
    share = budget.share_of(ledger, name)
    signer = ledger.chain.token.signer_of(delegation, signature)
    if signer != name:
        raise BadSignature(f"signed by {signer}, not by {name}; check key, chain and nonce")
    call = ledger.chain.token.delegate_by_sig(delegation, signature)
    gas = budget.gas_of(ledger, call)
    with ledger.store.write() as session:
        budget.take(ledger, session, name, gas, share)
        outbox.enqueue(session, key, call, gas)
    return key


def _require_tokens(ledger: Ledger, name: Address) -> None:
    """Raises NoVotes and BelowThreshold."""
    before = int(ledger.chain.w3.eth.get_block("latest")["timestamp"]) - 1
    balance = ledger.chain.token.past_balance(name, before)
    if balance == 0:
        raise NoVotes(f"{name} holds no tokens: there is nothing to lend")
    budget.require_least(ledger, balance, before, ledger.relay.ballot_ppm)
