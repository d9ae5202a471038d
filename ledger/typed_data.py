"""What a wallet signs for each action, as typed data (EIP-712).

Whoever signs makes it anew and compares the digests: this is a server's word. Nothing here changes anything.
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

Asked: TypeAlias = wire.ClaimElsewhere | wire.Vote | wire.Propose | wire.Delegate | wire.SayMessage
FOR_CONTRACTS: dict[str, type[Message]] = {slug(kind): kind for kind in (EpochRoot, VerifierFault, NodeFault)}
FOR_LOG: dict[str, type[Message]] = {slug(kind): kind for kind in JUDGED}


def to_sign(ledger: Ledger, asked: Asked) -> wire.TypedData:
    """What is signed for an action. Raises NotFound, TooEarly, ForeignRoot, BadField and ContractRejected."""
    if isinstance(asked, wire.ClaimElsewhere):
        return _claim(ledger, asked)
    if isinstance(asked, wire.Vote):
        return _vote(ledger, asked)
    if isinstance(asked, wire.Propose):
        return _proposal(ledger, asked)
    if isinstance(asked, wire.Delegate):
        return _delegation(ledger, asked)
    return _message(ledger, asked)


def _claim(ledger: Ledger, asked: wire.ClaimElsewhere) -> wire.TypedData:
    account = to_checksum_address(asked.account)
    with ledger.store.read() as session:
        lines = settlement.claimable_lines(session, asked.epoch, account)
    line = next((line for line in lines if line.index == asked.index), None)
    if line is None:
        raise NotFound(f"line {asked.index} of epoch {asked.epoch} is not {account}'s")
    to = to_checksum_address(asked.to)
    message = ClaimTo(asked.epoch, line.index, account, line.kind, line.amount, to, asked.deadline)
    place = ledger.chain.deployment
    return _of_struct(message, Domain(place.chain_id, place.distributor))


def _vote(ledger: Ledger, asked: wire.Vote) -> wire.TypedData:
    with ledger.store.read() as session:
        proposals.require(session, asked.proposal)
    voter = to_checksum_address(asked.voter)
    return _of_contract(ledger.chain.governor.ballot_typed_data(int(asked.proposal), asked.support, voter))


def _proposal(ledger: Ledger, asked: wire.Propose) -> wire.TypedData:
    calls = [Action(to_checksum_address(call.target), from_hex(call.data), int(call.value)) for call in asked.calls]
    if any(call.value >= 2**256 for call in calls):
        raise BadField("value must be below 2^256")
    actions = [*ledger.chain.decision_actions(asked.description, asked.decisions), *calls]
    if not actions:
        raise BadField("decisions and calls must not both be empty")
    proposer = to_checksum_address(asked.proposer)
    typed = ledger.chain.governor.proposal_typed_data(proposer, actions, asked.description, asked.deadline)
    return _of_contract(typed)


def _delegation(ledger: Ledger, asked: wire.Delegate) -> wire.TypedData:
    nonce = ledger.chain.token.nonce(to_checksum_address(asked.delegator))
    lent = Delegation(to_checksum_address(asked.delegatee), nonce, asked.expiry)
    return _of_contract(ledger.chain.token.delegation_typed_data(lent))


def _message(ledger: Ledger, asked: wire.SayMessage) -> wire.TypedData:
    if asked.kind in FOR_CONTRACTS:
        return _of_struct(from_json(FOR_CONTRACTS[asked.kind], asked.message), ledger.chain.epoch_domain)
    if asked.kind not in FOR_LOG:
        raise BadField(f"kind must be one of {', '.join(sorted(FOR_LOG | FOR_CONTRACTS))}")
    return _of_struct(from_json(FOR_LOG[asked.kind], asked.message), ledger.chain.domain)


def _of_struct(message: Message, domain: Domain) -> wire.TypedData:
    kind = type(message)
    types = {"EIP712Domain": domain_types(), **typed_fields(kind)}
    found = {"domain": domain.fields(), "types": types, "primaryType": kind.__name__, "message": to_json(message)}
    return wire.TypedData.model_validate({**found, "digest": to_hex(digest(message, domain))})


def _of_contract(typed: TypedMessage) -> wire.TypedData:
    """Under the domain that a contract tells itself."""
    message = {name: _exact(value) for name, value in typed.message.items()}
    found = {"domain": typed.domain, "types": typed.types(), "primaryType": typed.name, "message": message}
    return wire.TypedData.model_validate({**found, "digest": to_hex(digest_of(typed.signable()))})


def _exact(value: object) -> object:
    """A number beyond what every JSON reader holds as a decimal string."""
    return str(value) if isinstance(value, int) and value > LARGEST_NUMBER else value
