"""One worker at a time for a job, told by the database alone: a lease that ends by itself, and a token that fences.

    take     the row names nobody, or somebody whose lease ended or whose process is gone ──▶ token + 1, mine
    require  in the transaction of each write: is the token still the one that I was given? If not, LeaseLost

The end of a lease is a matter of clocks and only decides who waits. Whoever slept through it finds another token in the
row, in the very transaction in which it wanted to write, and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from ledger.context import Ledger
from ledger.errors import LeaseLost
from ledger.process_id import is_gone
from ledger.storage.tables import LeaseRow

LONGEST_SECONDS = 3_600


@dataclass(frozen=True)
class Held:
    """A job that is ours as long as the row has this token."""

    name: str
    token: int


def take(ledger: Ledger, name: str) -> Held | None:
    """Take or keep a job. None while another has it."""
    with ledger.store.read() as session:
        row = session.get(LeaseRow, name)
    if row is not None and _is_ours(ledger, row):
        return Held(name, row.token)
    return _write(ledger, name, row) if _is_open(ledger, row) else None


def take_all(ledger: Ledger, names: Sequence[str]) -> set[str]:
    """As `take`, of several jobs with one look and at most one write: the names of those that are this process's."""
    with ledger.store.read() as session:
        rows = {row.name: row for row in session.exec(select(LeaseRow).where(col(LeaseRow.name).in_(names)))}
    ours = {name for name in names if _is_ours(ledger, rows.get(name))}
    open_ = [name for name in names if name not in ours and _is_open(ledger, rows.get(name))]
    return ours | _write_all(ledger, {name: rows.get(name) for name in open_})


def require(ledger: Ledger, session: Session, held: Held) -> None:
    """Hold the job's row to the end of the transaction, and the job for longer. Raises LeaseLost."""
    row = _ours(session.get(LeaseRow, held.name, with_for_update=True, populate_existing=True), held)
    if not _is_fresh(ledger, row):
        row.expires = ledger.now() + ledger.relay.lease_seconds
        session.add(row)


def check(ledger: Ledger, held: Held) -> None:
    """Whether the job is still ours, before doing what no transaction can hold back. Raises LeaseLost."""
    with ledger.store.read() as session:
        _ours(session.get(LeaseRow, held.name), held)


def keep(ledger: Ledger, held: Held) -> None:
    """Hold the job for longer, in the midst of what takes long; writes only where it ends soon. Raises LeaseLost."""
    with ledger.store.read() as session:
        fresh = _is_fresh(ledger, _ours(session.get(LeaseRow, held.name), held))
    if not fresh:
        with ledger.store.write(quiet=True) as session:
            require(ledger, session, held)


def give_up(ledger: Ledger, name: str) -> None:
    """Let the next one begin at once; nothing if the job is another's."""
    with ledger.store.write() as session:
        row = session.get(LeaseRow, name, with_for_update=True)
        if row is not None and row.holder == ledger.holder:
            row.expires = 0
            session.add(row)


def _is_ours(ledger: Ledger, row: LeaseRow | None) -> bool:
    """This process has it for a while."""
    return row is not None and row.holder == ledger.holder and _is_fresh(ledger, row)


def _is_open(ledger: Ledger, row: LeaseRow | None) -> bool:
    """Nobody else has it, as far as can be seen."""
    return row is None or row.holder == ledger.holder or not _runs(ledger, row) or is_gone(row.holder)


def _write(ledger: Ledger, name: str, seen: LeaseRow | None) -> Held | None:
    with ledger.store.write(quiet=True) as session:
        return _enter(ledger, session, name, seen)


def _write_all(ledger: Ledger, seen: Mapping[str, LeaseRow | None]) -> set[str]:
    if not seen:
        return set()
    with ledger.store.write(quiet=True) as session:
        return {name for name, row in seen.items() if _enter(ledger, session, name, row) is not None}


def _enter(ledger: Ledger, session: Session, name: str, seen: LeaseRow | None) -> Held | None:
    row = session.get(LeaseRow, name, with_for_update=True)
    if row != seen:
        return None  # another was faster, or its holder has just prolonged it
    if row is None:
        row = LeaseRow(name=name, holder=ledger.holder, token=0, expires=0)
    row.token += row.holder != ledger.holder or row.token == 0
    row.holder, row.expires = ledger.holder, ledger.now() + ledger.relay.lease_seconds
    session.add(row)
    return Held(name, row.token)


def _ours(row: LeaseRow | None, held: Held) -> LeaseRow:
    if row is None or row.token != held.token:
        raise LeaseLost(f"{held.name} went to another while this one slept; nothing more was written or sent")
    return row


def _runs(ledger: Ledger, row: LeaseRow) -> bool:
    """The lease has not ended; one that ends later than any can was given by a clock that ran ahead."""
    return 0 < row.expires - ledger.now() <= LONGEST_SECONDS


def _is_fresh(ledger: Ledger, row: LeaseRow) -> bool:
    """More than half of the lease is left: no need to write."""
    return _runs(ledger, row) and row.expires - ledger.now() > ledger.relay.lease_seconds // 2
