"""Who the verifiers are and how many decide, for people: by the blocks in the log, and no chain is asked for it."""

from __future__ import annotations

from sqlmodel import Session

from ledger.service import Ledger


def admitted(ledger: Ledger, session: Session) -> tuple[list[str], int]:
    """Admitted verifiers by address, and k. Before the first block is in the log the chain says: raises what asking it
    raises."""
    with ledger.judge.view(session) as state:
        if state.block is not None:
            return sorted(name for name, known in state.verifiers.items() if known.admitted), state.k
    return sorted(ledger.chain.registry.verifiers()), ledger.chain.registry.threshold()
