"""Invoices for rented machines: what of a renter's cost is worth something beside the pay of its nodes (ADR 61).

taken: signed by renter, account and a quorum, hours of paid work that no invoice has named
  └── enough others gave a price, and an epoch closes ──▶ assessed: credited as capital, or to be paid back
  └── nobody did, for 45 days ──▶ assessed as nothing

Amounts are whole micro-USD. All that is assessed together is assessed alike, in whatever order it was entered.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate

from contracts.ids import Address, RunId
from contracts.protocol.judge.entries import Assessed, InvoicesAssessed
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime, RunEnded
from contracts.protocol.judge.facts import Invoiced
from contracts.protocol.judge.rules.labour import HOUR, claimed, forget_claimed, hour_now
from contracts.protocol.judge.rules.presence import live_run
from contracts.protocol.judge.state import InvoiceState, Phase, Price, RoundState, RunState, State
from contracts.protocol.judge.terms import LEAST_OTHERS, MEMORY_HOURS, MOST_FUNDED, MOST_INVOICES, MOST_OF_ONE
from contracts.protocol.payout_shares import split

MOST_NODES = 64
"""Node keys of one machine."""
LARGEST_BILL = 10**13
"""Micro-USD: ten million dollars for one machine are a slip."""


def take_invoice(state: State, fact: Invoiced) -> None:
    """An invoice whose hours lie behind, whose work closed epochs paid, and that no other names. Raises Refused."""
    run = live_run(state, fact.run)
    _check_shape(fact)
    if not state.functions.capital(run.config).price:
        raise NotBound("the run takes no invoices: its configuration has no token_price")
    _check_signers(state, run, fact)
    _check_hours(state, run, fact)
    _check_capital(state, run, fact)
    _check_room(run, fact)
    for name in names_of(fact):
        _check_unused(state, name, fact)
    _check_settled(state, run, fact)
    _check_work(state, run, fact)
    work = claimed(run.worked, fact)
    tokens = sum(part.tokens for part in work)
    value = sum(part.value for part in work)
    forget_claimed(run, fact)
    for name in names_of(fact):
        state.hired.setdefault(name, []).append((fact.first, fact.end))
    run.invoices.append(InvoiceState(fact, state.size - 1, hour_now(state), tokens, value))
    state.touched_runs[fact.run] = None


def _check_shape(fact: Invoiced) -> None:
    if not fact.nodes or len(fact.nodes) > MOST_NODES or list(fact.nodes) != sorted(set(fact.nodes)):
        raise NotBound(f"an invoice names between 1 and {MOST_NODES} nodes, sorted, each once")
    if not 0 < fact.end - fact.first <= MEMORY_HOURS:
        raise NotBound(f"an invoice is for between 1 and {MEMORY_HOURS} whole hours")
    if not 1 <= fact.amount <= LARGEST_BILL:
        raise NotBound(f"an invoice is for between 1 and {LARGEST_BILL} micro-USD")


def _check_signers(state: State, run: RunState, fact: Invoiced) -> None:
    """Renter and account sign, and a quorum of maintainers who are neither: nobody vouches for itself, and nobody uses
    up an hour of another's nodes (ADR 66)."""
    for kind, name in (("renter", fact.renter), ("account", fact.account)):
        if name not in fact.signers:
            raise NotSeated(f"the {kind} {name} has not signed")
    own = {fact.renter.lower(), fact.account.lower()}
    others = tuple(name for name in fact.signers if name.lower() not in own)
    state.functions.check_quorum(run.config, others)


def _check_hours(state: State, run: RunState, fact: Invoiced) -> None:
    now = hour_now(state)
    if fact.end > now:
        raise OutOfTime(f"hour {fact.end - 1} is not over: the last block is of hour {now}")
    if fact.first < now - MEMORY_HOURS:
        raise OutOfTime(f"an invoice is taken until {MEMORY_HOURS} hours after its first one")
    if not run.began or fact.first < run.began // HOUR:
        raise NotBound("the run's first round had not opened in the invoice's first hour")
    if fact.first < state.remembered:
        raise NotBound(f"a token had no price before hour {state.remembered}, and nobody remembers what work was paid")


def _check_capital(state: State, run: RunState, fact: Invoiced) -> None:
    terms = state.functions.capital(run.config)
    if fact.payback and run.payable >= terms.budget:
        raise OutOfTime(f"the holders' payback_budget of {terms.budget} micro-USD is used up")
    if fact.payback:
        return
    if _credits_nothing(state, run):
        raise RunEnded("the run's last epoch is closed")
    if run.funded >= terms.cap:
        raise OutOfTime(f"the manifest's capital_cap of {terms.cap} micro-USD is reached")


