"""A bounded run is anchored in only with its own table of limits, which nobody announces: each verifier brings it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blake3 import blake3

from tests.verifier.duty.honest import TINY
from verifier.duty.doing import anchor
from verifier.duty.errors import NotPrepared

pytestmark = pytest.mark.unit
TABLE = b"a table"
BOUNDED = replace(TINY, profile="bounded", limits_digest=blake3(TABLE).hexdigest())


def world(limits: Path | None) -> Any:
    return SimpleNamespace(settings=SimpleNamespace(limits=limits))


def test_the_runs_own_table_is_taken_and_an_exact_run_needs_none(tmp_path: Path) -> None:
    (tmp_path / "limits.json").write_bytes(TABLE)
    anchor._check_limits(world(tmp_path / "limits.json"), BOUNDED)
    anchor._check_limits(world(None), TINY)


@pytest.mark.parametrize(
    ("name", "data", "why"), [(None, b"", "has to be given"), ("x", b"", "has to be given"), ("x", b"y", "another")]
)
def test_without_a_table_or_with_another_one_it_says_why(
    tmp_path: Path, name: str | None, data: bytes, why: str
) -> None:
    file = tmp_path / name if name else None
    if file is not None and data:
        file.write_bytes(data)
    with pytest.raises(NotPrepared, match=why):
        anchor._check_limits(world(file), BOUNDED)
