"""Slashable offences: signed by k verifiers once an epoch's root over them is final (J2), then sent to the chain."""

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
"""Proof, party, and the fault of a verifier (empty for a node), as in the machine."""


@dataclass(frozen=True)
class Charge:
    """A fault that may be signed, as the message that verifiers sign, and its call's id in the outbox."""

    key: str
    party: Address
    message: NodeFault | VerifierFault

    def call(self, ledger: Ledger, signatures: dict[str, bytes]) -> ContractFunction:
        """The call that takes the stake."""
        if isinstance(self.message, NodeFault):
            return ledger.chain.nodes.slash(self.message, signatures)
        return ledger.chain.registry.punish(self.message, signatures)


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
    """Take a verifier's signature on a fault; `settle` brings k of them to the chain.

    Raises BadSignature, NotVerifier, NotFound and BindingMismatch.
    """
    name = cosign.check(ledger, message, signature, signer)
    with ledger.store.write() as session:
        state = ledger.judge.at_end(session)
        offence = _charge_of(ledger, state, message)
        cosign.require_admitted(state, name, offence.party)
        cosign.add(ledger, session, offence.message, signature, name)


def settle(ledger: Ledger) -> None:
    """Queue the call of every fault that k verifiers signed whose signatures count."""
    has_stake = cache(partial(_has_stake, ledger))
    for offence in _signed(ledger):
        if not has_stake(*_party(offence)):
            continue
        with ledger.store.read() as session:
            signatures = cosign.quorum(ledger, session, offence.message)
            call = offence.call(ledger, signatures) if signatures else None
            queues = call is not None and outbox.is_news(session, offence.key, call)
        if call is None or not queues:
            continue
        with ledger.store.write() as session:
            outbox.enqueue(session, offence.key, call)


def _signed(ledger: Ledger) -> Iterator[Charge]:
    """Faults with a signature, whose call is neither under way nor done.

    Read in a few statements for all: a fault of a party without stake waits for ever.
    """
    charges = signable(ledger)
    for start in range(0, len(charges), AT_ONCE):
        part = charges[start : start + AT_ONCE]
        live = select(Outgoing.id).where(col(Outgoing.id).in_([offence.key for offence in part]))
        with ledger.store.read() as session:
            done = set(session.exec(live.where(col(Outgoing.state).not_in(call_state.ABANDONED))))
            signers = cosign.signers_of_each(ledger, session, [offence.message for offence in part])
        for offence, names in zip(part, signers, strict=True):
            if names and offence.key not in done:
                yield offence


def _party(offence: Charge) -> tuple[str, bool]:
    """The party that an offence costs stake, and whether it is a verifier's stake."""
    return offence.party, isinstance(offence.message, VerifierFault)


def _has_stake(ledger: Ledger, party: Address, verifies: bool) -> bool:
    """Whether a party has stake. The signatures stay valid, and serve once there is some."""
    if verifies:
        return ledger.chain.registry.stake_of(party) > 0
    return ledger.chain.nodes.stake_of(party) + ledger.chain.nodes.pending_of(party).amount > 0


def _charge_of(ledger: Ledger, state: State, message: NodeFault | VerifierFault) -> Charge:
    """The offence of a message. Raises NotFound where the machine has none, BindingMismatch for other fields."""
    offence = next(_about(ledger, state, message), None)
    if offence is None:
        raise NotFound("no such fault lies under a final root of an epoch")
    if message != offence.message:
        raise BindingMismatch("model, party or deadline is not the fault's")
    return offence


def _about(ledger: Ledger, state: State, message: NodeFault | VerifierFault) -> Iterator[Charge]:
    for proof, party, kind in sorted(state.signable):
        if isinstance(message, NodeFault):
            fits = not kind and from_hex(proof) == message.proof
        else:
            fits = bool(kind) and party == message.verifier and fault_evidence(proof, kind) == message.evidence
        if fits:
            yield charge(ledger, (proof, party, kind))
