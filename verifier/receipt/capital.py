"""The capital of an account in an epoch, recomputed from a receipt: which invoices it comes from, and what of them
earlier epochs had paid.

Shown are all assessments since some credit of the account always waited, and every closing of the run from the first
of them on. A closing that is left out shows as a gap in the rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.protocol.judge.entries import EpochClosed, InvoicesAssessed, RoundOpened
from contracts.protocol.judge.facts import Invoiced
from contracts.protocol.judge.rules.funding import units_of, worth_of
from contracts.protocol.run_config import RunConfig
from verifier.receipt.errors import WorkDiffers


@dataclass(frozen=True)
class Credit:
    """Micro-USD that an entry credited for an invoice."""

    invoice: Invoiced
    entry: int
    assessed: int
    amount: int


class Capital:
    """Reads a receipt's entries about capital in the order of the log."""

    def __init__(self, account: str, closed: EpochClosed) -> None:
        self._account, self._closed = account, closed
        self._invoices: dict[int, Invoiced] = {}
        self._credits: list[Credit] = []
        self._closings: list[tuple[int, EpochClosed]] = []
        self._prices: dict[int, int] = {}
        self._first = -1
        self.unchecked: list[str] = []

    def note_opening(self, entry: RoundOpened) -> None:
        """A round's configuration, by whose price an epoch that begins with it pays."""
        self._prices[entry.round] = RunConfig.from_json(entry.config).token_price

    def note_invoice(self, index: int, entry: Invoiced) -> None:
        """An invoice whose signers were checked."""
        self._invoices[index] = entry

    def note_assessment(self, index: int, entry: InvoicesAssessed) -> Iterator[str]:
        """What an entry credited for invoices that are shown. Raises WorkDiffers."""
        for line in entry.lines:
            invoice = self._invoices.get(line.entry)
            if invoice is None:
                continue
            if (line.key, line.account, line.amount) != (invoice.key, invoice.account, invoice.amount):
                raise WorkDiffers(f"entry {index} assesses another invoice than entry {line.entry}")
            if any(known.entry == line.entry for known in self._credits):
                raise WorkDiffers(f"entry {index} assesses the invoice of entry {line.entry} again")
            self._credits.append(Credit(invoice, line.entry, index, line.credited))
            yield f"capital: {line.credited} micro-USD of the invoice of entry {line.entry}"

    def note_closing(self, index: int, entry: EpochClosed) -> None:
        """An earlier closing of the run, or the first one of an epoch that closed anew. Raises WorkDiffers for one
        that is out of turn, or of another run."""
        own = self._closed
        if (entry.run, entry.epoch, entry.last_round) == (own.run, own.epoch, own.last_round) and self._first < 0:
            self._first = index
            return
        if entry.run != own.run or entry.epoch >= own.epoch:
            raise WorkDiffers(f"entry {index} closes no earlier epoch of the run")
        if self._closings:
            _check_joins(self._closings[-1][1], entry)
        if self._credits:
            self._closings.append((index, entry))

    def check(self, closing: int) -> list[str]:
        """From where the account's capital of the epoch comes, a line for each invoice. Raises WorkDiffers where it is
        worth more than all that waited."""
        units = units_of(self._closed, self._account)
        if not units:
            return []
        if not self._credits:
            self.unchecked.append(f"from which invoices {units} units of capital come: the receipt shows none")
            return []
        self._check_whole(closing)
        paid = sum(self._worth(each) for _, each in self._closings)
        left, worth = self._left(paid), self._worth(self._closed)
        waited = sum(amount for _, amount in left)
        every = [*(each for _, each in self._closings), self._closed]
        cut = [each.epoch for each in every if each.total != each.due]
        if cut:
            self.unchecked.append(
                f"that capital fits its credit: the limit cut epoch {cut[0]}, and owed pay has no price"
            )
        elif worth > waited:
            raise WorkDiffers(f"{units} units of capital are worth {worth} micro-USD, and {waited} were credited")
        told = [f"capital: {units} units are worth {worth} micro-USD, of {waited} credited that waited for pay"]
        return told + [_told(credit, amount) for credit, amount in left]

    def _check_whole(self, closing: int) -> None:
        """An assessment stands right before the closing of its epoch, and from there on every closing is shown."""
        assessed, closing = self._credits[0].assessed, self._first if self._first >= 0 else closing
        if self._closings:
            _check_joins(self._closings[-1][1], self._closed)
            closing = self._closings[0][0]
            if closing != assessed + 1:
                raise WorkDiffers(f"the closing of the epoch that entry {assessed} assesses for is left out")
        elif closing != assessed + 1:
            self.unchecked.append(f"that epoch {self._closed.epoch}, which closed anew, is the first after {assessed}")

    def _left(self, paid: int) -> list[tuple[Credit, int]]:
        """What of each credit is not paid yet, the oldest first."""
        left = []
        for credit in self._credits:
            used = min(paid, credit.amount)
            paid -= used
            if credit.amount > used:
                left.append((credit, credit.amount - used))
        return left

    def _worth(self, closing: EpochClosed) -> int:
        units = units_of(closing, self._account)
        if units and closing.first_round not in self._prices:
            raise WorkDiffers(
                f"the opening of round {closing.first_round}, by which epoch {closing.epoch} pays, is left out"
            )
        return worth_of(units, self._prices[closing.first_round]) if units else 0


def _check_joins(last: EpochClosed, entry: EpochClosed) -> None:
    """An epoch begins where the run's last one ended; one of late pay repeats its round."""
    if entry.epoch <= last.epoch or entry.first_round not in (last.last_round, last.last_round + 1):
        raise WorkDiffers(f"between epochs {last.epoch} and {entry.epoch} a closing of the run is left out")


def _told(credit: Credit, left: int) -> str:
    invoice = credit.invoice
    signers = ", ".join(invoice.signers)
    where = f"entry {credit.entry}, assessed in entry {credit.assessed}, signed by {signers}"
    return f"capital: {left} of {credit.amount} micro-USD of invoice {invoice.key} ({where})"
