"""Faults that cost a party stake: signed when an epoch's root over them is final, as the machine says (J2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.ids import from_hex
from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge.rules.duties import SignFault
from verifier.duties.world import World
from verifier.quorum.bringing import subject_of_fault

NO_DEADLINE = 2**64 - 1


def sign(world: World, duties: Iterable[SignFault], counts: Callable[[int], bool]) -> None:
    """Sign each once; no verifier judges its own case.

    `counts` says whether this look saw log, chain and enough mirrors with so many entries: a branch of the log that
    no other verifier has convicts no party.
    """
    due = list(duties)
    world.faults_seen = {duty: world.faults_seen.get(duty, world.replica.size) for duty in due}
    for duty in due:
        message = _message(world.deployment.model, duty)
        if duty.party == world.address or world.quorum.has(message) or not counts(world.faults_seen[duty]):
            continue
        signature = world.voice.signature(message, world.epoch_domain)
        subject = subject_of_fault(duty.proof, duty.party, duty.fault)
        world.quorum.keep(subject, message, world.address, signature)
        world.say("fault signed", proof=duty.proof, detail=f"{duty.fault or 'node'}: {duty.party}")


def _message(model: str, duty: SignFault) -> NodeFault | VerifierFault:
    name = from_hex(model)
    if not duty.fault:
        return NodeFault(name, duty.party, from_hex(duty.proof), NO_DEADLINE)
    return VerifierFault(name, duty.party, fault_evidence(duty.proof, duty.fault), NO_DEADLINE)
