"""Several keepers on one database: each part is done by one of them, and the next one takes over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from requests.exceptions import ConnectionError as ChainUnreachable
from sqlmodel import select

from ledger import absences, keeper, leases
from ledger.blobs import BlobFolder
from ledger.chain import ModelChain
from ledger.errors import LeaseLost
from ledger.relay_rules import RelayRules
from ledger.service import Ledger
from ledger.store import Store
from ledger.tables import LeaseRow, Proof, Run
from tests.world import World

pytestmark = pytest.mark.integration


def process(world: World, holder: str, lease: int = 60) -> Ledger:
    """Another process's ledger on the world's database."""
    ours = world.ledger
    chain = ModelChain(world.place.w3, world.place.deployment)
    blobs = BlobFolder(world.folder / "blobs")
    return Ledger(
        Store(world.database), blobs, chain, ours.operator, world.clock, RelayRules(lease_seconds=lease), holder
    )


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


def holders(world: World) -> dict[str, tuple[str, int, bool]]:
    """Who has which job, with what token, and whether the lease runs."""
    with world.ledger.store.read() as session:
        rows = session.exec(select(LeaseRow)).all()
    return {row.name: (row.holder, row.token, row.expires > world.clock.now) for row in rows}


def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Replace every step by one that notes who did it; what was noted, by part."""
    done: dict[str, set[str]] = {part: set() for part in keeper.PARTS}

    def noting(part: str) -> keeper.Step:
        return lambda ledger: done[part].add(ledger.holder)

    monkeypatch.setattr(keeper, "STEPS", tuple((part, noting(part)) for part, _ in keeper.STEPS))
    return done


def until(ready: object) -> None:
    end = time.monotonic() + 30
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_each_part_is_done_by_one_of_them_and_the_next_takes_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = counted(monkeypatch)
    one, two = process(world, "one"), process(world, "two")
    with running(one):
        until(lambda: all(done.values()))
        with running(two):
            time.sleep(0.2)
            assert {name for names in done.values() for name in names} == {"one"}
            one_has = holders(world)
            assert {h for h, _, _ in one_has.values()} == {"one"}
        assert holders(world) == one_has
    with running(process(world, "three")):  # the first one has given its jobs up
        until(lambda: all("three" in names for names in done.values()))
    assert {token for _, token, _ in holders(world).values()} == {2}
    assert not any(alive for _, _, alive in holders(world).values())


def test_only_the_parts_that_it_was_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done = counted(monkeypatch)
    with running(process(world, "one"), only=("indexer",)), running(process(world, "two"), only=("settlement",)):
        until(lambda: done["indexer"] and done["settlement"])
    assert done == {"rounds": set(), "settlement": {"two"}, "indexer": {"one"}}


def test_a_part_that_fails_is_reported_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = counted(monkeypatch)
    errors = iter([ChainUnreachable("down"), LeaseLost("slept"), ZeroDivisionError("a bug")])

    def failing(ledger: Ledger) -> None:
        error = next(errors, None)
        if error is not None:
            raise error
        done["rounds"].add("at last")

    monkeypatch.setattr(keeper, "STEPS", (("rounds", failing), *keeper.STEPS[1:]))
    with running(process(world, "one")):
        until(lambda: "at last" in done["rounds"])
    said = [
        (record.levelname, record.exc_info is not None) for record in caplog.records if record.name == "ledger.keeper"
    ]
    assert said == [("WARNING", False), ("WARNING", False), ("ERROR", True)]
    assert done["indexer"] == {"one"}


def test_every_step_belongs_to_a_part_and_one_pass_does_them_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {part for part, _ in keeper.STEPS} == set(keeper.PARTS)
    done = counted(monkeypatch)
    keeper.step(world.ledger)
    assert done == {part: {"world"} for part in keeper.PARTS}


def test_a_keeper_beside_another_that_hangs_takes_over_when_its_lease_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one stands still in a step, and its clock with it; the lease ends by the clock of the others."""
    done = counted(monkeypatch)
    free = threading.Event()

    def hang(ledger: Ledger) -> None:
        if ledger.holder == "one":
            free.wait(60)
        done["rounds"].add(ledger.holder)

    monkeypatch.setattr(keeper, "STEPS", (("rounds", hang),))
    one, two = process(world, "one", lease=10), process(world, "two", lease=10)
    with running(one, only=("rounds",)):
        until(lambda: holders(world).get("keeper:rounds", ("", 0, False))[0] == "one")
        with running(two, only=("rounds",)):
            time.sleep(0.1)
            assert done["rounds"] == set()
            world.clock.now += 10
            until(lambda: "two" in done["rounds"])
            assert holders(world)["keeper:rounds"][:2] == ("two", 2)
            free.set()
    assert leases.take(process(world, "three"), "keeper:rounds") is not None


def test_nobody_is_late_while_the_server_was_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back long after everybody's time was over: each has all of it again, from then on."""
    world.start()
    proof = world.commit(world.nodes[0])
    world.step()
    with world.ledger.store.read() as session:
        patience = int(session.get_one(Run, world.run).manifest["phaseSeconds"])
    world.clock.now += 20 * patience
    done = threading.Event()
    seen: list[int] = []

    def look(ledger: Ledger) -> None:
        with ledger.store.read() as session:
            seen.append(absences.waited(ledger, session, world.clock.now - 20 * patience))
        done.set()

    monkeypatch.setattr(keeper, "STEPS", (("rounds", keeper.rounds.advance_all), ("rounds", look)))
    with running(process(world, "back"), only=("rounds",)):
        assert done.wait(30)
    assert seen[0] == 0
    assert not world.log("node-lapsed"), "the second node trains on"
    assert world.get(f"/proofs/{proof}")["state"] == "pending"
    world.clock.now += patience + 1
    world.step()
    assert world.log("node-lapsed"), "and then it does run out"


def test_an_absence_that_a_keeper_saw_is_known_to_the_api_beside_it(world: World) -> None:
    """Verifiers' time is over when the first verdict comes in: the other seat is not vacated on its account."""
    world.start()
    proof = world.commit(world.nodes[0])
    world.commit(world.nodes[1])
    world.step()
    for verifier in world.verifiers[:2]:
        world.draw(verifier, proof)
    with world.ledger.store.read() as session:
        patience = int(session.get_one(Run, world.run).manifest["phaseSeconds"])
    world.clock.now += 20 * patience
    absences.end(process(world, "keeper"))
    world.judge(world.verifiers[0], proof)
    assert world.log("seat-vacated") == []
    with world.ledger.store.read() as session:
        assert session.get_one(Proof, proof).opening_deadline == world.clock.now + patience


def test_a_clock_that_is_set_and_a_long_sleep_are_absences(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch)
    ended = list[int]()
    monkeypatch.setattr(absences, "end", lambda ledger: ended.append(ledger.now()) or True)
    with running(process(world, "one")):
        until(lambda: len(ended) == 1)
        world.clock.now += keeper.AWAY_SECONDS
        time.sleep(0.2)
        assert len(ended) == 1, "a slow pass is none"
        world.clock.now += keeper.AWAY_SECONDS + 1
        until(lambda: len(ended) == 2)
        world.clock.now -= 1_000
        until(lambda: len(ended) == 3)
