"""A run whose nodes work on rented machines: one round an epoch, an hour each, and invoices for them.

Five nodes, each of its own renter and wallet; an epoch emits 100 tokens, of which each node has 20, at a dollar each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from contracts.ids import NO_PROOF, Address, as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Derived, EpochClosed, InvoicesAssessed, Line
from contracts.protocol.judge.functions import CapitalTerms
from contracts.protocol.judge.machine import apply, due, replay
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.rules.labour import HOUR, hour_now
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.judge.court import CREATOR, MAINTAINER, RUN, V0, V1, Court, Plain

USD = 10**6
TOKEN = 10**18
RENTERS = tuple(as_address(f"n{i}") for i in range(5))
CONFIG = replace(
    RunConfig(),
    rounds=50,
    code_weight=0,
    data_weight=0,
    capital_weight=30,
    capital_cap=1_000 * USD,
    token_price=USD,
    payback_budget=1_000 * USD,
)


class Paying(Plain):
    """The protocol's configurations and lines."""

    _protocol = Protocol(31337, as_address("0x" + "11" * 20), b"m" * 32, CREATOR)

    def rounds(self, config: str) -> int:
        return self._protocol.rounds(config)

    def decide(self, config: str, key: str, value: str) -> str:
        return self._protocol.decide(config, key, value)

    def capital(self, config: str) -> CapitalTerms:
        return self._protocol.capital(config)

    def lines(
        self, epoch: int, config: str, contributed: dict[int, dict[Address, int]], total: int
    ) -> tuple[Line, ...]:
        return self._protocol.lines(epoch, config, contributed, total)


class Rented(Court):
    """`work` plays a round in an hour of its own, `invoice` makes a cost of it, `hand` enters one."""

    def __init__(self, config: RunConfig | str = CONFIG, nodes: Sequence[Address] = RENTERS, **terms: Any) -> None:
        given = {"emission": 100 * TOKEN, "node_stake": 0, "min_nodes": len(nodes)} | terms
        self._functions = Plain() if isinstance(config, str) else Paying()
        super().__init__(config if isinstance(config, str) else config.to_json(), **given)
        for node in nodes[2:]:
            self.enrol(node)
        self.nodes = tuple(nodes)

    def enter(self, fact: facts.Fact) -> list[Derived]:
        if self.state.size == 0:
            self.state.functions = self._functions
        apply(self.state, fact)
        found = due(self.state)
        self.log += [fact, *found]
        return found

    def audit(self) -> None:
        replay(self.log, self._functions)

    def enrol(self, node: Address, wallet: str = "", number: int = 1, sequence: int = 1) -> None:
        """A node comes, or is paid elsewhere from a round on."""
        wallet = wallet or f"wallet of {node}"
        self.enter(facts.Enrolled(RUN, node, as_address(wallet), number, "exact", sequence))

    @property
    def hour(self) -> int:
        """The hour of the open round."""
        return self.round.opened_at // HOUR

    def work(self, *nodes: Address, post: bool = True) -> int:
        """A round in which these nodes work, all without names; returns its hour. The next one is an hour later."""
        nodes = nodes or self.nodes
        hour = self.hour
        proofs = tuple(self.commit(node) for node in nodes)
        self.has(*proofs)
        for node in [n for n, listed in self.round.listed.items() if listed.awaited and n not in nodes]:
            self.lapse(facts.What.COMMITMENT, NO_PROOF, node, by=(V0, V1))
        self.seen()
        self.block()
        self.secret(V0, "1")
        self.secret(V1, "2")
        for proof in proofs:
            self.open(proof)
            if post:
                self.post(proof)
        if post:
            self.block(seconds=HOUR)
            self.merge()
        return hour

    def invoice(self, node: Address, hour: int, dollars: int = 30, **changes: Any) -> facts.Invoiced:
        """A renter's cost of one machine in one hour."""
        base = facts.Invoiced(
            run=RUN,
            key=f"{node} {hour} {dollars} {sorted(changes.items())}",
            renter=as_address(f"renter of {node}"),
            account=as_address(f"wallet of {node}"),
            provider="lambda",
            machine=f"machine of {node}",
            bill="bill",
            nodes=(node,),
            first=hour,
            end=hour + 1,
            amount=dollars * USD,
            payback=False,
            signers=(),
        )
        fact = replace(base, **changes)
        return fact if fact.signers else replace(fact, signers=(MAINTAINER, fact.renter, fact.account))

    def hand(self, node: Address, hour: int, dollars: int = 30, **changes: Any) -> list[Derived]:
        """Enter it."""
        return self.enter(self.invoice(node, hour, dollars, **changes))

    def assessed(self) -> list[InvoicesAssessed]:
        """All assessments so far."""
        return [entry for entry in self.log if isinstance(entry, InvoicesAssessed)]

    def credited(self) -> dict[str, int]:
        """Micro-USD by invoice, of all assessments."""
        return {line.key: line.credited for entry in self.assessed() for line in entry.lines}

    def paid(self, kind: int) -> list[dict[str, int]]:
        """Units by account and epoch, of one kind."""
        closed = {entry.epoch: entry for entry in self.log if isinstance(entry, EpochClosed)}  # the last of its roots
        return [{line.account: line.amount for line in entry.lines if line.kind == kind} for entry in closed.values()]

    @property
    def now(self) -> int:
        """The hour of the last block."""
        return hour_now(self.state)
