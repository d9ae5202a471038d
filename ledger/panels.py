"""Who reads a proof: seats drawn by its beacon among the verifiers, and a substitute for whoever is late or cannot say.

The manifest's `panel` is the number of seats (0: everybody). A seat is vacated when its verifier has said *undecided*,
or nothing for `phaseSeconds` after it could have; then the next in the drawn order sits down. Who left may still speak.

Whose word counts on a round, and k, are the chain's at the block that the round opened on: who is admitted or removed
while it goes on counts, or counts no more, from the next. Admission alone is asked for: a stake matters on the chain.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlmodel import Session, col, select

from contracts.draw import panel_order
from contracts.reasons import UNDECIDED
from contracts.verifier_registry import SET_EVENTS, VerifierSet
from ledger import absences, audits, log
from ledger.enrolment import require_run
from ledger.errors import NotVerifier, TooEarly
from ledger.service import Ledger
from ledger.tables import Anchor, ChainEvent, PanelRow, Proof, Round, Seat


def seat_all(ledger: Ledger) -> None:
    """Draw the panels of all pending proofs whose beacon is final: panel and coin stand in a log that is not undone."""
    with ledger.store.read() as session:
        drawn = select(PanelRow.proof)
        waiting = list(session.exec(select(Proof).where(Proof.state == "pending", col(Proof.id).not_in(drawn))))
    if not waiting:
        return
    final = ledger.chain.final()
    for proof in waiting:
        if proof.beacon_block <= final:
            beacon = ledger.chain.block_hash(proof.beacon_block)
            with ledger.store.write() as session:
                seat(ledger, session, proof, beacon)


def seat(ledger: Ledger, session: Session, proof: Proof, beacon: bytes) -> None:
    """Draw a proof's panel once, unless its final beacon spares it: among the round's verifiers bound before it."""
    if session.get(PanelRow, proof.id) is not None:
        return
    if audits.spare(ledger, session, proof, beacon):
        return
    bound = session.exec(select(Anchor.verifier).where(Anchor.run == proof.run, col(Anchor.block) < proof.beacon_block))
    admitted = set(session.get_one(Round, (proof.run, proof.number)).verifiers)
    order = panel_order(beacon, bytes.fromhex(proof.id[2:]), [name for name in bound if name in admitted])
    size = int(require_run(session, proof.run).manifest["panel"]) or len(order)
    session.add(PanelRow(proof=proof.id, order=list(order)))
    for number, verifier in enumerate(order[:size]):
        session.add(Seat(proof=proof.id, verifier=verifier, number=number, since=ledger.now()))
    session.flush()
    log.append(session, "panel-drawn", proof=proof.id, beacon="0x" + beacon.hex(), verifiers=list(order[:size]))


def verifiers_at(session: Session, block: int) -> VerifierSet:
    """Verifiers and k at the end of a final block, as the indexer has read them. Raises BadField if it has not."""
    changes = session.exec(
        select(ChainEvent)
        .where(col(ChainEvent.name).in_(SET_EVENTS), col(ChainEvent.block) <= block)
        .order_by(col(ChainEvent.block), col(ChainEvent.log_index))
    )
    return VerifierSet.after((change.name, change.arguments) for change in changes)


def seats(session: Session, proof: Proof) -> list[Seat]:
    """All that were ever seated, in order; none before the beacon exists."""
    return list(session.exec(select(Seat).where(Seat.proof == proof.id).order_by(col(Seat.number))))


def require_seat(session: Session, proof: Proof, verifier: str) -> Anchor:
    """The anchor of one of the panel. Raises TooEarly before the panel is drawn, and NotVerifier."""
    if session.get(PanelRow, proof.id) is None:
        raise TooEarly(f"the panel is drawn by block {proof.beacon_block}, which is not final yet")
    if session.get(Seat, (proof.id, verifier)) is None:
        raise NotVerifier(f"{verifier} is not on the panel of {proof.id}")
    return session.get_one(Anchor, (proof.run, verifier))


def fill(ledger: Ledger, session: Session, proof: Proof, said: Mapping[str, int]) -> bool:
    """Replace whoever is late or undecided; whether nobody is awaited any more. `said` are outcomes by verifier."""
    patience = int(require_run(session, proof.run).manifest["phaseSeconds"])
    sitting = [seat for seat in seats(session, proof) if not seat.vacated]
    awaited = 0
    for row in sitting:
        able = max(row.since, proof.stage_since, proof.opening_deadline or 0)
        late = row.verifier not in said and absences.waited(ledger, session, able) > patience
        if late or said.get(row.verifier) == UNDECIDED:
            awaited += _vacate(ledger, session, proof, row, "late" if late else "undecided")
        else:
            awaited += row.verifier not in said
    return awaited == 0 and session.get(PanelRow, proof.id) is not None


def widen(ledger: Ledger, session: Session, proof: Proof) -> bool:
    """Seat one more, where those who sit cannot agree; whether anybody was left to ask.

    With as many seats as a quorum takes, one liar could otherwise keep honest work from being paid.
    """
    substitute = _next(session, proof)
    if substitute is None:
        return False
    _sit_down(ledger, session, proof, substitute)
    log.append(session, "panel-widened", proof=proof.id, verifier=substitute)
    return True


def _next(session: Session, proof: Proof) -> str | None:
    panel, taken = session.get(PanelRow, proof.id), len(seats(session, proof))
    return panel.order[taken] if panel is not None and taken < len(panel.order) else None


def _sit_down(ledger: Ledger, session: Session, proof: Proof, verifier: str) -> None:
    number = len(seats(session, proof))
    session.add(Seat(proof=proof.id, verifier=verifier, number=number, since=ledger.now()))
    session.flush()


def _vacate(ledger: Ledger, session: Session, proof: Proof, row: Seat, why: str) -> bool:
    """Whether somebody took the seat."""
    row.vacated = True
    session.add(row)
    substitute = _next(session, proof)
    if substitute is not None:
        _sit_down(ledger, session, proof, substitute)
    log.append(session, "seat-vacated", proof=proof.id, verifier=row.verifier, why=why, substitute=substitute)
    return substitute is not None
