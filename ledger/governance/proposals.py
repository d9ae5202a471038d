"""Proposals as the Governor's events tell them: whoever made them, wherever (J18)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eth_utils.crypto import keccak
from sqlmodel import Session, col, select

from contracts.governor import Action, ProposalState
from ledger.errors import NotFound
from ledger.tables import ChainEvent, PendingEvent, Proposal

OVER = tuple(
    state.name.lower()
    for state in (ProposalState.EXECUTED, ProposalState.DEFEATED, ProposalState.CANCELED, ProposalState.EXPIRED)
)
RELAYING = "relaying"


def actions_of(row: Proposal) -> list[Action]:
    """The calls of a proposal."""
    return [Action(target, bytes.fromhex(data[2:]), int(value)) for target, value, data in row.actions]


def as_columns(actions: Sequence[Action]) -> list[list[str]]:
    """The calls of a proposal as its row holds them."""
    return [[action.target, str(action.value), "0x" + action.data.hex()] for action in actions]


def require(session: Session, proposal_id: str) -> Proposal:
    """The proposal of that id, also one of a block that is not final yet, which is no row. Raises NotFound."""
    found = session.get(Proposal, proposal_id)
    if found is not None and found.state != RELAYING:
        return found
    pending = session.exec(select(PendingEvent).where(PendingEvent.name == "ProposalCreated"))
    created = next((event for event in pending if event.arguments["proposalId"] == proposal_id), None)
    if created is not None:
        return created_row(ChainEvent(**created.model_dump()))
    if found is None:
        raise NotFound(f"no proposal {proposal_id}")
    return found


def page(session: Session, after: str, limit: int) -> list[Proposal]:
    """Proposals by name, after a name."""
    wanted = select(Proposal).where(col(Proposal.id) > after)
    return list(session.exec(wanted.order_by(col(Proposal.id)).limit(limit)))


def created_row(event: ChainEvent) -> Proposal:
    """The row that a ProposalCreated makes."""
    said = event.arguments
    return Proposal(
        id=said["proposalId"], proposer=said["proposer"], description=said["description"],
        hash=said.get("descriptionHash") or "0x" + keccak(text=said["description"]).hex(),
        actions=[list(call) for call in zip(said["targets"], said["values"], said["calldatas"], strict=True)],
        state=ProposalState.PENDING.name.lower(), block=event.block, snapshot=int(said["voteStart"]),
        deadline=int(said["voteEnd"]),
    )  # fmt: skip


def credit(session: Session, event: ChainEvent) -> None:
    """What a final event of the Governor makes of its proposal. Others pass."""
    if event.name == "ProposalCreated":
        _create(session, event)
    elif event.name in _CHANGES:
        row = session.get(Proposal, event.arguments["proposalId"])
        if row is not None:
            change(row, event)
            session.add(row)


def change(row: Proposal, event: ChainEvent) -> None:
    """What a later event makes of a proposal; the relayer looks at it anew."""
    _CHANGES[event.name](row, event)
    row.over, row.tries, row.again = row.state in OVER, 0, 0


def _create(session: Session, event: ChainEvent) -> None:
    row = created_row(event)
    known = session.get(Proposal, row.id)
    if known is None:
        session.add(row)
        return
    for name in ("proposer", "description", "hash", "actions", "state", "block", "snapshot", "deadline"):
        setattr(known, name, getattr(row, name))
    session.add(known)


def _extend(row: Proposal, event: ChainEvent) -> None:
    row.deadline = int(event.arguments["extendedDeadline"])


def _queue(row: Proposal, event: ChainEvent) -> None:
    row.state, row.eta = ProposalState.QUEUED.name.lower(), int(event.arguments["etaSeconds"])


def _execute(row: Proposal, event: ChainEvent) -> None:  # noqa: ARG001 - one shape for all
    row.state = ProposalState.EXECUTED.name.lower()


def _cancel(row: Proposal, event: ChainEvent) -> None:  # noqa: ARG001 - one shape for all
    row.state = ProposalState.CANCELED.name.lower()


_CHANGES: dict[str, Callable[[Proposal, ChainEvent], None]] = {
    "ProposalExtended": _extend,
    "ProposalQueued": _queue,
    "ProposalExecuted": _execute,
    "ProposalCanceled": _cancel,
}
CREDITED = ("ProposalCreated", *_CHANGES)