def _check_room(run: RunState, fact: Invoiced) -> None:
    waiting = run.invoices
    if len(waiting) >= MOST_INVOICES or sum(_is_own(fact, other.fact) for other in waiting) >= MOST_OF_ONE:
        raise OutOfTime(
            f"{MOST_INVOICES} invoices may wait, {MOST_OF_ONE} of them of one renter; the next epoch has room"
        )
    funded = {invoice.fact.account for invoice in waiting if not invoice.fact.payback} | set(run.capital)
    if not fact.payback and len(funded) >= MOST_FUNDED and fact.account not in funded:
        raise OutOfTime(f"{MOST_FUNDED} accounts' capital is not paid yet")


def names_of(fact: Invoiced) -> list[str]:
    """What an invoice is for: keys, and the machine as its provider calls it, however it is spelled."""
    return [*fact.nodes, f"{fact.provider}\n{fact.machine}".lower()]


def _check_unused(state: State, name: str, fact: Invoiced) -> None:
    for first, end in state.hired.get(name, ()):
        if fact.first < end and first < fact.end:
            label = name.replace("\n", " ")
            raise AlreadySaid(f"hour {max(first, fact.first)} of {label} is on another invoice")


def _check_settled(state: State, run: RunState, fact: Invoiced) -> None:
    """All work of the hours is decided and in a closed epoch: who claims in between would leave out what it earned.
    Of another run as well, which may pay the same machine."""
    late = [n for n, current in run.rounds.items() if n > run.paid and current.opened_at // HOUR < fact.end]
    if late:
        raise OutOfTime(f"round {min(late)}, which opened in these hours, is in no closed epoch")
    hours = range(fact.first, fact.end)
    nodes = set(fact.nodes)
    for proof in state.proofs.values():
        is_its = proof.commitment.node in nodes and state.round_of(proof).opened_at // HOUR in hours
        if is_its and not proof.done:
            raise OutOfTime(f"proof {proof.commitment.proof} of these hours is not decided")
    for name, other in state.runs.items():
        if any(work.node in nodes and work.hour in hours for work in other.posted):
            raise OutOfTime(f"work of these hours was posted in run {name} since its last epoch closed")
        current = other.rounds.get(other.round)
        if current is not None and current.opened_at // HOUR in hours and _may_commit(current, nodes):
            raise OutOfTime(f"round {current.number} of run {name} opened in these hours, and takes its nodes' work")


def _may_commit(current: RoundState, nodes: set[Address]) -> bool:
    return current.phase is Phase.OPEN and any(node in current.listed for node in nodes - current.proofs.keys())


def _check_work(state: State, run: RunState, fact: Invoiced) -> None:
    """Each node worked in these hours, for the account alone, and in this run alone: all that a machine earned is
    beside what it cost."""
    for node in fact.nodes:
        if not any(fact.first <= work.hour < fact.end for work in run.worked.get(node, ())):
            raise NotBound(f"no verified work of {node} is in these hours, or an invoice has named it")
    for work in claimed(run.worked, fact):
        if work.account.lower() != fact.account.lower():
            raise NotBound(f"work of hour {work.hour} was paid at {work.account}")
        if not work.priced:
            raise NotBound(f"a token had no price when work of hour {work.hour} began")
        if not fact.payback and not work.counts:
            raise NotBound(f"capital had no weight when work of hour {work.hour} began")
    for name, other in state.runs.items():
        if name != fact.run and claimed(other.worked, fact):
            raise NotBound(f"a node worked for run {name}, too, in these hours")


def due_assessment(state: State, name: RunId, run: RunState) -> InvoicesAssessed | None:
    """What is assessed before an epoch closes: invoices with a price of others, and those that waited in vain."""
    too_old = hour_now(state) - MEMORY_HOURS
    waiting = [each for each in run.invoices if each.fact.payback or not _credits_nothing(state, run)]
    if not waiting:
        return None
    medians = Medians(run)
    lines: list[Assessed] = []
    for invoice in waiting:
        median = medians.of_others(invoice.fact)
        if median is not None:
            lines.append(_assessed(invoice, median))
        elif invoice.hour < too_old:
            lines.append(_assessed(invoice, (0, 0)))
    if not lines:
        return None
    terms = state.functions.capital(run.config)
    lines = _netted(run, lines)
    paybacks = {line.entry for line in lines if line.payback}
    capitals = {line.entry for line in lines if not line.payback}
    lines = _within(lines, max(0, terms.cap - run.funded), capitals)
    lines = _within(lines, max(0, terms.budget - run.payable), paybacks)
    capital = run.funded + sum(line.credited for line in lines if not line.payback)
    payable = run.payable + sum(line.credited for line in lines if line.payback)
    return InvoicesAssessed(name, tuple(lines), capital, payable)


def on_assessed(state: State, entry: InvoicesAssessed) -> None:
    """Capital is paid from the epoch on that closes next; a payback is the holders' to vote on. The invoices go on
    giving others a price."""
    run = state.runs[entry.run]
    assessed = {line.entry for line in entry.lines}
    for machine, lines in _by_machine(run, entry.lines).items():
        overpaid = -_balance(run, machine, lines)
        run.overpaid.pop(machine, None)
        if overpaid > 0:
            run.overpaid[machine] = (overpaid, hour_now(state))
    run.prices += [_price_of(invoice) for invoice in run.invoices if invoice.entry in assessed]
    run.invoices = [invoice for invoice in run.invoices if invoice.entry not in assessed]
    for line in entry.lines:
        if line.credited and not line.payback:
            run.capital[line.account] = run.capital.get(line.account, 0) + line.credited
    run.funded = entry.capital
    run.payable = entry.payable
    state.touched_runs[entry.run] = None


def _price_of(invoice: InvoiceState) -> Price:
    fact = invoice.fact
    *nodes, machine = (name.lower() for name in names_of(fact))
    return Price(
        fact.renter.lower(), fact.account.lower(), machine, tuple(nodes), invoice.hour, fact.amount, invoice.tokens
    )


class Medians:
    """The prices of a run in their order: sorted once, however many invoices wait."""

    def __init__(self, run: RunState) -> None:
        prices = [*run.prices, *map(_price_of, run.invoices)]
        self._prices = sorted(((Fraction(one.amount, one.tokens), one) for one in prices), key=lambda priced: priced[0])
        self._tokens = sum(one.tokens for one in prices)

    def of_others(self, own: Invoiced) -> tuple[int, int] | None:
        """The price (micro-USD, tokens; in lowest terms) at which or below half of the others' verified tokens were
        bought; None where the others are too few, or have less work than the renter itself.

        Tokens have the weight, and not invoices: who splits a bill, or makes up renters, moves nothing without work.
        """
        mine = _parties(own)
        others = [(price, one) for price, one in self._prices if mine.isdisjoint(_named(one))]
        weight = sum(one.tokens for _, one in others)
        if _least_parties([one for _, one in others]) < LEAST_OTHERS or 2 * weight < self._tokens:
            return None
        below = accumulate(one.tokens for _, one in others)
        price = next(price for (price, _), tokens in zip(others, below, strict=True) if 2 * tokens >= weight)
        return price.numerator, price.denominator


def _least_parties(prices: list[Price]) -> int:
    """Parties that there are at least names of in each kind: a new key or wallet an hour makes no second one."""
    kinds = ({one.renter for one in prices}, {one.account for one in prices}, {one.machine for one in prices})
    return min(*map(len, kinds), len({node for one in prices for node in one.nodes}))


def _named(one: Price) -> tuple[str, ...]:
    return one.renter, one.account, one.machine, *one.nodes


def _parties(one: Invoiced) -> set[str]:
    """All by which an invoice may be somebody's own, in lower case."""
    return {one.renter.lower(), one.account.lower(), *(name.lower() for name in names_of(one))}


def _is_own(first: Invoiced, second: Invoiced) -> bool:
    """Whether two invoices may be of one party: of one renter, wallet, node key or machine."""
    return not _parties(first).isdisjoint(_parties(second))


def _assessed(invoice: InvoiceState, median: tuple[int, int]) -> Assessed:
    fact = invoice.fact
    amount, tokens = median
    bought = invoice.tokens * amount // tokens if tokens else 0
    credited = max(0, min(fact.amount, bought) - invoice.value)
    facts = (fact.key, invoice.entry, fact.account, fact.payback, fact.amount)
    return Assessed(*facts, invoice.tokens, amount, tokens, invoice.value, credited)


def _netted(run: RunState, lines: list[Assessed]) -> list[Assessed]:
    """A machine's hours that were paid more than they cost are taken off its other ones: who bills each hour by itself
    is credited no more than who bills them together."""
    for machine, own in _by_machine(run, lines).items():
        lines = _within(lines, max(0, _balance(run, machine, own)), {line.entry for line in own})
    return lines


def _by_machine(run: RunState, lines: Iterable[Assessed]) -> dict[str, list[Assessed]]:
    machines = {invoice.entry: names_of(invoice.fact)[-1] for invoice in run.invoices}
    found: dict[str, list[Assessed]] = {}
    for line in lines:
        found.setdefault(machines[line.entry], []).append(line)
    return found


def _balance(run: RunState, machine: str, lines: list[Assessed]) -> int:
    """The cost at others' price, less all that the work was paid (micro-USD), of these and of earlier invoices."""
    bought = [min(line.amount, line.tokens * line.median_amount // (line.median_tokens or 1)) for line in lines]
    earned = sum(line.earned for line in lines if line.median_tokens)
    return sum(bought) - earned - run.overpaid.get(machine, (0, 0))[0]


def _within(lines: list[Assessed], left: int, entries: Container[int]) -> list[Assessed]:
    """Where less is left than is wanted, these invoices have their part of it."""
    wanted = {str(line.entry): line.credited for line in lines if line.entry in entries}
    if sum(wanted.values()) <= left:
        return lines
    parts = split(left, wanted)
    return [replace(line, credited=parts.get(str(line.entry), line.credited)) for line in lines]


def _credits_nothing(state: State, run: RunState) -> bool:
    """Whether no later epoch has an emission."""
    return run.paid == run.round >= state.functions.rounds(run.config) and run.round > 0
