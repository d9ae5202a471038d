"""Invoices as people read them: lines among a run's contributions, with their worth once it is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.protocol.judge import entries, facts
from contracts.protocol.log_audit import PayoutKind
from ledger.storage.tables.columns import Document
from ledger.views.documents import Documents


def _invoiced(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    invoice = {
        "renter": entry.renter,
        "provider": entry.provider,
        "machine": entry.machine,
        "bill": entry.bill,
        "nodes": list(entry.nodes),
        "from_hour": entry.first,
        "to_hour": entry.end,
        "amount": str(entry.amount),
        "payback": entry.payback,
        "assessed": None,
    }
    line: Document = {
        "entry": leaf.index,
        "kind": int(PayoutKind.CAPITAL),
        "source": entry.provider,
        "subject": entry.machine,
        "licence": "",
        "account": entry.account,
        "weight": "0",
        "signers": list(entry.signers),
        "invoice": invoice,
    }
    documents.add_credit(entry.run, line)
    documents.run(entry.run)["counts"]["contributions"] += 1


def _assessed(documents: Documents, leaf: Any) -> None:
    for line in leaf.entry.lines:
        document = documents.credit(leaf.entry.run, line.entry)
        document["weight"] = "0" if line.payback else str(line.credited)
        document["invoice"]["assessed"] = {
            "entry": leaf.index,
            "tokens": line.tokens,
            "median_amount": str(line.median_amount),
            "median_tokens": line.median_tokens,
            "earned": str(line.earned),
            "credited": str(line.credited),
        }


INVOICES: dict[type, Callable[[Documents, Any], None]] = {
    facts.Invoiced: _invoiced,
    entries.InvoicesAssessed: _assessed,
}
