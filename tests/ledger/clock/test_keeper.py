"""Several keepers on one database: each part is done by one of them, and the next one takes over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from requests import Response
from requests.exceptions import ChunkedEncodingError, HTTPError, Timeout
from requests.exceptions import ConnectionError as ChainUnreachable
from sqlmodel import select

from contracts.evm.errors import NoJsonRpc
from ledger.clock import keeper
from ledger.context import Ledger
from ledger.epochs import settlement
from ledger.errors import DatabaseUnreachable, LeaseLost, LedgerBusy
from ledger.governance import votes
from ledger.relay import broadcast, leases, outbox
from ledger.relay_rules import RelayRules
from ledger.storage.tables import Attempt, LeaseRow, Outgoing
from tests.deployed import PARAMS
from tests.house import House, accepted
from tests.waiting import until

pytestmark = pytest.mark.integration


def process(house: House, holder: str, lease: int = 60) -> Ledger:
    """Another process's ledger on the house's database."""
    rules = RelayRules(lease_seconds=lease)
    return house.place.ledger(house.database, house.folder, now=house.clock, relay=rules, holder=holder)


@contextmanager
def running(*ledgers: Ledger, only: tuple[str, ...] = keeper.PARTS) -> Iterator[threading.Event]:
    """A keeper's loop in a thread for each."""
    stop = threading.Event()
    threads = [threading.Thread(target=keeper.run, args=(ledger, stop, 0.01, only)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for ledger in ledgers:
            ledger.store.engine.dispose()


def holders(house: House) -> dict[str, tuple[str, int, bool]]:
    """Who has which job, with what token, and whether the lease runs."""
    with house.ledger.store.read() as session:
        rows = session.exec(select(LeaseRow)).all()
    return {row.name: (row.holder, row.token, row.expires > house.clock.now) for row in rows}


def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Replace every step by one that notes who did it; what was noted, by part."""
    done: dict[str, set[str]] = {part: set() for part in keeper.PARTS}

    def noting(part: str) -> keeper.Step:
        return lambda ledger: done[part].add(ledger.holder)

    monkeypatch.setattr(keeper, "STEPS", tuple((part, noting(part)) for part, _ in keeper.STEPS))
    return done


def test_each_part_is_done_by_one_keeper_and_the_next_takes_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    done = counted(monkeypatch)
    one, two = process(house, "one"), process(house, "two")
    with running(one):
        until(lambda: all(done.values()))
        with running(two):
            time.sleep(0.2)
            assert {name for names in done.values() for name in names} == {"one"}
            one_has = holders(house)
            assert {h for h, _, _ in one_has.values()} == {"one"}
        assert holders(house) == one_has
    with running(process(house, "three")):  # the first one has given its jobs up
        until(lambda: all("three" in names for names in done.values()))
    assert {token for _, token, _ in holders(house).values()} == {2}
    assert not any(alive for _, _, alive in holders(house).values())


def test_only_the_parts_that_it_was_given(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    done = counted(monkeypatch)
    with running(process(house, "one"), only=("indexer",)), running(process(house, "two"), only=("settlement",)):
        until(lambda: done["indexer"] and done["settlement"])
    assert done == {"rounds": set(), "settlement": {"two"}, "indexer": {"one"}}


def test_a_part_that_fails_is_reported_and_the_others_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = counted(monkeypatch)
    errors = iter([ChainUnreachable("down"), LeaseLost("slept"), ZeroDivisionError("a bug")])

    def failing(ledger: Ledger) -> None:
        error = next(errors, None)
        if error is not None:
            raise error
        done["rounds"].add("at last")

    monkeypatch.setattr(keeper, "STEPS", (("rounds", failing), *keeper.STEPS[1:]))
    with running(process(house, "one")):
        until(lambda: "at last" in done["rounds"])
    said = [
        (record.levelname, record.exc_info is not None)
        for record in caplog.records
        if record.name == "ledger.clock.keeper"
    ]
    lost, broke = [("ERROR", False)], [("ERROR", False), ("ERROR", True)]
    assert said == lost + broke, "the chain was away for too short a time to be told"
    assert done["indexer"] == {"one"}


def test_every_step_belongs_to_a_part_and_one_pass_does_them_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {part for part, _ in keeper.STEPS} == set(keeper.PARTS)
    done = counted(monkeypatch)
    keeper.step(house.ledger)
    assert done == {part: {"house"} for part in keeper.PARTS}


def test_a_keeper_takes_over_from_one_that_hangs_after_its_lease(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one stands still in a step, and its clock with it; the lease ends by the clock of the others."""
    done = counted(monkeypatch)
    free = threading.Event()

    def hang(ledger: Ledger) -> None:
        if ledger.holder == "one":
            free.wait(60)
        done["rounds"].add(ledger.holder)

    monkeypatch.setattr(keeper, "STEPS", (("rounds", hang),))
    one, two = process(house, "one", lease=10), process(house, "two", lease=10)
    with running(one, only=("rounds",)):
        until(lambda: holders(house).get("keeper:rounds", ("", 0, False))[0] == "one")
        with running(two, only=("rounds",)):
            time.sleep(0.1)
            assert done["rounds"] == set()
            house.clock.now += 10
            until(lambda: "two" in done["rounds"])
            assert holders(house)["keeper:rounds"][:2] == ("two", 2)
            free.set()
    assert leases.take(process(house, "three"), "keeper:rounds") is not None


def response(status: int) -> HTTPError:
    """As requests raises it for a proxy's answer."""
    found = Response()
    found.status_code, found.url = status, "http://127.0.0.1:8545/"
    return HTTPError(f"{status} for url", response=found)


@pytest.mark.parametrize(
    ("error", "who", "why"),
    [
        (ChainUnreachable("down"), "the chain node", "ConnectionError"),
        (Timeout("late"), "the chain node", "Timeout"),
        (ChunkedEncodingError("cut"), "the chain node", "ChunkedEncodingError"),
        (response(502), "the chain node", "it answers 502"),
        (response(429), "the chain node", "it answers 429"),
        (NoJsonRpc("a page"), "the chain node", "NoJsonRpc"),
        (DatabaseUnreachable("hung up"), "the database", "hung up"),
        (LedgerBusy("too many writers"), "the database", "too many writers"),
    ],
)
def test_outages_are_told_in_few_lines(error: Exception, who: str, why: str, caplog: pytest.LogCaptureFixture) -> None:
    """When it begins to last, once a minute, and at its end; never with a traceback."""
    now = [0.0]
    outages = keeper.Outages(lambda: now[0])

    def fails() -> None:
        raise error

    for _ in range(261):
        outages.guarded(fails, "rounds")
        now[0] += 0.5
    assert outages.guarded(lambda: 7, "rounds") == 7
    outages.chain_answers()
    outages.database_answers()
    assert [record.getMessage() for record in caplog.records] == [
        f"{who} does not answer: {why}; trying again",
        f"{who} has not answered for 1 min 5 s: {why}; trying again",
        f"{who} has not answered for 2 min 5 s: {why}; trying again",
        f"{who} answers again, after 2 min 10 s",
    ]
    assert not any(record.exc_info for record in caplog.records)


def test_a_step_that_hangs_is_left_behind_at_the_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that takes a question and is silent kept a keeper for ever, whoever told it to stop."""
    hangs, over, stop = threading.Event(), threading.Event(), threading.Event()

    def hang(_ledger: Ledger) -> None:
        hangs.set()
        over.wait()

    monkeypatch.setattr(keeper, "STEPS", (("rounds", hang),))
    monkeypatch.setattr(keeper, "LAST_SECONDS", 0.0)
    running = threading.Thread(target=keeper.run_until, args=(house.ledger, stop), daemon=True)
    running.start()
    until(hangs.is_set)
    stop.set()
    until(lambda: not running.is_alive())
    over.set()
    until(lambda: "keeper" not in {thread.name for thread in threading.enumerate()})


def idle_pass(house: House) -> int:
    """Commits by a pass that has nothing new to do: each is the next pass, at once."""
    before = house.ledger.store.changes.count
    keeper.step(house.ledger)
    return house.ledger.store.changes.count - before


@pytest.mark.parametrize("state", ["queued", "signed", "dead"])
def test_a_root_on_its_way_to_the_chain_makes_no_extra_passes(house: House, state: str) -> None:
    """Until it is in a block, which takes long where the fee is low or money short, and for ever where it is dead."""
    house.start().play_round()
    for verifier in house.run.verifiers[:2]:
        accepted(house.post_epoch(verifier))
    settlement.settle(house.ledger)
    with house.ledger.store.write() as session:
        (row,) = session.exec(select(Outgoing))
        row.state, row.due = state, house.clock.now + 600
        session.add(row)
    before = house.ledger.store.changes.count
    settlement.settle(house.ledger)
    assert house.ledger.store.changes.count == before


def test_an_idle_pass_commits_nothing(house: House) -> None:
    house.start().play_round()
    house.settle_epoch()
    house.step(3)
    assert idle_pass(house) == 0


def test_a_vote_that_cannot_be_weighed_makes_no_extra_passes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token does not say what it weighs, now or ever."""
    house.become_holders()
    proposal = house.propose(house.wallets[0], "unweighed", [("clip", "2")])
    house.wait(PARAMS.voting_delay + 1)
    accepted(house.vote(house.wallets[0], proposal))
    monkeypatch.setattr(votes, "_weight", lambda *_: None)
    house.step(4)
    assert votes._waiting(house.ledger, ("", "")), "it is credited"
    assert idle_pass(house) == 0


def test_a_call_at_the_highest_fee_makes_no_extra_passes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is signed, not mined, and late, as long as the fee is high; each pass looks at it."""
    house.start().play_round()
    for verifier in house.run.verifiers[:2]:
        accepted(house.post_epoch(verifier))
    settlement.settle(house.ledger)
    monkeypatch.setattr(broadcast, "send", lambda *_: (broadcast.SendResult.TAKEN, ""))  # and no miner takes it
    outbox.flush(house.ledger)
    with house.ledger.store.read() as session:
        (made,) = session.exec(select(Attempt))
    rules = replace(house.ledger.relay, max_fee=made.max_fee)
    late = replace(house.ledger, relay=rules)
    house.clock.now += rules.replace_seconds
    for _ in range(2):  # it is handed to the node again, and then not for a while
        outbox.flush(late)
    with late.store.read() as session:
        (row,) = outbox.listed(session)
    assert (row.state, "cap" in str(row.error)) == ("signed", True)
    before = late.store.changes.count
    outbox.flush(late)
    assert late.store.changes.count == before
