"""The typed data (EIP-712) that a wallet signs for each action.

A server's answer is a claim: a signer makes the data anew and compares the digests. Nothing here changes anything.
"""

from __future__ import annotations

from typing import TypeAlias

from eth_utils import to_checksum_address

from contracts.bindings.governor import Action
from contracts.bindings.own_domain import TypedMessage, domain_types
from contracts.bindings.token import Delegation
from contracts.errors import BadField
from contracts.ids import from_hex, to_hex
from contracts.messages.fields import LARGEST_NUMBER, from_json, to_json, typed_fields
from contracts.messages.for_contracts import ClaimTo, EpochRoot, Message, NodeFault, VerifierFault
from contracts.messages.for_log import JUDGED
from contracts.messages.signatures import Domain, digest, digest_of
from contracts.protocol.log.codec import slug
from contracts.wire import typed_data as wire
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.errors import NotFound
from ledger.governance import proposals

WalletAction: TypeAlias = wire.ClaimElsewhere | wire.Vote | wire.Propose | wire.Delegate | wire.SayMessage
FOR_CONTRACTS: dict[str, type[Message]] = {slug(kind): kind for kind in (EpochRoot, VerifierFault, NodeFault)}
FOR_LOG: dict[str, type[Message]] = {slug(kind): kind for kind in JUDGED}


def to_sign(ledger: Ledger, action: WalletAction) -> wire.TypedData:
    """The typed data of an action. Raises NotFound, TooEarly, ForeignRoot, BadField and ContractRejected."""
    if isinstance(action, wire.ClaimElsewhere):
        return _claim(ledger, action)
    if isinstance(action, wire.Vote):
        return _vote(ledger, action)
    if isinstance(action, wire.Propose):
        return _proposal(ledger, action)
    if isinstance(action, wire.Delegate):
        return _delegation(ledger, action)
    return _message(ledger, action)


def _claim(ledger: Ledger, action: wire.ClaimElsewhere) -> wire.TypedData:
    account = to_checksum_address(action.account)
    with ledger.store.read() as session:
        lines = settlement.claimable_lines(session, action.epoch, account)
    line = next((line for line in lines if line.index == action.index), None)
    if line is None:
        raise NotFound(f"line {action.index} of epoch {action.epoch} is not {account}'s")
    to = to_checksum_address(action.to)
    message = ClaimTo(action.epoch, line.index, account, line.kind, line.amount, to, action.deadline)
    deployment = ledger.chain.deployment
    return _of_struct(message, Domain(deployment.chain_id, deployment.distributor))


def _vote(ledger: Ledger, action: wire.Vote) -> wire.TypedData:
    with ledger.store.read() as session:
        proposals.require(session, action.proposal)
    voter = to_checksum_address(action.voter)
    return _of_contract(ledger.chain.governor.ballot_typed_data(int(action.proposal), action.support, voter))


def _proposal(ledger: Ledger, action: wire.Propose) -> wire.TypedData:
    calls = [Action(to_checksum_address(call.target), from_hex(call.data), int(call.value)) for call in action.calls]
    actions = [*ledger.chain.decision_actions(action.description, action.decisions), *calls]
    if not actions:
        raise BadField("decisions and calls must not both be empty")
    proposer = to_checksum_address(action.proposer)
    typed = ledger.chain.governor.proposal_typed_data(proposer, actions, action.description, action.deadline)
    return _of_contract(typed)


def _delegation(ledger: Ledger, action: wire.Delegate) -> wire.TypedData:
    nonce = ledger.chain.token.nonce(to_checksum_address(action.delegator))
    lent = Delegation(to_checksum_address(action.delegatee), nonce, action.expiry)
    return _of_contract(ledger.chain.token.delegation_typed_data(lent))


def _message(ledger: Ledger, action: wire.SayMessage) -> wire.TypedData:
    if action.kind in FOR_CONTRACTS:
        return _of_struct(from_json(FOR_CONTRACTS[action.kind], action.message), ledger.chain.epoch_domain)
    if action.kind not in FOR_LOG:
        raise BadField(f"kind must be one of {', '.join(sorted(FOR_LOG | FOR_CONTRACTS))}")
    return _of_struct(from_json(FOR_LOG[action.kind], action.message), ledger.chain.domain)


def _of_struct(message: Message, domain: Domain) -> wire.TypedData:
    kind = type(message)
    types = {"EIP712Domain": domain_types(), **typed_fields(kind)}
    fields = {"domain": domain.fields(), "types": types, "primaryType": kind.__name__, "message": to_json(message)}
    return wire.TypedData.model_validate({**fields, "digest": to_hex(digest(message, domain))})


def _of_contract(typed: TypedMessage) -> wire.TypedData:
    """Typed data under the domain that the contract gives itself."""
    message = {name: _exact(value) for name, value in typed.message.items()}
    fields = {"domain": typed.domain, "types": typed.types(), "primaryType": typed.name, "message": message}
    return wire.TypedData.model_validate({**fields, "digest": to_hex(digest_of(typed.signable()))})


def _exact(value: object) -> object:
    """A number beyond what every JSON reader holds as a decimal string."""
    return str(value) if isinstance(value, int) and value > LARGEST_NUMBER else value
