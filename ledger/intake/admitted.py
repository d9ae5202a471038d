"""Who the verifiers are and how many decide, for people: by the blocks in the log, and no chain is asked for it."""

from __future__ import annotations

from sqlmodel import Session

from contracts.protocol.judge.state import State
from ledger.context import Ledger


def admitted_in(state: State) -> frozenset[str]:
    """The verifiers on the list, as the log has it."""
    return frozenset(verifier for verifier, standing in state.verifiers.items() if standing.admitted)


def admitted(ledger: Ledger, session: Session) -> tuple[list[str], int]:
    """Admitted verifiers by address, and k. Before the first block is in the log the chain says: raises what asking it
    raises."""
    with ledger.judge.view(session) as state:
        if state.block is not None:
            return sorted(admitted_in(state)), state.k
    return sorted(ledger.chain.registry.verifiers()), ledger.chain.registry.threshold()
