"""Epochs on their way through the chain: proposed with k signatures, final after their window, claimed by their payees.

An epoch is final here by an entry of the log (ledger/machine/effects.py), which follows from a final block.
"""

from __future__ import annotations

from sqlmodel import Session, col, select, text
from web3.contract.contract import ContractFunction

from contracts.bindings.verifier_registry import EpochState, EpochStatus
from contracts.ids import Address, as_address
from contracts.messages.for_contracts import EpochRoot, from_json
from contracts.protocol.judge.entries import EpochClosed
from contracts.wire.states import EpochStage, MintState
from ledger import cosign
from ledger.books import payouts
from ledger.chainread import reorgs
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.epochs import claim_calls
from ledger.errors import LedgerError, NotFound, RootMismatch, TooEarly
from ledger.machine.effects import closing_of
from ledger.relay import outbox
from ledger.storage.tables import OPEN_EPOCHS, Epoch, PayoutRow

STATES = {
    EpochStatus.PROPOSED: EpochStage.PROPOSED,
    EpochStatus.DISPUTED: EpochStage.DISPUTED,
    EpochStatus.FINAL: EpochStage.PROPOSED,
}
"""States by the chain's newest block; an entry of the log alone makes an epoch final."""


class ContractAccount(LedgerError):
    """A contract's tokens might be lost in it: it claims them itself, or signs where they go."""

    code = "contract-account"
    status = 409


class ForeignRoot(LedgerError):
    """The chain made another root final than any that follows from the log: nothing of it is claimed here."""

    code = "foreign-root"
    status = 410


def require_epoch(session: Session, number: int) -> Epoch:
    """The epoch of that number. Raises NotFound."""
    epoch = session.get(Epoch, number)
    if epoch is None:
        raise NotFound(f"epoch {number} is not closed yet")
    return epoch


def root_message(ledger: Ledger, epoch: Epoch) -> EpochRoot:
    """The message that verifiers sign for this epoch's newest closing."""
    return from_json(
        EpochRoot,
        {
            "model": ledger.chain.deployment.model,
            "epoch": epoch.number,
            "attempt": epoch.attempt,
            "root": epoch.root,
            "total": str(epoch.total),
            "count": epoch.count,
            "logSize": epoch.log_size,
            "logRoot": epoch.log_root,
            "settledAt": epoch.settled_at,
            "deadline": epoch.deadline,
        },
    )


def lines(session: Session, epoch: Epoch) -> EpochClosed:
    """The entry of an epoch's newest closing, final or not, with the lines that it pays."""
    return closing_of(session, epoch.log_size - 1)


def sign(ledger: Ledger, number: int, message: EpochRoot, signature: bytes, signer: Address) -> None:
    """Take a verifier's signature on the epoch's root; `settle` brings k of them to the chain.

    Raises BadSignature, NotVerifier, NotFound and RootMismatch.
    """
    name = cosign.check(ledger, message, signature, signer)
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        cosign.require_admitted(state, name)
    with ledger.store.write() as session:
        epoch = require_epoch(session, number)
        if message != root_message(ledger, epoch):
            raise RootMismatch(f"epoch {number} attempt {epoch.attempt} has root {epoch.root} at {epoch.log_size}")
        cosign.add(ledger, session, message, signature, name)


def settle(ledger: Ledger) -> None:
    """Follow the chain: note proposed and disputed epochs, and queue the call that each is due."""
    with ledger.store.read() as session:
        rows = select(Epoch).where(text(OPEN_EPOCHS)).order_by(col(Epoch.number))
        open_epochs = list(session.exec(rows))
    for epoch in open_epochs:
        on_chain = ledger.chain.registry.epoch_of(epoch.number)
        due = _due(ledger, epoch, on_chain)
        _note(ledger, epoch, STATES.get(on_chain.status, EpochStage.CLOSED), due)


