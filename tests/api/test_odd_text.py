"""Text that one of the databases cannot hold: refused, never a failure of the server."""

from __future__ import annotations

import pytest

from tests.api.stage import Stage
from tests.world import check_refused

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("path", ["/runs/%00", "/proofs/a%00b/status", "/blobs/%00", "/proposals/%00", "/runs/%ff"])
def test_no_name_holds_a_zero_byte(stage: Stage, path: str) -> None:
    answer = stage.world.client.get("/v1" + path)
    check_refused(answer, answer.status_code, answer.json()["code"])
    assert 400 <= answer.status_code < 500, answer.text
