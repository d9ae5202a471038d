"""An operator that writes another worth of an invoice than follows is found, in its pages and in its log (ADR 61)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from ledger.fsck.examine import FsckFailed, require_sound
from ledger.storage.tables import CreditView, LogEntry
from ledger.views.projection import catch_up
from tests.house import House
from tests.ledger.fsck.vandal import unguarded
from tests.ledger.invoiced import handed, opened, worked

pytestmark = pytest.mark.integration

SHOWN: dict[str, Any] = {"weight": "1", "account": "0x" + "00" * 20, "kind": 1}
ASSESSED: dict[str, Any] = {"credited": "9", "earned": "0", "median_amount": "1", "median_tokens": 1, "tokens": 1}
LINE: dict[str, Any] = {"credited": 9, "earned": 0, "payback": True, "amount": 1, "tokens": 1, "key": "0x" + "11" * 32}


def test_a_forged_worth_is_found(tmp_path: Path) -> None:
    """Every number of a page, of the log's line, and of its sums."""
    with House(tmp_path / "house") as house:
        opened(house)
        handed(house, worked(house))
        worked(house)
        catch_up(house.ledger)
        require_sound(house.ledger)
        for name, value in SHOWN.items():
            check_found(house, CreditView, lambda body, n=name, v=value: body.update({n: v}))
        for name, value in ASSESSED.items():
            check_found(house, CreditView, lambda body, n=name, v=value: body["invoice"]["assessed"].update({n: v}))
        check_found(house, CreditView, lambda body: body["invoice"].update(assessed=None))
        for name, value in LINE.items():
            check_found(house, LogEntry, lambda body, n=name, v=value: body["lines"][0].update({n: v}))
        check_found(house, LogEntry, lambda body: body.update(capital=0))
        check_found(house, LogEntry, lambda body: body["lines"].pop())
        require_sound(house.ledger)


def check_found(house: House, table: type[Any], change: Any) -> None:
    """Change a row past the guards, look, and put it back."""
    with unguarded(house.ledger.store) as session:
        row = _row(session, table)
        before = row.body
        body = json.loads(before) if isinstance(before, str) else json.loads(json.dumps(before))
        change(body)
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        row.body = text if isinstance(before, str) else body
        session.add(row)
    with pytest.raises(FsckFailed):
        require_sound(house.ledger)
    with unguarded(house.ledger.store) as session:
        row = _row(session, table)
        row.body = before
        session.add(row)


def _row(session: Any, table: type[Any]) -> Any:
    if table is CreditView:
        return session.exec(select(CreditView).order_by(col(CreditView.entry)).limit(1)).one()
    return session.exec(select(LogEntry).where(col(LogEntry.body).contains('"invoices-assessed"'))).one()
