"""I6, where money comes in by what machines cost: no hour twice, nobody else's, never above price, cap or budget.

A unit is worth a millionth of a dollar in these histories, and no limit cuts their epochs: the pay of work is read from
the first closing of each epoch. That an account has no more capital than was credited is said with all other pay
(tests/adversary/invariants/shares.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from contracts.protocol.judge.entries import Assessed, Posted
from contracts.protocol.judge.facts import Invoiced
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.shares import COMPUTE
from tests.adversary.invariants.views import At, Run

HOUR = 3600
OTHERS = 3
"""Renters, accounts, machines and keys beside one's own that a price needs."""


def _bills(reading: Reading) -> Iterator[tuple[Run, int, Invoiced]]:
    for run in reading.runs.values():
        for index, bill in run.invoiced:
            yield run, index, bill


def _machine(bill: Invoiced) -> str:
    return f"{bill.provider} {bill.machine}".lower()


def _posts(reading: Reading, run: Run, bill: Invoiced) -> Iterator[At[Posted]]:
    """All posted work of the bill's nodes in its hours, in one run."""
    for proof, committed, round_ in reading.committed():
        if proof.posted is None or committed.node not in bill.nodes or committed.run != run.name or not round_.opened:
            continue
        if bill.first <= reading.opened_at(proof) // HOUR < bill.end:
            yield proof.posted


def invoices_are_vouched(reading: Reading) -> Iterator[Breach]:
    """Renter and account sign, and a maintainer who is neither."""
    known = reading.history.maintainers
    for _, index, bill in _bills(reading):
        own = {bill.renter, bill.account}
        if not own <= set(bill.signers) or not (set(bill.signers) - own) & known:
            yield index, f"{bill.key} is taken with the signatures of {bill.signers}"


def hours_are_billed_once(reading: Reading) -> Iterator[Breach]:
    """No two invoices of the model name an hour of one key or of one machine."""
    named = set[tuple[str, int]]()
    for _, index, bill in sorted(_bills(reading), key=lambda found: found[1]):
        hours = {(name, hour) for name in (*bill.nodes, _machine(bill)) for hour in range(bill.first, bill.end)}
        if named & hours:
            yield index, f"{bill.key} bills an hour again: {min(named & hours)}"
        named |= hours


def bills_are_for_paid_work(reading: Reading) -> Iterator[Breach]:
    """The hours are over. Each key worked in them, for the account alone and in this run alone, and all of that work is
    in a closed epoch. Nothing of it is posted later."""
    for run, index, bill in _bills(reading):
        block = reading.block(index)
        posts = list(_posts(reading, run, bill))
        closed = [at for at, _ in run.closings if at < index]
        others = [at for other in reading.runs.values() if other is not run for at, _ in _posts(reading, other, bill)]
        if block is None or block.time < bill.end * HOUR:
            yield index, f"{bill.key} bills an hour that is not over"
        if any(post.account != bill.account for _, post in posts) or any(at < index for at in others):
            yield index, f"{bill.key} bills work that was paid elsewhere"
        if not closed or any(at > closed[-1] for at, _ in posts):
            yield index, f"{bill.key} bills work that no epoch had paid"
        for node in bill.nodes:
            if not any(reading.proof(post.proof).committed[0][1].node == node for _, post in posts):
                yield index, f"{bill.key} names {node}, which did not work in its hours"


def capital_has_a_weight(reading: Reading) -> Iterator[Breach]:
    """Where capital has no weight no cost becomes capital."""
    terms = reading.history.capital
    for _, index, bill in _bills(reading):
        if terms is None or (not terms[0] and not bill.payback):
            yield index, f"{bill.key} is taken as capital, which has no weight"


def invoices_are_assessed_once(reading: Reading) -> Iterator[Breach]:
    """An assessment is of an invoice before it, as that was signed."""
    for run in reading.runs.values():
        known = dict(run.invoiced)
        for index, entry in run.assessed:
            for line in entry.lines:
                bill = known.pop(line.entry, None) if line.entry < index else None
                said = (line.key, line.account, line.payback, line.amount)
                if bill is None or said != (bill.key, bill.account, bill.payback, bill.amount):
                    yield index, f"{line.key} is assessed again, or is another invoice than entry {line.entry}"


