"""Lists that grow with a model's life come in pages, and sums are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import cosign, journal
from ledger.store import Store
from ledger.tables import Epoch
from tests.databases import KINDS, fresh_database
from tests.house import House, check_refused

pytestmark = pytest.mark.integration
LARGE = 2**255 - 19
ACCOUNTS = 130


def rows() -> Iterator[dict[str, Any]]:
    """Two transfers to each account, of which one was voided for every third."""
    for number in range(2 * ACCOUNTS):
        amount = (LARGE, number)[number % 2]
        place = {"book": "work", "debit": "run:x", "credit": f"a{number // 2:03}"}
        yield {"id": f"t{number}", "amount": amount, "pending": True, "made": 1, **place}


def fill(store: Store) -> None:
    made = list(rows())
    with store.write() as session:
        journal.record_new(session, made)
        for end in ("voided", "posted"):
            names = [row["id"] for number, row in enumerate(made) if (number % 3 == 0) == (end == "voided")]
            journal.resolve_all(session, names, end, 1)
            journal.resolve_all(session, names, end, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_are_kept_as_they_are_posted(kind: str, tmp_path: Path) -> None:
    with fresh_database(kind, tmp_path) as url:
        store = Store(url)
        fill(store)
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
    fill(house.ledger.store)
    first = house.get("/balances/work")
    rest = house.get("/balances/work", after=max(first))
    with house.ledger.store.read() as session:
        whole = {name: str(amount) for name, amount in journal.balances(session, "work").items()}
    assert (len(first), first | rest) == (100, whole)
    check_refused(house.client.get("/v1/balances/work?limit=101"), 422, "malformed-request")


def test_only_the_epochs_that_are_shown_cost_a_digest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        Epoch(
            number=number, run="0x" + "01" * 32, state="final", first_round=1, last_round=1, root="0x" + "00" * 32,
            total=1, count=1, log_size=9, log_root="0x" + "00" * 32, settled_at=1, deadline=2, ours=True,
        )
        for number in range(1, 131)
    ]  # fmt: skip
    with house.ledger.store.write() as session:
        session.add_all(made)
    asked: list[Any] = []
    monkeypatch.setattr(cosign, "signers", lambda ledger, session, message: asked.append(message) or [])
    assert [epoch["epoch"] for epoch in house.get("/epochs", after=7, limit=2)] == [8, 9]
    assert [epoch["epoch"] for epoch in house.get("/epochs")] == list(range(1, 101))
    assert len(asked) == 102
    check_refused(house.client.get("/v1/epochs?limit=101"), 422, "malformed-request")


@pytest.mark.parametrize("path", ["balances/units", "epochs", "proposals", "decisions", "runs"])
def test_no_list_is_read_whole(house: House, path: str) -> None:
    assert house.client.get(f"/v1/{path}?limit=1").status_code == 200
    check_refused(house.client.get(f"/v1/{path}?limit=101"), 422, "malformed-request")
