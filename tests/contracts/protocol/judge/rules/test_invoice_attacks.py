"""Attacks on money spent on a run (ADR 61): votes, limits, restarts and forged entries around invoices."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest

from contracts.ids import as_address
from contracts.protocol.judge import chain_events
from contracts.protocol.judge.entries import EpochClosed, InvoicesAssessed
from contracts.protocol.judge.errors import Differs, Refused
from contracts.protocol.judge.machine import replay
from contracts.protocol.judge.rules import invoices
from contracts.protocol.judge.rules.labour import forget_old
from contracts.protocol.judge.snapshot import dump, restore
from contracts.protocol.judge.state import InvoiceState, RunState
from contracts.protocol.judge.terms import MEMORY_HOURS
from tests.contracts.protocol.judge.court import RUN
from tests.contracts.protocol.judge.rented import CONFIG, RENTERS, TOKEN, USD, Paying, Rented

pytestmark = pytest.mark.unit

PRICE = {"renter", "account", "machine", "nodes", "hour", "amount", "tokens"}
VOTES = {
    "capital_weight": ("0", "1", "30", "1000000"),
    "token_price": ("0", "1", "1000000", "1000000000000"),
    "payback_budget": ("0", "1", "5000000", "9007199254740991"),
    "compute_weight": ("1", "70"),
}


@pytest.mark.parametrize("seed", range(8))
def test_votes_and_limits_leave_every_sum_whole(seed: int) -> None:
    """An epoch with work is due its whole emission, whatever is voted or cut; a restart changes nothing."""
    rng = random.Random(seed)
    emission = rng.choice([0, 1, 7, 100, 100 * TOKEN, 2**128 - 1])
    town = Rented(emission=emission, config=replace(CONFIG, capital_cap=rng.choice([1, 10**7, 2**53 - 1])))
    hours: list[int] = []
    sequence = 0
    for _ in range(7):
        events: list[chain_events.ChainEvent] = []
        for _ in range(rng.randint(0, 2)):
            sequence += 1
            key = rng.choice(list(VOTES))
            events.append(chain_events.Decided(sequence, key, rng.choice(VOTES[key])))
        if rng.random() < 0.3:
            events.append(chain_events.EpochLimit(rng.choice([0, emission // 2, 2**128])))
        town.block(*events, seconds=1)
        hours.append(town.work(*sorted(rng.sample(RENTERS, rng.randint(3, 5)))))
        for _ in range(12):
            node, first = rng.choice(RENTERS), rng.choice(hours)
            amount = rng.choice([1, 30 * USD, 10**13])
            with suppress(Refused):
                town.hand(node, first, amount=amount, payback=rng.random() < 0.3)
        text = dump(town.state)
        town.state = restore(text, Paying())
        assert dump(town.state) == text
    closed = [entry for entry in town.log if isinstance(entry, EpochClosed)]
    assert all(entry.total == sum(line.amount for line in entry.lines) <= entry.due for entry in closed)
    assert all(sum(epoch.earned.values()) == emission for epoch in town.state.epochs.values())
    assert len(town.state.epochs) == 7
    assert all(amount > 0 for amount in town.state.runs[RUN].capital.values())
    town.audit()


def test_every_field_of_an_assessment_is_recomputed() -> None:
    """Whoever changes one number of it, or leaves it out, or writes it twice, is found by the audit."""
    town = Rented()
    hour = town.work()
    for node in RENTERS:
        town.hand(node, hour, payback=node == RENTERS[0])
    town.work()
    town.audit()
    index = next(i for i, entry in enumerate(town.log) if isinstance(entry, InvoicesAssessed))
    entry = town.log[index]
    assert isinstance(entry, InvoicesAssessed)
    forged = [replace(entry, **{name: _other(getattr(entry, name))}) for name in ("run", "capital", "payable")]
    forged.append(replace(entry, lines=entry.lines[1:]))
    forged.append(replace(entry, lines=entry.lines[::-1]))
    for field in fields(entry.lines[0]):
        line = replace(entry.lines[0], **{field.name: _other(getattr(entry.lines[0], field.name))})
        forged.append(replace(entry, lines=(line, *entry.lines[1:])))
    logs = [[*town.log[:index], other, *town.log[index + 1 :]] for other in forged]
    logs.append([*town.log[:index], *town.log[index + 1 :]])
    logs.append([*town.log[:index], entry, *town.log[index:]])
    logs.append([*town.log[:index], town.log[index + 1], entry, *town.log[index + 2 :]])
    for log in logs:
        with pytest.raises(Differs):
            replay(log, Paying())


def test_many_invoices_cost_an_epoch_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bill in lines of an hour each: every price is read once for all that wait, and little of it is remembered."""
    made: list[int] = []

    class Counted(Fraction):
        def __new__(cls, amount: int, tokens: int) -> Counted:
            made.append(tokens)
            return super().__new__(cls, amount, tokens)

    monkeypatch.setattr(invoices, "Fraction", Counted)
    town = Rented()
    hours = [town.work() for _ in range(4)]
    for hour in hours:
        for node in RENTERS:
            town.hand(node, hour)
    made.clear()
    town.work()
    assert len(town.assessed()[0].lines) == len(made) == 20
    run = town.state.runs[RUN]
    assert run.invoices == []
    assert all(set(json.loads(dump(town.state))["runs"][0][1]["prices"][0]) == PRICE for _ in run.prices)


