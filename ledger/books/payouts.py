"""The payouts of an epoch: its lines, the tree over them, and proofs on demand.

The lines are the truth. The tree's nodes lie in a file beside the blobs. The file is made anew from the lines where it
is missing or not the tree of the epoch's root: an epoch may have a million payees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path

from eth_utils import to_checksum_address
from sqlalchemy import insert
from sqlmodel import Session, col, select

from contracts.errors import InvalidTree
from contracts.files.whole_file import replace_file
from contracts.ids import Address, from_hex, to_hex
from contracts.merkle.payout_tree import Payout, PayoutTree, check_proof
from ledger.books import journal
from ledger.errors import NotFound
from ledger.storage.blobs import BlobFolder
from ledger.storage.seals import sealed
from ledger.storage.tables import ChainEvent, Epoch, PayoutRow, PendingEvent, Transfer

BATCH = 5_000


def write(session: Session, epoch: int, payouts: Sequence[Payout]) -> None:
    """Write an epoch's lines; the debts for them are in the journal."""
    for start in range(0, len(payouts), BATCH):
        rows = [_row(epoch, payout) for payout in payouts[start : start + BATCH]]
        session.execute(insert(PayoutRow), rows)


def pays_a_line(event: ChainEvent | PendingEvent) -> bool:
    """Whether a mint was the distributor's: another minter's receipt of the same name pays nobody's line."""
    return bool(event.arguments["ours"])


def record_mint(session: Session, leaf: str, now: int) -> None:
    """A final block minted this receipt (0x-hex). Other minters' receipts are no epoch's debt."""
    line = session.exec(select(PayoutRow).where(PayoutRow.leaf == leaf)).one_or_none()
    if line is not None:
        note_mint(session, line, now)


def note_mint(session: Session, line: PayoutRow, now: int) -> None:
    """A final block minted this line's receipt: the debt is paid, once."""
    journal.record(
        session,
        Transfer(
            id=f"minted:{line.leaf}",
            book="units",
            debit=f"owed:{line.account}",
            credit=f"minted:{line.account}",
            amount=line.amount,
            pending=False,
            made=now,
        ),
    )


def lines(session: Session, epoch: int, start: int, limit: int) -> list[PayoutRow]:
    """Lines of an epoch from index `start` on, in order."""
    rows = select(PayoutRow).where(PayoutRow.epoch == epoch, col(PayoutRow.index) >= start)
    return list(session.exec(rows.order_by(col(PayoutRow.index)).limit(limit)))


def lines_of(session: Session, epoch: int, account: Address) -> list[PayoutRow]:
    """An account's lines of an epoch. Raises NotFound if it has none."""
    lines = any_lines_of(session, epoch, account)
    if not lines:
        raise NotFound(f"{account} is paid nothing in epoch {epoch}")
    return lines


def any_lines_of(session: Session, epoch: int, account: Address) -> list[PayoutRow]:
    """As `lines_of`; none where there is none."""
    rows = select(PayoutRow).where(PayoutRow.epoch == epoch, PayoutRow.account == to_checksum_address(account))
    return list(session.exec(rows))


def proofs(blobs: BlobFolder, session: Session, epoch: Epoch, leaves: Sequence[str]) -> list[list[bytes]]:
    """The proofs of lines by their leaf (0x-hex), each checked against the epoch's root before it leaves here."""
    file = blobs.beside("payout-trees") / f"{epoch.number}-{epoch.root[2:]}"
    root = from_hex(epoch.root)
    hashes = [from_hex(leaf) for leaf in leaves]
    try:
        return _read(file, hashes, root)
    except (FileNotFoundError, ValueError, InvalidTree):  # mmap refuses an empty file with a ValueError
        _build(session, epoch.number, file)
        return _read(file, hashes, root)


def _read(file: Path, leaves: Sequence[bytes], root: bytes) -> list[list[bytes]]:
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as nodes:
        tree = PayoutTree(nodes)
        paths = [tree.proof(leaf) for leaf in leaves]
    for leaf, path in zip(leaves, paths, strict=True):
        check_proof(leaf, path, root)
    return paths


def _build(session: Session, epoch: int, file: Path) -> None:
    rows = session.exec(select(PayoutRow.leaf).where(PayoutRow.epoch == epoch).execution_options(yield_per=BATCH))
    tree = PayoutTree.of(from_hex(leaf) for leaf in rows)
    with memoryview(tree.nodes) as nodes:
        replace_file(file, nodes)


def _row(epoch: int, payout: Payout) -> Mapping[str, object]:
    """A PayoutRow as a mapping: building the model costs ten times as much."""
    columns = {
        "epoch": epoch,
        "index": payout.index,
        "account": to_checksum_address(payout.account),
        "kind": payout.kind,
        "amount": payout.amount,
        "leaf": to_hex(payout.leaf()),
    }
    return sealed(PayoutRow, columns)
