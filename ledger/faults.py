"""What costs stake: signed by k verifiers once an epoch's root over it is final (J2), and then brought to the chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

from sqlmodel import col, select
from web3.contract.contract import ContractFunction

from contracts.ids import Address, ProofId, from_hex, to_hex
from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge.state import State
from ledger import cosign
from ledger.context import Ledger
from ledger.errors import BindingMismatch, NotFound
from ledger.relay import call_state, outbox
from ledger.storage.tables import Outgoing

FOR_EVER = 2**64 - 1
"""Deadline of these messages: each serves once, by its proof or its evidence."""
AT_ONCE = 500
"""Faults that are looked up in one statement."""
Signable = tuple[ProofId, Address, str]
"""Proof, party, and the fault of a verifier or nothing for a node: as the machine has them."""


@dataclass(frozen=True)
class Charge:
    """A fault that may be signed, as the message that verifiers sign, and its call's id in the outbox."""

    key: str
    party: Address
    message: NodeFault | VerifierFault

    def call(self, ledger: Ledger, signed: dict[str, bytes]) -> ContractFunction:
        """What takes the stake."""
        if isinstance(self.message, NodeFault):
            return ledger.chain.nodes.slash(self.message, signed)
        return ledger.chain.registry.punish(self.message, signed)


def charge(ledger: Ledger, fault: Signable) -> Charge:
    """The message for one fault of the machine."""
    proof, party, kind = fault
    if not kind:
        message = NodeFault(ledger.chain.model, party, from_hex(proof), FOR_EVER)
        return Charge(f"slash-node:{proof}", party, message)
    evidence = fault_evidence(proof, kind)
    return Charge(
        f"punish:{to_hex(evidence)}:{party}", party, VerifierFault(ledger.chain.model, party, evidence, FOR_EVER)
    )


def signable(ledger: Ledger) -> list[Charge]:
    """All faults that verifiers may sign now."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        return [charge(ledger, fault) for fault in sorted(state.signable)]


def sign(ledger: Ledger, message: NodeFault | VerifierFault, signature: bytes, signer: Address) -> None:
    """Take a verifier's word for a fault; `settle` brings k of them to the chain.

    Raises BadSignature, NotVerifier, NotFound and BindingMismatch.
    """
    name = cosign.check(ledger, message, signature, signer)
    with ledger.store.write() as session:
        state = ledger.judge.at_end(session)
        found = _charge_of(ledger, state, message)
        cosign.require_admitted(state, name, found.party)
        cosign.add(ledger, session, found.message, signature, name)


def settle(ledger: Ledger) -> None:
    """Queue the call of every fault that k verifiers signed whose signatures count."""
    has_stake = cache(partial(_has_stake, ledger))
    for found in _signed(ledger):
        if not has_stake(*_party(found)):
            continue
        with ledger.store.read() as session:
            signed = cosign.quorum(ledger, session, found.message)
            call = found.call(ledger, signed) if signed else None
            queues = call is not None and outbox.is_news(session, found.key, call)
        if call is None or not queues:
            continue
        with ledger.store.write() as session:
            outbox.enqueue(session, found.key, call)


def _signed(ledger: Ledger) -> Iterator[Charge]:
    """Faults that somebody signed, and whose call is neither under way nor done.

    In a few looks for all: what costs stake of somebody who has none left waits for ever.
    """
    charges = signable(ledger)
    for start in range(0, len(charges), AT_ONCE):
        some = charges[start : start + AT_ONCE]
        live = select(Outgoing.id).where(col(Outgoing.id).in_([one.key for one in some]))
        with ledger.store.read() as session:
            done = set(session.exec(live.where(col(Outgoing.state).not_in(call_state.ABANDONED))))
            signers = cosign.signers_of_each(ledger, session, [one.message for one in some])
        yield from (one for one, who in zip(some, signers, strict=True) if who and one.key not in done)


def _party(found: Charge) -> tuple[str, bool]:
    """Whose stake it costs, and whether as a verifier."""
    return found.party, isinstance(found.message, VerifierFault)


def _has_stake(ledger: Ledger, party: Address, verifies: bool) -> bool:
    """The chain takes nothing from an empty stake, and what is signed serves when there is some."""
    if verifies:
        return ledger.chain.registry.stake_of(party) > 0
    return ledger.chain.nodes.stake_of(party) + ledger.chain.nodes.pending_of(party).amount > 0


def _charge_of(ledger: Ledger, state: State, message: NodeFault | VerifierFault) -> Charge:
    """Raises NotFound for what the machine does not let be signed, and BindingMismatch for other fields."""
    found = next(_about(ledger, state, message), None)
    if found is None:
        raise NotFound("no such fault lies under a final root of an epoch")
    if message != found.message:
        raise BindingMismatch("model, party or deadline is not the fault's")
    return found


def _about(ledger: Ledger, state: State, message: NodeFault | VerifierFault) -> Iterator[Charge]:
    for proof, party, kind in sorted(state.signable):
        if isinstance(message, NodeFault):
            fits = not kind and from_hex(proof) == message.proof
        else:
            fits = bool(kind) and party == message.verifier and fault_evidence(proof, kind) == message.evidence
        if fits:
            yield charge(ledger, (proof, party, kind))
