"""The parts of an account's receipt for an epoch: its lines, and the indices of its entries in the log.

The entries themselves, with the proof of their indices, are read from the log (verifier/receipt/saving.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from eth_utils import to_checksum_address
from sqlmodel import Session, col, func, select

from contracts.ids import Address, RunId, as_address, to_hex
from contracts.merkle.payout_tree import PayoutTree
from contracts.messages.for_contracts import to_json
from contracts.messages.for_log import Commitment
from contracts.protocol.judge.entries import FaultDerived, InvoicesAssessed, Posted, Undecided, Voided
from contracts.protocol.log.codec import slug
from contracts.protocol.log_audit import PayoutKind
from contracts.wire.epochs import ReceiptLine, ReceiptParts
from contracts.wire.states import EpochStage, ProofState
from ledger import cosign
from ledger.books import log
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.epochs.carried import carried_from
from ledger.errors import NotFound
from ledger.machine.effects import payouts_of
from ledger.public_log import maintainers
from ledger.storage.tables import ClosingRow, CreditView, Epoch, LogEntry, ProofView, RoundView, RunView, Transfer
from ledger.storage.tables.columns import Document
from ledger.views.projection import catch_up

SHOWN = frozenset(slug(kind) for kind in (Commitment, Posted, Voided, Undecided, FaultDerived))
"""Kinds of entries about a proof that a receipt shows."""
AT_ONCE = 500
"""Proofs that are read in one statement."""
ENDS = frozenset(slug(kind) for kind in (Posted, Voided, Undecided))


def receipt_of(ledger: Ledger, number: int, account: str) -> ReceiptParts:
    """The work and pay of `account` in an epoch. Raises NotFound where it has neither."""
    catch_up(ledger)
    name = str(to_checksum_address(account))
    with ledger.store.read() as session:
        epoch = settlement.require_epoch(session, number)
        entries = _entries(session, epoch, as_address(name))
        lines = _lines(ledger, session, epoch, as_address(name))
        if not entries and not lines:
            raise NotFound(f"{name} has neither work nor pay in epoch {number}")
        root = settlement.root_message(ledger, epoch)
        signatures = cosign.signatures(ledger, session, root)
        run = session.get_one(RunView, epoch.run).body
        return ReceiptParts(
            epoch=to_json(root),
            state=EpochStage(epoch.state),
            signatures={signer: to_hex(signature) for signer, signature in sorted(signatures.items())},
            entries=sorted({*entries, epoch.log_size - 1}),
            anchors=sorted(line["entry"] for line in run["verifiers"]),
            payouts=lines,
        )


def _lines(ledger: Ledger, session: Session, epoch: Epoch, account: str) -> list[ReceiptLine]:
    """An account's lines with their proofs, by the closing entry."""
    payouts = payouts_of(ledger.judge.functions, epoch.number, settlement.lines(session, epoch).lines)
    own = [payout for payout in payouts if to_checksum_address(payout.account) == account]
    tree = PayoutTree.of(payout.leaf() for payout in payouts) if own else None
    return [
        ReceiptLine(
            index=payout.index,
            kind=payout.kind,
            amount=str(payout.amount),
            proof=[to_hex(node) for node in tree.proof(payout.leaf())] if tree is not None else [],
        )
        for payout in own
    ]


def _entries(session: Session, epoch: Epoch, account: Address) -> set[int]:
    """Indices of the entries that the epoch decides about: the account's proofs and contributions, and what
    its capital comes from."""
    span = _span(session, epoch)
    invoices, carried = carried_from(session, epoch, account)
    indices = set(_credited(session, epoch, account, span)) | invoices
    for credit in list(indices):
        indices |= set(maintainers.maintainers_before(session, RunId(epoch.run), credit))
    assessed = _assessed(session, epoch, span)
    if any(line["entry"] in indices for line in assessed["lines"]):
        indices.add(assessed["entry"])
    for proof in _proofs(session, epoch, account, span):
        indices |= set(_about(session, proof))
    return indices | carried


