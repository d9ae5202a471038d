"""The trace that was sealed with the words on the common segment (J12)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.ids import from_hex
from contracts.messages.for_log import TraceReveal
from contracts.protocol.judge.rules.duties import Trace
from verifier.duties.read import trace_name
from verifier.duties.world import World


def show(world: World, duties: Iterable[Trace]) -> None:
    """Show the stored trace."""
    for duty in duties:
        with world.replica.reading() as state:
            proof = state.proofs.get(duty.proof)
        root = world.root(proof.panel_at) if proof is not None else None
        trace = world.memory.said(trace_name(duty.proof, root)) if root is not None else None
        if trace is None:
            world.say("trouble", proof=duty.proof, detail="the trace that was sealed is not in this folder")
            continue
        if world.voice.say(TraceReveal(from_hex(duty.proof), world.address, from_hex(trace))):
            number = proof.commitment.round if proof is not None else 0
            world.say("revealed", number, duty.proof, "the trace of the common segment")
