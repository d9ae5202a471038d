"""The way of a claim from the outbox to the journal, under every order of claims, keepers, blocks, reorgs and crashes.

A real chain with finality eight blocks behind its head; reorgs are as deep as that. After every step the book is in
balance, what it calls minted is what final events minted, and nobody has more than is owed; in the end each claim was
paid once.
"""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlmodel import select

from contracts.ids import as_address
from ledger.books import journal
from ledger.chainread import indexer
from ledger.chainread import reorgs as tip
from ledger.crash_points import POINTS, Crashed, armed
from ledger.storage.tables import ChainEvent
from tests.databases import fresh_database
from tests.holds import Threat, holds
from tests.ledger.relayed import Relay
from tests.paid_epoch import PaidEpoch

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("tests/cross")]
PAYEES = st.integers(0, 9)
DEEPEST = 8


class Payments(RuleBasedStateMachine):
    """One relayer's claims, each example on a database of its own; the chain is as it was afterwards."""

    def __init__(self, place: PaidEpoch, kind: str, folder: Path) -> None:
        super().__init__()
        self.place, self.asked, self._end = place, set[int](), ExitStack()
        own = folder / uuid.uuid4().hex
        own.mkdir()
        url = self._end.enter_context(fresh_database(kind, own))
        self.before = place.anvil.rpc("evm_snapshot")
        place.anvil.mine(DEEPEST + 1)  # a reorg below a snapshot takes the snapshot with it
        self.relay = Relay(place, own / "relay", url)

    @rule(payee=PAYEES)
    def claim(self, payee: int) -> None:
        """The first time, or once more."""
        self.relay.claim(payee)
        self.asked.add(payee)

    @rule()
    def keep(self) -> None:
        """Time passes, and the keeper does what is due."""
        self.relay.now += self.relay.rules.resend_seconds
        self.relay.flush()
        indexer.follow(self.relay.ledger)
        tip.track(self.relay.ledger)

    @rule(blocks=st.integers(1, 9))
    def mine(self, blocks: int) -> None:
        self.relay.anvil.mine(blocks)

    @rule(depth=st.integers(1, DEEPEST))
    def reorg(self, depth: int) -> None:
        """The new blocks are empty, and the node has forgotten what was in the old ones."""
        self.relay.anvil.reorg(depth)

    @rule(point=st.sampled_from(sorted(POINTS)), payee=PAYEES)
    def crash(self, point: str, payee: int) -> None:
        """The process ends at this point, if it gets there."""
        self.asked.add(payee)
        with armed(point, "raise"), suppress(Crashed):
            self.claim(payee)
            self.keep()
            self.mine(1)
            self.keep()
        if not self._is_queued(payee):
            self.asked.discard(payee)

    def _is_queued(self, payee: int) -> bool:
        (line,) = (line for line in self.place.lines if line.account == self.place.payees[payee].address.lower())
        return f"claim:0x{line.leaf().hex()}" in {row.id for row in self.relay.rows}

    @invariant()
    def the_book_says_what_final_events_say(self) -> None:
        with self.relay.ledger.store.read() as session:
            book = journal.balances(session, "units")
            events = list(session.exec(select(ChainEvent).where(ChainEvent.name == "Minted")))
        minted = {name.removeprefix("minted:"): units for name, units in book.items() if name.startswith("minted:")}
        assert sum(book.values()) == 0
        assert max(Counter(event.arguments["receipt"] for event in events).values(), default=1) == 1
        assert sum(minted.values()) == sum(int(event.arguments["amount"]) for event in events) <= self.relay.supply
        owed = {line.account: line.amount for line in self.place.lines}
        assert all(units <= owed[as_address(account.lower())] for account, units in minted.items() if units)

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            self.relay.ledger.store.engine.dispose()
            self.place.anvil.rpc("anvil_dropAllTransactions")
            self.place.anvil.rpc("evm_revert", self.before)
            self._end.close()

    def _settle(self) -> None:
        """Left alone for long enough, everything is paid, once."""
        for _ in range(4):
            self.keep()
            self.mine(2 * self.place.anvil.slots + 1)
        self.keep()
        assert {row.state for row in self.relay.rows} <= {"final"}
        assert self.relay.supply == self.relay.owed(*self.asked)
        self.the_book_says_what_final_events_say()


@holds(
    "No order of claims, reorgs and crashes loses, doubles or creates a unit",
    by="ledger/relay/confirmations.py:settle",
    against=Threat.BAD_CHAIN,
)
def test_reorgs_and_crashes_never_lose_double_or_invent_a_unit(
    paid_epoch: PaidEpoch, database_kind: str, tmp_path: Path
) -> None:
    """In any order."""
    run_state_machine_as_test(
        lambda: Payments(paid_epoch, database_kind, tmp_path),  # type: ignore[arg-type]
        settings=settings(
            max_examples=5, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