def claim(ledger: Ledger, number: int, account: Address) -> list[str]:
    """Queue the mints of an account's lines in a final epoch, at the relayer's cost; returns their outbox ids.

    A line that is on its way in another call (signed by its account, or with other lines) is left to that call; a line
    with a final mint needs none. Raises NotFound, TooEarly, ForeignRoot and ContractAccount.
    """
    require_key(account, ledger.chain.distributor.only_its_own(account))
    claim_calls.look(ledger)
    with ledger.store.write() as session:
        lines, proofs = claimable(ledger, session, number, account)
        batches = claim_calls.in_batches(ledger, session)
        queued = []
        for line, proof in zip(lines, proofs, strict=True):
            call_id = claim_calls.live(session, line.leaf, batches)
            if call_id is not None:
                queued.append(call_id)
                continue
            if reorgs.mint_state(session, line.leaf) is MintState.FINAL:
                continue
            call = ledger.chain.distributor.claim(
                number, line.index, as_address(line.account), line.kind, line.amount, proof
            )
            queued.append(claim_calls.claim_id(line.leaf))
            claim_calls.queue(session, queued[-1], call)
        reach("claims.queued")
    return queued


def require_key(account: Address, is_contract: bool) -> None:
    """Raises ContractAccount for a contract: nobody else claims for it."""
    if is_contract:
        raise ContractAccount(f"{account} is a contract: it calls claim of the distributor, or signs ClaimTo")


def claimable(
    ledger: Ledger, session: Session, number: int, account: Address
) -> tuple[list[PayoutRow], list[list[bytes]]]:
    """An account's lines of a final epoch, and their proofs. Raises NotFound, TooEarly and ForeignRoot."""
    lines = claimable_lines(session, number, account)
    epoch = require_epoch(session, number)
    return lines, payouts.proofs(ledger.blobs, session, epoch, [line.leaf for line in lines])


def claimable_lines(session: Session, number: int, account: Address) -> list[PayoutRow]:
    """An account's lines of a final epoch. Raises NotFound, TooEarly and ForeignRoot."""
    epoch = require_epoch(session, number)
    if epoch.state != EpochStage.FINAL:
        raise TooEarly(f"epoch {number} is {epoch.state}; claims open when its challenge window has passed")
    if not epoch.ours:
        raise ForeignRoot(f"epoch {number} is final on the chain with a root that does not follow from the log")
    return payouts.lines_of(session, number, account)


def _note(ledger: Ledger, seen: Epoch, state: str, due: tuple[str, ContractFunction] | None) -> None:
    with ledger.store.read() as session:
        queues = due is not None and outbox.is_news(session, *due)
    if not queues and state == seen.state:
        return
    with ledger.store.write() as session:
        row = session.get_one(Epoch, seen.number)
        if row.state == EpochStage.FINAL or row.log_size != seen.log_size:
            return  # the epoch ended, or closed anew, while the chain was asked
        row.state = state
        session.add(row)
        if due is not None:
            outbox.enqueue(session, *due)


def _due(ledger: Ledger, epoch: Epoch, on_chain: EpochState) -> tuple[str, ContractFunction] | None:
    """The call that is due for the epoch now, with its id in the outbox; anyone may send it.

    Propose a root that k have signed, finalize one without a challenge in time, let a dispute without a decision lapse.
    """
    registry = ledger.chain.registry
    attempt = f"{epoch.number}:{on_chain.attempt}"
    if on_chain.status == EpochStatus.NONE:
        signatures = _quorum(ledger, epoch)
        message = root_message(ledger, epoch)
        name = f"propose-root:{attempt}:{epoch.log_size}"
        return (name, registry.propose(message, signatures)) if signatures else None
    now = int(ledger.chain.w3.eth.get_block("latest")["timestamp"])
    if on_chain.status == EpochStatus.PROPOSED and now > on_chain.closes_at:
        return f"finalize:{attempt}:{on_chain.closes_at}", registry.finalize(epoch.number)
    if on_chain.status == EpochStatus.DISPUTED and now >= on_chain.challenged_at + registry.dispute_limit():
        return f"lapse:{attempt}:{on_chain.disputes}", registry.lapse(epoch.number)
    return None


def _quorum(ledger: Ledger, epoch: Epoch) -> dict[str, bytes]:
    """k signatures that count on the chain, if it is this epoch's turn: the chain takes epochs one after the other."""
    with ledger.store.read() as session:
        message = root_message(ledger, epoch)
        if not cosign.signers(ledger, session, message):
            return {}
        if ledger.chain.registry.finalized_epochs() + 1 != epoch.number:
            return {}
        return cosign.quorum(ledger, session, message)
