"""What people read of runs, rounds and proofs follows from the log alone, however it is read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import inspect
from sqlmodel import delete, select

from contracts.ids import to_hex
from ledger.books import log
from ledger.context import Ledger
from ledger.storage.store import Store
from ledger.storage.tables import CreditView, Cursor, FaultView, NodeView, ProofView, RoundView, RunView, TakenView
from ledger.views import projection
from ledger.views.projection import catch_up
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun
from tests.promised_documents import check_documents

pytestmark = pytest.mark.integration
VIEWS: tuple[Any, ...] = (RunView, RoundView, ProofView, NodeView, TakenView, CreditView, FaultView)


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


def ledger_of(store: Store) -> Ledger:
    return cast(Ledger, SimpleNamespace(store=store, chain=SimpleNamespace(domain=DOMAIN)))


def write(store: Store, leaves: list[str]) -> None:
    with store.write() as session:
        log.extend(session, [(leaf, None) for leaf in leaves])


def documents(store: Store) -> list[Any]:
    """Rows of each kind, in order of their keys."""
    with store.read() as session:
        return [[row.body for row in session.exec(select(kind).order_by(*inspect(kind).primary_key))] for kind in VIEWS]


def test_an_honest_run_is_shown_to_its_end(store: Store, run: SignedRun) -> None:
    write(store, run.leaves)
    catch_up(ledger_of(store))
    assert check_documents(store, DOMAIN) == 1 + 2 + 2 * 2 + 2
    (shown,), rounds, proofs, nodes, taken, credits, faults = documents(store)
    assert [node["node"] for node in nodes] == sorted(node.address for node in run.nodes)
    assert shown["counts"] == {**dict.fromkeys(shown["counts"], 0), "nodes": 2, "active_nodes": 2, "epochs": 2}
    assert taken == credits == faults == []
    assert (shown["run"], shown["round"], shown["phase"], shown["last_epoch"]) == (to_hex(run.run), 2, "over", 2)
    rounds.sort(key=lambda shown: shown["round"])
    assert [r["phase"] for r in rounds] == ["closed", "closed"]
    assert rounds[1]["theta"]["blob"] == rounds[0]["merge"]["theta_blob"]
    assert len(proofs) == 2 * len(run.nodes)
    for proof in proofs:
        assert (proof["state"], proof["reason"], len(proof["has"])) == ("posted", None, 3)
        assert set(proof["draws"]) == set(proof["panel"]) == {word["verifier"] for word in proof["words"]}
        assert {word["word"] for word in proof["words"]} == {"true"}
        assert all(segment in map(int, proof["openings"]) for drawn in proof["draws"].values() for segment in drawn)


def test_the_same_documents_entry_by_entry_and_anew(
    store: Store, run: SignedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "BATCH", 7)
    ledger = ledger_of(store)
    for start in range(0, len(run.leaves), 5):
        write(store, run.leaves[start : start + 5])
        catch_up(ledger)
    piecewise = documents(store)
    with store.write() as session:
        for kind in (*VIEWS, Cursor):
            session.exec(delete(kind))
    catch_up(ledger)
    assert documents(store) == piecewise
    catch_up(ledger)
    assert documents(store) == piecewise
