"""What is over costs nothing: a keeper's pass and every page read what is open, or one page, however long the past is.

On SQLite the instructions of its machine are counted, on PostgreSQL the rows that a plan looks at: both are the same on
any computer. No plan reads a table that grows from one end to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Engine

from api.http import growth
from ledger import faults
from ledger.clock import keeper
from ledger.clock.news import News
from ledger.relay import leases, outbox
from tests import long_past
from tests.databases import KINDS, fresh_database
from tests.holds import Threat, holds
from tests.house import House
from tests.ledger.served_run import Served
from tests.long_past import Past
from tests.statements import Told, instructions, rows_read, scans, told

pytestmark = pytest.mark.integration
SHORT, LONG = Past(100, 100, 100, 100), Past(10_000, 400, 1_000, 1_000)
BOUNDED = {
    "header": "blocks that are not final",
    "pendingevent": "events of blocks that are not final",
    "mirror": "a row a verifier",
}
"""Tables that do not grow with what is over."""
ALLOWED = 1.3
"""How much more a place in a long past may cost: its trees are a level higher."""
Work = dict[str, Callable[[], Any]]


@pytest.fixture(scope="module")
def place() -> Served:
    return Served()


@dataclass(frozen=True)
class Cost:
    """What one piece of work sent to the database, and how much was read for it."""

    sent: Told
    read: int


@pytest.fixture(scope="module", params=KINDS)
def costs(
    request: pytest.FixtureRequest, place: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Cost], dict[str, Cost], Engine]]:
    """By name of the work, with a short past and with a long one; and the database of the latter."""
    with ExitStack() as opened:
        opened.enter_context(patch.object(growth, "WATCH_SECONDS", 3_600.0))  # whose statements are nobody's here
        houses = []
        for past in (SHORT, LONG):
            folder = tmp_path_factory.mktemp("past")
            url = opened.enter_context(fresh_database(request.param, folder))
            houses.append(opened.enter_context(House(folder / "house", place, url)))
            long_past.fill(houses[-1], past)
        short, long = (_measured(house, past) for house, past in zip(houses, (SHORT, LONG), strict=True))
        yield short, long, houses[1].ledger.store.engine


def _measured(house: House, past: Past) -> dict[str, Cost]:
    work, engine = _work(house, past), house.ledger.store.engine
    for do in work.values():
        do()  # what is read once: documents, machine, connections
    if engine.dialect.name == "sqlite":
        with instructions(engine) as so_far:
            return {name: _cost(engine, do, so_far) for name, do in work.items()}
    return {name: _cost(engine, do, None) for name, do in work.items()}


def _cost(engine: Engine, do: Callable[[], Any], so_far: Callable[[], int] | None) -> Cost:
    before = so_far() if so_far else 0
    with told(engine) as sent:
        do()
    if so_far:
        return Cost(sent, so_far() - before)
    with engine.connect() as connection:
        asked = [(text, given) for text, given in sent.statements if text.startswith("SELECT") and "FROM" in text]
        return Cost(sent, sum(rows_read(connection, text, given) for text, given in asked))


def _work(house: House, past: Past) -> Work:
    """All that a pass does, and all that people ask for, by name."""
    passes: Work = {f"{do.__module__}.{do.__name__}": partial(do, house.ledger) for _, do in keeper.STEPS}
    passes["news"] = partial(News().tell, house.ledger)
    passes["what is due next"] = partial(outbox.due_in, house.ledger)
    passes["leases"] = partial(leases.take_all, house.ledger, ["keeper:rounds", "keeper:settlement"])
    asked = {name: partial(_ask, house, *request) for name, request in long_past.pages(past).items()}
    return passes | asked


def _ask(house: House, path: str, query: dict[str, Any]) -> None:
    answer = house.client.get(path, params=query)
    assert answer.status_code == 200, answer.text


@holds(
    "Neither the keeper nor a page reads finished rows again",
    by="ledger/storage/tables/columns.py:only_where",
    against=Threat.FLOOD,
)
def test_a_long_past_costs_no_more_to_read(costs: tuple[dict[str, Cost], dict[str, Cost], Engine]) -> None:
    short, long, engine = costs
    spare = 300 if engine.dialect.name == "sqlite" else 10
    more = {
        name: (short[name].read, cost.read)
        for name, cost in long.items()
        if cost.read > ALLOWED * short[name].read + spare
    }
    assert more == {}


def test_a_long_past_takes_no_more_statements(costs: tuple[dict[str, Cost], dict[str, Cost], Engine]) -> None:
    short, long, _ = costs
    counted = [{name: len(cost.sent.statements) for name, cost in past.items()} for past in (short, long)]
    assert counted[1] == counted[0]


def test_no_plan_reads_a_growing_table_whole(costs: tuple[dict[str, Cost], dict[str, Cost], Engine]) -> None:
    _, long, engine = costs
    with engine.connect() as connection:
        found = {
            (name, table, text)
            for name, cost in long.items()
            for text, given in cost.sent.looked_up()
            for table in scans(connection, text, given)
            if table not in BOUNDED
        }
    assert sorted(found) == []
    assert sum(len(cost.sent.looked_up()) for cost in long.values()) > 60


def test_faults_that_wait_are_looked_up_together(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs stake of somebody who has none left waits for ever."""
    ledger, counts = house.ledger, list[int]()
    for waiting in (1, 400):
        charges = [faults.charge(ledger, (long_past.proof(n), long_past.address(n), "")) for n in range(waiting)]
        monkeypatch.setattr(faults, "signable", lambda _, found=charges: found)
        with told(ledger.store.engine) as sent:
            faults.settle(ledger)
        counts.append(sum("outgoing" in text or "cosignature" in text for text, _ in sent.statements))
    assert counts == [2, 2]
