"""Claims to another address than the line's: the account signs where its tokens go, and the relayer sends it.

Nobody else can redirect a line: the contract checks the same signature (`EpochDistributor.claimTo`).
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils import to_checksum_address
from sqlmodel import Session

from contracts.errors import BadField
from contracts.ids import Address
from contracts.messages.for_contracts import ClaimTo
from contracts.messages.signatures import Domain, require_signer
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.epochs import claim_calls, settlement
from ledger.errors import AlreadyDecided, NotFound
from ledger.relay import budget, call_state
from ledger.storage.tables import Outgoing

LEAST_AHEAD = 300
"""Seconds for which a signature has to be valid yet: the relayed call has to be mined in time."""


@dataclass(frozen=True)
class SignedClaim:
    """Line `index` of an epoch is to be paid to `to`, says its account until `deadline` (Unix seconds)."""

    epoch: int
    index: int
    account: Address
    to: str
    deadline: int
    signature: bytes


def claim_to(ledger: Ledger, claim: SignedClaim) -> str:
    """Queue the mint of one line to where its account signed; returns the outbox id. The same again changes nothing.

    The check of a signature by an account's code (ERC-1271; a key's delegation, EIP-7702, is code too) may cost any
    gas, so that its gas is taken from the account's budget of the day, by its share, and never from the gas of passed
    proposals. A key may get code later: no call takes much more than it took here. Raises NotFound, TooEarly,
    ForeignRoot, BadField, BadSignature, AlreadyDecided, RelayBudgetSpent and ContractRejected.
    """
    account = to_checksum_address(claim.account)
    to = to_checksum_address(claim.to)
    with ledger.store.read() as session:
        lines, proofs = settlement.claimable(ledger, session, claim.epoch, account)
        numbered = {line.index: (line, proof) for line, proof in zip(lines, proofs, strict=True)}
        if claim.index not in numbered:
            raise NotFound(f"line {claim.index} of epoch {claim.epoch} is not {account}'s")
        line, proof = numbered[claim.index]
        key = claim_calls.signed_claim_id(line.leaf)
        existing = session.get(Outgoing, key)
        on_its_way = _is_on_its_way(ledger, session, line.leaf)
    message = ClaimTo(claim.epoch, line.index, account, line.kind, line.amount, to, claim.deadline)
    call = ledger.chain.distributor.claim_to(message, claim.signature, proof)
    if (
        existing is not None
        and existing.state not in call_state.ABANDONED
        and existing.data == str(call._encode_transaction_data())
    ):
        return key
    by_code = ledger.chain.distributor.signs_by_code(account)
    _check(ledger, message, claim.signature, by_code)
    if on_its_way:
        raise AlreadyDecided(f"line {line.index} of epoch {claim.epoch} is on its way already, or paid")
    gas = budget.gas_of(ledger, call)
    share = budget.share_of(ledger, account)
    with ledger.store.write() as session:
        if _is_on_its_way(ledger, session, line.leaf):
            raise AlreadyDecided(f"line {line.index} of epoch {claim.epoch} is on its way already, or paid")
        if by_code:
            budget.take(ledger, session, account, gas, share)
        claim_calls.queue(session, key, call, gas)
        reach("claims.queued")
    return key


def _is_on_its_way(ledger: Ledger, session: Session, leaf: str) -> bool:
    return claim_calls.live(session, leaf, claim_calls.in_batches(ledger, session)) is not None


def _check(ledger: Ledger, message: ClaimTo, signature: bytes, by_code: bool) -> None:
    """Check a key's signature; the contract checks that of an account with code. Raises BadField and BadSignature."""
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    if message.deadline < now + LEAST_AHEAD:
        raise BadField(f"deadline must lie {LEAST_AHEAD} seconds ahead at least: it is {message.deadline}, now {now}")
    deployment = ledger.chain.deployment
    if not by_code:
        require_signer(message, Domain(deployment.chain_id, deployment.distributor), signature, message.account)
