"""Breaks of I6 where money comes in by what machines cost."""

from __future__ import annotations

from dataclasses import replace

from contracts.ids import as_address
from contracts.protocol.judge.entries import EpochClosed, InvoicesAssessed
from contracts.protocol.judge.facts import Invoiced
from tests.adversary.history import History
from tests.adversary.invariants import capital, shares
from tests.adversary.invariants.examples.edit import Case, append, at, change, entry
from tests.adversary.invariants.examples.stories_of_money import rented
from tests.adversary.invariants.shares import COMPUTE


def _billed(h: History, **fields: object) -> None:
    """One more invoice at the end, which nothing assesses."""
    append(h, replace(entry(h, Invoiced, -1), key="one more", **fields))


def _signed_by(h: History, *left_out: str) -> None:
    place = at(h, Invoiced, -1)
    bill = entry(h, Invoiced, -1)
    signers = tuple(name for name in bill.signers if name not in {getattr(bill, field, field) for field in left_out})
    change(h, place, signers=signers)


def _assessed(h: History, by: int, amount: int = 0) -> None:
    """The last line, of a payback, is worth more, or of another bill."""
    last = entry(h, InvoicesAssessed, -1)
    line = last.lines[-1]
    assert line.payback, "no pay follows from it"
    changed = replace(line, credited=line.credited + by, amount=line.amount + amount)
    change(h, at(h, InvoicesAssessed, -1), lines=(*last.lines[:-1], changed), payable=last.payable + by)


def _capital(h: History, by: int) -> None:
    """An account has more capital than it was credited, at the cost of another's work."""
    closed = entry(h, EpochClosed, -1)
    more = next(line for line in closed.lines if line.kind == COMPUTE + 2)
    less = next(line for line in closed.lines if line.kind == COMPUTE and line.account != more.account)
    moved = {more: more.amount + by, less: less.amount - by}
    lines = tuple(replace(line, amount=moved.get(line, line.amount)) for line in closed.lines)
    change(h, at(h, EpochClosed, -1), lines=lines)


def _weightless(h: History) -> None:
    assert h.capital is not None, "it takes invoices"
    h.capital = (0, *h.capital[1:])


CASES = (
    Case(capital.invoices_are_vouched, rented, lambda h: _signed_by(h, "maintainer")),
    Case(capital.invoices_are_vouched, rented, lambda h: _signed_by(h, "renter")),
    Case(capital.invoices_are_vouched, rented, lambda h: _signed_by(h, "account")),
    Case(capital.hours_are_billed_once, rented, _billed),
    Case(capital.hours_are_billed_once, rented, lambda h: _billed(h, machine="another")),
    Case(capital.bills_are_for_paid_work, rented, lambda h: _billed(h, machine="x", first=10**6, end=10**6 + 1)),
    Case(capital.bills_are_for_paid_work, rented, lambda h: _billed(h, machine="x", nodes=(as_address("n9"),))),
    Case(capital.capital_has_a_weight, rented, _weightless),
    Case(capital.invoices_are_assessed_once, rented, lambda h: _assessed(h, 0, amount=1)),
    Case(capital.worth_follows_from_others, rented, lambda h: _assessed(h, 500)),
    Case(capital.cap_and_budget_hold, rented, lambda h: change(h, at(h, InvoicesAssessed, -1), capital=0)),
    Case(capital.cap_and_budget_hold, rented, lambda h: setattr(h, "capital", (1, 100, 10_000))),
    Case(capital.cap_and_budget_hold, rented, lambda h: setattr(h, "capital", (1, 10_000, 100))),
    Case(shares.pay_stays_with_who_earned_it, rented, lambda h: _capital(h, 40)),
)
