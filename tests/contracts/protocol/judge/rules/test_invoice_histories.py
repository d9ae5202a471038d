"""Renters at random, honest and not, against an account that is kept apart from the machine (ADR 61).

The account knows the log alone: facts, entries, and the terms of the configuration. It recomputes who worked when, what
each hour was paid, what others paid, and what may be credited, in fractions, and says where the machine gave more.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest

from contracts.ids import Address, ProofId
from contracts.protocol.judge.entries import Assessed, EpochClosed, InvoicesAssessed, Posted, RoundOpened
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.facts import Block, Committed, Invoiced
from tests.contracts.protocol.judge.rented import CONFIG, RENTERS, TOKEN, USD, Rented

pytestmark = pytest.mark.unit

Hour = tuple[str, int]
"""Node and hour."""


@dataclass
class Account:
    """All that a reader of the log knows; `check` reads the next entry."""

    town: Rented
    time: int = 0
    opened: dict[int, int] = field(default_factory=dict)
    by_proof: dict[ProofId, tuple[Address, int]] = field(default_factory=dict)
    fresh: list[tuple[Hour, str, int]] = field(default_factory=list)
    tokens: Counter[Hour] = field(default_factory=Counter)
    value: dict[Hour, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    closed: set[int] = field(default_factory=set)
    used: set[Hour] = field(default_factory=set)
    machines: set[tuple[str, str, int]] = field(default_factory=set)
    invoices: dict[str, tuple[Invoiced, int, Fraction]] = field(default_factory=dict)
    credited: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)

    def read(self) -> None:
        """Raises AssertionError where the machine gave what nobody may have."""
        for index, entry in enumerate(self.town.log):
            if isinstance(entry, Block):
                self.time = entry.time
            elif isinstance(entry, RoundOpened):
                self.opened[entry.round] = self.time // 3600
            elif isinstance(entry, Committed):
                self.by_proof[entry.proof] = (entry.node, entry.round)
            elif isinstance(entry, Posted):
                node, number = self.by_proof[entry.proof]
                self.fresh.append(((node, self.opened[number]), entry.account, entry.tokens))
            elif isinstance(entry, Invoiced):
                self._invoice(entry)
            elif isinstance(entry, InvoicesAssessed):
                self._assess(entry, index)
            elif isinstance(entry, EpochClosed) and entry.epoch not in self.closed:  # else a root that came too late
                self.closed.add(entry.epoch)
                self._close(entry)

    def _invoice(self, entry: Invoiced) -> None:
        hours = {(node, hour) for node in entry.nodes for hour in range(entry.first, entry.end)}
        machines = {(entry.provider, entry.machine, hour) for hour in range(entry.first, entry.end)}
        assert not hours & self.used, "an hour twice"
        assert not machines & self.machines, "a machine twice"
        assert entry.end * 3600 <= self.time
        self.used |= hours
        self.machines |= machines
        tokens = sum(self.tokens[hour] for hour in hours)
        assert tokens, "an invoice for no work"
        self.invoices[entry.key] = (entry, tokens, sum((self.value[hour] for hour in hours), Fraction(0)))

    def _assess(self, entry: InvoicesAssessed, index: int) -> None:
        for line in entry.lines:
            fact, tokens, value = self.invoices[line.key]
            assert (line.account, line.amount, line.tokens) == (fact.account, fact.amount, tokens)
            most = min(Fraction(fact.amount), self._bought(line, fact, tokens)) - value
            assert line.credited <= max(Fraction(0), most), index
            if not line.payback:
                self.credited[line.account] += line.credited
        assert entry.capital == sum(self.credited.values()) <= CONFIG.capital_cap
        assert entry.payable <= CONFIG.payback_budget

    def _bought(self, line: Assessed, fact: Invoiced, tokens: int) -> Fraction:
        """The tokens at a price that others paid, as much of it above as below."""
        others = [(Fraction(f.amount, n), n) for f, n, _ in self.invoices.values() if f.renter != fact.renter]
        price = Fraction(line.median_amount, line.median_tokens or 1)
        weight = sum(n for _, n in others)
        assert line.median_tokens == 0 or len({f.renter for f, _, _ in self.invoices.values()}) > 3
        assert 2 * sum(n for p, n in others if p < price) <= weight
        return price * tokens

    def _close(self, entry: EpochClosed) -> None:
        pay: Counter[str] = Counter()
        for line in entry.lines:
            pay[line.account] += line.amount if line.kind == 0 else 0
            self.paid[line.account] += line.amount if line.kind == 2 else 0
        whole: Counter[str] = Counter()
        for _, account, tokens in self.fresh:
            whole[account.lower()] += tokens
        for hour, account, tokens in self.fresh:
            self.tokens[hour] += tokens
            self.value[hour] += Fraction(pay[account.lower()] * tokens * USD, whole[account.lower()] * TOKEN)
        self.fresh = []
        for account, units in self.paid.items():
            worth = {name.lower(): amount for name, amount in self.credited.items()}
            assert Fraction(units * USD, TOKEN) <= worth.get(account, 0), "more tokens than the credit is worth"


@pytest.mark.parametrize("seed", range(6))
def test_no_renter_is_credited_more_than_an_account_allows(seed: int) -> None:
    """Splits, overlaps, second keys, false amounts, other people's machines, hours to come: whatever comes in."""
    rng = random.Random(seed)
    town = Rented(config=replace(CONFIG, capital_cap=rng.choice([30, 1_000]) * USD))
    hours: list[int] = []
    taken = refused = 0
    for _ in range(5):
        hours.append(town.work(*sorted(rng.sample(RENTERS, rng.randint(3, 5)))))
        for _ in range(14):
            node, first = rng.choice(RENTERS), rng.choice(hours)
            changes = {
                "end": first + rng.choice([1, 1, 1, 2, 3]),
                "payback": rng.random() < 0.2,
                "machine": f"machine of {rng.choice([node, *RENTERS])}",
                "nodes": tuple(sorted({node, rng.choice([node, node, node, *RENTERS])})),
            }
            try:
                town.hand(node, first, rng.choice([1, 22, 28, 30, 35, 900]), **changes)
                taken += 1
            except Refused:
                refused += 1
    town.work()
    assert taken > 3
    assert refused > 3
    Account(town).read()
    town.audit()