def test_one_node_under_many_names_is_no_market() -> None:
    """A new renter's key and a new wallet in each hour cost nothing: an invoice that shares a node key is one's own."""
    town = Rented()
    for number in range(5):
        town.enrol(RENTERS[0], f"purse {number}", town.state.runs[RUN].round + 1, number + 2)
        town.work()
    paid = [(work.hour, work.account) for work in town.state.runs[RUN].worked[RENTERS[0]]]
    assert len({account for _, account in paid}) == 5
    for number, (hour, account) in enumerate(paid):
        renter = as_address(f"renter {number}")
        town.hand(RENTERS[0], hour, 900, renter=renter, account=account, machine=f"i-{number}")
    town.work()
    assert town.assessed() == []


def test_one_machine_under_many_names_is_no_market() -> None:
    """Nor is one rental that has another node key in each hour."""
    town = Rented()
    hours = [town.work() for _ in RENTERS]
    for node, hour in zip(RENTERS, hours, strict=True):
        town.hand(node, hour, 900, machine="i-1")
    town.work()
    assert town.assessed() == []


@pytest.mark.parametrize("shared", ["renter", "account", "nodes", "machine"])
def test_three_others_have_to_differ_in_all(shared: str) -> None:
    """Two machines whose hours are spread over many names are two, to whoever else asks for a price."""
    town = Rented()
    names = {name: len(RENTERS) for name in ("renter", "account", "nodes", "machine")} | {shared: 2}
    others = [
        InvoiceState(
            replace(
                town.invoice(RENTERS[0], 0),
                renter=as_address(f"r{number % names['renter']}"),
                account=as_address(f"a{number % names['account']}"),
                nodes=(as_address(f"k{number % names['nodes']}"),),
                machine=f"m{number % names['machine']}",
            ),
            number,
            0,
            64,
            0,
        )
        for number in range(len(RENTERS))
    ]
    town.state.runs[RUN].invoices = others
    mine = town.invoice(RENTERS[0], 0)
    assert invoices.Medians(town.state.runs[RUN]).of_others(mine) is None


def test_a_run_that_is_over_leaves_little_behind() -> None:
    """A state is for runs that go on: of the others it has the hours alone, as long as any invoice may name them."""
    town = Rented(config=replace(CONFIG, rounds=2))
    for hour in (town.work(), town.work()):
        for node in RENTERS:
            with suppress(Refused):
                town.hand(node, hour)
    for number, epoch in list(town.state.epochs.items()):
        town.block(chain_events.EpochFinal(number, 0, epoch.closed.root))
    run = town.state.runs[RUN]
    assert run.over
    assert (run.invoices, run.prices, run.capital) == ([], [], {})
    assert run.worked
    town.block(seconds=(MEMORY_HOURS + 2) * 3600)
    forget_old(town.state, RunState(run.created, run.config, "", ""))
    assert run.worked == {}
    town.audit()


@pytest.mark.parametrize("lines", [((0, 2),), ((0, 1), (1, 2)), ((1, 2), (0, 1))])
@pytest.mark.parametrize("apart", [False, True])
def test_a_bill_in_lines_is_worth_no_more(lines: tuple[tuple[int, int], ...], apart: bool) -> None:
    """Two hours cost 60 dollars and were paid 70: 20 of the first, and 50 of the second, in which few worked."""
    town = Rented()
    first, second = town.work(), town.work(*RENTERS[:2])
    for node in RENTERS[2:]:
        town.hand(node, first)
    town.hand(RENTERS[1], first, 60, end=second + 1)
    for start, end in lines:
        town.hand(RENTERS[0], first + start, 30 * (end - start), end=first + end, machine="i-1")
        if apart and lines[0] != (0, 1):
            town.work()
    last = town.work()
    credited = sum(line.credited for entry in town.assessed() for line in entry.lines if line.account == "wallet of n0")
    assert credited == 0
    assert town.state.runs[RUN].overpaid["lambda\ni-1"][0] == 10 * USD
    town.hand(RENTERS[0], last, machine="i-1")
    town.work()
    (line,) = town.assessed()[-1].lines
    assert line.credited == 30 * USD - line.earned - 10 * USD, "a third hour's, less 10 of those before"
    assert "lambda\ni-1" not in town.state.runs[RUN].overpaid
    town.audit()


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value}x"
