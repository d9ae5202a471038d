"""Claims of several epochs and accounts at once, at the relayer's cost, in one transaction instead of many.

No account in a request keeps another from being paid: a line that cannot be paid is passed over, and named with a code,
here and by the contract (`EpochDistributor.claimMany`), where another transaction may have paid a line meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from eth_utils import to_checksum_address
from sqlmodel import Session

from contracts.bindings.distributor import PayoutLine
from contracts.ids import Address, as_address
from ledger.books import payouts
from ledger.chainread import reorgs
from ledger.context import Ledger
from ledger.crash_points import reach
from ledger.epochs import claim_calls, settlement
from ledger.errors import LedgerError
from ledger.storage.tables import PayoutRow

LINES_AT_ONCE = 40
"""Lines of one transaction. An account's first one takes about 140,000 gas (docs/claim.md): 5.6 million in all, about
a third of what one transaction may have (EIP-7825: 2^24)."""
PAID = "paid"
"""Code of a line that was claimed before; other lines have the code of the error that keeps them from being paid."""


@dataclass(frozen=True)
class PassedOver:
    """An account's pay of an epoch, or one line of it (`index`), that is not claimed. `why` is stable."""

    epoch: int
    account: Address
    index: int | None
    why: str
    detail: str


@dataclass
class Claims:
    """The outbox ids of the calls that pay the lines, queued now or before, and the lines that no call pays."""

    transactions: list[str] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)


@dataclass(frozen=True)
class ChainReading:
    """The chain as read before the writers' turn: whether an account is a contract, and the leaves (0x-hex) of paid
    lines, whether the indexer has read them yet or not; `mined` are those that the head follower has read."""

    contracts: dict[str, bool]
    paid: set[str]
    mined: set[str]


def claim_many(ledger: Ledger, requests: Sequence[tuple[int, str]]) -> Claims:
    """Queue the mints of the lines of these (epoch, account), in few calls. The same again changes nothing.

    Raises nothing for one of them: its code is that of the error of `settlement.claim`.
    """
    pairs = dict.fromkeys((epoch, to_checksum_address(account)) for epoch, account in requests)
    contracts: dict[str, bool] = {account: ledger.chain.distributor.only_its_own(account) for _, account in pairs}
    claims = Claims()
    paid = _paid(ledger, pairs)
    with ledger.store.write() as session:
        reading = ChainReading(contracts, paid, reorgs.mined(session))
        batches = claim_calls.in_batches(ledger, session)
        due = [
            line for epoch, account in pairs for line in _due(ledger, session, epoch, account, reading, batches, claims)
        ]
        for start in range(0, len(due), LINES_AT_ONCE):
            claims.transactions.append(_queue(ledger, session, due[start : start + LINES_AT_ONCE]))
        reach("claims.queued")
    claims.transactions = list(dict.fromkeys(claims.transactions))
    return claims


def _paid(ledger: Ledger, pairs: Iterable[tuple[int, str]]) -> set[str]:
    """Leaves of these lines that are paid by the chain. A call of many lines that pays nothing costs gas all the same:
    while no blocks are read, each set of lines that are paid already would be another call."""
    with ledger.store.read() as session:
        batches = claim_calls.in_batches(ledger, session)
        lines = [line for epoch, account in pairs for line in payouts.any_lines_of(session, epoch, as_address(account))]
        uncalled = [line for line in lines if claim_calls.live(session, line.leaf, batches) is None]
        mined = reorgs.mined(session)
        unminted = [line for line in uncalled if reorgs.mint_state(session, line.leaf, mined) is None]
    return {line.leaf for line in unminted if ledger.chain.distributor.is_claimed(line.epoch, line.index)}


def _due(
    ledger: Ledger,
    session: Session,
    epoch: int,
    account: Address,
    reading: ChainReading,
    batches: dict[str, str],
    claims: Claims,
) -> Iterator[tuple[PayoutRow, list[bytes]]]:
    """Lines that no call pays yet, with their proofs; the others are noted in `claims`."""
    try:
        settlement.require_key(account, reading.contracts[account])
        lines, proofs = settlement.claimable(ledger, session, epoch, account)
    except LedgerError as refusal:
        claims.passed_over.append(PassedOver(epoch, account, None, refusal.code, refusal.detail))
        return
    for line, proof in zip(lines, proofs, strict=True):
        if line.leaf in reading.paid or reorgs.mint_state(session, line.leaf, reading.mined) is not None:
            claims.passed_over.append(PassedOver(epoch, account, line.index, PAID, "the line is paid already"))
        elif (call_id := claim_calls.live(session, line.leaf, batches)) is not None:
            claims.transactions.append(call_id)
        else:
            yield line, proof


def _queue(ledger: Ledger, session: Session, part: Sequence[tuple[PayoutRow, list[bytes]]]) -> str:
    """Queue the call of these lines and return its id. A single line has its own claim, which is cheaper."""
    distributor = ledger.chain.distributor
    if len(part) == 1:
        ((line, proof),) = part
        name = claim_calls.claim_id(line.leaf)
        call = distributor.claim(line.epoch, line.index, as_address(line.account), line.kind, line.amount, proof)
    else:
        lines = [
            PayoutLine(row.epoch, row.index, as_address(row.account), row.kind, row.amount, proof)
            for row, proof in part
        ]
        leaves = [row.leaf for row, _ in part]
        name = claim_calls.many_id(leaves)
        call = distributor.claim_many(lines)
        claim_calls.note_lines(name, leaves)
    claim_calls.queue(session, name, call)
    return name
