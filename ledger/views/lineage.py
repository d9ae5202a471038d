"""The lineage of weights: each round of a run, the work in its merge, contributions and decisions.

The weights after a round follow from those before it and from exactly the gradients of its merge set (J15). So the
lineage of a model is its rounds in their order, each with the proofs that were merged. Decisions stand at the first
round that opened with them, contributions at the round during which they were credited, or at the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from contracts.ids import RunId
from contracts.wire import rounds as wire
from contracts.wire.runs import Credit
from contracts.wire.states import EpochStage
from ledger.errors import NotFound
from ledger.storage.tables import CreditView, DecisionRow, Epoch, ProofView, RoundView, RunView, TakenView


def lineage(session: Session, run: RunId, first: int, last: int, limit: int) -> list[wire.LineageRound]:
    """Rounds `first` to `last` of a run, at most `limit`. Raises NotFound for a run that is none."""
    if session.get(RunView, run) is None:
        raise NotFound(f"no run {run}")
    number = col(RoundView.number)
    query = select(RoundView).where(RoundView.run == run, number >= first, number <= last)
    rounds = list(session.exec(query.order_by(number).limit(limit)))
    epochs = _epochs(session, run, rounds)
    ends = _ends(session, run, rounds)
    return [_round(session, row, epochs, *ends[row.number]) for row in rounds]


def _epochs(session: Session, run: RunId, rounds: Sequence[RoundView]) -> list[Epoch]:
    """Epochs that pay these rounds: no round is in two of them, so that there are no more of them than of rounds."""
    if not rounds:
        return []
    last = col(Epoch.last_round)
    query = select(Epoch).where(Epoch.run == run, last >= rounds[0].number)
    return list(session.exec(query.order_by(last, col(Epoch.number)).limit(len(rounds))))


def _ends(session: Session, run: RunId, rounds: Sequence[RoundView]) -> dict[int, tuple[int, int | None]]:
    """By round: the entry at which the round before it opened, and the entry at which the next one did."""
    ends = {}
    for row in rounds:
        before, after = (session.get(RoundView, (run, row.number + step)) for step in (-1, 1))
        ends[row.number] = (before.entry if before else -1, after.entry if after else None)
    return ends


def _round(
    session: Session, row: RoundView, epochs: Sequence[Epoch], before: int, after: int | None
) -> wire.LineageRound:
    body = row.body
    number = row.number
    opened = row.entry
    merge = body["merge"]
    members = [session.get_one(ProofView, proof).body for proof in body.get("merge_set", ())]
    epoch = next((row for row in epochs if row.first_round <= number <= row.last_round), None)
    return wire.LineageRound(
        round=number,
        entry=opened,
        config_digest=body["config_digest"],
        start=body["theta"]["digest"],
        weights=merge["theta"] if merge else None,
        weights_blob=merge["theta_blob"] if merge else None,
        merged_at=merge["entry"] if merge else None,
        proofs=[
            wire.LineageProof(proof=member["proof"], node=member["node"], payout=member["payout"], work=member["work"])
            for member in members
        ],
        decisions=_decisions(session, row.run, before, opened),
        contributions=_credits(session, row.run, opened if before >= 0 else 0, after),
        epoch=_epoch(epoch),
    )


def _credits(session: Session, run: str, since: int, until: int | None) -> list[Credit]:
    """Contributions from an entry on and before another."""
    entry = col(CreditView.entry)
    query = select(CreditView).where(CreditView.run == run, entry >= since)
    query = query if until is None else query.where(entry < until)
    return [Credit.model_validate(row.body) for row in session.exec(query.order_by(entry))]


def _decisions(session: Session, run: str, before: int, opened: int) -> list[wire.LineageDecision]:
    """Decisions that the run obeys from this round on."""
    entry = col(TakenView.entry)
    query = select(TakenView).where(TakenView.run == run, entry > before, entry < opened).order_by(entry)
    lines = [row.body for row in session.exec(query) if row.body["applied"]]
    rows = {line["sequence"]: session.get(DecisionRow, line["sequence"]) for line in lines}
    return [
        wire.LineageDecision(sequence=number, key=row.key if row else None, value=row.value if row else None)
        for number, row in rows.items()
    ]


def _epoch(row: Epoch | None) -> wire.LineageEpoch | None:
    """The epoch that pays the round, once it closed; `ours` tells whether the chain's final root is the log's."""
    if row is None:
        return None
    return wire.LineageEpoch(
        epoch=row.number,
        state=EpochStage(row.state),
        root=row.root,
        ours=row.ours,
        log_size=row.log_size,
        log_root=row.log_root,
    )
