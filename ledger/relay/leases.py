"""One holder at a time for a job, by the database alone: a lease that expires by itself, and a token that fences.

    take     the row has no holder, or the lease expired, or the holder's process is gone ──▶ token + 1, a new holder
    require  in the transaction of each write: does the row still have the holder's token? If not, LeaseLost

The expiry of a lease is a matter of clocks and only decides who waits. A holder whose lease expired finds another token
in the row, in the very transaction in which it wanted to write, and has changed nothing.
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
class HeldLease:
    """A lease that is this process's as long as the row has this token."""

    name: str
    token: int


def take(ledger: Ledger, name: str) -> HeldLease | None:
    """Take or keep the lease of a job. None while another process has it."""
    with ledger.store.read() as session:
        row = session.get(LeaseRow, name)
    if row is not None and _is_ours(ledger, row):
        return HeldLease(name, row.token)
    return _write(ledger, name, row) if _is_open(ledger, row) else None


def take_all(ledger: Ledger, names: Sequence[str]) -> set[str]:
    """As `take`, of several jobs with one look and at most one write: the names of this process's jobs."""
    with ledger.store.read() as session:
        rows = {row.name: row for row in session.exec(select(LeaseRow).where(col(LeaseRow.name).in_(names)))}
    ours = {name for name in names if _is_ours(ledger, rows.get(name))}
    open_ = [name for name in names if name not in ours and _is_open(ledger, rows.get(name))]
    return ours | _write_all(ledger, {name: rows.get(name) for name in open_})


def require(ledger: Ledger, session: Session, lease: HeldLease) -> None:
    """Lock the lease's row to the end of the transaction, and prolong the lease. Raises LeaseLost."""
    row = _ours(session.get(LeaseRow, lease.name, with_for_update=True, populate_existing=True), lease)
    if not _is_fresh(ledger, row):
        row.expires = ledger.now() + ledger.relay.lease_seconds
        session.add(row)


def check(ledger: Ledger, lease: HeldLease) -> None:
    """Require the lease before an act that no transaction can take back. Raises LeaseLost."""
    with ledger.store.read() as session:
        _ours(session.get(LeaseRow, lease.name), lease)


def keep(ledger: Ledger, lease: HeldLease) -> None:
    """Prolong the lease in the midst of long work; writes only where the lease ends soon. Raises LeaseLost."""
    with ledger.store.read() as session:
        fresh = _is_fresh(ledger, _ours(session.get(LeaseRow, lease.name), lease))
    if not fresh:
        with ledger.store.write(quiet=True) as session:
            require(ledger, session, lease)


def give_up(ledger: Ledger, name: str) -> None:
    """Let the next process begin at once; nothing if the lease is another's."""
    with ledger.store.write() as session:
        row = session.get(LeaseRow, name, with_for_update=True)
        if row is not None and row.holder == ledger.holder:
            row.expires = 0
            session.add(row)


def _is_ours(ledger: Ledger, row: LeaseRow | None) -> bool:
    """This process has the lease for a while."""
    return row is not None and row.holder == ledger.holder and _is_fresh(ledger, row)


def _is_open(ledger: Ledger, row: LeaseRow | None) -> bool:
    """No other process has the lease, as far as can be seen."""
    return row is None or row.holder == ledger.holder or not _runs(ledger, row) or is_gone(row.holder)


def _write(ledger: Ledger, name: str, seen: LeaseRow | None) -> HeldLease | None:
    with ledger.store.write(quiet=True) as session:
        return _enter(ledger, session, name, seen)


def _write_all(ledger: Ledger, seen: Mapping[str, LeaseRow | None]) -> set[str]:
    if not seen:
        return set()
    with ledger.store.write(quiet=True) as session:
        return {name for name, row in seen.items() if _enter(ledger, session, name, row) is not None}


def _enter(ledger: Ledger, session: Session, name: str, seen: LeaseRow | None) -> HeldLease | None:
    row = session.get(LeaseRow, name, with_for_update=True)
    if row != seen:
        return None  # another was faster, or its holder has just prolonged it
    if row is None:
        row = LeaseRow(name=name, holder=ledger.holder, token=0, expires=0)
    row.token += row.holder != ledger.holder or row.token == 0
    row.holder, row.expires = ledger.holder, ledger.now() + ledger.relay.lease_seconds
    session.add(row)
    return HeldLease(name, row.token)


def _ours(row: LeaseRow | None, lease: HeldLease) -> LeaseRow:
    if row is None or row.token != lease.token:
        raise LeaseLost(f"lease {lease.name} expired and went to another process; nothing more was written or sent")
    return row


def _runs(ledger: Ledger, row: LeaseRow) -> bool:
    """The lease has not expired; a clock that ran ahead made one that ends later than any can."""
    return 0 < row.expires - ledger.now() <= LONGEST_SECONDS


def _is_fresh(ledger: Ledger, row: LeaseRow) -> bool:
    """More than half of the lease is left: no need to write."""
    return _runs(ledger, row) and row.expires - ledger.now() > ledger.relay.lease_seconds // 2
