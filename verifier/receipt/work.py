"""The account's own entries of a receipt: each proof with its end, each contribution, and the check of their owner."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.ids import Address
from contracts.protocol.judge.entries import (
    DecisionTaken,
    EpochClosed,
    FaultDerived,
    InvoicesAssessed,
    Posted,
    RoundClosed,
    RoundOpened,
    Undecided,
    Voided,
)
from contracts.protocol.judge.facts import Block, Committed, Credited, Enrolled, Invoiced, RunCreated
from contracts.protocol.log.leaf import Entry
from verifier.receipt.capital import Capital
from verifier.receipt.errors import WorkDiffers
from verifier.receipt.vouched import Vouchers


class ReceiptReader:
    """Reads a receipt's entries in the order of the log."""

    def __init__(self, account: Address, closed: EpochClosed) -> None:
        self._account = account.lower()
        self._closed = closed
        self._enrolled: dict[str, str] = {}
        self._commitments: dict[str, Committed] = {}
        self._ends: dict[str, str] = {}
        self._credited: list[str] = []
        self._vouchers = Vouchers(closed.run)
        self._capital = Capital(self._account, closed)

    @property
    def unchecked(self) -> list[str]:
        """Claims that the entries leave open."""
        return self._vouchers.unchecked + self._capital.unchecked

    def check(self, entries: Mapping[int, Entry], closing: int) -> list[str]:
        """A line for each proof, contribution and credit. Raises WorkDiffers."""
        for index in sorted(entries):
            self._take(index, entries[index], closing)
        work = [self._line(name, commitment) for name, commitment in self._commitments.items()]
        return work + self._credited + self._capital.check(closing)

    def _take(self, index: int, entry: Entry, closing: int) -> None:
        if isinstance(entry, Enrolled):
            self._enrolled[entry.node] = entry.payout
        elif isinstance(entry, Committed):
            self._commit(index, entry)
        elif isinstance(entry, RoundClosed):
            self._out(entry)
        elif isinstance(entry, Credited):
            self._credit(index, entry)
        elif isinstance(entry, Invoiced):
            self._invoice(index, entry)
        elif isinstance(entry, InvoicesAssessed):
            self._assess(index, entry)
        elif isinstance(entry, RunCreated | RoundOpened | Block | DecisionTaken):
            self._vouchers.note(index, entry)
            if isinstance(entry, RoundOpened):
                self._capital.note_opening(entry)
        elif isinstance(entry, (Posted, Voided, Undecided, FaultDerived)):
            self._end(index, entry, closing)
        elif isinstance(entry, EpochClosed):
            if index != closing:
                self._capital.note_closing(index, entry)
        else:
            raise WorkDiffers(f"entry {index} is a {type(entry).__name__}, which no receipt shows")

    def _commit(self, index: int, entry: Committed) -> None:
        if entry.run != self._closed.run:
            raise WorkDiffers(f"entry {index} is about another run than the epoch")
        if self._enrolled.get(entry.node, "").lower() != self._account:
            raise WorkDiffers(f"no enrolment before entry {index} has {entry.node} paid at the account")
        self._commitments[entry.proof] = entry

    def _end(self, index: int, entry: Posted | Voided | Undecided | FaultDerived, closing: int) -> None:
        commitment = self._commitments.get(entry.proof)
        if commitment is None:
            raise WorkDiffers(f"entry {index} is about a proof that the receipt does not show")
        before = self._ends.get(entry.proof, "")
        if isinstance(entry, FaultDerived):
            fault = "at fault, which costs stake" if entry.costs_stake else "at fault" if entry.at_fault else "no fault"
            self._ends[entry.proof] = f"{before}: {fault} ({entry.reason})"
            return
        if before not in ("", "undecided"):
            raise WorkDiffers(f"entry {index} decides a proof again")
        if isinstance(entry, Posted):
            self._posted(index, entry, commitment)
            self._ends[entry.proof] = "posted" if index < closing else "posted, for the run's next epoch"
        else:
            self._ends[entry.proof] = f"voided for {entry.reason}" if isinstance(entry, Voided) else "undecided"

    def _posted(self, index: int, entry: Posted, commitment: Committed) -> None:
        if entry.account.lower() != self._account:
            raise WorkDiffers(f"entry {index} credits {entry.account}")
        if entry.tokens != commitment.tokens:
            raise WorkDiffers(f"entry {index} credits {entry.tokens} tokens of {commitment.tokens}")

    def _out(self, entry: RoundClosed) -> None:
        for name, commitment in self._commitments.items():
            if (commitment.run, commitment.round) == (entry.run, entry.round) and name not in entry.proofs:
                self._ends[name] = "out: k verifiers did not hold it when the round closed"

    def _credit(self, index: int, entry: Credited) -> None:
        if entry.account.lower() != self._account or entry.run != self._closed.run:
            raise WorkDiffers("a contribution is another account's, or another run's")
        subject = entry.key.replace("\n", " ")
        vouched = self._vouchers.check(index, entry)
        self._credited.append(f"contribution: {subject}, weight {entry.weight}, vouched for by {vouched}")

    def _invoice(self, index: int, entry: Invoiced) -> None:
        if entry.account.lower() != self._account or entry.run != self._closed.run or entry.payback:
            raise WorkDiffers("an invoice is another account's or another run's, or is no capital")
        if not {entry.renter, entry.account} <= set(entry.signers):
            raise WorkDiffers(f"entry {index} is an invoice that its renter or its account has not signed")
        vouched = self._vouchers.check(index, entry)
        self._capital.note_invoice(index, entry)
        cost = f"{entry.amount} micro-USD for hours {entry.first} to {entry.end} of {entry.machine} at {entry.provider}"
        self._credited.append(f"invoice: {cost}, vouched for by {vouched}")

    def _assess(self, index: int, entry: InvoicesAssessed) -> None:
        """The amounts are the machine's: they follow from the log before, and whoever reads it all recomputes them."""
        if entry.run != self._closed.run:
            raise WorkDiffers(f"entry {index} is about another run than the epoch")
        self._credited += self._capital.note_assessment(index, entry)

    def _line(self, name: str, commitment: Committed) -> str:
        end = self._ends.get(name, "no end is shown")
        return f"work: {commitment.tokens} tokens of round {commitment.round}, {end} ({name})"
