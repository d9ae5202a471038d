"""The million-payee benchmark on two hundred: the same root by four ways, each proof checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.million_payees import measure

pytestmark = pytest.mark.integration


@pytest.mark.needs_node("tests/cross")
def test_roots_are_one_and_proofs_hold(tmp_path: Path) -> None:
    found = measure(200, tmp_path, ["compute", "tree", "openzeppelin", "rows", "proofs"])
    assert len({found[part]["root"] for part in ("compute", "tree", "openzeppelin", "rows")}) == 1
    assert found["proofs"]["count"] == 200
