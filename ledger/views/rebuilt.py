"""The documents made anew in memory, to be held against those of the database (`commonweight fsck`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from sqlmodel import Session, col, select

from contracts.ids import Address, ProofId, RunId
from contracts.messages.signatures import Domain
from ledger.errors import NotFound
from ledger.storage.tables import LogEntry
from ledger.storage.tables.columns import Document
from ledger.storage.tables.views import CreditView, FaultView, NodeView, ProofView, RoundView, RunView, TakenView
from ledger.views.documents import Documents
from ledger.views.projection import BATCH, position, project

Key: TypeAlias = tuple[Any, ...]


class Rebuilt(Documents):
    """Nothing of it is written."""

    def __init__(self) -> None:
        self._runs: dict[Key, Document] = {}
        self._rounds: dict[Key, Document] = {}
        self._proofs: dict[Key, Document] = {}
        self._nodes: dict[Key, Document] = {}
        self._taken: dict[Key, Document] = {}
        self._credits: dict[Key, Document] = {}
        self._faults: dict[Key, Document] = {}

    def run(self, run: RunId) -> Document:
        """Raises NotFound."""
        return _existing(self._runs, (run,))

    def round(self, run: RunId, number: int) -> Document:
        """Raises NotFound."""
        return _existing(self._rounds, (run, number))

    def proof(self, proof: ProofId) -> Document:
        """Raises NotFound."""
        return _existing(self._proofs, (proof,))

    def node(self, run: RunId, node: Address) -> Document | None:
        """To be read; None before it enrolled."""
        return self._nodes.get((run, node))

    def add_run(self, body: Document) -> None:
        """A new run."""
        self._runs[(body["run"],)] = body

    def add_round(self, body: Document) -> None:
        """A new round."""
        self._rounds[body["run"], body["round"]] = body

    def add_proof(self, body: Document) -> None:
        """A new proof."""
        self._proofs[(body["proof"],)] = body

    def put_node(self, run: RunId, body: Document) -> None:
        """A node as it is from now on."""
        self._nodes[run, body["node"]] = body

    def add_taken(self, run: RunId, body: Document) -> None:
        """A run's answer to a decision."""
        self._taken[run, body["entry"]] = body

    def add_credit(self, run: RunId, body: Document) -> None:
        """A contribution."""
        self._credits[run, body["entry"]] = body

    def credit(self, run: RunId, entry: int) -> Document:
        """A contribution by its entry. Raises NotFound."""
        return _existing(self._credits, (run, entry))

    def add_fault(self, run: RunId, body: Document) -> None:
        """A verifier's fault."""
        self._faults[run, body["entry"]] = body

    def beside(self, session: Session) -> Iterator[tuple[str, Mapping[Key, Any], Mapping[Key, Any]]]:
        """By table: the expected rows, and the rows of the database."""
        yield "runview", _plain(self._runs), {(row.run,): row.body for row in session.exec(select(RunView))}
        expected_rounds = {key: (body["entry"], body) for key, body in _plain(self._rounds).items()}
        rounds = {(row.run, row.number): (row.entry, row.body) for row in session.exec(select(RoundView))}
        yield "roundview", expected_rounds, rounds
        expected_proofs = {key: (body["run"], body["round"], body) for key, body in _plain(self._proofs).items()}
        proofs = {(row.proof,): (row.run, row.number, row.body) for row in session.exec(select(ProofView))}
        yield "proofview", expected_proofs, proofs
        yield from self._of_runs(session)

    def _of_runs(self, session: Session) -> Iterator[tuple[str, Mapping[Key, Any], Mapping[Key, Any]]]:
        nodes = {(row.run, row.node): row.body for row in session.exec(select(NodeView))}
        yield "nodeview", _plain(self._nodes), nodes
        expected = {key: (body["sequence"], body) for key, body in _plain(self._taken).items()}
        taken = {(row.run, row.entry): (row.sequence, row.body) for row in session.exec(select(TakenView))}
        yield "takenview", expected, taken
        credits = {(row.run, row.entry): row.body for row in session.exec(select(CreditView))}
        yield "creditview", _plain(self._credits), credits
        faults = {(row.run, row.entry): row.body for row in session.exec(select(FaultView))}
        yield "faultview", _plain(self._faults), faults


def rebuilt(session: Session, domain: Domain) -> Rebuilt:
    """From the log, as far as the documents have come. Raises NotFound for an entry about something unknown."""
    documents = Rebuilt()
    for start in range(0, position(session), BATCH):
        end = min(start + BATCH, position(session))
        rows = select(LogEntry).where(col(LogEntry.index) >= start, col(LogEntry.index) < end)
        project(documents, domain, session.exec(rows.order_by(col(LogEntry.index))).all())
    return documents


def _existing(documents: dict[Key, Document], key: Key) -> Document:
    if key not in documents:
        raise NotFound("an entry is about something that no entry before it began")
    return documents[key]


def _plain(documents: Mapping[Key, Document]) -> dict[Key, Any]:
    """Documents as they are after a round through JSON."""
    return {key: json.loads(json.dumps(body)) for key, body in documents.items()}
