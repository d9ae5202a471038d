"""What a verifier says of its own disk."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.process.outage import Troubles
from verifier.service.telling import Telling

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("missing", "ending"), [([], 1), (["ab"], 0)])
def test_a_full_disk_is_told_until_all_blobs_are_here(tmp_path: Path, missing: list[str], ending: int) -> None:
    said, now = list[str](), [0.0]
    settings = SimpleNamespace(folder=tmp_path, api_url="", rpc_url="", give_up_after=0)
    telling = Telling(cast(Any, settings), lambda _: None, Troubles(said.append, lambda: now[0]))
    verifier = cast(Any, SimpleNamespace(settings=settings, blobs=SimpleNamespace(missing=lambda: missing)))
    telling._disk(verifier, "no room is left for a blob")
    now[0] += 10
    telling._disk(verifier, "")
    lines = [f"the disk of {tmp_path}: no room is left for a blob; make room, it is tried again"]
    assert said == lines + [f"the disk of {tmp_path}: well again"] * ending
