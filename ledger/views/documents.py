"""The documents that a batch of entries changes: read once, changed in memory, written back at its end."""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Session

from contracts.ids import Address, ProofId, RunId
from ledger.errors import NotFound
from ledger.storage.tables.columns import Document
from ledger.storage.tables.views import CreditView, FaultView, NodeView, ProofView, RoundView, RunView, TakenView

Shown: TypeAlias = RunView | RoundView | ProofView | CreditView


class Documents:
    """Within one transaction of a writer."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._touched: dict[int, Shown] = {}

    def run(self, run: RunId) -> Document:
        """Raises NotFound."""
        return self._changed(self._session.get(RunView, run))

    def round(self, run: RunId, number: int) -> Document:
        """Raises NotFound."""
        return self._changed(self._session.get(RoundView, (run, number)))

    def proof(self, proof: ProofId) -> Document:
        """Raises NotFound."""
        return self._changed(self._session.get(ProofView, proof))

    def node(self, run: RunId, node: Address) -> Document | None:
        """To be read; None before it enrolled."""
        row = self._session.get(NodeView, (run, node))
        return None if row is None else row.body

    def add_run(self, body: Document) -> None:
        """A new run."""
        self._session.add(RunView(run=body["run"], body=body))

    def add_round(self, body: Document) -> None:
        """A new round."""
        self._session.add(RoundView(run=body["run"], number=body["round"], entry=body["entry"], body=body))

    def add_proof(self, body: Document) -> None:
        """A new proof."""
        self._session.add(ProofView(proof=body["proof"], run=body["run"], number=body["round"], body=body))

    def put_node(self, run: RunId, body: Document) -> None:
        """A node as it is from now on."""
        row = self._session.get(NodeView, (run, body["node"])) or NodeView(run=run, node=body["node"], body=body)
        row.body = body
        self._session.add(row)

    def add_taken(self, run: RunId, body: Document) -> None:
        """A run's answer to a decision."""
        self._session.add(TakenView(run=run, entry=body["entry"], sequence=body["sequence"], body=body))

    def add_credit(self, run: RunId, body: Document) -> None:
        """A contribution."""
        self._session.add(CreditView(run=run, entry=body["entry"], body=body))

    def credit(self, run: RunId, entry: int) -> Document:
        """A contribution by its entry. Raises NotFound."""
        return self._changed(self._session.get(CreditView, (run, entry)))

    def add_fault(self, run: RunId, body: Document) -> None:
        """A verifier's fault."""
        self._session.add(FaultView(run=run, entry=body["entry"], body=body))

    def _changed(self, row: Shown | None) -> Document:
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
