"""What a run waits for now: what is awaited of whom, since when, and what keeps the next round from opening."""

from __future__ import annotations

from sqlmodel import Session, col, select

from contracts.ids import RunId
from contracts.protocol.judge.facts import Awaited
from contracts.protocol.judge.rules.lapses import scope_of
from contracts.protocol.judge.rules.obstacles import obstacles
from contracts.protocol.judge.state import State
from contracts.protocol.log.codec import parse
from contracts.wire import runs as wire
from ledger.context import Ledger
from ledger.errors import NotFound
from ledger.storage.tables import LogEntry

MOST = 500
"""Things that are listed; how many there are is always said."""


def waiting(ledger: Ledger, run: RunId) -> wire.Waiting:
    """By the machine at the end of the log. Times in Unix seconds of the chain. Raises NotFound."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        known = state.runs.get(run)
        if known is None:
            raise NotFound(f"no run {run}")
        mine = [(since, awaited) for awaited, since in state.open.items() if awaited.run == run]
        open_ = sorted(mine, key=lambda known: known[0])
        times: dict[int, int | None] = {}
        return wire.Waiting(
            run=run,
            round=known.round,
            now=None if state.block is None else state.block.time,
            obstacles=[
                wire.ObstacleLine(obstacle=missing.obstacle.name.lower().replace("_", "-"), text=str(missing))
                for missing in obstacles(state, known)
            ],
            awaited=[_line(session, state, awaited, since, times) for since, awaited in open_[:MOST]],
            count=len(open_),
        )


def _line(
    session: Session, state: State, awaited: Awaited, since: int, times: dict[int, int | None]
) -> wire.AwaitedLine:
    """`late` are the verifiers that said that it did not come in time."""
    scope, _ = scope_of(state, awaited)
    known = scope.awaits.get(awaited)
    if since not in times:
        times[since] = _chain_time(session, since)
    return wire.AwaitedLine(
        what=str(awaited.what),
        party=awaited.party,
        round=awaited.round,
        proof=awaited.proof,
        since_entry=since,
        since=times[since],
        period=1 if known is None else known.period,
        late=[] if known is None else sorted(known.words),
    )


def _chain_time(session: Session, index: int) -> int | None:
    """Of the newest block that was in the log when an entry was made."""
    rows = select(LogEntry.body).where(col(LogEntry.index) <= index, col(LogEntry.body).contains('"kind":"block"'))
    for body in session.exec(rows.order_by(col(LogEntry.index).desc()).limit(4)):
        entry = parse(body)
        if entry["kind"] == "block":  # another one may quote the words
            return int(entry["time"])
    return None
