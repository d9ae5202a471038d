"""Lists that grow with a model's life come in pages, and sums are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.wire.states import TransferEnd
from ledger import cosign
from ledger.books import journal
from ledger.storage.store import Store
from ledger.storage.tables import Epoch
from tests.databases import KINDS, fresh_database
from tests.holds import Threat, holds
from tests.house import House, check_refused
from tests.long_past import RUN, Past, fill

pytestmark = pytest.mark.integration
LARGE = 2**255 - 19
ACCOUNTS = 130


def rows() -> Iterator[dict[str, Any]]:
    """Two transfers to each account, of which one was voided for every third."""
    for number in range(2 * ACCOUNTS):
        amount = (LARGE, number)[number % 2]
        place = {"book": "work", "debit": "run:x", "credit": f"a{number // 2:03}"}
        yield {"id": f"t{number}", "amount": amount, "pending": True, "made": 1, **place}


def book(store: Store) -> None:
    made = list(rows())
    with store.write() as session:
        journal.record_new(session, made)
        for end in (TransferEnd.VOIDED, TransferEnd.POSTED):
            names = [row["id"] for number, row in enumerate(made) if (number % 3 == 0) == (end == "voided")]
            journal.resolve_all(session, names, end, 1)
            journal.resolve_all(session, names, end, 1)


@holds("Balances are the sums of the posted lines", by="ledger/books/journal.py:kept", against=Threat.CRASH)
@pytest.mark.parametrize("kind", KINDS)
def test_sums_are_kept_as_they_are_posted(kind: str, tmp_path: Path) -> None:
    with fresh_database(kind, tmp_path) as url:
        store = Store(url)
        book(store)
        with store.read() as session:
            whole = journal.balances(session, "work")
            assert sum(whole.values()) == 0
            assert abs(whole["run:x"]) > 2**256
            assert journal.page(session, "work", "", 1000) == journal.kept(session, "work") == whole
            assert journal.balances_of(session, "work", ["run:x", "a001", "a001"]) == {
                name: whole[name] for name in ("a001", "run:x")
            }
            assert journal.balances_of(session, "units", ["run:x"]) == {"run:x": 0}
        store.engine.dispose()


def test_balances_come_in_pages(house: House) -> None:
    book(house.ledger.store)
    first = house.get("/balances/work")
    rest = house.get("/balances/work", after=max(first))
    with house.ledger.store.read() as session:
        whole = {name: str(amount) for name, amount in journal.balances(session, "work").items()}
    assert (len(first), first | rest) == (100, whole)
    check_refused(house.client.get("/v1/balances/work?limit=101"), 422, "malformed-request")


def test_only_the_epochs_that_are_shown_cost_a_digest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        Epoch(
            number=number,
            run="0x" + "01" * 32,
            state="final",
            first_round=1,
            last_round=1,
            root="0x" + "00" * 32,
            total=1,
            count=1,
            log_size=9,
            log_root="0x" + "00" * 32,
            settled_at=1,
            deadline=2,
            ours=True,
        )
        for number in range(1, 131)
    ]
    with house.ledger.store.write() as session:
        session.add_all(made)
    asked: list[Any] = []
    monkeypatch.setattr(cosign, "_key", lambda ledger, message: asked.append(message) or str(message.epoch))  # type: ignore[func-returns-value]
    assert [epoch["epoch"] for epoch in house.get("/epochs", after=7, limit=2)] == [8, 9]
    assert [epoch["epoch"] for epoch in house.get("/epochs")] == list(range(1, 101))
    assert len(asked) == 102
    check_refused(house.client.get("/v1/epochs?limit=101"), 422, "malformed-request")


@pytest.mark.parametrize("path", ["balances/units", "epochs", "proposals", "decisions", "runs"])
def test_no_list_is_read_whole(house: House, path: str) -> None:
    assert house.client.get(f"/v1/{path}?limit=1").status_code == 200
    check_refused(house.client.get(f"/v1/{path}?limit=101"), 422, "malformed-request")


PAST = Past(proofs=230, epochs=60, nodes=130, proposals=120)
WHOLE = {
    "runs": ("run", PAST.epochs),
    f"runs/{RUN}/nodes": ("node", PAST.nodes),
    f"runs/{RUN}/decisions": ("entry", PAST.proposals),
    f"runs/{RUN}/contributions": ("entry", PAST.proposals),
    f"runs/{RUN}/faults": ("entry", PAST.proposals),
    "epochs": ("epoch", PAST.epochs + 1),
    f"epochs?run={RUN}": ("epoch", PAST.epochs + 1),
    "transactions": ("order", 2 * PAST.epochs),
    "proposals": ("id", PAST.proposals + 1),
    "decisions": ("sequence", PAST.proposals),
}
"""By list: the field by which its pages go on, and how many lines it has."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server with more of everything than a page."""
    with House(tmp_path_factory.mktemp("old")) as house:
        fill(house, PAST)
        yield house


@pytest.mark.parametrize("path", WHOLE)
def test_pages_have_every_line_once_and_in_order(old: House, path: str) -> None:
    key, count = WHOLE[path]
    bare, _, query = path.partition("?")
    given = dict([query.split("=")]) if query else {}
    found = old.get(f"/{bare}", limit=17, **given)
    while page := old.get(f"/{bare}", limit=17, after=found[-1][key], **given):
        found += page
    assert len(found) == count
    assert [line[key] for line in found] == sorted({line[key] for line in found})


def test_proofs_go_on_within_a_round(old: House) -> None:
    path = f"/runs/{RUN}/proofs"
    found = old.get(path, limit=17)
    while page := old.get(path, limit=17, first=found[-1]["round"], after=found[-1]["proof"]):
        found += page
    places = [(line["round"], line["proof"]) for line in found]
    assert places == sorted(set(places))
    assert len(places) == PAST.proofs


@pytest.mark.parametrize("name", ["nodes", "decisions", "contributions", "faults"])
def test_a_list_of_no_run_is_not_found(house: House, name: str) -> None:
    check_refused(house.client.get(f"/v1/runs/0x{'7' * 64}/{name}"), 404, "not-found")
    check_refused(house.client.get(f"/v1/runs/0x{'7' * 64}/{name}?limit=101"), 422, "malformed-request")


def test_a_run_with_many_nodes_has_a_small_document(old: House) -> None:
    shown = old.get(f"/runs/{RUN}")
    assert shown["counts"]["nodes"] == PAST.nodes
    assert not {"nodes", "decisions", "contributions", "faults", "epochs"} & shown.keys()