def worth_follows_from_others(reading: Reading) -> Iterator[Breach]:
    """Credited is no more than the bill and than its tokens at others' price, less what the same work was paid; and of
    a machine's invoices together no more, with those of before, than all of them cost beyond their pay."""
    for run in reading.runs.values():
        bills = dict(run.invoiced)
        overpaid = Counter[str]()
        for index, entry in run.assessed:
            machines = dict[str, list[tuple[Assessed, Fraction]]]()
            for line in entry.lines:
                bill = bills.get(line.entry)
                if bill is None:
                    continue
                left = _left(reading, run, index, bill)
                machines.setdefault(_machine(bill), []).append((line, left))
                if line.credited > max(Fraction(0), left):
                    yield index, f"{line.key} is credited {line.credited}, and {float(left)} are left of it"
            for machine, lines in machines.items():
                whole = sum((left for _, left in lines), Fraction(0)) - overpaid[machine]
                overpaid[machine] = max(0, -int(whole))
                if sum(line.credited for line, _ in lines) > max(Fraction(0), whole) + len(lines):
                    yield index, f"the hours of {machine} are credited more than the {float(whole)} that they cost"


def _left(reading: Reading, run: Run, index: int, bill: Invoiced) -> Fraction:
    """What is left of a bill, at others' price, beside its pay; nothing where others give none."""
    posts = list(_posts(reading, run, bill))
    tokens, paid = sum(post.tokens for _, post in posts), sum((_pay(run, *post) for post in posts), Fraction(0))
    price = _price(reading, run, index, bill)
    return (min(Fraction(bill.amount), tokens * price) - paid) if price is not None else Fraction(0)


def _pay(run: Run, index: int, post: Posted) -> Fraction:
    """An account's compute of the epoch, by tokens: the first closing after the post pays it."""
    closings = [at for at, _ in run.closings]
    start = max((at for at in closings if at < index), default=-1)
    closed = next((closing for at, closing in run.closings if at > index), None)
    if closed is None:
        return Fraction(0)
    end = next(at for at in closings if at > index)
    tokens = sum(other.tokens for at, other in run.posted if start < at < end and other.account == post.account)
    units = sum(line.amount for line in closed.lines if (line.kind, line.account) == (COMPUTE, post.account))
    return Fraction(units * post.tokens, tokens)


def _price(reading: Reading, run: Run, index: int, bill: Invoiced) -> Fraction | None:
    """The median by tokens of what others paid: three of them at least, with half of all billed work."""
    known = [other for at, other in run.invoiced if at < index]
    bought = [(other, sum(post.tokens for _, post in _posts(reading, run, other))) for other in known]
    others = [(other, tokens) for other, tokens in bought if not _names(other) & _names(bill) and tokens]
    weight = sum(tokens for _, tokens in others)
    kinds: list[set[str]] = [{other.renter for other, _ in others}, {other.account for other, _ in others}]
    kinds.append({_machine(other) for other, _ in others})
    if min(len(kind) for kind in kinds) < OTHERS or 2 * weight < sum(tokens for _, tokens in bought):
        return None
    below = 0
    for price, tokens in sorted((Fraction(other.amount, tokens), tokens) for other, tokens in others):
        below += tokens
        if 2 * below >= weight:
            return price
    return None


def _names(bill: Invoiced) -> set[str]:
    return {bill.renter, bill.account, _machine(bill), *bill.nodes}


def cap_and_budget_hold(reading: Reading) -> Iterator[Breach]:
    """All that was ever credited is within the cap, and all that may be paid back within the budget; an entry says how
    much each is by now."""
    for run in reading.runs.values():
        _, cap, budget = reading.history.capital or (0, 0, 0)
        sums = [0, 0]
        for index, entry in run.assessed:
            for line in entry.lines:
                sums[line.payback] += line.credited
            if (entry.capital, entry.payable) != tuple(sums) or sums[0] > cap or sums[1] > budget:
                yield index, f"{sums[0]} of {cap} are credited, and {sums[1]} of {budget} may be paid back"


CONDITIONS = (
    invoices_are_vouched,
    hours_are_billed_once,
    bills_are_for_paid_work,
    capital_has_a_weight,
    invoices_are_assessed_once,
    worth_follows_from_others,
    cap_and_budget_hold,
)
