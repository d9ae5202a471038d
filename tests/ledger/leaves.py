"""Leaves for tests of the log alone, which does not care what stands in them."""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import Session

from ledger.books import log


def append(session: Session, kind: str, **body: Any) -> int:
    """Add a leaf (canonical JSON) that is found by its `proof`, if it has one; returns its index."""
    text = json.dumps({"kind": kind, **body}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return log.extend(session, [(text, body.get("proof"))])
