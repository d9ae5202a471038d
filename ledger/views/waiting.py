"""The messages that a run awaits now, from whom and since when, and the obstacles to its next round."""

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
"""Awaited messages that are listed; their number is always given."""


def waiting(ledger: Ledger, run: RunId) -> wire.Waiting:
    """Awaited messages by the machine at the end of the log. Times in Unix seconds of the chain. Raises NotFound."""
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        current = state.runs.get(run)
        if current is None:
            raise NotFound(f"no run {run}")
        pairs = [(since, awaited) for awaited, since in state.open.items() if awaited.run == run]
        open_ = sorted(pairs, key=lambda pair: pair[0])
        times: dict[int, int | None] = {}
        return wire.Waiting(
            run=run,
            round=current.round,
            now=None if state.block is None else state.block.time,
            obstacles=[
                wire.ObstacleLine(obstacle=missing.obstacle.name.lower().replace("_", "-"), text=str(missing))
                for missing in obstacles(state, current)
            ],
            awaited=[_line(session, state, awaited, since, times) for since, awaited in open_[:MOST]],
            count=len(open_),
        )


def _line(
    session: Session, state: State, awaited: Awaited, since: int, times: dict[int, int | None]
) -> wire.AwaitedLine:
    """`late` are the verifiers that signed that the message did not come in time."""
    scope, _ = scope_of(state, awaited)
    timeout = scope.awaits.get(awaited)
    if since not in times:
        times[since] = _chain_time(session, since)
    return wire.AwaitedLine(
        what=str(awaited.what),
        party=awaited.party,
        round=awaited.round,
        proof=awaited.proof,
        since_entry=since,
        since=times[since],
        period=1 if timeout is None else timeout.period,
        late=[] if timeout is None else sorted(timeout.words),
    )


def _chain_time(session: Session, index: int) -> int | None:
    """Chain time of the newest block in the log before an entry."""
    rows = select(LogEntry.body).where(col(LogEntry.index) <= index, col(LogEntry.body).contains('"kind":"block"'))
    for body in session.exec(rows.order_by(col(LogEntry.index).desc()).limit(4)):
        entry = parse(body)
        if entry["kind"] == "block":  # an entry of another kind may quote the text
            return int(entry["time"])
    return None
