"""Rounds and proofs that the machine holds, by name. Those that ended in a final epoch are not held any more."""

from __future__ import annotations

from contracts.ids import Address, ProofId, RunId
from contracts.protocol.judge.errors import NotSeated, UnknownSubject
from contracts.protocol.judge.state import ProofState, RoundState, State


def round_of(state: State, run: RunId, number: int) -> RoundState:
    """A round. Raises UnknownSubject."""
    current = state.runs[run].rounds.get(number) if run in state.runs else None
    if current is None:
        raise UnknownSubject(f"no round {number} of {run}")
    return current


def proof_of(state: State, name: ProofId) -> ProofState:
    """A proof. Raises UnknownSubject."""
    proof = state.proofs.get(name)
    if proof is None:
        raise UnknownSubject(f"no proof {name}")
    return proof


def require_speaker(current: RoundState, verifier: Address) -> None:
    """Raises NotSeated unless the verifier's words count in the round."""
    if verifier not in current.verifiers:
        raise NotSeated(f"{verifier} is no verifier of round {current.number}")
