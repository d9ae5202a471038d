"""Retention of kept messages and blobs: the covered log alone decides which of them are still to be delivered.

A message is done when the log shows it, or shows that its time is over; a gradient when k verifiers named its proof; a
state while its proof is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.ids import ProofId, RunId, to_hex
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import Commitment, Enrolment, Leave, PledgeReveal, Return, StateOpening
from contracts.protocol.judge.state import Phase, ProofState, RoundState, Stage, State


@dataclass(frozen=True)
class Retention:
    """Of one kept message: whether it and its blob are to be delivered, and whether it stays on the disk."""

    message: bool = False
    blob: bool = False
    stays: bool = False


OVER = Retention()


def standing(state: State, message: Message) -> Retention:
    """The retention of a message at the end of the covered log."""
    rule = _OF.get(type(message))
    return OVER if rule is None else rule(state, message)


def _of_place(state: State, message: Enrolment | Leave) -> Retention:
    """Of a node's enrolments and leaves only the newest counts."""
    run = state.runs.get(RunId(to_hex(message.run)))
    if run is None or run.over:
        return OVER
    member = run.nodes.get(message.node)
    waits = member is None or member.sequence < message.nonce
    return Retention(waits, False, waits)


def _of_return(state: State, message: Return) -> Retention:
    run = state.runs.get(RunId(to_hex(message.run)))
    member = run.nodes.get(message.party) if run is not None and not run.over else None
    waits = member is not None and member.away is not None and member.away < message.size
    return Retention(waits, False, waits)


def _of_commitment(state: State, message: Commitment) -> Retention:
    current = _round(state, RunId(to_hex(message.run)), message.round)
    if current is None or current.phase is not Phase.OPEN:
        return OVER
    name = current.proofs.get(message.node)
    is_held = name is not None and len(state.proofs[name].has) >= current.k
    return Retention(name is None, not is_held, True)


def _of_opening(state: State, message: StateOpening) -> Retention:
    proof = state.proofs.get(ProofId(to_hex(message.proof)))
    if proof is None or proof.done:
        return OVER
    is_read = proof.stage is Stage.READING
    return Retention(is_read and message.boundary not in proof.opened, is_read, True)


def _of_pledge(state: State, message: PledgeReveal) -> Retention:
    proof = state.proofs.get(ProofId(to_hex(message.proof)))
    waits = proof is not None and not proof.done and proof.pledge is None
    return Retention(waits and _is_asked(proof), False, waits)


def _is_asked(proof: ProofState | None) -> bool:
    return proof is not None and proof.stage in (Stage.SPOKEN, Stage.VOID)


def _round(state: State, run: RunId, number: int) -> RoundState | None:
    return state.runs[run].rounds.get(number) if run in state.runs else None


_OF: dict[type[Message], Callable[[State, Any], Retention]] = {
    Enrolment: _of_place,
    Leave: _of_place,
    Return: _of_return,
    Commitment: _of_commitment,
    StateOpening: _of_opening,
    PledgeReveal: _of_pledge,
}
