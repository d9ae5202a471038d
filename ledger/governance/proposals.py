"""Proposals by the Governor's events, whether they came through this server or not (J18)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import select as columns_of
from sqlmodel import Session, col, func, select

from contracts.bindings.governor import Action
from contracts.calls.words import calls_in_words
from contracts.evm.chain_text import storable
from contracts.ids import from_hex, to_hex
from contracts.wire.states import ProposalPhase
from ledger.context import Ledger
from ledger.errors import NotFound
from ledger.storage.tables import ChainEvent, PendingEvent, Proposal, Vote

OVER = (ProposalPhase.EXECUTED, ProposalPhase.DEFEATED, ProposalPhase.CANCELED, ProposalPhase.EXPIRED)
TITLE, FIRST_WORDS = 200, 100
"""Characters of a text and of a first call in a list."""


def actions_of(row: Proposal) -> list[Action]:
    """The calls of a proposal."""
    return [Action(target, from_hex(data), int(value)) for target, value, data in row.actions]


def as_columns(actions: Sequence[Action]) -> list[list[str]]:
    """The calls of a proposal as its row holds them."""
    return [[action.target, str(action.value), to_hex(action.data)] for action in actions]


def require(session: Session, proposal_id: str) -> Proposal:
    """The proposal of that id, also one of an unconfirmed block, which has no row yet. Raises NotFound."""
    row = session.get(Proposal, proposal_id)
    if row is not None and row.state != ProposalPhase.RELAYING:
        return row
    named = col(PendingEvent.arguments)["proposalId"].as_string() == proposal_id  # long rows of others stay unread
    created = session.exec(select(PendingEvent).where(PendingEvent.name == "ProposalCreated", named).limit(1)).first()
    if created is not None:
        return created_row(ChainEvent(**created.model_dump()))
    if row is None and session.exec(select(Vote).where(Vote.proposal == proposal_id).limit(1)).first() is not None:
        raise NotFound(f"unknown proposal {proposal_id}: votes on it were read, its creation was not; ask the Governor")
    if row is None:
        raise NotFound(f"no proposal {proposal_id}")
    return row


@dataclass(frozen=True)
class Listed:
    """A proposal in a list: a row without its long columns, with the beginnings of its text and of its first call."""

    id: str
    proposer: str
    state: str
    over: bool
    block: int | None
    snapshot: int | None
    deadline: int | None
    eta: int | None
    against: int
    in_favour: int
    abstain: int
    weighed: int
    call_count: int
    first_words: str
    text: str
    length: int


def page(session: Session, after: str, limit: int) -> list[Listed]:
    """Proposals by id, after an id. Long columns are not read."""
    table = Proposal
    text = (func.substr(table.description, 1, TITLE), func.length(table.description))
    columns: list[Any] = [getattr(table, field.name) for field in fields(Listed)[: -len(text)]]
    query = columns_of(*columns, *text).where(col(table.id) > after).order_by(col(table.id)).limit(limit)
    return [Listed(*tuple(values)) for values in session.connection().execute(query)]


def put_in_words(ledger: Ledger, row: Proposal) -> Proposal:
    """The row with its calls in words: made once, since strangers write the calls and anybody reads them."""
    row.call_count = len(row.actions)
    words = calls_in_words(ledger.chain.w3, ledger.chain.deployment, actions_of(row))
    row.words = [storable(text) for text in words]
    row.first_words = row.words[0][:FIRST_WORDS] if row.words else ""
    return row


def created_row(event: ChainEvent) -> Proposal:
    """The row that a ProposalCreated makes."""
    arguments = event.arguments
    return Proposal(
        id=arguments["proposalId"],
        proposer=arguments["proposer"],
        description=arguments["description"],
        hash=arguments.get("descriptionHash") or to_hex(keccak(text=arguments["description"])),
        actions=[
            list(call) for call in zip(arguments["targets"], arguments["values"], arguments["calldatas"], strict=True)
        ],
        state=ProposalPhase.PENDING,
        block=event.block,
        snapshot=int(arguments["voteStart"]),
        deadline=int(arguments["voteEnd"]),
    )


def credit(ledger: Ledger, session: Session, event: ChainEvent) -> None:
    """Apply a final event of the Governor to its proposal. Other events are ignored."""
    if event.name == "ProposalCreated":
        _create(session, put_in_words(ledger, created_row(event)))
    elif event.name in _CHANGES:
        row = session.get(Proposal, event.arguments["proposalId"])
        if row is not None:
            change(row, event)
            session.add(row)


def change(row: Proposal, event: ChainEvent) -> None:
    """Apply a later event to a proposal; the relayer looks at the proposal anew."""
    _CHANGES[event.name](row, event)
    row.over = row.state in OVER
    row.tries = 0
    row.again = 0


def _create(session: Session, row: Proposal) -> None:
    existing = session.get(Proposal, row.id)
    if existing is None:
        session.add(row)
        return
    for name in (
        "proposer",
        "description",
        "hash",
        "actions",
        "call_count",
        "words",
        "first_words",
        "state",
        "block",
        "snapshot",
        "deadline",
    ):
        setattr(existing, name, getattr(row, name))
    session.add(existing)


def _extend(row: Proposal, event: ChainEvent) -> None:
    row.deadline = int(event.arguments["extendedDeadline"])


def _queue(row: Proposal, event: ChainEvent) -> None:
    row.state, row.eta = ProposalPhase.QUEUED, int(event.arguments["etaSeconds"])


def _execute(row: Proposal, event: ChainEvent) -> None:  # noqa: ARG001 - one shape for all
    row.state = ProposalPhase.EXECUTED


def _cancel(row: Proposal, event: ChainEvent) -> None:  # noqa: ARG001 - one shape for all
    row.state = ProposalPhase.CANCELED


_CHANGES: dict[str, Callable[[Proposal, ChainEvent], None]] = {
    "ProposalExtended": _extend,
    "ProposalQueued": _queue,
    "ProposalExecuted": _execute,
    "ProposalCanceled": _cancel,
}
CREDITED = ("ProposalCreated", *_CHANGES)
