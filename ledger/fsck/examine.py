"""All parts of fsck on one snapshot of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlmodel import Session

from ledger.context import Ledger
from ledger.errors import LedgerError
from ledger.fsck import judged
from ledger.fsck.finding import Finding
from ledger.fsck.governance import check_ends, check_governance
from ledger.fsck.rows import check_rows

MOST_SHOWN = 20


class FsckFailed(LedgerError):
    """The database does not follow from the log and the chain."""

    code = "fsck-failed"

    def __init__(self, findings: list[Finding]) -> None:
        shown = "; ".join(str(finding) for finding in findings[:MOST_SHOWN])
        more = len(findings) - MOST_SHOWN
        super().__init__(f"{shown}; and {more} more" if more > 0 else shown)
        self.findings = findings


@dataclass(frozen=True)
class Examination:
    """One part of fsck: its name and its findings."""

    name: str
    findings: list[Finding]


PARTS = ("rows", "tree", "journal", "views", "chain", "governance")


def examine(ledger: Ledger, names: Sequence[str] = PARTS) -> Iterator[Examination]:
    """Each part as it is done. A row that one part cannot read may be read by another."""
    parts = _parts(ledger)
    for name, check in ((name, parts[name]) for name in names):
        with ledger.store.read() as session:
            yield Examination(name, list(_guarded(check, session)))


def _parts(ledger: Ledger) -> dict[str, Callable[[Session], Iterator[Finding]]]:
    return {
        "rows": check_rows,
        "tree": lambda session: judged.check_tree(ledger, session),
        "journal": lambda session: judged.check_journal(ledger, session),
        "views": lambda session: judged.check_views(ledger, session),
        "chain": lambda session: judged.check_chain(ledger, session),
        "governance": lambda session: chain(check_governance(session), check_ends(ledger, session)),
    }


def require_sound(ledger: Ledger) -> None:
    """Raises FsckFailed."""
    findings = [finding for part in examine(ledger) for finding in part.findings]
    if findings:
        raise FsckFailed(findings)


def _guarded(check: Callable[[Session], Iterator[Finding]], session: Session) -> Iterator[Finding]:
    """A row that does not read as its type is named by `rows`; the parts that fail over it report that they did."""
    try:
        yield from check(session)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        yield Finding("ledger", "-", f"cannot be derived: {error!r}")
