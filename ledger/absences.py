"""Nobody is late while the server is away: whoever is awaited has all of its time again when it comes back.

An absence ends when the API or a keeper starts, and when a keeper finds that much more time has passed between two of
its passes, or by the wall clock, than it waited. When it ended is a row: keeper and API may be two processes.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from ledger.enrolment import require_run
from ledger.service import Ledger
from ledger.tables import AbsenceRow, Proof

SERVER = "server"


def end(ledger: Ledger) -> bool:
    """The server is back: times begin anew, those to open boundaries too. Raises LedgerBusy. Returns True."""
    with ledger.store.write() as session:
        row = session.get(AbsenceRow, SERVER) or AbsenceRow(name=SERVER, ended=0)
        row.ended = ledger.now()
        session.add(row)
        waiting = select(Proof).where(Proof.state == "pending", col(Proof.opening_deadline).is_not(None))
        for proof in session.exec(waiting):
            patience = int(require_run(session, proof.run).manifest["phaseSeconds"])
            proof.opening_deadline = max(proof.opening_deadline or 0, ledger.now() + patience)
            session.add(proof)
    return True


def waited(ledger: Ledger, session: Session, since: int) -> int:
    """Seconds for which others could have done what is awaited of them since then."""
    row = session.get(AbsenceRow, SERVER)
    return ledger.now() - max(since, row.ended if row is not None else 0)
