"""The documents that a batch of entries changes: read once, changed in memory, written back at its end."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Session

from ledger.errors import NotFound
from ledger.tables.views import ProofView, RoundView, RunView

Document: TypeAlias = dict[str, Any]


class Documents:
    """Within one transaction of a writer."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._touched: dict[int, RunView | RoundView | ProofView] = {}

    def run(self, run: str) -> Document:
        """Raises NotFound."""
        return self._changed(self._session.get(RunView, run))

    def round(self, run: str, number: int) -> Document:
        """Raises NotFound."""
        return self._changed(self._session.get(RoundView, (run, number)))

    def proof(self, proof: str) -> Document:
        """Raises NotFound."""
        return self._changed(self._session.get(ProofView, proof))

    def add_run(self, body: Document) -> None:
        """A new run."""
        self._session.add(RunView(run=body["run"], body=body))

    def add_round(self, body: Document) -> None:
        """A new round."""
        self._session.add(RoundView(run=body["run"], number=body["round"], body=body))

    def add_proof(self, body: Document) -> None:
        """A new proof."""
        self._session.add(ProofView(proof=body["proof"], run=body["run"], number=body["round"], body=body))

    def _changed(self, row: RunView | RoundView | ProofView | None) -> Document:
        """A document that the caller changes in place."""
        if row is None:
            raise NotFound("an entry is about something that no entry before it began")
        self._touched[id(row)] = row
        return row.body

    def save(self) -> None:
        """Write what was changed; a query on the way would have written a row before its change."""
        for row in self._touched.values():
            flag_modified(row, "body")
        self._session.flush()