def _span(session: Session, epoch: Epoch) -> range:
    """Entries between the closing of the run's epoch before and this one's: proofs that ended there are paid here."""
    earlier = select(Epoch.number).where(Epoch.run == epoch.run, col(Epoch.number) < epoch.number)
    last = session.exec(earlier.order_by(col(Epoch.number).desc()).limit(1)).first()
    before = -1 if last is None else _closed_at(session, last)
    return range(before + 1, _closed_at(session, epoch.number) + 1)


def _closed_at(session: Session, epoch: int) -> int:
    """The first entry that closed an epoch."""
    return int(session.exec(select(func.min(ClosingRow.log_index)).where(ClosingRow.epoch == epoch)).one() or 0)


def _proofs(session: Session, epoch: Epoch, account: Address, span: range) -> list[ProofView]:
    """An account's proofs of the epoch's rounds, and those of earlier rounds that ended within the span.

    By the entries of the span: the account's work in other epochs is not read.
    """
    index = col(LogEntry.index)
    query = select(LogEntry.subject).where(index >= span.start, index < span.stop, col(LogEntry.subject).is_not(None))
    names = list(dict.fromkeys(str(name) for name in session.exec(query.order_by(index))))
    mine = [name for start in range(0, len(names), AT_ONCE) for name in _own(session, epoch, account, names, start)]
    kinds: dict[str, set[str]] = {name: set() for name in mine}
    for start in range(0, len(mine), AT_ONCE):
        for entry in log.about(session, mine[start : start + AT_ONCE]):
            if entry.index in span:
                kinds[str(entry.subject)].add(json.loads(entry.body)["kind"])
    views = {proof: session.get_one(ProofView, proof) for proof in kinds}
    of_epoch = range(epoch.first_round, epoch.last_round + 1)
    return [view for proof, view in views.items() if kinds[proof] & ENDS or view.number in of_epoch]


def _own(session: Session, epoch: Epoch, account: Address, names: list[str], start: int) -> Iterator[str]:
    """Proofs of work that pays an account, of AT_ONCE of these names."""
    part = names[start : start + AT_ONCE]
    for row in session.exec(select(Transfer).where(col(Transfer.id).in_(part)).order_by(col(Transfer.id))):
        if (row.book, row.debit, row.credit) == ("work", f"run:{epoch.run}", account):
            yield row.id


def _about(session: Session, proof: ProofView) -> Iterator[int]:
    """The commitment, the entry that ended the proof, and the enrolment that names the payee."""
    for entry in log.about(session, [proof.proof]):
        if json.loads(entry.body)["kind"] in SHOWN:
            yield entry.index
    current = session.get_one(RoundView, (proof.run, proof.number)).body
    yield from (line["enrolment"] for line in current["nodes"] if line["node"] == proof.body["node"])
    if proof.body["state"] == ProofState.OUT:
        yield current["closed_by"]


def _credited(session: Session, epoch: Epoch, account: Address, span: range) -> list[int]:
    """Entries of the span that credit an account with code or data, and its invoices that became capital in it."""
    entry = col(CreditView.entry)
    query = select(CreditView).where(CreditView.run == epoch.run, entry >= span.start, entry < span.stop)
    mine = [row for row in session.exec(query) if row.body["account"] == account]
    lines = _assessed(session, epoch, span)["lines"]
    capital = [int(line["entry"]) for line in lines if line["account"] == account and not line["payback"]]
    return [row.entry for row in mine if row.body["kind"] != PayoutKind.CAPITAL] + capital


def _assessed(session: Session, epoch: Epoch, span: range) -> Document:
    """The entry that assessed invoices for an epoch: it stands before the closing one, or there is none."""
    entry = session.get(LogEntry, span.stop - 2)
    body = json.loads(entry.body) if entry is not None else {}
    is_one = (body.get("kind"), body.get("run")) == (slug(InvoicesAssessed), epoch.run)
    return {**body, "entry": span.stop - 2} if is_one else {"lines": []}
