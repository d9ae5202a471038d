"""The verifier set and k, for people: by the blocks in the log, without a question to the chain."""

from __future__ import annotations

from sqlmodel import Session

from contracts.protocol.judge.state import State
from ledger.context import Ledger


def admitted_in(state: State) -> frozenset[str]:
    """The admitted verifiers, by the log."""
    return frozenset(verifier for verifier, record in state.verifiers.items() if record.admitted)


def admitted(ledger: Ledger, session: Session) -> tuple[list[str], int]:
    """Admitted verifiers by address, and k. Before the first block is in the log the chain says: raises what asking it
    raises."""
    with ledger.judge.view(session) as state:
        if state.block is not None:
            return sorted(admitted_in(state)), state.k
    return sorted(ledger.chain.registry.verifiers()), ledger.chain.registry.threshold()
