"""The entries from which an account's capital of an epoch comes: credit that waits is paid epochs after its assessment.

first credit that still waited ── closings since, each with what it paid of it ──▶ the epoch's own closing

Nothing before is needed: all older credit was paid by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from contracts.protocol.judge.entries import EpochClosed
from contracts.protocol.judge.rules.funding import units_of, worth_of
from contracts.protocol.log_audit import PayoutKind
from contracts.protocol.run_config import RunConfig
from ledger.machine.effects import closing_of
from ledger.storage.tables import ClosingRow, CreditView, Epoch, RoundView

MOST_READ = 1_000
"""Closings that one answer reads."""
MOST_SHOWN = 100
"""Closings that a receipt shows: it says where credit has waited longer."""


@dataclass(frozen=True)
class _Credit:
    """An account's invoice that became capital: its entry, that of its assessment, micro-USD."""

    invoice: int
    assessed: int
    amount: int


def carried_from(session: Session, epoch: Epoch, account: str) -> tuple[set[int], set[int]]:
    """Indices of the invoices from which the capital of `account` (checksum address) in an epoch comes, and of the
    entries that show what each was credited and what closings between have paid. Both are empty where the epoch pays
    it no capital, or where the credit has waited for more than MOST_SHOWN epochs."""
    own = closing_of(session, epoch.log_size - 1)
    if not units_of(own, account):
        return set(), set()
    credits = sorted(_credits(session, epoch, account, epoch.log_size - 1), key=lambda credit: credit.assessed)
    if not credits:
        return set(), set()
    closings = _closings(session, epoch, credits[0].assessed)
    if len(closings) > MOST_READ:
        return set(), set()
    start = _begin(session, closings, credits, account)
    shown = [credit for credit in credits if credit.assessed >= start]
    between = [index for index in closings if index > start]
    if len(between) > MOST_SHOWN:
        return set(), set()
    paying = [own, *(closings[index] for index in between if units_of(closings[index], account))]
    entries = {credit.assessed for credit in shown} | {_opening(session, each) for each in paying}
    return {credit.invoice for credit in shown}, {*entries, *between, _first_closing(session, epoch)}


def _begin(session: Session, closings: dict[int, EpochClosed], credits: list[_Credit], account: str) -> int:
    """The assessment since which some credit always waited, by what the closings paid."""
    waiting, start, left = 0, credits[0].assessed, list(credits)
    for index, closing in closings.items():
        while left and left[0].assessed < index:
            credit = left.pop(0)
            waiting, start = (waiting, start) if waiting > 0 else (0, credit.assessed)
            waiting += credit.amount
        if units := units_of(closing, account):
            waiting -= worth_of(units, _price(session, closing))
    return left[0].assessed if left and waiting <= 0 else start


def _credits(session: Session, epoch: Epoch, account: str, before: int) -> Iterator[_Credit]:
    for row in session.exec(select(CreditView).where(CreditView.run == epoch.run, col(CreditView.entry) < before)):
        worth = (row.body["invoice"] or {}).get("assessed") if row.body["kind"] == PayoutKind.CAPITAL else None
        if worth is None or row.body["account"] != account or row.body["invoice"]["payback"]:
            continue
        if int(worth["credited"]) and worth["entry"] < before:
            yield _Credit(row.entry, int(worth["entry"]), int(worth["credited"]))


def _closings(session: Session, epoch: Epoch, since: int) -> dict[int, EpochClosed]:
    """The first closings of the run's epochs between an entry and this epoch's own, by index; one more than may be
    read at most."""
    first = func.min(ClosingRow.log_index)
    query = select(first).join(Epoch, col(Epoch.number) == col(ClosingRow.epoch))
    query = query.where(Epoch.run == epoch.run, col(Epoch.number) < epoch.number).group_by(col(ClosingRow.epoch))
    found = session.exec(query.having(first > since).order_by(first).limit(MOST_READ + 1))
    indices = [int(index) for index in found if index is not None]
    return {index: closing_of(session, index) for index in indices}


def _first_closing(session: Session, epoch: Epoch) -> int:
    """The entry that closed this epoch first: the assessment stands before it."""
    index = session.exec(select(func.min(ClosingRow.log_index)).where(ClosingRow.epoch == epoch.number)).one()
    return epoch.log_size - 1 if index is None else int(index)


def _opening(session: Session, closing: EpochClosed) -> int:
    """The entry that opened the first round of an epoch: by its configuration the epoch pays."""
    return session.get_one(RoundView, (closing.run, closing.first_round)).entry


def _price(session: Session, closing: EpochClosed) -> int:
    body = session.get_one(RoundView, (closing.run, closing.first_round)).body
    return RunConfig.from_json(body["config"]).token_price
