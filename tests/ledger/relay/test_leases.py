"""One holder at a time, a token that grows with each, and no write by who slept."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import delete

from ledger.context import Ledger
from ledger.errors import LeaseLost
from ledger.process_id import new_process_id
from ledger.relay import leases
from ledger.relay.leases import HeldLease
from ledger.relay_rules import RelayRules
from ledger.storage.store import Store
from ledger.storage.tables import LeaseRow
from tests.ledger.relayed import at_once

pytestmark = pytest.mark.integration


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


def process(store: Store, clock: Clock, holder: str) -> Ledger:
    nothing: Any = None
    return Ledger(store, nothing, nothing, nothing, nothing, nothing, clock, RelayRules(lease_seconds=10), holder)


def write_first(ledger: Ledger, held: HeldLease) -> None:
    """Something is written before the lease is looked at."""
    with ledger.store.write() as session:
        session.add(LeaseRow(name="written by the sleeper", holder="one", token=1, expires=0))
        session.flush()
        leases.require(ledger, session, held)


def row(store: Store, name: str = "job") -> LeaseRow:
    with store.read() as session:
        return session.get_one(LeaseRow, name)


def test_a_second_holder_waits_for_the_lease_and_the_next_token(store: Store) -> None:
    clock = Clock()
    one, two = process(store, clock, "one"), process(store, clock, "two")
    assert leases.take(one, "job") == HeldLease("job", 1)
    clock.now += 9
    assert leases.take(two, "job") is None
    clock.now += 1
    assert leases.take(two, "job") == HeldLease("job", 2)
    assert leases.take(one, "job") is None


def test_who_works_keeps_it(store: Store) -> None:
    clock = Clock()
    one, two = process(store, clock, "one"), process(store, clock, "two")
    held = leases.take(one, "job")
    assert held is not None
    for _ in range(3):
        clock.now += 8
        with store.write() as session:
            leases.require(one, session, held)
        assert leases.take(two, "job") is None
    clock.now += 8
    assert leases.take(one, "job") == held


def test_who_slept_through_its_end_can_neither_write_nor_send(store: Store) -> None:
    clock = Clock()
    one, two = process(store, clock, "one"), process(store, clock, "two")
    held = leases.take(one, "job")
    assert held is not None
    clock.now += 10
    leases.take(two, "job")
    with pytest.raises(LeaseLost):
        write_first(one, held)
    with pytest.raises(LeaseLost):
        leases.check(one, held)
    with store.read() as session:
        assert session.get(LeaseRow, "written by the sleeper") is None


def test_a_lease_that_ended_untaken_is_still_ours(store: Store) -> None:
    clock = Clock()
    one = process(store, clock, "one")
    held = leases.take(one, "job")
    assert held is not None
    clock.now += 1_000
    with store.write() as session:
        leases.require(one, session, held)
    assert leases.take(one, "job") == held


def test_given_up_it_is_free_and_nobody_gives_up_anothers(store: Store) -> None:
    clock = Clock()
    one, two = process(store, clock, "one"), process(store, clock, "two")
    leases.take(one, "job")
    leases.give_up(two, "job")
    assert leases.take(two, "job") is None
    leases.give_up(one, "job")
    assert leases.take(two, "job") == HeldLease("job", 2)


def test_a_killed_neighbour_is_not_waited_for(store: Store) -> None:
    """Its process id names nobody; one that runs is waited for."""
    clock = Clock()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = new_process_id()
    gone = mine.replace(f"/{os.getpid()}/", f"/{dead.pid}/")
    assert leases.take(process(store, clock, gone), "job") == HeldLease("job", 1)
    assert leases.take(process(store, clock, mine), "job") == HeldLease("job", 2)
    assert leases.take(process(store, clock, new_process_id()), "job") is None


def test_of_many_that_begin_at_once_one_has_it(store: Store) -> None:
    clock = Clock()
    got: list[HeldLease | None] = []
    processes = [process(store, clock, f"p{n}") for n in range(8)]
    assert at_once(*(lambda p=p: got.append(leases.take(p, "job")) for p in processes)) == []
    assert [held for held in got if held] == [HeldLease("job", 1)]
    assert row(store).token == 1


@cache
def machine_store() -> Store:
    """One for all runs of the machine: making one takes longer than a run."""
    return Store("sqlite://")


class LeaseMachine(RuleBasedStateMachine):
    """Whatever holders, sleeps and ends come to: at any time at most one token can write, and the newest it is."""

    tokens = Bundle("tokens")

    @initialize()
    def begin(self) -> None:
        self.clock, self.newest = Clock(), 0
        with machine_store().write() as session:
            session.exec(delete(LeaseRow))

    @rule(target=tokens, holder=st.sampled_from("abc"))
    def take(self, holder: str) -> tuple[str, HeldLease | None]:
        held = leases.take(process(machine_store(), self.clock, holder), "job")
        if held is not None:
            assert held.token >= self.newest
            self.newest = held.token
        return holder, held

    @rule(seconds=st.integers(0, 15))
    def sleep(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(holder=st.sampled_from("abc"))
    def give_up(self, holder: str) -> None:
        leases.give_up(process(machine_store(), self.clock, holder), "job")

    @rule(taken=tokens)
    def write(self, taken: tuple[str, HeldLease | None]) -> None:
        holder, held = taken
        if held is None:
            return
        try:
            with machine_store().write() as session:
                leases.require(process(machine_store(), self.clock, holder), session, held)
        except LeaseLost:
            assert held.token < self.newest
        else:
            assert held.token == self.newest

    @invariant()
    def the_row_has_the_newest_token(self) -> None:
        if self.newest:
            assert row(machine_store()).token == self.newest


LeaseMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestLeaseMachine = LeaseMachine.TestCase


def test_a_lease_from_a_clock_that_ran_ahead_holds_nobody_up(store: Store) -> None:
    ahead, clock = Clock(), Clock()
    ahead.now += 10 * 365 * 86_400
    assert leases.take(process(store, ahead, "one"), "job") == HeldLease("job", 1)
    assert leases.take(process(store, clock, "two"), "job") == HeldLease("job", 2)
