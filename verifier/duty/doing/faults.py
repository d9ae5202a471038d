"""What costs a party stake: signed when an epoch's root over it is final, as the machine says (J2)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.errors import CommonweightError
from contracts.faults import fault_evidence
from contracts.messages import Message, NodeFault, VerifierFault
from contracts.protocol.judge.duties import SignFault
from verifier.duty.world import World

NO_DEADLINE = 2**64 - 1


def sign(world: World, duties: Iterable[SignFault]) -> None:
    """Sign each once; nobody is judge of its own case."""
    for duty in duties:
        if duty.party == world.address:
            continue
        name = f"fault/{duty.proof}/{duty.party}/{duty.fault}"
        if world.memory.said(name) is not None:
            continue
        path, message = _message(world.deployment.model, duty)
        try:
            world.server.signature(path, world.voice.signature(message, world.epoch_domain))
        except CommonweightError as error:
            world.say("trouble", proof=duty.proof, detail=f"{error.code}: {error.detail}")
            continue
        world.memory.once(name, path)
        world.say("fault signed", proof=duty.proof, detail=f"{duty.fault or 'node'}: {duty.party}")


def _message(model: str, duty: SignFault) -> tuple[str, Message]:
    name = bytes.fromhex(model[2:])
    if not duty.fault:
        node = NodeFault(name, duty.party, bytes.fromhex(duty.proof[2:]), NO_DEADLINE)
        return "/node-faults/signatures", node
    return "/faults/signatures", VerifierFault(name, duty.party, fault_evidence(duty.proof, duty.fault), NO_DEADLINE)
